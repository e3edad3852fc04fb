//! Stages between accept and content that let a client in or not: the PROXY protocol's header,
//! whose address counts, `limit_conn`, `allow` and `deny`; and `pass`, which begins them anew at
//! another listener.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::arriving::Passage;
use super::{Engine, Key, Phase};
use crate::plan::process::LogLevel;
use crate::proxy::limit::{LONGEST_KEY, Refusal};
use crate::proxy::message::{self, Client, Doing};
use crate::proxy::preface::proxy_protocol::{self, LONGEST};
use crate::proxy::session::Status;
use crate::runtime::stream::session::Session;

/// A session that is passed on more often goes in a circle, says nginx.
const MOST_PASSES: u8 = 10;

impl Engine {
    /// `listen … proxy_protocol`: reads the header and nothing of what follows.
    pub(super) fn read_header(&mut self, now: Instant, key: Key) -> Passage {
        let scratch = &mut self.scratch;
        if scratch.len() < LONGEST {
            scratch.resize(LONGEST, 0);
        }
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let socket = session.client.as_raw_fd();
        let seen = retry(|| recv(socket, &mut scratch[..LONGEST], MsgFlags::MSG_PEEK));
        let taken = seen.map(|count| match proxy_protocol::parse(&scratch[..count]) {
            Ok((header, length)) => {
                // It is there: it has just been looked at.
                let read = retry(|| recv(socket, &mut scratch[..length], MsgFlags::empty()));
                read.map(|_| header).map_err(|error| Err(error.into()))
            }
            Err(refusal) => Err(Ok(refusal)),
        });
        match taken {
            Ok(Ok(header)) => {
                if let Some(record) = &mut session.record {
                    record.header = Some(Box::new(header));
                }
                Passage::On
            }
            Ok(Err(Ok(refusal))) => {
                let level = match refusal {
                    proxy_protocol::Refusal::Short => LogLevel::Debug,
                    _ => LogLevel::Error,
                };
                self.say(key, level, Some(Doing::ReadingHeader), &refusal);
                Passage::Over(Status::BadRequest)
            }
            Err(Errno::EAGAIN) => {
                let timeout = session.entrance.server.admission.header_timeout;
                self.await_client(now, key, timeout)
            }
            Ok(Err(Err(error))) => self.headless(key, &error),
            Err(error) => self.headless(key, &error.into()),
        }
    }

    fn headless(&mut self, key: Key, error: &io::Error) -> Passage {
        let text = format!("recv() failed {}", message::Errno(error));
        self.say(key, LogLevel::Info, Some(Doing::ReadingHeader), &text);
        Passage::Over(Status::Ok)
    }

    /// No header has come in time.
    pub(super) fn header_is_late(&mut self, key: Key) {
        let text = "client timed out (110: Connection timed out)";
        self.say(key, LogLevel::Info, Some(Doing::ReadingHeader), &text);
        self.close(key, Status::Ok);
    }

    /// `set_real_ip_from`: the client is whom a trusted header names.
    pub(super) fn believe(&mut self, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Session { entrance, from, record: Some(record), .. } = session else { return };
        let trusted = entrance.guard.trusted.as_ref();
        let endpoints = record.header.as_ref().and_then(|header| header.endpoints.as_ref());
        let client = endpoints.and_then(|endpoints| endpoints.client());
        let (Some(trusted), Some(client)) = (trusted, client) else { return };
        if trusted.hold(*from) {
            record.connected_from = Some(*from);
            *from = Client::Tcp(client);
        }
    }

    /// `limit_conn`: the session counts in each zone, or is refused.
    pub(super) fn count(&mut self, now: Instant, key: Key) -> Passage {
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let entrance = Arc::clone(&session.entrance);
        let admission = &entrance.server.admission;
        let mut counted = Vec::new();
        for limit in &entrance.guard.limits {
            let Some(session) = self.sessions.at(key) else { return Passage::Wait };
            let value = session.render(now, &limit.key);
            if value.is_empty() {
                continue;
            }
            if value.len() > LONGEST_KEY {
                let (text, value) = (&limit.zone.key, bstr::BStr::new(&value));
                let text = format!(
                    "the value of the \"{text}\" key is more than {LONGEST_KEY} bytes: \"{value}\""
                );
                self.say(key, LogLevel::Error, Some(Doing::Initializing), &text);
                continue;
            }
            let refusal = match limit.zone.count(value.into(), limit.most) {
                Ok(one) => {
                    counted.push(one);
                    continue;
                }
                Err(refusal) => refusal,
            };
            // Nor does it count in the zones before.
            drop(counted);
            let (name, dry_run) = (&limit.zone.name, admission.limit_dry_run);
            let (level, doing) = (admission.limit_level, Some(Doing::Initializing));
            match refusal {
                Refusal::NoRoom => {
                    let text = format_args!(
                        "ngx_slab_alloc() failed: no memory in limit_conn_zone \"{name}\""
                    );
                    self.generation.log.write(LogLevel::Crit, None, text);
                }
                Refusal::TooMany => {
                    let dry = if dry_run { ", dry run," } else { "" };
                    let text = format!("limiting connections{dry} by zone \"{name}\"");
                    self.say(key, level, doing, &text);
                }
            }
            self.note_limits(
                key,
                Vec::new(),
                if dry_run { "REJECTED_DRY_RUN" } else { "REJECTED" },
            );
            return if dry_run { Passage::On } else { Passage::Over(Status::Unavailable) };
        }
        if !counted.is_empty() {
            self.note_limits(key, counted, "PASSED");
        }
        Passage::On
    }

    fn note_limits(
        &mut self,
        key: Key,
        mut counted: Vec<crate::runtime::stream::admission::Counted>,
        status: &'static str,
    ) {
        let Some(Session { record: Some(record), .. }) = self.sessions.at(key) else { return };
        record.counted.append(&mut counted);
        record.limit_status = Some(status);
    }

    /// `allow` and `deny`
    pub(super) fn check_access(&mut self, key: Key) -> Passage {
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let rules = session.entrance.guard.rules.as_ref();
        if rules.and_then(|rules| rules.answer(session.from)) != Some(false) {
            return Passage::On;
        }
        let text = "access forbidden by rule";
        self.say(key, LogLevel::Error, Some(Doing::Initializing), &text);
        Passage::Over(Status::Forbidden)
    }

    /// `pass`: the connection goes to the listener of this address, as if it had come in there.
    pub(super) fn hand_over(&mut self, now: Instant, key: Key, address: &[u8]) {
        let generation = Arc::clone(&self.generation);
        let Some(session) = self.sessions.at(key) else { return };
        let Some(record) = &mut session.record else { return };
        if record.passes == MOST_PASSES {
            self.say(key, LogLevel::Error, Some(Doing::Passing), &"stream pass cycle");
            return self.close(key, Status::Internal);
        }
        let Some((address, entrance)) = generation.entrance_at(address) else {
            let text = format!("port not found for \"{}\"", bstr::BStr::new(address));
            self.say(key, LogLevel::Error, Some(Doing::Passing), &text);
            return self.close(key, Status::Ok);
        };
        record.passes += 1;
        record.passed_to = Some(address.clone());
        record.values = Default::default();
        (record.front, record.asked_name) = (None, None);
        session.entrance = Arc::clone(entrance);
        session.note_arrival();
        session.phase = Phase::Arriving { stage: 0, waits: false };
        self.arrive(now, key);
    }
}

fn retry(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}
