//! Servers that share an address: a session begins at the default one, whose stages it goes through
//! up to the one in which the client has named another; everything from then on is that one's.

use std::sync::Arc;

use super::{Engine, Key, Phase, Session};
use crate::runtime::stream::choice::Chosen;
use crate::runtime::stream::service::Stage;
use crate::runtime::stream::tls::Acceptor;

impl Engine {
    /// The client has asked for `name` in the stage that the session is in.
    pub(super) fn choose(&mut self, key: Key, stage: Stage, name: &[u8]) {
        let Some(session) = self.sessions.at(key) else { return };
        let Some(record) = &mut session.record else { return };
        let front = Arc::clone(record.front.as_ref().unwrap_or(&session.entrance));
        let Some(choice) = &front.choice else { return };
        let Some((chosen, groups)) = choice.find(name) else { return };
        if let Some(groups) = groups {
            record.values.captures = groups.all;
            for (variable, group) in groups.named {
                record.values.assign(variable, group);
            }
        }
        let entrance = match chosen {
            Chosen::Front => Arc::clone(&front),
            Chosen::Other(entrance) => Arc::clone(entrance),
        };
        entrance.adopt(&session.client, &session.entrance);
        let at = entrance.stages.partition_point(|it| *it < stage);
        session.entrance = entrance;
        record.front = Some(front);
        session.phase = Phase::Arriving { stage: at, waits: false };
    }
}

impl Session {
    /// What the client's handshake is done with: the default server's, where the chosen one has no
    /// certificate.
    pub(super) fn acceptor(&self) -> Option<&Arc<Acceptor>> {
        let front = || self.record.as_ref()?.front.as_ref()?.acceptor.as_ref();
        self.entrance.acceptor.as_ref().or_else(front)
    }
}
