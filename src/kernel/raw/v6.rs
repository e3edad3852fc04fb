//! Sending over IPv6: the kernel writes the header, with what ancillary data says (RFC 3542).

use std::io::{self, IoSlice};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrIn6, sendmsg};
use socket2::{Domain, Protocol, Socket, Type};

use super::Letter;

/// Network control, as the TOS of IPv4.
const TRAFFIC_CLASS: u32 = 0xc0;

/// Sends IPv6 packets of any protocol out of one interface.
#[derive(Debug)]
pub struct PacketSender {
    socket: Socket,
    index: u32,
}

impl PacketSender {
    /// Needs CAP_NET_RAW.
    pub fn open(interface: &str, index: u32) -> io::Result<Self> {
        // IPPROTO_RAW: nothing is ever received, and each packet says its protocol.
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        socket.set_nonblocking(true)?;
        socket.set_header_included_v6(false)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.set_multicast_if_v6(index)?;
        socket.set_multicast_loop_v6(false)?;
        socket.set_tclass_v6(TRAFFIC_CLASS)?;
        Ok(PacketSender { socket, index })
    }

    /// Error of kind `InvalidInput`: this host doesn't have the source address (yet: duplicate
    /// address detection may be on its way).
    pub(super) fn send(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        letter: Letter,
    ) -> io::Result<()> {
        let index = if needs_interface(destination) { self.index } else { 0 };
        // A raw socket's port is the protocol.
        let target = SocketAddrV6::new(destination, letter.protocol.into(), 0, index);
        let target = SockaddrIn6::from(target);
        let source = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: self.index,
        };
        let hops = libc::c_int::from(letter.ttl);
        let ancillary =
            [ControlMessage::Ipv6PacketInfo(&source), ControlMessage::Ipv6HopLimit(&hops)];
        let payload = [IoSlice::new(letter.payload)];
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        sendmsg(socket, &payload, &ancillary, flags, Some(&target))?;
        Ok(())
    }
}

/// Link-local: the address alone doesn't say where it is.
pub(super) fn needs_interface(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || address.segments()[0] & 0xff0f == 0xff02
}
