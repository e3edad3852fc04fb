//! What moves with the active state: addresses, routes, rules; in which order, and what their loss
//! means.

use std::net::IpAddr;
use std::time::Instant;

use super::{Action, Actions, LogLevel, Machine, State};
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};

impl Machine {
    /// Addresses first: routes may go over them, rules to the routes' tables.
    pub(super) fn hold(&self, out: &mut Actions) {
        let belongings = &self.router.belongings;
        self.debug(out, "setting VIPs.");
        out.push(Action::AddAddresses(self.router.addresses.clone()));
        if !belongings.excluded.is_empty() {
            self.debug(out, "setting E-VIPs.");
            out.push(Action::AddAddresses(belongings.excluded.clone()));
        }
        if !belongings.routes.is_empty() {
            self.debug(out, "setting Virtual Routes");
            out.push(Action::AddRoutes(belongings.routes.clone()));
        }
        if !belongings.rules.is_empty() {
            self.debug(out, "setting Virtual Rules");
            out.push(Action::AddRules(belongings.rules.clone()));
        }
    }

    /// The other way round.
    pub(super) fn put_down(&self, out: &mut Actions) {
        let belongings = &self.router.belongings;
        if !belongings.rules.is_empty() {
            self.debug(out, "removing Virtual Rules");
            out.push(Action::RemoveRules(belongings.rules.clone()));
        }
        if !belongings.routes.is_empty() {
            self.debug(out, "removing Virtual Routes");
            out.push(Action::RemoveRoutes(belongings.routes.clone()));
        }
        self.debug(out, "removing VIPs.");
        out.push(Action::RemoveAddresses(self.router.addresses.clone()));
        if !belongings.excluded.is_empty() {
            self.debug(out, "removing E-VIPs.");
            out.push(Action::RemoveAddresses(belongings.excluded.clone()));
        }
    }

    /// Somebody took an address off. keepalived steps back with a goodbye and, when nobody else
    /// takes over within the skew time, puts everything in place again.
    pub(super) fn lose_address(&mut self, now: Instant, address: &IpAddr, out: &mut Actions) {
        let lost = self.router.all_addresses().find(|it| it.address == *address);
        let Some(lost) = lost.filter(|it| self.state == State::Active && !it.untracked) else {
            return;
        };
        let interface = lost.interface.as_deref().unwrap_or(self.router.address_interface());
        let line = format!("Netlink reflector reports IP {address} removed from {interface}");
        out.push(Action::Log(LogLevel::Debug, line));
        self.let_go(now, out);
    }

    /// The same with a route or a rule.
    pub(super) fn lose_belonging(&mut self, now: Instant, what: &str, out: &mut Actions) {
        if self.state == State::Active {
            self.debug(out, &format!("{what} was removed by somebody else"));
            self.let_go(now, out);
        }
    }

    /// After a reload while active: only differences are acted on. The virtual addresses
    /// themselves are exchanged by [`exchange_addresses`](Self::exchange_addresses).
    pub(super) fn exchange_belongings(
        &mut self,
        now: Instant,
        old: &VirtualRouter,
        out: &mut Actions,
    ) {
        let (before, after) = (old.belongings.clone(), self.router.belongings.clone());
        let (rules, new_rules) = differences(&before.rules, &after.rules);
        let (routes, new_routes) = differences(&before.routes, &after.routes);
        let (addresses, new_addresses) = differences(&before.excluded, &after.excluded);
        for rule in &rules {
            self.info(out, &format!("ip rule {rule} removed"));
        }
        for route in &routes {
            self.info(out, &format!("Removing route {route}"));
        }
        self.log_removed(old, &addresses, out);
        push(out, Action::RemoveRules, rules);
        push(out, Action::RemoveRoutes, routes);
        push(out, Action::RemoveAddresses, addresses);
        if !new_addresses.is_empty() {
            self.debug(out, "setting E-VIPs.");
            out.push(Action::AddAddresses(new_addresses.clone()));
            self.announcer.added(now, &self.router, out);
        }
        push(out, Action::AddRoutes, new_routes);
        push(out, Action::AddRules, new_rules);
    }

    pub(super) fn log_removed(
        &self,
        old: &VirtualRouter,
        gone: &[VirtualAddress],
        out: &mut Actions,
    ) {
        for address in gone {
            let interface = address.interface.as_deref().unwrap_or(old.address_interface());
            let (ip, prefix) = (address.address, address.prefix);
            self.info(out, &format!("ip address {ip}/{prefix} dev {interface}, no longer exist"));
        }
    }
}

fn push<T>(out: &mut Actions, action: impl Fn(Vec<T>) -> Action, items: Vec<T>) {
    if !items.is_empty() {
        out.push(action(items));
    }
}

/// What only the first has, and what only the second.
pub(super) fn differences<T: Clone + PartialEq>(old: &[T], new: &[T]) -> (Vec<T>, Vec<T>) {
    let only_in =
        |these: &[T], those: &[T]| these.iter().filter(|it| !those.contains(it)).cloned().collect();
    (only_in(old, new), only_in(new, old))
}
