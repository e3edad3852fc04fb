//! Gratuitous ARPs and neighbour advertisements, at the pace of their interfaces.

use std::time::Instant;

use super::role::Role;
use crate::vrrp::machine::State;
use crate::vrrp::pace::Announcement;

/// So many announcements go out even while timers are due: thousands of them would cost memory.
pub(super) const MANY: usize = 512;

/// An announcement that goes out as soon as no timer is due: first all routers' addresses are set,
/// then the network hears of them.
#[derive(Debug)]
pub(super) struct Pending {
    /// The router's place.
    at: usize,
    announcement: Announcement,
}

impl Role {
    /// An announcement of a router has its turn, or waits for it. `throttled`: others can make this
    /// one happen, so that not every line is written.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        at: usize,
        announcement: Announcement,
        round: u32,
        throttled: bool,
    ) {
        let wire = self.routers[at].machine.router().wire_below(&announcement.interface);
        if !self.pacer.offer(now, wire, announcement.clone(), round) {
            return;
        }
        // Between the others that its router writes now.
        if !throttled || self.routers[at].valve.pass(now).is_some() {
            tracing::debug!("{}", announcement.line());
        }
        self.to_announce.push(Pending { at, announcement });
    }

    pub(super) fn announce_all(&mut self) {
        if self.to_announce.is_empty() {
            return;
        }
        // This process may have been stopped since they were put here.
        let now = Instant::now();
        for Pending { at, announcement } in std::mem::take(&mut self.to_announce) {
            let machine = &self.routers[at].machine;
            if machine.state() == State::Active && !machine.has_overslept(now) {
                let sent = self.network.announce(&announcement.interface, announcement.address);
                self.complain(now, at, "announcing", sent);
            }
        }
    }

    /// What had to wait, and is still held by a router that is active.
    pub(super) fn announce_what_waited(&mut self, now: Instant) {
        let routers = &self.routers;
        let due = self.pacer.due(now, |it| {
            routers.iter().any(|router| {
                let config = router.machine.router();
                let own = config.address_interface();
                router.machine.state() == State::Active
                    && config.all_addresses().any(|address| {
                        address.address == it.address
                            && address.interface.as_deref().unwrap_or(own) == it.interface
                    })
            })
        });
        for announcement in due {
            tracing::debug!("{}", announcement.line());
            let sent = self.network.announce(&announcement.interface, announcement.address);
            if let Err(error) = sent
                && self.valve.pass(now).is_some()
            {
                tracing::warn!("announcing {}: {error}", announcement.address);
            }
        }
    }
}
