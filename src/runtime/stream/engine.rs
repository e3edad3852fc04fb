//! The sessions of one worker: accepts, dials, relays, times out.
//!
//! One epoll instance, each descriptor registered once and edge-triggered, and a table of
//! sessions of a few hundred bytes each. A tokio task per session would cost ten times that, and a
//! tenth more CPU per short connection (measured). The instance is polled by the worker's tokio
//! runtime, so that everything else in a worker stays ordinary async code.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{Shutdown, shutdown};
use socket2::SockRef;

use super::bulk::Pipes;
use super::counters::Counters;
use super::relay::{Flow, Readiness};
use super::service::{Door, Entrance, Generation};
use super::session::{Key, Phase, Session, Sessions};
use super::timers::Timers;
use crate::kernel::tcp::{self, Connect};
use crate::plan::process::LogLevel;
use crate::plan::stream::Address;
use crate::proxy::message::{Client, Doing, Errno, WithPort, connect_level, stream_level};
use crate::proxy::session::{Close, Dialing, Disabled, Side, Status, Step};

/// Events taken from the kernel at a time.
const EVENTS: usize = 512;
/// Connections accepted from one door before sessions get their turn.
const ACCEPTS: usize = 64;
/// How often a door that is about to go is asked for more; a flood must not keep it open.
const LAST_ROUNDS: usize = 64;
/// How long accepting rests when descriptors or memory run out, as in nginx.
const REST: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Engine {
    epoll: Epoll,
    events: Vec<EpollEvent>,
    generation: Arc<Generation>,
    /// Whether its doors are registered.
    open: bool,
    resting_until: Option<Instant>,
    /// Doors with more in their queues than one turn takes.
    crowded: Vec<usize>,
    /// Sessions with more to move than one turn allows.
    busy: VecDeque<Key>,
    sessions: Sessions,
    timers: Timers,
    /// When sessions of generations before the given one are closed.
    cutoffs: Vec<(Instant, u32)>,
    scratch: Vec<u8>,
    pipes: Pipes,
    /// Descriptors of sessions, as `worker_connections` counts them.
    connections: usize,
    counters: Arc<Counters>,
}

/// What a turn has done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) events: usize,
    /// There is nothing more to do for now.
    pub(super) all: bool,
}

impl Engine {
    pub(super) fn new(generation: Arc<Generation>, counters: Arc<Counters>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut engine = Self {
            epoll,
            events: vec![EpollEvent::empty(); EVENTS],
            generation,
            open: false,
            resting_until: None,
            crowded: Vec::new(),
            busy: VecDeque::new(),
            sessions: Sessions::default(),
            timers: Timers::new(Instant::now()),
            cutoffs: Vec::new(),
            scratch: Vec::new(),
            pipes: Pipes::default(),
            connections: 0,
            counters,
        };
        engine.open_doors()?;
        Ok(engine)
    }

    /// A descriptor that is readable while there are events.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.epoll.0.try_clone()
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The latest moment for the next [`Engine::expire`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        let cutoff = self.cutoffs.iter().map(|(at, _)| *at).min();
        [self.timers.next(), self.resting_until, cutoff].into_iter().flatten().min()
    }

    // --- events -------------------------------------------------------------------------------

    /// Handles what has happened; with `wait`, what happens within a millisecond.
    pub(super) fn turn(&mut self, now: Instant, wait: bool) -> io::Result<Turn> {
        for _ in 0..self.busy.len() {
            if let Some(key) = self.busy.pop_front() {
                self.relay(now, key);
            }
        }
        for door in std::mem::take(&mut self.crowded) {
            self.accept(now, door);
        }
        let mut events = std::mem::take(&mut self.events);
        let wait = wait && self.busy.is_empty() && self.crowded.is_empty();
        let patience = if wait { EpollTimeout::from(1_u8) } else { EpollTimeout::ZERO };
        let count = match self.epoll.wait(&mut events, patience) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let now = if wait { Instant::now() } else { now };
        for event in &events[..count] {
            match Token::from(event.data()) {
                Token::Door(door) => self.accept(now, door),
                Token::Session(key, side) => self.handle(now, key, side, event.events()),
            }
        }
        let all = count < events.len() && self.busy.is_empty() && self.crowded.is_empty();
        self.events = events;
        Ok(Turn { events: count, all })
    }

    fn handle(&mut self, now: Instant, key: Key, side: Side, events: EpollFlags) {
        let Some(session) = self.sessions.at(key) else { return };
        match &mut session.phase {
            Phase::Relaying(flow) => {
                flow.ready[side as usize].learn(events);
                self.relay(now, key);
            }
            Phase::Dialing(_) => {
                let failed = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
                if events.intersects(failed | EpollFlags::EPOLLOUT) {
                    self.dialed(now, key, events);
                }
            }
            Phase::Turning => {}
        }
    }

    /// Handles what is due.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.resting_until.is_some_and(|until| until <= now) {
            self.resting_until = None;
            if self.open {
                self.crowded = (0..self.generation.doors.len()).collect();
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
        let due = self.cutoffs.extract_if(.., |(at, _)| *at <= now).map(|(_, number)| number).max();
        for key in due.map(|number| self.sessions.older_than(number)).unwrap_or_default() {
            self.say(key, LogLevel::Info, Some(Doing::Proxying), &"shutdown timeout");
            self.close(key, Status::Ok);
        }
    }

    // --- doors --------------------------------------------------------------------------------

    fn open_doors(&mut self) -> io::Result<()> {
        self.open = true;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET | EpollFlags::EPOLLEXCLUSIVE;
        for (index, door) in self.generation.doors.iter().enumerate() {
            self.epoll.add(&door.socket, EpollEvent::new(flags, Token::Door(index).into()))?;
        }
        Ok(())
    }

    /// Serves a new generation: its doors replace the old ones, whose queues are emptied first
    /// where the door is gone for good. Sessions stay as they are.
    pub(super) fn switch(&mut self, now: Instant, generation: Arc<Generation>) -> io::Result<()> {
        let stays = |door: &Door| generation.doors.iter().any(|new| new.address == door.address);
        self.shut_doors(now, stays);
        if let Some(timeout) = self.generation.process.shutdown_timeout {
            self.cutoffs.push((now + timeout, generation.number));
        }
        self.generation = generation;
        self.open_doors()
    }

    /// Accepts no more; the worker is done when its last session is. `closed` is the running
    /// generation, or a later one, without its doors.
    pub(super) fn quit(&mut self, now: Instant, closed: Arc<Generation>) {
        self.shut_doors(now, |_| false);
        if let Some(timeout) = self.generation.process.shutdown_timeout {
            self.cutoffs.push((now + timeout, u32::MAX));
        }
        self.generation = closed;
    }

    fn shut_doors(&mut self, now: Instant, stays: impl Fn(&Door) -> bool) {
        if !self.open {
            return;
        }
        self.open = false;
        self.crowded.clear();
        let generation = Arc::clone(&self.generation);
        for (index, door) in generation.doors.iter().enumerate() {
            // Others hold this socket too, so that closing it would not end its registration.
            let _ = self.epoll.delete(&door.socket);
            for _ in 0..LAST_ROUNDS {
                if stays(door) || self.resting_until.is_some() || self.accept_from(now, index) {
                    break;
                }
            }
        }
    }

    fn accept(&mut self, now: Instant, index: usize) {
        let resting = self.resting_until.is_some();
        if self.open && !resting && !self.accept_from(now, index) {
            self.crowded.push(index);
        }
    }

    /// Accepts some; returns whether the queue is empty, or can't be read now.
    fn accept_from(&mut self, now: Instant, index: usize) -> bool {
        let generation = Arc::clone(&self.generation);
        let Some(door) = generation.doors.get(index) else { return true };
        for _ in 0..ACCEPTS {
            match tcp::accept(door.socket.as_fd()) {
                Ok((socket, address)) => {
                    let from = address.map_or(Client::Unix, Client::Tcp);
                    self.begin(now, socket, from, &door.entrance);
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return true,
                    Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
                    code => {
                        let exhausted = matches!(code, Some(libc::EMFILE | libc::ENFILE));
                        let level = if exhausted { LogLevel::Crit } else { LogLevel::Alert };
                        let text = format_args!("accept4() failed {}", Errno(&error));
                        generation.log.write(level, None, text);
                        self.counters.accept_failures.fetch_add(1, Relaxed);
                        // The queue keeps the connections; those that exist go on.
                        self.resting_until = Some(now + REST);
                        return true;
                    }
                },
            }
        }
        false
    }

    /// How many descriptors sessions may have: nginx counts the listening sockets and its own
    /// channel too.
    fn limit(&self) -> usize {
        let others = self.generation.doors.len() + 1;
        self.generation.process.worker_connections.saturating_sub(others)
    }

    // --- the phases of a session --------------------------------------------------------------

    fn begin(&mut self, now: Instant, client: OwnedFd, from: Client, entrance: &Arc<Entrance>) {
        if self.connections >= self.limit() {
            let limit = self.generation.process.worker_connections;
            let text = format_args!("{limit} worker_connections are not enough");
            self.generation.log.write(LogLevel::Alert, None, text);
            self.counters.turned_away.fetch_add(1, Relaxed);
            return;
        }
        self.connections += 1;
        self.counters.accepted.fetch_add(1, Relaxed);
        let number = self.counters.connections.fetch_add(1, Relaxed) + 1;
        if entrance.log.wants(LogLevel::Info) {
            let text = format_args!("client {} connected to {}", WithPort(from), entrance.name);
            entrance.log.write(LogLevel::Info, Some(number), text);
        }
        let next = entrance.server.next_upstream;
        let (dialing, step) = Dialing::begin(now, next, &mut entrance.pool.balancer());
        let deadline = self.timers.tick(now, entrance.server.connect_timeout);
        let key = self.sessions.insert(Session {
            number,
            client,
            from,
            entrance: Arc::clone(entrance),
            generation: self.generation.number,
            upstream: None,
            lease: None,
            phase: Phase::Dialing(Box::new(dialing)),
            deadline,
            timer: deadline,
        });
        self.timers.set(deadline, key.place);
        self.walk(now, key, step);
    }

    /// Does what the dialing phase asks for until it has to wait.
    fn walk(&mut self, now: Instant, key: Key, mut step: Step) {
        loop {
            let lease = match step {
                Step::Dial(lease) => lease,
                Step::NoPeer => {
                    let doing = Some(Doing::Connecting);
                    self.say(key, LogLevel::Error, doing, &"no live upstreams");
                    return self.close(key, Status::BadGateway);
                }
                Step::GiveUp => return self.close(key, Status::BadGateway),
                Step::Relay(lease) => return self.relaying(now, key, lease),
            };
            let full = self.connections >= self.limit();
            let Some(session) = self.sessions.at(key) else { return };
            let server = &session.entrance.server;
            let address = &session.entrance.pool.addresses[lease.peer()];
            let timeout = server.connect_timeout;
            if full {
                session.lease = Some(lease);
                let limit = self.generation.process.worker_connections;
                let text = format!("{limit} worker_connections are not enough");
                self.say(key, LogLevel::Alert, Some(Doing::Connecting), &text);
                return self.close(key, Status::Internal);
            }
            let error = match tcp::connect(address, server.socket_keepalive) {
                Connect::Begun(socket) => {
                    session.lease = Some(lease);
                    return self.dial(now, key, socket, timeout);
                }
                Connect::NoSocket(error) => {
                    session.lease = Some(lease);
                    let text = format!("socket() failed {}", Errno(&error));
                    self.say(key, LogLevel::Alert, Some(Doing::Connecting), &text);
                    return self.close(key, Status::Internal);
                }
                Connect::Failed(error) => error,
            };
            let peer = &session.entrance.pool.upstream.peers[lease.peer()].name;
            let text = format!("connect() to {peer} failed {}", Errno(&error));
            session.lease = Some(lease);
            self.counters.connections.fetch_add(1, Relaxed);
            self.say(key, connect_level(&error), Some(Doing::Connecting), &text);
            let Some(next) = self.failed(now, key) else { return };
            step = next;
        }
    }

    /// A connection to the peer has begun.
    fn dial(&mut self, now: Instant, key: Key, socket: OwnedFd, timeout: Duration) {
        self.counters.connections.fetch_add(1, Relaxed);
        self.connections += 1;
        let registered = register(&self.epoll, &socket, key, Side::Upstream);
        let Some(session) = self.sessions.at(key) else { return };
        session.upstream = Some(socket);
        self.extend(now, key, timeout);
        if let Err(error) = registered {
            self.break_off(key, &error);
        }
    }

    /// The peer has answered, somehow.
    fn dialed(&mut self, now: Instant, key: Key, events: EpollFlags) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(upstream) = &session.upstream else { return };
        if events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            let error = SockRef::from(upstream).take_error().unwrap_or_else(Some);
            if let Some(error) = error {
                let text = format!("connect() failed {}", Errno(&error));
                self.say(key, connect_level(&error), Some(Doing::Connecting), &text);
                if let Some(step) = self.failed(now, key) {
                    self.walk(now, key, step);
                }
                return;
            }
        }
        let Some(lease) = session.lease.take() else { return };
        let pool = Arc::clone(&session.entrance.pool);
        let phase = std::mem::replace(&mut session.phase, Phase::Turning);
        let Phase::Dialing(dialing) = phase else { return };
        let step = dialing.connected(lease, &mut pool.balancer());
        let mut ready = Readiness::default();
        ready.learn(events);
        let half_close = session.entrance.server.half_close;
        session.phase = Phase::Relaying(Flow::new(half_close, [Readiness::UNKNOWN, ready]));
        self.walk(now, key, step);
    }

    /// The peer is lost for this session. Returns what to do instead.
    fn failed(&mut self, now: Instant, key: Key) -> Option<Step> {
        self.counters.dial_failures.fetch_add(1, Relaxed);
        let session = self.sessions.at(key)?;
        let pool = Arc::clone(&session.entrance.pool);
        let lease = session.lease.take()?;
        if session.upstream.take().is_some() {
            self.connections -= 1;
        }
        let Phase::Dialing(dialing) = &mut session.phase else { return None };
        let peer = lease.peer();
        let (step, Disabled(disabled)) = dialing.failed(now, lease, &mut pool.balancer());
        if disabled {
            let mut context = session.context(Doing::Connecting);
            context.upstream = &pool.upstream.peers[peer].name;
            let text = format_args!("upstream server temporarily disabled{context}");
            session.entrance.log.write(LogLevel::Warn, Some(session.number), text);
        }
        Some(step)
    }

    fn relaying(&mut self, now: Instant, key: Key, lease: crate::proxy::balancer::Lease) {
        let Some(session) = self.sessions.at(key) else { return };
        session.lease = Some(lease);
        let Some(upstream) = &session.upstream else { return };
        let (server, log) = (&session.entrance.server, &session.entrance.log);
        let timeout = server.timeout;
        let peer = session.lease.as_ref().map_or(0, |lease| lease.peer());
        let peer = &session.entrance.pool.upstream.peers[peer];
        let tcp = matches!(peer.address, Address::Tcp(_));
        let delay = if tcp && server.tcp_nodelay {
            SockRef::from(upstream).set_tcp_nodelay(true)
        } else {
            Ok(())
        };
        if log.wants(LogLevel::Info) {
            let local = SockRef::from(upstream).local_addr().ok();
            let local = local.and_then(|local| local.as_socket()).map_or(Client::Unix, Client::Tcp);
            let text = format_args!("proxy {} connected to {}", WithPort(local), peer.name);
            log.write(LogLevel::Info, Some(session.number), text);
        }
        let registered = register(&self.epoll, &session.client, key, Side::Client);
        self.extend(now, key, timeout);
        match delay.and(registered) {
            Ok(()) => self.relay(now, key),
            Err(error) => self.break_off(key, &error),
        }
    }

    fn relay(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Session { phase: Phase::Relaying(flow), client, upstream: Some(upstream), .. } =
            session
        else {
            return;
        };
        let size = session.entrance.server.buffer_size.max(1);
        if self.scratch.len() < size {
            self.scratch.resize(size, 0);
        }
        let moved = flow.run([&*client, &*upstream], &mut self.scratch[..size], &mut self.pipes);
        if let Some((side, error)) = moved.unreadable {
            let text = format!("recv() failed {}", Errno(&error));
            self.say(key, stream_level(side), Some(Doing::ReadingFrom(side)), &text);
        }
        if let Some((side, error)) = moved.unwritable {
            let text = format!("send() failed {}", Errno(&error));
            self.say(key, stream_level(side), Some(Doing::SendingTo(side)), &text);
            return self.close(key, Status::Ok);
        }
        loop {
            let Some(session) = self.sessions.at(key) else { return };
            let Phase::Relaying(flow) = &mut session.phase else { return };
            match flow.relay.close() {
                Close::Wait => break,
                Close::Half(side) => {
                    let socket = match side {
                        Side::Client => Some(&session.client),
                        Side::Upstream => session.upstream.as_ref(),
                    };
                    if let Some(socket) = socket {
                        use std::os::fd::AsRawFd;
                        // It may be gone already, which the next read tells.
                        let _ = shutdown(socket.as_raw_fd(), Shutdown::Write);
                    }
                }
                Close::Both(side) => {
                    if session.entrance.log.wants(LogLevel::Info) {
                        let who = match side {
                            Side::Client => "client",
                            Side::Upstream => "upstream",
                        };
                        let text = format!("{who} disconnected, {}", session.traffic());
                        self.say(key, LogLevel::Info, None, &text);
                    }
                    return self.close(key, Status::Ok);
                }
            }
        }
        if moved.more {
            self.busy.push_back(key);
        }
        if moved.blocked
            && let Err(error) = self.watch_room(key)
        {
            return self.break_off(key, &error);
        }
        if moved.any {
            let Some(session) = self.sessions.at(key) else { return };
            let timeout = session.entrance.server.timeout;
            self.extend(now, key, timeout);
        }
    }

    /// The client's socket is full: from now on it is watched for room too.
    fn watch_room(&mut self, key: Key) -> io::Result<()> {
        let Some(session) = self.sessions.at(key) else { return Ok(()) };
        let flags = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        let mut event = EpollEvent::new(flags, Token::Session(key, Side::Client).into());
        self.epoll.modify(&session.client, &mut event)?;
        Ok(())
    }

    fn time_out(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        if let Phase::Dialing(_) = session.phase {
            let text = "upstream timed out (110: Connection timed out)";
            self.say(key, LogLevel::Error, Some(Doing::Connecting), &text);
            // Its entry is used up; the next dial, if there is one, sets a new one.
            if let Some(step) = self.failed(now, key) {
                self.walk(now, key, step);
            }
            return;
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
        self.timers.cancel(session.timer, key.place);
        self.connections -= 1 + usize::from(session.upstream.is_some());
        self.counters.closed(status);
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

fn give_back(mut session: Session) {
    if let Some(lease) = session.lease.take() {
        session.entrance.pool.balancer().release(lease);
    }
}

fn register(epoll: &Epoll, socket: &OwnedFd, key: Key, side: Side) -> io::Result<()> {
    let flags =
        EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
    epoll.add(socket, EpollEvent::new(flags, Token::Session(key, side).into()))?;
    Ok(())
}

/// What an event is about, in the 64 bits that the kernel keeps for us.
enum Token {
    Door(usize),
    Session(Key, Side),
}

const DOOR: u64 = 1 << 63;

impl From<Token> for u64 {
    fn from(token: Token) -> u64 {
        match token {
            Token::Door(index) => DOOR | index as u64,
            Token::Session(key, side) => {
                u64::from(key.turn) << 32 | u64::from(key.place) << 1 | side as u64
            }
        }
    }
}

impl From<u64> for Token {
    fn from(data: u64) -> Self {
        if data & DOOR != 0 {
            return Token::Door((data & !DOOR) as usize);
        }
        let side = if data & 1 == 0 { Side::Client } else { Side::Upstream };
        let place = (data as u32) >> 1;
        Token::Session(Key { place, turn: (data >> 32) as u32 }, side)
    }
}
