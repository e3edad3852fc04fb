//! A reload: the same router by a new config.

use std::time::Instant;

use super::belongings::differences;
use super::{Action, Actions, CountdownSpan, Machine, OWNER, State};
use crate::plan::vrrp::VirtualRouter;
use crate::vrrp::track::{Standing, Verdict};

impl Machine {
    /// State and timers stay; only differences become actions. Another VRID, interface, group or
    /// version, or another address for unicast, makes it another router on the wire, so the old one
    /// says goodbye and the new one begins.
    pub(super) fn reconfigure(&mut self, now: Instant, new: VirtualRouter, out: &mut Actions) {
        // A predecessor's addresses are known by the old config only.
        self.give_up_resuming(out);
        if same_on_the_wire(&self.router, &new) {
            self.adopt(now, new, out);
        } else {
            self.begin_anew(now, new, out);
        }
    }

    fn adopt(&mut self, now: Instant, new: VirtualRouter, out: &mut Actions) {
        let advert_differs = advert_differs(&self.router, &new);
        let old = std::mem::replace(&mut self.router, new);
        self.ledger.forget_sender();
        self.verdict = self.verdict_after(&old);
        if old.priority != self.router.priority {
            self.conceded = false;
        }
        if !self.router.preempt || self.router.preempt_delay.is_zero() {
            self.preempt_at = None;
        }
        if self.state == State::Active {
            self.exchange_addresses(now, &old, advert_differs, out);
        }
        self.settle(now, out);
    }

    /// What scripts add or take is as before until tracking says otherwise, so that the advert that
    /// tells of a new priority tells the right one.
    fn verdict_after(&self, old: &VirtualRouter) -> Verdict {
        let (before, after) = (old.priority, self.router.priority);
        if !self.router.tracks() {
            return Verdict { priority: after, standing: Standing::Fit };
        }
        let adjustment = i16::from(self.verdict.priority) - i16::from(before);
        let sum = (i16::from(after) + adjustment).clamp(1, i16::from(OWNER) - 1);
        let priority = if after == OWNER { OWNER } else { sum as u8 };
        Verdict { priority, ..self.verdict }
    }

    fn exchange_addresses(
        &mut self,
        now: Instant,
        old: &VirtualRouter,
        advert_differs: bool,
        out: &mut Actions,
    ) {
        let (gone, added) = differences(&old.addresses, &self.router.addresses);
        self.log_removed(old, &gone, out);
        if !gone.is_empty() {
            self.announcer.removed(&gone);
            out.push(Action::RemoveAddresses(gone));
        }
        if advert_differs {
            self.send_advert_now(now, out);
        }
        if !added.is_empty() {
            self.debug(out, "setting VIPs.");
            out.push(Action::AddAddresses(added.clone()));
            self.announcer.added(now, &self.router, &added, out);
        }
        self.exchange_belongings(now, old, out);
        self.announcer.reconfigured(now, &self.router);
    }

    fn begin_anew(&mut self, now: Instant, new: VirtualRouter, out: &mut Actions) {
        let was_started = self.started;
        let from = self.state;
        self.release(now, out);
        let (up, primary, verdict) = (self.up, self.primary, self.verdict);
        let (mates, listen_until) = (self.mates, self.listen_until);
        let same_interface = self.router.interface == new.interface;
        let mut ledger = std::mem::take(&mut self.ledger);
        ledger.begin_anew();
        *self = Machine { ledger, ..Machine::new(new) };
        (self.mates, self.listen_until) = (mates, listen_until);
        if same_interface {
            (self.up, self.primary) = (up, primary);
        }
        if self.router.tracks() {
            self.verdict = verdict;
        }
        if !was_started {
            return;
        }
        self.started = true;
        // A router that has just let go never begins active, not even as address owner.
        if self.standing() == Standing::Fit {
            self.info(out, "Entering BACKUP STATE (init)");
            self.wait(now, CountdownSpan::Down);
            self.state = State::Backup;
        } else {
            self.state = State::Fault;
        }
        if from != self.state {
            out.push(Action::Transition { from, to: self.state, priority: self.priority() });
        }
    }
}

fn same_on_the_wire(old: &VirtualRouter, new: &VirtualRouter) -> bool {
    old.vrid == new.vrid
        && old.interface == new.interface
        && old.device == new.device
        && old.group == new.group
        && old.version == new.version
        && old.unicast.is_some() == new.unicast.is_some()
        && (new.unicast.is_none() || old.source == new.source)
}

fn advert_differs(old: &VirtualRouter, new: &VirtualRouter) -> bool {
    old.priority != new.priority
        || old.advert_interval != new.advert_interval
        || old.authentication != new.authentication
        || old.source != new.source
        || old.unicast != new.unicast
        || old.addresses.iter().map(|it| it.address).ne(new.addresses.iter().map(|it| it.address))
}
