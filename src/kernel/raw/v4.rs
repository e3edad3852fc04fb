//! Sending over IPv4, with headers of our own.

use std::io::{self, IoSlice};
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
        let mut header = [0; HEADER];
        header[..2].copy_from_slice(&[0x45, 0xc0]);
        let length = u16::try_from(HEADER + letter.payload.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        header[4..6].copy_from_slice(&letter.identification.to_be_bytes());
        // The kernel fills in the header's checksum (raw(7)).
        header[8..10].copy_from_slice(&[letter.ttl, letter.protocol]);
        header[12..16].copy_from_slice(&source.octets());
        header[16..].copy_from_slice(&destination.octets());
        let parts = [IoSlice::new(&header), IoSlice::new(letter.payload)];
        let to = SocketAddrV4::new(destination, 0).into();
        self.socket.send_to_vectored(&parts, &to).map(drop)
    }
}

impl AsRawFd for HeaderSender {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}
