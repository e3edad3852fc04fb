//! `ssl_session_cache shared:NAME:SIZE`: sessions, and the keys of tickets, that servers and
//! workers share and that outlive reloads.
//!
//! As nginx since 1.23.2, a zone makes keys for tickets of its own, and new ones as often as a
//! session may be old; a ticket can be opened for that long after its key's last one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::kernel::openssl::TicketKey;
use crate::proxy::shelf::Shelf;
use crate::tls::context::Sessions;

pub(super) struct Zone {
    pub(super) name: String,
    pub(super) size: usize,
    sessions: Mutex<Shelf<Box<[u8]>>>,
    keys: Mutex<Keys>,
}

/// Newest first, with the time at which each was made.
struct Keys {
    made: Vec<(Instant, TicketKey)>,
    handed_out: Arc<[TicketKey]>,
}

impl Zone {
    pub(super) fn new(name: &str, size: usize) -> Self {
        let keys = Keys { made: Vec::new(), handed_out: Arc::default() };
        let sessions = Mutex::new(Shelf::new(size));
        Self { name: name.to_owned(), size, sessions, keys: Mutex::new(keys) }
    }

    fn sessions(&self) -> MutexGuard<'_, Shelf<Box<[u8]>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions for Zone {
    fn keep(&self, id: &[u8], session: Vec<u8>, life: Duration) {
        let size = session.len();
        self.sessions().put(Instant::now(), id, session.into(), size, life);
    }

    fn find(&self, id: &[u8]) -> Option<Vec<u8>> {
        self.sessions().find(Instant::now(), id).map(|session| session.to_vec())
    }

    fn forget(&self, id: &[u8]) {
        self.sessions().forget(id);
    }

    fn ticket_keys(&self, life: Duration) -> Arc<[TicketKey]> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let life = life.max(Duration::from_secs(1));
        if keys.made.first().is_none_or(|(made, _)| now.duration_since(*made) >= life) {
            // Without chance there are no tickets.
            let Some(key) = TicketKey::random() else { return Arc::default() };
            keys.made.retain(|(made, _)| now.duration_since(*made) < 2 * life);
            keys.made.insert(0, (now, key));
            keys.handed_out = keys.made.iter().map(|(_, key)| key.clone()).collect();
        }
        Arc::clone(&keys.handed_out)
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zone").field("name", &self.name).finish_non_exhaustive()
    }
}
