//! Packets: what the real keepalived sent and how it judged what it was sent, against our codec.
//!
//! `fixtures/wire/*.toml` holds recorded frames, `rejected.toml` the verdicts.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use evenkeel::plan::Secret;
use evenkeel::plan::vrrp::{Authentication, Version, VirtualRouter};
use evenkeel::vrrp::machine::{Counter, Received};
use evenkeel::vrrp::packet::{Advert, Expected, examine};
use serde::Deserialize;

use crate::node::{self, address};

const ETHERNET: usize = 14;
const IP: usize = 20;

#[derive(Deserialize)]
struct Frame {
    frame: String,
    advert: Option<Fields>,
}

#[derive(Deserialize)]
struct Fields {
    version: u8,
    vrid: u8,
    priority: u8,
    interval_ms: u64,
    addresses: Vec<Ipv4Addr>,
    password: Option<String>,
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

/// Every advert that the real one sent is read as its config was, and written again byte by byte.
#[test]
fn recorded_adverts_are_read_and_written_byte_by_byte() {
    let mut seen = BTreeSet::new();
    for (name, frame, fields) in recorded_adverts() {
        let (source, destination) = (address_at(&frame, 26), address_at(&frame, 30));
        let pdu = &frame[ETHERNET + IP..];
        let advert = Advert::parse(pdu).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let router = router(&fields);
        assert_eq!(advert.version, router.version, "{name}");
        assert_eq!(advert.vrid, fields.vrid, "{name}");
        assert_eq!(advert.priority, fields.priority, "{name}");
        assert_eq!(advert.interval, router.advert_interval, "{name}");
        assert_eq!(advert.addresses, fields.addresses, "{name}");
        assert_eq!(advert.encode(source, destination), pdu, "{name}");

        let packet = Received {
            source: IpAddr::V4(source),
            destination: IpAddr::V4(destination),
            ttl: frame[ETHERNET + 8],
            pdu: pdu.to_vec(),
        };
        let expected = Expected { router: &router, source: Some(Ipv4Addr::new(10, 9, 0, 2)) };
        assert_eq!(examine(&packet, expected).as_ref(), Ok(&advert), "{name}");
        seen.insert(name);
    }
    assert!(seen.len() >= 5, "{seen:?}");
}

/// A checksum notices every single flipped bit, whatever the field.
#[test]
fn no_flipped_bit_gets_through() {
    for (name, frame, fields) in recorded_adverts() {
        let router = router(&fields);
        let pdu = &frame[ETHERNET + IP..];
        for bit in 0..pdu.len() * 8 {
            let mut pdu = pdu.to_vec();
            pdu[bit / 8] ^= 1 << (bit % 8);
            let packet = Received {
                source: IpAddr::V4(address_at(&frame, 26)),
                destination: IpAddr::V4(address_at(&frame, 30)),
                ttl: 255,
                pdu,
            };
            let expected = Expected { router: &router, source: None };
            assert!(examine(&packet, expected).is_err(), "{name}, bit {bit}");
        }
    }
}

/// What the real one refuses, we refuse with the same words and count in its place.
#[test]
fn refused_packets_are_refused_for_the_same_reason() {
    let text = std::fs::read_to_string("fixtures/wire/rejected.toml").unwrap();
    let rejected: Rejected = toml::from_str(&text).unwrap();
    let router = router(&Fields {
        version: 2,
        vrid: 51,
        priority: 100,
        interval_ms: 1000,
        addresses: vec![Ipv4Addr::new(10, 9, 0, 100)],
        password: Some("1111".into()),
    });
    assert!(rejected.packet.len() > 30);
    for case in rejected.packet {
        let packet = Received {
            source: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)),
            destination: IpAddr::V4(router.group),
            ttl: case.ttl,
            pdu: bytes(&case.pdu),
        };
        let expected = Expected { router: &router, source: Some(Ipv4Addr::new(10, 9, 0, 1)) };
        let reject = examine(&packet, expected).expect_err(&case.what);
        assert_eq!(reject.message(&router), case.message, "{}", case.what);
        assert_eq!(reject.counter(), Some(case.counter), "{}", case.what);
    }
}

/// Our own packets, and those to a group that isn't ours, are nobody's fault.
#[test]
fn packets_that_are_not_for_us_are_not_counted() {
    for (_, frame, fields) in recorded_adverts() {
        let router = router(&fields);
        let source = address_at(&frame, 26);
        let received = |destination| Received {
            source: IpAddr::V4(source),
            destination: IpAddr::V4(destination),
            ttl: 255,
            pdu: frame[ETHERNET + IP..].to_vec(),
        };
        let own =
            examine(&received(router.group), Expected { router: &router, source: Some(source) });
        let other_group = examine(
            &received(Ipv4Addr::new(224, 0, 0, 19)),
            Expected { router: &router, source: None },
        );
        for verdict in [own, other_group] {
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
                let _ = Advert::parse(&pdu);
                let _ = Advert::vrid_of(&pdu);
            }
        }
    }
}

/// The password is not in what debugging prints.
#[test]
fn adverts_do_not_show_their_password() {
    for (name, frame, fields) in recorded_adverts() {
        let Some(password) = fields.password else { continue };
        let shown = format!("{:?}", Advert::parse(&frame[ETHERNET + IP..]).unwrap());
        let as_bytes = format!("{:?}", password.as_bytes());
        assert!(!shown.contains(&password), "{name}: {shown}");
        assert!(!shown.contains(as_bytes.trim_matches(['[', ']'])), "{name}: {shown}");
    }
}

fn recorded_adverts() -> Vec<(String, Vec<u8>, Fields)> {
    let mut adverts = Vec::new();
    for entry in std::fs::read_dir("fixtures/wire").unwrap() {
        let path = entry.unwrap().path();
        if path.file_name() == Some("rejected.toml".as_ref()) {
            continue;
        }
        let (bytes, fields) = frame(&path);
        if let Some(fields) = fields {
            adverts.push((path.display().to_string(), bytes, fields));
        }
    }
    adverts
}

fn frame(path: &Path) -> (Vec<u8>, Option<Fields>) {
    let frame: Frame = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    (bytes(&frame.frame), frame.advert)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn address_at(frame: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(frame[at], frame[at + 1], frame[at + 2], frame[at + 3])
}

fn router(fields: &Fields) -> VirtualRouter {
    let password = fields.password.as_ref();
    VirtualRouter {
        vrid: fields.vrid,
        version: if fields.version == 3 { Version::V3 } else { Version::V2 },
        advert_interval: Duration::from_millis(fields.interval_ms),
        authentication: password.map(|it| Authentication::Pass(Secret::new(it.as_bytes()))),
        addresses: fields.addresses.iter().map(|it| address(&it.to_string())).collect(),
        ..node::router()
    }
}
