//! Gratuitous ARPs and neighbour advertisements, at the pace of their interfaces.

use std::net::IpAddr;
use std::time::Instant;

use super::role::Role;
use crate::vrrp::machine::State;
use crate::vrrp::pace::Announcement;

impl Role {
    /// Sends an announcement of a router, or lets it wait for its turn. `throttled`: others can make
    /// this one happen, so that not every line is written.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        at: usize,
        (interface, address): (&str, IpAddr),
        round: u32,
        throttled: bool,
    ) {
        let announcement = Announcement { interface: interface.to_owned(), address };
        let wire = self.routers[at].machine.router().wire_below(interface);
        if !self.pacer.offer(now, wire, announcement.clone(), round) {
            return;
        }
        if !throttled || self.routers[at].valve.pass(now).is_some() {
            tracing::debug!("{}", announcement.line());
        }
        let sent = self.network.announce(interface, address);
        self.complain(now, at, "announcing", sent);
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
