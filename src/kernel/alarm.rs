//! One deadline to wait for (timerfd_create(2)).
//!
//! tokio's own timers are made anew for each deadline, and setting one from outside its driver
//! wakes the driver: an eventfd write and a second epoll_wait for each advert. This one stays
//! registered, and setting it is a single system call.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::timer::{Expiration, TimerSetTimeFlags};
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use tokio::io::unix::AsyncFd;

use super::ready::{Descriptor, when_readable};

/// Zero would disarm the timer.
const AT_ONCE: Duration = Duration::from_nanos(1);

#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<Descriptor<TimerFd>>,
    set_for: Option<Instant>,
}

impl Alarm {
    /// Must be called inside a tokio runtime.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Alarm { timer: when_readable(Descriptor(timer))?, set_for: None })
    }

    /// Waits until this deadline, without one for ever. It may return early (after a deadline that
    /// it was set for before), never late. Whoever stops waiting loses nothing.
    pub async fn wait(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if self.set_for != deadline {
            self.set(deadline)?;
        }
        // Setting it again is what resets the count of expirations: it need not be read.
        self.timer.readable().await?.clear_ready();
        self.set_for = None;
        Ok(())
    }

    fn set(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let timer = &self.timer.get_ref().0;
        match deadline {
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now()).max(AT_ONCE);
                timer.set(Expiration::OneShot(left.into()), TimerSetTimeFlags::empty())?;
            }
            None => timer.unset()?,
        }
        self.set_for = deadline;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bound that only a lost wake-up breaks.
    const LONG: Duration = Duration::from_secs(20);

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(LONG, test).await.unwrap() });
    }

    /// What the role does: an early return is followed by another wait.
    async fn pass(alarm: &mut Alarm, deadline: Instant) {
        while Instant::now() < deadline {
            alarm.wait(Some(deadline)).await.unwrap();
        }
    }

    #[test]
    fn each_deadline_wakes_and_a_past_one_at_once() {
        run(async {
            let mut alarm = Alarm::new().unwrap();
            for _ in 0..50 {
                pass(&mut alarm, Instant::now() + Duration::from_millis(2)).await;
            }
            alarm.wait(Some(Instant::now() - Duration::from_secs(1))).await.unwrap();
        });
    }

    #[test]
    fn what_was_waited_for_before_can_be_put_forward_back_and_off() {
        run(async {
            let mut alarm = Alarm::new().unwrap();
            let far = Instant::now() + 2 * LONG;
            let brief = Duration::from_millis(5);
            let interrupted = tokio::time::timeout(brief, alarm.wait(Some(far))).await;
            assert!(interrupted.is_err());
            pass(&mut alarm, Instant::now() + brief).await;
            let soon = Instant::now() + brief;
            // Set, but nobody waits while it goes off: whoever comes later finds it.
            let _ = tokio::time::timeout(Duration::ZERO, alarm.wait(Some(soon))).await;
            std::thread::sleep(2 * brief);
            alarm.wait(Some(soon)).await.unwrap();
            assert!(Instant::now() >= soon);
            assert!(tokio::time::timeout(4 * brief, alarm.wait(None)).await.is_err());
        });
    }
}
