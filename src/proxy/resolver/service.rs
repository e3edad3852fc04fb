//! `service=NAME`: SRV records, and the addresses of their targets.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::message::Srv;
use super::{Failure, Found, Place, Places};

/// A service whose records are known.
#[derive(Debug)]
pub(super) struct Service {
    /// The most preferred ones first.
    records: Vec<Srv>,
    until: Instant,
    targets: HashMap<Arc<str>, Option<Result<Vec<IpAddr>, Failure>>>,
}

/// The name that has the records: `http` means `_http._tcp.HOST`; with a dot in it, the service
/// stands for itself (nginx's documentation).
pub(super) fn record_of(service: &str, host: &str) -> String {
    match service.contains('.') {
        true => format!("{service}.{host}"),
        false => format!("_{service}._tcp.{host}"),
    }
}

impl Service {
    pub(super) fn new(mut records: Vec<Srv>, until: Instant) -> Self {
        records.sort_by_key(|record| record.priority);
        let targets = records.iter().map(|record| (Arc::clone(&record.target), None)).collect();
        Self { records, until, targets }
    }

    /// In the order of the records, each once.
    pub(super) fn targets(&self) -> Vec<Arc<str>> {
        let mut targets: Vec<Arc<str>> = Vec::new();
        for record in &self.records {
            if !targets.contains(&record.target) {
                targets.push(Arc::clone(&record.target));
            }
        }
        targets
    }

    pub(super) fn learn(
        &mut self,
        target: Arc<str>,
        addresses: Result<Vec<IpAddr>, Failure>,
        until: Instant,
    ) {
        if addresses.is_ok() {
            self.until = self.until.min(until);
        }
        self.targets.insert(target, Some(addresses));
    }

    pub(super) fn is_complete(&self) -> bool {
        self.targets.values().all(Option::is_some)
    }

    /// The records of the lowest priority whose targets have addresses are the ones to use, those
    /// of others are backups.
    pub(super) fn places(self, now: Instant) -> Places {
        let addresses = |target: &str| match self.targets.get(target) {
            Some(Some(Ok(addresses))) => addresses.as_slice(),
            _ => &[],
        };
        let best = self.records.first().map(|record| record.priority);
        let places: Vec<Place> = self
            .records
            .iter()
            .flat_map(|record| {
                addresses(&record.target).iter().map(|address| Place {
                    target: Arc::clone(&record.target),
                    address: *address,
                    port: record.port,
                    weight: record.weight,
                    backup: Some(record.priority) != best,
                })
            })
            .collect();
        let failures = self.targets().into_iter().filter_map(|target| {
            let failure = self.targets.get(&target)?.as_ref()?.as_ref().err().copied()?;
            Some((target, failure))
        });
        let missing: Vec<_> = failures.collect();
        let found = match (places.is_empty(), missing.first()) {
            (true, Some((_, Failure::NotFound)) | None) => {
                Found { what: Ok(places), until: self.until }
            }
            // It may be over at any time.
            (true, Some((_, failure))) => Found { what: Err(*failure), until: now },
            (false, _) => Found { what: Ok(places), until: self.until },
        };
        Places { found, missing }
    }
}
