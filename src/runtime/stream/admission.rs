//! What a server's stages before its content need, made ready once per generation: lists of
//! networks, and the zones in which all workers count connections.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bstr::BString;

use super::service::{Generation, Stage};
use crate::plan::stream::{LimitZone, Listener, Network, Rule, Server};
use crate::plan::template::Template;
use crate::proxy::limit;
use crate::proxy::network::Networks;

/// Of one server.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// `set_real_ip_from`
    pub(super) trusted: Option<Arc<Networks>>,
    /// `allow` and `deny`
    pub(super) rules: Option<Arc<Networks>>,
    /// `limit_conn`
    pub(super) limits: Vec<Limit>,
}

#[derive(Debug)]
pub(super) struct Limit {
    pub(super) zone: Arc<Zone>,
    pub(super) key: Template,
    pub(super) most: u32,
}

/// A `limit_conn_zone`, which outlives reloads.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) name: String,
    size: u64,
    /// As typed.
    pub(super) key: BString,
    counts: Mutex<limit::Zone>,
}

/// Counts as one connection of its key until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    zone: Arc<Zone>,
    key: BString,
}

impl Zone {
    /// Those of a plan. One of the same name and size goes on with its counts.
    ///
    /// # Errors
    /// One that has another key than before, which nginx doesn't take over either.
    pub(super) fn build(
        zones: &[LimitZone],
        old: Option<&Generation>,
    ) -> io::Result<Vec<Arc<Self>>> {
        let build = |zone: &LimitZone| {
            let LimitZone { name, size, key_text, .. } = zone;
            let mut known = old.iter().flat_map(|old| &old.zones);
            match known.find(|known| known.name == *name && known.size == *size) {
                Some(known) if known.key == *key_text => Ok(Arc::clone(known)),
                Some(known) => Err(io::Error::other(format!(
                    "limit_conn_zone \"{name}\" uses the \"{key_text}\" key while previously it \
                     used the \"{}\" key",
                    known.key
                ))),
                None => Ok(Arc::new(Self {
                    name: name.clone(),
                    size: *size,
                    key: key_text.clone(),
                    counts: Mutex::new(limit::Zone::new(*size)),
                })),
            }
        };
        zones.iter().map(build).collect()
    }

    pub(super) fn count(
        self: &Arc<Self>,
        key: BString,
        most: u32,
    ) -> Result<Counted, limit::Refusal> {
        self.counts().take(&key, most)?;
        Ok(Counted { zone: Arc::clone(self), key })
    }

    fn counts(&self) -> MutexGuard<'_, limit::Zone> {
        // Plain numbers: whole after any panic.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.zone.counts().give_back(&self.key);
    }
}

/// Makes guards. Servers with the same lists share them: a long one is often everybody's.
#[derive(Debug, Default)]
pub(super) struct Guards<'p> {
    trusted: HashMap<&'p [Network], Arc<Networks>>,
    rules: HashMap<&'p [Rule], Arc<Networks>>,
}

impl<'p> Guards<'p> {
    pub(super) fn guard(
        &mut self,
        server: &'p Server,
        zones: &[Arc<Zone>],
        declared: &[LimitZone],
    ) -> Guard {
        let admission = &server.admission;
        let trusted = (!admission.trusted.is_empty()).then(|| {
            let list = &admission.trusted[..];
            let make = || Arc::new(Networks::new(list.iter().map(|network| (network, true))));
            Arc::clone(self.trusted.entry(list).or_insert_with(make))
        });
        let rules = (!admission.rules.is_empty()).then(|| {
            let list = &admission.rules[..];
            let networks = list.iter().map(|rule| (&rule.network, rule.allow));
            Arc::clone(self.rules.entry(list).or_insert_with(|| Arc::new(Networks::new(networks))))
        });
        let limit = |limit: &crate::plan::stream::Limit| Limit {
            zone: Arc::clone(&zones[limit.zone.0]),
            key: declared[limit.zone.0].key.clone(),
            most: limit.most,
        };
        Guard { trusted, rules, limits: admission.limits.iter().map(limit).collect() }
    }
}

/// The stages that a listener's connections go through because of all this, before `set` and after.
pub(super) fn stages(listener: &Listener, guard: &Guard) -> (Vec<Stage>, Vec<Stage>) {
    let choose = |stages: [(bool, Stage); 2]| {
        stages.into_iter().filter(|(wanted, _)| *wanted).map(|(_, stage)| stage).collect()
    };
    let before = choose([
        (listener.proxy_protocol, Stage::Header),
        (listener.proxy_protocol && guard.trusted.is_some(), Stage::RealIp),
    ]);
    let after =
        choose([(!guard.limits.is_empty(), Stage::Limit), (guard.rules.is_some(), Stage::Access)]);
    (before, after)
}
