//! Does a packet count? keepalived's checks, in its order, with its words and its counters.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::TTL;
use super::advert::{Advert, AuthType, Malformed, checksum_holds};
use crate::plan::vrrp::{Authentication, Version, VirtualRouter};
use crate::vrrp::machine::{Counter, Received};

/// keepalived's lengths in messages are those of the whole IP packet without options.
const IP_HEADER: usize = 20;

/// What this node's config makes it expect of the others.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub router: &'a VirtualRouter,
    /// Our own source address, to know our own packets when they come back.
    pub source: Option<Ipv4Addr>,
}

/// Why a packet doesn't count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Sent by ourselves, to another group, or not IPv4: nobody's fault, so silent and uncounted.
    NotForUs,
    NoHeader {
        length: usize,
    },
    Length {
        length: usize,
        expected: usize,
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
    AddressMissing(Ipv4Addr),
    /// `check_unicast_src`
    NotAPeer(IpAddr),
    /// `min_ttl`, `max_ttl`
    PeerTtl {
        received: u8,
        min: u8,
        max: u8,
    },
}

/// The advert in a packet, or why the packet doesn't count. Never panics, whatever the bytes.
pub fn examine(packet: &Received, expected: Expected<'_>) -> Result<Advert, Reject> {
    let router = expected.router;
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) else {
        return Err(Reject::NotForUs);
    };
    let meant = match router.unicast {
        Some(_) => expected.source == Some(destination),
        None => destination == router.group,
    };
    if Some(source) == expected.source || !meant {
        return Err(Reject::NotForUs);
    }
    let pdu = packet.pdu.as_slice();
    // keepalived looks at type and version only after length, TTL and authentication, so what
    // parsing finds about the type waits its turn.
    let parsed = match Advert::parse(pdu) {
        Err(Malformed::NoHeader { length }) => return Err(Reject::NoHeader { length }),
        Err(Malformed::Length { length, expected }) => {
            return Err(Reject::Length { length, expected });
        }
        other => other,
    };
    if pdu[1] != router.vrid {
        return Err(Reject::Vrid(pdu[1]));
    }
    if router.unicast.is_none() && packet.ttl != TTL {
        return Err(Reject::Ttl(packet.ttl));
    }
    let version = number(router.version);
    if pdu[0] >> 4 != version {
        return Err(Reject::Version { received: pdu[0] >> 4, expected: version });
    }
    if router.version == Version::V2 {
        authenticate(pdu, router)?;
    }
    let advert = match parsed {
        Ok(advert) => advert,
        Err(Malformed::Type(received)) => return Err(Reject::Type(received)),
        Err(Malformed::Version(received)) => {
            return Err(Reject::Version { received, expected: version });
        }
        Err(Malformed::NoHeader { length } | Malformed::Length { length, .. }) => {
            return Err(Reject::NoHeader { length });
        }
    };
    // Version 3 learns the interval of the active router instead (RFC 5798, 6.4.2).
    if router.version == Version::V2 && advert.interval != router.advert_interval {
        return Err(Reject::Interval {
            received: advert.interval,
            expected: router.advert_interval,
        });
    }
    if !checksum_holds(router.version, pdu, source, destination) {
        return Err(Reject::Checksum(router.version));
    }
    compare_addresses(&advert, router)?;
    Ok(advert)
}

/// Is a good packet from one of the unicast peers, and near enough? keepalived asks this last.
pub fn speaker(packet: &Received, router: &VirtualRouter) -> Result<(), Reject> {
    let Some(unicast) = router.unicast.as_ref().filter(|unicast| unicast.check_source) else {
        return Ok(());
    };
    let peer = unicast.peers.iter().find(|it| IpAddr::V4(it.address) == packet.source);
    let Some(peer) = peer else { return Err(Reject::NotAPeer(packet.source)) };
    let (min, max) = (peer.min_ttl, peer.max_ttl);
    if !(min..=max).contains(&packet.ttl) {
        return Err(Reject::PeerTtl { received: packet.ttl, min, max });
    }
    Ok(())
}

fn authenticate(pdu: &[u8], router: &VirtualRouter) -> Result<(), Reject> {
    let received = pdu[4];
    if received > AuthType::Header.number() {
        return Err(Reject::InvalidAuthType(received));
    }
    let expected = auth_type(router.authentication.as_ref());
    if received != expected.number() {
        return Err(Reject::AuthTypeMismatch { received, expected: expected.number() });
    }
    if expected == AuthType::Pass
        && pdu.last_chunk::<8>() != Some(&auth_data(router.authentication.as_ref()))
    {
        return Err(Reject::AuthFailure);
    }
    Ok(())
}

fn compare_addresses(advert: &Advert, router: &VirtualRouter) -> Result<(), Reject> {
    let ours = || router.addresses.iter().filter_map(|it| ipv4(it.address));
    let expected = ours().count();
    if advert.addresses.len() != expected {
        return Err(Reject::AddressCount { received: advert.addresses.len(), expected });
    }
    match ours().find(|address| !advert.addresses.contains(address)) {
        Some(missing) => Err(Reject::AddressMissing(missing)),
        None => Ok(()),
    }
}

pub(crate) fn auth_type(authentication: Option<&Authentication>) -> AuthType {
    match authentication {
        None => AuthType::None,
        Some(Authentication::Pass(_)) => AuthType::Pass,
    }
}

/// The authentication data field: the password's first 8 bytes, zeros behind it.
pub(crate) fn auth_data(authentication: Option<&Authentication>) -> [u8; 8] {
    let mut data = [0; 8];
    if let Some(Authentication::Pass(secret)) = authentication {
        for (to, from) in data.iter_mut().zip(secret.expose()) {
            *to = *from;
        }
    }
    data
}

pub(crate) fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn number(version: Version) -> u8 {
    match version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
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
            Reject::AuthFailure => Counter::AuthFailure,
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
            Reject::NoHeader { length } => {
                format!("IPv4 VRRP packet too short - {} bytes", length + IP_HEADER)
            }
            Reject::Length { length, expected } => {
                let word = if length < expected { "short" } else { "long" };
                let (length, expected) = (length + IP_HEADER, expected + IP_HEADER);
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
            Reject::Type(received) => {
                format!("Invalid packet type. {received} and expect 1")
            }
            Reject::Interval { received, expected } => format!(
                "advertisement interval mismatch mine={} sec rcv'd={} sec",
                expected.as_secs(),
                received.as_secs()
            ),
            Reject::Checksum(version) => format!("Invalid VRRPv{} checksum", number(*version)),
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
