//! `least_time`: the peer with the least average time and the fewest sessions, by weight.
//!
//! nginx's documentation names what counts, not how it is averaged: here each session moves its
//! peer's average by an eighth of the difference, and the score is that average times the sessions
//! there would be, by weight. A peer that hasn't been measured comes before those that have.

use std::time::{Duration, Instant};

use super::peer::Peers;
use super::round_robin;
use super::search::Search;
use crate::plan::stream::Timed;

/// Which time counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) until: Timed,
    /// Sessions that aren't as far yet count with the time they have taken so far.
    pub(super) inflight: bool,
}

/// How long sessions with a peer took until something, on the average.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Average {
    seconds: Option<f64>,
    /// Sessions that aren't as far yet, and the sum of their beginnings in seconds since `origin`.
    waiting: u32,
    begun: f64,
}

const SHARE_OF_THE_LAST: f64 = 1.0 / 8.0;

impl Average {
    pub(super) fn begin(&mut self, at: f64) {
        self.waiting += 1;
        self.begun += at;
    }

    /// One is as far, or will never be.
    pub(super) fn end(&mut self, begun: f64, took: Option<Duration>) {
        self.waiting = self.waiting.saturating_sub(1);
        self.begun = if self.waiting == 0 { 0.0 } else { self.begun - begun };
        let Some(took) = took.map(|took| took.as_secs_f64()) else { return };
        let known = self.seconds.unwrap_or(took);
        self.seconds = Some(known + (took - known) * SHARE_OF_THE_LAST);
    }

    /// For another balancer, which won't hear of how the sessions of this one go on.
    pub(super) fn settled(self) -> Self {
        Self { waiting: 0, begun: 0.0, ..self }
    }

    fn value(&self, inflight: bool, at: f64) -> f64 {
        let known = self.seconds.unwrap_or(0.0);
        if !inflight || self.waiting == 0 {
            return known;
        }
        known.max(at - self.begun / f64::from(self.waiting))
    }
}

pub(super) fn score(peers: &Peers, peer: usize, clock: Clock, now: Instant) -> f64 {
    let time = peers.average(peer).value(clock.inflight, peers.seconds(now));
    time * f64::from(peers.sessions(peer) + 1) / peers.shares[peer].weight as f64
}

pub(super) fn pick(
    peers: &mut Peers,
    clock: Clock,
    now: Instant,
    search: &Search,
) -> Option<usize> {
    [false, true].into_iter().find_map(|backup| {
        let mut best: (f64, Vec<usize>) = (f64::INFINITY, Vec::new());
        for index in 0..peers.len() {
            if peers.backup(index) != backup || !peers.usable(index, now) || search.has_tried(index)
            {
                continue;
            }
            let score = score(peers, index, clock, now);
            if score < best.0 {
                best = (score, vec![index]);
            } else if score == best.0 {
                best.1.push(index);
            }
        }
        round_robin::turn(peers, best.1.into_iter(), |_, _| true)
    })
}
