//! `proxy_pass` with variables that come to a host's name: sessions wait for its addresses.
//!
//! Answers come from another thread, into a box that an event descriptor of the worker's epoll
//! instance tells of; a worker that never asks has none.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Engine, Key, Phase, Token};
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
    bell: EventFd,
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
        let letterbox = match self.letterbox() {
            Ok(letterbox) => letterbox,
            Err(error) => return self.break_off(key, &error),
        };
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

    fn letterbox(&mut self) -> std::io::Result<Arc<Letterbox>> {
        if let Some(letterbox) = &self.letterbox {
            return Ok(Arc::clone(letterbox));
        }
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = EventFd::from_flags(flags)?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, Token::Letter.into());
        self.epoll.add(bell.as_fd(), event)?;
        let letterbox =
            Arc::new(Letterbox { bell, answers: Mutex::default(), count: AtomicUsize::new(0) });
        self.letterbox = Some(Arc::clone(&letterbox));
        Ok(letterbox)
    }

    /// Answers have come.
    pub(super) fn open_letters(&mut self, now: Instant) {
        let Some(letterbox) = &self.letterbox else { return };
        let _ = letterbox.bell.read();
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
