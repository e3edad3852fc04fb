//! Plans' addresses, routes and rules in the kernel's terms: by the vrrp role to put them in place,
//! by the supervisor to take away what a dead role has left. This file has addresses; [`route`] and
//! [`rule`] what is in an `ip route add` and an `ip rule add`.

pub(super) mod device;
pub(super) mod firewall;
pub(super) mod route;
pub(super) mod rule;
pub(super) mod setting;

use crate::kernel::netlink::NewAddress;
use std::io;

use crate::kernel::netlink::packet::AddressFamily;
use crate::kernel::netlink::{Netlink, Place};
use crate::plan::address::{AddressFlag, FOREVER, VirtualAddress};
use crate::plan::route::{Route, Rule};
use crate::runtime::handoff::Possession;

/// IFA_F_* (linux/if_addr.h)
const NODAD: u32 = 0x02;
const HOMEADDRESS: u32 = 0x10;
const MANAGETEMPADDR: u32 = 0x100;
const NOPREFIXROUTE: u32 = 0x200;
const MCAUTOJOIN: u32 = 0x400;

/// On the interface of this index.
pub(super) fn new_address(index: u32, it: &VirtualAddress) -> NewAddress {
    let ipv6 = it.address.is_ipv6();
    let wanted = it.flags.iter().filter(|flag| ipv6 || flag.concerns_ipv4());
    let flags = wanted.fold(0, |flags, flag| flags | flag_number(*flag));
    // Another node had it until now: its being there already is no reason not to take it. `-nodad`
    // (measured) lets the kernel look for it all the same.
    let probes = !ipv6 || it.flags.contains(&AddressFlag::NoDad);
    let lifetime = match it.preferred {
        // Connections of this host don't begin at an address that may leave with them.
        None if it.prefix == 128 => Some(0),
        lifetime => lifetime.filter(|lifetime| *lifetime != FOREVER),
    };
    NewAddress {
        index,
        address: it.address,
        prefix: it.prefix,
        broadcast: it.broadcast,
        label: it.label.clone(),
        scope: it.scope.0,
        peer: it.peer,
        flags: flags | if probes { 0 } else { NODAD },
        preferred: lifetime.filter(|_| ipv6),
    }
}

fn flag_number(flag: AddressFlag) -> u32 {
    match flag {
        AddressFlag::Home => HOMEADDRESS,
        // It takes a flag away.
        AddressFlag::NoDad => 0,
        AddressFlag::MngTmpAddr => MANAGETEMPADDR,
        AddressFlag::NoPrefixRoute => NOPREFIXROUTE,
        AddressFlag::AutoJoin => MCAUTOJOIN,
    }
}

fn family(ipv6: bool) -> AddressFamily {
    if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

/// What came last goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Age {
    Rules,
    Routes,
    Addresses,
    Tables,
    Devices,
    Settings,
}

pub(super) fn age(it: &Possession) -> Age {
    match it {
        Possession::Rule(_) => Age::Rules,
        Possession::Route(_) => Age::Routes,
        Possession::Table(_) => Age::Tables,
        Possession::Device(_) => Age::Devices,
        Possession::Setting { .. } => Age::Settings,
    }
}

/// For people.
pub(super) fn name(it: &Possession) -> String {
    match it {
        Possession::Rule(rule) => format!("rule {rule}"),
        Possession::Route(route) => format!("route {route}"),
        Possession::Table(table) => format!("nftables table {table}"),
        Possession::Device(name) => format!("interface {name}"),
        Possession::Setting { path, .. } => format!("the value of {path}"),
    }
}

/// Undoes it; what is gone already is no error.
pub(super) fn take_away(netlink: &mut Netlink, it: &Possession) -> io::Result<()> {
    match it {
        Possession::Rule(rule) => remove_rule(netlink, rule).map(drop),
        Possession::Route(route) => remove_route(netlink, route).map(drop),
        Possession::Table(table) => firewall::remove(table),
        Possession::Device(name) => device::remove(netlink, name),
        Possession::Setting { path, before } => setting::write(path, before),
    }
}

/// `false`: the very same was there.
pub(super) fn add_route(netlink: &mut Netlink, route: &Route) -> io::Result<bool> {
    let place = if route.append { Place::Last } else { Place::First };
    netlink.add_route(route::addition(route, &index)?, place)
}

/// `false`: it was gone.
pub(super) fn remove_route(netlink: &mut Netlink, route: &Route) -> io::Result<bool> {
    match route::removal(route, &index) {
        Ok(message) => netlink.remove_route(message),
        // Its interface has gone and has taken it along.
        Err(_) => Ok(false),
    }
}

/// `false`: the very same was there.
pub(super) fn add_rule(netlink: &mut Netlink, rule: &Rule) -> io::Result<bool> {
    netlink.add_rule(rule::message(rule))
}

/// `false`: it was gone.
pub(super) fn remove_rule(netlink: &mut Netlink, rule: &Rule) -> io::Result<bool> {
    netlink.remove_rule(rule::message(rule))
}

fn index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}
