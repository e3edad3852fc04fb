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
    signed: Option<Box<Signed>>,
    /// Of the last advert that was accepted.
    pub(super) sender: Option<IpAddr>,
    /// Of the last advert that was sent (RFC 791).
    pub(super) identification: u16,
}

/// With `auth_hmac`.
#[derive(Clone, Debug, Default)]
struct Signed {
    /// The last stamp accepted, by sender. Only who has a key gets in here.
    heard: BTreeMap<IpAddr, Stamp>,
    /// The last one sent.
    sent: Option<Stamp>,
    wall: Option<(Instant, SystemTime)>,
}

impl Ledger {
    /// What the host's clock shows at `now`; to be told before anything with `auth_hmac`.
    pub fn tell_wall_clock(&mut self, now: Instant, wall: SystemTime) {
        self.signed.get_or_insert_default().wall = Some((now, wall));
    }

    pub(super) fn wall_clock(&self, now: Instant) -> SystemTime {
        let told = self.signed.as_ref().and_then(|signed| signed.wall);
        let Some((then, wall)) = told else { return SystemTime::UNIX_EPOCH };
        wall + now.saturating_duration_since(then)
    }

    /// The last stamp that was accepted from a sender.
    pub(super) fn heard_from(&self, source: IpAddr) -> Option<Stamp> {
        self.signed.as_ref()?.heard.get(&source).copied()
    }

    /// The last one that was sent.
    pub(super) fn sent(&self) -> Option<Stamp> {
        self.signed.as_ref()?.sent
    }

    pub(super) fn note_sent(&mut self, stamp: Stamp) {
        self.signed.get_or_insert_default().sent = Some(stamp);
    }

    /// The packet counts: what it teaches about the next ones.
    pub fn accept(&mut self, heard: &Heard, source: IpAddr) {
        self.old_checksum |= heard.old_checksum;
        self.sequence = heard.sequence.unwrap_or(self.sequence);
        if let Some(stamp) = heard.stamp {
            self.signed.get_or_insert_default().heard.insert(source, stamp);
        }
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
