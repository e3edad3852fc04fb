//! The adverts that this node sends.

use std::time::Instant;

use super::{Action, Actions, Counter, Machine, SHORTEST_INTERVAL};
use crate::plan::vrrp::Version;
use crate::plan::wire::Family;
use crate::vrrp::packet::{Advert, TTL, auth_data, auth_type};

impl Machine {
    /// Sends an advert and sets the time of the next one, without drift while in time.
    pub(super) fn send_advert(&mut self, now: Instant, out: &mut Actions) {
        self.send(now, self.priority(), out);
        let interval = self.router.advert_interval.max(SHORTEST_INTERVAL);
        let next = self.advert_at.filter(|due| *due <= now).map(|due| due + interval);
        self.advert_at = Some(next.filter(|next| *next > now).unwrap_or(now + interval));
    }

    pub(super) fn send(&mut self, now: Instant, priority: u8, out: &mut Actions) {
        let Some(source) = self.source().or(self.farewell_source) else { return };
        let router = &self.router;
        let version2 = router.version == Version::V2;
        let authentication = router.authentication.as_ref().filter(|_| version2);
        let family = router.family();
        let addresses = router.addresses.iter().map(|it| it.address);
        let advert = Advert {
            version: router.version,
            vrid: router.vrid,
            priority,
            interval: router.advert_interval,
            addresses: addresses.filter(|it| Family::of(*it) == family).collect(),
            auth: auth_type(authentication),
            auth_data: auth_data(authentication),
        };
        let peers = router
            .unicast
            .iter()
            .flat_map(|unicast| unicast.peers.iter().map(|peer| (peer.address, unicast.ttl)));
        let group = router.unicast.is_none().then_some((router.group, TTL));
        let destinations = peers.chain(group);
        let send = |packet| out.push(Action::Send(packet));
        self.ledger.write(now, router, &advert, source, destinations, send);
        out.push(Action::Count(Counter::AdvertSent));
    }

    /// Sends an advert out of turn; the next one is due an interval from now.
    pub(super) fn send_advert_now(&mut self, now: Instant, out: &mut Actions) {
        self.advert_at = None;
        self.send_advert(now, out);
    }

    /// Priority 0: the others needn't wait (RFC 3768, 6.4.3).
    pub(super) fn say_goodbye(&mut self, now: Instant, out: &mut Actions) {
        self.send(now, 0, out);
        out.push(Action::Count(Counter::PriorityZeroSent));
    }
}
