//! TLS of sessions: what a server ends and begins it with ([`endpoint`]), one connection of it
//! ([`channel`]), what variables tell of it ([`facts`]); [`contexts`] outlive reloads. [`zone`] is
//! what servers share of sessions, [`stapler`] and [`inquiry`] ask whether certificates are revoked.
//!
//! Plain sessions know nothing of all this: a session that has a channel has it in a box, and its
//! bytes go by [`super::relay`]'s own way for such sessions. Read [`channel`] next.

mod channel;
mod contexts;
mod endpoint;
mod facts;
mod inquiry;
mod pairs;
mod stapler;
mod zone;

pub(super) use channel::{Channel, Moved, Shake};
pub(super) use contexts::Contexts;
pub(super) use endpoint::{Acceptor, Connector, judge};
pub(super) use facts::fact;
pub(super) use inquiry::{Asked, Inquiry};
pub(super) use pairs::Named;

use crate::proxy::session::Side;

/// The channels of one session.
#[derive(Debug, Default)]
pub(super) struct Channels {
    by_side: [Option<Channel>; 2],
    /// What is being asked about the client, before it comes any further.
    pub(super) inquiry: Option<Box<Inquiry>>,
}

impl Channels {
    pub(super) fn of(&mut self, side: Side) -> Option<&mut Channel> {
        self.by_side[side as usize].as_mut()
    }

    pub(super) fn with(&self, side: Side) -> Option<&Channel> {
        self.by_side[side as usize].as_ref()
    }

    pub(super) fn set(&mut self, side: Side, channel: Option<Channel>) {
        self.by_side[side as usize] = channel;
    }

    /// Tells both sides that it is over.
    pub(super) fn finish(&mut self) {
        self.by_side.iter_mut().flatten().for_each(Channel::finish);
    }
}
