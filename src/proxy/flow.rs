//! The flows of UDP: which datagrams belong together, and when a session of them is over.
//!
//! A flow is a client's address and the address of ours that it asked. Its first datagram begins a
//! session, which has one peer. `proxy_requests` datagrams later the flow is free for the next
//! session, while this one still waits for answers. A session ends
//!
//! - when each of its datagrams has had its `proxy_responses` answers (never, where that isn't
//!   set), and there have been `proxy_requests` of them where that is set;
//! - when nothing has moved for `proxy_timeout`. Answers that are missing then are the peer's
//!   failure.
//!
//! What nginx 1.22 does in each case was watched, and `compat-tests/stream_udp.rs` watches both.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::session::Side;

/// A server's settings for the sessions of its flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// `proxy_requests`; 0: any number.
    pub requests: u64,
    /// `proxy_responses`; `None`: nobody knows.
    pub responses: Option<u64>,
    /// `proxy_timeout`
    pub timeout: Duration,
    /// Bytes per second from the client, then from the peer; 0: no limit.
    pub rates: [u64; 2],
}

/// One session.
#[derive(Debug)]
pub struct Flow {
    rules: Rules,
    begun: Instant,
    /// Datagrams from the client; answers to it.
    packets: [u64; 2],
    /// Bytes received from a side.
    received: [u64; 2],
    /// Bytes sent to a side.
    sent: [u64; 2],
    /// The peer's socket can't be read any more.
    deaf: bool,
    /// There will be no more datagrams from the client.
    closing: bool,
    /// An answer was passed on since then.
    answered: bool,
    deadline: Instant,
    /// Nothing is read from the peer until then: its rate is used up.
    paused: Option<Instant>,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was asked and answered.
    Done,
    /// Nothing moved, and nothing was missing.
    TimedOut,
    /// Nothing moved, and answers are missing.
    Unanswered,
    /// The last answer that could be expected has come, and no further datagrams are accepted.
    Shutdown,
}

/// What becomes of a client's datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// To the peer with it.
    Forward,
    /// The same, and the flow is free for the next session.
    Last,
    /// `proxy_upload_rate` is used up: it is dropped, as nginx drops it.
    Excess,
}

impl Flow {
    pub fn new(now: Instant, rules: Rules) -> Self {
        Self {
            rules,
            begun: now,
            packets: [0; 2],
            received: [0; 2],
            sent: [0; 2],
            deaf: false,
            closing: false,
            answered: false,
            deadline: now + rules.timeout,
            paused: None,
        }
    }

    /// The client has sent a datagram of so many bytes.
    pub fn admit(&mut self, now: Instant, bytes: usize) -> Admission {
        if self.limited(now, Side::Client).is_some() {
            return Admission::Excess;
        }
        self.packets[0] += 1;
        self.received[Side::Client as usize] += bytes as u64;
        match self.rules.requests {
            0 => Admission::Forward,
            requests if self.packets[0] < requests => Admission::Forward,
            _ => Admission::Last,
        }
    }

    /// So many bytes were sent to the peer.
    pub fn forwarded(&mut self, now: Instant, bytes: usize) {
        self.sent[Side::Upstream as usize] += bytes as u64;
        self.moved(now);
    }

    /// The peer has sent an answer of so many bytes.
    pub fn answered(&mut self, now: Instant, bytes: usize) {
        self.received[Side::Upstream as usize] += bytes as u64;
        self.paused = self.limited(now, Side::Upstream);
    }

    /// It was passed on: so many bytes, or nothing where that has failed.
    pub fn delivered(&mut self, now: Instant, bytes: usize) {
        self.packets[1] += 1;
        self.sent[Side::Client as usize] += bytes as u64;
        self.answered = self.closing;
        self.moved(now);
    }

    /// Reading from the peer has failed: nothing more will come, and it will be the peer's failure.
    pub fn deafen(&mut self) {
        self.deaf = true;
    }

    /// No more datagrams will come from the client: the session ends with the answers that are
    /// still expected, and lasts no longer than it would if nothing came.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Whether it is over, to be asked after something has moved.
    pub fn end(&self) -> Option<End> {
        if self.is_complete() {
            return Some(End::Done);
        }
        let last = self.closing && self.answered && !self.lacks_answers();
        last.then_some(End::Shutdown)
    }

    /// When it is to be [woken](Self::wake). A session that waits for its rate doesn't time out.
    pub fn deadline(&self) -> Instant {
        self.paused.unwrap_or(self.deadline)
    }

    /// Its deadline has come. `None`: the peer may be read again.
    pub fn wake(&mut self, now: Instant) -> Option<End> {
        if self.paused.take().is_some() {
            self.moved(now);
            return None;
        }
        Some(if self.lacks_answers() { End::Unanswered } else { End::TimedOut })
    }

    /// Whether the peer may be read now.
    pub fn may_read(&self) -> bool {
        !self.deaf && self.paused.is_none()
    }

    /// Whether it must be looked at after each answer that is read.
    pub fn is_paced(&self) -> bool {
        self.rules.rates[Side::Upstream as usize] > 0
    }

    /// The peer's socket failed while it was read.
    pub fn is_deaf(&self) -> bool {
        self.deaf
    }

    /// Datagrams from the client, answers to it. An error in place of an answer counts as one.
    pub fn packets(&self) -> [u64; 2] {
        self.packets
    }

    /// Bytes received from a side, bytes sent to it.
    pub fn counts(&self, side: Side) -> (u64, u64) {
        (self.received[side as usize], self.sent[side as usize])
    }

    fn is_complete(&self) -> bool {
        let Some(responses) = self.rules.responses else { return false };
        self.packets[0] >= self.rules.requests
            && self.packets[1] >= self.packets[0].saturating_mul(responses)
    }

    fn lacks_answers(&self) -> bool {
        let expected = self.packets[0].saturating_mul(self.rules.responses.unwrap_or(0));
        self.packets[1] < expected
    }

    /// Until when this side's rate is used up. nginx's rule: after each second begun, a second's
    /// worth of bytes more may have come.
    fn limited(&self, now: Instant, from: Side) -> Option<Instant> {
        let rate = self.rules.rates[from as usize];
        let received = self.received[from as usize];
        let seconds = now.saturating_duration_since(self.begun).as_secs() + 1;
        if rate == 0 || received < rate.saturating_mul(seconds) {
            return None;
        }
        Some(self.begun + Duration::from_secs(received / rate))
    }

    fn moved(&mut self, now: Instant) {
        if !self.closing {
            self.deadline = now + self.rules.timeout;
        }
    }
}

/// Which session takes the next datagram of each flow. `K` is what tells flows apart, `I` a session.
#[derive(Debug)]
pub struct Flows<K, I> {
    sessions: HashMap<K, I>,
}

impl<K, I> Default for Flows<K, I> {
    fn default() -> Self {
        Self { sessions: HashMap::new() }
    }
}

impl<K: Eq + Hash, I: Copy + PartialEq> Flows<K, I> {
    pub fn find(&self, key: &K) -> Option<I> {
        self.sessions.get(key).copied()
    }

    /// This session takes the flow from now on.
    pub fn bind(&mut self, key: K, session: I) {
        self.sessions.insert(key, session);
    }

    /// The flow is free again, unless another session has taken it meanwhile.
    pub fn unbind(&mut self, key: &K, session: I) {
        if self.sessions.get(key) == Some(&session) {
            self.sessions.remove(key);
        }
    }

    pub fn sessions(&self) -> impl Iterator<Item = I> + '_ {
        self.sessions.values().copied()
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(requests: u64, responses: Option<u64>) -> Rules {
        Rules { requests, responses, timeout: Duration::from_secs(1), rates: [0, 0] }
    }

    /// A datagram of ten bytes; how the session ended, if it did.
    fn ask(now: Instant, flow: &mut Flow) -> Option<End> {
        assert_ne!(flow.admit(now, 10), Admission::Excess);
        flow.forwarded(now, 10);
        flow.end()
    }

    fn answer(now: Instant, flow: &mut Flow) -> Option<End> {
        flow.answered(now, 7);
        flow.delivered(now, 7);
        flow.end()
    }

    fn after(now: Instant, milliseconds: u64) -> Instant {
        now + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_session_without_a_number_of_answers_lasts_until_nothing_moves() {
        let now = Instant::now();
        let mut flow = Flow::new(now, rules(0, None));
        assert_eq!((ask(now, &mut flow), answer(now, &mut flow)), (None, None));
        assert_eq!(ask(after(now, 900), &mut flow), None);
        assert_eq!(flow.deadline(), after(now, 1900));
        assert_eq!(flow.wake(after(now, 1900)), Some(End::TimedOut));
        assert_eq!(flow.packets(), [2, 1]);
        assert_eq!((flow.counts(Side::Client), flow.counts(Side::Upstream)), ((20, 7), (7, 20)));
    }

    #[test]
    fn answers_that_were_expected_end_it() {
        let now = Instant::now();
        let mut flow = Flow::new(now, rules(0, Some(1)));
        assert_eq!((ask(now, &mut flow), ask(now, &mut flow)), (None, None));
        assert_eq!(answer(now, &mut flow), None);
        assert_eq!(answer(now, &mut flow), Some(End::Done));
        assert_eq!(ask(now, &mut Flow::new(now, rules(0, Some(0)))), Some(End::Done));
        let mut three = Flow::new(now, rules(3, Some(0)));
        assert_eq!([0; 3].map(|_| ask(now, &mut three)), [None, None, Some(End::Done)]);
    }

    #[test]
    fn answers_that_are_missing_are_the_peers_failure() {
        let now = Instant::now();
        let mut flow = Flow::new(now, rules(0, Some(2)));
        ask(now, &mut flow);
        answer(now, &mut flow);
        assert_eq!(flow.wake(after(now, 1000)), Some(End::Unanswered));
        // Where more datagrams could have come, nothing is missing.
        let mut flow = Flow::new(now, rules(2, Some(1)));
        ask(now, &mut flow);
        assert_eq!(answer(now, &mut flow), None);
        assert_eq!(flow.wake(after(now, 1000)), Some(End::TimedOut));
    }

    #[test]
    fn the_number_of_requests_frees_the_flow_for_the_next_session() {
        let now = Instant::now();
        let mut flow = Flow::new(now, rules(2, None));
        assert_eq!(flow.admit(now, 1), Admission::Forward);
        assert_eq!(flow.admit(now, 1), Admission::Last);
        let mut flows = Flows::default();
        flows.bind("client", 1);
        flows.unbind(&"client", 1);
        flows.bind("client", 2);
        // The end of the first leaves the second where it is.
        flows.unbind(&"client", 1);
        assert_eq!(flows.find(&"client"), Some(2));
        flows.unbind(&"client", 2);
        assert!(flows.is_empty());
    }

    #[test]
    fn rates_drop_one_way_and_delay_the_other() {
        let now = Instant::now();
        let mut flow = Flow::new(now, Rules { rates: [15, 7], ..rules(0, None) });
        ask(now, &mut flow);
        ask(now, &mut flow);
        assert_eq!(flow.admit(now, 10), Admission::Excess);
        answer(now, &mut flow);
        assert!(!flow.may_read());
        assert_eq!(flow.deadline(), after(now, 1000));
        assert_eq!(flow.wake(after(now, 1000)), None);
        assert!(flow.may_read());
        assert_eq!(flow.deadline(), after(now, 2000));
        assert_eq!(flow.admit(after(now, 1000), 10), Admission::Forward);
    }

    #[test]
    fn who_closes_waits_for_the_answers_only() {
        let now = Instant::now();
        let mut flow = Flow::new(now, rules(0, Some(2)));
        ask(now, &mut flow);
        flow.close();
        assert_eq!(answer(after(now, 500), &mut flow), None);
        assert_eq!(answer(after(now, 500), &mut flow), Some(End::Done));
        let mut flow = Flow::new(now, rules(0, None));
        ask(now, &mut flow);
        flow.close();
        assert_eq!(flow.end(), None);
        assert_eq!(answer(after(now, 500), &mut flow), Some(End::Shutdown));
        assert_eq!(flow.deadline(), after(now, 1000));
    }

    /// A seed's numbers (xorshift).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, most: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % most
        }
    }

    /// Whatever comes in whatever order, the rules hold. `SEED` repeats one.
    #[test]
    fn storms_of_datagrams_keep_the_rules() {
        let one = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seeds = one.map_or(1..400, |seed: u64| seed..seed + 1);
        for seed in seeds {
            println!("SEED={seed}");
            storm(Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1));
        }
    }

    fn storm(mut numbers: Numbers) {
        let begun = Instant::now();
        let rules = Rules {
            requests: numbers.below(5),
            responses: [None, Some(numbers.below(3))][numbers.below(2) as usize],
            timeout: Duration::from_millis(1 + numbers.below(3000)),
            rates: [0, 1].map(|_| [0, 1 + numbers.below(2000)][numbers.below(2) as usize]),
        };
        let (mut now, mut flow) = (begun, Flow::new(begun, rules));
        // A session begins with a datagram.
        flow.admit(now, 1);
        flow.forwarded(now, 1);
        let (mut asked, mut answers, mut forwarded, mut closed) = (1, 0, 1, None);
        for _ in 0..300 {
            let bytes = numbers.below(1500);
            let seconds = now.duration_since(begun).as_secs() + 1;
            match numbers.below(5) {
                0 => now += Duration::from_millis(numbers.below(700)),
                1 if closed.is_none() => {
                    let full = rules.rates[0] > 0 && forwarded >= rules.rates[0] * seconds;
                    let admission = flow.admit(now, bytes as usize);
                    assert_eq!(admission == Admission::Excess, full);
                    if !full {
                        (asked, forwarded) = (asked + 1, forwarded + bytes);
                        let last = rules.requests > 0 && asked >= rules.requests;
                        assert_eq!(admission == Admission::Last, last);
                        flow.forwarded(now, bytes as usize);
                    }
                }
                2 | 3 if flow.may_read() => {
                    flow.answered(now, bytes as usize);
                    flow.delivered(now, bytes as usize);
                    answers += 1;
                    let received = flow.counts(Side::Upstream).0;
                    let full = rules.rates[1] > 0 && received >= rules.rates[1] * seconds;
                    assert_eq!(flow.may_read(), !full);
                }
                _ if numbers.below(40) == 0 && closed.is_none() => {
                    flow.close();
                    closed = Some(answers);
                }
                _ => {}
            }
            assert_eq!(flow.packets(), [asked, answers]);
            assert_eq!(flow.counts(Side::Client).0, forwarded);
            assert_eq!(flow.counts(Side::Upstream).1, forwarded);
            let missing = answers < asked * rules.responses.unwrap_or(0);
            let complete = rules.responses.is_some() && !missing && asked >= rules.requests;
            let shut = closed.is_some_and(|before| answers > before) && !missing;
            let end = match (complete, shut) {
                (true, _) => Some(End::Done),
                (false, true) => Some(End::Shutdown),
                (false, false) => None,
            };
            assert_eq!(flow.end(), end);
            if end.is_some() {
                return;
            }
            if flow.deadline() > now {
                continue;
            }
            let paused = !flow.may_read();
            match flow.wake(now) {
                Some(end) => {
                    assert_eq!(end == End::Unanswered, missing);
                    return;
                }
                // Who has waited for the rate goes on, and not into the same moment again.
                None => {
                    assert!(paused && flow.may_read());
                    assert!(flow.deadline() > now || closed.is_some());
                }
            }
        }
    }
}
