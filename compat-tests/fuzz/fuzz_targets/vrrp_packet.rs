//! Packets of any bytes: read or refused, and never able to stop a virtual router or its timers.
#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use evenkeel::plan::Secret;
use evenkeel::plan::vrrp::{Authentication, InitialState, Version, VirtualRouter};
use evenkeel::plan::wire::{AntiReplay, Checksum, Family, Hmac, HmacMode};
use evenkeel::vrrp::machine::{Event, Machine, Received};
use evenkeel::vrrp::packet::{Advert, Ledger, PROTOCOL, vrid_of};
use libfuzzer_sys::fuzz_target;

// The first byte, from the lowest bit on: version, whether the packets' checksums and digests are
// made right, family, two bits of authentication, whether addresses of a known sender are
// compared, whether the checksum covers a pseudo header. Then packets: a byte of length, a byte of
// quarter seconds since the last one, the PDU.
fuzz_target!(|data: &[u8]| {
    let Some((&mode, mut rest)) = data.split_first() else { return };
    let router = router(mode);
    let family = router.family();
    let (source, own): (IpAddr, IpAddr) = match family {
        Family::V4 => ([10, 9, 0, 2].into(), [10, 9, 0, 1].into()),
        Family::V6 => ("fe80::2".parse().unwrap(), "fe80::1".parse().unwrap()),
    };
    let mut machine = Machine::new(router.clone());
    let mut theirs = Ledger::default();
    let mut out = Vec::new();
    let mut now = Instant::now();
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    theirs.tell_wall_clock(now, wall);
    machine.tell_wall_clock(now, wall);
    machine.handle(now, Event::Interface { up: true, primary: Some(own) }, &mut out);
    machine.handle(now, Event::Start, &mut out);
    while let [length, wait, tail @ ..] = rest {
        let (pdu, tail) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = tail;
        let until = now + Duration::from_millis(250) * u32::from(*wait);
        while let Some(deadline) = machine.deadline().filter(|deadline| *deadline <= until) {
            now = now.max(deadline);
            machine.handle(now, Event::Timeout, &mut out);
            assert!(machine.deadline().is_none_or(|next| next > now));
            out.clear();
        }
        now = until;
        let destination = router.group;
        let mut packet =
            Received { source, destination, ttl: 255, identification: 0, pdu: pdu.to_vec() };
        if let Ok(advert) = Advert::parse(pdu, family) {
            let written = advert.encode(source, destination);
            assert_eq!(Advert::parse(&written, family).unwrap(), advert);
            if mode & 2 == 0 {
                let to = std::iter::once((destination, 255));
                theirs.write(now, &router, &advert, source, to, |sent| {
                    (packet.pdu, packet.identification) = (sent.payload, sent.identification);
                });
            }
        }
        for protocol in [PROTOCOL, 51] {
            let _ = vrid_of(protocol, &packet.pdu, family);
        }
        machine.handle(now, Event::Packet(packet), &mut out);
        assert!(machine.deadline().is_some());
    }
});

fn router(mode: u8) -> VirtualRouter {
    let mut router = VirtualRouter {
        version: if mode & 1 == 0 { Version::V2 } else { Version::V3 },
        initial: InitialState::Master,
        preempt_delay: Duration::from_secs(2),
        ..VirtualRouter::new("VI_1", 51, "eth0")
    };
    if mode & 4 != 0 {
        router.group = Family::V6.group();
    }
    let key = || Secret::new("evenkeel-test-key-0123456789abcdef0123");
    match mode >> 3 & 3 {
        1 => router.authentication = Some(Authentication::Pass(Secret::new("1111"))),
        2 if mode & 5 == 0 => router.authentication = Some(Authentication::Header(key())),
        3 => {
            router.wire.hmac = Some(Hmac {
                keys: BTreeMap::from([(3, key())]),
                active: 3,
                anti_replay: AntiReplay::Monotonic,
                mode: HmacMode::Permissive,
            });
        }
        _ => {}
    }
    router.wire.trust_known_sender = mode & 32 != 0;
    if mode & 64 != 0 {
        router.wire.checksum = Checksum::WithoutPseudoHeader;
    }
    router
}
