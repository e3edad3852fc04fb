//! Addresses on interfaces.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
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
        let request = RouteNetlinkMessage::NewAddress(message);
        match self.request(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, |_| ()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes an address off an interface; `false`: it (or the interface) was gone already.
    pub fn remove_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<bool> {
        let request = RouteNetlinkMessage::DelAddress(address_message(index, address, prefix));
        match self.request(request, NLM_F_ACK, |_| ()) {
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

/// `None`: also an address that duplicate address detection still looks at (RFC 4862, 5.4): nothing
/// can be sent from it yet. The kernel tells when it is through.
pub(super) fn address(message: &AddressMessage) -> Option<Address> {
    let flags = message.header.flags;
    if flags.contains(AddressHeaderFlags::Tentative)
        && !flags.contains(AddressHeaderFlags::Optimistic)
    {
        return None;
    }
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
        secondary: message.header.flags.contains(AddressHeaderFlags::Secondary),
    })
}
