//! When each session is to be looked at again. One entry per session; a session that is active
//! only moves its own deadline, and the entry follows when it comes due.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Milliseconds since the worker began.
pub(super) type Tick = u64;

#[derive(Debug)]
pub(super) struct Timers {
    begun: Instant,
    due: BTreeSet<(Tick, u32)>,
}

impl Timers {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, due: BTreeSet::new() }
    }

    /// The tick that surely lies `after` in the future.
    pub(super) fn tick(&self, now: Instant, after: Duration) -> Tick {
        (now.saturating_duration_since(self.begun) + after).as_millis() as Tick + 1
    }

    pub(super) fn set(&mut self, tick: Tick, session: u32) {
        self.due.insert((tick, session));
    }

    pub(super) fn cancel(&mut self, tick: Tick, session: u32) {
        self.due.remove(&(tick, session));
    }

    /// When the first entry is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(tick, _)| self.begun + Duration::from_millis(*tick))
    }

    /// Takes the first entry that is due.
    pub(super) fn expired(&mut self, now: Instant) -> Option<u32> {
        let elapsed = now.saturating_duration_since(self.begun).as_millis() as Tick;
        let first = *self.due.first()?;
        if first.0 > elapsed {
            return None;
        }
        self.due.remove(&first);
        Some(first.1)
    }
}
