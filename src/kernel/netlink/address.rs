//! Addresses on interfaces.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, CacheInfo,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL};

use super::Netlink;

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub index: u32,
    pub address: IpAddr,
    pub prefix: u8,
    pub label: Option<String>,
    /// IFA_F_SECONDARY: another address of the same network came first.
    pub secondary: bool,
    /// Duplicate address detection still looks at it (RFC 4862 section 5.4): nothing can be sent
    /// from it yet. The kernel tells when it is through.
    pub tentative: bool,
}

/// An address to be put on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAddress {
    pub index: u32,
    pub address: IpAddr,
    pub prefix: u8,
    pub broadcast: Option<Ipv4Addr>,
    pub label: Option<String>,
    /// rtnetlink(7)'s number: 0 global, 253 link, 254 host.
    pub scope: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// IFA_F_*
    pub flags: u32,
    /// Seconds for which it is preferred as a source; `None`: for ever.
    pub preferred: Option<u32>,
}

impl Netlink {
    /// All addresses of this network namespace, in the kernel's order: an interface's primary
    /// address stands before its secondary ones.
    pub fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let mut addresses = Vec::new();
        self.request(request, NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewAddress(message) = answer {
                addresses.extend(address(&message));
            }
        })?;
        Ok(addresses)
    }

    /// Puts an address on an interface; `false`: it was there already.
    pub fn add_address(&mut self, new: &NewAddress) -> io::Result<bool> {
        let mut message = address_message(new.index, new.address, new.prefix);
        message.header.scope = new.scope.into();
        message.attributes.extend(new.broadcast.map(AddressAttribute::Broadcast));
        message.attributes.extend(new.label.clone().map(AddressAttribute::Label));
        if let Some(peer) = new.peer {
            message.attributes.retain(|it| !matches!(it, AddressAttribute::Address(_)));
            message.attributes.push(AddressAttribute::Address(peer));
        }
        if new.flags != 0 {
            let flags = AddressFlags::from_bits_retain(new.flags);
            message.attributes.push(AddressAttribute::Flags(flags));
        }
        if let Some(preferred) = new.preferred {
            let mut lifetimes = CacheInfo::default();
            (lifetimes.ifa_preferred, lifetimes.ifa_valid) = (preferred, u32::MAX);
            message.attributes.push(AddressAttribute::CacheInfo(lifetimes));
        }
        let request = RouteNetlinkMessage::NewAddress(message);
        match self.request(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, |_| ()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes an address off an interface; `false`: it (or the interface) was gone already.
    pub fn remove_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<bool> {
        if self.delete(address_message(index, address, prefix))? {
            return Ok(true);
        }
        // One end of a point-to-point link is only found with the other one.
        if address.is_ipv6() || prefix != 32 {
            return Ok(false);
        }
        match self.point_to_point(index, address)? {
            Some(message) => self.delete(message),
            None => Ok(false),
        }
    }

    fn delete(&mut self, message: AddressMessage) -> io::Result<bool> {
        match self.request(RouteNetlinkMessage::DelAddress(message), NLM_F_ACK, |_| ()) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EADDRNOTAVAIL | libc::ENODEV | libc::ENXIO)
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The kernel's own message of an address that has another end.
    fn point_to_point(&mut self, index: u32, local: IpAddr) -> io::Result<Option<AddressMessage>> {
        let mut found = None;
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.request(request, NLM_F_DUMP, |answer| {
            let RouteNetlinkMessage::NewAddress(message) = answer else { return };
            let is_it = address(&message)
                .is_some_and(|it| (it.index, it.address, it.prefix) == (index, local, 32));
            if is_it && !message.attributes.contains(&AddressAttribute::Address(local)) {
                found = Some(message);
            }
        })?;
        Ok(found)
    }
}

fn address_message(index: u32, address: IpAddr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = prefix;
    message.header.flags = AddressHeaderFlags::empty();
    message.header.family =
        if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    message
}

/// `None`: also an address that duplicate address detection has found elsewhere.
pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    let flags = message.header.flags;
    if flags.contains(AddressHeaderFlags::Dadfailed) {
        return None;
    }
    let tentative = flags.contains(AddressHeaderFlags::Tentative)
        && !flags.contains(AddressHeaderFlags::Optimistic);
    let mut local = None;
    let mut remote = None;
    let mut label = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(it) => local = Some(*it),
            AddressAttribute::Address(it) => remote = Some(*it),
            AddressAttribute::Label(it) => label = Some(it.clone()),
            _ => {}
        }
    }
    Some(Address {
        index: message.header.index,
        // On a point-to-point link IFA_ADDRESS is the other end; IPv6 has no IFA_LOCAL elsewhere.
        address: local.or(remote)?,
        prefix: message.header.prefix_len,
        label,
        secondary: flags.contains(AddressHeaderFlags::Secondary),
        tentative,
    })
}
