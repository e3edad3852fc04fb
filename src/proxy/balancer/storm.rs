//! Thousands of seeded steps in which a balancer that keeps its peers in order has to pick exactly
//! as one that looks at each: sessions that succeed, fail and last, peers that rest, recover, are
//! full, backups or down, and reloads that change them while sessions of the old plan go on.

use std::time::{Duration, Instant};

use super::random::Chance;
use super::tests::{peer, upstream};
use super::{Balancer, Lease, Search};
use crate::plan::stream::{Balance, Peer, Upstream};
use crate::plan::template::Template;

/// The same balancer twice: in order, and by definition.
struct Pair {
    ranked: Balancer,
    plain: Balancer,
}

impl Pair {
    /// Whether both know the same about each peer.
    fn compare(&self, place: &str) {
        for peer in 0..self.plain.peers.len() {
            let (ranked, plain) = (&self.ranked.peers, &self.plain.peers);
            let ranks = self.ranked.ranks.as_ref();
            let current = ranks.map_or(ranked.shares[peer].current, |it| it.current(ranked, peer));
            let effective = ranked.shares[peer].effective;
            let known = (plain.shares[peer].current, plain.shares[peer].effective);
            assert_eq!((current, effective), known, "{place}, peer {peer}");
        }
    }
}

/// A session: where it is, in both.
struct Session {
    generation: usize,
    search: [Search; 2],
    lease: Option<(Lease, Lease)>,
}

struct Storm {
    chance: Chance,
    seed: u64,
    name: String,
    now: Instant,
    generations: Vec<Pair>,
    sessions: Vec<Session>,
    picks: usize,
}

impl Storm {
    fn roll(&mut self, sides: u64) -> u64 {
        self.chance.below(sides)
    }

    fn peers(&mut self) -> Vec<Peer> {
        let alike = self.roll(3);
        let count = 2 + self.roll(30);
        let mut peers = Vec::new();
        for number in 0..count as u16 {
            // A reload leaves most of them as they are, and in about the same places.
            if self.roll(10) == 0 {
                continue;
            }
            let (weight, max_fails, max_conns) = match alike {
                0 => (1, 1, 0),
                1 => (1 + self.roll(3) as u32, self.roll(3) as u32, 0),
                _ => (1 + self.roll(9) as u32, self.roll(4) as u32, self.roll(4) as u32),
            };
            let (backup, down) = (self.roll(8) == 0, self.roll(12) == 0);
            // Some are addresses of one name.
            let name = format!("name{}:1", number / (1 + self.roll(2) as u16));
            let fail_timeout = Duration::from_secs(self.roll(4));
            let of = peer(number + 1);
            peers.push(Peer {
                name,
                weight,
                max_fails,
                max_conns,
                backup,
                down,
                fail_timeout,
                ..of
            });
        }
        if peers.len() < 2 {
            peers.extend([peer(40_001), peer(40_002)]);
        }
        peers
    }

    fn reload(&mut self, balance: &Balance) {
        let plan = Upstream { balance: balance.clone(), ..upstream(self.peers()) };
        let build = |few: usize, old: Option<&Balancer>| {
            let mut balancer = Balancer::new(&plan, 7);
            balancer.few = few;
            if let Some(old) = old {
                balancer.inherit(old);
            }
            balancer
        };
        let old = self.generations.last();
        let ranked = build(0, old.map(|old| &old.ranked));
        let plain = build(usize::MAX, old.map(|old| &old.plain));
        self.generations.push(Pair { ranked, plain });
    }

    /// The session's next peer. Whether there was one.
    fn pick(&mut self, mut session: Session) -> Option<Session> {
        let pair = &mut self.generations[session.generation];
        let [ranked, plain] = &mut session.search;
        let leases = (pair.ranked.pick(self.now, ranked), pair.plain.pick(self.now, plain));
        self.picks += 1;
        let chosen = |lease: &Option<Lease>| lease.as_ref().map(Lease::peer);
        let (ranked, plain) = (chosen(&leases.0), chosen(&leases.1));
        assert_eq!(ranked, plain, "{} seed {}, pick {}", self.name, self.seed, self.picks);
        pair.compare(&format!("{} seed {}, pick {}", self.name, self.seed, self.picks));
        session.lease = Some((leases.0?, leases.1?));
        Some(session)
    }

    fn step(&mut self, balance: &Balance) {
        match self.roll(100) {
            0 => self.reload(balance),
            1..=6 => {
                let passed = Duration::from_millis(self.roll(1500));
                self.now += passed;
            }
            7..=45 => {
                let key = format!("key{}", self.roll(50)).into_bytes();
                let generation = self.generations.len() - 1;
                let search = [(); 2].map(|()| {
                    Search::by_key(match balance {
                        Balance::Hash { .. } => key.clone(),
                        _ => Vec::new(),
                    })
                });
                let session = Session { generation, search, lease: None };
                let session = self.pick(session);
                self.sessions.extend(session);
            }
            roll if !self.sessions.is_empty() => {
                let at = self.roll(self.sessions.len() as u64) as usize;
                let mut session = self.sessions.swap_remove(at);
                let Some((ranked, plain)) = session.lease.take() else { return };
                let pair = &mut self.generations[session.generation];
                match roll {
                    46..=60 => {
                        session.search[0].exclude(ranked.peer());
                        session.search[1].exclude(plain.peer());
                        let out = pair.ranked.fail(self.now, ranked);
                        assert_eq!(out, pair.plain.fail(self.now, plain), "seed {}", self.seed);
                        let session = self.pick(session);
                        self.sessions.extend(session);
                    }
                    61..=75 => {
                        pair.ranked.succeed(&ranked);
                        pair.plain.succeed(&plain);
                        session.lease = Some((ranked, plain));
                        self.sessions.push(session);
                    }
                    _ => {
                        pair.ranked.release(ranked);
                        pair.plain.release(plain);
                    }
                }
            }
            _ => {}
        }
    }
}

fn storms(balance: &Balance, seeds: u64) {
    for seed in 0..seeds {
        let mut storm = Storm {
            chance: Chance::new(seed),
            seed,
            name: format!("{balance:?}"),
            now: Instant::now(),
            generations: Vec::new(),
            sessions: Vec::new(),
            picks: 0,
        };
        storm.reload(balance);
        for _ in 0..2500 {
            storm.step(balance);
        }
        assert!(storm.picks > 500, "{}", storm.picks);
    }
}

#[test]
fn round_robin_picks_as_defined() {
    storms(&Balance::RoundRobin, 30);
}

#[test]
fn least_conn_picks_as_defined() {
    storms(&Balance::LeastConn, 30);
}

#[test]
fn what_falls_back_to_round_robin_picks_as_defined() {
    for consistent in [false, true] {
        storms(&Balance::Hash { key: Template::default(), consistent }, 6);
    }
    storms(&Balance::Random { two: None }, 10);
}

/// What a pick costs, by how many peers there are: `cargo test --release -- --ignored picks_cost`.
#[test]
#[ignore = "a measurement, not a check"]
fn picks_cost() {
    type Make = fn(usize) -> Peer;
    let variants: [(&str, Make); 4] = [
        ("equal", |at| peer(at as u16)),
        ("weights 1-10", |at| Peer { weight: 1 + at as u32 % 10, ..peer(at as u16) }),
        ("1 in 100 failed", |at| peer(at as u16)),
        ("max_conns", |at| Peer { max_conns: 1000, ..peer(at as u16) }),
    ];
    for balance in [Balance::RoundRobin, Balance::LeastConn, Balance::Random { two: None }] {
        for (name, make) in variants {
            for count in [10, 1000, 10_000] {
                let peers = (1..=count).map(make).collect();
                let plan = Upstream { balance: balance.clone(), ..upstream(peers) };
                let now = Instant::now();
                let cost = |few: usize| {
                    let mut balancer = Balancer::new(&plan, 1);
                    balancer.few = few;
                    let mut held = std::collections::VecDeque::new();
                    let rounds = 2_000_000 / count.max(100);
                    let mut begun = Instant::now();
                    for round in 0..rounds + count {
                        if round == count {
                            begun = Instant::now();
                        }
                        let Some(lease) = balancer.pick(now, &mut Search::new()) else { break };
                        if name == "1 in 100 failed" && round < count && round % 100 == 0 {
                            balancer.fail(now, lease);
                            continue;
                        }
                        balancer.succeed(&lease);
                        held.push_back(lease);
                        if held.len() > 500 {
                            held.drain(..1).for_each(|lease| balancer.release(lease));
                        }
                    }
                    begun.elapsed().as_nanos() as usize / rounds
                };
                let (plain, now) = (cost(usize::MAX), cost(super::FEW));
                println!(
                    "{balance:?}, {name}, {count} peers: {now} ns, looking at each: {plain} ns"
                );
            }
        }
    }
}
