//! The phases of one TCP connection as a walk: dialing, relaying, closed.
//!
//! Every method takes what happened and returns the next step. What nginx 1.22 does in each case
//! was measured, and `compat-tests/proxy.rs` measures both.

use std::time::Instant;

use super::balancer::{Balancer, Lease, Search};
use crate::plan::stream::NextUpstream;

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Connect to this peer, then call [`Dialing::connected`] or [`Dialing::failed`].
    Dial(Lease),
    /// Move bytes both ways, by [`Relay`].
    Relay(Lease),
    /// Close the client's connection: no peer is usable.
    NoPeer,
    /// Close the client's connection: no further attempt is allowed.
    GiveUp,
}

/// nginx's `$status` for TCP sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok = 200,
    /// The client's bytes aren't what they have to be.
    BadRequest = 400,
    /// `deny`
    Forbidden = 403,
    /// This host lacks something: descriptors, memory, `worker_connections`.
    Internal = 500,
    BadGateway = 502,
    /// `limit_conn`
    Unavailable = 503,
}

/// The phase in which a peer is looked for.
#[derive(Debug)]
pub struct Dialing {
    next: NextUpstream,
    started: Instant,
    attempts_left: u32,
    search: Search,
    first: bool,
}

impl Dialing {
    /// Whether no peer has been lost yet.
    pub fn is_first(&self) -> bool {
        self.first
    }

    pub fn begin(
        now: Instant,
        next: NextUpstream,
        search: Search,
        balancer: &mut Balancer,
    ) -> (Self, Step) {
        let allowed = match next.tries {
            0 => balancer.attempts(),
            tries => balancer.attempts().min(tries),
        };
        let attempts_left = allowed.max(1);
        let mut dialing = Self { next, started: now, attempts_left, search, first: true };
        let step = dialing.pick(now, balancer);
        (dialing, step)
    }

    fn pick(&mut self, now: Instant, balancer: &mut Balancer) -> Step {
        match balancer.pick(now, &mut self.search) {
            Some(lease) => {
                self.attempts_left -= 1;
                Step::Dial(lease)
            }
            None => Step::NoPeer,
        }
    }

    /// The peer answered.
    pub fn connected(self, lease: Lease, balancer: &mut Balancer) -> Step {
        balancer.succeed(&lease);
        Step::Relay(lease)
    }

    /// The peer refused, or didn't answer in time. Also says whether this took the peer out of
    /// service.
    pub fn failed(
        &mut self,
        now: Instant,
        lease: Lease,
        balancer: &mut Balancer,
    ) -> (Step, Disabled) {
        self.first = false;
        self.search.exclude(lease.peer());
        let disabled = Disabled(balancer.fail(now, lease));
        let elapsed = now.saturating_duration_since(self.started);
        let late = !self.next.timeout.is_zero() && elapsed >= self.next.timeout;
        if !self.next.enabled || self.attempts_left == 0 || late {
            return (Step::GiveUp, disabled);
        }
        (self.pick(now, balancer), disabled)
    }
}

/// Whether a failure took the peer out of service for its `fail_timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disabled(pub bool);

/// One of the two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client = 0,
    Upstream = 1,
}

impl Side {
    pub const BOTH: [Side; 2] = [Side::Client, Side::Upstream];

    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Upstream,
            Side::Upstream => Side::Client,
        }
    }
}

/// The phase in which bytes flow: counts them, and follows the ends of both streams.
#[derive(Debug, Default)]
pub struct Relay {
    half_close: bool,
    received: [u64; 2],
    sent: [u64; 2],
    ended: [bool; 2],
    shut: [bool; 2],
    /// Bytes to the peer that didn't come from the client.
    announced: u32,
}

/// What a stream's end asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Nothing yet.
    Wait,
    /// Tell this side that nothing more will come, and go on in the other direction.
    Half(Side),
    /// Close both. The side is the one whose end was seen last.
    Both(Side),
}

impl Relay {
    /// With `half_close` (`proxy_half_close on`) a session lasts until both sides have ended;
    /// otherwise it ends when one side has ended and what it had sent is delivered. Bytes on their
    /// way in the other direction are then dropped, as in nginx.
    pub fn new(half_close: bool) -> Self {
        Self { half_close, ..Self::default() }
    }

    pub fn received(&mut self, from: Side, bytes: usize) {
        self.received[from as usize] += bytes as u64;
    }

    pub fn sent(&mut self, to: Side, bytes: usize) {
        self.sent[to as usize] += bytes as u64;
    }

    /// The peer was sent so many bytes before the client's first.
    pub fn announced(&mut self, bytes: usize) {
        self.announced += bytes as u32;
        self.sent(Side::Upstream, bytes);
    }

    /// The stream from this side is over: end of stream, or an error that ends it.
    pub fn end(&mut self, from: Side) {
        self.ended[from as usize] = true;
    }

    pub fn ended(&self, from: Side) -> bool {
        self.ended[from as usize]
    }

    /// Whether all that came from `from` has been sent on.
    pub fn delivered(&self, from: Side) -> bool {
        let own = if from == Side::Client { u64::from(self.announced) } else { 0 };
        self.received[from as usize] + own == self.sent[from.other() as usize]
    }

    /// To be asked after bytes have moved or a stream has ended.
    pub fn close(&mut self) -> Close {
        let done = |side: Side| self.ended(side) && self.delivered(side);
        let last = match (done(Side::Client), done(Side::Upstream)) {
            (false, false) => return Close::Wait,
            (true, true) if self.shut[Side::Upstream as usize] => {
                return Close::Both(Side::Upstream);
            }
            (true, true) => return Close::Both(Side::Client),
            (true, false) => Side::Client,
            (false, true) => Side::Upstream,
        };
        if !self.half_close {
            return Close::Both(last);
        }
        let to = last.other();
        if std::mem::replace(&mut self.shut[to as usize], true) {
            return Close::Wait;
        }
        Close::Half(to)
    }

    /// Bytes received from a side, bytes sent to it.
    pub fn counts(&self, side: Side) -> (u64, u64) {
        (self.received[side as usize], self.sent[side as usize])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proxy::balancer::tests::{peer, upstream};

    fn next(tries: u32, timeout: u64) -> NextUpstream {
        NextUpstream { enabled: true, tries, timeout: Duration::from_secs(timeout) }
    }

    fn dialed(step: Step) -> Lease {
        match step {
            Step::Dial(lease) => lease,
            other => panic!("not a dial: {other:?}"),
        }
    }

    #[test]
    fn every_peer_is_tried_once_then_it_gives_up() {
        let mut balancer = Balancer::new(&upstream(vec![peer(1), peer(2)]), 1);
        let now = Instant::now();
        let (mut dialing, step) = Dialing::begin(now, next(0, 0), Search::new(), &mut balancer);
        let first = dialed(step);
        assert_eq!(first.peer(), 0);
        let (step, disabled) = dialing.failed(now, first, &mut balancer);
        assert_eq!(disabled, Disabled(true));
        let second = dialed(step);
        assert_eq!(second.peer(), 1);
        assert_eq!(dialing.failed(now, second, &mut balancer).0, Step::GiveUp);
        assert_eq!(Dialing::begin(now, next(0, 0), Search::new(), &mut balancer).1, Step::NoPeer);
    }

    #[test]
    fn tries_timeout_and_off_limit_the_attempts() {
        let now = Instant::now();
        for (limits, elapsed) in
            [(next(1, 0), 0), (next(0, 1), 1), (NextUpstream { enabled: false, ..next(0, 0) }, 0)]
        {
            let mut balancer = Balancer::new(&upstream(vec![peer(1), peer(2)]), 1);
            let (mut dialing, step) = Dialing::begin(now, limits, Search::new(), &mut balancer);
            let later = now + Duration::from_secs(elapsed);
            assert_eq!(dialing.failed(later, dialed(step), &mut balancer).0, Step::GiveUp);
        }
    }

    #[test]
    fn one_end_closes_both_once_delivered() {
        let mut relay = Relay::new(false);
        relay.received(Side::Client, 5);
        relay.end(Side::Client);
        assert_eq!(relay.close(), Close::Wait);
        relay.sent(Side::Upstream, 5);
        assert_eq!(relay.close(), Close::Both(Side::Client));
    }

    #[test]
    fn half_close_waits_for_the_other_end() {
        let mut relay = Relay::new(true);
        relay.end(Side::Client);
        assert_eq!(relay.close(), Close::Half(Side::Upstream));
        assert_eq!(relay.close(), Close::Wait);
        relay.received(Side::Upstream, 9);
        relay.end(Side::Upstream);
        assert_eq!(relay.close(), Close::Wait);
        relay.sent(Side::Client, 9);
        assert_eq!(relay.close(), Close::Both(Side::Upstream));
    }
}
