//! Moves bytes between the two sockets of a session.
//!
//! A session owns no buffer: what is read into the worker's scratch space is written to the other
//! side at once. Only what that side doesn't take is kept, at most `proxy_buffer_size` bytes each
//! way, and nothing more is read from this side until it is gone. A direction that has filled
//! several reads in a row goes through a pipe for as long as that lasts, see [`super::bulk`].

mod secure;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use nix::sys::socket::{MsgFlags, recv, send};
use socket2::SockRef;

use super::bulk::{Pipe, Pipes};
use crate::proxy::message::Doing;
use crate::proxy::pace::Pace;
use crate::proxy::session::{Relay, Side};

/// How often one session may read before others get their turn.
const ROUNDS: usize = 8;
/// How many bytes it may move before they do.
const SHARE: u64 = 2 * 1024 * 1024;
/// Full reads in a row that make bulk.
const STREAK: u8 = 4;

/// A segment has room for so many bytes on any path (RFC 9293, section 3.7.1).
const SMALLEST_SEGMENT: usize = 536;

/// `MSG_MORE` of send(2): wait with a packet that isn't full.
const MORE: MsgFlags = MsgFlags::from_bits_retain(libc::MSG_MORE);

/// What is known about a socket without asking it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readiness {
    readable: bool,
    writable: bool,
    /// Its end, or an error, is waiting behind what can be read.
    ending: bool,
}

impl Readiness {
    /// Try first, wait later.
    pub(super) const UNKNOWN: Self = Self { readable: true, writable: true, ending: false };

    pub(super) fn learn(&mut self, events: EpollFlags) {
        let ending = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        self.ending |= events.intersects(ending);
        self.readable |= self.ending || events.contains(EpollFlags::EPOLLIN);
        let gone = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        self.writable |= events.intersects(EpollFlags::EPOLLOUT | gone);
    }
}

/// The moving part of a session.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) relay: Relay,
    pub(super) ready: [Readiness; 2],
    /// By the side it came from.
    unsent: [Option<Box<Unsent>>; 2],
    /// By the side it comes from.
    pipes: [Option<Pipe>; 2],
    /// Full reads in a row, by side.
    streak: [u8; 2],
    /// Whether the client has ever been full.
    was_blocked: bool,
    /// `TCP_NODELAY` is still to be set for the peer. What goes out first, in one segment, isn't held
    /// back without it either, and most short sessions send no more.
    pub(super) delays: bool,
    /// By the side that is read from; `None`: no side has a limit.
    pub(super) paces: Option<Box<[Option<Pace>; 2]>>,
}

#[derive(Debug)]
struct Unsent {
    bytes: Box<[u8]>,
    sent: usize,
}

/// What came of a turn.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Bytes went somewhere, or a stream ended.
    pub(super) any: bool,
    /// There is more to do, but others come first.
    pub(super) more: bool,
    /// Nothing more may be read before, from one side at least.
    pub(super) later: Option<Instant>,
    /// The client takes no more for now, for the first time.
    pub(super) blocked: bool,
    /// Reading from this side failed, which ended its stream.
    pub(super) unreadable: Option<(Side, io::Error)>,
    /// Sending to this side failed, which ends the session.
    pub(super) unwritable: Option<(Side, io::Error)>,
    /// TLS on this side failed while this was done, in the log's words.
    pub(super) said: Option<(Side, Doing, String)>,
    /// Nothing can be sent to this side any more, which ends the session.
    pub(super) broken: Option<Side>,
}

impl Flow {
    pub(super) fn new(half_close: bool, ready: [Readiness; 2]) -> Self {
        Self {
            relay: Relay::new(half_close),
            ready,
            unsent: [None, None],
            pipes: [None, None],
            streak: [0, 0],
            was_blocked: false,
            delays: false,
            paces: None,
        }
    }

    /// Moves what can be moved now. `scratch` has the size of the largest read.
    pub(super) fn run(
        &mut self,
        now: Instant,
        sockets: [&OwnedFd; 2],
        scratch: &mut [u8],
        pipes: &mut Pipes,
    ) -> Moved {
        let mut moved = Moved::default();
        let begun = self.received();
        for _ in 0..ROUNDS {
            let mut again = false;
            for from in Side::BOTH {
                again |= match self.pipes[from as usize].take() {
                    Some(pipe) => self.pour(from, pipe, sockets, pipes, &mut moved),
                    None => self.step(now, from, sockets, scratch, &mut moved),
                };
                if self.streak[from as usize] >= STREAK {
                    self.streak[from as usize] = 0;
                    self.pipes[from as usize] = pipes.take();
                }
                if moved.unwritable.is_some() {
                    return moved;
                }
            }
            if !again {
                return moved;
            }
            moved.any = true;
            if self.received() - begun >= SHARE {
                break;
            }
        }
        moved.more = true;
        moved
    }

    /// From both sides, so far.
    fn received(&self) -> u64 {
        Side::BOTH.map(|side| self.relay.counts(side).0).iter().sum()
    }

    /// How many of `room` bytes may be read from a side now; `None`: it has ended, is empty, or its
    /// rate says that it is too early.
    fn may_read(&self, now: Instant, from: Side, room: usize, moved: &mut Moved) -> Option<usize> {
        if self.relay.ended(from) || !self.ready[from as usize].readable {
            return None;
        }
        let Some(pace) = self.pace(from) else { return Some(room) };
        match pace.allowance(now, self.relay.counts(from).0) {
            Ok(allowed) => Some(room.min(allowed)),
            Err(later) => {
                moved.later = Some(moved.later.map_or(later, |other| other.min(later)));
                None
            }
        }
    }

    fn note_received(&mut self, now: Instant, from: Side, received: usize) {
        self.relay.received(from, received);
        if let Some(pace) = self.paces.as_mut().and_then(|it| it[from as usize].as_mut()) {
            pace.read(now, received);
        }
    }

    /// One read and one write in one direction. Returns whether it may pay to come again.
    fn step(
        &mut self,
        now: Instant,
        from: Side,
        sockets: [&OwnedFd; 2],
        scratch: &mut [u8],
        moved: &mut Moved,
    ) -> bool {
        let to = from.other();
        if let Some(mut unsent) = self.unsent[from as usize].take() {
            let rest = &unsent.bytes[unsent.sent..];
            let sent = self.send(to, sockets, rest, MsgFlags::empty(), moved);
            unsent.sent += sent;
            if unsent.sent < unsent.bytes.len() {
                self.unsent[from as usize] = Some(unsent);
                moved.any |= sent > 0;
                return false;
            }
            return true;
        }
        let Some(most) = self.may_read(now, from, scratch.len(), moved) else { return false };
        let scratch = &mut scratch[..most];
        match recv(sockets[from as usize].as_raw_fd(), scratch, MsgFlags::empty()) {
            Ok(0) => {
                self.relay.end(from);
                true
            }
            Ok(received) => {
                self.note_received(now, from, received);
                let ready = &mut self.ready[from as usize];
                // A short read has emptied the socket: what comes later makes an event.
                ready.readable = received == scratch.len() || ready.ending;
                // Nothing but the end is left to read, so the end may travel with these bytes.
                let last = ready.ending && received < scratch.len();
                let more = if last { MORE } else { MsgFlags::empty() };
                let sent = self.send(to, sockets, &scratch[..received], more, moved);
                // Bulk goes as fast as it can, so what has a limit isn't bulk.
                let full = received == scratch.len() && sent == received && self.paces.is_none();
                let streak = &mut self.streak[from as usize];
                *streak = if full { *streak + 1 } else { 0 };
                if sent < received {
                    let bytes = scratch[sent..received].into();
                    self.unsent[from as usize] = Some(Box::new(Unsent { bytes, sent: 0 }));
                }
                moved.any = true;
                self.ready[from as usize].readable && sent == received
            }
            Err(Errno::EAGAIN) => {
                self.ready[from as usize].readable = false;
                false
            }
            Err(Errno::EINTR) => true,
            Err(error) => {
                moved.unreadable = Some((from, error.into()));
                self.relay.end(from);
                true
            }
        }
    }

    fn pace(&self, from: Side) -> Option<&Pace> {
        self.paces.as_ref()?[from as usize].as_ref()
    }

    /// The same by pipe, which goes back when there is nothing in it and nothing to come.
    fn pour(
        &mut self,
        from: Side,
        mut pipe: Pipe,
        sockets: [&OwnedFd; 2],
        pipes: &mut Pipes,
        moved: &mut Moved,
    ) -> bool {
        let to = from.other();
        if pipe.is_empty() && self.ready[from as usize].readable && !self.relay.ended(from) {
            match pipe.fill(sockets[from as usize]) {
                Ok(0) => self.relay.end(from),
                Ok(count) => self.relay.received(from, count),
                Err(Errno::EAGAIN) => self.ready[from as usize].readable = false,
                Err(Errno::EINTR) => {}
                Err(error) => {
                    moved.unreadable = Some((from, error.into()));
                    self.relay.end(from);
                }
            }
        }
        if pipe.is_empty() {
            let more = self.ready[from as usize].readable && !self.relay.ended(from);
            if more {
                self.pipes[from as usize] = Some(pipe);
            } else {
                pipes.give_back(pipe);
            }
            return more || self.relay.ended(from);
        }
        while !pipe.is_empty() && self.ready[to as usize].writable {
            match pipe.empty(sockets[to as usize]) {
                Ok(count) => {
                    moved.any = true;
                    self.relay.sent(to, count);
                }
                Err(Errno::EAGAIN) => self.full(to, moved),
                Err(Errno::EINTR) => {}
                Err(error) => {
                    moved.unwritable = Some((to, error.into()));
                    break;
                }
            }
        }
        let emptied = pipe.is_empty();
        self.pipes[from as usize] = Some(pipe);
        emptied
    }

    /// The socket takes no more.
    fn full(&mut self, to: Side, moved: &mut Moved) {
        self.ready[to as usize].writable = false;
        if to == Side::Client && !std::mem::replace(&mut self.was_blocked, true) {
            moved.blocked = true;
        }
    }

    /// Gives back what it has borrowed.
    pub(super) fn end(&mut self, pipes: &mut Pipes) {
        self.pipes.iter_mut().filter_map(Option::take).for_each(|pipe| pipes.give_back(pipe));
    }

    /// Sends what the socket takes; returns how many bytes that was.
    fn send(
        &mut self,
        to: Side,
        sockets: [&OwnedFd; 2],
        bytes: &[u8],
        flags: MsgFlags,
        moved: &mut Moved,
    ) -> usize {
        if self.delays && to == Side::Upstream {
            let first = self.relay.counts(to).1 == 0;
            if !first || bytes.len() > SMALLEST_SEGMENT {
                self.delays = false;
                // It fails only of a socket that can't send either.
                let _ = SockRef::from(sockets[to as usize]).set_tcp_nodelay(true);
            }
        }
        let mut sent = 0;
        while sent < bytes.len() && self.ready[to as usize].writable {
            match self.push(to, sockets, &bytes[sent..], flags, moved) {
                Some(count) => sent += count,
                None => break,
            }
        }
        self.relay.sent(to, sent);
        sent
    }

    /// One send(2), and how many bytes it took; `None`: sending is over.
    fn push(
        &mut self,
        to: Side,
        sockets: [&OwnedFd; 2],
        bytes: &[u8],
        flags: MsgFlags,
        moved: &mut Moved,
    ) -> Option<usize> {
        match send(sockets[to as usize].as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL | flags) {
            Ok(count) => return Some(count),
            Err(Errno::EAGAIN) => self.full(to, moved),
            Err(Errno::EINTR) => {}
            Err(error) => {
                moved.unwritable = Some((to, error.into()));
                return None;
            }
        }
        Some(0)
    }
}
