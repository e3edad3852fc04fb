//! `proxy_upload_rate` and `proxy_download_rate`: how much may be read from one side, and when.
//!
//! As nginx paces it (watched: 1.22): in each second of a session no more than `rate` bytes beyond
//! those of the seconds before are read, and after a read comes a pause as long as it takes for
//! so many bytes at that rate.

use std::time::{Duration, Instant};

/// One direction of a session.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bytes per second, never 0.
    rate: u64,
    begun: Instant,
    /// Nothing is read before.
    pause: Instant,
}

impl Pace {
    /// `None` where the rate is 0: as fast as can be.
    pub fn new(now: Instant, rate: u64) -> Option<Self> {
        (rate > 0).then_some(Self { rate, begun: now, pause: now })
    }

    /// How many bytes may be read now, of which `received` have been; or when to ask again.
    pub fn allowance(&self, now: Instant, received: u64) -> Result<usize, Instant> {
        if now < self.pause {
            return Err(self.pause);
        }
        let seconds = now.saturating_duration_since(self.begun).as_secs();
        let most = self.rate.saturating_mul(seconds + 1);
        match most.checked_sub(received) {
            None | Some(0) => Err(now + self.time_for(received - most) + Duration::from_millis(1)),
            Some(left) => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
        }
    }

    /// So many bytes were read.
    pub fn read(&mut self, now: Instant, bytes: usize) {
        self.pause = now + self.time_for(bytes as u64);
    }

    /// When to go on.
    pub fn pause(&self) -> Instant {
        self.pause
    }

    /// nginx's clock has milliseconds.
    fn time_for(&self, bytes: u64) -> Duration {
        let millis = u128::from(bytes) * 1000 / u128::from(self.rate);
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX).min(86_400_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client of nginx saw with `proxy_download_rate 20k`: 16384 bytes every 0.8 s.
    #[test]
    fn a_buffer_at_a_time_and_then_a_pause() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun, 20 << 10).unwrap();
        assert_eq!(pace.allowance(begun, 0), Ok(20 << 10));
        pace.read(begun, 16384);
        let next = begun + Duration::from_millis(800);
        assert_eq!(pace.allowance(begun + Duration::from_millis(799), 16384), Err(next));
        assert_eq!(pace.allowance(next, 16384), Ok(4096));
        let second = begun + Duration::from_secs(1);
        assert_eq!(pace.allowance(second, 16384), Ok(24576));
        assert!(pace.allowance(next, 20 << 10).is_err());
        assert!(Pace::new(begun, 0).is_none());
    }

    #[test]
    fn over_time_it_is_the_rate() {
        let begun = Instant::now();
        for (rate, buffer) in [(1000, 16384), (51200, 4096), (102_400, 65536), (7, 16384)] {
            let mut pace = Pace::new(begun, rate).unwrap();
            let (mut now, mut received) = (begun, 0);
            while now < begun + Duration::from_secs(20) {
                match pace.allowance(now, received) {
                    Ok(most) => {
                        let bytes = most.min(buffer);
                        received += bytes as u64;
                        pace.read(now, bytes);
                        now = pace.pause().max(now + Duration::from_millis(1));
                    }
                    Err(later) => {
                        assert!(later > now);
                        now = later;
                    }
                }
            }
            let fair = rate * 20;
            assert!(
                (fair * 8 / 10..=fair * 11 / 10 + 65536).contains(&received),
                "{rate} {received}"
            );
        }
    }
}
