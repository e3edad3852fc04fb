//! One virtual router with what the shell keeps of it.

use std::time::{Duration, Instant, SystemTime};

use crate::plan::vrrp::VirtualRouter;
use crate::vrrp::machine::{Counter, Machine, State};
use crate::vrrp::track::Verdict;

/// Lines about bad packets that are written in a row; after them, one a second.
const BURST: u32 = 20;
const REFILL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Router {
    pub(super) machine: Machine,
    /// What its machine was told last of its scripts.
    pub(super) verdict: Option<Verdict>,
    /// Its sync group's place among the role's.
    pub(super) group: Option<usize>,
    /// By a reload: the new config doesn't have it.
    pub(super) removed: bool,
    pub(super) last_transition: SystemTime,
    /// Since when it takes part; `None`: it doesn't.
    pub(super) up_since: Option<SystemTime>,
    /// The last of what [`is_protocol_fault`] counts as one.
    pub(super) last_fault: Option<Counter>,
    /// Few are ever counted, and thousands of routers count them: no room for others, and no map.
    pub(super) counters: Vec<(Counter, u64)>,
    /// For what others can cause: their packets, and an interface that refuses ours.
    pub(super) valve: Valve,
}

impl Router {
    pub(super) fn new(config: VirtualRouter, now: Instant) -> Self {
        Router {
            machine: Machine::new(config),
            verdict: None,
            group: None,
            removed: false,
            last_transition: SystemTime::now(),
            up_since: None,
            last_fault: None,
            counters: Vec::new(),
            valve: Valve::new(now),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.machine.router().name
    }

    pub(super) fn note_transition(&mut self, to: State) {
        self.last_transition = SystemTime::now();
        match to {
            State::Initialize | State::Fault => self.up_since = None,
            State::Backup | State::Active => {
                self.up_since.get_or_insert(self.last_transition);
            }
        }
    }

    pub(super) fn count(&mut self, counter: Counter) {
        if is_protocol_fault(counter) {
            self.last_fault = Some(counter);
        }
        match self.counters.iter_mut().find(|(known, _)| *known == counter) {
            Some((_, number)) => *number += 1,
            None => {
                self.counters.reserve_exact(1);
                self.counters.push((counter, 1));
            }
        }
    }
}

/// RFC 6527, `vrrpv3StatisticsProtoErrReason`.
pub(super) fn is_protocol_fault(counter: Counter) -> bool {
    use Counter::{ChecksumError, TtlError, VersionError, VridError};
    matches!(counter, ChecksumError | TtlError | VersionError | VridError)
}

/// Lets so many log lines through that a flood of packets doesn't become a flood of lines.
#[derive(Debug)]
pub(super) struct Valve {
    left: u32,
    refilled: Instant,
    held_back: u64,
}

impl Valve {
    pub(super) fn new(now: Instant) -> Self {
        Valve { left: BURST, refilled: now, held_back: 0 }
    }

    /// May a line be written now? `Some(n)`: yes, and `n` were not since the last one.
    pub(super) fn pass(&mut self, now: Instant) -> Option<u64> {
        let seconds = now.saturating_duration_since(self.refilled).as_secs();
        if seconds > 0 {
            self.left = self.left.saturating_add(seconds.min(u64::from(BURST)) as u32).min(BURST);
            self.refilled += REFILL * seconds.min(u64::from(u32::MAX)) as u32;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.held_back))
            }
            None => {
                self.held_back += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_a_trickle_and_says_how_much_is_missing() {
        let begin = Instant::now();
        let mut valve = Valve::new(begin);
        let passed = (0..1000).filter(|_| valve.pass(begin).is_some()).count();
        assert_eq!(passed, 20);
        assert_eq!(valve.pass(begin + Duration::from_millis(1500)), Some(980));
        assert_eq!(valve.pass(begin + Duration::from_millis(1600)), None);
        assert_eq!(valve.pass(begin + Duration::from_secs(100)), Some(1));
    }

    #[test]
    fn thousands_of_routers_take_little_memory() {
        use crate::plan::vrrp::VirtualAddress;
        // Besides names, and a few bytes for its timers and counters.
        assert!(size_of::<Router>() <= 800, "{}", size_of::<Router>());
        assert!(size_of::<VirtualAddress>() <= 144, "{}", size_of::<VirtualAddress>());
    }

    #[test]
    fn counters_have_room_for_what_is_counted() {
        let mut router = Router::new(VirtualRouter::new("V", 1, "eth0"), Instant::now());
        for counter in [Counter::AdvertSent, Counter::BecomeMaster, Counter::AdvertSent] {
            router.count(counter);
        }
        assert_eq!(router.counters, [(Counter::AdvertSent, 2), (Counter::BecomeMaster, 1)]);
        assert_eq!(router.counters.capacity(), 2);
    }
}
