//! Static addresses, routes and rules: there for as long as the role runs, put back when somebody
//! takes them away, and where that fails, a fault for whoever tracks them.

use std::collections::HashSet;
use std::time::Instant;

use super::network::Network;
use super::role::Role;
use crate::plan::address::VirtualAddress;
use crate::plan::route::{Static, Statics as Plan};
use crate::runtime::handoff::{Held, Possession};

#[derive(Debug, Default)]
pub(super) struct Statics {
    plan: Plan,
    /// Routers that track something that isn't there.
    hindered: HashSet<String>,
    /// Interfaces that were up when they were looked at last.
    up: HashSet<String>,
}

impl Statics {
    pub(super) fn has(&self, it: &Possession) -> bool {
        match it {
            Possession::Route(route) => self.plan.routes.iter().any(|it| it.item == *route),
            Possession::Rule(rule) => self.plan.rules.iter().any(|it| it.item == *rule),
            _ => false,
        }
    }

    /// Of the addresses.
    pub(super) fn places<'a>(&'a self, network: &'a Network) -> impl Iterator<Item = Held> + 'a {
        self.plan.addresses.iter().filter_map(|it| network.place("", &it.item))
    }

    /// Is this router in fault because of one?
    pub(super) fn hinder(&self, router: &str) -> bool {
        self.hindered.contains(router)
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn is_empty(&self) -> bool {
        self.plan == Plan::default()
    }
}

impl Role {
    /// Brings what is there from the old plan to the new one: what is in both isn't touched.
    pub(super) fn replace_statics(&mut self, plan: Plan) {
        self.say_what_goes(&plan);
        self.exchange_statics(plan);
    }

    /// At the end, without a word.
    pub(super) fn take_statics_away(&mut self) {
        self.exchange_statics(Plan::default());
    }

    /// In keepalived's words.
    fn say_what_goes(&self, new: &Plan) {
        let old = &self.statics.plan;
        if new.rules.is_empty() && !old.rules.is_empty() {
            tracing::info!("Removing a VirtualRule block");
        } else {
            let gone =
                old.rules.iter().filter(|it| new.rules.iter().all(|new| new.item != it.item));
            gone.for_each(|it| tracing::info!("ip rule {} removed", it.item.selector()));
        }
        if new.routes.is_empty() && !old.routes.is_empty() {
            tracing::info!("Removing a VirtualRoute block");
        } else {
            let gone =
                old.routes.iter().filter(|it| new.routes.iter().all(|new| new.item != it.item));
            gone.for_each(|it| tracing::info!("Removing route {}", it.item.target()));
        }
    }

    fn exchange_statics(&mut self, plan: Plan) {
        let old = std::mem::replace(&mut self.statics.plan, plan);
        let gone = |it: &Static<_>| self.statics.plan.rules.iter().all(|new| new.item != it.item);
        let rules: Vec<_> = old.rules.iter().filter(|it| gone(it)).cloned().collect();
        let gone = |it: &Static<_>| self.statics.plan.routes.iter().all(|new| new.item != it.item);
        let routes: Vec<_> = old.routes.iter().filter(|it| gone(it)).cloned().collect();
        let gone =
            |it: &Static<_>| self.statics.plan.addresses.iter().all(|new| new.item != it.item);
        let addresses: Vec<_> = old.addresses.iter().filter(|it| gone(it)).cloned().collect();
        for it in rules {
            self.take_away(&Possession::Rule(it.item));
        }
        for it in routes {
            self.take_away(&Possession::Route(it.item));
        }
        for it in addresses {
            if let Err(error) = self.network.remove("", &it.item) {
                tracing::error!("static address {} stays: {error}", it.item.address);
            }
        }
        let addresses = self.statics.plan.addresses.iter().map(|it| it.item.address);
        self.network.static_addresses = addresses.collect();
        self.statics.up = self.network.up().map(str::to_owned).collect();
        self.place_statics(|_| true, false);
    }

    /// Puts in place what isn't: all, or what goes over an interface that came up.
    ///
    /// `concerns`: by the names of interfaces.
    fn place_statics(&mut self, concerns: impl Fn(&[&str]) -> bool, again: bool) {
        if self.statics.is_empty() {
            return;
        }
        self.network.watch_routes();
        let plan = self.statics.plan.clone();
        let mut hindered = HashSet::new();
        for it in &plan.addresses {
            let name = it.item.interface.as_deref().unwrap_or_default();
            let there = self.network.place("", &it.item);
            if there.is_some_and(|place| {
                self.network.is_on(&place) && self.network.holdings.contains(&place)
            }) {
                continue;
            }
            if concerns(&[name]) {
                restoring(again, "address", &it.item.address);
                self.place_address(&it.item);
            }
            if !self.has_address(&it.item) {
                hindered.extend(it.routers.iter().cloned());
            }
        }
        for it in &plan.routes {
            let possession = Possession::Route(it.item.clone());
            let names: Vec<&str> = it.item.interfaces().collect();
            if concerns(&names) {
                restoring(again, "route", &it.item);
                self.possess(std::iter::once(possession));
                if let Err(error) = self.network.add_route(&it.item) {
                    tracing::warn!("static route {}: {error}", it.item);
                    hindered.extend(it.routers.iter().cloned());
                }
            }
        }
        for it in &plan.rules {
            if !again {
                self.possess(std::iter::once(Possession::Rule(it.item.clone())));
                if let Err(error) = self.network.add_rule(&it.item) {
                    tracing::warn!("static rule {}: {error}", it.item);
                    hindered.extend(it.routers.iter().cloned());
                }
            }
        }
        self.statics.hindered = hindered;
    }

    fn place_address(&mut self, address: &VirtualAddress) {
        let claimed = self.network.claim("", std::slice::from_ref(address));
        self.claim_addresses(claimed);
        if let Err(error) = self.network.add("", address) {
            tracing::warn!("static address {}: {error}", address.address);
        }
    }

    /// As far as we have put it there.
    pub(super) fn has_address(&self, address: &VirtualAddress) -> bool {
        self.network.place("", address).is_some_and(|it| self.network.holdings.contains(&it))
    }

    /// An interface may have come up: what was static on it is put back, and its trackers hear.
    pub(super) fn look_after_statics(&mut self, now: Instant, interface: &str) {
        if self.statics.is_empty() {
            return;
        }
        if !self.network.is_up(interface) {
            self.statics.up.remove(interface);
        } else if self.statics.up.insert(interface.to_owned()) {
            let before = self.statics.hindered.clone();
            self.place_statics(|names| names.contains(&interface), true);
            self.tell_trackers(now, &before);
        }
    }

    /// A static address was taken off; `false`: it isn't one.
    pub(super) fn restore_address(&mut self, now: Instant, lost: &Held) -> bool {
        let is_it = |it: &&Static<VirtualAddress>| self.network.place("", &it.item) == Some(*lost);
        let Some(it) = self.statics.plan.addresses.iter().find(is_it).cloned() else {
            return false;
        };
        if it.item.untracked {
            return true;
        }
        let before = self.statics.hindered.clone();
        restoring(true, "address", &it.item.address);
        let claimed = self.network.claim("", std::slice::from_ref(&it.item));
        self.claim_addresses(claimed);
        if let Err(error) = self.network.add("", &it.item) {
            tracing::warn!("static address {}: {error}", it.item.address);
            self.statics.hindered.extend(it.routers);
        }
        self.tell_trackers(now, &before);
        true
    }

    /// A route or rule that no router has was taken away.
    pub(super) fn restore(&mut self, now: Instant, lost: &Possession) {
        let before = self.statics.hindered.clone();
        let (restored, routers) = match lost {
            Possession::Route(route) => {
                let mut all = self.statics.plan.routes.iter();
                let Some(it) = all.find(|it| it.item == *route).cloned() else { return };
                restoring(true, "route", &it.item);
                self.possess(std::iter::once(lost.clone()));
                (self.network.add_route(route), it.routers)
            }
            Possession::Rule(rule) => {
                let mut all = self.statics.plan.rules.iter();
                let Some(it) = all.find(|it| it.item == *rule).cloned() else { return };
                restoring(true, "rule", &it.item);
                self.possess(std::iter::once(lost.clone()));
                (self.network.add_rule(rule), it.routers)
            }
            _ => return,
        };
        if let Err(error) = restored {
            tracing::warn!("{}: {error}", crate::runtime::placing::name(lost));
            self.statics.hindered.extend(routers);
        }
        self.tell_trackers(now, &before);
    }

    fn tell_trackers(&mut self, now: Instant, before: &HashSet<String>) {
        if self.statics.hindered == *before {
            return;
        }
        for at in 0..self.routers.len() {
            let event = self.interface_event(self.routers[at].machine.router());
            self.tell(now, at, event);
        }
    }
}

fn restoring(again: bool, what: &str, it: &dyn std::fmt::Display) {
    if again {
        tracing::info!("Restoring deleted static {what} {it}");
    }
}
