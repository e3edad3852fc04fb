//! `proxy_pass` with variables that come to a host's name: sessions wait for its addresses.
//!
//! Answers come from another thread, into a box, and ring the worker's bell; a worker that never
//! asks has no box.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;

use super::{Engine, Key, Phase};
use crate::plan::process::LogLevel;
use crate::plan::stream::Address;
use crate::proxy::resolver::{Answer, Failure, Found};
use crate::proxy::session::Status;
use crate::runtime::stream::pool::Pool;

/// An answer comes when `resolver_timeout` has passed at the latest; if it doesn't, the session
/// waits no longer than this.
const GRACE: Duration = Duration::from_secs(5);

/// What a session waits for.
#[derive(Debug)]
pub(in crate::runtime::stream) struct Wish {
    /// As `proxy_pass` came to it.
    target: Box<str>,
    host: Box<str>,
    port: u16,
}

/// Answers for the sessions of one worker.
#[derive(Debug)]
pub(super) struct Letterbox {
    /// The worker's.
    bell: Arc<EventFd>,
    answers: Mutex<Vec<(Key, Answer)>>,
    /// How many there have been.
    count: AtomicUsize,
}

impl Letterbox {
    fn put(&self, key: Key, answer: Answer) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push((key, answer));
        // Its count can't run over; nothing else can fail.
        let _ = self.bell.write(1);
    }
}

impl Engine {
    /// Asks for a host on behalf of a session; [`Engine::named`] goes on with it.
    pub(super) fn name(&mut self, now: Instant, key: Key, target: &str, host: &str, port: u16) {
        let letterbox = self.letterbox();
        let names = self.generation.names.clone();
        let Some(session) = self.sessions.at(key) else { return };
        let entrance = Arc::clone(&session.entrance);
        let (Some(settings), Some(names)) = (&entrance.server.resolver, names) else {
            let text = format!("no resolver defined to resolve {host}");
            return self.unnamed(key, &text);
        };
        let wish = Wish { target: target.into(), host: host.into(), port };
        session.phase = Phase::Naming(Box::new(wish));
        self.extend(now, key, settings.timeout + GRACE);
        names.ask(settings, host, Box::new(move |answer| letterbox.put(key, answer)));
    }

    fn letterbox(&mut self) -> Arc<Letterbox> {
        let bell = &self.bell;
        let letterbox = self.letterbox.get_or_insert_with(|| {
            let (answers, count) = (Mutex::default(), AtomicUsize::new(0));
            Arc::new(Letterbox { bell: Arc::clone(bell), answers, count })
        });
        Arc::clone(letterbox)
    }

    /// Takes the answers that have come.
    pub(super) fn open_letters(&mut self, now: Instant) {
        let Some(letterbox) = &self.letterbox else { return };
        let answers = &letterbox.answers;
        let answers = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, answer) in answers {
            self.named(now, key, answer);
        }
    }

    /// No answer came: whoever had to give one is gone.
    pub(super) fn name_is_late(&mut self, now: Instant, key: Key) {
        self.named(now, key, Found { what: Err(Failure::TimedOut), until: now });
    }

    fn named(&mut self, now: Instant, key: Key, answer: Answer) {
        let Some(session) = self.sessions.at(key) else { return };
        let Phase::Naming(_) = session.phase else { return };
        let phase = std::mem::replace(&mut session.phase, Phase::Turning);
        let Phase::Naming(wish) = phase else { return };
        let addresses = match answer.what {
            Ok(addresses) => addresses,
            Err(failure) => {
                let text = format!("{} could not be resolved ({failure})", wish.host);
                return self.unnamed(key, &text);
            }
        };
        // Sessions begin with each of them in turn.
        let turn = self.letterbox.as_ref().map_or(0, |it| it.count.fetch_add(1, Relaxed));
        let first = turn % addresses.len().max(1);
        let (last, head) = addresses.split_at(first);
        let addresses = head.iter().chain(last);
        let addresses = addresses.map(|ip| Address::Tcp((*ip, wish.port).into()));
        match Pool::of_addresses(&wish.target, addresses.collect()) {
            Ok(pool) => self.seek(now, key, pool),
            Err(error) => self.unnamed(key, &format!("{error} in upstream \"{}\"", wish.target)),
        }
    }

    /// There is no peer, as in nginx with status 500.
    pub(super) fn unnamed(&mut self, key: Key, complaint: &str) {
        let Some(session) = self.sessions.at(key) else { return };
        let (from, server) = (session.from, &session.entrance.name);
        let udp = if session.client.is_shared() { "udp " } else { "" };
        let traffic = session.traffic();
        let text = format!("{complaint}, {udp}client: {from}, server: {server}, {traffic}");
        self.say(key, LogLevel::Error, None, &text);
        self.close(key, Status::Internal);
    }
}
