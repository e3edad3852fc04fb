//! Datagrams from clients.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::kernel::udp::{Batch, Ends, SLOTS};
use crate::plan::process::LogLevel;
use crate::proxy::flow::{Admission, Flow, Rules};
use crate::proxy::message::{Client, Doing, Errno};
use crate::proxy::session::{Side, Status};
use crate::runtime::stream::conversation::{Conversation, Line, MOST_WAITING};
use crate::runtime::stream::engine::{Engine, Key, Phase};
use crate::runtime::stream::service::Entrance;

impl Engine {
    /// Takes a batch from a door. Returns whether that was all for now.
    pub(in crate::runtime::stream::engine) fn receive(
        &mut self,
        now: Instant,
        door: usize,
    ) -> bool {
        let generation = Arc::clone(&self.generation);
        let Some((at, hall)) = self.halls.behind(door) else { return true };
        let socket = Arc::clone(&hall.socket);
        let mut inbox = std::mem::take(&mut self.halls.inbox);
        let empty = match inbox.receive_from(socket.as_fd()) {
            Ok(count) => {
                self.sort(now, at, &generation.doors[door].entrance, &mut inbox);
                count < SLOTS
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => {
                let text = format_args!("recvmmsg() failed {}", Errno(&error));
                generation.log.write(LogLevel::Alert, None, text);
                true
            }
        };
        self.halls.inbox = inbox;
        empty
    }

    /// Brings each datagram to its session.
    fn sort(&mut self, now: Instant, hall: usize, entrance: &Arc<Entrance>, inbox: &mut Batch) {
        let mut at = 0;
        while at < inbox.len() {
            let ends = inbox.ends(at);
            let known = ends.and_then(|ends| self.halls.at(hall)?.flows.find(&ends));
            at += match (ends, known) {
                (_, Some(key)) => self.ask_on(now, key, inbox, at),
                (Some(ends), None) => {
                    self.ask_first(now, hall, entrance, ends, inbox.bytes(at));
                    1
                }
                (None, None) => 1,
            };
        }
    }

    /// A flow's first datagram begins a session.
    fn ask_first(
        &mut self,
        now: Instant,
        at: usize,
        entrance: &Arc<Entrance>,
        ends: Ends,
        bytes: &[u8],
    ) {
        let Some(hall) = self.halls.at(at) else { return };
        let mut flow = Flow::new(now, rules(entrance));
        let admission = flow.admit(now, bytes.len());
        let conversation = Conversation {
            hall: at,
            socket: Arc::clone(&hall.socket),
            ends,
            flow,
            waiting: [bytes.into()].into(),
        };
        let line = Line::Shared(Box::new(conversation));
        let Some(key) = self.enter(now, line, Client::Tcp(ends.remote), entrance) else { return };
        if let Some(hall) = self.halls.at(at) {
            hall.sessions += 1;
            if admission == Admission::Forward {
                hall.flows.bind(ends, key);
            }
        }
        self.arrive(now, key);
    }

    /// A session's next datagram, with those behind it that are of the same flow. Returns how many
    /// that were.
    fn ask_on(&mut self, now: Instant, key: Key, inbox: &mut Batch, from: usize) -> usize {
        let Some(session) = self.sessions.at(key) else { return 1 };
        let ready = matches!(session.phase, Phase::Exchanging);
        let one_way = session.entrance.server.datagrams.responses == Some(0);
        let Some(conversation) = session.client.conversation() else { return 1 };
        let (mut count, mut excess, mut last) = (0, 0, false);
        while from + count < inbox.len() && inbox.ends(from + count) == Some(conversation.ends) {
            let bytes = inbox.bytes(from + count);
            match conversation.flow.admit(now, bytes.len()) {
                Admission::Excess => {
                    excess = 1;
                    break;
                }
                Admission::Forward => {}
                Admission::Last => last = true,
            }
            if !ready && conversation.waiting.len() < MOST_WAITING {
                conversation.waiting.push_back(bytes.into());
            }
            count += 1;
            if last || one_way {
                break;
            }
        }
        self.counters.datagrams_dropped.fetch_add(excess as u64, Relaxed);
        if last {
            self.unbind(key);
        }
        if ready && self.forward(now, key, inbox, from, count) {
            self.look(now, key);
        }
        count + excess
    }

    /// The flow's next datagram begins another session.
    fn unbind(&mut self, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(conversation) = session.client.conversation() else { return };
        if let Some(hall) = self.halls.at(conversation.hall) {
            hall.flows.unbind(&conversation.ends, key);
        }
    }

    /// The session is over.
    pub(in crate::runtime::stream::engine) fn forget(&mut self, key: Key, line: &mut Line) {
        let Some(conversation) = line.conversation() else { return };
        if let Some(hall) = self.halls.at(conversation.hall) {
            hall.flows.unbind(&conversation.ends, key);
            self.halls.leave(conversation.hall);
        }
    }

    /// Sends one datagram that has waited.
    pub(super) fn forward_one(&mut self, now: Instant, key: Key, bytes: &[u8]) {
        let mut batch = Batch::one(bytes);
        if self.forward(now, key, &mut batch, 0, 1) {
            self.look(now, key);
        }
    }

    /// Sends some to the peer. `false`: that has ended the session.
    fn forward(
        &mut self,
        now: Instant,
        key: Key,
        inbox: &mut Batch,
        from: usize,
        count: usize,
    ) -> bool {
        let Some(session) = self.sessions.at(key) else { return false };
        let Some(upstream) = &session.upstream else { return false };
        let Some(conversation) = session.client.conversation() else { return false };
        let end = from + count;
        let mut at = from;
        while at < end {
            match inbox.send(upstream.as_fd(), at, end - at) {
                Ok(sent) => {
                    for one in at..at + sent {
                        conversation.flow.forwarded(now, inbox.bytes(one).len());
                    }
                    at += sent.max(1);
                }
                Err(error) if is_full(&error) => {
                    self.counters.datagrams_dropped.fetch_add(1, Relaxed);
                    at += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let doing = Doing::SendingTo(Side::Upstream);
                    let text = format!("sendmsg() failed {}", Errno(&error));
                    self.say(key, LogLevel::Error, Some(doing), &text);
                    self.settle(now, key, Some(doing));
                    self.close(key, Status::Ok);
                    return false;
                }
            }
        }
        true
    }
}

/// There is no room for the datagram on its way out, so it is lost, as on any other way.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS))
}

fn rules(entrance: &Entrance) -> Rules {
    let server = &entrance.server;
    Rules {
        requests: server.datagrams.requests,
        responses: server.datagrams.responses,
        timeout: server.timeout,
        rates: entrance.rates,
    }
}
