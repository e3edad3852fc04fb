//! Adverts to single hosts: elections, what goes over the wire, and who is heard.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use evenkeel::kernel::raw::{Letter, Sender};
use evenkeel::plan::vrrp::Version;
use evenkeel::vrrp::packet::{Advert, AuthType, PROTOCOL};

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, stays, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::wire::frames;
use super::{PATIENCE, Pair, SECOND_VIP, VIP, config, life_of_a_pair_by};

const A: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 122);
const B: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 123);
const C: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 124);

fn to(peers: &str) -> String {
    format!("    unicast_peer {{\n        {peers}\n    }}\n")
}

/// One says where it sends from, the other leaves it to the interface.
fn life(makers: [Maker; 2]) {
    let high =
        config("MASTER", 100, &(format!("    unicast_src_ip {A}\n") + &to("192.168.80.123")));
    let low = config("BACKUP", 90, &to("192.168.80.122 min_ttl 255"));
    life_of_a_pair_by(makers, high, low);
}

#[test]
fn evenkeel_as_master_of_keepalived() {
    life([Evenkeel, Debian]);
}

#[test]
fn evenkeel_as_backup_of_keepalived() {
    life([Debian, Evenkeel]);
}

/// What one says to two peers, until its end.
fn monologue(maker: Maker) -> BTreeSet<Vec<u8>> {
    let bed = Bed::new(3);
    let host = &bed.hosts[0];
    let file = bed.path("wire.pcap");
    let capture = host.capture(&file);
    let more = to(&format!("{B}\n        {C}")) + "    unicast_ttl 7\n";
    let daemon = Daemon::start(&bed, host, maker, &config("MASTER", 100, &more));
    wait_until("master", PATIENCE, || host.holds(VIP));
    std::thread::sleep(Duration::from_millis(1500));
    assert!(is_clean(daemon.stop()));
    std::thread::sleep(Duration::from_millis(300));
    drop(capture);
    let frames = frames(&std::fs::read(&file).unwrap());
    let adverts = frames.into_iter().filter(|it| it[12..14] == [8, 0] && it[23] == PROTOCOL);
    let bare = |mut frame: Vec<u8>| {
        // The identification is a choice, and the header's checksum follows from it.
        frame[18..20].fill(0);
        frame[24..26].fill(0);
        frame
    };
    adverts.map(bare).collect()
}

#[test]
fn every_peer_gets_the_same_bytes() {
    let (real, ours) = (monologue(Debian), monologue(Evenkeel));
    assert_eq!(ours, real);
    // To each an advert and a goodbye, and nothing to the group.
    assert_eq!(ours.len(), 4);
    let destinations: BTreeSet<&[u8]> = ours.iter().map(|it| &it[30..34]).collect();
    assert_eq!(destinations, BTreeSet::from([&B.octets()[..], &C.octets()[..]]));
    assert!(ours.iter().all(|it| it[22] == 7), "the TTL");
}

/// An advert of the highest priority, as from any node of this cluster.
fn claim(pair: &Pair, source: Ipv4Addr, ttl: u8) {
    pair.b().on(move || {
        let mut auth_data = [0; 8];
        auth_data[..4].copy_from_slice(b"1111");
        let advert = Advert {
            version: Version::V2,
            vrid: 51,
            priority: 254,
            interval: Duration::from_secs(1),
            addresses: vec![VIP.into(), SECOND_VIP.into()],
            auth: AuthType::Pass,
            auth_data,
        };
        let (source, destination) = (source.into(), A.into());
        let payload = &advert.encode(source, destination);
        let sender = Sender::open("eth0", 0, destination).unwrap();
        let (protocol, identification) = (PROTOCOL, 0);
        sender
            .send(Letter { source, destination, protocol, ttl, identification, payload })
            .unwrap();
    });
}

/// Without `check_unicast_src` keepalived hears anybody, however far; with it, or with a range of
/// TTLs, only peers.
fn hears(maker: Maker) {
    let stranger = Ipv4Addr::new(192, 168, 80, 77);
    let pair = Pair::new([maker, maker]);
    let unseated = |daemon: &Daemon| daemon.log().contains("with higher priority 254, ours 100");
    let start = |more: &str| {
        let daemon = pair.start_a(&config("MASTER", 100, more));
        wait_until("master", PATIENCE, || pair.a().holds(VIP));
        daemon
    };

    let open = start(&to("192.168.80.123"));
    claim(&pair, stranger, 3);
    wait_until("anybody is heard", PATIENCE, || unseated(&open));
    assert!(is_clean(open.stop()));

    let refusing = [
        (
            "    check_unicast_src\n",
            "192.168.80.124",
            B,
            255,
            "unicast source address 192.168.80.123 not a unicast peer",
        ),
        (
            "",
            "192.168.80.124 min_ttl 1",
            B,
            255,
            "unicast source address 192.168.80.123 not a unicast peer",
        ),
        ("", "192.168.80.123 min_ttl 10 max_ttl 64", B, 9, "TTL/HL 9 not in range 10 - 64"),
        ("", "192.168.80.123 max_ttl 64", B, 65, "TTL/HL 65 not in range 0 - 64"),
    ];
    for (more, peers, source, ttl, line) in refusing {
        // The log goes on from daemon to daemon.
        let _ = std::fs::remove_file(pair.bed.path(&format!("a-{maker:?}.log")));
        let daemon = start(&(to(peers) + more));
        claim(&pair, source, ttl);
        let line = format!("(VI_1) {line}");
        wait_until(&line, PATIENCE, || daemon.log().contains(&line));
        stays("master", Duration::from_millis(500), || pair.a().holds(VIP) && !unseated(&daemon));
        claim(&pair, if peers.contains("124") { C } else { B }, 64);
        wait_until("a peer is heard", PATIENCE, || unseated(&daemon));
        assert!(is_clean(daemon.stop()));
    }
}

#[test]
fn who_is_heard_is_as_with_keepalived() {
    hears(Debian);
    hears(Evenkeel);
}

/// Where answers would go to an address that isn't there, it takes no part; until it is there.
#[test]
fn without_its_source_address_it_is_a_fault() {
    for maker in [Debian, Evenkeel] {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        let more = "    unicast_src_ip 192.168.80.200\n".to_owned() + &to("192.168.80.123");
        let daemon = Daemon::start(&bed, host, maker, &config("MASTER", 100, &more));
        let line = "(VI_1): entering FAULT state (src address not configured)";
        wait_until(line, PATIENCE, || daemon.log().contains(line));
        stays("no master", Duration::from_secs(5), || !host.holds(VIP));
        if maker == Evenkeel {
            host.ip("addr add 192.168.80.200/24 dev eth0");
            wait_until("master", PATIENCE, || host.holds(VIP));
            host.ip("addr del 192.168.80.200/24 dev eth0");
            wait_until("no master any more", PATIENCE, || !host.holds(VIP));
        }
        assert!(is_clean(daemon.stop()));
    }
}

/// A reload to other peers is no reason to let go; one from multicast to unicast begins anew.
#[test]
fn peers_change_with_a_reload() {
    let pair = Pair::new([Evenkeel, Debian]);
    let a = pair.start_a(&config("MASTER", 100, &to("192.168.80.124")));
    wait_until("master", PATIENCE, || pair.a().holds(VIP));
    a.reconfigure(&config("MASTER", 100, &to("192.168.80.123")));
    a.signal("HUP");
    let b = pair.start_b(&config("BACKUP", 90, &to("192.168.80.122")));
    stays("one master", Duration::from_secs(6), || pair.only_a());
    b.reconfigure(&config("BACKUP", 90, ""));
    b.signal("HUP");
    a.reconfigure(&config("MASTER", 100, ""));
    a.signal("HUP");
    wait_until("anew", PATIENCE, || a.log().matches("Entering MASTER STATE").count() == 2);
    pair.settle("by multicast, the higher priority holds the address", Pair::only_a);
    stays("one master", Duration::from_secs(2), || pair.only_a());
    assert!(is_clean(a.stop()));
    assert!(is_clean(b.stop()));
}
