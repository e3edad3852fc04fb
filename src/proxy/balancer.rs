//! Smooth weighted round robin over one upstream's peers.
//!
//! Each peer has a *current* weight. A pick raises every candidate's current weight by its *effective* weight,
//! takes the highest (the first of equals), and lowers that one by the sum of what was added. The effective weight
//! starts at `weight`, loses `weight / max_fails` with every failure and regains one per pick, so a peer that comes
//! back is eased in. With one worker this gives the same peers for the same connections as nginx 1.22, which
//! `compat-tests/proxy.rs` checks against the real one.
//!
//! The state is one per process, not one per worker as in nginx without `zone`: with several workers the shares stay
//! exact and a peer's failure is known to all of them at once.

use std::time::{Duration, Instant};

use crate::plan::stream::{Peer, Upstream};

/// nginx counts these windows in whole seconds, so there `fail_timeout=0` still spares a dead peer the rest of the
/// second it failed in.
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);

/// Round-robin state of one upstream.
#[derive(Debug)]
pub struct Balancer {
    /// The peers as configured, in the order of the config.
    peers: Vec<State>,
    /// One server and no backup: `max_fails` and `fail_timeout` don't apply to it.
    single: bool,
    /// How many attempts one session may make: each peer once, those marked `down` not counted.
    attempts: u32,
}

#[derive(Debug)]
struct State {
    peer: Peer,
    /// Current and effective weight.
    current: i64,
    effective: i64,
    fails: u32,
    /// Time of the last failure.
    failed: Option<Instant>,
    /// Start of the running `fail_timeout` window: the last failure, or the first pick after a window ended.
    checked: Option<Instant>,
    /// Sessions that hold a lease on this peer.
    sessions: u32,
}

/// The right to use one peer for one session. It is given back once: by [`Balancer::fail`] or
/// [`Balancer::release`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a lease counts as a session of its peer until it is given back"]
pub struct Lease {
    peer: u32,
}

impl Lease {
    /// Index of the peer in the upstream's list.
    pub fn peer(&self) -> usize {
        self.peer as usize
    }
}

impl Balancer {
    pub fn new(upstream: &Upstream) -> Self {
        let peers: Vec<State> = upstream.peers.iter().cloned().map(State::new).collect();
        let single = peers.len() == 1;
        let attempts = peers.iter().filter(|state| !state.peer.down).count() as u32;
        Self { peers, single, attempts }
    }

    /// How many attempts one session may make.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    pub fn peer(&self, lease: &Lease) -> &Peer {
        &self.peers[lease.peer()].peer
    }

    /// The next peer, or `None` when no peer is usable now. `tried` are the peers this session has already tried.
    /// Backup peers are picked only when none of the others is usable.
    pub fn pick(&mut self, now: Instant, tried: &[u32]) -> Option<Lease> {
        if self.single {
            let state = &mut self.peers[0];
            if state.peer.down || state.full() || !tried.is_empty() {
                return None;
            }
            state.sessions += 1;
            return Some(Lease { peer: 0 });
        }
        let index =
            self.pick_among(now, tried, false).or_else(|| self.pick_among(now, tried, true))?;
        Some(Lease { peer: index as u32 })
    }

    fn pick_among(&mut self, now: Instant, tried: &[u32], backup: bool) -> Option<usize> {
        let mut best: Option<(usize, i64)> = None;
        let mut total = 0;
        for (index, state) in self.peers.iter_mut().enumerate() {
            if state.peer.backup != backup || !state.usable(now) || tried.contains(&(index as u32))
            {
                continue;
            }
            state.current += state.effective;
            total += state.effective;
            if state.effective < state.weight() {
                state.effective += 1;
            }
            if best.is_none_or(|(_, current)| state.current > current) {
                best = Some((index, state.current));
            }
        }
        let (index, _) = best?;
        let state = &mut self.peers[index];
        state.current -= total;
        state.sessions += 1;
        if state.window_over(now) {
            state.checked = Some(now);
        }
        Some(index)
    }

    /// The peer answered: failures from before this `fail_timeout` window are forgotten. The lease goes on.
    pub fn succeed(&mut self, lease: &Lease) {
        let state = &mut self.peers[lease.peer()];
        if state.failed < state.checked {
            state.fails = 0;
        }
    }

    /// The peer failed. Returns whether this took it out of service for `fail_timeout`.
    pub fn fail(&mut self, now: Instant, lease: Lease) -> bool {
        let single = self.single;
        let state = &mut self.peers[lease.peer()];
        state.sessions = state.sessions.saturating_sub(1);
        if single {
            return false;
        }
        state.fails = state.fails.saturating_add(1);
        state.failed = Some(now);
        state.checked = Some(now);
        let max_fails = state.peer.max_fails;
        if max_fails == 0 {
            return false;
        }
        state.effective = (state.effective - state.weight() / i64::from(max_fails)).max(0);
        state.fails >= max_fails
    }

    /// The session ended.
    pub fn release(&mut self, lease: Lease) {
        let state = &mut self.peers[lease.peer()];
        state.sessions = state.sessions.saturating_sub(1);
    }

    /// Takes over what `old` knew of peers that are configured as before, so that a reload doesn't send sessions to
    /// a peer that is known to be dead.
    pub fn inherit(&mut self, old: &Self) {
        for state in &mut self.peers {
            if let Some(known) = old.peers.iter().find(|known| known.peer == state.peer) {
                (state.fails, state.failed, state.checked) =
                    (known.fails, known.failed, known.checked);
                state.effective = known.effective;
            }
        }
    }
}

impl State {
    fn new(peer: Peer) -> Self {
        let effective = i64::from(peer.weight);
        Self { peer, current: 0, effective, fails: 0, failed: None, checked: None, sessions: 0 }
    }

    fn weight(&self) -> i64 {
        i64::from(self.peer.weight)
    }

    fn full(&self) -> bool {
        self.peer.max_conns != 0 && self.sessions >= self.peer.max_conns
    }

    fn usable(&self, now: Instant) -> bool {
        let resting =
            self.peer.max_fails != 0 && self.fails >= self.peer.max_fails && !self.window_over(now);
        !self.peer.down && !resting && !self.full()
    }

    fn window_over(&self, now: Instant) -> bool {
        let window = self.peer.fail_timeout.max(SHORTEST_WINDOW);
        self.checked.is_none_or(|checked| now.saturating_duration_since(checked) > window)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::plan::stream::{Address, Balance};
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
        Upstream { name: "u".into(), balance: Balance::RoundRobin, peers, span }
    }

    fn weighted(number: u16, weight: u32) -> Peer {
        Peer { weight, ..peer(number) }
    }

    /// Walks sessions one after the other; the peers in `dead` refuse. One word per session: the
    /// peers it tried, `u` where it found none.
    fn walk(balancer: &mut Balancer, now: Instant, dead: &[u16], sessions: usize) -> String {
        let mut words = Vec::new();
        for _ in 0..sessions {
            let (mut tried, mut word) = (Vec::new(), Vec::new());
            while tried.len() < balancer.attempts() as usize {
                let Some(lease) = balancer.pick(now, &tried) else {
                    word.push("u".to_owned());
                    break;
                };
                let Address::Tcp(address) = balancer.peer(&lease).address else { unreachable!() };
                word.push(address.port().to_string());
                if dead.contains(&address.port()) {
                    tried.push(lease.peer() as u32);
                    balancer.fail(now, lease);
                } else {
                    balancer.succeed(&lease);
                    balancer.release(lease);
                    break;
                }
            }
            words.push(word.join("+"));
        }
        words.join(" ")
    }

    fn first(peers: Vec<Peer>, dead: &[u16], sessions: usize) -> String {
        walk(&mut Balancer::new(&upstream(peers)), Instant::now(), dead, sessions)
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
            let mut balancer = Balancer::new(&upstream(peers));
            let start = Instant::now();
            assert_eq!(walk(&mut balancer, start, &[6], 12), before);
            let later = start + Duration::from_millis(2200);
            assert_eq!(walk(&mut balancer, later, &[], 18), after);
        }
    }

    #[test]
    fn connections_are_limited() {
        let limited = |number, max_conns| Peer { max_conns, ..peer(number) };
        let mut balancer = Balancer::new(&upstream(vec![limited(1, 2), limited(2, 1)]));
        let now = Instant::now();
        let mut leases: Vec<Lease> = (0..3).map(|_| balancer.pick(now, &[]).unwrap()).collect();
        assert_eq!(leases.iter().map(Lease::peer).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(balancer.pick(now, &[]), None);
        balancer.release(leases.remove(0));
        assert_eq!(balancer.pick(now, &[]).map(|lease| lease.peer()), Some(0));
    }
}
