//! The way of a connection from accept to its content, by stages in nginx's order. Most servers
//! have none, and their sessions come to their content at once.

use std::sync::Arc;
use std::time::Instant;

use super::{Engine, Key, Phase};
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
    #[expect(dead_code, reason = "the first stage that waits is PROXY protocol's")]
    Wait,
    /// The session is over.
    #[expect(dead_code, reason = "the first stage that refuses is access's")]
    Over(Status),
}

impl Engine {
    /// Takes a session through the stages that are left, and to its content.
    pub(super) fn arrive(&mut self, now: Instant, key: Key) {
        loop {
            let Some(session) = self.sessions.at(key) else { return };
            let Phase::Arriving(at) = session.phase else { return };
            let Some(stage) = session.entrance.stages.get(at).copied() else {
                return self.content(now, key);
            };
            match self.stage(now, key, stage) {
                Passage::On => {
                    if let Some(session) = self.sessions.at(key) {
                        session.phase = Phase::Arriving(at + 1);
                    }
                }
                Passage::Wait => return,
                Passage::Over(status) => return self.close(key, status),
            }
        }
    }

    fn stage(&mut self, now: Instant, key: Key, stage: Stage) -> Passage {
        match stage {
            Stage::Set => self.assign(now, key),
        }
        Passage::On
    }

    fn content(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        if let Some(pool) = &session.entrance.pool {
            let pool = Arc::clone(pool);
            return self.seek(now, key, pool);
        }
        let entrance = Arc::clone(&session.entrance);
        match &entrance.server.content {
            Content::Return(text) => {
                let text = session.render(now, text);
                session.phase = Phase::Answering(text.into());
                self.answer(now, key);
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
        let text = Evaluator { variables, facts: &seen, values: &mut values }.render(text);
        record.values = values;
        self.record = Some(record);
        text
    }
}
