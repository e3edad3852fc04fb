//! How a router begins and ends on this node.

use std::time::Instant;

use super::{Action, Actions, CountdownSpan, LogLevel, Machine, OWNER, State};
use crate::plan::vrrp::InitialState;
use crate::plan::wire::Family;
use crate::vrrp::track::Standing;

impl Machine {
    /// Takes off what an earlier daemon may have left, and says what keeps this router from taking
    /// part.
    pub(super) fn sweep(&mut self, there: bool, out: &mut Actions) {
        self.swept = true;
        self.tell_fault(out);
        let bare = self.source().is_none() && !self.wants_source();
        if bare {
            let family = match self.router.family() {
                Family::V4 => "IPv4",
                Family::V6 => "IPv6",
            };
            let why = format!("entering FAULT state (no {family} address for interface)");
            self.info(out, &why);
        }
        if bare || !self.up {
            self.info(out, "entering FAULT state");
        }
        match self.router.device {
            None if there => self.put_down(out),
            // What was on an interface that has gone or has just been made isn't worth a word.
            _ => self.put_down_quietly(out),
        }
        if self.up && self.source().is_none() && self.wants_source() {
            let why = "entering FAULT state (src address not configured)";
            out.push(Action::Log(LogLevel::Info, format!("({}): {why}", self.router.name)));
            self.info(out, "Entering FAULT STATE");
        }
    }

    /// Only one address will do.
    fn wants_source(&self) -> bool {
        self.router.unicast.is_some() && self.router.source.is_some()
    }

    /// Why a router begins, or goes on after a reload, in fault.
    pub(super) fn tell_fault(&self, out: &mut Actions) {
        if !self.up {
            // To keepalived an ipvlan interface is the instance's own.
            let own = self.router.device.as_ref().filter(|device| !device.is_macvlan());
            let interface = own.map_or(&self.router.interface, |device| &device.name);
            let why = format!("entering FAULT state (interface {interface} down)");
            out.push(Action::Log(LogLevel::Info, format!("({}): {why}", self.router.name)));
        }
    }

    pub(super) fn start(&mut self, now: Instant, out: &mut Actions) {
        if self.started {
            return;
        }
        self.started = true;
        if !self.swept {
            // Added by a reload: no instance of ours had them, but somebody may have.
            self.put_down_quietly(out);
        } else {
            // keepalived removes these once more.
            self.say_removing_routes(out);
        }
        match self.standing() {
            Standing::Waiting => {}
            Standing::Faulty => {
                if self.own_standing() != Standing::Faulty {
                    self.info(out, "entering FAULT state");
                }
                self.transition(State::Fault, out);
            }
            Standing::Fit => {
                if self.begins_active() {
                    if self.begin_at().is_none_or(|at| at <= now) {
                        self.debug(out, "Receive advertisement timeout");
                        self.become_active(now, out);
                    }
                } else {
                    self.begin_as_backup(now, out);
                }
            }
        }
    }

    fn put_down_quietly(&self, out: &mut Actions) {
        let mut actions = Vec::new();
        self.put_down(&mut actions);
        out.extend(actions.into_iter().filter(|action| !matches!(action, Action::Log(..))));
    }

    pub(super) fn begin_as_backup(&mut self, now: Instant, out: &mut Actions) {
        self.info(out, "Entering BACKUP STATE (init)");
        self.wait(now, CountdownSpan::Down);
        self.transition(State::Backup, out);
    }

    /// The owner of the addresses with `state MASTER`.
    pub fn begins_active(&self) -> bool {
        self.priority() == OWNER && self.router.initial == InitialState::Master
    }

    /// When a router that would begin active may, if it is held back.
    pub(super) fn begin_at(&self) -> Option<Instant> {
        let waits = self.started
            && self.state == State::Initialize
            && self.standing() == Standing::Fit
            && self.begins_active();
        self.listen_until.filter(|_| waits)
    }

    /// Where a predecessor was active, so is its successor: nobody need notice. Scripts that have
    /// no result yet get less time than a backup waits.
    pub(super) fn resume(&mut self, now: Instant, out: &mut Actions) {
        if self.started {
            return;
        }
        match self.standing() {
            Standing::Fit => {
                self.started = true;
                self.info(out, "taking over from a process that died");
                self.become_active(now, out);
            }
            Standing::Waiting => {
                self.started = true;
                self.resume_until = Some(now + self.router.advert_interval);
            }
            Standing::Faulty => self.start(now, out),
        }
    }

    /// Whatever a predecessor left is to go.
    pub(super) fn give_up_resuming(&mut self, out: &mut Actions) {
        if self.resume_until.take().is_some() {
            self.put_down(out);
        }
    }

    pub(super) fn shut_down(&mut self, now: Instant, out: &mut Actions) {
        if !self.started {
            return;
        }
        self.release(now, out);
        self.give_up_resuming(out);
        self.started = false;
        self.transition(State::Initialize, out);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::plan::vrrp::VirtualRouter;
    use crate::vrrp::machine::Event;
    use crate::vrrp::track::Verdict;

    fn resumed(standing: Standing) -> (Machine, Instant, Actions) {
        let mut machine = Machine::new(VirtualRouter::new("VI_1", 51, "eth0"));
        let (now, mut out) = (Instant::now(), Vec::new());
        let primary = Some(IpAddr::from([192, 0, 2, 1]));
        machine.handle(now, Event::Interface { up: true, primary }, &mut out);
        machine.handle(now, Event::Tracking(Verdict { priority: 100, standing }), &mut out);
        machine.handle(now, Event::Resume, &mut out);
        (machine, now, out)
    }

    fn removes(actions: &Actions) -> bool {
        actions.iter().any(|action| matches!(action, Action::RemoveAddresses(_)))
    }

    #[test]
    fn a_successor_goes_on_where_its_predecessor_was() {
        let (machine, _, out) = resumed(Standing::Fit);
        assert_eq!(machine.state(), State::Active);
        let sends = out.iter().any(|action| matches!(action, Action::Send { .. }));
        assert!(sends && !removes(&out), "{out:?}");
    }

    #[test]
    fn a_successor_waits_for_its_scripts_but_not_for_long() {
        let verdict = |standing| Event::Tracking(Verdict { priority: 100, standing });
        let (mut machine, now, mut out) = resumed(Standing::Waiting);
        assert_eq!((machine.state(), removes(&out)), (State::Initialize, false));
        machine.handle(now, verdict(Standing::Fit), &mut out);
        assert_eq!((machine.state(), removes(&out)), (State::Active, false));

        let (mut machine, now, mut out) = resumed(Standing::Waiting);
        machine.handle(now, verdict(Standing::Faulty), &mut out);
        assert_eq!((machine.state(), removes(&out)), (State::Fault, true));

        let (mut machine, _, mut out) = resumed(Standing::Waiting);
        let deadline = machine.deadline().unwrap();
        machine.handle(deadline, Event::Timeout, &mut out);
        assert_eq!((machine.state(), removes(&out)), (State::Initialize, true));
        assert_eq!(machine.deadline(), None);
        machine.handle(deadline, verdict(Standing::Fit), &mut out);
        assert_eq!(machine.state(), State::Backup);
    }
}
