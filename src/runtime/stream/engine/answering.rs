//! `return`: a text instead of a peer, and the end.

use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};

use super::{Engine, Key, Phase, Session};
use crate::plan::process::LogLevel;
use crate::proxy::message;
use crate::proxy::session::{Side, Status};
use crate::runtime::stream::tls::Moved;

impl Engine {
    /// Sends what is left of the answer; the session ends with it.
    pub(super) fn answer(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        if session.client.is_shared() {
            return self.reply(now, key);
        }
        let Session { phase: Phase::Answering(rest), client, tls, .. } = session else { return };
        let mut channel = tls.as_mut().and_then(|tls| tls.of(Side::Client));
        let mut sent = 0;
        let failure = loop {
            if sent == rest.len() {
                break None;
            }
            let result = match &mut channel {
                None => send(client.as_raw_fd(), &rest[sent..], MsgFlags::MSG_NOSIGNAL),
                Some(channel) => match channel.write(&rest[sent..]) {
                    Moved::Bytes(count) => Ok(count),
                    Moved::Wait => Err(Errno::EAGAIN),
                    Moved::End | Moved::Failed(_) => Err(Errno::EPIPE),
                },
            };
            match result {
                Ok(count) => sent += count,
                Err(Errno::EINTR) => {}
                Err(error) => break Some(error),
            }
        };
        *rest = rest[sent..].into();
        if let Some(record) = &mut session.record {
            record.answered += sent as u64;
        }
        match failure {
            None => self.close(key, Status::Ok),
            Some(Errno::EAGAIN) => {
                let timeout = session.entrance.server.timeout;
                let watched = if session.watched { Ok(()) } else { self.watch(key) };
                self.extend(now, key, timeout);
                if let Err(error) = watched.and_then(|()| self.watch_room(key)) {
                    self.break_off(key, &error);
                }
            }
            Some(error) => {
                let text = format!("send() failed {}", message::Errno(&error.into()));
                self.say(key, LogLevel::Info, None, &text);
                self.close(key, Status::Ok);
            }
        }
    }
}
