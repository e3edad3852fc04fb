//! The phase in which bytes flow.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{Shutdown, shutdown};
use socket2::SockRef;

use super::{Engine, Key, Phase, Session, Token};
use crate::plan::process::LogLevel;
use crate::plan::stream::{Address, Timed};
use crate::proxy::balancer::Lease;
use crate::proxy::message::{Client, Doing, Errno, WithPort, stream_level};
use crate::proxy::session::{Close, Side, Status};

impl Engine {
    pub(super) fn relaying(&mut self, now: Instant, key: Key, lease: Lease) {
        let Some(session) = self.sessions.at(key) else { return };
        session.lease = Some(lease);
        let Some(upstream) = &session.upstream else { return };
        let (server, log) = (&session.entrance.server, &session.entrance.log);
        let timeout = server.timeout;
        let at = session.lease.as_ref().map_or(0, |lease| lease.peer());
        let Some(pool) = &session.pool else { return };
        let peer = &pool.upstream.peers[at];
        let tcp = matches!(peer.address, Address::Tcp(_));
        let hurries = tcp && server.tcp_nodelay;
        // A header or a handshake has gone first, or will.
        let plain = server.outward.header.is_none() && session.entrance.connector.is_none();
        let delay =
            if hurries && !plain { SockRef::from(upstream).set_tcp_nodelay(true) } else { Ok(()) };
        if log.wants(LogLevel::Info) {
            let local = SockRef::from(upstream).local_addr().ok();
            let local = local.and_then(|local| local.as_socket()).map_or(Client::Unix, Client::Tcp);
            let text = format_args!("proxy {} connected to {}", WithPort(local), pool.shown[at]);
            log.write(LogLevel::Info, Some(session.number), text);
        }
        if let Phase::Relaying(flow) = &mut session.phase {
            flow.delays = hurries && plain;
        }
        let watched = session.watched;
        self.extend(now, key, timeout);
        // What was said to earlier phases is said again.
        let registered = if watched { self.watch_anew(key) } else { self.watch(key) };
        match delay.and(registered) {
            Ok(()) if self.announce(key) => self.relay(now, key),
            Ok(()) => {}
            Err(error) => self.break_off(key, &error),
        }
    }

    pub(super) fn relay(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Session { phase: Phase::Relaying(flow), client, upstream: Some(upstream), tls, .. } =
            session
        else {
            return;
        };
        let size = session.entrance.server.buffer_size.max(1);
        if self.scratch.len() < size {
            self.scratch.resize(size, 0);
        }
        let (sockets, scratch) = ([&**client, &*upstream], &mut self.scratch[..size]);
        let moved = match tls {
            None => flow.run(now, sockets, scratch, &mut self.pipes),
            Some(channels) => flow.run_secure(now, sockets, channels, scratch),
        };
        if let Some(attempt) = session.record.as_mut().and_then(|record| record.last()) {
            let first = attempt.hear(now, flow.relay.counts(Side::Upstream).0);
            if let (Some(took), Some(pool), Some(lease)) =
                (first, &session.pool, &mut session.lease)
            {
                pool.measured(lease, Timed::FirstByte, took);
            }
        }
        if let Some((side, error)) = moved.unreadable {
            let text = format!("recv() failed {}", Errno(&error));
            self.say(key, stream_level(side), Some(Doing::ReadingFrom(side)), &text);
        }
        if let Some((side, doing, words)) = moved.said {
            self.say(key, stream_level(side), Some(doing), &words);
        }
        if moved.broken.is_some() {
            return self.close(key, Status::Ok);
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
                    if let Some(channel) = session.tls.as_mut().and_then(|tls| tls.of(side)) {
                        channel.finish();
                    }
                    let socket = match side {
                        Side::Client => Some(&*session.client),
                        Side::Upstream => session.upstream.as_ref(),
                    };
                    if let Some(socket) = socket {
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
        if let Some(later) = moved.later {
            let pause = later.saturating_duration_since(now);
            let tick = self.naps.tick(now, pause);
            self.naps.set(tick, key.place);
            let Some(session) = self.sessions.at(key) else { return };
            let timeout = session.entrance.server.timeout;
            self.extend(now, key, pause.saturating_add(timeout));
        } else if moved.any {
            let Some(session) = self.sessions.at(key) else { return };
            let timeout = session.entrance.server.timeout;
            self.extend(now, key, timeout);
        }
    }

    /// From now on the client's events are heard of.
    pub(super) fn watch(&mut self, key: Key) -> io::Result<()> {
        let Some(session) = self.sessions.at(key) else { return Ok(()) };
        session.watched = true;
        register(&self.epoll, &session.client, key, Side::Client)
    }

    /// The same for a client that was watched before: an end that it has announced meanwhile would
    /// not be announced to this phase.
    fn watch_anew(&mut self, key: Key) -> io::Result<()> {
        let Some(session) = self.sessions.at(key) else { return Ok(()) };
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        let mut event = EpollEvent::new(flags, Token::Session(key, Side::Client).into());
        self.epoll.modify(&session.client, &mut event)?;
        Ok(())
    }

    /// The client's socket is full: from now on it is watched for room too.
    pub(super) fn watch_room(&mut self, key: Key) -> io::Result<()> {
        let Some(session) = self.sessions.at(key) else { return Ok(()) };
        let flags = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        let mut event = EpollEvent::new(flags, Token::Session(key, Side::Client).into());
        self.epoll.modify(&*session.client, &mut event)?;
        Ok(())
    }
}

/// A client is watched for room to write only once it has none: being told of it at once, as
/// every new registration is, would cost each session a turn.
pub(super) fn register(epoll: &Epoll, socket: &OwnedFd, key: Key, side: Side) -> io::Result<()> {
    let flags = match side {
        Side::Client => EpollFlags::empty(),
        Side::Upstream => EpollFlags::EPOLLOUT,
    };
    let flags = flags | EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
    epoll.add(socket, EpollEvent::new(flags, Token::Session(key, side).into()))?;
    Ok(())
}
