//! The adverts that this node sends.

use std::net::IpAddr;
use std::time::Instant;

use super::{Action, Actions, Counter, Machine, SHORTEST_INTERVAL};
use crate::plan::vrrp::Version;
use crate::vrrp::packet::{Advert, TTL, auth_data, auth_type, ipv4};

impl Machine {
    /// Sends an advert and sets the time of the next one, without drift while in time.
    pub(super) fn send_advert(&mut self, now: Instant, out: &mut Actions) {
        self.send(self.priority(), out);
        let interval = self.router.advert_interval.max(SHORTEST_INTERVAL);
        let next = self.advert_at.filter(|due| *due <= now).map(|due| due + interval);
        self.advert_at = Some(next.filter(|next| *next > now).unwrap_or(now + interval));
    }

    pub(super) fn send(&self, priority: u8, out: &mut Actions) {
        let Some(source) = self.source() else { return };
        let version2 = self.router.version == Version::V2;
        let authentication = self.router.authentication.as_ref().filter(|_| version2);
        let advert = Advert {
            version: self.router.version,
            vrid: self.router.vrid,
            priority,
            interval: self.router.advert_interval,
            addresses: self.router.addresses.iter().filter_map(|it| ipv4(it.address)).collect(),
            auth: auth_type(authentication),
            auth_data: auth_data(authentication),
        };
        let mut send = |destination, ttl| {
            out.push(Action::Send {
                source: IpAddr::V4(source),
                destination: IpAddr::V4(destination),
                ttl,
                pdu: advert.encode(source, destination),
            });
        };
        match &self.router.unicast {
            None => send(self.router.group, TTL),
            Some(unicast) => unicast.peers.iter().for_each(|it| send(it.address, unicast.ttl)),
        }
        out.push(Action::Count(Counter::AdvertSent));
    }

    /// Sends an advert out of turn; the next one is due an interval from now.
    pub(super) fn send_advert_now(&mut self, now: Instant, out: &mut Actions) {
        self.advert_at = None;
        self.send_advert(now, out);
    }

    /// Priority 0: the others needn't wait (RFC 3768, 6.4.3).
    pub(super) fn say_goodbye(&self, out: &mut Actions) {
        self.send(0, out);
        out.push(Action::Count(Counter::PriorityZeroSent));
        self.debug(out, "sent 0 priority");
    }
}
