//! A sync group: virtual routers that change state together (keepalived.conf(5), "VRRP
//! synchronization group(s)").
//!
//! The group is a machine above the members' machines. After each event of a member the shell asks
//! [`Group::follow`] what the others have to do, and does it. Three rules, as watched on keepalived
//! 2.2.7 (`peers::groups` runs both side by side):
//!
//! - A member takes over only when every other one has missed its active router as well; then all
//!   become active, the one first that was last to miss it.
//! - One that steps back takes all with it.
//! - One that may not take part keeps all from it. That needs no order: each member is told what
//!   the others' [`Standing`] is ([`Event::Mates`]) and counts it as its own.
//!
//! A member that a reload has added to an active group listens first and joins when it has missed
//! its active router, or takes the group back when it hears one. (keepalived takes the addresses of
//! all members off and begins anew.)

use super::machine::{Action, Counter, Event, LogLevel, Machine, State};
use super::track::{Standing, worse};

/// One group, by its members' places in a list that the shell keeps.
#[derive(Debug)]
pub struct Group {
    name: String,
    /// What was told of it last; [`State::Initialize`]: nothing yet.
    state: State,
}

/// What the group sees of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub state: State,
    /// Its own, without that of the others.
    pub standing: Standing,
    /// What it was told of the others.
    pub mates: Option<Standing>,
    /// It has missed the active router, and waits for the others to do so.
    pub expired: bool,
    /// As a backup: it hears an active router, and respects it.
    pub respects: bool,
}

impl Member {
    pub fn of(machine: &Machine) -> Member {
        Member {
            state: machine.state(),
            standing: machine.own_standing(),
            mates: machine.mates(),
            expired: machine.has_expired(),
            respects: machine.respects(),
        }
    }
}

/// What a member has done that concerns the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It has missed its active router.
    Expired,
    Became {
        from: State,
        to: State,
        goodbye: bool,
    },
    /// It was contested by a router of lower priority.
    Contested,
}

impl Call {
    /// It was active and is a backup now.
    pub fn steps_back(self) -> bool {
        matches!(self, Call::Became { from: State::Active, to: State::Backup, .. })
    }

    /// What there is in these actions of one event.
    pub fn among(actions: &[Action]) -> Option<Call> {
        let goodbye = actions.contains(&Action::Count(Counter::PriorityZeroSent));
        actions.iter().rev().find_map(|action| match action {
            Action::Transition { from, to, .. } => {
                Some(Call::Became { from: *from, to: *to, goodbye })
            }
            Action::Expired => Some(Call::Expired),
            Action::RivalHeard { .. } => Some(Call::Contested),
            _ => None,
        })
    }
}

/// What the shell has to do, in this order. What members do in answer is followed again only where
/// one [steps back](Call::steps_back) that wasn't asked to: it may notice just then that it overslept.
#[derive(Clone, Debug)]
pub enum Step {
    Log(LogLevel, String),
    /// To the member at this place.
    Tell(usize, Event),
    /// The group has this state now: run its notify scripts, tell who watches.
    Told(State),
}

impl Group {
    pub fn new(name: &str) -> Self {
        Group { name: name.to_owned(), state: State::Initialize }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was told last.
    pub fn state(&self) -> State {
        self.state
    }

    /// Members are about to begin: each has been told its interface and its tracking. The steps are
    /// those before and those after they are told to. `owners`: all begin active.
    pub fn begin(
        &mut self,
        members: &[Member],
        names: &[&str],
        owners: bool,
    ) -> (Vec<Step>, Vec<Step>) {
        let (mut before, mut after) = (self.inform(members), Vec::new());
        let worst = members.iter().map(|it| it.standing).fold(Standing::Fit, worse);
        let faulty = members.iter().position(|it| it.standing == Standing::Faulty);
        if let Some(name) = faulty.and_then(|at| names.get(at)) {
            let line = format!("VRRP_Group({}): Syncing {name} to FAULT state", self.name);
            before.push(Step::Log(LogLevel::Info, line));
            self.tell(State::Fault, &mut after);
        }
        match worst {
            // keepalived says nothing of a group of owners, not even when it stops being active.
            Standing::Fit if owners => self.tell(State::Active, &mut after),
            Standing::Fit => self.tell(State::Backup, &mut before),
            Standing::Waiting | Standing::Faulty => {}
        }
        (before, after)
    }

    /// The member at `who` has handled an event; `call` says what of it concerns the others.
    pub fn follow(&mut self, who: usize, call: Option<Call>, members: &[Member]) -> Vec<Step> {
        let others = |state: State| {
            let others = members.iter().enumerate();
            others.filter(move |(at, it)| *at != who && it.state == state).map(|(at, _)| at)
        };
        let mut steps = Vec::new();
        match call {
            Some(Call::Became { to: State::Fault, .. }) if self.state != State::Fault => {
                self.sync("FAULT", &mut steps);
                steps.extend(self.inform(members));
                self.tell(State::Fault, &mut steps);
                return steps;
            }
            Some(Call::Became { from: State::Active, to: State::Backup, goodbye }) => {
                self.sync("BACKUP", &mut steps);
                let back = |at| Step::Tell(at, Event::StepBack { goodbye });
                steps.extend(others(State::Active).map(back));
                // keepalived says nothing of the group where an address was lost, which leaves its
                // scripts believing that it is active.
                self.tell(State::Backup, &mut steps);
                steps.extend(self.inform(members));
                return steps;
            }
            Some(Call::Became { to: State::Backup, .. }) if self.state != State::Backup => {
                self.sync("BACKUP", &mut steps);
                steps.extend(self.inform(members));
                self.tell(State::Backup, &mut steps);
                return steps;
            }
            Some(Call::Became { to: State::Active, .. }) => {
                self.sync("MASTER", &mut steps);
                steps.extend(self.inform(members));
                steps.extend(others(State::Backup).map(|at| Step::Tell(at, Event::Activate)));
                self.tell(State::Active, &mut steps);
                return steps;
            }
            Some(Call::Expired) => {
                let ready = |it: &Member| it.state == State::Active || it.expired;
                if members.iter().all(ready) {
                    steps.push(Step::Tell(who, Event::Activate));
                    self.sync("MASTER", &mut steps);
                    steps.extend(others(State::Backup).map(|at| Step::Tell(at, Event::Activate)));
                    self.tell(State::Active, &mut steps);
                }
            }
            Some(Call::Contested) => {
                steps.extend(others(State::Active).map(|at| Step::Tell(at, Event::Contested)));
            }
            _ => {}
        }
        steps.extend(self.inform(members));
        steps.extend(self.give_way(members));
        steps
    }

    /// Members have begun where those of a process that died were active.
    pub fn resumed(&mut self, members: &[Member]) -> Vec<Step> {
        let mut steps = Vec::new();
        if members.iter().all(|it| it.state == State::Active) {
            self.tell(State::Active, &mut steps);
        }
        steps
    }

    /// After a reload: members may have come and gone.
    pub fn regroup(&mut self, members: &[Member]) -> Vec<Step> {
        let mut steps = self.inform(members);
        steps.extend(self.give_way(members));
        steps
    }

    /// The state that a group has whose members were on their own before.
    pub fn adopt(&mut self, members: &[Member]) {
        let all = |state| members.iter().all(|it| it.state == state);
        let state = [State::Active, State::Backup, State::Fault].into_iter().find(|it| all(*it));
        self.state = state.unwrap_or(State::Initialize);
    }

    /// Tells each member what the others' standing is, where it has changed.
    pub fn inform(&self, members: &[Member]) -> Vec<Step> {
        // The worst two: a member's mates are all but itself.
        let count = |standing| members.iter().filter(|it| it.standing == standing).count();
        let (faulty, waiting) = (count(Standing::Faulty), count(Standing::Waiting));
        let mates = |own: Standing| {
            if faulty > usize::from(own == Standing::Faulty) {
                Standing::Faulty
            } else if waiting > usize::from(own == Standing::Waiting) {
                Standing::Waiting
            } else {
                Standing::Fit
            }
        };
        let told = members.iter().enumerate().map(|(at, it)| (at, it.mates, mates(it.standing)));
        told.filter(|(_, before, now)| *before != Some(*now))
            .map(|(at, _, now)| Step::Tell(at, Event::Mates(Some(now))))
            .collect()
    }

    /// Whoever is active steps back where another member hears somebody else.
    fn give_way(&mut self, members: &[Member]) -> Vec<Step> {
        let hears = |it: &Member| it.state == State::Backup && it.respects;
        let active = members.iter().enumerate().filter(|(_, it)| it.state == State::Active);
        let active: Vec<usize> = active.map(|(at, _)| at).collect();
        let mut steps = Vec::new();
        if !active.is_empty() && members.iter().any(hears) {
            self.sync("BACKUP", &mut steps);
            let back = |at| Step::Tell(at, Event::StepBack { goodbye: false });
            steps.extend(active.into_iter().map(back));
            self.tell(State::Backup, &mut steps);
        }
        steps
    }

    fn sync(&self, word: &str, steps: &mut Vec<Step>) {
        let line = format!("VRRP_Group({}) Syncing instances to {word} state", self.name);
        steps.push(Step::Log(LogLevel::Info, line));
    }

    fn tell(&mut self, state: State, steps: &mut Vec<Step>) {
        if std::mem::replace(&mut self.state, state) != state {
            steps.push(Step::Told(state));
        }
    }
}
