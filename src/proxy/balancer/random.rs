//! `random` and `random two`: a peer by chance, by weight; of two such the one with less to do.

use std::time::Instant;

use super::hash::Shares;
use super::least_conn;
use super::least_time::{self, Clock};
use super::peer::Peers;
use super::search::Search;

/// Throws that hit nothing usable before round robin decides, as in nginx.
const THROWS: u32 = 20;

/// Random numbers from a seed that is injected (SplitMix64).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `limit`, each with the same chance.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}

/// By what the better of two is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Two {
    LeastConn,
    LeastTime(Clock),
}

/// `None`: chance has found nothing, and round robin decides.
pub(super) fn pick(
    (shares, chance): (&Shares, &mut Chance),
    two: Option<Two>,
    peers: &Peers,
    now: Instant,
    search: &Search,
) -> Option<usize> {
    let mut first = None;
    for _ in 0..=THROWS {
        let peer = shares.owner(chance.below(shares.total().max(1)))?;
        if !peers.usable(peer, now) || search.has_tried(peer) || first == Some(peer) {
            continue;
        }
        let (Some(two), Some(other)) = (two, first) else {
            if two.is_none() {
                return Some(peer);
            }
            first = Some(peer);
            continue;
        };
        let order = match two {
            Two::LeastConn => least_conn::load(peers, peer, other),
            Two::LeastTime(clock) => {
                let score = |peer| least_time::score(peers, peer, clock, now);
                score(peer).total_cmp(&score(other))
            }
        };
        return Some(if order.is_lt() { peer } else { other });
    }
    None
}
