//! Kills, reloads, floods, and hands that meddle with the interface.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use evenkeel::kernel::raw::{Letter, Sender};

use super::super::bed::daemon::{Daemon, is_clean, kill};
use super::super::bed::{Bed, stays, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::wire::frames;
use super::{PATIENCE, Pair, SECOND_VIP, SLACK, VIP, config};

/// Nothing that ends Evenkeel leaves an address behind.
#[test]
fn no_address_outlives_its_daemon() {
    for (what, signal, of_role) in [
        ("TERM", "TERM", false),
        ("role killed", "KILL", true),
        ("supervisor killed", "KILL", false),
    ] {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        let daemon = Daemon::start(&bed, host, Evenkeel, &config("MASTER", 100, ""));
        wait_until("master", PATIENCE, || host.holds(VIP) && host.holds(SECOND_VIP));
        let role = daemon.vrrp_pid();
        let victim = if of_role { role } else { daemon.pid() };
        assert_ne!(role, daemon.pid());
        kill(signal, victim as i32);
        if of_role {
            // Back, and master again, sooner or later; and then ended for good.
            wait_until("another role", PATIENCE, || daemon.vrrp_pid() != role);
            // At once, and for a second time after some waiting.
            kill(signal, daemon.vrrp_pid() as i32);
            wait_until("addresses off", PATIENCE, || !host.holds(VIP) && !host.holds(SECOND_VIP));
            wait_until("master again", PATIENCE, || host.holds(VIP) && host.holds(SECOND_VIP));
            assert!(is_clean(daemon.stop()));
            assert!(!host.holds(VIP) && !host.holds(SECOND_VIP), "{what}");
        } else {
            let time = wait_until(what, PATIENCE, || !host.holds(VIP) && !host.holds(SECOND_VIP));
            eprintln!("{what}: addresses gone after {:.2} s", time.as_secs_f64());
            assert!(time < Duration::from_secs(1) * SLACK, "{time:?}");
        }
    }
}

/// Taken out of the config and put back at once: the role that is still ending has a successor.
/// And a config file that isn't there at a reload is no wish to give the addresses up.
#[test]
fn reloads_in_a_row_end_as_the_last_one_says() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let daemon = Daemon::start(&bed, host, Evenkeel, &config("MASTER", 100, ""));
    wait_until("master", PATIENCE, || host.holds(VIP));
    // It can't end while it is stopped, so the order of events doesn't depend on the machine.
    let role = daemon.vrrp_pid();
    kill("STOP", role as i32);
    daemon.reconfigure("global_defs {\n}\n");
    daemon.signal("HUP");
    wait_until("reloaded", PATIENCE, || daemon.log().contains("Reload complete"));
    daemon.reconfigure(&config("MASTER", 100, ""));
    daemon.signal("HUP");
    let twice = || daemon.log().matches("Reload complete").count() == 2;
    wait_until("reloaded again", PATIENCE, twice);
    kill("CONT", role as i32);
    wait_until("let go", PATIENCE, || !host.holds(VIP));
    wait_until("master again", PATIENCE, || host.holds(VIP));
    assert_ne!(daemon.vrrp_pid(), role);

    daemon.lose_config();
    daemon.signal("HUP");
    wait_until("it is noticed", PATIENCE, || daemon.log().contains("Config files missing"));
    stays("the address stays", Duration::from_secs(2), || host.holds(VIP));
    assert!(is_clean(daemon.stop()));
}

/// An interface that gets another name while it is up takes no virtual address along.
#[test]
fn no_address_stays_on_a_renamed_interface() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let daemon = Daemon::start(&bed, host, Evenkeel, &config("MASTER", 100, ""));
    wait_until("master", PATIENCE, || host.holds(VIP) && host.holds(SECOND_VIP));
    host.ip("link set eth0 name other0");
    wait_until("let go", PATIENCE, || !host.holds(VIP) && !host.holds(SECOND_VIP));
    host.ip("link set other0 name eth0");
    wait_until("master again", PATIENCE, || host.holds(VIP) && host.holds(SECOND_VIP));
    assert!(is_clean(daemon.stop()));
    assert!(!host.holds(VIP) && !host.holds(SECOND_VIP));
}

/// A role that is killed is back, and master, before its peer would take over; the address stays.
#[test]
fn a_killed_role_is_followed_unnoticed() {
    let pair = Pair::new([Evenkeel, Debian]);
    let a = pair.start_a(&config("MASTER", 100, ""));
    pair.settle("alone, it is master", Pair::only_a);
    let b = pair.start_b(&config("BACKUP", 90, ""));
    // The peer's first wait is over, adverts are heard.
    stays("one master", Duration::from_secs(4), || pair.only_a());
    let role = a.vrrp_pid();
    kill("KILL", role as i32);
    stays("the address stays", Duration::from_secs(6), || pair.only_a());
    assert_ne!(a.vrrp_pid(), role);
    assert!(!b.log().contains("Entering MASTER STATE"), "{}", b.log());
    assert!(is_clean(a.stop()));
    pair.settle("stop, the other one holds the address", Pair::only_b);
}

/// What an earlier daemon left behind when it was killed is removed at the start.
#[test]
fn addresses_left_by_another_daemon_are_removed() {
    for maker in [Debian, Evenkeel] {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        host.ip(&format!("addr add {VIP}/24 dev eth0"));
        let daemon = Daemon::start(&bed, host, maker, &config("BACKUP", 100, ""));
        let time = wait_until("removed", Duration::from_secs(3), || !host.holds(VIP));
        eprintln!("{maker:?}: removed after {:.2} s", time.as_secs_f64());
        wait_until("master", PATIENCE, || host.holds(VIP));
        assert!(is_clean(daemon.stop()));
        assert!(!host.holds(VIP));
    }
}

/// A reload changes what differs and nothing else: addresses that stay are never off.
#[test]
fn a_reload_flaps_nothing() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let third = Ipv4Addr::new(192, 168, 80, 102);
    let other = Ipv4Addr::new(192, 168, 80, 110);
    let first = config("MASTER", 100, "");
    let daemon = Daemon::start(&bed, host, Evenkeel, &first);
    let file = bed.path("wire.pcap");
    wait_until("master", PATIENCE, || host.holds(VIP));
    let capture = host.capture(&file);
    let reload = |config: &str| {
        daemon.reconfigure(config);
        daemon.signal("HUP");
    };
    reload(&first);
    stays("nothing new, nothing changed", Duration::from_secs(2), || host.holds(VIP));

    let added = first.replace(&format!("{VIP}/24\n"), &format!("{VIP}/24\n        {third}\n"));
    reload(&added);
    wait_until("an address more", PATIENCE, || host.holds(third) && host.holds(VIP));

    let second = first
        .replace("VI_1", "VI_2")
        .replace("router_id 51", "router_id 52")
        .replace(&VIP.to_string(), &other.to_string())
        .replace(&format!("        {SECOND_VIP} label eth0:1\n"), "");
    let instance = second.split_once("vrrp_instance").unwrap().1;
    reload(&format!("{added}vrrp_instance{instance}"));
    wait_until("an instance more", PATIENCE, || host.holds(other) && host.holds(VIP));

    reload(&first);
    wait_until("an instance and an address less", PATIENCE, || {
        !host.holds(other) && !host.holds(third)
    });
    assert!(host.holds(VIP) && host.holds(SECOND_VIP));
    drop(capture);
    // Adverts of instance 51 went on all the time, a goodbye was never among them.
    let frames = frames(&std::fs::read(&file).unwrap());
    let of_51 = |frame: &&Vec<u8>| frame[12..14] == [8, 0] && frame[23] == 112 && frame[35] == 51;
    let priorities: Vec<u8> = frames.iter().filter(of_51).map(|frame| frame[36]).collect();
    assert!(priorities.len() > 5 && priorities.iter().all(|it| *it == 100), "{priorities:?}");
    assert!(is_clean(daemon.stop()));
    assert!(!host.holds(VIP) && !host.holds(other));
}

/// Addresses that somebody takes off, virtual and own, and a link that goes: both makers pass
/// through the same states, and hold the addresses again in the end.
#[test]
fn what_others_do_to_the_interface_is_answered_alike() {
    let states = |maker| -> Vec<String> {
        let bed = Bed::new(1);
        let host = &bed.hosts[0];
        let daemon = Daemon::start(&bed, host, maker, &config("MASTER", 100, ""));
        let master =
            || wait_until("master", PATIENCE, || host.holds(VIP) && host.holds(SECOND_VIP));
        master();
        host.ip(&format!("addr del {SECOND_VIP}/32 dev eth0"));
        wait_until("stepped back", PATIENCE, || !host.holds(VIP));
        master();
        // The primary address takes its secondaries along.
        host.ip("addr del 192.168.80.122/24 dev eth0");
        wait_until("fault", PATIENCE, || !host.holds(VIP) && !host.holds(SECOND_VIP));
        stays("no address without a source", Duration::from_secs(2), || !host.holds(VIP));
        host.ip("addr add 192.168.80.122/24 dev eth0");
        master();
        host.ip("link set eth0 down");
        wait_until("fault", PATIENCE, || !host.holds(VIP) && !host.holds(SECOND_VIP));
        host.ip("link set eth0 up");
        master();
        let log = daemon.log();
        assert!(is_clean(daemon.stop()));
        log.lines()
            .filter_map(|line| Some(line.split_once("(VI_1) Entering ")?.1.to_owned()))
            .collect()
    };
    let (real, ours) = std::thread::scope(|scope| {
        let real = scope.spawn(|| states(Debian));
        let ours = scope.spawn(|| states(Evenkeel));
        (real.join().unwrap(), ours.join().unwrap())
    });
    eprintln!("real {real:?}\nours {ours:?}");
    assert_eq!(ours, real);
}

/// Thousands of packets that make no sense cost log lines, and not many of them.
#[test]
fn a_flood_of_bad_packets_changes_nothing() {
    let pair = Pair::new([Evenkeel, Debian]);
    let daemon = pair.start_a(&config("MASTER", 100, ""));
    wait_until("master", PATIENCE, || pair.a().holds(VIP));
    let quiet_log = daemon.log().lines().count();
    pair.b().on(|| {
        let source = IpAddr::from([192, 168, 80, 123]);
        let group = IpAddr::from([224, 0, 0, 18]);
        let sender = Sender::open("eth0", 0, group).unwrap();
        // A valid advert's beginning (without its right checksum), then anything.
        let mut noise = 0x2545_f491_4f6c_dd1d_u64;
        for length in (0..20_000).map(|n| n % 60) {
            let mut pdu = vec![0x21, 51, 255, 2, 1, 1, 0, 0];
            pdu.resize_with(length.max(1), || {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                noise as u8
            });
            if length % 3 == 0 {
                pdu[0] = noise as u8;
            }
            // The queue to the switch may be full; that is enough then.
            let _ = sender.send(Letter {
                source,
                destination: group,
                protocol: 112,
                ttl: 255,
                identification: 0,
                payload: &pdu,
            });
        }
    });
    stays("still master", Duration::from_secs(3), || pair.a().holds(VIP));
    let lines = daemon.log().lines().count() - quiet_log;
    assert!((1..200).contains(&lines), "{lines} lines about 20,000 packets");
    let _b = pair.start_b(&config("BACKUP", 90, ""));
    stays("heard as master", Duration::from_secs(5), || pair.only_a());
    assert!(is_clean(daemon.stop()));
}
