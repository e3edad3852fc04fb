//! The sessions of one worker: accepts, dials, relays, times out.
//!
//! One epoll instance, each descriptor registered once and edge-triggered, and a table of
//! sessions of a few hundred bytes each. A tokio task per session would cost ten times that, and a
//! tenth more CPU per short connection (measured).
//!
//! Here are the events and the clock; [`doors`], [`arriving`], [`dialing`], [`relaying`] and
//! [`answering`] have what follows from them. Read [`arriving`] next.

mod admitting;
mod answering;
mod arriving;
mod choosing;
mod departing;
mod dialing;
mod doors;
mod inquiring;
mod naming;
mod prereading;
mod relaying;
mod securing;
mod seeking;
mod udp;

pub(super) use departing::{Outbound, departure, rates};
pub(super) use naming::Wish;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use super::access;
use super::bulk::Pipes;
use super::counters::Counters;
use super::service::Generation;
use super::session::{Key, Phase, Session, Sessions};
use super::timers::Timers;
use crate::plan::process::LogLevel;
use crate::plan::stream::Timed;
use crate::proxy::message::{Doing, Errno};
use crate::proxy::session::{Side, Status};
use naming::Letterbox;
use udp::Halls;

/// Events taken from the kernel at a time.
const EVENTS: usize = 512;

#[derive(Debug)]
pub(super) struct Engine {
    /// This worker's number, from 0.
    index: usize,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    generation: Arc<Generation>,
    /// Whether its doors are registered.
    open: bool,
    resting_until: Option<Instant>,
    /// How many connections a door is asked for at a time.
    greed: usize,
    /// Turns so far, and the last one in which somebody was at a door.
    turns: u64,
    knocked: u64,
    /// Sessions with more to move than one turn allows.
    busy: VecDeque<Key>,
    sessions: Sessions,
    halls: Halls,
    timers: Timers,
    /// When sessions that have read too fast go on.
    naps: Timers,
    /// When sessions of generations before the given one are closed.
    cutoffs: Vec<(Instant, u32)>,
    scratch: Vec<u8>,
    pipes: Pipes,
    /// Where names' addresses come in, once a session has asked for one.
    letterbox: Option<Arc<Letterbox>>,
    /// Rung by other threads to end a wait.
    bell: Arc<EventFd>,
    /// Descriptors of sessions, as `worker_connections` counts them.
    connections: usize,
    counters: Arc<Counters>,
}

/// What a turn has done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// When its events were taken.
    pub(super) now: Instant,
    /// There is nothing more to do for now.
    pub(super) all: bool,
    /// There are orders.
    pub(super) rung: bool,
}

impl Engine {
    pub(super) fn new(
        index: usize,
        generation: Arc<Generation>,
        counters: Arc<Counters>,
        bell: Arc<EventFd>,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*bell, EpollEvent::new(EpollFlags::EPOLLIN, Token::Bell.into()))?;
        let mut engine = Self {
            index,
            epoll,
            events: vec![EpollEvent::empty(); EVENTS],
            generation,
            open: false,
            resting_until: None,
            greed: 1,
            turns: 0,
            knocked: 0,
            busy: VecDeque::new(),
            sessions: Sessions::default(),
            halls: Halls::default(),
            timers: Timers::new(Instant::now()),
            naps: Timers::new(Instant::now()),
            cutoffs: Vec::new(),
            scratch: Vec::new(),
            pipes: Pipes::default(),
            letterbox: None,
            bell,
            connections: 0,
            counters,
        };
        engine.open_doors()?;
        engine.open_halls()?;
        Ok(engine)
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The latest moment for the next [`Engine::expire`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        let cutoff = self.cutoffs.iter().map(|(at, _)| *at).min();
        [self.timers.next(), self.naps.next(), self.resting_until, cutoff]
            .into_iter()
            .flatten()
            .min()
    }

    /// Handles what happens within `patience`, for ever without; what is left from the last turn
    /// waits for nothing.
    pub(super) fn turn(&mut self, patience: Option<Duration>) -> io::Result<Turn> {
        for _ in 0..self.busy.len() {
            if let Some(key) = self.busy.pop_front() {
                let now = Instant::now();
                self.relay(now, key);
                self.hear(now, key, true);
            }
        }
        self.turns += 1;
        let patience = if self.busy.is_empty() { patience } else { Some(Duration::ZERO) };
        let mut events = std::mem::take(&mut self.events);
        let count = match self.epoll.wait(&mut events, whole_milliseconds(patience)) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let now = Instant::now();
        let mut rung = false;
        for event in &events[..count] {
            match Token::from(event.data()) {
                Token::Door(door) => self.accept(now, door),
                Token::Session(key, side) => self.handle(now, key, side, event.events()),
                Token::Bell => rung = true,
            }
        }
        if rung {
            // First of all: what comes meanwhile rings it again.
            let _ = self.bell.read();
            self.open_letters(now);
        }
        self.deliver(now);
        let all = count < events.len() && self.busy.is_empty();
        self.events = events;
        Ok(Turn { now, all, rung })
    }

    fn handle(&mut self, now: Instant, key: Key, side: Side, events: EpollFlags) {
        let Some(session) = self.sessions.at(key) else { return };
        match &mut session.phase {
            Phase::Relaying(flow) => {
                flow.ready[side as usize].learn(events);
                if session.tls.as_ref().is_some_and(|tls| tls.with(side).is_some()) {
                    flow.wake(side);
                }
                self.relay(now, key);
            }
            Phase::Dialing(_) => {
                let failed = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
                let of_peer = side == Side::Upstream;
                let shakes = session.entrance.connector.is_some();
                if of_peer && (shakes || events.intersects(failed | EpollFlags::EPOLLOUT)) {
                    self.dialed(now, key, events);
                }
            }
            Phase::Arriving { .. } => self.arrive(now, key),
            Phase::Answering(_) => self.answer(now, key),
            Phase::Exchanging => self.hear(now, key, events.contains(EpollFlags::EPOLLERR)),
            Phase::Naming(_) | Phase::Turning => {}
        }
    }

    /// Handles what is due.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.resting_until.is_some_and(|until| until <= now) {
            self.resting_until = None;
            if self.open {
                self.heed_doors();
            }
        }
        while let Some(place) = self.timers.expired(now) {
            let Some(key) = self.sessions.tenant(place) else { continue };
            let Some(session) = self.sessions.at(key) else { continue };
            let tick = self.timers.tick(now, Duration::ZERO);
            if session.deadline >= tick {
                session.timer = session.deadline;
                self.timers.set(session.timer, place);
            } else {
                self.time_out(now, key);
            }
        }
        while let Some(place) = self.naps.expired(now) {
            if let Some(key) = self.sessions.tenant(place) {
                self.relay(now, key);
            }
        }
        let due = self.cutoffs.extract_if(.., |(at, _)| *at <= now).map(|(_, number)| number).max();
        self.deliver(now);
        for key in due.map(|number| self.sessions.older_than(number)).unwrap_or_default() {
            self.say(key, LogLevel::Info, Some(Doing::Proxying), &"shutdown timeout");
            self.close(key, Status::Ok);
        }
    }

    fn time_out(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        if let Phase::Arriving { .. } = session.phase {
            return self.arrive_late(key);
        }
        if let Phase::Dialing(_) = session.phase {
            // A handshake that takes too long is over without a word in nginx (1.22, watched).
            if session.channel(Side::Upstream).is_none() {
                let text = "upstream timed out (110: Connection timed out)";
                let doing = session.doing_while_dialing();
                self.say(key, LogLevel::Error, Some(doing), &text);
            }
            // Its entry is used up; the next dial, if there is one, sets a new one.
            if let Some(step) = self.failed(now, key) {
                self.walk(now, key, step);
            }
            return;
        }
        if let Phase::Naming(_) = session.phase {
            return self.name_is_late(now, key);
        }
        if let Phase::Exchanging = session.phase {
            return self.wake(now, key);
        }
        let text = "connection timed out (110: Connection timed out)";
        self.say(key, LogLevel::Info, Some(Doing::Proxying), &text);
        self.close(key, Status::Ok);
    }

    /// A system call failed that doesn't in a healthy host.
    fn break_off(&mut self, key: Key, error: &io::Error) {
        let text = format!("epoll_ctl() or setsockopt() failed {}", Errno(error));
        self.say(key, LogLevel::Alert, Some(Doing::Connecting), &text);
        self.close(key, Status::Internal);
    }

    fn close(&mut self, key: Key, status: Status) {
        let Some(mut session) = self.sessions.remove(key) else { return };
        if let Phase::Relaying(flow) = &mut session.phase {
            flow.end(&mut self.pipes);
        }
        if let Some(tls) = &mut session.tls {
            tls.finish();
        }
        self.timers.cancel(session.timer, key.place);
        if session.record.is_some() {
            prereading::drain(&session, &mut self.scratch);
            end(&mut session, status, &self.counters);
        }
        self.connections -= 1 + usize::from(session.upstream.is_some());
        self.counters.closed(status);
        if session.client.is_shared() {
            self.forget(key, &mut session.client);
        }
        give_back(session);
    }

    /// Puts a session's deadline `timeout` from now. Its entry in the timers stays where it is
    /// unless it would come too late.
    fn extend(&mut self, now: Instant, key: Key, timeout: Duration) {
        let tick = self.timers.tick(now, timeout);
        let Some(session) = self.sessions.at(key) else { return };
        session.deadline = tick;
        let (timer, past) = (session.timer, self.timers.tick(now, Duration::ZERO));
        if tick < timer || timer < past {
            session.timer = tick;
            self.timers.cancel(timer, key.place);
            self.timers.set(tick, key.place);
        }
    }

    fn say(
        &mut self,
        key: Key,
        level: LogLevel,
        doing: Option<Doing>,
        text: &dyn std::fmt::Display,
    ) {
        let Some(session) = self.sessions.at(key) else { return };
        let (log, number) = (&session.entrance.log, Some(session.number));
        match doing {
            Some(doing) => {
                log.write(level, number, format_args!("{text}{}", session.context(doing)));
            }
            None => log.write(level, number, format_args!("{text}")),
        }
    }
}

impl Drop for Engine {
    /// Also after a panic: the peers' counts are shared with workers that live on.
    fn drop(&mut self) {
        self.sessions.drain().for_each(give_back);
    }
}

/// Not before it is over: waking too early would only mean waiting again.
fn whole_milliseconds(patience: Option<Duration>) -> EpollTimeout {
    let Some(patience) = patience else { return EpollTimeout::NONE };
    let milliseconds = patience.as_nanos().div_ceil(1_000_000);
    i32::try_from(milliseconds).ok().and_then(|it| it.try_into().ok()).unwrap_or(EpollTimeout::MAX)
}

/// What is to be done with a session's record when it is over.
fn end(session: &mut Session, status: Status, counters: &Counters) {
    let now = Instant::now();
    let (received, sent) = session.traffic().upstream();
    let attempt = session.record.as_mut().and_then(|record| record.last());
    if let Some(attempt) = attempt.filter(|attempt| attempt.lasted.is_none()) {
        attempt.end(now);
        (attempt.received, attempt.sent) = (received, sent);
        let answered = attempt.connected.and(attempt.lasted).filter(|_| received > 0);
        if let (Some(took), Some(pool), Some(lease)) = (answered, &session.pool, &mut session.lease)
        {
            pool.measured(lease, Timed::LastByte, took);
        }
    }
    access::write(session, now, status, counters);
}

fn give_back(mut session: Session) {
    if let (Some(lease), Some(pool)) = (session.lease.take(), &session.pool) {
        pool.balancer().release(lease);
    }
}

/// What an event is about, in the 64 bits that the kernel keeps for us.
enum Token {
    Door(usize),
    Session(Key, Side),
    /// Other threads have left something: orders, or answers about names.
    Bell,
}

const DOOR: u64 = 1 << 63;
const BELL: u64 = u64::MAX;

impl From<Token> for u64 {
    fn from(token: Token) -> u64 {
        match token {
            Token::Door(index) => DOOR | index as u64,
            Token::Bell => BELL,
            Token::Session(key, side) => {
                u64::from(key.turn) << 32 | u64::from(key.place) << 1 | side as u64
            }
        }
    }
}

impl From<u64> for Token {
    fn from(data: u64) -> Self {
        if data == BELL {
            return Token::Bell;
        }
        if data & DOOR != 0 {
            return Token::Door((data & !DOOR) as usize);
        }
        let side = if data & 1 == 0 { Side::Client } else { Side::Upstream };
        let place = (data as u32) >> 1;
        Token::Session(Key { place, turn: (data >> 32) as u32 }, side)
    }
}
