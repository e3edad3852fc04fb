//! Raw sockets for a protocol that speaks to a multicast group, or to single hosts, on one
//! interface, over IPv4 and IPv6.
//!
//! A [`Receiver`] hears one group or one address; senders are a file for each family, since IPv4's
//! header is written here and IPv6's by the kernel. Read `receiver` next.

mod receiver;
mod v4;
mod v6;

use std::io;
use std::net::IpAddr;

pub use receiver::Receiver;
pub use v4::HeaderSender;
pub use v6::PacketSender;

/// One packet as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Or hop limit.
    pub ttl: u8,
    /// IPv4's; 0 over IPv6, which has none.
    pub identification: u16,
    /// What stands behind the IP header.
    pub payload: Vec<u8>,
}

/// One packet to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// Or hop limit.
    pub ttl: u8,
    /// IPv4's; 0 lets the kernel choose.
    pub identification: u16,
    pub payload: &'a [u8],
}

/// Sends packets of one family out of one interface.
#[derive(Debug)]
pub enum Sender {
    V4(HeaderSender),
    V6(PacketSender),
}

impl Sender {
    /// For packets to addresses of the family of `destination`. Needs CAP_NET_RAW.
    pub fn open(interface: &str, index: u32, destination: IpAddr) -> io::Result<Self> {
        match destination {
            IpAddr::V4(_) => HeaderSender::open(interface).map(Sender::V4),
            IpAddr::V6(_) => PacketSender::open(interface, index).map(Sender::V6),
        }
    }

    /// Error of kind `InvalidInput`: the addresses are of different families, or of another one
    /// than this sender.
    pub fn send(&self, letter: Letter) -> io::Result<()> {
        match (self, letter.source, letter.destination) {
            (Sender::V4(sender), IpAddr::V4(source), IpAddr::V4(destination)) => {
                sender.send(source, destination, letter)
            }
            (Sender::V6(sender), IpAddr::V6(source), IpAddr::V6(destination)) => {
                sender.send(source, destination, letter)
            }
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}
