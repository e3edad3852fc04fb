//! UDP: sessions of datagrams.
//!
//! A listener's socket belongs to one worker, its [hall](halls::Hall): so one flow is always
//! handled by one worker, without a lock or a table that workers share, and without the kernel's
//! help. Workers that wait for the same socket, as nginx's do, tear flows apart. The halls of many
//! listeners are spread over the workers; one with `reuseport`, too, has one socket and one worker.
//!
//! Datagrams come and go in batches: [`asking`] has those from clients, [`answering`] those to
//! them. What they mean for their session is [`crate::proxy::flow`]'s. Read [`halls`] next.

mod answering;
mod asking;
mod halls;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::SockRef;

pub(super) use halls::Halls;

use super::{Engine, Key, Phase, Token};
use crate::plan::process::LogLevel;
use crate::proxy::flow::End;
use crate::proxy::message::{Client, Doing, WithPort};
use crate::proxy::session::{Side, Status};

/// Hears of what the peer sends; when there is room to send to it isn't asked.
pub(super) fn register(epoll: &Epoll, socket: &OwnedFd, key: Key) -> io::Result<()> {
    let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
    epoll.add(socket, EpollEvent::new(flags, Token::Session(key, Side::Upstream).into()))?;
    Ok(())
}

impl Engine {
    /// There is a peer: what the client has sent so far goes there.
    pub(super) fn exchange(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        session.phase = Phase::Exchanging;
        if let Some(attempt) = session.record.as_mut().and_then(|record| record.last()) {
            attempt.connect(now);
        }
        let log = &session.entrance.log;
        if log.wants(LogLevel::Info)
            && let (Some(upstream), Some(pool), Some(lease)) =
                (&session.upstream, &session.pool, &session.lease)
        {
            let local = SockRef::from(upstream).local_addr().ok();
            let local = local.and_then(|local| local.as_socket()).map_or(Client::Unix, Client::Tcp);
            let peer = &pool.shown[lease.peer()];
            let text = format_args!("udp proxy {} connected to {peer}", WithPort(local));
            log.write(LogLevel::Info, Some(session.number), text);
        }
        let Some(conversation) = session.client.conversation() else { return };
        for datagram in std::mem::take(&mut conversation.waiting) {
            self.forward_one(now, key, &datagram);
        }
    }

    /// After something has moved: the session may be over; else it lasts longer.
    fn look(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(conversation) = session.client.conversation() else { return };
        match conversation.flow.end() {
            Some(end) => self.finish(now, key, end),
            None => {
                let deadline = conversation.flow.deadline();
                self.extend(now, key, deadline.saturating_duration_since(now));
            }
        }
    }

    /// Its deadline has come.
    pub(super) fn wake(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(conversation) = session.client.conversation() else { return };
        match conversation.flow.wake(now) {
            Some(end) => self.finish(now, key, end),
            None => {
                // Its entry in the timers is used up.
                self.look(now, key);
                self.hear(now, key, true);
            }
        }
    }

    fn finish(&mut self, now: Instant, key: Key, end: End) {
        self.deliver(now);
        let Some(session) = self.sessions.at(key) else { return };
        let traffic = session.traffic();
        let Some(conversation) = session.client.conversation() else { return };
        let [asked, answered] = conversation.flow.packets();
        let failed = conversation.flow.is_deaf() || end == End::Unanswered;
        let said = match end {
            End::Done => "udp done",
            End::TimedOut => "udp timed out",
            End::Shutdown => "disconnected on shutdown",
            End::Unanswered => "upstream timed out (110: Connection timed out)",
        };
        match end {
            End::Done | End::TimedOut => {
                let text = format!("{said}, packets from/to client:{asked}/{answered}, {traffic}");
                self.say(key, LogLevel::Info, None, &text);
            }
            End::Shutdown => self.say(key, LogLevel::Info, None, &said),
            End::Unanswered => self.say(key, LogLevel::Error, Some(Doing::Proxying), &said),
        }
        let status = match end {
            End::Unanswered => Status::BadGateway,
            _ => Status::Ok,
        };
        self.settle(now, key, failed.then_some(Doing::Proxying));
        self.close(key, status);
    }

    /// Tells the balancer how the peer has done: with datagrams that is known at the end only.
    fn settle(&mut self, now: Instant, key: Key, failed: Option<Doing>) {
        let Some(session) = self.sessions.at(key) else { return };
        let (Some(pool), Some(lease)) = (session.pool.clone(), session.lease.take()) else {
            return;
        };
        let peer = lease.peer();
        let Some(doing) = failed else {
            let mut balancer = pool.balancer();
            balancer.succeed(&lease);
            return balancer.release(lease);
        };
        if pool.balancer().fail(now, lease) {
            let mut context = session.context(doing);
            context.upstream = Some(&pool.shown[peer]);
            let text = format_args!("upstream server temporarily disabled{context}");
            session.entrance.log.write(LogLevel::Warn, Some(session.number), text);
        }
    }
}
