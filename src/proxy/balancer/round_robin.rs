//! Smooth weighted round robin.
//!
//! Each peer has a *current* weight. A pick raises every candidate's current weight by its
//! *effective* weight, takes the highest (the first of equals), and lowers that one by the sum of
//! what was added. The effective weight starts at `weight`, loses `weight / max_fails` with every
//! failure and regains one per pick, so a peer that comes back is eased in.

use std::time::Instant;

use super::peer::Peers;
use super::search::Search;

/// Among all; backups only where none of the others is usable.
pub(super) fn pick(peers: &mut Peers, now: Instant, search: &Search) -> Option<usize> {
    [false, true].into_iter().find_map(|backup| {
        let among = 0..peers.len();
        let usable = |peers: &Peers, index: usize| {
            peers.backup(index) == backup && peers.usable(index, now) && !search.has_tried(index)
        };
        turn(peers, among, usable)
    })
}

/// Among some.
pub(super) fn pick_of(
    peers: &mut Peers,
    among: impl Iterator<Item = usize>,
    now: Instant,
    search: &Search,
) -> Option<usize> {
    turn(peers, among, |peers, index| peers.usable(index, now) && !search.has_tried(index))
}

/// Among those of which `usable` is true.
pub(super) fn turn(
    peers: &mut Peers,
    among: impl Iterator<Item = usize>,
    usable: impl Fn(&Peers, usize) -> bool,
) -> Option<usize> {
    let mut best: Option<(usize, i64)> = None;
    let mut total = 0;
    for index in among {
        if !usable(peers, index) {
            continue;
        }
        let share = &mut peers.shares[index];
        share.current += share.effective;
        total += share.effective;
        share.effective += i64::from(share.effective < share.weight);
        if best.is_none_or(|(_, current)| share.current > current) {
            best = Some((index, share.current));
        }
    }
    let (index, _) = best?;
    peers.shares[index].current -= total;
    Some(index)
}
