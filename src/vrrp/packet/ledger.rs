//! What was heard and said before, as far as packets depend on it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use super::examine::Heard;
use super::trailer::Stamp;

/// Of one virtual router. Begins empty, also after a change of what is on the wire.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The peers compute version 3's checksum in keepalived's old way.
    pub(super) old_checksum: bool,
    /// `auth_type AH`: all nodes of a virtual router count on from the highest that they heard or
    /// sent. Over the end it begins anew, as keepalived's does.
    pub(super) sequence: u32,
    /// `auth_hmac`: the last one accepted, by sender. Only who has a key gets in here.
    pub(super) stamps: BTreeMap<IpAddr, Stamp>,
    /// `auth_hmac`: the last one sent.
    pub(super) sent: Option<Stamp>,
    /// Of the last advert that was accepted.
    pub(super) sender: Option<IpAddr>,
    /// Of the last advert that was sent (RFC 791).
    pub(super) identification: u16,
    wall: Option<(Instant, SystemTime)>,
}

impl Ledger {
    /// What the host's clock shows at `now`; to be told before anything with `auth_hmac`.
    pub fn tell_wall_clock(&mut self, now: Instant, wall: SystemTime) {
        self.wall = Some((now, wall));
    }

    pub(super) fn wall_clock(&self, now: Instant) -> SystemTime {
        let Some((then, wall)) = self.wall else { return SystemTime::UNIX_EPOCH };
        wall + now.saturating_duration_since(then)
    }

    /// The packet counts: what it teaches about the next ones.
    pub fn accept(&mut self, heard: &Heard, source: IpAddr) {
        self.old_checksum |= heard.old_checksum;
        self.sequence = heard.sequence.unwrap_or(self.sequence);
        self.stamps.extend(heard.stamp.map(|stamp| (source, stamp)));
        self.sender = Some(source);
    }

    /// Of the last advert that was accepted.
    pub fn sender(&self) -> Option<IpAddr> {
        self.sender
    }

    /// The addresses that adverts are to have may be others now.
    pub fn forget_sender(&mut self) {
        self.sender = None;
    }

    /// Other peers, maybe. Numbers and times go on: what was heard must not count again.
    pub fn begin_anew(&mut self) {
        self.forget_sender();
        self.old_checksum = false;
    }
}
