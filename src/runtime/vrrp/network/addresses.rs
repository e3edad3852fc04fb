//! The addresses of this host as the kernel tells them: looked up by interface and by address,
//! with thousands of them too.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::kernel::netlink::Address;
use crate::runtime::handoff::Held;

/// Plain lists: the kernel keeps them so, too, and walks them for each address that is added. Maps
/// that find an address at once took more memory than everything else about it.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// With their prefixes by interface, in the kernel's order: the primary one comes first.
    all: BTreeMap<u32, Vec<(IpAddr, u8)>>,
    /// Still being checked for duplicates.
    tentative: HashSet<(u32, IpAddr)>,
}

/// What a report of an address says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    New,
    /// It can be used now.
    Ready,
    Nothing,
}

impl Addresses {
    pub(super) fn replace(&mut self, all: Vec<Address>) {
        *self = Addresses::default();
        for address in &all {
            self.insert(address);
        }
    }

    pub(super) fn insert(&mut self, address: &Address) -> Told {
        let Address { index, address, prefix, tentative, .. } = *address;
        let was_tentative = match tentative {
            true => !self.tentative.insert((index, address)),
            false => self.tentative.remove(&(index, address)),
        };
        let known = self.all.entry(index).or_default();
        if known.contains(&(address, prefix)) {
            return if was_tentative && !tentative { Told::Ready } else { Told::Nothing };
        }
        known.push((address, prefix));
        Told::New
    }

    /// Was it there?
    pub(super) fn remove(&mut self, gone: &Held) -> bool {
        let Some(known) = self.all.get_mut(&gone.index) else { return false };
        let is_it = |it: &(IpAddr, u8)| *it == (gone.address, gone.prefix);
        let Some(at) = known.iter().position(is_it) else { return false };
        known.remove(at);
        self.tentative.remove(&(gone.index, gone.address));
        true
    }

    /// An interface has gone with all that was on it.
    pub(super) fn remove_interface(&mut self, index: u32) {
        self.all.remove(&index);
        self.tentative.retain(|(on, _)| *on != index);
    }

    /// Those on an interface, in order.
    pub(super) fn on(&self, index: u32) -> impl Iterator<Item = IpAddr> + '_ {
        self.all.get(&index).into_iter().flatten().map(|(address, _)| *address)
    }

    /// Is it on any interface, ready to be used?
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.all.values().flatten().any(|(it, _)| *it == address)
            && !self.tentative.iter().any(|(_, tentative)| *tentative == address)
    }

    pub(super) fn is_tentative(&self, index: u32, address: IpAddr) -> bool {
        self.tentative.contains(&(index, address))
    }

    pub(super) fn contains(&self, it: &Held) -> bool {
        self.all.get(&it.index).is_some_and(|known| known.contains(&(it.address, it.prefix)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(index: u32, last: u8) -> Address {
        Address {
            index,
            address: IpAddr::from([192, 0, 2, last]),
            prefix: 24,
            label: None,
            secondary: false,
            tentative: false,
        }
    }

    #[test]
    fn order_is_kept_and_what_goes_is_gone() {
        let mut addresses = Addresses::default();
        addresses.replace(vec![address(2, 9), address(3, 1), address(2, 4), address(3, 9)]);
        let on = |addresses: &Addresses| addresses.on(2).collect::<Vec<_>>();
        assert_eq!(on(&addresses), [9, 4].map(|last| address(2, last).address));
        assert_eq!(addresses.insert(&address(2, 9)), Told::Nothing);
        assert_eq!(addresses.insert(&address(2, 5)), Told::New);
        let nine = Held { index: 2, address: address(2, 9).address, prefix: 24 };
        addresses.remove(&nine);
        assert!(!addresses.contains(&nine) && addresses.has(nine.address), "it is on 3 as well");
        addresses.remove_interface(3);
        assert!(!addresses.has(nine.address));
        assert_eq!(on(&addresses), [4, 5].map(|last| address(2, last).address));
    }
    #[test]
    fn an_address_is_ready_when_it_was_checked() {
        let mut addresses = Addresses::default();
        let it = address(2, 9);
        let tentative = Address { tentative: true, ..it.clone() };
        assert_eq!(addresses.insert(&tentative), Told::New);
        assert!(addresses.is_tentative(2, it.address) && !addresses.has(it.address));
        assert_eq!(addresses.insert(&tentative), Told::Nothing);
        assert_eq!(addresses.insert(&it), Told::Ready);
        assert!(!addresses.is_tentative(2, it.address) && addresses.has(it.address));
        assert_eq!(addresses.insert(&it), Told::Nothing);
    }
}
