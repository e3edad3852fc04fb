//! What has been answered, for as long as that is worth something. Bounded: clients may choose the
//! names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::{Addresses, Found};

/// Entries; each takes some 200 bytes.
const ROOM: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Cache {
    hosts: HashMap<Arc<str>, Found<Addresses>>,
}

impl Cache {
    pub(super) fn host(&self, now: Instant, name: &str) -> Option<&Found<Addresses>> {
        self.hosts.get(name).filter(|entry| entry.until > now)
    }

    pub(super) fn keep(&mut self, now: Instant, name: &Arc<str>, what: Addresses, until: Instant) {
        if until <= now {
            return;
        }
        if self.hosts.len() >= ROOM && !self.hosts.contains_key(name) {
            self.hosts.retain(|_, entry| entry.until > now);
            if self.hosts.len() >= ROOM {
                // Whatever is in it can be asked for again; half of it goes, so that this is rare.
                let mut keep = false;
                self.hosts.retain(|_, _| {
                    keep = !keep;
                    keep
                });
            }
        }
        self.hosts.insert(Arc::clone(name), Found { what, until });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.hosts.len()
    }
}
