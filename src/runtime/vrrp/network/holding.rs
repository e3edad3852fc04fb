//! The virtual addresses that this node holds: put on, taken off.

use std::io;
use std::net::IpAddr;

use super::Network;
use crate::kernel::netlink::{IpVlanFlags, Link};
use crate::plan::address::Scope;
use crate::plan::device::{Device, IpvlanMode};
use crate::plan::vrrp::VirtualAddress;
use crate::runtime::handoff::{Held, Possession};
use crate::runtime::placing;

/// RT_SCOPE_LINK
const LINK: Scope = Scope(253);

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
        self.addresses.remove(held);
        self.netlink.remove_address(held.index, held.address, held.prefix)
    }

    /// What isn't a route or rule: an interface, a setting, a table.
    pub(in crate::runtime::vrrp) fn take_away(&mut self, it: &Possession) -> io::Result<()> {
        self.possessions.let_go(it);
        placing::take_away(&mut self.netlink, it)
    }

    pub(in crate::runtime::vrrp) fn exists(&self, interface: &str) -> bool {
        self.links.contains_key(interface)
    }

    pub(in crate::runtime::vrrp) fn has_index(&self, index: u32) -> bool {
        self.name_of(index).is_some()
    }

    pub(in crate::runtime::vrrp) fn index(&self, interface: &str) -> Option<u32> {
        Some(self.links.get(interface)?.index)
    }

    /// Is there such an interface of ours, made now or by a predecessor?
    pub(in crate::runtime::vrrp) fn is_device(&self, device: &Device, base: u32) -> bool {
        let is_it = |it: &Link| match device.is_macvlan() {
            true => it.is_macvlan && it.mac == Some(device.mac.0),
            false => it.is_ipvlan,
        };
        let link = self.links.get(&device.name).filter(|it| it.base == Some(base));
        link.is_some_and(is_it)
    }

    /// Is there one of this name that keepalived or its like has made?
    pub(in crate::runtime::vrrp) fn is_virtual(&self, name: &str) -> bool {
        self.links.get(name).is_some_and(|it| it.is_macvlan || it.is_ipvlan)
    }

    /// One of another kind by that name, left by whoever, isn't touched: an error.
    pub(in crate::runtime::vrrp) fn make_device(
        &mut self,
        device: &Device,
        base: u32,
    ) -> io::Result<()> {
        let Device { name, mac, ipvlan, .. } = device;
        let Some(ipvlan) = ipvlan else { return self.netlink.add_macvlan(name, base, mac.0) };
        let flags = match ipvlan.mode {
            IpvlanMode::Bridge => IpVlanFlags::empty(),
            IpvlanMode::Private => IpVlanFlags::Private,
            IpvlanMode::Vepa => IpVlanFlags::Vepa,
        };
        self.netlink.add_ipvlan(name, base, flags)
    }

    /// An ipvlan interface's own address.
    pub(in crate::runtime::vrrp) fn address_device(&mut self, device: &Device) -> io::Result<()> {
        let own = device.ipvlan.as_ref().and_then(|ipvlan| ipvlan.address);
        let Some((address, prefix)) = own else { return Ok(()) };
        let index = nix::net::if_::if_nametoindex(device.name.as_str())?;
        let address = VirtualAddress::new(address, prefix);
        self.netlink.add_address(&placing::new_address(index, &address)).map(drop)
    }

    pub(in crate::runtime::vrrp) fn raise(&mut self, name: &str) -> io::Result<()> {
        let index = nix::net::if_::if_nametoindex(name)?;
        self.netlink.raise_link(index)
    }

    /// Adverts over IPv6 come from a link-local address: the one of the interface below, which
    /// nobody else on this host begins a connection with.
    pub(in crate::runtime::vrrp) fn share_link_local(
        &mut self,
        base: u32,
        name: &str,
    ) -> io::Result<()> {
        let local = self.addresses.on(base).find(|it| match it {
            IpAddr::V6(it) => it.is_unicast_link_local() && !self.is_ours(IpAddr::V6(*it)),
            IpAddr::V4(_) => false,
        });
        let Some(local) = local else { return Err(io::ErrorKind::AddrNotAvailable.into()) };
        let index = nix::net::if_::if_nametoindex(name)?;
        let address =
            VirtualAddress { preferred: Some(0), scope: LINK, ..VirtualAddress::new(local, 64) };
        self.netlink.add_address(&placing::new_address(index, &address)).map(drop)
    }

    /// Asks the kernel for everything, now that something was made or removed.
    pub(in crate::runtime::vrrp) fn look_again(&mut self) {
        if let Err(error) = self.look() {
            tracing::error!("cannot look at the network: {error}");
        }
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
