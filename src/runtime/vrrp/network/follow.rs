//! What the kernel tells, and which routers have to know.

use super::{Incident, Network};
use crate::kernel::netlink::{Address, Change, Link};
use crate::runtime::handoff::Held;

impl Network {
    /// Takes changes in; what routers have to be told, in order.
    pub(in crate::runtime::vrrp) fn absorb(&mut self, changes: Vec<Change>) -> Vec<Incident> {
        let mut incidents = Vec::new();
        for change in changes {
            match change {
                Change::Link(link) => self.absorb_link(link, &mut incidents),
                Change::LinkGone(link) => {
                    self.links.remove(&link.name);
                    self.wires.close_on(link.index);
                    self.addresses.retain(|address| address.index != link.index);
                    self.held.retain(|held| held.interface != link.name);
                    if self.concerned.contains(&link.name) {
                        tracing::info!("Netlink reports {} deleted", link.name);
                    }
                    incidents.push(Incident::Interface(link.name));
                }
                Change::Address(address) => {
                    let same = |it: &Address| {
                        (it.index, it.address, it.prefix)
                            == (address.index, address.address, address.prefix)
                    };
                    match self.addresses.iter_mut().find(|it| same(it)) {
                        Some(known) => *known = address,
                        None => {
                            incidents.extend(self.own_address("Assigned", "for", &address));
                            self.addresses.push(address);
                        }
                    }
                }
                Change::AddressGone(gone) => self.absorb_address_gone(&gone, &mut incidents),
                Change::Lost => {
                    tracing::warn!("netlink changes were lost, looking at everything again");
                    if let Err(error) = self.look() {
                        tracing::error!("cannot look at the network: {error}");
                    }
                    let names = self.links.keys().cloned();
                    incidents.extend(names.map(Incident::Interface));
                    let lost = self.held.iter().filter(|held| !self.is_on(held));
                    let lost: Vec<Held> = lost.cloned().collect();
                    incidents.extend(lost.into_iter().map(|held| self.lose(held)));
                }
            }
        }
        incidents
    }

    fn absorb_link(&mut self, link: Link, incidents: &mut Vec<Incident>) {
        // Renamed: the old name is no more.
        let old_name = self.links.values().find(|it| it.index == link.index);
        let old_name = old_name.map(|it| it.name.clone()).filter(|name| *name != link.name);
        if let Some(name) = old_name {
            self.links.remove(&name);
            self.abandon(&name, link.index);
            incidents.push(Incident::Interface(name));
        }
        let before = self.links.insert(link.name.clone(), link.clone());
        if before.as_ref().is_some_and(|before| before.index != link.index) {
            self.wires.close_named(&link.name);
        }
        if before.as_ref().is_none_or(|before| (before.up, before.index) != (link.up, link.index)) {
            if self.concerned.contains(&link.name) {
                let state = if link.up { "up" } else { "down" };
                tracing::info!("Netlink reports {} {state}", link.name);
            }
            incidents.push(Incident::Interface(link.name));
        }
    }

    /// Takes off what we hold on an interface that has another name by now: nobody would find it
    /// there later.
    fn abandon(&mut self, name: &str, index: u32) {
        let (left, held): (Vec<Held>, Vec<Held>) =
            self.held.drain(..).partition(|held| held.interface == name);
        self.held = held;
        for Held { address, .. } in left {
            if let Err(error) = self.netlink.remove_address(index, address.address, address.prefix)
            {
                tracing::error!("{} stays on what was {name}: {error}", address.address);
            }
        }
    }

    fn absorb_address_gone(&mut self, gone: &Address, incidents: &mut Vec<Incident>) {
        self.addresses.retain(|it| {
            (it.index, it.address, it.prefix) != (gone.index, gone.address, gone.prefix)
        });
        let Some(name) = self.name_of(gone.index).map(str::to_owned) else { return };
        let held = self.held.iter().find(|held| {
            held.interface == name
                && (held.address.address, held.address.prefix) == (gone.address, gone.prefix)
        });
        match held.cloned() {
            // The news may be older than our having put it on again.
            Some(held) => {
                let still_there = self.netlink.addresses().is_ok_and(|now| {
                    now.iter().any(|it| (it.index, it.address) == (gone.index, gone.address))
                });
                if !still_there {
                    incidents.push(self.lose(held));
                }
            }
            None => incidents.extend(self.own_address("Deassigned", "from", gone)),
        }
    }

    /// An interface's own address came or went.
    fn own_address(&self, what: &str, preposition: &str, address: &Address) -> Option<Incident> {
        if self.virtual_addresses.contains(&address.address) {
            return None;
        }
        let name = self.name_of(address.index)?.to_owned();
        if self.concerned.contains(&name) {
            tracing::debug!("{what} address {} {preposition} interface {name}", address.address);
        }
        Some(Incident::Interface(name))
    }

    fn lose(&mut self, held: Held) -> Incident {
        self.held.retain(|it| *it != held);
        Incident::AddressLost { interface: held.interface, address: held.address }
    }
}
