//! Which peer of an upstream a session gets: one file per method, and what they share.
//!
//! With one worker this gives the same peers for the same connections as nginx 1.22, which
//! `compat-tests/proxy.rs` checks against the real one. The state is one per process, not one per
//! worker as in nginx without `zone`: with several workers the shares stay exact and a peer's
//! failure is known to all of them at once. Read [`round_robin`] next, which the other methods
//! fall back to.

mod hash;
mod least_conn;
mod least_time;
mod peer;
mod random;
mod ranks;
mod ring;
mod round_robin;
mod search;
#[cfg(test)]
mod storm;

use std::time::{Duration, Instant};

use crate::plan::stream::{Balance, Peer, Second, Timed, Upstream};
use hash::Shares;
use least_time::Clock;
use peer::Peers;
use random::{Chance, Two};
use ranks::Ranks;
use ring::Ring;
pub use search::Search;

/// The state of one upstream.
#[derive(Debug)]
pub struct Balancer {
    peers: Peers,
    method: Method,
    /// One server and no backup: `max_fails` and `fail_timeout` don't apply to it.
    single: bool,
    /// How many attempts one session may make: each peer once, those marked `down` not counted.
    attempts: u32,
    /// So many peers are looked at one by one.
    few: usize,
    /// How others stand; made by the first pick that needs it.
    ranks: Option<Box<Ranks>>,
}

/// Up to here a look at each peer is faster than keeping them in order (measured).
const FEW: usize = 64;

#[derive(Debug)]
enum Method {
    RoundRobin,
    LeastConn,
    LeastTime(Clock),
    Hash(Shares),
    Ring(Ring),
    Random { shares: Shares, chance: Chance, two: Option<Two> },
}

impl Method {
    fn new(balance: &Balance, peers: &Peers, seed: u64) -> Self {
        match balance {
            Balance::RoundRobin => Method::RoundRobin,
            Balance::LeastConn => Method::LeastConn,
            Balance::LeastTime { until, inflight } => {
                Method::LeastTime(Clock { until: *until, inflight: *inflight })
            }
            Balance::Hash { consistent: false, .. } => Method::Hash(Shares::new(peers)),
            Balance::Hash { consistent: true, .. } => Method::Ring(Ring::new(peers)),
            Balance::Random { two } => Method::Random {
                shares: Shares::new(peers),
                chance: Chance::new(seed),
                two: two.map(|second| match second {
                    Second::LeastConn => Two::LeastConn,
                    Second::LeastTime(until) => Two::LeastTime(Clock { until, inflight: false }),
                }),
            },
        }
    }

    /// The time that is measured, if any.
    fn clock(&self) -> Option<Clock> {
        match self {
            Method::LeastTime(clock) => Some(*clock),
            Method::Random { two: Some(Two::LeastTime(clock)), .. } => Some(*clock),
            _ => None,
        }
    }
}

/// The right to use one peer for one session. It is given back once: by [`Balancer::fail`] or
/// [`Balancer::release`].
#[derive(Debug, PartialEq)]
#[must_use = "a lease counts as a session of its peer until it is given back"]
pub struct Lease {
    peer: u32,
    /// A session that `least_time` waits for: when it began, in the balancer's seconds.
    begun: Option<f32>,
}

impl Lease {
    /// Index of the peer in the upstream's list.
    pub fn peer(&self) -> usize {
        self.peer as usize
    }
}

impl Balancer {
    /// `seed` is what chance begins with; only `random` uses it.
    pub fn new(upstream: &Upstream, seed: u64) -> Self {
        let peers = Peers::new(&upstream.peers);
        let single = upstream.peers.len() == 1;
        let attempts = upstream.peers.iter().filter(|peer| !peer.down).count() as u32;
        let method = Method::new(&upstream.balance, &peers, seed);
        // Those are looked at one by one in any case, and order would only cost.
        let limited = upstream.peers.iter().filter(|peer| peer.max_conns > 0).count();
        let few = if limited > peers.len() / 2 { usize::MAX } else { FEW };
        Self { peers, method, single, attempts, few, ranks: None }
    }

    /// How many attempts one session may make.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    pub fn peer(&self, lease: &Lease) -> &Peer {
        self.peers.peer(lease.peer())
    }

    /// The next peer, or `None` when no peer is usable now. Backup peers are picked only when none
    /// of the others is usable.
    pub fn pick(&mut self, now: Instant, search: &mut Search) -> Option<Lease> {
        let index = if self.single {
            (self.peers.is_open(0) && search.is_first()).then_some(0)?
        } else {
            self.choose(now, search)?
        };
        self.peers.begin(index, now);
        self.changed(index);
        let mut begun = None;
        if self.method.clock().is_some() {
            self.peers.begin_time(now);
            let at = self.peers.seconds(now) as f32;
            self.peers.average_mut(index).begin(f64::from(at));
            begun = Some(at);
        }
        Some(Lease { peer: index as u32, begun })
    }

    fn choose(&mut self, now: Instant, search: &mut Search) -> Option<usize> {
        self.rank();
        let (peers, ranks) = (&mut self.peers, self.ranks.as_deref_mut());
        let chosen = match (&mut self.method, ranks) {
            (Method::RoundRobin, _) => None,
            (Method::LeastConn, Some(ranks)) => return ranks.pick(peers, now, search),
            (Method::LeastConn, None) => return least_conn::pick(peers, now, search),
            (Method::LeastTime(clock), _) => return least_time::pick(peers, *clock, now, search),
            (Method::Hash(shares), _) => hash::pick(shares, peers, now, search),
            (Method::Ring(ring), ranks) => ring::pick(ring, peers, ranks, now, search),
            (Method::Random { shares, chance, two }, _) => {
                random::pick((shares, chance), *two, peers, now, search)
            }
        };
        chosen.or_else(|| match &mut self.ranks {
            Some(ranks) => ranks.pick(&mut self.peers, now, search),
            None => round_robin::pick(&mut self.peers, now, search),
        })
    }

    /// Where peers are many they are kept in order, as long as nobody else changes what they are
    /// ordered by: other plans' sessions don't say when they end.
    fn rank(&mut self) {
        let by_load = matches!(self.method, Method::LeastConn);
        let timed = matches!(self.method, Method::LeastTime(_));
        let ranked = self.peers.len() > self.few && !timed && (!by_load || self.peers.are_own());
        match (&self.ranks, ranked) {
            (None, true) => self.ranks = Some(Box::new(Ranks::new(&mut self.peers, by_load))),
            (Some(_), false) => {
                if let Some(ranks) = self.ranks.take() {
                    ranks.dissolve(&mut self.peers);
                }
            }
            _ => {}
        }
    }

    fn changed(&mut self, peer: usize) {
        if self.ranks.is_some() {
            self.rank();
        }
        if let Some(ranks) = &mut self.ranks {
            ranks.changed(&mut self.peers, peer);
        }
    }

    /// The peer answered: failures from before this `fail_timeout` window are forgotten. The lease goes on.
    pub fn succeed(&mut self, lease: &Lease) {
        self.peers.succeed(lease.peer());
    }

    /// What `least_time` counts until.
    pub fn measures(&self) -> Option<Timed> {
        self.method.clock().map(|clock| clock.until)
    }

    /// The session came as far as [`Balancer::measures`] asks, so long after it had turned to the
    /// peer.
    pub fn measured(&mut self, lease: &mut Lease, took: Duration) {
        if let Some(begun) = lease.begun.take() {
            self.peers.average_mut(lease.peer()).end(f64::from(begun), Some(took));
        }
    }

    /// The peer failed. Returns whether this took it out of service for `fail_timeout`.
    pub fn fail(&mut self, now: Instant, lease: Lease) -> bool {
        let index = lease.peer();
        self.release(lease);
        let out = !self.single && self.peers.fail(index, now);
        self.changed(index);
        out
    }

    /// A session that was begun before the peers changed has failed with one that may still be
    /// among them.
    pub fn hear_of_failure(&mut self, now: Instant, peer: &Peer) {
        if let Some(index) = self.peers.place(peer).filter(|_| !self.single) {
            self.peers.fail(index, now);
            self.changed(index);
        }
    }

    /// The session ended.
    pub fn release(&mut self, lease: Lease) {
        self.peers.end(lease.peer());
        self.changed(lease.peer());
        if let Some(begun) = lease.begun {
            self.peers.average_mut(lease.peer()).end(f64::from(begun), None);
        }
    }

    /// Takes over what `old` knew of peers that stay: failures, sessions, times and, where the
    /// weight is the same, their turn in the round robin. So a reload sends no session to a peer
    /// that is known to be dead, and `max_conns` counts the sessions of the old plan too.
    pub fn inherit(&mut self, old: &Self) {
        let current = |peer: usize| match &old.ranks {
            Some(ranks) => ranks.current(&old.peers, peer),
            None => old.peers.shares[peer].current,
        };
        self.peers.inherit(&old.peers, current);
        self.ranks = None;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::stream::{Address, Balance};
    use crate::plan::template::Template;
    use crate::text::Span;

    pub(in crate::proxy) fn peer(number: u16) -> Peer {
        Peer {
            name: format!("127.0.0.1:{number}"),
            address: Address::Tcp(([127, 0, 0, 1], number).into()),
            weight: 1,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            max_conns: 0,
            backup: false,
            down: false,
            span: Span::default(),
        }
    }

    pub(in crate::proxy) fn upstream(peers: Vec<Peer>) -> Upstream {
        let span = Span::default();
        Upstream {
            name: "u".into(),
            balance: Balance::RoundRobin,
            peers,
            names: Vec::new(),
            resolver: None,
            zone: None,
            span,
        }
    }

    fn weighted(number: u16, weight: u32) -> Peer {
        Peer { weight, ..peer(number) }
    }

    /// Walks sessions one after the other; the peers in `dead` refuse. One word per session: the
    /// peers it tried, `u` where it found none.
    fn walk(balancer: &mut Balancer, now: Instant, dead: &[u16], sessions: usize) -> String {
        let mut words = Vec::new();
        for _ in 0..sessions {
            word_of(balancer, now, dead, Search::new(), &mut words);
        }
        words.join(" ")
    }

    fn word_of(
        balancer: &mut Balancer,
        now: Instant,
        dead: &[u16],
        mut search: Search,
        words: &mut Vec<String>,
    ) {
        let mut word = Vec::new();
        for _ in 0..balancer.attempts() {
            let Some(lease) = balancer.pick(now, &mut search) else {
                word.push("u".to_owned());
                break;
            };
            let Address::Tcp(address) = balancer.peer(&lease).address else { unreachable!() };
            word.push(address.port().to_string());
            if dead.contains(&address.port()) {
                search.exclude(lease.peer());
                balancer.fail(now, lease);
            } else {
                balancer.succeed(&lease);
                balancer.release(lease);
                break;
            }
        }
        words.push(word.join("+"));
    }

    fn first(peers: Vec<Peer>, dead: &[u16], sessions: usize) -> String {
        walk(&mut Balancer::new(&upstream(peers), 1), Instant::now(), dead, sessions)
    }

    // The expected sequences below were watched on nginx 1.22.1 with one worker.

    #[test]
    fn weights() {
        let spread = |peers| first(peers, &[], 14).replace(' ', "");
        assert_eq!(spread(vec![weighted(1, 5), peer(2), peer(3)]), "11213111121311");
        let peers = vec![weighted(1, 3), weighted(2, 2), peer(3)];
        assert_eq!(spread(peers), "12132112132112");
        let peers = vec![peer(1), weighted(2, 7), weighted(3, 4)];
        assert_eq!(spread(peers), "23212322323223");
        let peers = vec![weighted(1, 2), weighted(2, 2), weighted(3, 2), weighted(4, 3)];
        assert_eq!(spread(peers), "41234123441234");
    }

    #[test]
    fn down_and_backup() {
        let down = |number| Peer { down: true, ..peer(number) };
        let backup = |number, weight| Peer { backup: true, ..weighted(number, weight) };
        assert_eq!(first(vec![down(1), peer(2), weighted(3, 2)], &[], 6), "3 2 3 3 2 3");
        assert_eq!(first(vec![peer(1), backup(2, 1), peer(3)], &[], 4), "1 3 1 3");
        assert_eq!(first(vec![down(1), backup(2, 1), backup(3, 3)], &[], 6), "3 2 3 3 3 2");
        assert_eq!(first(vec![peer(9), backup(1, 1)], &[9], 4), "9+1 1 1 1");
        assert_eq!(first(vec![peer(9), down(8)], &[9], 3), "9 u u");
    }

    #[test]
    fn failures() {
        let fails = |number, weight, max_fails| Peer { max_fails, ..weighted(number, weight) };
        let peers = || vec![fails(9, 5, 5), peer(1), weighted(2, 2)];
        assert_eq!(first(peers(), &[9], 12), "9+2 1 9+2 2 9+2 9+2 1 9+2 2 2 2 1");
        let peers = || vec![fails(9, 1, 3), weighted(1, 2)];
        assert_eq!(first(peers(), &[9], 12), "1 9+1 1 1 9+1 1 1 9+1 1 1 1 1");
        let peers = || vec![fails(9, 3, 0), weighted(1, 2)];
        assert_eq!(first(peers(), &[9], 8), "9+1 1 9+1 1 9+1 9+1 1 9+1");
        let peers = || vec![fails(9, 4, 2), fails(8, 2, 3), peer(1)];
        assert_eq!(first(peers(), &[9, 8], 6), "9+8+1 8+1 9+8+1 1 1 1");
        let backup = Peer { backup: true, ..peer(7) };
        let peers = vec![peer(9), fails(8, 1, 2), backup];
        assert_eq!(first(peers, &[9, 8, 7], 4), "9+8+7 8+u u u");
    }

    #[test]
    fn a_single_peer_is_never_out_of_service() {
        assert_eq!(first(vec![peer(9)], &[9], 3), "9 9 9");
    }

    #[test]
    fn a_peer_is_eased_in_after_its_rest() {
        let resting =
            |max_fails| Peer { max_fails, fail_timeout: Duration::from_secs(1), ..weighted(6, 5) };
        for (max_fails, before, after) in [
            (1, "6+1 1 2 1 1 2 1 1 2 1 1 2", "1 1 2 6 1 6 6 1 6 2 6 6 1 6 6 1 6 2"),
            (2, "6+1 1 6+2 1 2 1 1 2 1 1 2 1", "1 6 2 6 1 6 6 6 1 6 2 6 1 6 6 6 1 6"),
        ] {
            let peers = vec![resting(max_fails), weighted(1, 2), peer(2)];
            let mut balancer = Balancer::new(&upstream(peers), 1);
            let start = Instant::now();
            assert_eq!(walk(&mut balancer, start, &[6], 12), before);
            let later = start + Duration::from_millis(2200);
            assert_eq!(walk(&mut balancer, later, &[], 18), after);
        }
    }

    #[test]
    fn connections_are_limited() {
        let limited = |number, max_conns| Peer { max_conns, ..peer(number) };
        let mut balancer = Balancer::new(&upstream(vec![limited(1, 2), limited(2, 1)]), 1);
        let now = Instant::now();
        let mut leases: Vec<Lease> =
            (0..3).map(|_| balancer.pick(now, &mut Search::new()).unwrap()).collect();
        assert_eq!(leases.iter().map(Lease::peer).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(balancer.pick(now, &mut Search::new()), None);
        balancer.release(leases.remove(0));
        assert_eq!(balancer.pick(now, &mut Search::new()).map(|lease| lease.peer()), Some(0));
    }

    fn balanced(balance: Balance, peers: Vec<Peer>) -> Balancer {
        Balancer::new(&Upstream { balance, ..upstream(peers) }, 1)
    }

    fn by_hash(consistent: bool, weights: &[u32]) -> Balancer {
        let peers = (7001..).zip(weights).map(|(port, weight)| weighted(port, *weight));
        let peers = peers.map(|peer| Peer {
            name: format!("127.77.0.1:{}", peer.name.split(':').nth(1).unwrap()),
            max_fails: 0,
            ..peer
        });
        let key = Template::default();
        balanced(Balance::Hash { key, consistent }, peers.collect())
    }

    fn of_keys(balancer: &mut Balancer, dead: &[u16], keys: &[&str]) -> String {
        let mut words = Vec::new();
        for key in keys {
            let search = Search::by_key(key.as_bytes().to_vec());
            word_of(balancer, Instant::now(), dead, search, &mut words);
        }
        words.join(" ").replace("70", "")
    }

    #[test]
    fn the_peer_of_a_key() {
        // Keys 127.99.0.1 to .24; watched on nginx 1.22.1.
        let keys: Vec<String> = (1..=24).map(|n| format!("127.99.0.{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for (consistent, dead, expected) in [
            (
                false,
                &[][..],
                "\
                05 05 02 05 05 05 04 02 04 02 05 05 05 02 01 02 02 05 02 02 03 05 04 02",
            ),
            (
                false,
                &[7002, 7005][..],
                "\
                05+02+04 05+02+01 02+05+01 05+02+03 05+02+01 05+02+04 04 02+05+03 04 \
                02+05+01 05+01 05+02+01 05+01 02+03 01 02+03 02+03 05+01 02+05+01 02+05+03 \
                03 05+01 04 02+01",
            ),
            (
                true,
                &[][..],
                "\
                05 05 05 02 02 03 02 03 02 03 05 05 05 04 02 03 05 02 05 05 02 04 05 05",
            ),
            (
                true,
                &[7002, 7005][..],
                "\
                05+04 05+03 05+02+04 02+03 02+03 03 02+05+04 03 02+05+03 03 05+03 05+03 \
                05+02+04 04 02+05+04 03 05+03 02+05+01 05+03 05+02+04 02+05+04 04 05+02+03 \
                05+04",
            ),
        ] {
            let mut balancer = by_hash(consistent, &[1, 3, 2, 1, 5]);
            assert_eq!(of_keys(&mut balancer, dead, &keys), expected, "{consistent}");
        }
    }

    #[test]
    fn names_and_unix_sockets_have_points() {
        // Watched on nginx 1.22.1.
        let named = |name: &str, weight| Peer { name: name.into(), ..weighted(1, weight) };
        let names = [("unix:/tmp/up-a.sock", 1), ("127.77.0.1:7001", 2), ("localhost:7009", 1)];
        let peers = names.map(|(name, weight)| named(name, weight)).to_vec();
        let key = Template::default();
        let mut balancer = balanced(Balance::Hash { key, consistent: true }, peers);
        let mut seen = String::new();
        for number in 1..=24 {
            let mut search = Search::by_key(format!("k127.99.0.{number}").into_bytes());
            let lease = balancer.pick(Instant::now(), &mut search).unwrap();
            seen.push(['u', '1', 'l'][lease.peer()]);
        }
        assert_eq!(seen, "lu1uull1lu11lllll11uuuu1");
    }

    #[test]
    fn an_empty_key_goes_round() {
        let empty = vec![""; 8];
        for consistent in [false, true] {
            let mut balancer = by_hash(consistent, &[1, 3, 2, 1, 5]);
            assert_eq!(of_keys(&mut balancer, &[], &empty), "05 02 03 05 01 02 05 04");
        }
    }

    #[test]
    fn the_least_busy_peer_by_weight() {
        let mut balancer = balanced(Balance::LeastConn, vec![peer(1), weighted(2, 3), peer(3)]);
        let now = Instant::now();
        let pick = |balancer: &mut Balancer| balancer.pick(now, &mut Search::new()).unwrap();
        let mut leases: Vec<Lease> = (0..5).map(|_| pick(&mut balancer)).collect();
        let mut peers: Vec<usize> = leases.iter().map(Lease::peer).collect();
        peers.sort_unstable();
        assert_eq!(peers, [0, 1, 1, 1, 2]);
        let only = leases.iter().position(|lease| lease.peer() == 2).unwrap();
        balancer.release(leases.remove(only));
        assert_eq!(pick(&mut balancer).peer(), 2);
    }

    #[test]
    fn chance_goes_by_weight() {
        for two in [None, Some(Second::LeastConn)] {
            let peers = vec![peer(1), weighted(2, 3), Peer { down: true, ..peer(3) }];
            let mut balancer = balanced(Balance::Random { two }, peers);
            let mut counts = [0; 3];
            for _ in 0..4000 {
                let lease = balancer.pick(Instant::now(), &mut Search::new()).unwrap();
                counts[lease.peer()] += 1;
                if two.is_none() {
                    balancer.release(lease);
                }
            }
            assert!((900..1100).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
        }
    }

    #[test]
    fn the_fastest_peer_by_weight() {
        let balance = Balance::LeastTime { until: Timed::Connect, inflight: false };
        let mut balancer = balanced(balance, vec![peer(1), peer(2)]);
        let now = Instant::now();
        let session = |balancer: &mut Balancer| {
            let mut lease = balancer.pick(now, &mut Search::new()).unwrap();
            let peer = lease.peer();
            let took = Duration::from_millis([20, 6][peer]);
            balancer.measured(&mut lease, took);
            balancer.release(lease);
            peer
        };
        let peers: Vec<usize> = (0..5).map(|_| session(&mut balancer)).collect();
        assert_eq!(peers, [0, 1, 1, 1, 1]);
        // Four sessions at the fast one weigh more than the slow one's time.
        let held: Vec<Lease> =
            (0..4).filter_map(|_| balancer.pick(now, &mut Search::new())).collect();
        assert_eq!(held.iter().map(Lease::peer).collect::<Vec<_>>(), [1, 1, 1, 0]);
    }

    #[test]
    fn a_reload_keeps_what_is_known() {
        let now = Instant::now();
        let limited = Peer { max_conns: 1, ..peer(1) };
        let mut old = Balancer::new(&upstream(vec![limited.clone(), peer(2), peer(3)]), 1);
        let first = old.pick(now, &mut Search::new()).unwrap();
        let second = old.pick(now, &mut Search::new()).unwrap();
        old.fail(now, second);
        let mut new = Balancer::new(&upstream(vec![limited, peer(2), peer(4)]), 1);
        new.inherit(&old);
        let pick = |new: &mut Balancer| {
            let lease = new.pick(now, &mut Search::new()).unwrap();
            let peer = lease.peer();
            new.release(lease);
            peer
        };
        assert_eq!([pick(&mut new), pick(&mut new)], [2, 2]);
        old.release(first);
        assert!([pick(&mut new), pick(&mut new)].contains(&0));
    }
}
