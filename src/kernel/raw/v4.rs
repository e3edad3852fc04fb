//! Sending over IPv4, with headers of our own.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, Socket, Type};

use super::Letter;

const HEADER: usize = 20;

/// Sends IPv4 packets with headers of its own out of one interface.
#[derive(Debug)]
pub struct HeaderSender {
    socket: Socket,
}

impl HeaderSender {
    /// Needs CAP_NET_RAW.
    pub fn open(interface: &str) -> io::Result<Self> {
        // IPPROTO_RAW: the header is ours, and nothing is ever received.
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.set_nonblocking(true)?;
        socket.set_header_included_v4(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_loop_v4(false)?;
        Ok(HeaderSender { socket })
    }

    /// With the precedence of network control (TOS 0xc0).
    pub(super) fn send(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        letter: Letter,
    ) -> io::Result<()> {
        let mut packet = Vec::with_capacity(HEADER + letter.payload.len());
        packet.extend([0x45, 0xc0]);
        let length = u16::try_from(HEADER + letter.payload.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        packet.extend(length.to_be_bytes());
        packet.extend(letter.identification.to_be_bytes());
        packet.extend([0, 0]);
        // The kernel fills in the header's checksum (raw(7)).
        packet.extend([letter.ttl, letter.protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend(letter.payload);
        self.socket.send_to(&packet, &SocketAddrV4::new(destination, 0).into()).map(drop)
    }
}

impl AsRawFd for HeaderSender {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}
