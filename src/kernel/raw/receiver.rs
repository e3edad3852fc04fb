//! Receiving what comes for a group, or for an address of this host.

use std::io::{self, IoSliceMut, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::Packet;
use super::v6::needs_interface;
use crate::kernel::ready::when_readable;

/// The largest packet.
const LARGEST: usize = 65_535;
/// IPv4's.
const HEADER: usize = 20;

/// Receives one IP protocol's packets to a group, or an address of this host, on one interface.
#[derive(Debug)]
pub struct Receiver {
    socket: AsyncFd<Socket>,
    over_ipv4: bool,
    buffer: Vec<u8>,
}

impl Receiver {
    /// Joins the group. Must be called inside a tokio runtime. Needs CAP_NET_RAW.
    pub fn join(protocol: u8, interface: &str, index: u32, group: IpAddr) -> io::Result<Self> {
        let socket = open(protocol, interface, group)?;
        match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, index)?,
        }
        Receiver::of(socket, group)
    }

    /// Hears what comes to one of this host's addresses. Must be called inside a tokio runtime.
    /// Needs CAP_NET_RAW.
    ///
    /// Error: this host doesn't have the address.
    pub fn bind(protocol: u8, interface: &str, index: u32, address: IpAddr) -> io::Result<Self> {
        let socket = open(protocol, interface, address)?;
        let local: SocketAddr = match address {
            IpAddr::V6(address) if needs_interface(address) => {
                SocketAddrV6::new(address, 0, 0, index).into()
            }
            _ => SocketAddr::new(address, 0),
        };
        socket.bind(&local.into())?;
        Receiver::of(socket, address)
    }

    fn of(socket: Socket, address: IpAddr) -> io::Result<Self> {
        // Only what this socket joined, not what any socket of the host joined.
        match address {
            IpAddr::V4(_) => socket.set_multicast_all_v4(false)?,
            IpAddr::V6(_) => {
                socket.set_multicast_all_v6(false)?;
                socket.set_recv_hoplimit_v6(true)?;
                setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
        }
        let over_ipv4 = address.is_ipv4();
        Ok(Receiver { socket: when_readable(socket)?, over_ipv4, buffer: vec![0; LARGEST] })
    }

    /// How many bytes may wait to be read (the kernel counts more than the packets' lengths).
    pub fn set_buffer(&self, bytes: usize) -> io::Result<()> {
        self.socket.get_ref().set_recv_buffer_size(bytes)
    }

    /// The next packet whose IP header makes sense. An error of the interface (it went down) is
    /// returned once and clears itself.
    pub fn poll_receive(&mut self, context: &mut Context) -> Poll<io::Result<Packet>> {
        loop {
            let mut ready = match self.socket.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            };
            match ready.try_io(|socket| read(socket.get_ref(), self.over_ipv4, &mut self.buffer)) {
                Ok(Ok(Some(packet))) => return Poll::Ready(Ok(packet)),
                Ok(Ok(None)) => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }

    /// A packet that has come in already, whatever the runtime knows of it.
    pub fn take_waiting(&mut self) -> Option<Packet> {
        loop {
            let packet = read(self.socket.get_ref(), self.over_ipv4, &mut self.buffer).ok()?;
            if packet.is_some() {
                return packet;
            }
        }
    }
}

fn open(protocol: u8, interface: &str, address: IpAddr) -> io::Result<Socket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(protocol))))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    Ok(socket)
}

/// One packet; `None`: one that makes no sense.
fn read(mut socket: &Socket, over_ipv4: bool, buffer: &mut [u8]) -> io::Result<Option<Packet>> {
    if over_ipv4 {
        let length = socket.read(buffer)?;
        return Ok(parse(&buffer[..length]));
    }
    let mut parts = [IoSliceMut::new(buffer)];
    let mut ancillary = nix::cmsg_space!(libc::in6_pktinfo, libc::c_int);
    let (source, destination, ttl, length) = {
        let fd = socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrIn6>(fd, &mut parts, Some(&mut ancillary), MsgFlags::empty())?;
        let (mut destination, mut ttl) = (None, None);
        for it in message.cmsgs()? {
            match it {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
                }
                ControlMessageOwned::Ipv6HopLimit(hops) => ttl = u8::try_from(hops).ok(),
                _ => {}
            }
        }
        (message.address.map(|it| it.ip()), destination, ttl, message.bytes)
    };
    let packet = |(source, destination, ttl): (Ipv6Addr, Ipv6Addr, u8)| Packet {
        source: source.into(),
        destination: destination.into(),
        ttl,
        identification: 0,
        payload: buffer[..length].to_vec(),
    };
    Ok(source
        .zip(destination)
        .zip(ttl)
        .map(|((source, destination), ttl)| packet((source, destination, ttl))))
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
        source: Ipv4Addr::new(header[12], header[13], header[14], header[15]).into(),
        destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]).into(),
        ttl: header[8],
        identification: u16::from_be_bytes([header[4], header[5]]),
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
        assert_eq!((packet.ttl, packet.source), (255, IpAddr::from([10, 0, 0, 1])));
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
