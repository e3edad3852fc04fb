//! Packets of any bytes: read or refused, and never able to stop a virtual router or its timers.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use evenkeel::plan::vrrp::{InitialState, Version, VirtualRouter};
use evenkeel::vrrp::machine::{Event, Machine, Received};
use evenkeel::vrrp::packet::Advert;
use libfuzzer_sys::fuzz_target;

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

// The first byte: version, and what the checksum of the packets shall be. Then packets: a byte of
// length, a byte of quarter seconds since the last one, the PDU.
fuzz_target!(|data: &[u8]| {
    let Some((&mode, mut rest)) = data.split_first() else { return };
    let mut machine = Machine::new(router(if mode & 1 == 0 { Version::V2 } else { Version::V3 }));
    let mut out = Vec::new();
    let mut now = Instant::now();
    let primary = Some(Ipv4Addr::new(10, 9, 0, 1));
    machine.handle(now, Event::Interface { up: true, primary }, &mut out);
    machine.handle(now, Event::Start, &mut out);
    while let [length, wait, tail @ ..] = rest {
        let (pdu, tail) = tail.split_at(tail.len().min(usize::from(*length)));
        rest = tail;
        let mut pdu = pdu.to_vec();
        if let Ok(advert) = Advert::parse(&pdu) {
            let written = advert.encode(SOURCE, GROUP);
            assert_eq!(Advert::parse(&written).unwrap(), advert);
            if mode & 2 == 0 {
                pdu = written;
            }
        }
        let until = now + Duration::from_millis(250) * u32::from(*wait);
        while let Some(deadline) = machine.deadline().filter(|deadline| *deadline <= until) {
            now = now.max(deadline);
            machine.handle(now, Event::Timeout, &mut out);
            assert!(machine.deadline().is_none_or(|next| next > now));
            out.clear();
        }
        now = until;
        let (source, destination) = (IpAddr::V4(SOURCE), IpAddr::V4(GROUP));
        let packet = Received { source, destination, ttl: 255, pdu };
        machine.handle(now, Event::Packet(packet), &mut out);
        assert!(machine.deadline().is_some());
    }
});

fn router(version: Version) -> VirtualRouter {
    VirtualRouter {
        version,
        initial: InitialState::Master,
        preempt_delay: Duration::from_secs(2),
        ..VirtualRouter::new("VI_1", 51, "eth0")
    }
}
