//! The phase in which a session looks for a peer.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollFlags;
use socket2::SockRef;

use super::relaying::register;
use super::udp::register as register_datagrams;
use super::{Engine, Key, Phase, Session};
use crate::kernel::tcp::{self, Connect};
use crate::kernel::udp;
use crate::plan::process::LogLevel;
use crate::plan::stream::{Balance, Timed};
use crate::proxy::balancer::Search;
use crate::proxy::message::{Client, Doing, Errno, connect_level};
use crate::proxy::session::{Dialing, Disabled, Side, Status, Step};
use crate::runtime::stream::conversation::Line;
use crate::runtime::stream::pool::Pool;
use crate::runtime::stream::record::Record;
use crate::runtime::stream::relay::{Flow, Readiness};
use crate::runtime::stream::service::Entrance;

impl Engine {
    /// Begins a session, which then has to [arrive](Self::arrive). `None`: there is no room.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        client: Line,
        from: Client,
        entrance: &Arc<Entrance>,
    ) -> Option<Key> {
        if self.connections >= self.limit() {
            let limit = self.generation.process.worker_connections;
            let text = format_args!("{limit} worker_connections are not enough");
            self.generation.log.write(LogLevel::Alert, None, text);
            self.counters.turned_away.fetch_add(1, Relaxed);
            return None;
        }
        self.connections += 1;
        self.counters.accepted.fetch_add(1, Relaxed);
        let number = self.counters.connections.fetch_add(1, Relaxed) + 1;
        let deadline = self.timers.tick(now, entrance.server.connect_timeout);
        let key = self.sessions.insert(Session {
            number,
            client,
            from,
            entrance: Arc::clone(entrance),
            generation: self.generation.number,
            watched: false,
            upstream: None,
            pool: None,
            lease: None,
            tls: None,
            record: entrance.keeps_records.then(|| Box::new(Record::new(now))),
            phase: Phase::Arriving { stage: 0, waits: false },
            deadline,
            timer: deadline,
        });
        self.timers.set(deadline, key.place);
        if let Some(session) = self.sessions.at(key) {
            session.note_arrival();
        }
        Some(key)
    }

    /// Looks for a peer of this upstream.
    pub(super) fn seek(&mut self, now: Instant, key: Key, pool: Arc<Pool>) {
        let Some(session) = self.sessions.at(key) else { return };
        if session.entrance.server.outward.is_rendered() {
            self.prepare_departure(now, key);
        }
        let Some(session) = self.sessions.at(key) else { return };
        let next = session.entrance.server.next_upstream;
        let search = match &pool.upstream.balance {
            Balance::Hash { key, .. } => Search::by_key(session.render(now, key)),
            _ => Search::new(),
        };
        let (dialing, step) = Dialing::begin(now, next, search, &mut pool.balancer());
        session.announce_in_first();
        session.pool = Some(pool);
        session.phase = Phase::Dialing(Box::new(dialing));
        self.walk(now, key, step);
    }

    /// Does what the dialing phase asks for until it has to wait.
    pub(super) fn walk(&mut self, now: Instant, key: Key, mut step: Step) {
        loop {
            let lease = match step {
                Step::Dial(lease) => lease,
                Step::NoPeer => {
                    let doing = Some(Doing::Connecting);
                    self.note_missing(now, key);
                    self.say(key, LogLevel::Error, doing, &"no live upstreams");
                    return self.close(key, Status::BadGateway);
                }
                Step::GiveUp => return self.close(key, Status::BadGateway),
                Step::Relay(lease) => return self.relaying(now, key, lease),
            };
            let full = self.connections >= self.limit();
            let Some(session) = self.sessions.at(key) else { return };
            let server = &session.entrance.server;
            let Some(pool) = &session.pool else { return };
            let address = &pool.addresses[lease.peer()];
            let timeout = server.connect_timeout;
            if let Some(record) = &mut session.record {
                record.attempt(now, pool.shown[lease.peer()].to_string());
            }
            if full {
                session.lease = Some(lease);
                let limit = self.generation.process.worker_connections;
                let text = format!("{limit} worker_connections are not enough");
                self.say(key, LogLevel::Alert, Some(Doing::Connecting), &text);
                return self.close(key, Status::Internal);
            }
            let connect = match session.client {
                Line::Own(_) => tcp::connect(address, session.departure()),
                Line::Shared(_) => udp::connect(address, session.departure()),
            };
            let error = match connect {
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
                Connect::NoOption(option, error) => {
                    let text = format!("setsockopt({option}) failed {}", Errno(&error));
                    session.lease = Some(lease);
                    self.say(key, LogLevel::Alert, Some(Doing::Connecting), &text);
                    return self.close(key, Status::Internal);
                }
                Connect::NoBind(error) => {
                    let text = format!("bind({}) failed {}", session.local_name(), Errno(&error));
                    session.lease = Some(lease);
                    self.say(key, LogLevel::Crit, Some(Doing::Connecting), &text);
                    return self.close(key, Status::Internal);
                }
                Connect::Failed(error) => error,
            };
            let peer = &pool.shown[lease.peer()];
            let text = format!("connect() to {peer} failed {}", Errno(&error));
            session.lease = Some(lease);
            self.counters.connections.fetch_add(1, Relaxed);
            self.say(key, connect_level(&error), Some(Doing::Connecting), &text);
            let Some(next) = self.failed(now, key) else { return };
            step = next;
        }
    }

    /// There is no peer: `$upstream_addr` is the upstream's name then.
    fn note_missing(&mut self, now: Instant, key: Key) {
        let Some(Session { record: Some(record), pool: Some(pool), .. }) = self.sessions.at(key)
        else {
            return;
        };
        record.attempt(now, pool.upstream.name.clone());
    }

    /// A connection to the peer has begun.
    pub(super) fn dial(&mut self, now: Instant, key: Key, socket: OwnedFd, timeout: Duration) {
        self.counters.connections.fetch_add(1, Relaxed);
        self.connections += 1;
        let Some(session) = self.sessions.at(key) else { return };
        let udp = session.client.is_shared();
        let registered = match udp {
            false => register(&self.epoll, &socket, key, Side::Upstream),
            true => register_datagrams(&self.epoll, &socket, key),
        };
        session.upstream = Some(socket);
        self.extend(now, key, timeout);
        match registered {
            Err(error) => self.break_off(key, &error),
            Ok(()) if udp => self.exchange(now, key),
            Ok(()) => {}
        }
    }

    /// The peer has answered, somehow.
    pub(super) fn dialed(&mut self, now: Instant, key: Key, events: EpollFlags) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(upstream) = &session.upstream else { return };
        let shaking = session.tls.as_ref().is_some_and(|tls| tls.with(Side::Upstream).is_some());
        if !shaking && events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
            let error = SockRef::from(upstream).take_error().unwrap_or_else(Some);
            if let Some(error) = error {
                let text = format!("connect() failed {}", Errno(&error));
                let doing = session.doing_while_dialing();
                self.say(key, connect_level(&error), Some(doing), &text);
                if let Some(step) = self.failed(now, key) {
                    self.walk(now, key, step);
                }
                return;
            }
        }
        if session.entrance.connector.is_some() && !self.secure_peer(now, key) {
            return;
        }
        let Some(session) = self.sessions.at(key) else { return };
        let Some(mut lease) = session.lease.take() else { return };
        let Some(pool) = session.pool.clone() else { return };
        if let Some(attempt) = session.record.as_mut().and_then(|record| record.last()) {
            attempt.connect(now);
            let took = now.saturating_duration_since(attempt.begun);
            pool.measured(&mut lease, Timed::Connect, took);
        }
        let phase = std::mem::replace(&mut session.phase, Phase::Turning);
        let Phase::Dialing(dialing) = phase else { return };
        let step = dialing.connected(lease, &mut pool.balancer());
        let mut ready = Readiness::default();
        ready.learn(events);
        let half_close = session.entrance.server.half_close;
        let mut flow = Flow::new(half_close, [Readiness::UNKNOWN, ready]);
        flow.paces = session.paces(now);
        session.phase = Phase::Relaying(flow);
        self.walk(now, key, step);
    }

    /// The peer is lost for this session. Returns what to do instead.
    pub(super) fn failed(&mut self, now: Instant, key: Key) -> Option<Step> {
        self.counters.dial_failures.fetch_add(1, Relaxed);
        let session = self.sessions.at(key)?;
        let pool = session.pool.clone()?;
        if let Some(attempt) = session.record.as_mut().and_then(|record| record.last()) {
            attempt.end(now);
        }
        let lease = session.lease.take()?;
        let doing = match session.channel(Side::Upstream) {
            Some(_) => Doing::Handshaking(Side::Upstream),
            None => session.doing_while_dialing(),
        };
        if let Some(tls) = &mut session.tls {
            tls.set(Side::Upstream, None);
        }
        if session.upstream.take().is_some() {
            self.connections -= 1;
        }
        let Phase::Dialing(dialing) = &mut session.phase else { return None };
        let peer = lease.peer();
        let (step, Disabled(disabled)) = dialing.failed(now, lease, &mut pool.balancer());
        pool.pass_on(now, peer);
        if disabled {
            let mut context = session.context(doing);
            context.upstream = Some(&pool.shown[peer]);
            let text = format_args!("upstream server temporarily disabled{context}");
            session.entrance.log.write(LogLevel::Warn, Some(session.number), text);
        }
        Some(step)
    }
}
