//! TLS handshakes: with clients, as a stage on their way to the content, and with peers, as the end
//! of dialing them.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

use super::arriving::Passage;
use super::{Engine, Key};
use crate::plan::process::LogLevel;
use crate::plan::template::Template;
use crate::plan::tls::{LatePair, Verify};
use crate::proxy::message::{self, Doing, stream_level};
use crate::proxy::session::{Side, Status};
use crate::runtime::stream::service::Stage;
use crate::runtime::stream::session::Session;
use crate::runtime::stream::tls::{Acceptor, Channel, Named, Shake, judge};
use crate::tls::words;

impl Engine {
    /// The client's handshake.
    pub(super) fn secure(&mut self, now: Instant, key: Key) -> Passage {
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let Some(mut acceptor) = session.acceptor().cloned() else { return Passage::On };
        if session.tls.as_ref().is_some_and(|tls| tls.inquiry.is_some()) {
            return self.inquire(now, key, &acceptor);
        }
        if session.channel(Side::Client).is_none() {
            let choosing = session.entrance.choice.is_some();
            let asks = choosing || !acceptor.plan.tls.late.is_empty();
            if asks && !self.peek_name(key) {
                return self.await_client(now, key, acceptor.plan.handshake_timeout);
            }
            if choosing {
                acceptor = match self.choose_by_greeting(key) {
                    Some(acceptor) => acceptor,
                    None => return Passage::Wait,
                };
            }
            if let Err(words) = self.begin_with_client(now, key, &acceptor) {
                self.turn_away(key);
                let doing = Some(Doing::Handshaking(Side::Client));
                self.say(key, LogLevel::Error, doing, &words);
                return Passage::Over(Status::Internal);
            }
        }
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let entrance = Arc::clone(&session.entrance);
        let timeout =
            entrance.server.tls.as_ref().map_or(Duration::ZERO, |it| it.handshake_timeout);
        let verify = entrance.server.tls.as_ref().map_or(Verify::Off, |tls| tls.verify);
        let Some(channel) = session.channel(Side::Client) else { return Passage::Wait };
        let refusal = match channel.shake() {
            Shake::Done => judge(verify, channel.ssl()),
            Shake::Failed(words) => Err(words),
            Shake::Wait { room } => {
                let waits = self.await_client(now, key, timeout);
                if room && let Err(error) = self.watch_room(key) {
                    self.break_off(key, &error);
                }
                return waits;
            }
        };
        match refusal {
            Ok(()) => {
                let inquiry = acceptor.inquire(channel.ssl());
                session.channels().inquiry = inquiry.map(Box::new);
                self.inquire(now, key, &acceptor)
            }
            Err(words) => {
                let doing = Some(Doing::Handshaking(Side::Client));
                self.say(key, stream_level(Side::Client), doing, &words);
                Passage::Over(Status::Internal)
            }
        }
    }

    /// Tells a client that there is no certificate for it: by an alert, as OpenSSL would, had it
    /// come so far.
    fn turn_away(&mut self, key: Key) {
        const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];
        let Some(session) = self.sessions.at(key) else { return };
        let client = session.client.as_raw_fd();
        // What stays unread would reset the connection, and the alert with it.
        let mut greeting = [0; 4096];
        while recv(client, &mut greeting, MsgFlags::MSG_DONTWAIT).is_ok_and(|count| count > 0) {}
        // Whoever has gone meanwhile needs no word.
        let _ = send(client, &INTERNAL_ERROR, MsgFlags::MSG_NOSIGNAL);
    }

    /// The client's greeting is there; what its handshake is done with.
    fn choose_by_greeting(&mut self, key: Key) -> Option<Arc<Acceptor>> {
        let record = self.sessions.at(key)?.record.as_ref();
        let name = record.and_then(|record| record.asked_name.clone()).unwrap_or_default();
        self.choose(key, Stage::Tls, &name);
        self.sessions.at(key)?.acceptor().cloned()
    }

    fn begin_with_client(
        &mut self,
        now: Instant,
        key: Key,
        acceptor: &Acceptor,
    ) -> Result<(), String> {
        let Some(session) = self.sessions.at(key) else { return Ok(()) };
        let named = session.named(now, &acceptor.plan.tls.late);
        let ssl = acceptor.begin(&named)?;
        let channel = Channel::new(ssl, &session.client).map_err(|error| words::all(&error))?;
        session.channels().set(Side::Client, Some(channel));
        Ok(())
    }

    /// The handshake with a peer that has just been connected to, or goes on with it. `true`: there
    /// is none, or it is done.
    pub(super) fn secure_peer(&mut self, now: Instant, key: Key) -> bool {
        let Some(session) = self.sessions.at(key) else { return false };
        let entrance = Arc::clone(&session.entrance);
        let Some(connector) = &entrance.connector else { return true };
        let name = session.peer_name(now);
        if session.channel(Side::Upstream).is_none() {
            let begun = session.begin_with_peer(now, &name);
            self.extend(now, key, entrance.server.connect_timeout);
            if let Err(words) = begun {
                self.peer_refused(now, key, &words);
                return false;
            }
        }
        let Some(session) = self.sessions.at(key) else { return false };
        let Some(channel) = session.channel(Side::Upstream) else { return false };
        let refusal = match channel.shake() {
            Shake::Done => connector.judge(channel.ssl(), &name),
            Shake::Failed(words) => Err(words),
            Shake::Wait { .. } => return false,
        };
        match refusal {
            Ok(()) => true,
            Err(words) => {
                self.peer_refused(now, key, &words);
                false
            }
        }
    }

    fn peer_refused(&mut self, now: Instant, key: Key, words: &str) {
        let doing = Some(Doing::Handshaking(Side::Upstream));
        self.say(key, LogLevel::Error, doing, &words);
        if let Some(step) = self.failed(now, key) {
            self.walk(now, key, step);
        }
    }
}

impl Session {
    /// The name that the peer's certificate has to be for.
    fn peer_name(&mut self, now: Instant) -> Vec<u8> {
        let entrance = Arc::clone(&self.entrance);
        let Some(connector) = &entrance.connector else { return Vec::new() };
        if let Some(name) = &connector.plan.name {
            return self.text(now, name);
        }
        let Some(pool) = &self.pool else { return Vec::new() };
        let name = &pool.upstream.name;
        let host = match name.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => name,
        };
        host.trim_matches(['[', ']']).as_bytes().to_vec()
    }

    fn begin_with_peer(&mut self, now: Instant, name: &[u8]) -> Result<(), String> {
        let entrance = Arc::clone(&self.entrance);
        let Some(connector) = &entrance.connector else { return Ok(()) };
        let named = self.named(now, &connector.plan.tls.late);
        let offers: Vec<_> =
            connector.plan.offers.iter().map(|offer| self.text(now, offer)).collect();
        let (Some(pool), Some(lease), Some(socket)) = (&self.pool, &self.lease, &self.upstream)
        else {
            return Ok(());
        };
        if let Some(version) = entrance.server.outward.header {
            // In the clear, as in nginx; a new connection has room for so few bytes.
            let header = self.header(version);
            let sent = send(socket.as_raw_fd(), &header, MsgFlags::MSG_NOSIGNAL);
            if sent != Ok(header.len()) {
                let error = sent.err().unwrap_or(Errno::ENOBUFS).into();
                return Err(format!("send() failed {}", message::Errno(&error)));
            }
        }
        let address = pool.upstream.peers[lease.peer()].address.to_string();
        let ssl = connector.begin(&address, name, &named, &offers)?;
        let channel = Channel::new(ssl, socket).map_err(|error| words::all(&error))?;
        self.channels().set(Side::Upstream, Some(channel));
        Ok(())
    }

    fn named<'p>(&mut self, now: Instant, late: &'p [LatePair]) -> Vec<Named<'p>> {
        let pairs = late.iter().map(|pair| Named {
            certificate: self.text(now, &pair.certificate),
            key: self.text(now, &pair.key),
            folder: &pair.folder,
            passwords: &pair.passwords,
        });
        pairs.collect()
    }

    /// A text without variables needs no record.
    fn text(&mut self, now: Instant, text: &Template) -> Vec<u8> {
        match text.literal() {
            Some(text) => text.to_vec(),
            None => self.render(now, text),
        }
    }
}
