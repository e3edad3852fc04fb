//! What being in a sync group changes for one router. What the group decides is in
//! [`group`](crate::vrrp::group).

use std::time::Instant;

use super::{Action, Actions, CountdownSpan, Event, Machine, State};
use crate::vrrp::track::{Standing, worse};

impl Machine {
    /// Interface and tracking together.
    pub fn own_standing(&self) -> Standing {
        // `unicast_fault_no_peer`
        let nobody = self.router.unicast.as_ref().is_some_and(|unicast| unicast.peers.is_empty());
        if !self.up || self.source().is_none() || nobody {
            Standing::Faulty
        } else {
            self.verdict.standing
        }
    }

    /// Its own, and that of the others in its sync group.
    pub(super) fn standing(&self) -> Standing {
        worse(self.own_standing(), self.mates.unwrap_or(Standing::Fit))
    }

    /// What it was told of the others in its sync group.
    pub fn mates(&self) -> Option<Standing> {
        self.mates
    }

    /// Has it missed the active router, and waits for the others of its group to do so?
    pub fn has_expired(&self) -> bool {
        self.expired
    }

    /// As a backup: does it hear an active router and respect it?
    pub fn respects(&self) -> bool {
        self.state == State::Backup && self.active.is_some()
    }

    pub(super) fn hear_group(&mut self, now: Instant, event: &Event, out: &mut Actions) {
        match event {
            Event::Mates(mates) => {
                self.mates = *mates;
                self.settle(now, out);
            }
            Event::Activate if self.state == State::Backup => self.become_active(now, out),
            Event::StepBack { goodbye } if self.state == State::Active => match goodbye {
                true => self.let_go(now, out),
                false => self.step_back(now, CountdownSpan::Down, out),
            },
            Event::Contested if self.state == State::Active => {
                self.announcer.contested(now, &self.router, out);
            }
            _ => {}
        }
    }

    /// The active router was missed; until the others have missed theirs, the wait begins anew.
    pub(super) fn wait_for_the_others(&mut self, now: Instant, out: &mut Actions) {
        self.active = None;
        let because = self.reason_now();
        self.wait(now, CountdownSpan::Down);
        self.because = Some(because);
        self.expired = true;
        out.push(Action::Expired);
    }

    /// It may not take part. keepalived has fewer words for a router that only does as its group
    /// does.
    pub(super) fn fail(&mut self, now: Instant, out: &mut Actions) {
        let alone = self.own_standing() == Standing::Faulty;
        if alone || self.state == State::Active {
            self.info(out, "Entering FAULT STATE");
        }
        self.take_no_part(now, alone, out);
    }

    /// `alone`: not since another member of its group may not.
    pub(super) fn take_no_part(&mut self, now: Instant, alone: bool, out: &mut Actions) {
        if self.state == State::Active {
            self.say_goodbye(now, out);
            if alone {
                self.debug(out, "sent 0 priority");
            }
            self.stop_being_active(out);
        }
        self.transition(State::Fault, out);
    }
}
