//! How long routers only listen after the start (keepalived.conf(5), `vrrp_startup_delay`; 2.4's
//! `vrrp_delay_after_boot`). The longer of the two counts.

use std::time::{Duration, Instant};

use crate::plan::conduct::CommonConduct;

/// `None`: they begin as usual.
pub(super) fn listen_until(now: Instant, conduct: &CommonConduct) -> Option<Instant> {
    let delay = delay(conduct, since_boot());
    if delay.is_zero() {
        return None;
    }
    tracing::info!("Delaying startup for {} seconds", delay.as_secs_f64());
    Some(now + delay)
}

fn delay(conduct: &CommonConduct, since_boot: Duration) -> Duration {
    conduct.startup_delay.max(conduct.delay_after_boot.saturating_sub(since_boot))
}

/// Time asleep included.
fn since_boot() -> Duration {
    match nix::time::ClockId::CLOCK_BOOTTIME.now() {
        Ok(time) => time.into(),
        // Without the clock nobody waits for it.
        Err(_) => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_delay_counts() {
        let seconds = Duration::from_secs;
        let conduct = CommonConduct { startup_delay: seconds(5), delay_after_boot: seconds(60) };
        assert_eq!(delay(&conduct, seconds(20)), seconds(40));
        assert_eq!(delay(&conduct, seconds(57)), seconds(5));
        assert_eq!(delay(&conduct, seconds(600)), seconds(5));
        assert_eq!(delay(&CommonConduct::default(), seconds(0)), Duration::ZERO);
    }
}
