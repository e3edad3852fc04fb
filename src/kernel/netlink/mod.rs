//! Links, addresses, routes and rules by rtnetlink (rtnetlink(7)): asked for, changed, and watched.
//!
//! Requests block until the kernel has answered, which it does without waiting for anybody: a
//! role adds an address and announces it in the same step, in order. Only [`Monitor`] is async.
//! This file has the socket; [`link`], [`address`] and [`route`] what is asked of it; read [`monitor`] next.

mod address;
mod link;
mod monitor;
mod route;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::packet_core::{
    NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

pub use address::{Address, NewAddress};
pub use link::Link;
pub use monitor::{Change, Monitor};
pub use netlink_packet_route as packet;
pub use netlink_packet_route::link::IpVlanFlags;
pub use route::Place;

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

    /// The size of the receive buffer; `force`: beyond `net.core.rmem_max`.
    pub fn size_buffer(&self, bytes: u32, force: bool) -> io::Result<()> {
        // SAFETY: the socket is open as long as `self` lives, and the borrow ends before.
        let socket = unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) };
        size_buffer(socket, bytes, force)
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

/// socket(7), SO_RCVBUF and SO_RCVBUFFORCE.
fn size_buffer(socket: BorrowedFd, bytes: u32, force: bool) -> io::Result<()> {
    let bytes = bytes as usize;
    match force {
        true => setsockopt(&socket, sockopt::RcvBufForce, &bytes)?,
        false => setsockopt(&socket, sockopt::RcvBuf, &bytes)?,
    }
    Ok(())
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
