//! Unsolicited neighbour advertisements (RFC 4861, sections 4.4 and 7.2.6) out of a packet socket.

use std::io;
use std::net::Ipv6Addr;

use super::link_frame::FrameSender;

/// All nodes of the link, ff02::1, as an Ethernet address (RFC 2464, section 7).
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

/// Sends neighbour advertisements out of any interface.
#[derive(Debug)]
pub struct NeighbourSender(FrameSender);

impl NeighbourSender {
    /// Needs CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        FrameSender::open().map(NeighbourSender)
    }

    /// Tells everybody on the link that `address` is at `mac`, and whether a router is there.
    pub fn announce(
        &self,
        index: u32,
        mac: [u8; 6],
        address: Ipv6Addr,
        router: bool,
    ) -> io::Result<()> {
        self.0.send(index, &advertisement(mac, address, router))
    }
}

/// From the address itself, as keepalived sends it.
fn advertisement(mac: [u8; 6], address: Ipv6Addr, router: bool) -> Vec<u8> {
    let flags = if router { ROUTER | OVERRIDE } else { OVERRIDE };
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    message.extend(address.octets());
    message.extend([TARGET_LINK_LAYER_ADDRESS, 1]);
    message.extend(mac);
    let length = message.len() as u16;

    let mut pseudo = Vec::with_capacity(40 + message.len());
    pseudo.extend(address.octets());
    pseudo.extend(ALL_NODES.octets());
    pseudo.extend([length.to_be_bytes(), [0, ICMPV6]].concat());
    pseudo.extend(&message);
    message[2..4].copy_from_slice(&checksum(&pseudo).to_be_bytes());

    let mut frame = Vec::with_capacity(54 + message.len());
    frame.extend(ALL_NODES_MAC);
    frame.extend(mac);
    frame.extend(ETHERTYPE_IPV6.to_be_bytes());
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

/// RFC 1071; of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `fixtures/wire/neighbour-advertisement.toml`
    #[test]
    fn a_neighbour_advertisement_is_the_one_that_keepalived_sends() {
        let text = include_str!("../../fixtures/wire/neighbour-advertisement.toml");
        let hex = text.split("frame = \"\"\"").nth(1).unwrap();
        let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
        let mac = [2, 0, 0, 0, 0, 0x0a];
        let frame = advertisement(mac, "fe80::100".parse().unwrap(), false);
        let ours: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(ours, digits);
    }
}
