//! Raw IPv4 sockets for a protocol that speaks to a multicast group, or to single hosts, on one
//! interface.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::ready::when_readable;

/// The largest IPv4 packet.
const LARGEST: usize = 65_535;
const HEADER: usize = 20;

/// One packet as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub ttl: u8,
    /// What stands behind the IP header.
    pub payload: Vec<u8>,
}

/// Receives one IP protocol's packets to a group, or an address of this host, on one interface.
#[derive(Debug)]
pub struct Receiver {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl Receiver {
    /// Joins the group. Must be called inside a tokio runtime. Needs CAP_NET_RAW.
    pub fn join(protocol: u8, interface: &str, index: u32, group: Ipv4Addr) -> io::Result<Self> {
        let socket = open(protocol, interface)?;
        socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        // Only what this socket joined, not what any socket of the host joined.
        socket.set_multicast_all_v4(false)?;
        Ok(Receiver { socket: when_readable(socket)?, buffer: vec![0; LARGEST] })
    }

    /// Hears what comes to one of this host's addresses. Must be called inside a tokio runtime.
    /// Needs CAP_NET_RAW.
    ///
    /// Error: this host doesn't have the address.
    pub fn bind(protocol: u8, interface: &str, address: Ipv4Addr) -> io::Result<Self> {
        let socket = open(protocol, interface)?;
        socket.bind(&SocketAddrV4::new(address, 0).into())?;
        // No group, whatever other sockets joined.
        socket.set_multicast_all_v4(false)?;
        Ok(Receiver { socket: when_readable(socket)?, buffer: vec![0; LARGEST] })
    }

    /// The next packet whose IP header makes sense. An error of the interface (it went down) is
    /// returned once and clears itself.
    pub fn poll_receive(&mut self, context: &mut Context) -> Poll<io::Result<Packet>> {
        loop {
            let mut ready = match self.socket.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            };
            match ready.try_io(|socket| socket.get_ref().read(&mut self.buffer)) {
                Ok(Ok(length)) => {
                    if let Some(packet) = parse(&self.buffer[..length]) {
                        return Poll::Ready(Ok(packet));
                    }
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }

    /// A packet that has come in already, whatever the runtime knows of it.
    pub fn take_waiting(&mut self) -> Option<Packet> {
        loop {
            let length = self.socket.get_ref().read(&mut self.buffer).ok()?;
            if let Some(packet) = parse(&self.buffer[..length]) {
                return Some(packet);
            }
        }
    }
}

fn open(protocol: u8, interface: &str) -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(protocol));
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    Ok(socket)
}

/// Sends IP packets with headers of its own out of one interface.
#[derive(Debug)]
pub struct HeaderSender {
    socket: Socket,
    identification: u16,
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
        Ok(HeaderSender { socket, identification: 0 })
    }

    /// Sends `payload` with the precedence of network control (TOS 0xc0).
    pub fn send(
        &mut self,
        protocol: u8,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        ttl: u8,
        payload: &[u8],
    ) -> io::Result<()> {
        // 0 would let the kernel choose.
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        let mut packet = Vec::with_capacity(HEADER + payload.len());
        packet.extend([0x45, 0xc0]);
        let length = u16::try_from(HEADER + payload.len())
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        packet.extend(length.to_be_bytes());
        packet.extend(self.identification.to_be_bytes());
        packet.extend([0, 0]);
        // The kernel fills in the header's checksum (raw(7)).
        packet.extend([ttl, protocol, 0, 0]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend(payload);
        self.socket.send_to(&packet, &SocketAddrV4::new(destination, 0).into()).map(drop)
    }
}

impl AsRawFd for HeaderSender {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

/// Splits an IPv4 packet; `None` where the header contradicts itself or the length.
fn parse(bytes: &[u8]) -> Option<Packet> {
    let header = bytes.get(..HEADER)?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] >> 4 != 4 || header_length < HEADER || total < header_length {
        return None;
    }
    Some(Packet {
        source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
        destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
        ttl: header[8],
        payload: bytes.get(header_length..total)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_lie_are_refused() {
        let mut good = vec![0x45, 0, 0, 22, 0, 0, 0, 0, 255, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18];
        good.extend([7, 8]);
        let packet = parse(&good).unwrap();
        assert_eq!(packet.payload, [7, 8]);
        assert_eq!((packet.ttl, packet.source), (255, Ipv4Addr::new(10, 0, 0, 1)));
        for (at, byte) in [(0, 0x65), (0, 0x44), (0, 0x4f), (3, 23), (3, 19)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(parse(&bad), None, "byte {at} = {byte:#x}");
        }
        for length in 0..22 {
            assert_eq!(parse(&good[..length]), None);
        }
    }
}
