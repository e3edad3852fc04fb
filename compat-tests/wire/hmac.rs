//! `auth_hmac`: what keepalived 2.4.3 signed, and what must not pass.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use evenkeel::plan::Secret;
use evenkeel::plan::vrrp::VirtualRouter;
use evenkeel::plan::wire::{AntiReplay, Family, Hmac, HmacMode};
use evenkeel::vrrp::machine::{Action, Counter, Event, Machine, Received, State};
use evenkeel::vrrp::packet::Outgoing;
use evenkeel::vrrp::track::{Standing, Verdict};
use serde::Deserialize;

use super::{Fields, bytes, received, usual};

#[derive(Deserialize)]
struct Vectors {
    source: IpAddr,
    address: IpAddr,
    priority: u8,
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    version: u8,
    vrid: u8,
    interval_ms: u64,
    key_id: u8,
    /// In hex.
    key: String,
    seconds: u64,
    /// In 1/65536.
    fraction: u64,
    payload: String,
}

fn vectors() -> Vectors {
    toml::from_str(&std::fs::read_to_string("fixtures/wire/hmac.toml").unwrap()).unwrap()
}

fn hmac(id: u8, key: &[u8]) -> Hmac {
    Hmac {
        keys: BTreeMap::from([(id, Secret::new(key))]),
        active: id,
        anti_replay: AntiReplay::Time { window: Duration::from_secs(5) },
        mode: HmacMode::Enforce,
    }
}

/// Every recorded advert is written again at the time at which it was sent.
#[test]
fn trailers_are_those_of_keepalived() {
    let Vectors { source, address, priority, vector } = vectors();
    assert_eq!(vector.len(), 4);
    for it in vector {
        let mut router = super::router(
            &Fields {
                version: it.version,
                vrid: it.vrid,
                priority,
                interval_ms: it.interval_ms,
                addresses: vec![address],
                ..usual()
            },
            Family::V4.group(),
        );
        router.wire.hmac = Some(hmac(it.key_id, &bytes(&it.key)));
        let fraction = Duration::from_nanos((it.fraction * 1_000_000_000).div_ceil(1 << 16));
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(it.seconds) + fraction;
        let sent = Speaker::new(router.clone(), source).first(wall);
        assert_eq!(sent.payload, bytes(&it.payload), "vrid {}", it.vrid);
        // And accepted by a node that has the key.
        let mut listener = Speaker::new(router, [10, 250, 1, 66].into());
        assert_eq!(listener.hear(&sent, wall), None);
    }
}

/// The bytes as they were handed down: in version 2 with two zeros in front of the trailer.
#[test]
fn two_zeros_before_a_trailer_are_passed_over() {
    let at = wall(0.0);
    let padded = |version: u8, pad: &[u8]| {
        let fields = |priority| Fields { version, priority, ..usual() };
        let with = |priority| {
            let mut router = super::router(&fields(priority), Family::V4.group());
            router.wire.hmac = Some(hmac(2, KEY));
            router
        };
        let sent = Speaker::new(with(200), [10, 9, 0, 2].into()).first(at);
        let mut packet = received(&sent);
        let trailer = packet.pdu.len() - 28;
        packet.pdu.splice(trailer..trailer, pad.iter().copied());
        Speaker::new(with(100), [10, 9, 0, 1].into()).hear_received(packet, at)
    };
    assert_eq!(padded(2, &[0, 0]), None);
    assert_eq!(padded(2, &[0, 1]), Some(Counter::PacketLengthError));
    assert_eq!(padded(2, &[0]), Some(Counter::PacketLengthError));
    assert_eq!(padded(3, &[0, 0]), Some(Counter::PacketLengthError));
}

/// A machine with its two clocks.
struct Speaker {
    machine: Machine,
    now: Instant,
}

impl Speaker {
    fn new(router: VirtualRouter, primary: IpAddr) -> Speaker {
        let (mut machine, now, mut out) = (Machine::new(router), Instant::now(), Vec::new());
        machine.handle(now, Event::Interface { up: true, primary: Some(primary) }, &mut out);
        machine.handle(now, Event::Start, &mut out);
        Speaker { machine, now }
    }

    /// Its next advert, with the host's clock at `wall`.
    fn first(&mut self, wall: SystemTime) -> Outgoing {
        self.now = self.machine.deadline().unwrap();
        self.machine.tell_wall_clock(self.now, wall);
        let mut out = Vec::new();
        self.machine.handle(self.now, Event::Timeout, &mut out);
        assert_eq!(self.machine.state(), State::Active);
        let sent = out.into_iter().find_map(|action| match action {
            Action::Send(packet) => Some(packet),
            _ => None,
        });
        sent.unwrap()
    }

    /// Why an advert doesn't count.
    fn hear(&mut self, packet: &Outgoing, wall: SystemTime) -> Option<Counter> {
        self.hear_received(received(packet), wall)
    }

    fn hear_received(&mut self, packet: Received, wall: SystemTime) -> Option<Counter> {
        self.machine.tell_wall_clock(self.now, wall);
        let mut out = Vec::new();
        self.machine.handle(self.now, Event::Packet(packet), &mut out);
        let counters = out.into_iter().filter_map(|action| match action {
            Action::Count(counter) => Some(counter),
            _ => None,
        });
        let counters: Vec<Counter> = counters.collect();
        assert_eq!(counters.len(), 1, "{counters:?}");
        counters.first().copied().filter(|it| *it != Counter::AdvertReceived)
    }
}

const KEY: &[u8] = b"evenkeel-test-key-0123456789abcdef0123";
const OTHER: &[u8] = b"another key, thirty-two bytes long";

fn router(priority: u8, hmac: Option<Hmac>) -> VirtualRouter {
    let mut router = super::router(&Fields { priority, ..usual() }, Family::V4.group());
    router.wire.hmac = hmac;
    router
}

fn sender(hmac: Option<Hmac>) -> Speaker {
    Speaker::new(router(200, hmac), [10, 9, 0, 2].into())
}

fn listener(hmac: Option<Hmac>) -> Speaker {
    Speaker::new(router(100, hmac), [10, 9, 0, 1].into())
}

fn wall(seconds: f64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64(1_800_000_000.0 + seconds)
}

/// Each fault has its own statistic, and none lets an advert through.
#[test]
fn each_fault_is_refused_and_counted_on_its_own() {
    let good = || hmac(2, KEY);
    let sent = sender(Some(good())).first(wall(0.0));
    let trailer = sent.payload.len() - 28;
    let spoiled = |at: usize, to: u8| {
        let mut packet = received(&sent);
        packet.pdu[trailer + at] = to;
        packet
    };
    let heard = |packet, at| listener(Some(good())).hear_received(packet, wall(at));
    assert_eq!(heard(received(&sent), 0.0), None);
    assert_eq!(heard(spoiled(0, 2), 0.0), Some(Counter::AuthExtMalformed));
    assert_eq!(heard(spoiled(2, 1), 0.0), Some(Counter::AuthExtMalformed));
    assert_eq!(heard(spoiled(1, 3), 0.0), Some(Counter::AuthExtUnknownKey));
    assert_eq!(
        heard(spoiled(27, !sent.payload[trailer + 27]), 0.0),
        Some(Counter::AuthExtInvalidHmac)
    );
    assert_eq!(heard(received(&sent), 5.5), Some(Counter::AuthExtStale));
    assert_eq!(heard(received(&sent), -5.5), Some(Counter::AuthExtStale));
    assert_eq!(heard(received(&sent), 4.5), None);
    let unsigned = sender(None).first(wall(0.0));
    assert_eq!(heard(received(&unsigned), 0.0), Some(Counter::AuthExtMissing));
    let other = sender(Some(hmac(2, OTHER))).first(wall(0.0));
    assert_eq!(heard(received(&other), 0.0), Some(Counter::AuthExtInvalidHmac));
    // A trailer where none is expected, and half of one.
    assert_eq!(listener(None).hear(&sent, wall(0.0)), Some(Counter::PacketLengthError));
    let mut half = received(&sent);
    half.pdu.truncate(trailer + 14);
    assert_eq!(heard(half, 0.0), Some(Counter::PacketLengthError));
    // From somebody else's address.
    let mut moved = received(&sent);
    moved.source = [10, 9, 0, 3].into();
    assert_eq!(heard(moved, 0.0), Some(Counter::AuthExtInvalidHmac));
}

/// No advert counts twice, in both modes; a sender whose clock stands still counts on.
#[test]
fn a_replay_is_refused() {
    for anti_replay in [AntiReplay::Time { window: Duration::from_secs(5) }, AntiReplay::Monotonic]
    {
        let with = || Some(Hmac { anti_replay, ..hmac(2, KEY) });
        let (mut sender, mut listener) = (sender(with()), listener(with()));
        let first = sender.first(wall(0.0));
        let second = sender.first(wall(0.0));
        let back = sender.first(wall(-2.0));
        assert_ne!(first.payload, second.payload);
        assert_eq!(listener.hear(&first, wall(0.0)), None);
        assert_eq!(listener.hear(&first, wall(0.0)), Some(Counter::AuthExtReplay));
        assert_eq!(listener.hear(&second, wall(0.0)), None);
        assert_eq!(listener.hear(&first, wall(0.0)), Some(Counter::AuthExtReplay));
        // Its clock was set back: it grows all the same.
        assert_eq!(listener.hear(&back, wall(0.0)), None);
        // A day later.
        let late = sender.first(wall(86_400.0));
        let expected = match anti_replay {
            AntiReplay::Time { .. } => Some(Counter::AuthExtStale),
            AntiReplay::Monotonic => None,
        };
        assert_eq!(listener.hear(&late, wall(0.0)), expected);
    }
}

/// Permissive takes what isn't signed, but not what is signed wrongly; receive-only signs nothing.
#[test]
fn modes_sign_and_accept_as_named() {
    let with = |mode| Some(Hmac { mode, ..hmac(2, KEY) });
    let signs = |it| {
        sender(it).first(wall(0.0)).payload.len() > sender(None).first(wall(0.0)).payload.len()
    };
    assert!(signs(with(HmacMode::Enforce)));
    assert!(signs(with(HmacMode::Permissive)));
    assert!(!signs(with(HmacMode::ReceiveOnly)));
    let unsigned = sender(None).first(wall(0.0));
    let signed = sender(with(HmacMode::Enforce)).first(wall(0.0));
    let wrong = sender(Some(hmac(2, OTHER))).first(wall(0.0));
    for (mode, missing) in [
        (HmacMode::Enforce, Some(Counter::AuthExtMissing)),
        (HmacMode::Permissive, None),
        (HmacMode::ReceiveOnly, None),
    ] {
        assert_eq!(listener(with(mode)).hear(&unsigned, wall(0.0)), missing, "{mode:?}");
        assert_eq!(listener(with(mode)).hear(&signed, wall(0.0)), None, "{mode:?}");
        let refused = listener(with(mode)).hear(&wrong, wall(0.0));
        assert_eq!(refused, Some(Counter::AuthExtInvalidHmac), "{mode:?}");
    }
}

/// Keys are changed node by node: while both are known, both are accepted.
#[test]
fn keys_rotate_without_a_gap() {
    let both = |active| Hmac {
        keys: BTreeMap::from([(1, Secret::new(KEY)), (2, Secret::new(OTHER))]),
        active,
        ..hmac(1, KEY)
    };
    let mut sender = sender(Some(hmac(1, KEY)));
    let mut listener = listener(Some(both(1)));
    assert_eq!(listener.hear(&sender.first(wall(0.0)), wall(0.0)), None);
    for (step, keys) in [both(1), both(2), hmac(2, OTHER)].into_iter().enumerate() {
        let mut out = Vec::new();
        let fit = Verdict { priority: 200, standing: Standing::Fit };
        let reload = Event::Reconfigure(Box::new(router(200, Some(keys))), fit);
        sender.machine.handle(sender.now, reload, &mut out);
        assert_eq!(sender.machine.state(), State::Active, "no flap");
        let at = wall(1.0 + step as f64);
        assert_eq!(listener.hear(&sender.first(at), at), None, "step {step}");
    }
}
