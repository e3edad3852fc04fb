//! Packets: what the real keepalived sent and how it judged what it was sent, against our codec.
//!
//! `fixtures/wire/*.toml` holds recorded frames, `rejected*.toml` the verdicts, `hmac.toml` what
//! keepalived 2.4 signed (`wire/hmac.rs`).

mod hmac;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use evenkeel::plan::Secret;
use evenkeel::plan::vrrp::{Authentication, Peer, Unicast, Version, VirtualAddress, VirtualRouter};
use evenkeel::plan::wire::{Checksum, Family};
use evenkeel::vrrp::machine::{Action, Counter, Event, Machine, Received};
use evenkeel::vrrp::packet::{Advert, Expected, Ledger, Outgoing, examine};
use serde::Deserialize;

use crate::node;

const ETHERNET: usize = 14;

#[derive(Deserialize)]
struct Frame {
    frame: String,
    advert: Option<Fields>,
}

#[derive(Clone, Deserialize)]
struct Fields {
    version: u8,
    vrid: u8,
    priority: u8,
    interval_ms: u64,
    addresses: Vec<IpAddr>,
    password: Option<String>,
    /// `auth_type AH`
    key: Option<String>,
    /// `unicast_ttl`, where it is sent to a peer.
    unicast_ttl: Option<u8>,
    #[serde(default)]
    old_checksum: bool,
}

#[derive(Deserialize)]
struct Rejected {
    packet: Vec<RejectedPacket>,
}

#[derive(Deserialize)]
struct RejectedPacket {
    what: String,
    ttl: u8,
    pdu: String,
    message: String,
    counter: Counter,
}

/// Every advert that the real one sent is read as its config was, and written again byte by byte,
/// IP header included.
#[test]
fn recorded_adverts_are_read_and_written_byte_by_byte() {
    let mut seen = BTreeSet::new();
    for (name, packet, fields) in recorded_adverts() {
        let router = router(&fields, packet.destination);
        let now = Instant::now();
        let ledger = Ledger::default();
        let unheard = match packet.destination.is_multicast() {
            true => None,
            false => Some(packet.destination),
        };
        let expected = Expected { router: &router, source: unheard, ledger: &ledger };
        let heard = examine(now, &received(&packet), expected)
            .unwrap_or_else(|reject| panic!("{name}: {}", reject.message(&router)));
        let advert = heard.advert;
        assert_eq!(advert.version, router.version, "{name}");
        assert_eq!(advert.vrid, fields.vrid, "{name}");
        assert_eq!(advert.priority, fields.priority, "{name}");
        assert_eq!(advert.interval, router.advert_interval, "{name}");
        assert_eq!(advert.addresses, fields.addresses, "{name}");
        assert_eq!(heard.sequence, fields.key.as_ref().map(|_| 1), "{name}");

        let first = monologue(router, packet.source);
        assert_eq!(first, packet, "{name}");
        seen.insert(name);
    }
    assert!(seen.len() >= 14, "{seen:?}");
}

/// What this node says first when it becomes active alone, or last when that is what was recorded.
fn monologue(mut router: VirtualRouter, source: IpAddr) -> Outgoing {
    let ends = router.priority == 0;
    router.priority = router.priority.max(1);
    let mut machine = Machine::new(router);
    let (mut now, mut out) = (Instant::now(), Vec::new());
    machine.handle(now, Event::Interface { up: true, primary: Some(source) }, &mut out);
    machine.handle(now, Event::Start, &mut out);
    // The recorded goodbye came after two adverts.
    for _ in 0..if ends { 2 } else { 1 } {
        now = machine.deadline().unwrap();
        machine.handle(now, Event::Timeout, &mut out);
    }
    if ends {
        out.clear();
        machine.handle(now, Event::Shutdown, &mut out);
    }
    let sent = out.into_iter().find_map(|action| match action {
        Action::Send(packet) => Some(packet),
        _ => None,
    });
    sent.unwrap()
}

/// A checksum (over IPv4's authentication header a digest) notices every single flipped bit,
/// whatever the field.
#[test]
fn no_flipped_bit_gets_through() {
    for (name, packet, fields) in recorded_adverts() {
        let router = router(&fields, packet.destination);
        let source = Some(packet.destination).filter(|it| !it.is_multicast());
        for bit in 0..packet.payload.len() * 8 {
            let mut received = received(&packet);
            received.pdu[bit / 8] ^= 1 << (bit % 8);
            let ledger = Ledger::default();
            let expected = Expected { router: &router, source, ledger: &ledger };
            let verdict = examine(Instant::now(), &received, expected);
            // The length and reserved fields of an authentication header mean nothing to
            // keepalived either, but they are covered.
            assert!(verdict.is_err(), "{name}, bit {bit}");
        }
    }
}

/// What the real one refuses, we refuse with the same words and count in its place.
#[test]
fn refused_packets_are_refused_for_the_same_reason() {
    for (file, fields) in [
        ("rejected.toml", Fields { password: Some("1111".into()), ..usual() }),
        ("rejected-ah.toml", Fields { key: Some("secret".into()), ..usual() }),
        (
            "rejected-v6.toml",
            Fields { vrid: 61, addresses: vec!["fd00:9::61".parse().unwrap()], ..usual() },
        ),
    ] {
        let text = std::fs::read_to_string(Path::new("fixtures/wire").join(file)).unwrap();
        let rejected: Rejected = toml::from_str(&text).unwrap();
        let over_ipv6 = fields.addresses[0].is_ipv6();
        let family = if over_ipv6 { Family::V6 } else { Family::V4 };
        let router = router(&fields, family.group());
        let peer = if over_ipv6 { "fd00:9::2" } else { "10.9.0.2" };
        let own = if over_ipv6 { "fe80::ff:fe00:a" } else { "10.9.0.1" };
        assert!(rejected.packet.len() >= 7);
        for case in rejected.packet {
            let packet = Received {
                source: peer.parse().unwrap(),
                destination: router.group,
                ttl: case.ttl,
                identification: 7,
                pdu: bytes(&case.pdu),
            };
            let ledger = Ledger::default();
            let source = own.parse().ok();
            let expected = Expected { router: &router, source, ledger: &ledger };
            let reject = examine(Instant::now(), &packet, expected).expect_err(&case.what);
            assert_eq!(reject.message(&router), case.message, "{file}: {}", case.what);
            assert_eq!(reject.counter(), Some(case.counter), "{file}: {}", case.what);
        }
    }
}

fn usual() -> Fields {
    Fields {
        version: 2,
        vrid: 51,
        priority: 100,
        interval_ms: 1000,
        addresses: vec![IpAddr::from([10, 9, 0, 100])],
        password: None,
        key: None,
        unicast_ttl: None,
        old_checksum: false,
    }
}

/// `auth_type AH`: each number counts once, whoever sent it, also our own.
#[test]
fn a_replayed_authentication_header_is_refused() {
    let (_, packet, fields) =
        recorded_adverts().into_iter().find(|it| it.0.contains("v2-ah.toml")).unwrap();
    let mut machine = Machine::new(router(&fields, packet.destination));
    let (now, mut out) = (Instant::now(), Vec::new());
    let primary = Some(IpAddr::from([10, 9, 0, 2]));
    machine.handle(now, Event::Interface { up: true, primary }, &mut out);
    machine.handle(now, Event::Start, &mut out);
    out.clear();
    let counted = |out: &mut Vec<Action>, counter| {
        out.drain(..).filter(|it| *it == Action::Count(counter)).count()
    };
    machine.handle(now, Event::Packet(received(&packet)), &mut out);
    assert_eq!(counted(&mut out, Counter::AdvertReceived), 1);
    machine.handle(now, Event::Packet(received(&packet)), &mut out);
    assert_eq!(counted(&mut out, Counter::AuthFailure), 1);
    // Active by now, it counts on from there.
    machine.handle(machine.deadline().unwrap(), Event::Timeout, &mut out);
    let sent = out.iter().find_map(|action| match action {
        Action::Send(packet) => Some(packet.payload[8..12].to_vec()),
        _ => None,
    });
    assert_eq!(sent.unwrap(), [0, 0, 0, 2]);
}

/// A unicast peer with keepalived's old checksum of version 3 is heard, and answered in its way;
/// `never` keeps to the new one.
#[test]
fn an_old_checksum_is_answered_with_an_old_checksum() {
    let (_, packet, fields) =
        recorded_adverts().into_iter().find(|it| it.0.contains("v3-old-checksum")).unwrap();
    for (checksum, old_after) in [(Checksum::Usual, true), (Checksum::AlwaysNew, false)] {
        let mut router = router(&fields, packet.destination);
        router.wire.checksum = checksum;
        router.unicast.as_mut().unwrap().peers[0].address = packet.source;
        let mut machine = Machine::new(router);
        let (now, mut out) = (Instant::now(), Vec::new());
        let primary = Some(packet.destination);
        machine.handle(now, Event::Interface { up: true, primary }, &mut out);
        machine.handle(now, Event::Start, &mut out);
        machine.handle(now, Event::Packet(received(&packet)), &mut out);
        let learned = Action::Log(
            evenkeel::vrrp::machine::LogLevel::Info,
            "(VI_1) Setting unicast VRRPv3 checksum to old version".to_owned(),
        );
        assert_eq!(out.contains(&learned), old_after, "{out:?}");
        out.clear();
        machine.handle(machine.deadline().unwrap(), Event::Timeout, &mut out);
        let Some(Action::Send(sent)) = out.iter().find(|it| matches!(it, Action::Send(_))) else {
            panic!("nothing sent: {out:?}");
        };
        let advert = Advert::parse(&sent.payload, Family::V4).unwrap();
        let (new, group) = (advert.encode(sent.source, sent.destination), Family::V4.group());
        let old = advert.encode(sent.source, group);
        assert_eq!(sent.payload, if old_after { old } else { new });
    }
}

/// `v3_checksum_as_v2`: the PDU and nothing else, as RFC 9568 has it over IPv4.
#[test]
fn a_checksum_without_pseudo_header_is_written_and_wanted() {
    let group = Family::V4.group();
    let mut router = router(&Fields { version: 3, ..usual() }, group);
    let source = IpAddr::from([10, 9, 0, 2]);
    let usual = monologue(router.clone(), source);
    router.wire.checksum = Checksum::WithoutPseudoHeader;
    let bare = monologue(router.clone(), source);
    let advert = Advert::parse(&bare.payload, Family::V4).unwrap();
    assert_eq!(advert.encode_covering(None, Family::V4), bare.payload);
    assert_ne!(usual.payload, bare.payload);
    let ledger = Ledger::default();
    let expected = Expected { router: &router, source: None, ledger: &ledger };
    assert!(examine(Instant::now(), &received(&bare), expected).is_ok());
    assert!(examine(Instant::now(), &received(&usual), expected).is_err());
}

/// `skip_check_adv_addr`: the same sender's addresses are not compared a second time.
#[test]
fn a_known_sender_is_trusted_with_its_addresses() {
    let group = Family::V4.group();
    let (one, two) = (IpAddr::from([10, 9, 0, 2]), IpAddr::from([10, 9, 0, 3]));
    for trusting in [false, true] {
        let mut ours = router(&usual(), group);
        ours.wire.trust_known_sender = trusting;
        let mut machine = Machine::new(ours);
        let (now, mut out) = (Instant::now(), Vec::new());
        let primary = Some(IpAddr::from([10, 9, 0, 1]));
        machine.handle(now, Event::Interface { up: true, primary }, &mut out);
        machine.handle(now, Event::Start, &mut out);
        let mut accepts = |source, last| {
            let addresses = vec![IpAddr::from([10, 9, 0, last])];
            let theirs = router(&Fields { priority: 200, addresses, ..usual() }, group);
            out.clear();
            let packet = received(&monologue(theirs, source));
            machine.handle(now, Event::Packet(packet), &mut out);
            out.contains(&Action::Count(Counter::AdvertReceived))
        };
        assert!(accepts(one, 100));
        assert_eq!(accepts(one, 101), trusting);
        assert!(!accepts(two, 101), "another sender");
    }
}

/// Our own packets, and those to a group that isn't ours, are nobody's fault.
#[test]
fn packets_that_are_not_for_us_are_not_counted() {
    for (_, packet, fields) in recorded_adverts() {
        let router = router(&fields, packet.destination);
        let ledger = Ledger::default();
        let other = match Family::of(packet.source) {
            Family::V4 => IpAddr::from([224, 0, 0, 19]),
            Family::V6 => "ff02::13".parse().unwrap(),
        };
        for (destination, source) in
            [(packet.destination, Some(packet.source)), (other, Some(packet.destination))]
        {
            let received = Received { destination, ..received(&packet) };
            let expected = Expected { router: &router, source, ledger: &ledger };
            let verdict = examine(Instant::now(), &received, expected);
            assert_eq!(verdict.unwrap_err().counter(), None);
        }
    }
}

/// Lengths from nothing to too long, every first byte: an answer each time, and no panic.
#[test]
fn any_bytes_get_an_answer() {
    for length in 0..64 {
        for first in 0..=255u8 {
            for count in [0, 1, 2, 13, 255] {
                let mut pdu = vec![count; length];
                if let Some(byte) = pdu.first_mut() {
                    *byte = first;
                }
                for family in [Family::V4, Family::V6] {
                    let _ = Advert::parse(&pdu, family);
                    for protocol in [51, 112] {
                        let _ = evenkeel::vrrp::packet::vrid_of(protocol, &pdu, family);
                    }
                }
            }
        }
    }
}

/// The password is not in what debugging prints.
#[test]
fn adverts_do_not_show_their_password() {
    for (name, packet, fields) in recorded_adverts() {
        let Some(password) = fields.password else { continue };
        let advert = Advert::parse(&packet.payload, Family::of(packet.source)).unwrap();
        let shown = format!("{advert:?}");
        let as_bytes = format!("{:?}", password.as_bytes());
        assert!(!shown.contains(&password), "{name}: {shown}");
        assert!(!shown.contains(as_bytes.trim_matches(['[', ']'])), "{name}: {shown}");
    }
}

fn recorded_adverts() -> Vec<(String, Outgoing, Fields)> {
    let mut adverts = Vec::new();
    for entry in std::fs::read_dir("fixtures/wire").unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(Frame { frame, advert: Some(fields) }) = toml::from_str(&text) else { continue };
        adverts.push((path.display().to_string(), packet(&bytes(&frame)), fields));
    }
    adverts
}

/// What is in an Ethernet frame.
fn packet(frame: &[u8]) -> Outgoing {
    let ip = &frame[ETHERNET..];
    if ip[0] >> 4 == 4 {
        let address =
            |at: usize| IpAddr::from(Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]));
        return Outgoing {
            source: address(12),
            destination: address(16),
            protocol: ip[9],
            ttl: ip[8],
            identification: u16::from_be_bytes([ip[4], ip[5]]),
            payload: ip[20..].to_vec(),
        };
    }
    let address =
        |at: usize| IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).unwrap()));
    Outgoing {
        source: address(8),
        destination: address(24),
        protocol: ip[6],
        ttl: ip[7],
        // There is none; ours counts all the same.
        identification: 1,
        payload: ip[40..].to_vec(),
    }
}

fn received(packet: &Outgoing) -> Received {
    Received {
        source: packet.source,
        destination: packet.destination,
        ttl: packet.ttl,
        identification: packet.identification,
        pdu: packet.payload.clone(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn router(fields: &Fields, destination: IpAddr) -> VirtualRouter {
    let pass = fields.password.as_ref().map(|it| Authentication::Pass(Secret::new(it.clone())));
    let header = fields.key.as_ref().map(|it| Authentication::Header(Secret::new(it.clone())));
    let family = Family::of(destination);
    let unicast = (!destination.is_multicast()).then(|| Unicast {
        peers: vec![Peer { address: destination, min_ttl: 0, max_ttl: 255 }],
        ttl: fields.unicast_ttl.unwrap_or(255),
        check_source: false,
    });
    let group = if destination.is_multicast() { destination } else { family.group() };
    let address =
        |address: &IpAddr| VirtualAddress { address: *address, ..node::address("10.9.0.9") };
    let mut router = VirtualRouter {
        vrid: fields.vrid,
        priority: fields.priority,
        version: if fields.version == 2 { Version::V2 } else { Version::V3 },
        advert_interval: Duration::from_millis(fields.interval_ms),
        authentication: pass.or(header),
        addresses: fields.addresses.iter().map(address).collect(),
        unicast,
        group,
        ..node::router()
    };
    if fields.old_checksum {
        router.wire.checksum = Checksum::Old;
    }
    router
}
