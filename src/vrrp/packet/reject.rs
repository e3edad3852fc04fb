//! Why a packet doesn't count: keepalived's words and its counters.

use std::net::IpAddr;
use std::time::Duration;

use super::TTL;
use super::trailer::TrailerFault;
use crate::plan::vrrp::{Version, VirtualRouter};
use crate::plan::wire::Family;
use crate::vrrp::machine::Counter;

/// Lengths are those of what stands behind the IP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Sent by ourselves, to another group, or of another family: nobody's fault, so silent and
    /// uncounted.
    NotForUs,
    NoHeader {
        length: usize,
        family: Family,
    },
    Length {
        length: usize,
        expected: usize,
        family: Family,
    },
    Ttl(u8),
    Version {
        received: u8,
        expected: u8,
    },
    Vrid(u8),
    InvalidAuthType(u8),
    AuthTypeMismatch {
        received: u8,
        expected: u8,
    },
    AuthFailure,
    /// `auth_type AH`: the index isn't the source address.
    SecurityIndex {
        received: u32,
        expected: u32,
    },
    /// `auth_type AH`
    IntegrityCheck,
    /// `auth_type AH`: not higher than what was heard or sent before.
    Sequence {
        received: u32,
        ours: u32,
    },
    /// `auth_hmac`
    Trailer(TrailerFault),
    Type(u8),
    Interval {
        received: Duration,
        expected: Duration,
    },
    Checksum(Version),
    AddressCount {
        received: usize,
        expected: usize,
    },
    AddressMissing(IpAddr),
    /// `check_unicast_src`
    NotAPeer(IpAddr),
    /// `min_ttl`, `max_ttl`
    PeerTtl {
        received: u8,
        min: u8,
        max: u8,
    },
}

impl Reject {
    /// The statistic that it adds to.
    pub fn counter(&self) -> Option<Counter> {
        Some(match self {
            Reject::NotForUs | Reject::NotAPeer(_) => return None,
            Reject::NoHeader { .. } | Reject::Length { .. } => Counter::PacketLengthError,
            Reject::Ttl(_) | Reject::PeerTtl { .. } => Counter::TtlError,
            Reject::Version { .. } => Counter::VersionError,
            Reject::Vrid(_) => Counter::VridError,
            Reject::InvalidAuthType(_) => Counter::InvalidAuthType,
            Reject::AuthTypeMismatch { .. } => Counter::AuthTypeMismatch,
            Reject::AuthFailure
            | Reject::SecurityIndex { .. }
            | Reject::IntegrityCheck
            | Reject::Sequence { .. } => Counter::AuthFailure,
            Reject::Trailer(fault) => match fault {
                TrailerFault::Missing => Counter::AuthExtMissing,
                TrailerFault::Malformed => Counter::AuthExtMalformed,
                TrailerFault::UnknownKey(_) => Counter::AuthExtUnknownKey,
                TrailerFault::Stale => Counter::AuthExtStale,
                TrailerFault::Replayed => Counter::AuthExtReplay,
                TrailerFault::Digest => Counter::AuthExtInvalidHmac,
            },
            Reject::Type(_) => Counter::TypeError,
            Reject::Interval { .. } => Counter::AdvertIntervalError,
            Reject::Checksum(_) => Counter::ChecksumError,
            Reject::AddressCount { .. } | Reject::AddressMissing(_) => Counter::AddressListError,
        })
    }

    /// keepalived's line about it, without the instance's name in front.
    pub fn message(&self, router: &VirtualRouter) -> String {
        match self {
            Reject::NotForUs => "packet not for us".into(),
            Reject::NoHeader { length, family } => too_short(*length, *family, ""),
            Reject::Length { length, expected, family } => {
                let word = if length < expected { "short" } else { "long" };
                let (length, expected) =
                    (length + ip_header(*family), expected + ip_header(*family));
                format!("vrrp packet too {word}, length {length} and expect {expected}")
            }
            Reject::Ttl(ttl) => format!("invalid TTL/HL. Received {ttl} and expect {TTL}"),
            Reject::Version { received, expected } => {
                format!("wrong version. Received {received} and expect {expected}")
            }
            Reject::Vrid(vrid) => {
                format!(
                    "Unknown VRID({vrid}) received on interface({}). ignoring...",
                    router.interface
                )
            }
            Reject::InvalidAuthType(number) => format!("Invalid auth type: {number}"),
            Reject::AuthTypeMismatch { received, expected } => {
                format!("received a {received} auth, expecting {expected}!")
            }
            Reject::AuthFailure => "received an invalid passwd!".into(),
            // In the order and the byte order in which keepalived shows them.
            Reject::SecurityIndex { received, expected } => format!(
                "IPSEC AH : invalid IPSEC SPI value. {} and expect {}",
                expected.swap_bytes(),
                received.swap_bytes()
            ),
            Reject::IntegrityCheck => "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields \
                                       mutation or bad password !"
                .into(),
            Reject::Sequence { received, ours } => format!(
                "IPSEC-AH : sequence number {received} already processed. Packet dropped. \
                 Local({ours})"
            ),
            Reject::Trailer(fault) => match fault {
                TrailerFault::Missing => "advert without an authentication trailer".into(),
                TrailerFault::Malformed => "malformed authentication trailer".into(),
                TrailerFault::UnknownKey(id) => {
                    format!("authentication trailer with unknown key {id}")
                }
                TrailerFault::Stale => {
                    "authentication trailer outside the time window: are the clocks in step?".into()
                }
                TrailerFault::Replayed => "authentication trailer replayed".into(),
                TrailerFault::Digest => "authentication trailer with an invalid HMAC".into(),
            },
            Reject::Type(received) => {
                format!("Invalid packet type. {received} and expect 1")
            }
            Reject::Interval { received, expected } => format!(
                "advertisement interval mismatch mine={} sec rcv'd={} sec",
                expected.as_secs(),
                received.as_secs()
            ),
            Reject::Checksum(version) => format!("Invalid VRRPv{} checksum", version.number()),
            Reject::AddressCount { received, expected } => {
                format!("received an unexpected ip number count {received}, expected {expected}!")
            }
            Reject::NotAPeer(source) => {
                format!("unicast source address {source} not a unicast peer")
            }
            Reject::PeerTtl { received, min, max } => {
                format!("TTL/HL {received} not in range {min} - {max}")
            }
            Reject::AddressMissing(address) => format!(
                "ip address associated with VRID {} not present in MASTER advert: {address}",
                router.vrid
            ),
        }
    }
}

/// keepalived's line about a packet in which nothing can be found. `what` is what is missing.
pub fn too_short(length: usize, family: Family, what: &str) -> String {
    let name = match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    format!("{name} VRRP packet{what} too short - {} bytes", length + ip_header(family))
}

/// keepalived's lengths in messages are those of the whole IPv4 packet without options; IPv6's
/// header it never sees.
fn ip_header(family: Family) -> usize {
    match family {
        Family::V4 => 20,
        Family::V6 => 0,
    }
}
