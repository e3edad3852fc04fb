//! From an advert to the bytes behind an IP header, for one destination.

use std::net::IpAddr;
use std::time::Instant;

use super::authentication_header::{self, AUTHENTICATION_HEADER, IpFacts};
use super::ledger::Ledger;
use super::trailer::{self, Stamp};
use super::{Advert, PROTOCOL};
use crate::plan::vrrp::{Authentication, VirtualRouter};
use crate::plan::wire::{Checksum, Family, HmacMode};

/// A packet to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    /// Or hop limit.
    pub ttl: u8,
    /// Of IPv4's header; never 0, which would let the kernel choose.
    pub identification: u16,
    /// What stands behind the IP header.
    pub payload: Vec<u8>,
}

impl Ledger {
    /// The packets of one advert, one for each destination: they share numbers and times. `send`
    /// gets each of them.
    pub fn write(
        &mut self,
        now: Instant,
        router: &VirtualRouter,
        advert: &Advert,
        source: IpAddr,
        destinations: impl Iterator<Item = (IpAddr, u8)>,
        mut send: impl FnMut(Outgoing),
    ) {
        self.identification = self.identification.checked_add(1).unwrap_or(1);
        if router.wire.hmac.is_some() {
            self.note_sent(Stamp::next(self.wall_clock(now), self.sent()));
        }
        if matches!(router.authentication, Some(Authentication::Header(_))) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        for (destination, ttl) in destinations {
            let pseudo = self.pseudo_header(router, source, destination);
            let pdu = advert.encode_covering(pseudo, router.family());
            let (protocol, payload) = self.secure(router, pdu, source, destination, ttl);
            let identification = self.identification;
            send(Outgoing { source, destination, protocol, ttl, identification, payload });
        }
    }

    /// Whose addresses the checksum of version 3 covers.
    fn pseudo_header(
        &self,
        router: &VirtualRouter,
        source: IpAddr,
        destination: IpAddr,
    ) -> Option<(IpAddr, IpAddr)> {
        let over_ipv4 = router.family() == Family::V4;
        match router.wire.checksum {
            Checksum::WithoutPseudoHeader if over_ipv4 => None,
            Checksum::Old if over_ipv4 => Some((source, router.group)),
            Checksum::Usual if self.old_checksum => Some((source, router.group)),
            _ => Some((source, destination)),
        }
    }

    /// With what authenticates it, as protocol and payload.
    fn secure(
        &self,
        router: &VirtualRouter,
        mut pdu: Vec<u8>,
        source: IpAddr,
        destination: IpAddr,
        ttl: u8,
    ) -> (u8, Vec<u8>) {
        if let Some(hmac) = &router.wire.hmac
            && hmac.mode != HmacMode::ReceiveOnly
        {
            let trailer = self.sent().and_then(|it| trailer::sign(&pdu, source, hmac, it));
            pdu.extend(trailer.unwrap_or_default());
        }
        match (&router.authentication, source, destination) {
            (Some(Authentication::Header(key)), IpAddr::V4(source), IpAddr::V4(destination)) => {
                let identification = self.identification;
                let ip = IpFacts { source, destination, identification, ttl };
                let payload = authentication_header::seal(&pdu, ip, self.sequence, key);
                (AUTHENTICATION_HEADER, payload)
            }
            _ => (PROTOCOL, pdu),
        }
    }
}
