//! `ssl_preread`: a look at what the client says first. Its bytes stay in the socket, so nothing has
//! to be kept and everything after this stage reads them as if nobody had.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use socket2::SockRef;

use super::arriving::Passage;
use super::{Engine, Key, Phase};
use crate::plan::process::LogLevel;
use crate::proxy::message::{self, Doing};
use crate::proxy::preface::client_hello::{ClientHello, Reading, read};
use crate::proxy::session::Status;
use crate::runtime::stream::service::Stage;
use crate::runtime::stream::session::Session;

/// POLLRDHUP of poll(2): the other side has closed, or shut down its sending half.
const ENDED: PollFlags = PollFlags::from_bits_retain(libc::POLLRDHUP);

/// OpenSSL takes none that is longer.
const LONGEST_GREETING: usize = 16 * 1024 + 5;

impl Engine {
    /// nginx (1.22, watched) ends a session whose greeting doesn't come in time, or is cut off,
    /// without a word and with status 200.
    pub(super) fn preread(&mut self, now: Instant, key: Key) -> Passage {
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let Some(preread) = &session.entrance.server.preread else { return Passage::On };
        let Some(record) = &mut session.record else { return Passage::On };
        let (size, timeout) = (preread.buffer_size.max(1), preread.timeout);
        if self.scratch.len() < size {
            self.scratch.resize(size, 0);
        }
        let scratch = &mut self.scratch[..size];
        let count = loop {
            match recv(session.client.as_raw_fd(), scratch, MsgFlags::MSG_PEEK) {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break None,
                result => break Some(result),
            }
        };
        match count {
            None => {}
            Some(Ok(0)) => return Passage::Over(Status::Ok),
            Some(Ok(count)) => {
                record.peeked = count as u64;
                let reading = read(&scratch[..count]);
                let complete = reading != Reading::More;
                let mut name = Vec::new();
                record.greeting = match reading {
                    Reading::Hello(hello) => {
                        name.clone_from(&hello.server_name);
                        Some(hello)
                    }
                    Reading::Other => None,
                    Reading::More => Some(ClientHello::default()),
                };
                if complete {
                    self.choose(key, Stage::Preread, &name);
                    return Passage::On;
                }
                if count == size {
                    let text = "preread buffer full";
                    self.say(key, LogLevel::Error, Some(Doing::Prereading), &text);
                    return Passage::Over(Status::BadRequest);
                }
                if let Some(error) = end(session) {
                    return match error {
                        Some(error) => self.unreadable(key, &error),
                        None => Passage::Over(Status::Ok),
                    };
                }
            }
            Some(Err(error)) => return self.unreadable(key, &io::Error::from(error)),
        }
        self.await_client(now, key, timeout)
    }

    /// Looks for the name in the greeting of a handshake that hasn't begun. `false`: more of it has
    /// to come; whatever is no greeting is left for OpenSSL to complain of.
    pub(super) fn peek_name(&mut self, key: Key) -> bool {
        let Some(session) = self.sessions.at(key) else { return true };
        let Some(record) = &mut session.record else { return true };
        if self.scratch.len() < LONGEST_GREETING {
            self.scratch.resize(LONGEST_GREETING, 0);
        }
        let scratch = &mut self.scratch[..LONGEST_GREETING];
        match recv(session.client.as_raw_fd(), scratch, MsgFlags::MSG_PEEK) {
            Err(Errno::EAGAIN | Errno::EINTR) => false,
            Err(_) | Ok(0) => true,
            Ok(count) => {
                let reading = read(&scratch[..count]);
                let more = reading == Reading::More;
                if let Reading::Hello(hello) = reading {
                    record.asked_name = Some(hello.server_name);
                }
                // From here on OpenSSL reads them.
                record.peeked = if more { count as u64 } else { 0 };
                !more || count == LONGEST_GREETING || end(session).is_some()
            }
        }
    }

    fn unreadable(&mut self, key: Key, error: &io::Error) -> Passage {
        let text = format!("recv() failed {}", message::Errno(error));
        self.say(key, LogLevel::Info, Some(Doing::Prereading), &text);
        Passage::Over(Status::Ok)
    }
}

/// Takes what was only looked at out of a socket that is about to close: the kernel would tell the
/// client of a reset instead of an end.
pub(super) fn drain(session: &Session, scratch: &mut [u8]) {
    let peeked = session.record.as_ref().map_or(0, |record| record.peeked as usize);
    if peeked > 0 && !matches!(session.phase, Phase::Relaying(_)) {
        let peeked = peeked.min(scratch.len());
        let _ = recv(session.client.as_raw_fd(), &mut scratch[..peeked], MsgFlags::MSG_DONTWAIT);
    }
}

/// Whether nothing more will come from the client, and why. What came before a reset can still be
/// looked at, and hides it.
fn end(session: &Session) -> Option<Option<io::Error>> {
    let mut client = [PollFd::new(session.client.as_fd(), ENDED)];
    matches!(poll(&mut client, PollTimeout::ZERO), Ok(1..))
        .then(|| SockRef::from(&session.client).take_error().unwrap_or_else(Some))
}
