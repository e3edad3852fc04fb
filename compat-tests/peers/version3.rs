//! VRRP version 3 over IPv4: elections, what goes over the wire, and whose interval counts.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::wire::{frames, without_choices};
use super::{PATIENCE, Pair, VIP, config, life_of_a_pair_by};

/// With a password, which this version doesn't know: it is left out with a warning.
fn v3(state: &str, priority: u8, more: &str) -> String {
    config(state, priority, &format!("    version 3\n{more}"))
}

fn peer(last: u8) -> String {
    format!("    unicast_peer {{\n        192.168.80.{last}\n    }}\n")
}

#[test]
fn evenkeel_as_master_of_keepalived() {
    life_of_a_pair_by([Evenkeel, Debian], v3("MASTER", 100, ""), v3("BACKUP", 90, ""));
}

#[test]
fn evenkeel_as_backup_of_keepalived() {
    life_of_a_pair_by([Debian, Evenkeel], v3("MASTER", 100, ""), v3("BACKUP", 90, ""));
}

#[test]
fn by_unicast_as_master_of_keepalived() {
    let (high, low) = (v3("MASTER", 100, &peer(123)), v3("BACKUP", 90, &peer(122)));
    life_of_a_pair_by([Evenkeel, Debian], high, low);
}

#[test]
fn by_unicast_as_backup_of_keepalived() {
    let (high, low) = (v3("MASTER", 100, &peer(123)), v3("BACKUP", 90, &peer(122)));
    life_of_a_pair_by([Debian, Evenkeel], high, low);
}

/// What one says from start to end.
fn monologue(maker: Maker, more: &str) -> BTreeSet<Vec<u8>> {
    let bed = Bed::new(2);
    let host = &bed.hosts[0];
    let file = bed.path("wire.pcap");
    let capture = host.capture(&file);
    let daemon = Daemon::start(&bed, host, maker, &v3("MASTER", 100, more));
    wait_until("master", PATIENCE, || host.holds(VIP));
    std::thread::sleep(Duration::from_millis(1500));
    let warning = "(VI_1) VRRP version 3 does not support authentication. Ignoring.";
    assert!(daemon.log().contains(warning), "{maker:?}: {}", daemon.log());
    assert!(is_clean(daemon.stop()));
    std::thread::sleep(Duration::from_millis(300));
    drop(capture);
    assert_valid(&file);
    let frames = frames(&std::fs::read(&file).unwrap());
    let adverts = frames.into_iter().filter(|it| it[12..14] == [8, 0] && it[23] == 112);
    adverts.map(without_choices).collect()
}

/// tshark finds every advert well-formed, with a good checksum.
fn assert_valid(file: &Path) {
    let output = Command::new("tshark")
        .args(["-r", file.to_str().unwrap(), "-Y", "vrrp && !icmp", "-T", "fields"])
        .args(["-E", "separator=;", "-e", "vrrp.version", "-e", "vrrp.virt_rtr_id"])
        .args(["-e", "vrrp.checksum.status", "-e", "ip.ttl", "-e", "ip.checksum.status"])
        .args(["-e", "_ws.malformed", "-o", "ip.check_checksum:TRUE"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.lines().count() > 2, "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in text.lines() {
        assert_eq!(line, "3;51;1;255;1;", "an advert as tshark reads it");
    }
}

#[test]
fn adverts_are_the_same_bytes() {
    for more in ["    advert_int 0.25\n".to_owned(), peer(123)] {
        let (real, ours) = (monologue(Debian, &more), monologue(Evenkeel, &more));
        assert_eq!(ours, real, "{more}");
        assert_eq!(ours.len(), 2, "an advert and a goodbye");
    }
}

/// A backup waits by the master's interval, whatever its own.
fn learns(makers: [Maker; 2]) {
    let pair = Pair::new(makers);
    let _a = pair.start_a(&v3("MASTER", 100, "    advert_int 0.2\n"));
    let b = pair.start_b(&v3("BACKUP", 90, "    advert_int 5\n"));
    pair.settle("start, the higher priority holds the address", Pair::only_a);
    let line = "(VI_1) advertisement interval updated from 5000ms to 200ms by master";
    wait_until(line, PATIENCE, || b.log().contains(line));
    pair.bed.connect(pair.a(), false);
    let time = pair.settle("host lost, the other one holds the address", |it| it.b().holds(VIP));
    // 0.73 s are due; by its own interval it would be 18 s.
    assert!(time < Duration::from_secs(4), "{time:?}");
}

#[test]
fn the_masters_interval_is_learned() {
    for makers in [[Evenkeel, Debian], [Debian, Evenkeel]] {
        learns(makers);
    }
}
