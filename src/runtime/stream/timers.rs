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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_due_in_order_and_not_before() {
        let begun = Instant::now();
        let mut timers = Timers::new(begun);
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let (soon, late) = (
            timers.tick(begun, Duration::from_millis(5)),
            timers.tick(begun, Duration::from_secs(1)),
        );
        timers.set(late, 1);
        timers.set(soon, 2);
        timers.set(soon, 3);
        timers.cancel(soon, 3);
        assert_eq!(timers.expired(at(5)), None);
        assert!(timers.next().unwrap() > at(5));
        assert_eq!(timers.expired(at(6)), Some(2));
        assert_eq!(timers.expired(at(999)), None);
        assert_eq!(timers.expired(at(1001)), Some(1));
        assert_eq!(timers.next(), None);
    }
}
