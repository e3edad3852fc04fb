//! The way of a connection from accept to its content, by stages in nginx's order. Most servers
//! have none, and their sessions come to their content at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Engine, Key, Phase};
use crate::plan::process::LogLevel;
use crate::plan::stream::Content;
use crate::plan::template::Template;
use crate::proxy::session::Status;
use crate::proxy::variable::Evaluator;
use crate::runtime::stream::record::Seen;
use crate::runtime::stream::service::Stage;
use crate::runtime::stream::session::Session;

/// How a stage ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// On to the next one.
    On,
    /// It waits for more from the client: the session's next event, or its deadline, comes back to
    /// it.
    Wait,
    /// The session is over.
    Over(Status),
}

impl Engine {
    /// Takes a session through the stages that are left, and to its content.
    pub(super) fn arrive(&mut self, now: Instant, key: Key) {
        loop {
            let Some(session) = self.sessions.at(key) else { return };
            let Phase::Arriving { stage: at, .. } = session.phase else { return };
            let Some(stage) = session.entrance.stages.get(at).copied() else {
                return self.content(now, key);
            };
            match self.stage(now, key, stage) {
                Passage::On => {
                    if let Some(session) = self.sessions.at(key) {
                        // It may be at another server by now, which has stages of its own.
                        let next = session.entrance.stages.partition_point(|it| *it <= stage);
                        session.phase = Phase::Arriving { stage: next, waits: false };
                    }
                }
                Passage::Wait => return,
                Passage::Over(status) => return self.close(key, status),
            }
        }
    }

    fn stage(&mut self, now: Instant, key: Key, stage: Stage) -> Passage {
        match stage {
            Stage::Header => return self.read_header(now, key),
            Stage::RealIp => self.believe(key),
            Stage::Set => self.assign(now, key),
            Stage::Tls => return self.secure(now, key),
            // Datagrams aren't a stream that one could look ahead in.
            Stage::Preread if self.sessions.at(key).is_some_and(|it| it.client.is_shared()) => {}
            Stage::Limit => return self.count(now, key),
            Stage::Access => return self.check_access(key),
            Stage::Preread => return self.preread(now, key),
        }
        Passage::On
    }

    /// The client has `timeout` from now for what a stage needs; how often the stage comes back for
    /// it doesn't matter.
    pub(super) fn await_client(&mut self, now: Instant, key: Key, timeout: Duration) -> Passage {
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let Phase::Arriving { waits, .. } = &mut session.phase else { return Passage::Wait };
        let (begun, watched) = (std::mem::replace(waits, true), session.watched);
        if !begun {
            self.extend(now, key, timeout);
        }
        if !watched && let Err(error) = self.watch(key) {
            self.break_off(key, &error);
        }
        Passage::Wait
    }

    /// The client has had its time.
    pub(super) fn arrive_late(&mut self, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let Phase::Arriving { stage, .. } = session.phase else { return };
        match session.entrance.stages.get(stage) {
            Some(Stage::Header) => self.header_is_late(key),
            // nginx says nothing (1.22, watched).
            Some(Stage::Tls) => self.close(key, Status::Internal),
            _ => self.close(key, Status::Ok),
        }
    }

    fn content(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        if let Some(pool) = &session.entrance.pool {
            let pool = pool.current();
            return self.seek(now, key, pool);
        }
        let entrance = Arc::clone(&session.entrance);
        match &entrance.server.content {
            Content::Return(text) => {
                let text = session.render(now, text);
                session.phase = Phase::Answering(text.into());
                self.answer(now, key);
            }
            Content::Pass(address) => {
                let address = session.render(now, address);
                self.hand_over(now, key, &address);
            }
            Content::Proxy(target) => {
                let target = session.render(now, target);
                self.seek_by_name(now, key, &target);
            }
            // It has a pool.
            Content::Upstream(_) => {}
        }
    }

    /// `set`, in the order of the config.
    fn assign(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let entrance = Arc::clone(&session.entrance);
        for (variable, text) in &entrance.server.sets {
            let value = session.render(now, text);
            if let Some(record) = &mut session.record {
                record.values.assign(*variable, value.into());
            }
        }
    }
}

impl Session {
    /// Fills in a text; only sessions with a record have texts to fill in.
    pub(super) fn render(&mut self, now: Instant, text: &Template) -> Vec<u8> {
        let Some(mut record) = self.record.take() else { return Vec::new() };
        let mut values = std::mem::take(&mut record.values);
        let seen = Seen { session: self, record: &record, now, status: None };
        let variables = &self.entrance.variables;
        let text = Evaluator::new(variables, &seen, &mut values).render(text);
        for name in values.cycles.drain(..) {
            let (client, server) = (&self.from, &self.entrance.name);
            let text = format_args!(
                "cycle while evaluating variable \"{name}\", client: {client}, server: {server}"
            );
            self.entrance.log.write(LogLevel::Error, Some(self.number), text);
        }
        record.values = values;
        self.record = Some(record);
        text
    }
}
