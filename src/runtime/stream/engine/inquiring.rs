//! `ssl_ocsp`, between a client's handshake and the next stage.

use std::time::Instant;

use super::arriving::Passage;
use super::relaying::register;
use super::{Engine, Key};
use crate::plan::process::LogLevel;
use crate::proxy::message::{Doing, stream_level};
use crate::proxy::session::{Side, Status};
use crate::runtime::stream::tls::{Acceptor, Asked};

impl Engine {
    /// Goes on with what is asked about a client, as far as it gets. The time for the handshake is
    /// the time for this, too.
    pub(super) fn inquire(&mut self, now: Instant, key: Key, acceptor: &Acceptor) -> Passage {
        let Some(session) = self.sessions.at(key) else { return Passage::Wait };
        let channels = session.channels();
        let Some(mut inquiry) = channels.inquiry.take() else { return Passage::On };
        let Some(channel) = channels.of(Side::Client) else { return Passage::On };
        let mut lines = Vec::new();
        let asked = inquiry.go(channel.ssl(), &mut lines);
        for line in lines {
            // Those that name no responder are about the handshake.
            let doing =
                (!line.contains(", responder: ")).then_some(Doing::Handshaking(Side::Client));
            self.say(key, LogLevel::Error, doing, &line);
        }
        match asked {
            Asked::Passed => Passage::On,
            Asked::Refused(why) => {
                let doing = Some(Doing::Handshaking(Side::Client));
                let text = format!("client SSL certificate verify error: {why}");
                self.say(key, stream_level(Side::Client), doing, &text);
                Passage::Over(Status::Internal)
            }
            Asked::Wait(new) => {
                if let (true, Some(socket)) = (new, inquiry.socket())
                    && let Err(error) = register(&self.epoll, socket, key, Side::Upstream)
                {
                    self.break_off(key, &error);
                    return Passage::Wait;
                }
                if let Some(session) = self.sessions.at(key) {
                    session.channels().inquiry = Some(inquiry);
                }
                self.await_client(now, key, acceptor.plan.handshake_timeout)
            }
        }
    }
}
