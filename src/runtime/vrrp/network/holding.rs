//! The virtual addresses that this node holds: put on, taken off.

use std::io;

use super::Network;
use crate::plan::vrrp::VirtualAddress;
use crate::runtime::handoff::{Held, Possession};
use crate::runtime::placing;

impl Network {
    /// A router's address where it belongs; `None`: there is no such interface.
    pub(in crate::runtime::vrrp) fn place(
        &self,
        interface: &str,
        address: &VirtualAddress,
    ) -> Option<Held> {
        let link = self.links.get(address.interface.as_deref().unwrap_or(interface))?;
        Some(Held { index: link.index, address: address.address, prefix: address.prefix })
    }

    /// Counts addresses as held, and returns those that weren't; to be called (and reported)
    /// before they are added, so that whoever cleans up behind us knows of them.
    pub(in crate::runtime::vrrp) fn claim(
        &mut self,
        interface: &str,
        addresses: &[VirtualAddress],
    ) -> Vec<Held> {
        let wanted: Vec<Held> =
            addresses.iter().filter_map(|address| self.place(interface, address)).collect();
        self.holdings.claim(wanted.into_iter())
    }

    pub(in crate::runtime::vrrp) fn add(
        &mut self,
        interface: &str,
        address: &VirtualAddress,
    ) -> io::Result<()> {
        let place = self.place(interface, address).ok_or(io::ErrorKind::NotConnected)?;
        self.netlink.add_address(&placing::new_address(place.index, address))?;
        Ok(())
    }

    /// Takes an address off; whether it was there.
    pub(in crate::runtime::vrrp) fn remove(
        &mut self,
        interface: &str,
        address: &VirtualAddress,
    ) -> io::Result<bool> {
        let Some(held) = self.place(interface, address) else { return Ok(false) };
        self.take_off(&held)
    }

    /// The same, for what is held.
    pub(in crate::runtime::vrrp) fn take_off(&mut self, held: &Held) -> io::Result<bool> {
        self.holdings.let_go(held);
        self.netlink.remove_address(held.index, held.address, held.prefix)
    }

    /// What isn't a route or rule: an interface, a setting, a table.
    pub(in crate::runtime::vrrp) fn take_away(&mut self, it: &Possession) -> io::Result<()> {
        self.possessions.let_go(it);
        placing::take_away(&mut self.netlink, it)
    }

    /// The interfaces that are up.
    pub(in crate::runtime::vrrp) fn up(&self) -> impl Iterator<Item = &str> {
        self.links.values().filter(|link| link.up).map(|link| link.name.as_str())
    }

    /// Is the address on its interface, as far as the kernel has told?
    pub(in crate::runtime::vrrp) fn is_on(&self, held: &Held) -> bool {
        self.addresses.contains(held)
    }

    /// What an interface is called, for people.
    pub(in crate::runtime::vrrp) fn name(&self, index: u32) -> &str {
        self.name_of(index).unwrap_or("(an interface that has gone)")
    }
}
