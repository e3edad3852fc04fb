//! `auth_hmac`: keepalived 2.4's trailer behind an advert, with HMAC-SHA256 cut to 16 bytes.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use openssl::hash::MessageDigest;

use super::digest::{self, hmac};
use crate::plan::wire::{AntiReplay, Hmac, HmacMode};

/// In bytes.
pub(super) const LENGTH: usize = 28;
const TYPE: u8 = 1;
/// What stands in front of the digest.
const HEAD: usize = 12;
const DIGEST: usize = 16;

/// When a sender sent, as UTC seconds (32 bits), 1/65536 s (16 bits) and a counter (16 bits): it
/// grows from each advert of a sender to the next, compared as a serial number (RFC 1982).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// This moment, but later than the last one that was sent.
    pub fn next(wall: SystemTime, last: Option<Stamp>) -> Stamp {
        let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
        let now = Stamp(since.as_secs() << 32 | fraction << 16);
        match last {
            Some(last) if !now.is_after(last) => Stamp(last.0.wrapping_add(1)),
            _ => now,
        }
    }

    pub fn is_after(self, other: Stamp) -> bool {
        (self.0.wrapping_sub(other.0) as i64) > 0
    }

    /// How far away that moment is, before or after.
    fn distance(self, wall: SystemTime) -> Duration {
        let now = Stamp::next(wall, None);
        let difference = (self.0.wrapping_sub(now.0) as i64).unsigned_abs();
        Duration::from_secs(difference >> 32)
            + Duration::from_nanos(((difference & 0xffff_ffff) * 1_000_000_000) >> 32)
    }
}

/// Why an advert doesn't count. Each has a statistic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailerFault {
    Missing,
    /// Another type, or something where zeros have to be.
    Malformed,
    UnknownKey(u8),
    /// Sent too long ago, or ahead of our clock.
    Stale,
    /// Not newer than the last one of this sender.
    Replayed,
    Digest,
}

/// What checking needs to know besides the packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked<'a> {
    pub hmac: &'a Hmac,
    pub wall: SystemTime,
    /// The last one accepted from this sender.
    pub last: Option<Stamp>,
}

/// Behind a PDU of version `version` from `source`.
pub(super) fn sign(pdu: &[u8], source: IpAddr, hmac: &Hmac, stamp: Stamp) -> Option<Vec<u8>> {
    let key = hmac.keys.get(&hmac.active)?;
    let mut head = [0; HEAD];
    head[0] = TYPE;
    head[1] = hmac.active;
    head[4..].copy_from_slice(&stamp.0.to_be_bytes());
    let digest = digest(pdu, source, &head, key);
    Some(head.into_iter().chain(digest.get(..DIGEST)?.iter().copied()).collect())
}

/// Checks what stands behind the PDU. `None`: there is nothing, and nothing is needed.
pub(super) fn check(
    pdu: &[u8],
    trailer: &[u8],
    source: IpAddr,
    by: Checked<'_>,
) -> Result<Option<Stamp>, TrailerFault> {
    if trailer.is_empty() {
        return match by.hmac.mode {
            HmacMode::Enforce => Err(TrailerFault::Missing),
            HmacMode::Permissive | HmacMode::ReceiveOnly => Ok(None),
        };
    }
    let Some((head, theirs)) = trailer.split_first_chunk::<HEAD>() else {
        return Err(TrailerFault::Malformed);
    };
    let [TYPE, id, 0, 0, time @ ..] = *head else { return Err(TrailerFault::Malformed) };
    if theirs.len() != DIGEST {
        return Err(TrailerFault::Malformed);
    }
    let key = by.hmac.keys.get(&id).ok_or(TrailerFault::UnknownKey(id))?;
    let stamp = Stamp(u64::from_be_bytes(time));
    if let AntiReplay::Time { window } = by.hmac.anti_replay
        && stamp.distance(by.wall) > window
    {
        return Err(TrailerFault::Stale);
    }
    if by.last.is_some_and(|last| !stamp.is_after(last)) {
        return Err(TrailerFault::Replayed);
    }
    let ours = digest(pdu, source, head, key);
    match ours.get(..DIGEST).is_some_and(|ours| digest::equal(ours, theirs)) {
        true => Ok(Some(stamp)),
        false => Err(TrailerFault::Digest),
    }
}

/// Over a pseudo header of family, version, VRID and source, the PDU without its checksum, and the
/// trailer with zeros for the digest.
fn digest(pdu: &[u8], source: IpAddr, head: &[u8; HEAD], key: &crate::plan::Secret) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 + pdu.len() + LENGTH);
    let family = if source.is_ipv4() { 4 } else { 6 };
    let (version, vrid) = (pdu.first().map_or(0, |it| it >> 4), pdu.get(1).copied().unwrap_or(0));
    bytes.extend([family, version, vrid, 0]);
    let mut padded = [0; 16];
    match source {
        IpAddr::V4(source) => padded[..4].copy_from_slice(&source.octets()),
        IpAddr::V6(source) => padded = source.octets(),
    }
    bytes.extend(padded);
    let at = bytes.len();
    bytes.extend(pdu);
    if let Some(checksum) = bytes.get_mut(at + 6..at + 8) {
        checksum.fill(0);
    }
    bytes.extend(head);
    bytes.extend([0; DIGEST]);
    hmac(MessageDigest::sha256(), key, &bytes)
}
