//! Names → addresses: what is asked of which name server when, what an answer is worth and for how
//! long, as a pure machine. The sockets are the runtime's (`runtime/stream/names`).
//!
//! [`Resolver`] is one `resolver` of the config with its cache. It is asked for a name and
//! answers at once or when name servers have: each name is one [`hunt`], which asks one
//! question per kind of record. [`message`] is DNS on the wire. [`roster`] keeps the peers of an
//! upstream whose servers have `resolve`, by what a resolver says. What nginx (1.22 and 1.30,
//! watched) does where the documentation says nothing is noted where it is done. Read
//! [`hunt`] next.

mod cache;
mod hunt;
mod message;
pub mod roster;
mod service;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::plan::stream::Resolver as Settings;
use cache::Cache;
use hunt::{Heard, Hunt, Outcome, Send, Waiting};
use message::Kind;
pub use message::Reply;
use service::Service;

/// Names that are looked for at a time; a client who makes up names gets no more than these.
const HUNTS: usize = 4096;

/// How long upstreams believe that a name isn't there, where `valid=` doesn't say otherwise
/// (watched).
const LIFE_OF_NOTHING: Duration = Duration::from_secs(10);

/// Why a name has no addresses. Prints as nginx has it: `3: Host not found`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Format,
    Server,
    NotFound,
    Unimplemented,
    Refused,
    /// Any other response code.
    Other(u16),
    TimedOut,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, text) = match self {
            Failure::Format => (1, "Format error"),
            Failure::Server => (2, "Server failure"),
            Failure::NotFound => (3, "Host not found"),
            Failure::Unimplemented => (4, "Unimplemented"),
            Failure::Refused => (5, "Operation refused"),
            Failure::Other(code) => (*code, "Unknown error"),
            Failure::TimedOut => (110, "Operation timed out"),
        };
        write!(f, "{code}: {text}")
    }
}

/// One record of a service, with the addresses of its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub target: Arc<str>,
    pub address: IpAddr,
    pub port: u16,
    pub weight: u16,
    /// Not of the most preferred ones: a backup.
    pub backup: bool,
}

/// What is known of a name, and until when that is so. A failure that may be over at any time has
/// ended when it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub what: T,
    pub until: Instant,
}

/// Addresses of a host: IPv4 first, each kind in the order of the answer.
pub type Addresses = Arc<[IpAddr]>;

/// Of a name that was asked for.
pub type Answer = Found<Result<Addresses, Failure>>;

/// Of a service that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub found: Found<Result<Vec<Place>, Failure>>,
    /// Targets without an address.
    pub missing: Vec<(Arc<str>, Failure)>,
}

/// Who asked.
pub type Ticket = u64;

/// What the runtime has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask this server, the how-manieth of the config. Over TCP, the connection is for this
    /// question alone.
    Send {
        server: usize,
        tcp: bool,
        bytes: Vec<u8>,
    },
    Answer {
        ticket: Ticket,
        answer: Answer,
    },
    Service {
        ticket: Ticket,
        places: Places,
    },
    /// A name server has said something that is no use; for the error log.
    Complain(String),
}

/// Counts since the machine began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Asked for, and those of them that the cache knew.
    pub asked: u64,
    pub cached: u64,
    /// Datagrams that answered nothing that was asked: late, broken or made up.
    pub ignored: u64,
}

/// One `resolver` with what it knows.
pub struct Resolver {
    settings: Settings,
    cache: Cache,
    hunts: BTreeMap<(Arc<str>, Target), Hunt>,
    services: HashMap<Ticket, Service>,
    /// The server that the next name is asked of.
    turn: usize,
    dice: Box<dyn FnMut() -> u16 + std::marker::Send>,
    counts: Counts,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Host,
    Service,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Resolver {
    /// `dice` throws the numbers of questions: whoever can guess them can answer in a server's
    /// name.
    pub fn new(settings: Settings, dice: Box<dyn FnMut() -> u16 + std::marker::Send>) -> Self {
        Self {
            settings,
            cache: Cache::default(),
            hunts: BTreeMap::new(),
            services: HashMap::new(),
            turn: 0,
            dice,
            counts: Counts::default(),
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether nothing is asked of name servers now.
    pub fn is_idle(&self) -> bool {
        self.hunts.is_empty()
    }

    /// Asks for the addresses of a host. Each question is answered once.
    pub fn ask(&mut self, now: Instant, ticket: Ticket, host: &str, out: &mut Vec<Action>) {
        self.seek(now, host, Target::Host, Waiting::Client(ticket), out);
    }

    /// Asks for a service (`service=NAME`) of a host.
    pub fn ask_service(
        &mut self,
        now: Instant,
        ticket: Ticket,
        (service, host): (&str, &str),
        out: &mut Vec<Action>,
    ) {
        let name = service::record_of(service, host);
        self.seek(now, &name, Target::Service, Waiting::Records(ticket), out);
    }

    fn seek(
        &mut self,
        now: Instant,
        name: &str,
        target: Target,
        who: Waiting,
        out: &mut Vec<Action>,
    ) {
        self.counts.asked += 1;
        let Some(name) = message::canonical(name) else {
            return self.tell(now, who, &Err(Failure::NotFound), now, out);
        };
        if target == Target::Host
            && let Some(known) = self.cache.host(now, &name)
        {
            self.counts.cached += 1;
            let outcome = Ok((known.what.to_vec(), Vec::new(), 0));
            let until = known.until;
            return self.tell(now, who, &outcome, until, out);
        }
        let patience = now + self.settings.timeout;
        let key = (name, target);
        if let Some(hunt) = self.hunts.get_mut(&key) {
            return hunt.waiting.push((patience, who));
        }
        if self.hunts.len() >= HUNTS {
            return self.tell(now, who, &Err(Failure::Server), now, out);
        }
        let kinds: &[Kind] = match target {
            Target::Service => &[Kind::Srv],
            Target::Host if !self.settings.ipv6 => &[Kind::A],
            Target::Host if !self.settings.ipv4 => &[Kind::Aaaa],
            Target::Host => &[Kind::A, Kind::Aaaa],
        };
        // Names take turns among the servers (watched).
        let server = self.turn % self.servers();
        self.turn = server + 1;
        let mut hunt = Hunt::new(now, Arc::clone(&key.0), kinds, server);
        hunt.waiting.push((patience, who));
        let sends = hunt.send(&mut *self.dice);
        self.hunts.insert(key, hunt);
        post(sends, out);
    }

    fn servers(&self) -> usize {
        self.settings.servers.len().max(1)
    }

    /// A server, the how-manieth of the config, has said something.
    pub fn receive(
        &mut self,
        now: Instant,
        (server, tcp): (usize, bool),
        bytes: &[u8],
        out: &mut Vec<Action>,
    ) {
        let Some(reply) = Reply::read(bytes) else {
            self.counts.ignored += 1;
            return;
        };
        let (all, dice) = (self.servers(), &mut *self.dice);
        let heard = self.hunts.iter_mut().find_map(|(key, hunt)| {
            match hunt.hear(now, (server, tcp), all, &reply, dice) {
                Heard::No => None,
                heard => Some((key.clone(), heard)),
            }
        });
        match heard {
            None => self.counts.ignored += 1,
            Some((key, Heard::Over(outcome))) => self.finish(now, &key, outcome, out),
            Some((key, Heard::On(sends))) => {
                if reply.is_format_error() {
                    let (id, name) = (reply.id, &key.0);
                    let failure = Failure::Format;
                    let text = format!("DNS error ({failure}), query id:{id}, name:\"{name}\"");
                    out.push(Action::Complain(text));
                }
                post(sends, out);
            }
            Some((_, Heard::No)) => {}
        }
    }

    /// A server can't be reached: nobody is there, or the connection ended without an answer.
    /// Whatever waits for it turns to the next one, if there is one that wasn't asked. (nginx lets
    /// its five seconds pass.)
    pub fn unreachable(&mut self, now: Instant, server: usize, out: &mut Vec<Action>) {
        let (all, dice) = (self.servers(), &mut *self.dice);
        for hunt in self.hunts.values_mut() {
            post(hunt.lose(now, server, all, dice), out);
        }
    }

    /// The latest moment for the next [`Resolver::expire`].
    pub fn deadline(&self) -> Option<Instant> {
        self.hunts.values().map(Hunt::deadline).min()
    }

    /// Asks again, and gives up, where it is time.
    pub fn expire(&mut self, now: Instant, out: &mut Vec<Action>) {
        let (all, dice) = (self.servers(), &mut *self.dice);
        let mut late = Vec::new();
        self.hunts.retain(|_, hunt| {
            if hunt.deadline() > now {
                return true;
            }
            late.extend(hunt.late(now));
            if hunt.waiting.is_empty() {
                return false;
            }
            post(hunt.remind(now, all, dice), out);
            true
        });
        for who in late {
            self.tell(now, who, &Err(Failure::TimedOut), now, out);
        }
    }

    fn finish(
        &mut self,
        now: Instant,
        key: &(Arc<str>, Target),
        outcome: Outcome,
        out: &mut Vec<Action>,
    ) {
        let Some(hunt) = self.hunts.remove(key) else { return };
        let valid = self.settings.valid;
        let until = now
            + match &outcome {
                Ok((.., ttl)) => valid.unwrap_or(Duration::from_secs((*ttl).into())),
                Err(Failure::NotFound) => valid.unwrap_or(LIFE_OF_NOTHING),
                Err(_) => Duration::ZERO,
            };
        // That a name isn't there is not remembered: nginx asks again for each session (watched).
        if let (Target::Host, Ok((addresses, ..))) = (key.1, &outcome) {
            self.cache.keep(now, &hunt.name, addresses.as_slice().into(), until);
        }
        for (_, who) in hunt.waiting {
            self.tell(now, who, &outcome, until, out);
        }
    }

    fn tell(
        &mut self,
        now: Instant,
        who: Waiting,
        outcome: &Outcome,
        until: Instant,
        out: &mut Vec<Action>,
    ) {
        match who {
            Waiting::Client(ticket) => {
                let what = outcome.as_ref().map(|(addresses, ..)| addresses.as_slice().into());
                let what = what.map_err(|failure| *failure);
                out.push(Action::Answer { ticket, answer: Found { what, until } });
            }
            Waiting::Records(ticket) => match outcome {
                Err(failure) => {
                    let found = Found { what: Err(*failure), until };
                    let places = Places { found, missing: Vec::new() };
                    out.push(Action::Service { ticket, places });
                }
                Ok((_, records, _)) => {
                    let service = Service::new(records.clone(), until);
                    let targets = service.targets();
                    self.services.insert(ticket, service);
                    for target in targets {
                        let who = Waiting::Target(ticket, Arc::clone(&target));
                        self.seek(now, &target, Target::Host, who, out);
                    }
                }
            },
            Waiting::Target(ticket, target) => {
                let Some(service) = self.services.get_mut(&ticket) else { return };
                let addresses = outcome.as_ref().map(|(addresses, ..)| addresses.clone());
                service.learn(target, addresses.map_err(|failure| *failure), until);
                if service.is_complete()
                    && let Some(service) = self.services.remove(&ticket)
                {
                    let places = service.places(now);
                    out.push(Action::Service { ticket, places });
                }
            }
        }
    }
}

fn post(sends: Vec<Send>, out: &mut Vec<Action>) {
    for Send { server, tcp, id, kind, name } in sends {
        // Names were checked when they were asked for; an alias that is no name gets no answer.
        if let Some(bytes) = message::question(id, kind, &name) {
            out.push(Action::Send { server, tcp, bytes });
        }
    }
}
