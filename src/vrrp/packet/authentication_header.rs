//! `auth_type AH`: the IP Authentication Header (RFC 2402) in front of an advert over IPv4, with
//! HMAC-MD5-96 (RFC 2403), as keepalived 2.2.7 was seen to send and check it.

use std::net::Ipv4Addr;

use openssl::hash::MessageDigest;

use super::digest::hmac;
use super::{PROTOCOL, digest};
use crate::plan::Secret;

/// IP protocol number.
pub const AUTHENTICATION_HEADER: u8 = 51;
/// In bytes.
pub(super) const LENGTH: usize = 24;
const IP_HEADER: usize = 20;
const ICV: usize = 12;
/// In words of 4 bytes, less two (RFC 2402, 2.2).
const PAYLOAD_LENGTH: u8 = 4;

/// The facts of an IPv4 header that the integrity check value covers and that aren't constant.
#[derive(Clone, Copy, Debug)]
pub(super) struct IpFacts {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) identification: u16,
    pub(super) ttl: u8,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) next: u8,
    /// Security parameters index: keepalived uses the source address.
    pub(super) index: u32,
    pub(super) sequence: u32,
    icv: [u8; ICV],
}

impl Header {
    /// Splits what stands behind the IP header; `None`: too short.
    pub(super) fn split(payload: &[u8]) -> Option<(Header, &[u8])> {
        let (header, pdu) = payload.split_first_chunk::<LENGTH>()?;
        let word = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let icv = *header.last_chunk::<ICV>()?;
        Some((Header { next: header[0], index: word(4), sequence: word(8), icv }, pdu))
    }

    /// Does the integrity check value belong to this packet and key?
    pub(super) fn holds(&self, payload: &[u8], ip: IpFacts, key: &Secret) -> bool {
        digest::equal(&integrity(payload, ip, key), &self.icv)
    }
}

/// An advert with its header in front.
pub(super) fn seal(pdu: &[u8], ip: IpFacts, sequence: u32, key: &Secret) -> Vec<u8> {
    let mut payload = Vec::with_capacity(LENGTH + pdu.len());
    payload.extend([PROTOCOL, PAYLOAD_LENGTH, 0, 0]);
    payload.extend(ip.source.octets());
    payload.extend(sequence.to_be_bytes());
    payload.extend([0; ICV]);
    payload.extend(pdu);
    let icv = integrity(&payload, ip, key);
    payload[LENGTH - ICV..LENGTH].copy_from_slice(&icv);
    payload
}

/// Over the IP header without what routers change, and everything behind it without the value
/// itself (RFC 2402, 3.3.3). The TTL is one of those; but keepalived leaves it in where it is 255
/// in any case: in what goes to the group.
fn integrity(payload: &[u8], ip: IpFacts, key: &Secret) -> [u8; ICV] {
    let total = ((IP_HEADER + payload.len()) as u16).to_be_bytes();
    let mut packet = Vec::with_capacity(IP_HEADER + payload.len());
    packet.extend([0x45, 0]);
    packet.extend(total);
    packet.extend(ip.identification.to_be_bytes());
    let ttl = if ip.destination.is_multicast() { ip.ttl } else { 0 };
    packet.extend([0, 0, ttl, AUTHENTICATION_HEADER, 0, 0]);
    packet.extend(ip.source.octets());
    packet.extend(ip.destination.octets());
    packet.extend(payload);
    if let Some(icv) = packet.get_mut(IP_HEADER + LENGTH - ICV..IP_HEADER + LENGTH) {
        icv.fill(0);
    }
    let mut value = [0; ICV];
    for (to, from) in value.iter_mut().zip(hmac(MessageDigest::md5(), key, &packet)) {
        *to = from;
    }
    value
}
