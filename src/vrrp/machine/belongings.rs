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
        if belongings.drop_packets {
            self.debug(out, "setting firewall drop rule");
            out.push(Action::DropPackets(self.router.all_addresses().cloned().collect()));
        }
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
        if belongings.drop_packets {
            self.debug(out, "removing firewall drop rule");
            out.push(Action::AcceptPackets(self.router.all_addresses().cloned().collect()));
        }
    }

    pub(super) fn say_removing_routes(&self, out: &mut Actions) {
        let belongings = &self.router.belongings;
        if !belongings.rules.is_empty() {
            self.debug(out, "removing Virtual Rules");
        }
        if !belongings.routes.is_empty() {
            self.debug(out, "removing Virtual Routes");
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

    /// After a reload while active: what the new config hasn't any more, but for the addresses
    /// themselves.
    pub(super) fn let_go_belongings(&self, old: &VirtualRouter, out: &mut Actions) {
        let (before, after) = (&old.belongings, &self.router.belongings);
        let (rules, _) = differences(&before.rules, &after.rules);
        let (routes, _) = differences(&before.routes, &after.routes);
        let mut say = |line: String| out.push(Action::Log(LogLevel::Info, line));
        // As keepalived, which names no instance here.
        match after.rules.is_empty() {
            true if !rules.is_empty() => say("Removing a VirtualRule block".to_owned()),
            _ => rules.iter().for_each(|rule| say(format!("ip rule {} removed", rule.selector()))),
        }
        match after.routes.is_empty() {
            true if !routes.is_empty() => say("Removing a VirtualRoute block".to_owned()),
            _ => routes.iter().for_each(|route| say(format!("Removing route {}", route.target()))),
        }
        push(out, Action::RemoveRules, rules);
        push(out, Action::RemoveRoutes, routes);
    }

    /// Packets to what the new config doesn't guard any more come through again.
    pub(super) fn accept_packets(&self, old: &VirtualRouter, out: &mut Actions) {
        let (open, _) = differences(&guarded(old), &guarded(&self.router));
        push(out, Action::AcceptPackets, open);
    }

    /// After a reload while active: what the new config has besides. `added`: addresses of both
    /// lists.
    pub(super) fn take_belongings(
        &self,
        old: &VirtualRouter,
        added: &[VirtualAddress],
        out: &mut Actions,
    ) {
        let (before, after) = (&old.belongings, &self.router.belongings);
        if after.drop_packets {
            self.debug(out, "setting firewall drop rule");
            let (_, closed) = differences(&guarded(old), &guarded(&self.router));
            push(out, Action::DropPackets, closed);
        }
        let new = |all: &[VirtualAddress]| {
            added.iter().filter(|it| all.contains(it)).cloned().collect::<Vec<_>>()
        };
        self.debug(out, "setting VIPs.");
        push(out, Action::AddAddresses, new(&self.router.addresses));
        if !after.excluded.is_empty() {
            self.debug(out, "setting E-VIPs.");
            push(out, Action::AddAddresses, new(&after.excluded));
        }
        if !after.routes.is_empty() {
            self.debug(out, "setting Virtual Routes");
            push(out, Action::AddRoutes, differences(&before.routes, &after.routes).1);
        }
        if !after.rules.is_empty() {
            self.debug(out, "setting Virtual Rules");
            push(out, Action::AddRules, differences(&before.rules, &after.rules).1);
        }
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

/// Where packets are dropped, as far as it matters to the firewall.
fn guarded(router: &VirtualRouter) -> Vec<VirtualAddress> {
    if !router.belongings.drop_packets {
        return Vec::new();
    }
    let bare = |it: &VirtualAddress| {
        let interface = it.interface.as_deref().unwrap_or(router.address_interface());
        VirtualAddress {
            interface: Some(interface.to_owned()),
            ..VirtualAddress::new(it.address, it.prefix)
        }
    };
    router.all_addresses().map(bare).collect()
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
