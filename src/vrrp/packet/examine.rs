//! Does a packet count? keepalived's checks, in its order.

use std::net::IpAddr;
use std::time::Instant;

use super::advert::{Advert, AuthType, Malformed, checksum_holds};
use super::authentication_header::{self, IpFacts};
use super::ledger::Ledger;
use super::reject::Reject;
use super::trailer::{self, Checked, Stamp};
use super::{PROTOCOL, TTL};
use crate::plan::vrrp::{Authentication, Version, VirtualRouter};
use crate::plan::wire::{Checksum, Family};
use crate::vrrp::machine::Received;

/// What this node's config, and what went before, make it expect of the others.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub router: &'a VirtualRouter,
    /// Our own source address, to know our own packets when they come back.
    pub source: Option<IpAddr>,
    pub ledger: &'a Ledger,
}

/// An advert that counts, with what it teaches ([`Ledger::accept`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub advert: Advert,
    /// `auth_type AH`
    pub sequence: Option<u32>,
    /// `auth_hmac`
    pub stamp: Option<Stamp>,
    /// Its checksum was right only in keepalived's old way.
    pub old_checksum: bool,
}

/// The advert in a packet, or why the packet doesn't count. Never panics, whatever the bytes.
pub fn examine(now: Instant, packet: &Received, expected: Expected<'_>) -> Result<Heard, Reject> {
    let (router, family) = (expected.router, expected.router.family());
    let meant = match router.unicast {
        Some(_) => expected.source == Some(packet.destination),
        None => packet.destination == router.group,
    };
    if Some(packet.source) == expected.source || !meant || Family::of(packet.source) != family {
        return Err(Reject::NotForUs);
    }
    let (header, payload) = match &router.authentication {
        Some(Authentication::Header(_)) => {
            let split = authentication_header::Header::split(&packet.pdu);
            let length = packet.pdu.len();
            let (header, payload) = split.ok_or(Reject::NoHeader { length, family })?;
            if header.next != PROTOCOL {
                return Err(Reject::NotForUs);
            }
            (Some(header), payload)
        }
        _ => (None, packet.pdu.as_slice()),
    };
    let before = packet.pdu.len() - payload.len();
    let (pdu, trailer) = without_trailer(payload, router, family);
    // keepalived looks at type and version only after length, TTL and authentication, so what
    // parsing finds about the type waits its turn.
    let parsed = match Advert::parse(pdu, family) {
        Err(Malformed::NoHeader { length }) => {
            return Err(Reject::NoHeader { length: length + before, family });
        }
        Err(Malformed::Length { length, expected }) => {
            let (length, expected) = (length + before, expected + before);
            return Err(Reject::Length { length, expected, family });
        }
        other => other,
    };
    if pdu[1] != router.vrid {
        return Err(Reject::Vrid(pdu[1]));
    }
    if router.unicast.is_none() && packet.ttl != TTL {
        return Err(Reject::Ttl(packet.ttl));
    }
    let version = router.version.number();
    if pdu[0] >> 4 != version {
        return Err(Reject::Version { received: pdu[0] >> 4, expected: version });
    }
    if router.version == Version::V2 {
        authenticate(pdu, router, family)?;
    }
    let sequence = match (header, &router.authentication) {
        (Some(header), Some(Authentication::Header(key))) => {
            Some(check_header(header, packet, key, expected.ledger)?)
        }
        _ => None,
    };
    let advert = match parsed {
        Ok(advert) => advert,
        Err(Malformed::Type(received)) => return Err(Reject::Type(received)),
        Err(Malformed::Version(received)) => {
            return Err(Reject::Version { received, expected: version });
        }
        Err(Malformed::NoHeader { length } | Malformed::Length { length, .. }) => {
            return Err(Reject::NoHeader { length, family });
        }
    };
    // Version 3 learns the interval of the active router instead (RFC 5798, 6.4.2).
    if router.version == Version::V2 && advert.interval != router.advert_interval {
        return Err(Reject::Interval {
            received: advert.interval,
            expected: router.advert_interval,
        });
    }
    let old_checksum = check_checksum(pdu, packet, expected)?;
    let stamp = match &router.wire.hmac {
        Some(hmac) => {
            let wall = expected.ledger.wall_clock(now);
            let last = expected.ledger.heard_from(packet.source);
            let by = Checked { hmac, wall, last };
            trailer::check(pdu, trailer, packet.source, by).map_err(Reject::Trailer)?
        }
        None => None,
    };
    let known = expected.ledger.sender == Some(packet.source);
    if !(known && router.wire.trust_known_sender) {
        compare_addresses(&advert, router, family)?;
    }
    Ok(Heard { advert, sequence, stamp, old_checksum })
}

/// Is a good packet from one of the unicast peers, and near enough? keepalived asks this last.
pub fn speaker(packet: &Received, router: &VirtualRouter) -> Result<(), Reject> {
    let Some(unicast) = router.unicast.as_ref().filter(|unicast| unicast.check_source) else {
        return Ok(());
    };
    let peer = unicast.peers.iter().find(|it| it.address == packet.source);
    let Some(peer) = peer else { return Err(Reject::NotAPeer(packet.source)) };
    let (min, max) = (peer.min_ttl, peer.max_ttl);
    if !(min..=max).contains(&packet.ttl) {
        return Err(Reject::PeerTtl { received: packet.ttl, min, max });
    }
    Ok(())
}

/// Cuts off what stands behind the PDU, where something may stand there.
fn without_trailer<'a>(
    payload: &'a [u8],
    router: &VirtualRouter,
    family: Family,
) -> (&'a [u8], &'a [u8]) {
    let length = Advert::length_of(payload, family).filter(|_| router.wire.hmac.is_some());
    let Some((pdu, rest)) = length.and_then(|length| payload.split_at_checked(length)) else {
        return (payload, &[]);
    };
    // Recordings of 2.4.3 in version 2 have two zero bytes in between, which its digest doesn't
    // cover. Refusing them could make two active routers of two that share a key.
    let padding: &[u8] = if router.version == Version::V2 { &[0, 0] } else { &[] };
    match rest.len() {
        0 | trailer::LENGTH => (pdu, rest),
        _ => match rest.strip_prefix(padding) {
            Some(trailer) if trailer.len() == trailer::LENGTH => (pdu, trailer),
            _ => (payload, &[]),
        },
    }
}

fn authenticate(pdu: &[u8], router: &VirtualRouter, family: Family) -> Result<(), Reject> {
    let received = pdu[4];
    if received > AuthType::Header.number() {
        return Err(Reject::InvalidAuthType(received));
    }
    let expected = auth_type(router.authentication.as_ref());
    if received != expected.number() {
        return Err(Reject::AuthTypeMismatch { received, expected: expected.number() });
    }
    // Over IPv6 there is no password in the packet. keepalived compares the end of the last address
    // with it all the same, refuses every advert, and so has an active router on every node; two
    // nodes must never hold an address because of a field that isn't there.
    if expected == AuthType::Pass
        && family == Family::V4
        && pdu.last_chunk::<8>() != Some(&auth_data(router.authentication.as_ref()))
    {
        return Err(Reject::AuthFailure);
    }
    Ok(())
}

/// The sequence number, if the header is right.
fn check_header(
    header: authentication_header::Header,
    packet: &Received,
    key: &crate::plan::Secret,
    ledger: &Ledger,
) -> Result<u32, Reject> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) else {
        return Err(Reject::NotForUs);
    };
    if header.index != u32::from(source) {
        return Err(Reject::SecurityIndex { received: header.index, expected: source.into() });
    }
    let (identification, ttl) = (packet.identification, packet.ttl);
    let ip = IpFacts { source, destination, identification, ttl };
    if !header.holds(&packet.pdu, ip, key) {
        return Err(Reject::IntegrityCheck);
    }
    if header.sequence <= ledger.sequence {
        let (received, ours) = (header.sequence, ledger.sequence);
        return Err(Reject::Sequence { received, ours });
    }
    Ok(header.sequence)
}

/// Whether it is right in the old way only.
fn check_checksum(pdu: &[u8], packet: &Received, expected: Expected<'_>) -> Result<bool, Reject> {
    let (router, family) = (expected.router, expected.router.family());
    let holds = |pseudo| checksum_holds(router.version, pdu, pseudo, family);
    let usual = Some((packet.source, packet.destination));
    let old = Some((packet.source, router.group));
    let reject = Err(Reject::Checksum(router.version));
    if router.version == Version::V2 || family == Family::V6 {
        return if holds(usual) { Ok(false) } else { reject };
    }
    let unicast = router.unicast.is_some();
    match router.wire.checksum {
        Checksum::WithoutPseudoHeader if holds(None) => Ok(false),
        Checksum::WithoutPseudoHeader => reject,
        Checksum::Old if unicast => {
            if holds(old) {
                Ok(false)
            } else {
                reject
            }
        }
        Checksum::Usual if expected.ledger.old_checksum => {
            if holds(old) {
                Ok(false)
            } else {
                reject
            }
        }
        _ if holds(usual) => Ok(false),
        Checksum::Usual if unicast && holds(old) => Ok(true),
        _ => reject,
    }
}

fn compare_addresses(
    advert: &Advert,
    router: &VirtualRouter,
    family: Family,
) -> Result<(), Reject> {
    let ours =
        || router.addresses.iter().map(|it| it.address).filter(|it| Family::of(*it) == family);
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
        Some(Authentication::Header(_)) => AuthType::Header,
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
