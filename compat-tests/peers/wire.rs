//! Adverts and gratuitous ARPs: the same bytes as keepalived's.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::{PATIENCE, VIP, config};

/// What one node says from start to end, alone.
fn monologue(maker: Maker) -> Vec<Vec<u8>> {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let file = bed.path("wire.pcap");
    let capture = host.capture(&file);
    let daemon = Daemon::start(&bed, host, maker, &config("MASTER", 100, ""));
    wait_until("master", PATIENCE, || host.holds(VIP));
    // The second burst of gratuitous ARP comes 5 s later.
    std::thread::sleep(Duration::from_millis(7500));
    assert!(is_clean(daemon.stop()));
    std::thread::sleep(Duration::from_millis(300));
    drop(capture);
    assert_valid(&file);
    let frames = frames(&std::fs::read(&file).unwrap());
    let is_ours = |frame: &Vec<u8>| {
        let ethertype = u16::from_be_bytes([frame[12], frame[13]]);
        ethertype == 0x0806 || (ethertype == 0x0800 && frame[23] == 112)
    };
    frames.into_iter().filter(is_ours).collect()
}

/// tshark finds every advert well-formed, with a good checksum, and says what is in it.
fn assert_valid(file: &Path) {
    let output = Command::new("tshark")
        .args(["-r", file.to_str().unwrap(), "-Y", "vrrp", "-T", "fields", "-E", "separator=;"])
        .args(["-e", "vrrp.version", "-e", "vrrp.virt_rtr_id", "-e", "vrrp.checksum.status"])
        .args(["-e", "vrrp.auth_string", "-e", "ip.ttl", "-e", "ip.checksum.status"])
        .args(["-e", "_ws.malformed", "-o", "ip.check_checksum:TRUE"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 5, "{text}{}", String::from_utf8_lossy(&output.stderr));
    for line in lines {
        assert_eq!(line, "2;51;1;1111;255;1;", "an advert as tshark reads it");
    }
}

/// The frames of a capture file (pcap-savefile(5)).
pub(super) fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &file[24..];
    let mut frames = Vec::new();
    while rest.len() >= 16 {
        let length = u32::from_ne_bytes(rest[8..12].try_into().unwrap()) as usize;
        frames.push(rest[16..16 + length].to_vec());
        rest = &rest[16 + length..];
    }
    frames
}

/// The IP identification is a choice, and the header's checksum follows from it.
pub(super) fn without_choices(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[12..14] == [8, 0] {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    frame
}

#[test]
fn adverts_and_announcements_are_the_same_bytes() {
    let said =
        |maker| -> Vec<Vec<u8>> { monologue(maker).into_iter().map(without_choices).collect() };
    let (real, ours) = std::thread::scope(|scope| {
        let real = scope.spawn(|| said(Debian));
        let ours = scope.spawn(|| said(Evenkeel));
        (real.join().unwrap(), ours.join().unwrap())
    });
    // How many adverts fit into the time may differ by one; kinds and order may not.
    let kinds = |frames: &[Vec<u8>]| {
        let mut kinds: Vec<Vec<u8>> = Vec::new();
        for frame in frames {
            if kinds.last() != Some(frame) {
                kinds.push(frame.clone());
            }
        }
        kinds
    };
    let arps = |frames: &[Vec<u8>]| frames.iter().filter(|it| it[12..14] == [8, 6]).count();
    assert_eq!(arps(&ours), arps(&real), "gratuitous ARPs");
    assert_eq!(arps(&ours), 20, "two bursts of five for two addresses");
    assert_eq!(kinds(&ours), kinds(&real));
    let adverts = |frames: &[Vec<u8>]| frames.len() - arps(frames);
    assert!(adverts(&ours).abs_diff(adverts(&real)) <= 2);
    assert_eq!(ours.last(), real.last(), "priority 0");
}

/// `mcast_src_ip` is where adverts come from, on any interface or none.
#[test]
fn the_source_address_is_the_one_configured() {
    for maker in [Debian, Evenkeel] {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        let file = bed.path("wire.pcap");
        let capture = host.capture(&file);
        let config = config("MASTER", 100, "    mcast_src_ip 10.9.8.7\n");
        let daemon = Daemon::start(&bed, host, maker, &config);
        wait_until("master", PATIENCE, || host.holds(VIP));
        assert!(is_clean(daemon.stop()));
        drop(capture);
        let frames = frames(&std::fs::read(&file).unwrap());
        let adverts: Vec<_> =
            frames.iter().filter(|it| it[12..14] == [8, 0] && it[23] == 112).collect();
        assert!(adverts.len() >= 2, "{maker:?}");
        assert!(adverts.iter().all(|it| it[26..30] == [10, 9, 8, 7]), "{maker:?}: {adverts:?}");
    }
}
