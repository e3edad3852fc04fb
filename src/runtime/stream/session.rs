//! One session as a worker holds it, and the table of them.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::conversation::Line;
use super::engine::Wish;
use super::pool::Pool;
use super::record::Record;
use super::relay::Flow;
use super::service::{Entrance, Stage};
use super::timers::Tick;
use super::tls::{Channel, Channels};
use crate::plan::process::LogLevel;
use crate::proxy::balancer::Lease;
use crate::proxy::message::{Client, Context, Doing, Traffic, WithPort};
use crate::proxy::session::{Dialing, Side};

/// A client's connection with what became of it.
#[derive(Debug)]
pub(super) struct Session {
    /// What its log lines begin with.
    pub(super) number: u64,
    pub(super) client: Line,
    pub(super) from: Client,
    pub(super) entrance: Arc<Entrance>,
    /// Number of the generation it came in by.
    pub(super) generation: u32,
    /// Whether events of the client's descriptor are heard of.
    pub(super) watched: bool,
    pub(super) upstream: Option<OwnedFd>,
    /// The upstream that its peer is of.
    pub(super) pool: Option<Arc<Pool>>,
    /// The peer it uses.
    pub(super) lease: Option<Lease>,
    pub(super) record: Option<Box<Record>>,
    /// Where a side has TLS.
    pub(super) tls: Option<Box<Channels>>,
    pub(super) phase: Phase,
    /// When it has been idle, or dialing, for too long.
    pub(super) deadline: Tick,
    /// Its entry in the timers: never later than `deadline`.
    pub(super) timer: Tick,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Before its content: the place in [`Entrance::stages`], and whether that stage has begun to
    /// wait.
    Arriving {
        stage: usize,
        waits: bool,
    },
    /// A host's addresses are waited for.
    Naming(Box<Wish>),
    Dialing(Box<Dialing>),
    Relaying(Flow),
    /// The same with datagrams.
    Exchanging,
    /// `return`: what the client hasn't taken yet.
    Answering(Box<[u8]>),
    /// Between two phases.
    Turning,
}

impl Session {
    pub(super) fn channels(&mut self) -> &mut Channels {
        self.tls.get_or_insert_default()
    }

    pub(super) fn channel(&mut self, side: Side) -> Option<&mut Channel> {
        self.tls.as_mut()?.of(side)
    }

    /// What the log says when it has come in, or is passed to another listener.
    pub(super) fn note_arrival(&self) {
        let log = &self.entrance.log;
        if log.wants(LogLevel::Info) {
            let udp = if self.client.is_shared() { "udp " } else { "" };
            let (from, to) = (WithPort(self.from), &self.entrance.name);
            let text = format_args!("{udp}client {from} connected to {to}");
            log.write(LogLevel::Info, Some(self.number), text);
        }
    }

    /// What the log says that it does when a connection to a peer fails later than at once: nginx
    /// is about to proxy already, at its first attempt, where the client has been read from.
    pub(super) fn doing_while_dialing(&self) -> Doing {
        let first = matches!(&self.phase, Phase::Dialing(dialing) if dialing.is_first());
        let read = |stage: &Stage| matches!(stage, Stage::Header | Stage::Tls);
        match first && self.entrance.stages.iter().any(read) {
            true => Doing::Proxying,
            false => Doing::Connecting,
        }
    }

    /// What the log says about it while it is `doing` something.
    pub(super) fn context(&self, doing: Doing) -> Context<'_> {
        let upstream = match (&self.pool, &self.lease) {
            (Some(pool), Some(lease)) => Some(&*pool.shown[lease.peer()]),
            (Some(pool), None) => Some(pool.upstream.name.as_str()),
            (None, _) => None,
        };
        let traffic = self.traffic();
        let udp = self.client.is_shared();
        let (client, server) = (self.from, &*self.entrance.name);
        Context { doing, udp, client, server, upstream, traffic }
    }

    pub(super) fn traffic(&self) -> Traffic {
        if let Line::Shared(conversation) = &self.client {
            return Traffic::from(&conversation.flow);
        }
        let Phase::Relaying(flow) = &self.phase else { return Traffic::default() };
        let traffic = Traffic::from(&flow.relay);
        match &self.record {
            Some(record) => traffic.without(record.peeked),
            None => traffic,
        }
    }
}

/// A session's place in its worker's table. The turn tells a place's tenants apart, so that an
/// event which is late finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) place: u32,
    pub(super) turn: u32,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    turn: u32,
    session: Option<Session>,
}

impl Sessions {
    pub(super) fn insert(&mut self, session: Session) -> Key {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { turn: 0, session: None });
            self.places.len() as u32 - 1
        });
        let slot = &mut self.places[place as usize];
        slot.session = Some(session);
        Key { place, turn: slot.turn }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Session> {
        self.at(key)?;
        let slot = &mut self.places[key.place as usize];
        slot.turn = slot.turn.wrapping_add(1) & Key::TURNS;
        self.free.push(key.place);
        slot.session.take()
    }

    pub(super) fn at(&mut self, key: Key) -> Option<&mut Session> {
        let slot = self.places.get_mut(key.place as usize)?;
        if slot.turn == key.turn { slot.session.as_mut() } else { None }
    }

    /// Whoever is at a place now.
    pub(super) fn tenant(&self, place: u32) -> Option<Key> {
        let slot = self.places.get(place as usize)?;
        slot.session.as_ref().map(|_| Key { place, turn: slot.turn })
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        self.older_than(u32::MAX)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Sessions of generations before this one.
    pub(super) fn older_than(&self, generation: u32) -> Vec<Key> {
        let old = self.places.iter().enumerate().filter_map(|(place, slot)| {
            let session = slot.session.as_ref()?;
            (session.generation < generation)
                .then_some(Key { place: place as u32, turn: slot.turn })
        });
        old.collect()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Session> + '_ {
        self.free.clear();
        self.places.drain(..).filter_map(|slot| slot.session)
    }
}

impl Key {
    /// Turns count up to here, then begin again: an epoll token has room for 31 bits.
    const TURNS: u32 = (1 << 31) - 1;
}
