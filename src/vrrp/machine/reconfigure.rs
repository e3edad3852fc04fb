//! A reload: the same router by a new config.

use std::time::Instant;

use super::belongings::differences;
use super::{Action, Actions, Machine, State};
use crate::plan::vrrp::VirtualRouter;
use crate::vrrp::track::{Standing, Verdict};

impl Machine {
    /// By a new config, is this still the same router? Its name doesn't matter. Another VRID,
    /// interface or group, or another address for unicast, makes it another one to the others: the
    /// old one has to leave and the new one to begin.
    pub fn is_still(&self, new: &VirtualRouter) -> bool {
        let old = &self.router;
        old.vrid == new.vrid
            && old.interface == new.interface
            && old.device == new.device
            && old.group == new.group
            && old.family() == new.family()
            && old.unicast.is_some() == new.unicast.is_some()
            && (new.unicast.is_none() || old.source == new.source)
    }

    /// State and timers stay; only differences become actions.
    pub(super) fn reconfigure(
        &mut self,
        now: Instant,
        new: VirtualRouter,
        verdict: Verdict,
        out: &mut Actions,
    ) {
        // A predecessor's addresses are known by the old config only.
        self.give_up_resuming(out);
        let advert_differs = advert_differs(&self.router, &new);
        let old = std::mem::replace(&mut self.router, new);
        self.ledger.forget_sender();
        self.verdict = verdict;
        if old.priority != self.router.priority {
            self.conceded = false;
        }
        let (configured, effective) = (self.router.priority, verdict.priority);
        if configured != effective {
            // As keepalived, at each reload from the start.
            let change = format!("Changing effective priority from {configured} to {effective}");
            self.info(out, &change);
        }
        if !self.router.preempt || self.router.preempt_delay.is_zero() {
            self.preempt_at = None;
        }
        if self.state == State::Active {
            self.exchange_addresses(now, &old, advert_differs, out);
        }
        if self.started && self.state == State::Fault {
            self.tell_fault(out);
            if self.standing() == Standing::Fit {
                self.begin_as_backup(now, out);
            }
        }
        let took_part = matches!(self.state, State::Backup | State::Active);
        if self.started && took_part && self.own_standing() == Standing::Faulty {
            // Other words than at any other time.
            self.info(out, "entering FAULT state");
            self.take_no_part(now, true, out);
        }
        self.settle(now, out);
    }

    /// An address that is in another list now stays where it is.
    fn exchange_addresses(
        &mut self,
        now: Instant,
        old: &VirtualRouter,
        advert_differs: bool,
        out: &mut Actions,
    ) {
        self.let_go_belongings(old, out);
        let before: Vec<_> = old.all_addresses().cloned().collect();
        let after: Vec<_> = self.router.all_addresses().cloned().collect();
        let (gone, added) = differences(&before, &after);
        self.log_removed(old, &gone, out);
        if !gone.is_empty() {
            out.push(Action::RemoveAddresses(gone));
        }
        self.accept_packets(old, out);
        if advert_differs {
            self.send_advert_now(now, out);
        }
        self.take_belongings(old, &added, out);
        if !added.is_empty() {
            self.announcer.added(now, &self.router, out);
        }
        self.announcer.reconfigured(now, &self.router);
    }
}

fn advert_differs(old: &VirtualRouter, new: &VirtualRouter) -> bool {
    old.version != new.version
        || old.priority != new.priority
        || old.advert_interval != new.advert_interval
        || old.authentication != new.authentication
        || old.source != new.source
        || old.unicast != new.unicast
        || old.addresses.iter().map(|it| it.address).ne(new.addresses.iter().map(|it| it.address))
}
