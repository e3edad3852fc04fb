//! Answers from peers, on their way to clients.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::asking::is_full;
use crate::kernel::udp::SLOTS;
use crate::proxy::message::{Doing, Errno, stream_level};
use crate::proxy::session::{Side, Status};
use crate::runtime::stream::engine::{Engine, Key, Phase};

/// How often one session is read before others get their turn.
const ROUNDS: usize = 8;

impl Engine {
    /// Reads what the peer has sent. It reaches clients with the next [`deliver`](Self::deliver).
    /// `thorough`: an error may wait behind the last datagram.
    pub(in crate::runtime::stream::engine) fn hear(
        &mut self,
        now: Instant,
        key: Key,
        thorough: bool,
    ) {
        for _ in 0..ROUNDS {
            let Some(session) = self.sessions.at(key) else { return };
            let (Phase::Exchanging, Some(upstream)) = (&session.phase, &session.upstream) else {
                return;
            };
            let Some(conversation) = session.client.conversation() else { return };
            if !conversation.flow.may_read() {
                return;
            }
            if self.halls.outbox.is_full() || self.halls.outbox_of != conversation.hall {
                let hall = conversation.hall;
                self.deliver(now);
                self.halls.outbox_of = hall;
                continue;
            }
            let size = session.entrance.server.buffer_size;
            let most = if conversation.flow.is_paced() { 1 } else { SLOTS };
            let outbox = &mut self.halls.outbox;
            let first = outbox.len();
            let (socket, ends) = (upstream.as_fd(), conversation.ends);
            match outbox.receive(socket, size, most, ends, tag(key)) {
                Ok((_, more)) => {
                    for at in first..outbox.len() {
                        conversation.flow.answered(now, outbox.bytes(at).len());
                    }
                    let (received, _) = conversation.flow.counts(Side::Upstream);
                    if let Some(record) = &mut session.record
                        && let Some(attempt) = record.last()
                    {
                        attempt.hear(now, received);
                    }
                    if !more && !thorough {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    // nginx passes this on as an answer of no bytes, so that clients know.
                    outbox.push(b"", Some(ends), tag(key));
                    conversation.flow.deafen();
                    let text = format!("recv() failed {}", Errno(&error));
                    let doing = Some(Doing::ReadingFrom(Side::Upstream));
                    self.say(key, stream_level(Side::Upstream), doing, &text);
                    return;
                }
            }
        }
        self.busy.push_back(key);
    }

    /// Sends the answers that have been read.
    pub(in crate::runtime::stream::engine) fn deliver(&mut self, now: Instant) {
        if self.halls.outbox.is_empty() {
            return;
        }
        let mut outbox = std::mem::take(&mut self.halls.outbox);
        let hall = self.halls.outbox_of;
        let Some(socket) = self.halls.at(hall).map(|hall| Arc::clone(&hall.socket)) else { return };
        let mut errors: [Option<io::Error>; SLOTS] = [const { None }; SLOTS];
        let mut at = 0;
        while at < outbox.len() {
            match outbox.answer(socket.as_fd(), at, outbox.len() - at) {
                Ok(sent) => at += sent.max(1),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    errors[at] = Some(error);
                    at += 1;
                }
            }
        }
        for (at, error) in errors.into_iter().enumerate().take(outbox.len()) {
            let key = key(outbox.tag(at));
            self.delivered(now, key, outbox.bytes(at).len(), error);
            let last = at + 1 == outbox.len() || outbox.tag(at + 1) != outbox.tag(at);
            if last {
                self.look(now, key);
            }
        }
        outbox.clear();
        self.halls.outbox = outbox;
    }

    fn delivered(&mut self, now: Instant, key: Key, bytes: usize, error: Option<io::Error>) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(conversation) = session.client.conversation() else { return };
        let Some(error) = error else {
            if matches!(session.phase, Phase::Exchanging) {
                conversation.flow.delivered(now, bytes);
            }
            return;
        };
        if is_full(&error) {
            self.counters.datagrams_dropped.fetch_add(1, Relaxed);
            return conversation.flow.delivered(now, 0);
        }
        let text = format!("sendmsg() failed {}", Errno(&error));
        let doing = Doing::SendingTo(Side::Client);
        self.say(key, stream_level(Side::Client), Some(doing), &text);
        self.settle(now, key, None);
        self.close(key, Status::Ok);
    }

    /// `return`: one datagram, and the end.
    pub(in crate::runtime::stream::engine) fn reply(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Phase::Answering(text) = &session.phase else { return };
        let text: Box<[u8]> = text.clone();
        let Some(conversation) = session.client.conversation() else { return };
        let (hall, ends) = (conversation.hall, conversation.ends);
        if !text.is_empty() {
            if self.halls.outbox.is_full() || self.halls.outbox_of != hall {
                self.deliver(now);
                self.halls.outbox_of = hall;
            }
            self.halls.outbox.push(&text, Some(ends), tag(key));
            if let Some(record) = self.sessions.at(key).and_then(|it| it.record.as_mut()) {
                record.answered += text.len() as u64;
            }
            self.deliver(now);
        }
        self.close(key, Status::Ok);
    }
}

fn tag(key: Key) -> u64 {
    u64::from(key.turn) << 32 | u64::from(key.place)
}

fn key(tag: u64) -> Key {
    Key { place: tag as u32, turn: (tag >> 32) as u32 }
}
