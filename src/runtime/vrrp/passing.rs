//! What a reload gives from one router to another that is active already: an address, a route, a
//! rule. Whichever of the two changes first, it stays where it is.

use std::collections::HashMap;

use super::role::Role;
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::runtime::handoff::{Held, Possession};
use crate::vrrp::machine::State;

/// By whom it is held from now on, as the router's place in the role's list.
#[derive(Debug, Default)]
pub(super) struct Passing {
    addresses: HashMap<Held, usize>,
    possessions: HashMap<Possession, usize>,
}

impl Role {
    /// `goes_on`: for each router of the new plan the one that it is now.
    pub(super) fn expect(&mut self, new: &[VirtualRouter], goes_on: &[Option<usize>]) {
        let mut passing = Passing::default();
        for (new, at) in new.iter().zip(goes_on) {
            let Some(at) = at.filter(|at| self.is_active(*at)) else { continue };
            let places = new.all_addresses().filter_map(|it| self.place(new, it));
            passing.addresses.extend(places.map(|place| (place, at)));
            let routes = new.belongings.routes.iter().cloned().map(Possession::Route);
            let rules = new.belongings.rules.iter().cloned().map(Possession::Rule);
            passing.possessions.extend(routes.chain(rules).map(|it| (it, at)));
        }
        self.passing = passing;
    }

    /// Does an address that this router gives up stay, for it is another one's now?
    pub(super) fn passes(&self, at: usize, interface: &str, address: &VirtualAddress) -> bool {
        let place = self.network.place(interface, address);
        let to = place.and_then(|place| self.passing.addresses.get(&place));
        to.is_some_and(|to| *to != at && self.is_active(*to))
    }

    /// The same for a route or rule.
    pub(super) fn passes_on(&self, at: usize, it: &Possession) -> bool {
        let to = self.passing.possessions.get(it);
        to.is_some_and(|to| *to != at && self.is_active(*to))
    }

    /// The reload is over: what was kept for one that has stepped back in it has nobody.
    pub(super) fn settle(&mut self) {
        let Passing { addresses, possessions } = std::mem::take(&mut self.passing);
        for (held, to) in addresses {
            let has = |at: usize, router: &VirtualRouter| {
                self.is_active(at)
                    && router.all_addresses().any(|it| self.place(router, it) == Some(held))
            };
            if self.is_active(to) || !self.network.holdings.contains(&held) || self.anyone(has) {
                continue;
            }
            if let Err(error) = self.network.take_off(&held) {
                let name = self.network.name(held.index);
                tracing::error!("{} stays on {name}: {error}", held.address);
            }
        }
        for (it, to) in possessions {
            let has = |at: usize, router: &VirtualRouter| {
                self.is_active(at)
                    && match &it {
                        Possession::Route(route) => router.belongings.routes.contains(route),
                        Possession::Rule(rule) => router.belongings.rules.contains(rule),
                        _ => false,
                    }
            };
            if !self.is_active(to) && self.network.possessions.contains(&it) && !self.anyone(has) {
                self.take_away(&it);
            }
        }
    }

    fn anyone(&self, is: impl Fn(usize, &VirtualRouter) -> bool) -> bool {
        self.routers.iter().enumerate().any(|(at, router)| is(at, router.machine.router()))
    }

    fn is_active(&self, at: usize) -> bool {
        self.routers.get(at).is_some_and(|router| router.machine.state() == State::Active)
    }

    fn place(&self, router: &VirtualRouter, address: &VirtualAddress) -> Option<Held> {
        self.network.place(router.address_interface(), address)
    }
}
