//! What the kernel reports by itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::task::{Context, Poll};

use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{MsgFlags, recv};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::sys::Socket;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use tokio::io::unix::AsyncFd;

use super::address::{Address, address};
use super::link::{Link, link};
use super::{messages, size_buffer};
use crate::kernel::ready::when_readable;

/// No datagram of rtnetlink is larger (netlink(7)).
const LARGEST: usize = 1 << 16;
/// So many changes are handed on at once.
const MANY: usize = 256;

/// What changed, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A link is new or changed.
    Link(Link),
    LinkGone(Link),
    /// An address is new or changed.
    Address(Address),
    AddressGone(Address),
    /// Only after [`Monitor::watch_routes`].
    RouteGone(Box<RouteMessage>),
    RuleGone(Box<RuleMessage>),
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
        for group in [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_IFADDR, libc::RTNLGRP_IPV6_IFADDR] {
            socket.add_membership(group)?;
        }
        // SAFETY: `into_raw_fd` gave this open descriptor up.
        let socket = unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) };
        Ok(Monitor { socket: when_readable(socket)?, buffer: vec![0; LARGEST] })
    }

    /// The size of the receive buffer; `force`: beyond `net.core.rmem_max`.
    pub fn size_buffer(&self, bytes: u32, force: bool) -> io::Result<()> {
        size_buffer(self.socket.get_ref().as_fd(), bytes, force)
    }

    /// From now on lost routes and rules are told too. (Not from the beginning: some hosts have
    /// more changes of routes in a second than others have in a year.)
    pub fn watch_routes(&mut self) -> io::Result<()> {
        let groups = [
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV6_ROUTE,
            libc::RTNLGRP_IPV4_RULE,
            libc::RTNLGRP_IPV6_RULE,
        ];
        for group in groups {
            // SAFETY: the descriptor is open, and the option's value is the u32 that `group` holds
            // for the time of the call.
            let result = unsafe {
                libc::setsockopt(
                    self.socket.as_raw_fd(),
                    libc::SOL_NETLINK,
                    libc::NETLINK_ADD_MEMBERSHIP,
                    (&raw const group).cast(),
                    size_of_val(&group) as libc::socklen_t,
                )
            };
            if result != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }

    /// The next changes, in order: as many as are there, up to the first that isn't an address's.
    /// (A link that goes down and comes up at once was down.)
    pub fn poll_next(&mut self, context: &mut Context) -> Poll<io::Result<Vec<Change>>> {
        let mut changes = Vec::new();
        loop {
            let mut ready = match self.socket.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending if changes.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(changes)),
            };
            let received = ready.try_io(|socket| {
                recv(socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty())
                    .map_err(io::Error::from)
            });
            match received {
                Ok(Ok(length)) => {
                    let before = changes.len();
                    changes.extend(messages(&self.buffer[..length]).filter_map(change));
                    let of_address =
                        |it| matches!(it, &Change::Address(_) | &Change::AddressGone(_));
                    if !changes[before..].iter().all(of_address) || changes.len() >= MANY {
                        return Poll::Ready(Ok(changes));
                    }
                }
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    changes.push(Change::Lost);
                    return Poll::Ready(Ok(changes));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
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
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(message)) => {
            Some(Change::RouteGone(Box::new(message)))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRule(message)) => {
            Some(Change::RuleGone(Box::new(message)))
        }
        NetlinkPayload::Overrun(_) => Some(Change::Lost),
        _ => None,
    }
}
