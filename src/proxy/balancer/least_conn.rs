//! `least_conn`: the peer with the fewest sessions for its weight; round robin among equals.

use std::time::Instant;

use super::peer::Peers;
use super::round_robin;
use super::search::Search;

pub(super) fn pick(peers: &mut Peers, now: Instant, search: &Search) -> Option<usize> {
    [false, true].into_iter().find_map(|backup| {
        // Sessions per weight, compared without a division.
        let mut best: Vec<usize> = Vec::new();
        for index in 0..peers.len() {
            if peers.backup(index) != backup || !peers.usable(index, now) || search.has_tried(index)
            {
                continue;
            }
            let order = best.first().map(|first| load(peers, index, *first));
            match order {
                Some(std::cmp::Ordering::Greater) => {}
                Some(std::cmp::Ordering::Equal) => best.push(index),
                Some(std::cmp::Ordering::Less) | None => {
                    best.clear();
                    best.push(index);
                }
            }
        }
        match best[..] {
            // Its weights stay as they are, as in nginx.
            [only] => Some(only),
            _ => round_robin::turn(peers, best.into_iter(), |_, _| true),
        }
    })
}

/// Which of two is busier for its weight.
pub(super) fn load(peers: &Peers, one: usize, other: usize) -> std::cmp::Ordering {
    let weighed = |index: usize, by: usize| {
        i64::from(peers.sessions(index)).saturating_mul(peers.shares[by].weight)
    };
    weighed(one, other).cmp(&weighed(other, one))
}
