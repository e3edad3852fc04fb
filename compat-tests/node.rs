//! One simulated node: a virtual router and its scripts, joined as the vrrp role joins them, with
//! virtual time. `replay` runs one against recordings of the real keepalived, `world` several.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use evenkeel::plan::Secret;
use evenkeel::plan::track::{Check, ScriptId, TrackScript};
use evenkeel::plan::vrrp::{Authentication, TrackedScript, VirtualAddress, VirtualRouter};
use evenkeel::vrrp::machine::{self, Action, Machine};
use evenkeel::vrrp::script::{self, Outcome, Script};
use evenkeel::vrrp::track::weigh;

/// A router with its scripts.
pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) scripts: Vec<SimulatedScript>,
}

/// A script with the process that it would run.
pub(crate) struct SimulatedScript {
    pub(crate) script: Script,
    /// How runs that begin from now on behave.
    pub(crate) behaviour: Behaviour,
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    pub(crate) takes: Duration,
    pub(crate) exit: i32,
    /// It ends by this signal instead.
    pub(crate) signal: Option<i32>,
    /// It survives SIGTERM.
    pub(crate) stubborn: bool,
}

struct Running {
    ends_at: Instant,
    behaviour: Behaviour,
}

/// A script's line for the log, or what the machine wants.
pub(crate) type Wish = Action;

impl Node {
    pub(crate) fn new(router: VirtualRouter, scripts: Vec<(TrackScript, Behaviour)>) -> Self {
        let simulated = |(plan, behaviour)| SimulatedScript {
            script: Script::new(plan),
            behaviour,
            running: None,
        };
        Node {
            machine: Machine::new(router),
            scripts: scripts.into_iter().map(simulated).collect(),
        }
    }

    /// `how`: [`machine::Event::Start`] or `Resume`.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        how: machine::Event,
        (up, primary): (bool, IpAddr),
        out: &mut Vec<Wish>,
    ) {
        self.handle(now, machine::Event::Interface { up, primary: Some(primary) }, out);
        self.track(now, out);
        self.handle(now, how, out);
        for index in 0..self.scripts.len() {
            self.tell_script(now, index, script::Event::Start, out);
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, event: machine::Event, out: &mut Vec<Wish>) {
        self.machine.handle(now, event, out);
    }

    pub(crate) fn tell_script(
        &mut self,
        now: Instant,
        index: usize,
        event: script::Event,
        out: &mut Vec<Wish>,
    ) {
        let mut actions = Vec::new();
        self.scripts[index].script.handle(now, event, &mut actions);
        let mut changed = false;
        for action in actions {
            let simulated = &mut self.scripts[index];
            match action {
                script::Action::Run => {
                    assert!(simulated.running.is_none(), "a run was begun while one is running");
                    let behaviour = simulated.behaviour;
                    let ends_at = now + behaviour.takes;
                    simulated.running = Some(Running { ends_at, behaviour });
                }
                script::Action::Terminate => simulated.kill(now, libc::SIGTERM),
                script::Action::Kill => simulated.kill(now, libc::SIGKILL),
                script::Action::Status(_) => changed = true,
                script::Action::Log(level, line) => out.push(Action::Log(level, line)),
            }
        }
        if changed {
            self.track(now, out);
        }
    }

    pub(crate) fn track(&mut self, now: Instant, out: &mut Vec<Wish>) {
        let scripts = &self.scripts;
        let verdict = weigh(self.machine.router(), &|ScriptId(id)| scripts[id].script.status());
        self.handle(now, machine::Event::Tracking(verdict), out);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let scripts = self.scripts.iter().flat_map(|simulated| {
            [simulated.script.deadline(), simulated.running.as_ref().map(|run| run.ends_at)]
        });
        scripts.chain([self.machine.deadline()]).flatten().min()
    }

    /// Lets everything happen that is due at `now`, in the order in which it is due.
    pub(crate) fn time_out(&mut self, now: Instant, out: &mut Vec<Wish>) {
        for index in 0..self.scripts.len() {
            let ended = self.scripts[index].running.take_if(|run| run.ends_at <= now);
            if let Some(Running { behaviour, .. }) = ended {
                let outcome = match behaviour.signal {
                    Some(signal) => Outcome::Signalled(signal),
                    None => Outcome::Exited(behaviour.exit),
                };
                self.tell_script(now, index, script::Event::Ended(outcome), out);
            }
            if self.scripts[index].script.deadline().is_some_and(|deadline| deadline <= now) {
                self.tell_script(now, index, script::Event::Timeout, out);
                let next = self.scripts[index].script.deadline();
                assert!(next.is_none_or(|next| next > now), "a script's deadline stands still");
            }
        }
        if self.machine.deadline().is_some_and(|deadline| deadline <= now) {
            self.handle(now, machine::Event::Timeout, out);
            let next = self.machine.deadline();
            assert!(next.is_none_or(|next| next > now), "the machine's deadline stands still");
        }
    }
}

impl SimulatedScript {
    fn kill(&mut self, now: Instant, signal: i32) {
        let Some(run) = &mut self.running else { return };
        if signal == libc::SIGKILL || !run.behaviour.stubborn {
            run.behaviour.signal = Some(signal);
            run.ends_at = now;
        }
    }
}

/// The virtual router of the recordings: VRID 51 on eth0, PASS 1111, 10.9.0.100/24.
pub(crate) fn router() -> VirtualRouter {
    VirtualRouter {
        authentication: Some(Authentication::Pass(Secret::new("1111"))),
        addresses: vec![address("10.9.0.100/24")],
        ..VirtualRouter::new("VI_1", 51, "eth0")
    }
}

/// `ADDRESS[/PREFIX]`
pub(crate) fn address(text: &str) -> VirtualAddress {
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    VirtualAddress::new(IpAddr::V4(address.parse().unwrap()), prefix.parse().unwrap())
}

pub(crate) fn track_script(name: &str) -> TrackScript {
    TrackScript {
        name: name.into(),
        check: Check::Command { argv: vec![format!("/checks/{name}")] },
        interval: Duration::from_secs(1),
        timeout: None,
        weight: 0,
        reverse: false,
        rise: 1,
        fall: 1,
        init_fail: false,
        user: None,
        span: Default::default(),
    }
}

pub(crate) fn tracked(script: usize, weight: i16, reverse: bool) -> TrackedScript {
    TrackedScript { script: ScriptId(script), weight, reverse, by_group: false }
}
