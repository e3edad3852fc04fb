//! The same for sessions with TLS on a side: bytes go through OpenSSL, which has buffers of its own,
//! so that an empty socket doesn't mean that there is nothing to read, and reading may have to wait
//! for room to write.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::{Flow, Moved, ROUNDS, Unsent};
use crate::proxy::message::Doing;
use crate::proxy::session::Side;
use crate::runtime::stream::tls::{self, Channels};

impl Flow {
    /// As [`Flow::run`].
    pub(in crate::runtime::stream) fn run_secure(
        &mut self,
        now: Instant,
        sockets: [&OwnedFd; 2],
        channels: &mut Channels,
        scratch: &mut [u8],
    ) -> Moved {
        let mut moved = Moved::default();
        for _ in 0..ROUNDS {
            let mut again = false;
            for from in Side::BOTH {
                again |= self.step_secure(now, from, sockets, channels, scratch, &mut moved);
                if moved.unwritable.is_some() || moved.broken.is_some() {
                    return moved;
                }
            }
            if !again {
                return moved;
            }
            moved.any = true;
        }
        moved.more = true;
        moved
    }

    /// After an event on a side with TLS, both ways of it are tried: either may have waited for it.
    pub(in crate::runtime::stream) fn wake(&mut self, side: Side) {
        let ready = &mut self.ready[side as usize];
        (ready.readable, ready.writable) = (true, true);
    }

    fn step_secure(
        &mut self,
        now: Instant,
        from: Side,
        sockets: [&OwnedFd; 2],
        channels: &mut Channels,
        scratch: &mut [u8],
        moved: &mut Moved,
    ) -> bool {
        let to = from.other();
        if let Some(mut unsent) = self.unsent[from as usize].take() {
            let rest = &unsent.bytes[unsent.sent..];
            let sent = self.send_secure(to, sockets, channels, rest, moved);
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
        let received = match self.receive(from, sockets, channels, scratch, moved) {
            Some(received) => received,
            None => return self.relay.ended(from),
        };
        self.note_received(now, from, received);
        let sent = self.send_secure(to, sockets, channels, &scratch[..received], moved);
        if sent < received {
            let bytes = scratch[sent..received].into();
            self.unsent[from as usize] = Some(Box::new(Unsent { bytes, sent: 0 }));
        }
        moved.any = true;
        sent == received
    }

    /// `None`: nothing now, or no more at all.
    fn receive(
        &mut self,
        from: Side,
        sockets: [&OwnedFd; 2],
        channels: &mut Channels,
        scratch: &mut [u8],
        moved: &mut Moved,
    ) -> Option<usize> {
        if let Some(channel) = channels.of(from) {
            match channel.read(scratch) {
                tls::Moved::Bytes(count) => {
                    let ready = &mut self.ready[from as usize];
                    ready.readable = ready.ending || !channel.is_drained();
                    return Some(count);
                }
                tls::Moved::Wait => self.ready[from as usize].readable = false,
                tls::Moved::End => self.relay.end(from),
                tls::Moved::Failed(words) => {
                    moved.said = Some((from, Doing::ReadingFrom(from), words));
                    self.relay.end(from);
                }
            }
            return None;
        }
        loop {
            match recv(sockets[from as usize].as_raw_fd(), scratch, MsgFlags::empty()) {
                Ok(0) => self.relay.end(from),
                Ok(count) => {
                    // A short read has emptied the socket.
                    let ready = &mut self.ready[from as usize];
                    ready.readable = ready.ending || count == scratch.len();
                    return Some(count);
                }
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => self.ready[from as usize].readable = false,
                Err(error) => {
                    moved.unreadable = Some((from, error.into()));
                    self.relay.end(from);
                }
            }
            return None;
        }
    }

    fn send_secure(
        &mut self,
        to: Side,
        sockets: [&OwnedFd; 2],
        channels: &mut Channels,
        bytes: &[u8],
        moved: &mut Moved,
    ) -> usize {
        let mut sent = 0;
        while sent < bytes.len() && self.ready[to as usize].writable {
            let rest = &bytes[sent..];
            if let Some(channel) = channels.of(to) {
                match channel.write(rest) {
                    tls::Moved::Bytes(count) => sent += count,
                    tls::Moved::Wait => self.full(to, moved),
                    tls::Moved::End => {
                        moved.broken = Some(to);
                        break;
                    }
                    tls::Moved::Failed(words) => {
                        moved.said = Some((to, Doing::SendingTo(to), words));
                        moved.broken = Some(to);
                        break;
                    }
                }
                continue;
            }
            match self.push(to, sockets, rest, MsgFlags::empty(), moved) {
                Some(count) => sent += count,
                None => break,
            }
        }
        self.relay.sent(to, sent);
        sent
    }
}
