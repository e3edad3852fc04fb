//! What the kernel tells, and which routers have to know.

use std::collections::HashSet;
use std::time::Instant;

use super::addresses::Told;
use super::{Incident, Network};
use crate::kernel::netlink::{Address, Change, Link};
use crate::plan::wire::Family;
use crate::runtime::handoff::{Held, Possession};

impl Network {
    /// Takes changes in; what routers have to be told, in order.
    pub(in crate::runtime::vrrp) fn absorb(&mut self, changes: Vec<Change>) -> Vec<Incident> {
        let (mut incidents, mut looked) = (Vec::new(), None);
        for change in changes {
            match change {
                Change::Link(link) => self.absorb_link(link, &mut incidents),
                Change::LinkGone(link) => {
                    self.wires.close_on(link.index);
                    self.addresses.remove_interface(link.index);
                    self.holdings.let_go_where(|it| it.index == link.index);
                    let known = self.links.get(&link.name);
                    if known.is_some_and(|known| known.index != link.index) {
                        // One that has been replaced.
                        continue;
                    }
                    self.links.remove(&link.name);
                    self.delays.forget(&link.name);
                    if self.concerned.contains(&link.name) {
                        tracing::info!("Interface {} deleted", link.name);
                    }
                    incidents.push(Incident::Interface(link.name));
                }
                Change::Address(address) => {
                    let alone = self.first(address.index, Family::of(address.address)).is_none();
                    match self.addresses.insert(&address) {
                        Told::New => incidents.extend(self.own_address(true, alone, &address)),
                        // By unicast it counts from now on.
                        Told::Ready => {
                            let name = self.name_of(address.index).map(str::to_owned);
                            incidents.extend(name.map(Incident::Interface));
                        }
                        Told::Nothing => {}
                    }
                }
                Change::AddressGone(gone) => {
                    self.absorb_address_gone(&gone, &mut looked, &mut incidents);
                }
                Change::RouteGone(gone) => incidents.extend(self.absorb_route_gone(&gone)),
                Change::RuleGone(gone) => incidents.extend(self.absorb_rule_gone(&gone)),
                Change::Lost => {
                    tracing::warn!("netlink changes were lost, looking at everything again");
                    if let Err(error) = self.look() {
                        tracing::error!("cannot look at the network: {error}");
                    }
                    let names = self.links.keys().cloned();
                    incidents.extend(names.map(Incident::Interface));
                    let lost = self.holdings.iter().filter(|held| !self.is_on(held));
                    let lost: Vec<Held> = lost.copied().collect();
                    incidents.extend(lost.into_iter().map(|held| self.lose(held)));
                    incidents.extend(self.missing_possessions());
                }
            }
        }
        incidents
    }

    fn absorb_link(&mut self, link: Link, incidents: &mut Vec<Incident>) {
        // An interface of our own was down while it was made: news from before it was looked at.
        let is_ours = self.possessions.contains(&Possession::Device(link.name.clone()));
        let index = || nix::net::if_::if_nametoindex(link.name.as_str()).ok();
        if is_ours && index().is_some_and(|index| index != link.index) {
            // One that has been replaced.
            return;
        }
        if !link.up
            && is_ours
            && self
                .netlink
                .links()
                .is_ok_and(|all| all.iter().any(|it| it.index == link.index && it.up))
        {
            return;
        }
        // Renamed: the old name is no more.
        let old_name = self.links.values().find(|it| it.index == link.index);
        let old_name = old_name.map(|it| it.name.clone()).filter(|name| *name != link.name);
        if let Some(name) = old_name {
            self.links.remove(&name);
            self.delays.forget(&name);
            self.abandon(&name, link.index);
            incidents.push(Incident::Interface(name));
        }
        let before = self.links.insert(link.name.clone(), link.clone());
        if before.as_ref().is_some_and(|before| before.index != link.index) {
            self.wires.close_named(&link.name);
        }
        let same = |before: &Link| (before.up, before.index) == (link.up, link.index);
        if !before.as_ref().is_some_and(same) {
            match before.as_ref().filter(|before| before.index == link.index) {
                None => self.delays.forget(&link.name),
                Some(before) => {
                    if !self.beats.asks_for(&link.name)
                        && self.delays.hold_back(Instant::now(), before, &link)
                    {
                        return;
                    }
                }
            }
            if self.concerned.contains(&link.name) && !self.beats.asks_for(&link.name) {
                let is_new = before.as_ref().is_none_or(|before| before.index != link.index);
                if is_new {
                    tracing::info!("Interface {} added", link.name);
                }
                if link.up || !is_new {
                    let state = if link.up { "up" } else { "down" };
                    tracing::info!("Netlink reports {} {state}", link.name);
                }
            }
            incidents.push(Incident::Interface(link.name));
        }
    }

    /// Takes off what we hold on an interface that has another name by now: nobody would find it
    /// there later.
    fn abandon(&mut self, name: &str, index: u32) {
        for held in self.holdings.let_go_where(|it| it.index == index) {
            if let Err(error) = self.take_off(&held) {
                tracing::error!("{} stays on what was {name}: {error}", held.address);
            }
        }
    }

    /// `looked`: what was on all interfaces when one of these changes first made it worth asking.
    fn absorb_address_gone(
        &mut self,
        gone: &Address,
        looked: &mut Option<HashSet<Held>>,
        incidents: &mut Vec<Incident>,
    ) {
        let held = Held { index: gone.index, address: gone.address, prefix: gone.prefix };
        let known = self.addresses.remove(&held);
        if !self.holdings.contains(&held) {
            // What we took off ourselves is forgotten already.
            if known {
                let last = self.first(gone.index, Family::of(gone.address)).is_none();
                incidents.extend(self.own_address(false, last, gone));
            }
            return;
        }
        // The news may be older than our having put it on again.
        let there = looked.get_or_insert_with(|| {
            let all = self.netlink.addresses().unwrap_or_default().into_iter();
            all.map(|Address { index, address, prefix, .. }| Held { index, address, prefix })
                .collect()
        });
        if !there.contains(&held) {
            incidents.push(self.lose(held));
        }
    }

    /// An interface's own address came or went. `alone`: it is the only one of its family; only then
    /// it matters.
    fn own_address(&self, came: bool, alone: bool, address: &Address) -> Option<Incident> {
        let name = self.name_of(address.index)?.to_owned();
        let Address { index, address: ip, prefix, .. } = *address;
        if self.watched && !self.holdings.contains(&Held { index, address: ip, prefix }) {
            let what = if came { "added to" } else { "removed from" };
            tracing::info!("Netlink reflector reports IP {ip} {what} {name}");
        }
        if self.is_ours(address.address) {
            return None;
        }
        if alone && self.concerned.contains(&name) {
            let (what, preposition) =
                if came { ("Assigned", "for") } else { ("Deassigned", "from") };
            tracing::debug!("{what} address {} {preposition} interface {name}", address.address);
        }
        Some(Incident::Interface(name))
    }

    fn lose(&mut self, held: Held) -> Incident {
        self.holdings.let_go(&held);
        Incident::AddressLost(held)
    }
}
