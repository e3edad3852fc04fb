//! Links and addresses by rtnetlink (rtnetlink(7)): asked for, changed, and watched.
//!
//! Requests block until the kernel has answered, which it does without waiting for anybody: a
//! role adds an address and announces it in the same step, in order. Only [`Monitor`] is async.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::task::{Context, Poll};

use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{MsgFlags, recv};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use tokio::io::unix::AsyncFd;

use super::ready::when_readable;

/// No datagram of rtnetlink is larger (netlink(7)).
const LARGEST: usize = 1 << 16;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// Hardware address, where it is one of 6 bytes.
    pub mac: Option<[u8; 6]>,
    /// Administratively up and with a carrier (IFF_UP and IFF_RUNNING).
    pub up: bool,
    /// Addresses are resolved by ARP here (no IFF_NOARP, no IFF_LOOPBACK).
    pub arp: bool,
}

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

/// A socket for requests.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// All interfaces of this network namespace.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut links = Vec::new();
        self.request(request, NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewLink(message) = answer {
                links.extend(link(&message));
            }
        })?;
        Ok(links)
    }

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

    /// Sends one request and reads until its answer is complete.
    fn request(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            for answer in messages(&datagram) {
                // Left over from an earlier request that failed halfway.
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(error.to_io());
                    }
                    NetlinkPayload::Error(_) => return Ok(()),
                    NetlinkPayload::InnerMessage(inner) => each(inner),
                    _ => {}
                }
            }
        }
    }
}

/// What changed, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A link is new or changed.
    Link(Link),
    LinkGone(Link),
    /// An address is new or changed.
    Address(Address),
    AddressGone(Address),
    /// Changes were lost (the socket's buffer ran over): ask for everything again.
    Lost,
}

/// A socket on which the kernel reports changes of links and addresses.
#[derive(Debug)]
pub struct Monitor {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Subscribes. Must be called inside a tokio runtime.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // A burst of thousands of addresses must fit; without the privilege the default has to do.
        let _ = socket.set_rx_buf_sz(1_u32 << 20);
        for group in [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR] {
            socket.add_membership(group)?;
        }
        // SAFETY: `into_raw_fd` gave this open descriptor up.
        let socket = unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) };
        Ok(Monitor { socket: when_readable(socket)?, buffer: vec![0; LARGEST] })
    }

    /// The next changes, in order.
    pub fn poll_next(&mut self, context: &mut Context) -> Poll<io::Result<Vec<Change>>> {
        loop {
            let mut ready = match self.socket.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            };
            let received = ready.try_io(|socket| {
                recv(socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty())
                    .map_err(io::Error::from)
            });
            return Poll::Ready(match received {
                Ok(Ok(length)) => Ok(messages(&self.buffer[..length]).filter_map(change).collect()),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    Ok(vec![Change::Lost])
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Err(error)) => Err(error),
                Err(_would_block) => continue,
            });
        }
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

fn change(message: NetlinkMessage<RouteNetlinkMessage>) -> Option<Change> {
    match message.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
            // A bridge reports its ports' changes in its own family, beside the real ones.
            (message.header.interface_family == AddressFamily::Unspec)
                .then(|| link(&message).map(Change::Link))?
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message)) => {
            (message.header.interface_family == AddressFamily::Unspec)
                .then(|| link(&message).map(Change::LinkGone))?
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => {
            address(&message).map(Change::Address)
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(message)) => {
            address(&message).map(Change::AddressGone)
        }
        NetlinkPayload::Overrun(_) => Some(Change::Lost),
        _ => None,
    }
}

/// The messages of one datagram; what cannot be read is left out.
fn messages(datagram: &[u8]) -> impl Iterator<Item = NetlinkMessage<RouteNetlinkMessage>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = NetlinkBuffer::new_checked(rest).ok()?.length() as usize;
        if length < 16 || length > rest.len() {
            return None;
        }
        let (message, tail) = rest.split_at(length);
        rest = tail.get(length.next_multiple_of(4) - length..).unwrap_or_default();
        Some(NetlinkMessage::<RouteNetlinkMessage>::deserialize(message))
    })
    .flatten()
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

fn link(message: &LinkMessage) -> Option<Link> {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        up: flags.contains(LinkFlags::Up | LinkFlags::Running),
        arp: !flags.intersects(LinkFlags::Noarp | LinkFlags::Loopback),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok(),
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}

fn address(message: &AddressMessage) -> Option<Address> {
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
