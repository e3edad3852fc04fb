//! Smooth weighted round robin, and `least_conn`, among thousands: the same peers as the plain
//! definitions in [`round_robin`](super::round_robin) and [`least_conn`](super::least_conn) give,
//! without a look at each.
//!
//! A pick raises the current weights of all candidates. Those of one weight rise alike, so they
//! stand in one [`Class`], ordered by what doesn't change then, and a *base* rises for all of them.
//! A pick costs as many steps as there are weights, and a search in the class that wins. With
//! `least_conn`, peers stand together by how busy they are, and only the idlest rise. Peers about
//! which there is something to ask (they have failed, are eased in again, or have a `max_conns`)
//! are few, stand apart, and are looked at one by one. [`storm`](super::storm) holds it against the
//! definitions.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::peer::Peers;
use super::search::Search;

#[derive(Debug)]
pub(super) struct Ranks {
    /// `least_conn`
    by_load: bool,
    /// Of those that aren't backups, and of backups.
    levels: [Level; 2],
    /// Of each peer.
    places: Vec<Place>,
    /// Room for a pick's work.
    tied: Vec<u32>,
}

#[derive(Debug, Default)]
struct Level {
    groups: BTreeMap<Load, Vec<Class>>,
    /// Peers that are looked at one by one; their shares say their current weights.
    odd: Vec<u32>,
}

/// Peers of one weight. In the shares, too, their current weights are without the base.
#[derive(Debug)]
struct Class {
    weight: i64,
    base: i64,
    /// The highest first, of equals the first one.
    order: BTreeSet<(Reverse<i64>, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is down, or steps aside for a moment.
    Nowhere,
    Odd,
    Among(Load),
}

/// Sessions by weight, in lowest terms; 0/1 for all where it doesn't matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    sessions: u32,
    weight: u32,
}

impl Load {
    const NONE: Self = Self { sessions: 0, weight: 1 };

    fn of(sessions: u32, weight: i64) -> Self {
        let weight = u32::try_from(weight).unwrap_or(u32::MAX).max(1);
        let (mut one, mut other) = (weight, sessions);
        while other != 0 {
            (one, other) = (other, one % other);
        }
        Self { sessions: sessions / one, weight: weight / one }
    }
}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        let weighed = |one: &Self, by: &Self| u64::from(one.sessions) * u64::from(by.weight);
        weighed(self, other).cmp(&weighed(other, self))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ranks {
    pub(super) fn new(peers: &mut Peers, by_load: bool) -> Self {
        let mut ranks = Self {
            by_load,
            levels: Default::default(),
            places: vec![Place::Nowhere; peers.len()],
            tied: Vec::new(),
        };
        (0..peers.len()).for_each(|peer| ranks.put(peers, peer));
        ranks
    }

    /// A peer's current weight, as the definition has it.
    pub(super) fn current(&self, peers: &Peers, peer: usize) -> i64 {
        let share = &peers.shares[peer];
        let Place::Among(load) = self.places[peer] else { return share.current };
        let group = self.levels[usize::from(peers.backup(peer))].groups.get(&load);
        let class = group.and_then(|group| group.iter().find(|it| it.weight == share.weight));
        share.current + class.map_or(0, |class| class.base)
    }

    /// From now on the shares say all current weights.
    pub(super) fn dissolve(self, peers: &mut Peers) {
        for peer in 0..peers.len() {
            peers.shares[peer].current = self.current(peers, peer);
        }
    }

    /// Something about a peer has changed: its sessions, its effective weight, its flags.
    pub(super) fn changed(&mut self, peers: &mut Peers, peer: usize) {
        match self.places[peer] {
            // The next pick looks at it anyway.
            Place::Odd | Place::Nowhere => {}
            Place::Among(load) if peers.is_odd(peer) || load != self.load(peers, peer) => {
                self.take(peers, peer);
                self.put(peers, peer);
            }
            Place::Among(_) => {}
        }
    }

    /// Lets the definition work with some peers. They have to come back by [`Ranks::come_back`].
    pub(super) fn step_aside(
        &mut self,
        peers: &mut Peers,
        some: impl Iterator<Item = usize>,
    ) -> Vec<u32> {
        let mut aside = Vec::new();
        for peer in some {
            if let Some(Place::Among(_)) = self.places.get(peer) {
                self.take(peers, peer);
                aside.push(peer as u32);
            }
        }
        aside
    }

    pub(super) fn come_back(&mut self, peers: &mut Peers, aside: Vec<u32>) {
        aside.into_iter().for_each(|peer| self.put(peers, peer as usize));
    }

    pub(super) fn pick(
        &mut self,
        peers: &mut Peers,
        now: Instant,
        search: &Search,
    ) -> Option<usize> {
        let aside = self.step_aside(peers, search.tried());
        let picked = (0..2).find_map(|level| self.pick_of(level, peers, now, search));
        self.come_back(peers, aside);
        picked
    }

    fn pick_of(
        &mut self,
        level: usize,
        peers: &mut Peers,
        now: Instant,
        search: &Search,
    ) -> Option<usize> {
        let mut tied = std::mem::take(&mut self.tied);
        let least = self.least(level, peers, now, search, &mut tied);
        let picked = least.map(|least| self.turn(level, least, peers, &tied));
        tied.clear();
        self.tied = tied;
        self.settle(level, peers);
        picked
    }

    /// The load of those among whom the turn is, and the odd ones of them.
    fn least(
        &self,
        level: usize,
        peers: &Peers,
        now: Instant,
        search: &Search,
        tied: &mut Vec<u32>,
    ) -> Option<Load> {
        let Level { groups, odd } = &self.levels[level];
        let mut least = groups.keys().next().copied();
        for peer in odd {
            let at = *peer as usize;
            if !peers.usable(at, now) || search.has_tried(at) {
                continue;
            }
            let load = self.load(peers, at);
            if least.is_none_or(|least| load < least) {
                tied.clear();
                least = Some(load);
            }
            if least == Some(load) {
                tied.push(*peer);
            }
        }
        least
    }

    fn turn(&mut self, level: usize, least: Load, peers: &mut Peers, tied: &[u32]) -> usize {
        let mut none = Vec::new();
        let group = self.levels[level].groups.get_mut(&least).unwrap_or(&mut none);
        let members: usize = group.iter().map(|class| class.order.len()).sum();
        if self.by_load && members + tied.len() == 1 {
            // Its weights stay as they are, as in nginx.
            let in_class = group.iter().filter_map(|class| class.order.first());
            let only = in_class.map(|(_, peer)| *peer).chain(tied.iter().copied()).next();
            return only.map_or(0, |peer| peer as usize);
        }
        let (mut best, mut total): (Option<(i64, u32)>, i64) = (None, 0);
        let mut consider = |current: i64, peer: u32| {
            let better = |(highest, first)| current > highest || current == highest && peer < first;
            if best.is_none_or(better) {
                best = Some((current, peer));
            }
        };
        for peer in tied {
            let share = &mut peers.shares[*peer as usize];
            share.current += share.effective;
            total += share.effective;
            share.effective += i64::from(share.effective < share.weight);
            consider(share.current, *peer);
        }
        for class in group.iter_mut() {
            class.base += class.weight;
            total += class.weight * class.order.len() as i64;
            if let Some((Reverse(highest), peer)) = class.order.first() {
                consider(class.base + highest, *peer);
            }
        }
        let (_, peer) = best.unwrap_or_default();
        let share = &mut peers.shares[peer as usize];
        if let Place::Among(_) = self.places[peer as usize]
            && let Some(class) = group.iter_mut().find(|class| class.weight == share.weight)
        {
            class.order.remove(&(Reverse(share.current), peer));
            class.order.insert((Reverse(share.current - total), peer));
        }
        share.current -= total;
        peer as usize
    }

    /// Those about which there is nothing left to ask join the others.
    fn settle(&mut self, level: usize, peers: &mut Peers) {
        let mut at = 0;
        while let Some(peer) = self.levels[level].odd.get(at).map(|peer| *peer as usize) {
            if peers.is_odd(peer) {
                at += 1;
            } else {
                self.levels[level].odd.swap_remove(at);
                self.put(peers, peer);
            }
        }
    }

    fn load(&self, peers: &Peers, peer: usize) -> Load {
        match self.by_load {
            true => Load::of(peers.sessions(peer), peers.shares[peer].weight),
            false => Load::NONE,
        }
    }

    /// Takes a peer out of its class.
    fn take(&mut self, peers: &mut Peers, peer: usize) {
        let Place::Among(load) = self.places[peer] else { return };
        let current = self.current(peers, peer);
        let groups = &mut self.levels[usize::from(peers.backup(peer))].groups;
        let share = &mut peers.shares[peer];
        if let Some(group) = groups.get_mut(&load)
            && let Some(at) = group.iter().position(|class| class.weight == share.weight)
        {
            group[at].order.remove(&(Reverse(share.current), peer as u32));
            if group[at].order.is_empty() {
                group.swap_remove(at);
            }
            if group.is_empty() {
                groups.remove(&load);
            }
        }
        share.current = current;
        self.places[peer] = Place::Nowhere;
    }

    /// Puts a peer where it belongs; its share says its current weight.
    fn put(&mut self, peers: &mut Peers, peer: usize) {
        if peers.is_down(peer) {
            return;
        }
        let level = usize::from(peers.backup(peer));
        if peers.is_odd(peer) {
            self.places[peer] = Place::Odd;
            self.levels[level].odd.push(peer as u32);
            return;
        }
        let load = self.load(peers, peer);
        let share = &mut peers.shares[peer];
        let group = self.levels[level].groups.entry(load).or_default();
        let at = match group.iter().position(|class| class.weight == share.weight) {
            Some(at) => at,
            None => {
                group.push(Class { weight: share.weight, base: 0, order: BTreeSet::new() });
                group.len() - 1
            }
        };
        share.current -= group[at].base;
        group[at].order.insert((Reverse(share.current), peer as u32));
        self.places[peer] = Place::Among(load);
    }
}
