//! How this process gets its CPU time, as the config wants it; and what happens when that isn't
//! enough: timers fire late, which is measured, said, and (with `max_auto_priority`) answered.
//!
//! Settings are the loop's own: threads for scripts, dumps and logs stay ordinary ones.

use std::time::{Duration, Instant};

use nix::sched::CpuSet;

use super::router::Valve;
use crate::kernel::scheduling;
use crate::plan::vrrp_process::Scheduling;

/// A timer that is later than this counts as late.
pub(super) const LATE: Duration = Duration::from_millis(20);
/// Later than this it is worth a line, whatever the adverts' interval.
const WORTH_A_LINE: Duration = Duration::from_millis(200);
/// keepalived's default of `vrrp_rlimit_rttime`.
const REAL_TIME_LIMIT: Duration = Duration::from_millis(10);
/// keepalived lets the kernel end its process after `vrrp_rlimit_rttime`. Ours isn't ended for
/// being busy with a thousand routers, only for spinning.
const SPINNING: Duration = Duration::from_secs(2);
/// keepalived's default of `min_auto_priority_delay`.
const AUTOMATIC_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Bearing {
    settings: Scheduling,
    /// What this process was started with.
    cpus: Option<CpuSet>,
    /// The real-time priority that lateness has led to.
    automatic: Option<u8>,
    timers: u64,
    late: u64,
    worst: Duration,
    valve: Valve,
}

impl Bearing {
    /// As this process was started.
    pub(super) fn new(now: Instant) -> Self {
        Bearing {
            settings: Scheduling::default(),
            cpus: scheduling::cpus().ok(),
            automatic: None,
            timers: 0,
            late: 0,
            worst: Duration::ZERO,
            valve: Valve::new(now),
        }
    }

    /// To be called on the loop's thread. What the kernel refuses is said; the rest is done.
    pub(super) fn adopt(&mut self, new: &Scheduling) {
        let old = std::mem::replace(&mut self.settings, new.clone());
        let done = |what: &str, result: std::io::Result<()>| {
            if let Err(error) = result {
                tracing::warn!("{what}: {error}");
            }
        };
        if old.cpus != new.cpus {
            let bound = match (new.cpus.as_slice(), &self.cpus) {
                ([], Some(all)) => scheduling::run_on_set(all),
                (cpus, _) => scheduling::run_on(cpus),
            };
            done("vrrp_cpu_affinity", bound);
        }
        if old.no_swap != new.no_swap {
            let locked = match new.no_swap {
                true => scheduling::lock_memory(),
                false => scheduling::unlock_memory(),
            };
            done("vrrp_no_swap", locked);
        }
        let real_time = |it: &Scheduling| (it.realtime, it.realtime_limit);
        if real_time(&old) != real_time(new) {
            self.automatic = None;
            match new.realtime {
                Some(priority) => done("vrrp_rt_priority", self.run_in_real_time(priority)),
                None => done("vrrp_rt_priority", scheduling::run_ordinarily()),
            }
        }
        // keepalived has either the one or the other, too.
        let nice = |it: &Scheduling| it.nice.filter(|_| it.realtime.is_none()).unwrap_or(0);
        if nice(&old) != nice(new) {
            done("vrrp_priority", scheduling::be_nice(nice(new)));
        }
    }

    fn run_in_real_time(&self, priority: u8) -> std::io::Result<()> {
        let limit = self.settings.realtime_limit.unwrap_or(REAL_TIME_LIMIT);
        scheduling::limit_real_time(limit, limit.max(SPINNING))?;
        scheduling::run_in_real_time(priority)
    }

    /// So many timers were served, the first of them so long after its time. `interval`: the
    /// adverts' of that router.
    pub(super) fn note(&mut self, now: Instant, late: Duration, interval: Duration) {
        self.timers += 1;
        if late < LATE {
            return;
        }
        self.late += 1;
        self.worst = self.worst.max(late);
        let grave = late >= WORTH_A_LINE.min(interval);
        let raised = late >= self.settings.automatic_after.unwrap_or(AUTOMATIC_AFTER)
            && self.raise_priority(late);
        if (grave && !raised) && self.valve.pass(now).is_some() {
            let (seconds, worst) = (late.as_secs_f64(), self.worst.as_secs_f64());
            tracing::warn!(
                "a timer fired {seconds:.3} s late ({} of {} were late, the worst by {worst:.3} s): {}",
                self.late,
                self.timers,
                self.hint()
            );
        }
    }

    /// What the administrator could do.
    fn hint(&self) -> &'static str {
        match (self.settings.realtime.or(self.automatic), self.settings.no_swap) {
            (None, _) => {
                "`vrrp_rt_priority 50` (or `max_auto_priority 50`) in global_defs lets this \
                 process run before others"
            }
            (Some(_), false) => {
                "it runs in real time already; `vrrp_no_swap` in global_defs keeps it in memory, \
                 and a longer advert_int bears more"
            }
            (Some(_), true) => {
                "it runs in real time and isn't swapped: the host (or its hypervisor) doesn't give \
                 it the CPU; a longer advert_int bears more"
            }
        }
    }

    /// `max_auto_priority`: one step up.
    fn raise_priority(&mut self, late: Duration) -> bool {
        let now = self.automatic.or(self.settings.realtime).unwrap_or(0);
        if now >= self.settings.most_automatic {
            return false;
        }
        tracing::info!("A thread timer expired {:.6} seconds ago", late.as_secs_f64());
        match self.run_in_real_time(now + 1) {
            Ok(()) => tracing::info!("Set realtime priority {}", now + 1),
            Err(error) => tracing::warn!("realtime priority {}: {error}", now + 1),
        }
        self.automatic = Some(now + 1);
        true
    }

    /// SIGXCPU came.
    pub(super) fn used_too_much(&self) {
        tracing::info!(
            "VRRP process has used too much CPU time, vrrp_rlimit_rttime may need to be increased"
        );
    }

    /// At the end.
    pub(super) fn sum_up(&self) {
        if self.late > 0 {
            let (late, timers, worst) = (self.late, self.timers, self.worst.as_secs_f64());
            tracing::debug!("Late timers: {late} of {timers}, the worst by {worst:.3} s");
        }
    }
}
