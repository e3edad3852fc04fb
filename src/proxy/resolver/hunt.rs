//! The search for what one name stands for: a question per kind of record, asked of one server
//! after the other, and everybody who waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::{Kind, Reply, Said, Srv};
use super::{Failure, Ticket};

/// When the next server is asked (watched).
const RESEND: Duration = Duration::from_secs(5);

/// Aliases that are asked for one after the other.
const ALIASES: u8 = 16;

/// Who waits for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Client(Ticket),
    /// A service, for one of its targets.
    Target(Ticket, Arc<str>),
    /// A service, for its records.
    Records(Ticket),
}

/// What an ended hunt has found; the TTL is that of the answer that goes first.
pub(super) type Outcome = Result<(Vec<std::net::IpAddr>, Vec<Srv>, u32), Failure>;

#[derive(Debug)]
pub(super) struct Hunt {
    pub(super) name: Arc<str>,
    questions: Vec<Question>,
    server: usize,
    /// How many servers have been asked, the first one counted.
    asked: usize,
    resend: Instant,
    pub(super) waiting: Vec<(Instant, Waiting)>,
}

#[derive(Debug)]
struct Question {
    id: u16,
    kind: Kind,
    /// The alias that it has come to.
    name: Arc<str>,
    aliases: u8,
    tcp: bool,
    /// No more ids than these are expected, whatever is sent again.
    answer: Option<(Vec<std::net::IpAddr>, Vec<Srv>, u32)>,
}

/// What has to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Send {
    pub(super) server: usize,
    pub(super) tcp: bool,
    pub(super) id: u16,
    pub(super) kind: Kind,
    pub(super) name: Arc<str>,
}

/// What a reply means to a hunt.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// It isn't about this hunt.
    No,
    /// These are to be sent now; the hunt goes on.
    On(Vec<Send>),
    Over(Outcome),
}

impl Hunt {
    pub(super) fn new(now: Instant, name: Arc<str>, kinds: &[Kind], server: usize) -> Self {
        let question = |kind: &Kind| Question {
            id: 0,
            kind: *kind,
            name: Arc::clone(&name),
            aliases: 0,
            tcp: false,
            answer: None,
        };
        let questions = kinds.iter().map(question).collect();
        Self { name, questions, server, asked: 1, resend: now + RESEND, waiting: Vec::new() }
    }

    /// Sends what isn't answered yet, over UDP first.
    pub(super) fn send(&mut self, dice: &mut dyn FnMut() -> u16) -> Vec<Send> {
        let server = self.server;
        let open = self.questions.iter_mut().filter(|question| question.answer.is_none());
        open.map(|question| {
            (question.id, question.tcp) = (dice(), false);
            question.send(server)
        })
        .collect()
    }

    /// Turns to the next server, where `all` says how many there are.
    fn turn(&mut self, now: Instant, all: usize) {
        self.server = (self.server + 1) % all.max(1);
        self.asked += 1;
        self.resend = now + RESEND;
    }

    fn is_of(&self, server: usize, tcp: bool, reply: &Reply) -> Option<usize> {
        (self.server == server).then_some(())?;
        self.questions.iter().position(|question| {
            question.answer.is_none()
                && question.tcp == tcp
                && question.id == reply.id
                && reply.answers(question.kind, &question.name)
        })
    }

    /// A reply from this server has come in.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        (server, tcp): (usize, bool),
        all: usize,
        reply: &Reply,
        dice: &mut dyn FnMut() -> u16,
    ) -> Heard {
        let Some(at) = self.is_of(server, tcp, reply) else { return Heard::No };
        if reply.is_format_error() {
            // nginx says so in the log and waits on.
            return Heard::On(Vec::new());
        }
        let question = &mut self.questions[at];
        if reply.truncated && !tcp {
            (question.id, question.tcp) = (dice(), true);
            return Heard::On(vec![question.send(server)]);
        }
        let answer = match reply.says(question.kind, &question.name) {
            Said::Addresses(addresses, ttl) => (addresses, Vec::new(), ttl),
            Said::Services(services, ttl) => (Vec::new(), services, ttl),
            Said::Elsewhere(alias) => {
                if question.aliases == ALIASES {
                    return Heard::Over(Err(Failure::NotFound));
                }
                (question.name, question.aliases) = (alias, question.aliases + 1);
                (question.id, question.tcp) = (dice(), false);
                return Heard::On(vec![question.send(server)]);
            }
            // nginx leaves it at one server's word; another one may be in better health.
            Said::Failed(Failure::NotFound) => return Heard::Over(Err(Failure::NotFound)),
            Said::Failed(_) if self.asked < all => {
                self.turn(now, all);
                return Heard::On(self.send(dice));
            }
            Said::Failed(failure) => return Heard::Over(Err(failure)),
        };
        question.answer = Some(answer);
        if self.questions.iter().any(|question| question.answer.is_none()) {
            return Heard::On(Vec::new());
        }
        let (mut addresses, mut services, mut life) = (Vec::new(), Vec::new(), u32::MAX);
        for (more, records, ttl) in self.questions.drain(..).filter_map(|it| it.answer) {
            if !more.is_empty() || !records.is_empty() {
                life = life.min(ttl);
            }
            addresses.extend(more);
            services.extend(records);
        }
        if addresses.is_empty() && services.is_empty() {
            return Heard::Over(Err(Failure::NotFound));
        }
        Heard::Over(Ok((addresses, services, life)))
    }

    /// Nobody is there at this server, or it went away over TCP.
    pub(super) fn lose(
        &mut self,
        now: Instant,
        server: usize,
        all: usize,
        dice: &mut dyn FnMut() -> u16,
    ) -> Vec<Send> {
        if self.server != server || self.asked >= all {
            return Vec::new();
        }
        self.turn(now, all);
        self.send(dice)
    }

    /// It may be time to ask the next server.
    pub(super) fn remind(
        &mut self,
        now: Instant,
        all: usize,
        dice: &mut dyn FnMut() -> u16,
    ) -> Vec<Send> {
        if self.resend > now {
            return Vec::new();
        }
        self.turn(now, all);
        self.send(dice)
    }

    /// Those whose time is over.
    pub(super) fn late(&mut self, now: Instant) -> Vec<Waiting> {
        self.waiting.extract_if(.., |(until, _)| *until <= now).map(|(_, who)| who).collect()
    }

    pub(super) fn deadline(&self) -> Instant {
        let waiting = self.waiting.iter().map(|(until, _)| *until);
        waiting.fold(self.resend, Instant::min)
    }
}

impl Question {
    fn send(&self, server: usize) -> Send {
        let Self { id, kind, tcp, .. } = *self;
        Send { server, tcp, id, kind, name: Arc::clone(&self.name) }
    }
}
