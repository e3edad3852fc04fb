//! A subagent's talk with its master, from opening a session to losing it and coming back.
//!
//! The shell connects when [`Action::Connect`] says so, tells what comes in, and calls with
//! [`Event::Timeout`] at the [deadline](Session::deadline). What is asked for comes out as
//! [`Action::Answer`]; the answer goes in by [`Session::answer`].

use std::time::{Duration, Instant};

use super::pdu::{
    Body, DUPLICATE_REGISTRATION, NO_ERROR, NOT_OPEN, NOT_WRITABLE, PARSE_ERROR, Reason,
    UNSUPPORTED_CONTEXT,
};
use super::{Oid, Pdu, Value, VarBind};

/// Between tries to get to a master, and between signs of life from it (net-snmp's
/// `agentXPingInterval`).
pub const INTERVAL: Duration = Duration::from_secs(15);
/// A master answers within this time, or it is given up.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The usual one (RFC 2741, section 6.2.3).
const PRIORITY: u8 = 127;
/// Traps that are kept while a session is opened: thousands of instances begin at once.
const EARLY: usize = 4096;
/// snmpTrapOID.0
const TRAP: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// RFC 3416's, for sets that can't have been promised.
const COMMIT_FAILED: u16 = 14;
const UNDO_FAILED: u16 = 15;

#[derive(Debug)]
pub enum Event {
    Connected,
    /// The connection has ended, or couldn't be made, and why.
    Lost(String),
    Received(Pdu),
    Timeout,
    /// A trap of this kind, with these objects.
    Notify(Oid, Vec<VarBind>),
    Stop,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Connect,
    Send(Pdu),
    /// Close the connection, if there is one.
    Disconnect,
    /// Find out what is asked for.
    Answer(Pdu),
    /// The session is open.
    Opened,
    /// It can't be opened, and why.
    Failed(String),
    /// It isn't open any more, and why.
    Lost(String),
    /// Somebody else has this subtree.
    Refused(Oid, u16),
}

/// One subagent.
#[derive(Debug)]
pub struct Session {
    id: Oid,
    description: String,
    subtrees: Vec<Oid>,
    state: State,
    /// Of the last PDU that was sent by us.
    packet: u32,
    /// Traps from before it was known whether there is a master.
    early: Vec<Body>,
    /// The master's sysUpTime as it was then.
    uptime: Option<(Instant, u32)>,
}

#[derive(Debug)]
enum State {
    /// Until then.
    Away(Instant),
    Connecting,
    /// The answer comes until then.
    Opening(Instant),
    Open {
        session: u32,
        /// Registrations that aren't answered yet: packet and subtree.
        waiting: Vec<(u32, Oid)>,
        /// When to look whether the master is still there.
        ping: Instant,
        /// The answer comes until then.
        pinged: Option<Instant>,
    },
    Over,
}

impl Session {
    /// `id` and `description` name the subagent; `subtrees` are what it answers for.
    pub fn new(id: Oid, description: String, subtrees: Vec<Oid>, out: &mut Vec<Action>) -> Session {
        out.push(Action::Connect);
        let (state, packet, early, uptime) = (State::Connecting, 0, Vec::new(), None);
        Session { id, description, subtrees, state, packet, early, uptime }
    }

    /// When to call with [`Event::Timeout`].
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Away(until) | State::Opening(until) => Some(*until),
            State::Open { ping, pinged, .. } => Some(pinged.unwrap_or(*ping)),
            // The shell says how that ends.
            State::Connecting | State::Over => None,
        }
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// The master's sysUpTime, in hundredths of a second, as far as it is known.
    pub fn uptime(&self, now: Instant) -> u32 {
        let Some((at, uptime)) = self.uptime else { return 0 };
        let since = now.saturating_duration_since(at).as_millis() / 10;
        uptime.wrapping_add(since as u32)
    }

    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Connected => {
                self.state = State::Opening(now + PATIENCE);
                let description = self.description.clone().into_bytes();
                self.send(0, Body::Open { timeout: 0, id: self.id.clone(), description }, out);
            }
            Event::Lost(why) => self.lose(now, why, out),
            Event::Received(pdu) => self.hear(now, pdu, out),
            Event::Timeout => self.time_out(now, out),
            Event::Notify(kind, mut binds) => {
                binds.insert(0, VarBind { name: Oid::new(&TRAP), value: Value::Oid(kind) });
                let trap = Body::Notify(binds);
                match self.state {
                    State::Open { session, .. } => {
                        self.send(session, trap, out);
                    }
                    State::Connecting | State::Opening(_) if self.early.len() < EARLY => {
                        self.early.push(trap);
                    }
                    // Nobody wants to hear hours later of what was.
                    _ => {}
                }
            }
            Event::Stop => {
                if let State::Open { session, .. } = self.state {
                    self.send(session, Body::Close(Reason::Shutdown), out);
                }
                out.push(Action::Disconnect);
                self.state = State::Over;
            }
        }
    }

    /// What was asked for; `None`: it couldn't be found out.
    pub fn answer(&self, now: Instant, asked: &Pdu, binds: Option<Vec<VarBind>>) -> Pdu {
        match binds {
            Some(binds) => self.response(now, asked, NO_ERROR, 0, binds),
            None => self.response(now, asked, super::pdu::GENERAL_ERROR, 1, Vec::new()),
        }
    }

    fn response(
        &self,
        now: Instant,
        asked: &Pdu,
        error: u16,
        index: u16,
        binds: Vec<VarBind>,
    ) -> Pdu {
        let body = Body::Response { uptime: self.uptime(now), error, index, binds };
        let Pdu { session, transaction, packet, .. } = *asked;
        Pdu { session, transaction, packet, context: None, body }
    }

    fn send(&mut self, session: u32, body: Body, out: &mut Vec<Action>) -> u32 {
        self.packet = self.packet.wrapping_add(1);
        let (transaction, packet) = (self.packet, self.packet);
        out.push(Action::Send(Pdu { session, transaction, packet, context: None, body }));
        packet
    }

    fn lose(&mut self, now: Instant, why: String, out: &mut Vec<Action>) {
        if matches!(self.state, State::Over | State::Away(_)) {
            return;
        }
        let was_open = self.is_open();
        self.early.clear();
        self.state = State::Away(now + INTERVAL);
        out.push(Action::Disconnect);
        out.push(if was_open { Action::Lost(why) } else { Action::Failed(why) });
    }

    fn time_out(&mut self, now: Instant, out: &mut Vec<Action>) {
        match &mut self.state {
            State::Away(until) if *until <= now => {
                self.state = State::Connecting;
                out.push(Action::Connect);
            }
            State::Opening(until) if *until <= now => {
                self.lose(now, "it doesn't answer".to_owned(), out);
            }
            State::Open { pinged: Some(until), .. } if *until <= now => {
                self.lose(now, "it doesn't answer any more".to_owned(), out);
            }
            State::Open { session, ping, pinged: pinged @ None, .. } if *ping <= now => {
                *pinged = Some(now + PATIENCE);
                let session = *session;
                self.send(session, Body::Ping, out);
            }
            _ => {}
        }
    }

    fn hear(&mut self, now: Instant, pdu: Pdu, out: &mut Vec<Action>) {
        // Whatever it says, it is there.
        if let State::Open { ping, pinged, .. } = &mut self.state {
            (*ping, *pinged) = (now + INTERVAL, None);
        }
        match &pdu.body {
            Body::Response { uptime, error, .. } => {
                self.uptime = Some((now, *uptime));
                self.hear_response(now, &pdu, *error, out);
            }
            Body::Close(reason) => {
                self.lose(now, format!("it has closed the session ({reason:?})"), out);
            }
            body if asks(body) => {
                let State::Open { session, .. } = self.state else { return };
                let error = match body {
                    _ if pdu.session != session => NOT_OPEN,
                    _ if pdu.context.is_some() => UNSUPPORTED_CONTEXT,
                    Body::TestSet(_) => NOT_WRITABLE,
                    Body::CommitSet => COMMIT_FAILED,
                    Body::UndoSet => UNDO_FAILED,
                    _ => return out.push(Action::Answer(pdu)),
                };
                out.push(Action::Send(self.response(now, &pdu, error, 1, Vec::new())));
            }
            // A master sends nothing else, and a clean-up wants no answer.
            _ => {}
        }
    }

    fn hear_response(&mut self, now: Instant, pdu: &Pdu, error: u16, out: &mut Vec<Action>) {
        match &mut self.state {
            State::Opening(_) if pdu.packet == self.packet => {
                if error != NO_ERROR {
                    let why = format!("it opens no session (error {error})");
                    return self.lose(now, why, out);
                }
                let session = pdu.session;
                let mut waiting = Vec::new();
                for subtree in self.subtrees.clone() {
                    let register =
                        Body::Register { timeout: 0, priority: PRIORITY, subtree: subtree.clone() };
                    waiting.push((self.send(session, register, out), subtree));
                }
                let ping = now + INTERVAL;
                self.state = State::Open { session, waiting, ping, pinged: None };
                for trap in std::mem::take(&mut self.early) {
                    self.send(session, trap, out);
                }
                out.push(Action::Opened);
            }
            State::Open { .. } if error == NOT_OPEN => {
                self.lose(now, "it has forgotten the session".to_owned(), out);
            }
            State::Open { waiting, .. } => {
                let Some(at) = waiting.iter().position(|(packet, _)| *packet == pdu.packet) else {
                    return;
                };
                let (_, subtree) = waiting.swap_remove(at);
                if error != NO_ERROR {
                    out.push(Action::Refused(subtree, error));
                }
            }
            _ => {}
        }
    }
}

/// Does it want an answer?
fn asks(body: &Body) -> bool {
    matches!(
        body,
        Body::Get(_)
            | Body::GetNext(_)
            | Body::GetBulk { .. }
            | Body::TestSet(_)
            | Body::CommitSet
            | Body::UndoSet
    )
}

/// For people.
pub fn error_text(error: u16) -> String {
    match error {
        DUPLICATE_REGISTRATION => "another subagent has it".to_owned(),
        PARSE_ERROR => "the master doesn't understand".to_owned(),
        other => format!("error {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agentx::pdu::Range;

    const SESSION: u32 = 42;

    fn subtree() -> Oid {
        Oid::new(&[1, 3, 6, 1, 4, 1, 9586, 100, 5])
    }

    fn response(to: u32, error: u16) -> Event {
        let body = Body::Response { uptime: 500, error, index: 0, binds: Vec::new() };
        let (session, transaction) = (SESSION, to);
        Event::Received(Pdu { session, transaction, packet: to, context: None, body })
    }

    fn asked(session: u32, body: Body) -> Event {
        Event::Received(Pdu { session, transaction: 5, packet: 6, context: None, body })
    }

    fn told(session: &mut Session, now: Instant, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        session.handle(now, event, &mut out);
        out
    }

    /// Open, with its one subtree registered.
    fn open(now: Instant) -> Session {
        let mut out = Vec::new();
        let mut session = Session::new(Oid::default(), "x".to_owned(), vec![subtree()], &mut out);
        assert_eq!(out, [Action::Connect]);
        let sent = told(&mut session, now, Event::Connected);
        assert!(matches!(
            &sent[..],
            [Action::Send(Pdu { packet: 1, body: Body::Open { .. }, .. })]
        ));
        let sent = told(&mut session, now, response(1, NO_ERROR));
        let [Action::Send(register), Action::Opened] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((register.session, register.packet), (SESSION, 2));
        assert!(told(&mut session, now, response(2, NO_ERROR)).is_empty());
        session
    }

    #[test]
    fn a_silent_master_is_asked_whether_it_lives_and_then_left() {
        let begin = Instant::now();
        let mut session = open(begin);
        let at = session.deadline().unwrap();
        assert_eq!(at, begin + INTERVAL);
        let sent = told(&mut session, at, Event::Timeout);
        assert!(matches!(&sent[..], [Action::Send(Pdu { body: Body::Ping, .. })]), "{sent:?}");
        assert!(told(&mut session, at, response(3, NO_ERROR)).is_empty());
        let at = session.deadline().unwrap();
        told(&mut session, at, Event::Timeout);
        let at = session.deadline().unwrap();
        let sent = told(&mut session, at, Event::Timeout);
        assert!(matches!(&sent[..], [Action::Disconnect, Action::Lost(_)]), "{sent:?}");
        let at = session.deadline().unwrap();
        assert_eq!(told(&mut session, at, Event::Timeout), [Action::Connect]);
    }

    #[test]
    fn it_is_lost_once_and_comes_back() {
        let begin = Instant::now();
        let mut session = open(begin);
        assert_eq!(told(&mut session, begin, Event::Lost("x".to_owned())).len(), 2);
        assert!(told(&mut session, begin, Event::Lost("x".to_owned())).is_empty());
        assert!(told(&mut session, begin, Event::Notify(subtree(), Vec::new())).is_empty());
        let again = begin + INTERVAL;
        assert_eq!(told(&mut session, again, Event::Timeout), [Action::Connect]);
        assert_eq!(told(&mut session, again, Event::Connected).len(), 1);
        // A master that doesn't want it.
        let sent = told(&mut session, again, response(3, 5));
        assert!(matches!(&sent[..], [Action::Disconnect, Action::Failed(_)]), "{sent:?}");
    }

    #[test]
    fn what_is_asked_in_the_wrong_way_is_refused() {
        let begin = Instant::now();
        let mut session = open(begin);
        let range = Range { start: subtree(), include: false, end: Oid::default() };
        let next = Body::GetNext(vec![range]);
        let sent = told(&mut session, begin, asked(SESSION, next.clone()));
        let [Action::Answer(pdu)] = &sent[..] else { panic!("{sent:?}") };
        let answer = session.answer(begin + Duration::from_secs(1), pdu, Some(Vec::new()));
        assert!(matches!(answer.body, Body::Response { uptime: 600, error: NO_ERROR, .. }));
        assert_eq!((answer.transaction, answer.packet), (5, 6));
        for (session_id, body, expected) in [
            (SESSION + 1, next, NOT_OPEN),
            (SESSION, Body::TestSet(Vec::new()), NOT_WRITABLE),
            (SESSION, Body::CommitSet, COMMIT_FAILED),
            (SESSION, Body::UndoSet, UNDO_FAILED),
        ] {
            let sent = told(&mut session, begin, asked(session_id, body));
            let [Action::Send(Pdu { body: Body::Response { error, .. }, .. })] = &sent[..] else {
                panic!("{sent:?}");
            };
            assert_eq!(*error, expected);
        }
        assert!(told(&mut session, begin, asked(SESSION, Body::CleanupSet)).is_empty());
    }

    #[test]
    fn what_happens_while_it_connects_is_told_then() {
        let (now, mut out) = (Instant::now(), Vec::new());
        let mut session = Session::new(Oid::default(), "x".to_owned(), vec![subtree()], &mut out);
        assert!(told(&mut session, now, Event::Notify(subtree(), Vec::new())).is_empty());
        told(&mut session, now, Event::Connected);
        assert!(told(&mut session, now, Event::Notify(subtree(), Vec::new())).is_empty());
        let sent = told(&mut session, now, response(1, NO_ERROR));
        let traps = |it: &&Action| {
            matches!(it, Action::Send(Pdu { session: SESSION, body: Body::Notify(_), .. }))
        };
        assert_eq!(sent.iter().filter(traps).count(), 2);
    }

    #[test]
    fn a_trap_says_first_what_it_is() {
        let begin = Instant::now();
        let mut session = open(begin);
        let sent = told(&mut session, begin, Event::Notify(subtree(), Vec::new()));
        let [Action::Send(Pdu { body: Body::Notify(binds), .. })] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(binds[0].name, Oid::new(&TRAP));
        assert_eq!(binds[0].value, Value::Oid(subtree()));
        let sent = told(&mut session, begin, Event::Stop);
        let [Action::Send(close), Action::Disconnect] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(close.body, Body::Close(Reason::Shutdown));
        assert_eq!(session.deadline(), None);
    }
}
