//! Gratuitous ARPs and neighbour advertisements, at the pace of their interfaces.

use std::net::IpAddr;
use std::time::Instant;

use super::deeds::CALM;
use super::role::Role;
use crate::vrrp::machine::State;
use crate::vrrp::pace::{Announcement, line};

/// So many announcements go out even while timers are due: thousands of them would cost memory.
pub(super) const MANY: usize = 512;

/// An announcement that goes out as soon as no timer is due: first all routers' addresses are set,
/// then the network hears of them. Many wait at once, so that it is small.
#[derive(Debug)]
pub(super) struct Pending {
    /// The router's place.
    at: usize,
    address: IpAddr,
    /// `None`: its router's.
    interface: Option<Box<str>>,
}

impl Role {
    /// An announcement of a router has its turn, or waits for it: on this interface, or its own.
    /// `throttled`: others can make this one happen, so that not every line is written.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        at: usize,
        (interface, address): (Option<String>, IpAddr),
        round: u32,
        throttled: bool,
    ) {
        let router = &mut self.routers[at];
        let config = router.machine.router();
        let on = interface.as_deref().unwrap_or(config.address_interface());
        if !self.pacer.offer(now, config.wire_below(on), (on, address), round) {
            return;
        }
        // Between the others that its router writes now.
        if !throttled || router.valve.pass(now).is_some() {
            tracing::debug!("{}", line(on, address));
        }
        let interface = interface.map(String::into_boxed_str);
        self.to_announce.push(Pending { at, address, interface });
    }

    pub(super) fn announce_all(&mut self) {
        if self.to_announce.is_empty() {
            return;
        }
        // This process may have been stopped since they were put here.
        let now = Instant::now();
        if self.to_announce.len() > MANY {
            self.tidy_at = Some(now + CALM);
        }
        for Pending { at, address, interface } in std::mem::take(&mut self.to_announce) {
            let machine = &self.routers[at].machine;
            if machine.state() == State::Active && !machine.has_overslept(now) {
                let own = machine.router().address_interface();
                let sent = self.network.announce(interface.as_deref().unwrap_or(own), address);
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
            let Announcement { interface, address } = &announcement;
            tracing::debug!("{}", line(interface, *address));
            let sent = self.network.announce(interface, *address);
            if let Err(error) = sent
                && self.valve.pass(now).is_some()
            {
                tracing::warn!("announcing {address}: {error}");
            }
        }
    }
}
