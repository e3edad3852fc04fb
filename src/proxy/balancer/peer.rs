//! What is known of an upstream's peers: who may be picked, and with what share.
//!
//! A pick may look at every peer, so what it looks at lies close together: [`Share`] and a byte of
//! flags per peer, 25 bytes in all. The rest is asked only of peers that a flag points out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::least_time::Average;
use crate::plan::stream::{Address, Peer};

/// nginx counts these windows in whole seconds, so there `fail_timeout=0` still spares a dead peer the rest of the
/// second it failed in.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

const BACKUP: u8 = 1;
const DOWN: u8 = 2;
/// It has failed `max_fails` times.
const FAILED: u8 = 4;
/// It has a `max_conns`.
const LIMITED: u8 = 8;

/// All peers of an upstream, in the order of the config.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) shares: Vec<Share>,
    flags: Vec<u8>,
    states: Vec<State>,
    /// What `least_time` counts from; the first use.
    origin: Option<Instant>,
    census: Census,
}

/// Sessions of all peers together: those that began here, and all, also those of the plans before
/// and after, which share the peers' counts.
#[derive(Debug, Default)]
struct Census {
    own: u64,
    all: Arc<AtomicU64>,
}

/// A peer's weights in the round robin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) current: i64,
    pub(super) effective: i64,
    pub(super) weight: i64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) peer: Peer,
    fails: u32,
    /// Time of the last failure.
    failed: Option<Instant>,
    /// Start of the running `fail_timeout` window: the last failure, or the first pick after a window ended.
    checked: Option<Instant>,
    /// Sessions that hold a lease on this peer, also those of the plan before.
    sessions: Arc<AtomicU32>,
    pub(super) average: Average,
}

impl Peers {
    pub(super) fn new(peers: &[Peer]) -> Self {
        let flags = |peer: &Peer| {
            let flag = |on: bool, flag: u8| if on { flag } else { 0 };
            flag(peer.backup, BACKUP) | flag(peer.down, DOWN) | flag(peer.max_conns > 0, LIMITED)
        };
        let share = |peer: &Peer| {
            let weight = i64::from(peer.weight);
            Share { current: 0, effective: weight, weight }
        };
        let state = |peer: &Peer| State {
            peer: peer.clone(),
            fails: 0,
            failed: None,
            checked: None,
            sessions: Arc::default(),
            average: Average::default(),
        };
        Self {
            shares: peers.iter().map(share).collect(),
            flags: peers.iter().map(flags).collect(),
            states: peers.iter().map(state).collect(),
            origin: None,
            census: Census::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    pub(super) fn peer(&self, index: usize) -> &Peer {
        &self.states[index].peer
    }

    /// Those that aren't backups.
    pub(super) fn primary(&self) -> impl Iterator<Item = (usize, &State)> {
        self.states.iter().enumerate().filter(|(_, state)| !state.peer.backup)
    }

    pub(super) fn backup(&self, index: usize) -> bool {
        self.flags[index] & BACKUP != 0
    }

    pub(super) fn sessions(&self, index: usize) -> u32 {
        self.states[index].sessions.load(Relaxed)
    }

    pub(super) fn average(&self, index: usize) -> &Average {
        &self.states[index].average
    }

    pub(super) fn average_mut(&mut self, index: usize) -> &mut Average {
        &mut self.states[index].average
    }

    /// Seconds since the first time it was asked.
    pub(super) fn seconds(&self, now: Instant) -> f64 {
        let since = self.origin.map(|origin| now.saturating_duration_since(origin));
        since.unwrap_or_default().as_secs_f64()
    }

    pub(super) fn begin_time(&mut self, now: Instant) {
        self.origin.get_or_insert(now);
    }

    pub(super) fn usable(&self, index: usize, now: Instant) -> bool {
        let flags = self.flags[index];
        if flags & (DOWN | FAILED | LIMITED) == 0 {
            return true;
        }
        let state = &self.states[index];
        let resting = flags & FAILED != 0 && !state.window_over(now);
        flags & DOWN == 0 && !resting && !self.is_full(index)
    }

    pub(super) fn is_down(&self, index: usize) -> bool {
        self.flags[index] & DOWN != 0
    }

    /// Whether more than its weight counts in a pick.
    pub(super) fn is_odd(&self, index: usize) -> bool {
        let share = &self.shares[index];
        self.flags[index] & (FAILED | LIMITED) != 0 || share.effective < share.weight
    }

    /// Without regard to failures.
    pub(super) fn is_open(&self, index: usize) -> bool {
        self.flags[index] & DOWN == 0 && !self.is_full(index)
    }

    fn is_full(&self, index: usize) -> bool {
        let limit = self.states[index].peer.max_conns;
        limit != 0 && self.sessions(index) >= limit
    }

    /// It was picked.
    pub(super) fn begin(&mut self, index: usize, now: Instant) {
        let state = &mut self.states[index];
        state.sessions.fetch_add(1, Relaxed);
        self.census.own += 1;
        self.census.all.fetch_add(1, Relaxed);
        if state.window_over(now) {
            state.checked = Some(now);
        }
    }

    pub(super) fn end(&mut self, index: usize) {
        let sessions = &self.states[index].sessions;
        let _ = sessions.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
        self.census.own = self.census.own.saturating_sub(1);
        self.census.all.fetch_sub(1, Relaxed);
    }

    /// Whether all sessions of its peers began here, so that nobody else changes their counts.
    pub(super) fn are_own(&self) -> bool {
        self.census.own == self.census.all.load(Relaxed)
    }

    pub(super) fn succeed(&mut self, index: usize) {
        let state = &mut self.states[index];
        if state.failed < state.checked {
            state.fails = 0;
            self.flags[index] &= !FAILED;
        }
    }

    /// Whether this took it out of service.
    pub(super) fn fail(&mut self, index: usize, now: Instant) -> bool {
        let state = &mut self.states[index];
        state.fails = state.fails.saturating_add(1);
        (state.failed, state.checked) = (Some(now), Some(now));
        let (fails, max_fails) = (state.fails, state.peer.max_fails);
        if max_fails == 0 {
            return false;
        }
        let share = &mut self.shares[index];
        share.effective = (share.effective - share.weight / i64::from(max_fails)).max(0);
        let out = fails >= max_fails;
        self.flags[index] |= if out { FAILED } else { 0 };
        out
    }

    /// Where a peer of another balancer is here, if it is.
    pub(super) fn place(&self, peer: &Peer) -> Option<usize> {
        let same =
            |state: &State| state.peer.address == peer.address && state.peer.name == peer.name;
        self.states.iter().position(same)
    }

    /// Takes over what `old` knew of the same addresses of the same servers.
    /// `current`: what `old` says of a peer's current weight.
    pub(super) fn inherit(&mut self, old: &Self, current: impl Fn(usize) -> i64) {
        let key = |peer: &Peer| -> (String, Address) { (peer.name.clone(), peer.address.clone()) };
        let places = old.states.iter().enumerate();
        let places: HashMap<_, _> = places.map(|(at, state)| (key(&state.peer), at)).collect();
        self.origin = old.origin;
        self.census.all = Arc::clone(&old.census.all);
        for (index, state) in self.states.iter_mut().enumerate() {
            let Some(at) = places.get(&key(&state.peer)) else { continue };
            let known = &old.states[*at];
            (state.fails, state.failed, state.checked) = (known.fails, known.failed, known.checked);
            state.sessions = Arc::clone(&known.sessions);
            state.average = known.average.settled();
            let max_fails = state.peer.max_fails;
            if max_fails != 0 && state.fails >= max_fails {
                self.flags[index] |= FAILED;
            }
            if state.peer.weight == known.peer.weight {
                self.shares[index] = Share { current: current(*at), ..old.shares[*at] };
            }
        }
    }
}

impl State {
    pub(super) fn weight(&self) -> i64 {
        i64::from(self.peer.weight)
    }

    fn window_over(&self, now: Instant) -> bool {
        let window = self.peer.fail_timeout.max(SHORTEST_WINDOW);
        self.checked.is_none_or(|checked| now.saturating_duration_since(checked) > window)
    }
}
