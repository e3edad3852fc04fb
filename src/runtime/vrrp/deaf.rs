//! Routers without a socket: descriptors or memory have run out, say. One that hears nothing doesn't
//! take the silence for the active router's death, as keepalived doesn't; and where keepalived needs
//! a reload afterwards, the sockets are tried again.

use std::time::Instant;

use super::role::Role;
use crate::vrrp::machine::{Event, State};

impl Role {
    /// What a router whose deadline has come is told.
    pub(super) fn expiry(&self, at: usize) -> Event {
        let machine = &self.routers[at].machine;
        let router = machine.router();
        match machine.state() {
            State::Backup if !self.network.hears(router) => Event::Deaf,
            State::Backup if !self.network.is_ready(router) => Event::Unready,
            _ => Event::Timeout,
        }
    }

    /// Tries again to open what couldn't be opened. Who hears something now listens for the whole
    /// time.
    pub(super) fn open_missing_sockets(&mut self, now: Instant) {
        let deaf = |role: &Role| -> Vec<bool> {
            let routers = role.routers.iter().map(|it| it.machine.router());
            routers.map(|router| !role.network.hears(router)).collect()
        };
        let before = deaf(self);
        self.network.serve(self.routers.iter().map(|it| it.machine.router()));
        let after = deaf(self);
        for at in 0..self.routers.len() {
            if before[at] && !after[at] {
                self.tell(now, at, Event::Deaf);
            }
        }
    }
}
