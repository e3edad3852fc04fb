//! Gratuitous ARP (RFC 826, RFC 5227 section 3) out of a packet socket.

use std::io;
use std::net::Ipv4Addr;

use super::link_frame::FrameSender;

const BROADCAST: [u8; 6] = [0xff; 6];
const ETHERTYPE_ARP: u16 = 0x0806;

/// Sends ARP packets out of any interface.
#[derive(Debug)]
pub struct ArpSender(FrameSender);

impl ArpSender {
    /// Needs CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        FrameSender::open().map(ArpSender)
    }

    /// Tells everybody on the link that `address` is at `mac`.
    pub fn announce(&self, index: u32, mac: [u8; 6], address: Ipv4Addr) -> io::Result<()> {
        self.0.send(index, &gratuitous(mac, address))
    }
}

/// An ARP request for our own address with our own address as sender, to everybody. Target
/// hardware address all ones, as keepalived sends it.
fn gratuitous(mac: [u8; 6], address: Ipv4Addr) -> [u8; 42] {
    let mut frame = [0; 42];
    frame[..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&ETHERTYPE_ARP.to_be_bytes());
    // Ethernet, IPv4, lengths 6 and 4, request.
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&address.octets());
    frame[32..38].copy_from_slice(&BROADCAST);
    frame[38..42].copy_from_slice(&address.octets());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `fixtures/wire/gratuitous-arp.toml`
    #[test]
    fn a_gratuitous_arp_is_the_one_that_keepalived_sends() {
        let text = include_str!("../../fixtures/wire/gratuitous-arp.toml");
        let hex = text.split("frame = \"\"\"").nth(1).unwrap();
        let digits: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
        let mac = [0x26, 0x3c, 0x8d, 0x32, 0x76, 0x87];
        let frame = gratuitous(mac, Ipv4Addr::new(10, 9, 0, 100));
        let ours: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(ours, digits);
    }
}
