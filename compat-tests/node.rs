//! One simulated node: virtual routers, perhaps a sync group, and scripts, joined as the vrrp role joins
//! them, with virtual time. `replay` runs one against recordings of the real keepalived, `world` several.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use evenkeel::plan::Secret;
use evenkeel::plan::track::{Check, ScriptId, TrackScript};
use evenkeel::plan::vrrp::{Authentication, TrackedScript, VirtualAddress, VirtualRouter};
use evenkeel::vrrp::group::{Call, Group, Member, Step};
use evenkeel::vrrp::machine::{self, Action, Machine};
use evenkeel::vrrp::script::{self, Outcome, Script};
use evenkeel::vrrp::track::weigh;

/// Routers with their scripts.
pub(crate) struct Node {
    pub(crate) machines: Vec<Machine>,
    /// Which of them the config has; a reload may have taken some out.
    pub(crate) present: Vec<bool>,
    /// Of all that are present.
    pub(crate) group: Option<Group>,
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

/// What a machine wants, and which; a script's line for the log counts as the first router's.
pub(crate) type Wish = (usize, Action);

impl Node {
    pub(crate) fn new(
        routers: Vec<VirtualRouter>,
        grouped: bool,
        scripts: Vec<(TrackScript, Behaviour)>,
    ) -> Self {
        let simulated = |(plan, behaviour)| SimulatedScript {
            script: Script::new(plan),
            behaviour,
            running: None,
        };
        Node {
            present: vec![true; routers.len()],
            machines: routers.into_iter().map(Machine::new).collect(),
            group: grouped.then(|| Group::new("G")),
            scripts: scripts.into_iter().map(simulated).collect(),
        }
    }

    /// `how`: [`machine::Event::Start`] or `Resume`; `links`: each router's.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        how: &machine::Event,
        links: &[(bool, IpAddr)],
        out: &mut Vec<Wish>,
    ) {
        for (at, (up, primary)) in links.iter().enumerate() {
            let event = machine::Event::Interface { up: *up, primary: Some(*primary) };
            self.handle_alone(now, at, event, out);
        }
        let alone = |node: &mut Self, at, event, out: &mut Vec<Wish>| {
            node.handle_alone(now, at, event, out);
        };
        self.track_all(alone, out);
        if matches!(how, machine::Event::Start) {
            for at in 0..links.len() {
                self.handle_alone(now, at, machine::Event::Sweep { there: true }, out);
            }
        }
        self.begin(now, how, out);
        for index in 0..self.scripts.len() {
            self.tell_script(now, index, script::Event::Start, out);
        }
    }

    fn begin(&mut self, now: Instant, how: &machine::Event, out: &mut Vec<Wish>) {
        let resuming = matches!(how, machine::Event::Resume);
        let owners = self.machines.iter().all(Machine::begins_active);
        let (members, names) = (self.members(), vec!["VI"; self.machines.len()]);
        let (before, after) = match &mut self.group {
            Some(group) if resuming => (group.regroup(&members), Vec::new()),
            Some(group) => group.begin(&members, &names, owners),
            None => Default::default(),
        };
        self.carry_out(now, before, out);
        for at in 0..self.machines.len() {
            self.handle_alone(now, at, how.clone(), out);
        }
        self.carry_out(now, after, out);
        let members = self.members();
        if let Some(group) = self.group.as_mut().filter(|_| resuming) {
            let steps = group.resumed(&members);
            self.carry_out(now, steps, out);
        }
    }

    fn members(&self) -> Vec<Member> {
        self.places().into_iter().map(|at| Member::of(&self.machines[at])).collect()
    }

    /// Of the group's members.
    fn places(&self) -> Vec<usize> {
        (0..self.machines.len()).filter(|at| self.present[*at]).collect()
    }

    fn carry_out(&mut self, now: Instant, steps: Vec<Step>, out: &mut Vec<Wish>) {
        let places = self.places();
        for step in steps {
            match step {
                Step::Log(level, line) => out.push((0, Action::Log(level, line))),
                Step::Tell(who, event) => {
                    let asked = matches!(event, machine::Event::StepBack { .. });
                    let call = self.handle_alone(now, places[who], event, out);
                    if !asked && call.is_some_and(Call::steps_back) {
                        let members = self.members();
                        let group = self.group.as_mut().expect("its steps");
                        let more = group.follow(who, call, &members);
                        self.carry_out(now, more, out);
                    }
                }
                Step::Told(_) => {}
            }
        }
    }

    fn handle_alone(
        &mut self,
        now: Instant,
        at: usize,
        event: machine::Event,
        out: &mut Vec<Wish>,
    ) -> Option<Call> {
        let mut actions = Vec::new();
        self.machines[at].handle(now, event, &mut actions);
        let call = Call::among(&actions);
        out.extend(actions.into_iter().map(|action| (at, action)));
        call
    }

    pub(crate) fn handle(
        &mut self,
        now: Instant,
        at: usize,
        event: machine::Event,
        out: &mut Vec<Wish>,
    ) {
        let before = Member::of(&self.machines[at]);
        let call = self.handle_alone(now, at, event, out);
        let Some(who) = self.places().iter().position(|it| *it == at) else { return };
        let members = self.members();
        if let Some(group) =
            self.group.as_mut().filter(|_| call.is_some() || members[who] != before)
        {
            let steps = group.follow(who, call, &members);
            self.carry_out(now, steps, out);
        }
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
                script::Action::Log(level, line) => out.push((0, Action::Log(level, line))),
            }
        }
        if changed {
            self.track(now, out);
        }
    }

    /// A new config: routers change, leave (`None`) or come, and the group with them. `links`: each
    /// router's.
    pub(crate) fn reload(
        &mut self,
        now: Instant,
        configs: &[Option<VirtualRouter>],
        links: &[(bool, IpAddr)],
        out: &mut Vec<Wish>,
    ) {
        // What is due comes first, while the group is what it was.
        self.time_out(now, out);
        for (at, config) in configs.iter().enumerate() {
            if config.is_none() && self.present[at] {
                self.handle(now, at, machine::Event::Shutdown, out);
            }
        }
        let mut beginners = Vec::new();
        for (at, config) in configs.iter().enumerate() {
            let Some(new) = config.clone() else {
                self.present[at] = false;
                continue;
            };
            let scripts = &self.scripts;
            let verdict = weigh(&new, &|ScriptId(id): ScriptId| scripts[id].script.status());
            let (up, primary) = links[at];
            let interface = machine::Event::Interface { up, primary: Some(primary) };
            // Who does what in the group isn't settled until all have changed.
            if self.present[at] {
                let event = machine::Event::Reconfigure(Box::new(new), verdict);
                self.handle_alone(now, at, event, out);
                self.handle_alone(now, at, interface, out);
            } else {
                (self.machines[at], self.present[at]) = (Machine::new(new), true);
                self.handle_alone(now, at, interface, out);
                self.handle_alone(now, at, machine::Event::Tracking(verdict), out);
                beginners.push(at);
            }
        }
        self.join(now, &beginners, out);
    }

    /// Begins with routers that a reload has added.
    fn join(&mut self, now: Instant, beginners: &[usize], out: &mut Vec<Wish>) {
        let strangers = self.places().into_iter().filter(|at| !beginners.contains(at));
        let strangers: Vec<Member> = strangers.map(|at| Member::of(&self.machines[at])).collect();
        let members = self.members();
        if let Some(group) = &mut self.group {
            if group.state() == machine::State::Initialize {
                group.adopt(&strangers);
            }
            let steps = group.inform(&members);
            self.carry_out(now, steps, out);
        }
        for at in beginners {
            self.handle_alone(now, *at, machine::Event::Start, out);
        }
        let members = self.members();
        if let Some(group) = &mut self.group {
            let steps = group.regroup(&members);
            self.carry_out(now, steps, out);
        }
    }

    pub(crate) fn track(&mut self, now: Instant, out: &mut Vec<Wish>) {
        self.track_all(|node, at, event, out| node.handle(now, at, event, out), out);
    }

    fn track_all(
        &mut self,
        mut tell: impl FnMut(&mut Self, usize, machine::Event, &mut Vec<Wish>),
        out: &mut Vec<Wish>,
    ) {
        for at in 0..self.machines.len() {
            let scripts = &self.scripts;
            let status = |ScriptId(id): ScriptId| scripts[id].script.status();
            let verdict = weigh(self.machines[at].router(), &status);
            tell(self, at, machine::Event::Tracking(verdict), out);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let scripts = self.scripts.iter().flat_map(|simulated| {
            [simulated.script.deadline(), simulated.running.as_ref().map(|run| run.ends_at)]
        });
        scripts.flatten().chain(self.machines.iter().filter_map(Machine::deadline)).min()
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
        for at in 0..self.machines.len() {
            if self.machines[at].deadline().is_some_and(|deadline| deadline <= now) {
                self.handle(now, at, machine::Event::Timeout, out);
                let next = self.machines[at].deadline();
                assert!(next.is_none_or(|next| next > now), "the machine's deadline stands still");
            }
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

/// `ADDRESS[/PREFIX][ dev INTERFACE]`
pub(crate) fn address(text: &str) -> VirtualAddress {
    let (text, interface) = match text.split_once(" dev ") {
        Some((text, interface)) => (text, Some(interface.to_owned())),
        None => (text, None),
    };
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    let address = IpAddr::V4(address.parse().unwrap());
    VirtualAddress { interface, ..VirtualAddress::new(address, prefix.parse().unwrap()) }
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
