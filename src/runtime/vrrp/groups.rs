//! Sync groups: joins [`Group`]s to the machines of their members, and tells of their changes.

use std::time::Instant;

use super::deeds::Places;
use super::deeds::log;
use super::herald::news;
use super::role::Role;
use crate::plan::group::SyncGroup;
use crate::status::notice::{Kind, Notice};
use crate::vrrp::group::{Call, Group, Member, Step};
use crate::vrrp::machine::{Event, State};

/// One group with what the shell keeps of it.
#[derive(Debug)]
pub(super) struct Synced {
    pub(super) config: SyncGroup,
    pub(super) machine: Group,
    /// Places of its members among the role's routers.
    pub(super) members: Vec<usize>,
}

impl Role {
    /// Hands an event to a machine and does what it wants done, on the interfaces given or on its own;
    /// then what that means to the others of its group.
    pub(super) fn tell_on(
        &mut self,
        now: Instant,
        at: usize,
        event: Event,
        places: Option<&Places>,
    ) {
        let Some(group) = self.routers[at].group else {
            self.tell_alone(now, at, event, places);
            return;
        };
        let before = Member::of(&self.routers[at].machine);
        let call = self.tell_alone(now, at, event, places);
        if call.is_some() || Member::of(&self.routers[at].machine) != before {
            let members = &self.groups[group].members;
            let Some(who) = members.iter().position(|it| *it == at) else { return };
            let views = self.views_of(group);
            let steps = self.groups[group].machine.follow(who, call, &views);
            self.carry_out(now, group, steps);
        }
    }

    fn views_of(&self, group: usize) -> Vec<Member> {
        let members = self.groups[group].members.iter();
        members.map(|at| Member::of(&self.routers[*at].machine)).collect()
    }

    fn carry_out(&mut self, now: Instant, group: usize, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Log(level, line) => log(level, &line),
                Step::Tell(who, event) => {
                    let at = self.groups[group].members[who];
                    let asked = matches!(event, Event::StepBack { .. });
                    let call = self.tell_alone_at_home(now, at, event);
                    if !asked && call.is_some_and(Call::steps_back) {
                        let views = self.views_of(group);
                        let more = self.groups[group].machine.follow(who, call, &views);
                        self.carry_out(now, group, more);
                    }
                }
                Step::Told(state) => self.notify_group(group, state),
            }
        }
    }

    /// To a machine alone, on its own interface.
    pub(super) fn tell_alone_at_home(
        &mut self,
        now: Instant,
        at: usize,
        event: Event,
    ) -> Option<Call> {
        self.tell_alone(now, at, event, None)
    }

    /// Makes the groups of a plan whose routers have these names, in its order.
    pub(super) fn group(&mut self, groups: Vec<SyncGroup>, names: &[String]) {
        for router in &mut self.routers {
            router.group = None;
        }
        let known: std::collections::HashMap<String, usize> =
            self.routers.iter().enumerate().map(|(at, it)| (it.name().to_owned(), at)).collect();
        let mut before = std::mem::take(&mut self.groups);
        for config in groups {
            let place = |id: &crate::plan::group::RouterId| known.get(names.get(id.0)?).copied();
            let members: Vec<usize> = config.members.iter().filter_map(place).collect();
            for at in &members {
                self.routers[*at].group = Some(self.groups.len());
            }
            let old = before.iter().position(|it| it.config.name == config.name);
            let machine = match old {
                Some(at) => before.swap_remove(at).machine,
                None => Group::new(&config.name),
            };
            self.groups.push(Synced { config, machine, members });
        }
    }

    /// Starts routers that have been admitted, each with the event beside it. A group whose members
    /// all begin does so as one; who joins a group that is there already begins alone.
    pub(super) fn launch(&mut self, now: Instant, beginners: Vec<(usize, Event)>) {
        for at in 0..self.routers.len() {
            let router = &self.routers[at];
            // By a reload: its group has gone.
            if router.group.is_none() && router.machine.mates().is_some() {
                self.tell_alone_at_home(now, at, Event::Mates(None));
            }
        }
        let mut together: Vec<Vec<(usize, Event)>> = vec![Vec::new(); self.groups.len()];
        let mut alone = Vec::new();
        for (at, event) in beginners {
            match self.routers[at].group {
                Some(group) => together[group].push((at, event)),
                None => alone.push((at, event)),
            }
        }
        for (group, beginners) in together.into_iter().enumerate() {
            if beginners.len() == self.groups[group].members.len() {
                self.begin_together(now, group, beginners);
            } else {
                self.join(now, group, beginners);
            }
        }
        for (at, event) in alone {
            self.tell_alone_at_home(now, at, event);
        }
    }

    fn begin_together(&mut self, now: Instant, group: usize, beginners: Vec<(usize, Event)>) {
        let resuming = beginners.iter().all(|(_, event)| matches!(event, Event::Resume));
        let views = self.views_of(group);
        let members = self.groups[group].members.iter().map(|at| &self.routers[*at]);
        let owners = members.clone().all(|it| it.machine.begins_active());
        let names: Vec<&str> = members.map(|it| it.name()).collect();
        let machine = &mut self.groups[group].machine;
        let (before, after) = match resuming {
            true => (machine.regroup(&views), Vec::new()),
            false => machine.begin(&views, &names, owners),
        };
        self.carry_out(now, group, before);
        for (at, event) in beginners {
            // One that dropped its addresses has given way for all.
            let event = if resuming { event } else { Event::Start };
            self.tell_alone_at_home(now, at, event);
        }
        self.carry_out(now, group, after);
        if resuming {
            let views = self.views_of(group);
            let steps = self.groups[group].machine.resumed(&views);
            self.carry_out(now, group, steps);
        }
    }

    fn join(&mut self, now: Instant, group: usize, beginners: Vec<(usize, Event)>) {
        let views = self.views_of(group);
        let machine = &mut self.groups[group].machine;
        if machine.state() == State::Initialize {
            let strangers = |at: &usize| beginners.iter().all(|(it, _)| it != at);
            let members = self.groups[group].members.iter();
            let views: Vec<Member> = members
                .zip(&views)
                .filter(|(at, _)| strangers(at))
                .map(|(_, view)| *view)
                .collect();
            self.groups[group].machine.adopt(&views);
        }
        let steps = self.groups[group].machine.inform(&views);
        self.carry_out(now, group, steps);
        for (at, event) in beginners {
            self.tell_alone_at_home(now, at, event);
        }
        let views = self.views_of(group);
        let steps = self.groups[group].machine.regroup(&views);
        self.carry_out(now, group, steps);
    }

    /// After the members have stopped.
    pub(super) fn stop_groups(&mut self) {
        for group in 0..self.groups.len() {
            self.notify_group(group, State::Initialize);
        }
    }

    fn notify_group(&mut self, group: usize, to: State) {
        let config = &self.groups[group].config;
        let notice = notice(config, to);
        self.trap_group(&notice.name, notice.news);
        self.herald.tell(&notice, &config.notify, &config.telling, &self.probe);
    }
}

/// A group's change as it is told. It has no priority of its own: keepalived says 0.
pub(super) fn notice(group: &SyncGroup, to: State) -> Notice {
    Notice { kind: Kind::Group, name: group.name.clone(), news: news(to), priority: 0 }
}
