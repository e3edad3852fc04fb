//! How long to wait before a role that died is started again.

use std::time::Duration;

/// Lived this long: what it died of then has nothing to do with the last time.
const STEADY: Duration = Duration::from_secs(30);
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Counts deaths that follow each other closely.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    deaths: u32,
}

impl BackOff {
    /// Not at all after the first death, then twice as long each time, up to five seconds.
    pub(super) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= STEADY {
            self.deaths = 0;
        }
        let wait = match self.deaths {
            0 => Duration::ZERO,
            deaths => FIRST.saturating_mul(1 << (deaths - 1).min(16)).min(LONGEST),
        };
        self.deaths += 1;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_is_bounded_and_forgives() {
        let mut back_off = BackOff::default();
        let soon = Duration::from_millis(1);
        let waits: Vec<u128> = (0..9).map(|_| back_off.after(soon).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(back_off.after(STEADY), Duration::ZERO);
        assert_eq!(back_off.after(soon), FIRST);
        for _ in 0..1_000 {
            assert!(back_off.after(soon) <= LONGEST);
        }
    }
}
