//! The track scripts' machines, joined to the probe.

use std::time::Instant;

use crate::plan::VrrpPlan;
use crate::plan::track::ScriptId;
use crate::runtime::probe::command::Ending;
use crate::runtime::probe::{CheckKey, Finding, Probe};
use crate::status::snapshot::ScriptView;
use crate::vrrp::script::{Action, Event, Outcome, Script};
use crate::vrrp::track::ScriptStatus;

use super::deeds::log;

/// All scripts of the plan, in its order.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    scripts: Vec<Tracked>,
    keys: CheckKey,
}

#[derive(Debug)]
struct Tracked {
    /// What the probe knows it by.
    key: CheckKey,
    machine: Script,
}

impl Scripts {
    /// By a new plan: scripts of the same name go on. Those that no router tracks don't run.
    pub(super) fn replace(&mut self, now: Instant, plan: &VrrpPlan, probe: &Probe) {
        let mut before = std::mem::take(&mut self.scripts);
        for (id, script) in plan.scripts.iter().enumerate() {
            let known = before.iter().position(|it| it.machine.plan().name == script.name);
            let tracked = match known {
                Some(at) => before.swap_remove(at),
                None => {
                    self.keys += 1;
                    Tracked { key: self.keys, machine: Script::new(script.clone()) }
                }
            };
            self.scripts.push(tracked);
            let at = self.scripts.len() - 1;
            if known.is_some() {
                self.tell(now, at, Event::Reconfigure(Box::new(script.clone())), probe);
            }
            let mut lines = plan.routers.iter().flat_map(|router| &router.scripts);
            let event = if lines.any(|line| line.script == ScriptId(id)) {
                Event::Start
            } else {
                Event::Stop
            };
            self.tell(now, at, event, probe);
        }
        let kept = self.scripts.len();
        self.scripts.append(&mut before);
        for at in kept..self.scripts.len() {
            self.tell(now, at, Event::Stop, probe);
            probe.forget(self.scripts[at].key);
        }
        self.scripts.truncate(kept);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.scripts.iter().filter_map(|it| it.machine.deadline()).min()
    }

    /// Serves the timers whose time has come; whether that changes what any script amounts to.
    pub(super) fn time_out(&mut self, now: Instant, probe: &Probe) -> bool {
        let mut changed = false;
        for at in 0..self.scripts.len() {
            if self.scripts[at].machine.deadline().is_some_and(|deadline| deadline <= now) {
                changed |= self.tell(now, at, Event::Timeout, probe);
            }
        }
        changed
    }

    /// What the probe has found out; whether that changes what the script amounts to.
    pub(super) fn hear(&mut self, now: Instant, finding: Finding, probe: &Probe) -> bool {
        let (key, event) = match finding {
            Finding::Ended { check, ending } => {
                let outcome = match ending {
                    Ending::Exited(code) => Outcome::Exited(code),
                    Ending::Signaled(signal) => Outcome::Signalled(signal),
                };
                (check, Event::Ended(outcome))
            }
            Finding::NotStarted { check, message } => {
                (check, Event::Ended(Outcome::NotStarted(message)))
            }
            Finding::ProcessGone { check } => (check, Event::ProcessGone),
            Finding::File { .. } | Finding::Counted { .. } => return false,
        };
        // A script that a reload has removed may still have something to say.
        let at = self.scripts.iter().position(|it| it.key == key);
        at.is_some_and(|at| self.tell(now, at, event, probe))
    }

    pub(super) fn views(&self) -> Vec<ScriptView> {
        let view = |machine: &Script| ScriptView {
            config: machine.plan().clone(),
            status: machine.status(),
            against: machine.against(),
            running: machine.is_running(),
        };
        self.scripts.iter().map(|it| view(&it.machine)).collect()
    }

    pub(super) fn status(&self, script: ScriptId) -> ScriptStatus {
        self.scripts.get(script.0).map_or(ScriptStatus::Unknown, |it| it.machine.status())
    }

    pub(super) fn name(&self, script: ScriptId) -> &str {
        self.scripts.get(script.0).map_or("", |it| &it.machine.plan().name)
    }

    /// Whether its status has changed: routers are to be weighed then.
    fn tell(&mut self, now: Instant, at: usize, event: Event, probe: &Probe) -> bool {
        let Tracked { key, machine } = &mut self.scripts[at];
        let (mut actions, mut changed) = (Vec::new(), false);
        machine.handle(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Run => {
                    let plan = machine.plan();
                    probe.run(*key, &plan.check, plan.user.as_ref());
                }
                Action::Terminate => probe.signal(*key, libc::SIGTERM),
                Action::Kill => probe.signal(*key, libc::SIGKILL),
                Action::Status(_) => changed = true,
                Action::Log(level, line) => log(level, &line),
            }
        }
        changed
    }
}
