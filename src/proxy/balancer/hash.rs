//! `hash KEY`: the peer by CRC-32 of the key, as the Perl library Cache::Memcached has it, with
//! which nginx's documentation says it is compatible.
//!
//! A key whose peer is of no use is hashed again with a number before it, and the hashes add up.

use std::time::Instant;

use super::peer::Peers;
use super::search::Search;

/// Weights of the peers that aren't backups, summed up: a hash is looked up in it.
#[derive(Debug)]
pub(super) struct Shares {
    /// Up to where a peer's share goes, and which it is.
    ends: Vec<(u64, u32)>,
    total: u64,
}

impl Shares {
    pub(super) fn new(peers: &Peers) -> Self {
        let mut total = 0;
        let mut ends = Vec::new();
        for (index, peer) in peers.primary() {
            total += peer.weight().unsigned_abs();
            ends.push((total, index as u32));
        }
        Self { ends, total }
    }

    /// Whose share this point is in.
    pub(super) fn owner(&self, point: u64) -> Option<usize> {
        let at = self.ends.partition_point(|(end, _)| *end <= point);
        self.ends.get(at).map(|(_, peer)| *peer as usize)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// `None`: the key has led nowhere, and round robin decides.
pub(super) fn pick(
    shares: &Shares,
    peers: &Peers,
    now: Instant,
    search: &mut Search,
) -> Option<usize> {
    let mut key = search.key.take()?;
    let mut found = None;
    while !key.is_lost() && found.is_none() && shares.total() > 0 {
        let number = if key.hashes == 0 { String::new() } else { key.hashes.to_string() };
        let crc = crc32(crc32(0, number.as_bytes()), &key.bytes);
        let sum = key.at.unwrap_or(0) + u64::from(crc >> 16 & 0x7fff);
        (key.at, key.hashes) = (Some(sum), key.hashes.wrapping_add(1));
        found = shares
            .owner(sum % shares.total())
            .filter(|peer| peers.usable(*peer, now) && !search.has_tried(*peer));
        key.misses += u32::from(found.is_none());
    }
    search.key = Some(key);
    found
}

/// CRC-32 as zlib has it; `crc` is that of what came before, 0 at first.
pub(super) fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    for byte in bytes {
        crc = TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8);
    }
    !crc
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};
