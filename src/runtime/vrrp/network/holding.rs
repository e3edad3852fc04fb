//! The virtual addresses that this node holds.

use std::io;

use super::Network;
use crate::kernel::netlink::NewAddress;
use crate::plan::vrrp::VirtualAddress;
use crate::runtime::handoff::Held;

impl Network {
    /// What we hold, or are about to.
    pub(in crate::runtime::vrrp) fn held(&self) -> &[Held] {
        &self.held
    }

    /// Counts addresses as held, and returns those that weren't; to be called (and reported)
    /// before they are added, so that whoever cleans up behind us knows of them.
    pub(in crate::runtime::vrrp) fn claim(
        &mut self,
        interface: &str,
        addresses: &[VirtualAddress],
    ) -> Vec<Held> {
        let wanted = addresses.iter().map(|address| hold(interface, address));
        let new: Vec<Held> = wanted.filter(|it| !self.held.contains(it)).collect();
        self.held.extend_from_slice(&new);
        new
    }

    pub(in crate::runtime::vrrp) fn add(
        &mut self,
        interface: &str,
        address: &VirtualAddress,
    ) -> io::Result<()> {
        let held = hold(interface, address);
        let link = self.links.get(&held.interface).ok_or(io::ErrorKind::NotConnected)?;
        let (index, ip, prefix) = (link.index, address.address, address.prefix);
        self.netlink.add_address(&NewAddress {
            index,
            address: ip,
            prefix,
            broadcast: address.broadcast,
            label: address.label.clone(),
            scope: address.scope.number(),
        })?;
        Ok(())
    }

    /// Takes an address off; whether it was there.
    pub(in crate::runtime::vrrp) fn remove(
        &mut self,
        interface: &str,
        address: &VirtualAddress,
    ) -> io::Result<bool> {
        let held = hold(interface, address);
        self.held.retain(|it| *it != held);
        let Some(link) = self.links.get(&held.interface) else { return Ok(false) };
        self.netlink.remove_address(link.index, address.address, address.prefix)
    }

    /// Is the address on its interface, as far as the kernel has told?
    pub(in crate::runtime::vrrp) fn is_on(&self, held: &Held) -> bool {
        let Some(link) = self.links.get(&held.interface) else { return false };
        self.addresses.iter().any(|it| (it.index, it.address) == (link.index, held.address.address))
    }
}

fn hold(interface: &str, address: &VirtualAddress) -> Held {
    let interface = address.interface.as_deref().unwrap_or(interface).to_owned();
    Held { interface, address: address.clone() }
}
