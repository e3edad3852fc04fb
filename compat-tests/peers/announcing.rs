//! Gratuitous ARP as slowly as the config wants it, and on other interfaces than the instance's: what
//! goes out beside what the real keepalived sends.

use std::process::Stdio;
use std::time::Duration;

use super::super::bed::daemon::{Daemon, is_clean};
use super::super::bed::{Bed, wait_until};
use super::Maker::{self, Debian, Evenkeel};
use super::{PATIENCE, VIP};

/// Within this much of what it should be; the machine is busy.
const TOLERANCE: Duration = Duration::from_millis(40);

/// One gratuitous ARP.
#[derive(Clone, Debug)]
struct Sent {
    at: Duration,
    interface: String,
    address: String,
}

/// What a daemon on a host with eth0 and eth1 announces: from becoming master, for so long.
fn announced(maker: Maker, config: &str, time: Duration) -> Vec<Sent> {
    let bed = Bed::new(1);
    bed.second_network();
    let host = &bed.hosts[0];
    let file = bed.path("arp");
    let mut command = host.command("tcpdump");
    command.args(["-i", "any", "-Q", "out", "-n", "-l", "-tt", "--immediate-mode", "arp"]);
    let mut dump = command
        .stdout(std::fs::File::create(&file).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let daemon = Daemon::start(&bed, host, maker, config);
    wait_until("master", PATIENCE, || host.holds(VIP));
    std::thread::sleep(time);
    assert!(is_clean(daemon.stop()));
    std::thread::sleep(Duration::from_millis(300));
    dump.kill().unwrap();
    dump.wait().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let sent: Vec<Sent> = text.lines().filter_map(gratuitous).collect();
    assert!(!sent.is_empty(), "{maker:?}: nothing announced: {text}");
    sent
}

/// `TIME eth0  Out ARP, Request who-has A (ff:ff:ff:ff:ff:ff) tell A, length 28`
fn gratuitous(line: &str) -> Option<Sent> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|it| *it == "who-has")?;
    let address = *words.get(at + 1)?;
    let tell = words.iter().position(|it| *it == "tell")?;
    let asks_for_itself = words.get(tell + 1)?.trim_end_matches(',') == address;
    asks_for_itself.then(|| Sent {
        at: Duration::from_secs_f64(words[0].parse().unwrap()),
        interface: words[1].to_owned(),
        address: address.to_owned(),
    })
}

/// Runs both, each on its own host at the same time.
fn both(config: &str, time: Duration) -> [Vec<Sent>; 2] {
    std::thread::scope(|scope| {
        let real = scope.spawn(|| announced(Debian, config, time));
        let ours = scope.spawn(|| announced(Evenkeel, config, time));
        [real.join().unwrap(), ours.join().unwrap()]
    })
}

fn assert_apart<'a>(sent: impl Iterator<Item = &'a Sent>, least: Duration) {
    let times: Vec<Duration> = sent.map(|it| it.at).collect();
    for pair in times.windows(2) {
        let gap = pair[1].saturating_sub(pair[0]);
        assert!(gap + TOLERANCE > least, "{gap:?} between two: {times:?}");
    }
}

fn instance(name: &str, vrid: u8, interface: &str, addresses: &[&str], more: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id {vrid}\n version 3\n \
         advert_int 0.1\n priority 200\n garp_master_delay 0\n{more} virtual_ipaddress {{\n  {}\n }}\n}}\n",
        addresses.join("\n  ")
    )
}

/// The delay of a `garp_group` is that of all its interfaces together, whichever instance sends.
#[test]
fn interfaces_of_a_group_take_turns() {
    let config = "garp_group {\n garp_interval 0.2\n interfaces {\n  eth0\n  eth1\n }\n}\n"
        .to_owned()
        + &instance(
            "A",
            51,
            "eth0",
            &["192.168.80.100/24", "192.168.80.101"],
            " garp_master_repeat 3\n",
        )
        + &instance("B", 52, "eth1", &["192.168.81.100/24"], " garp_master_repeat 3\n");
    let [real, ours] = both(&config, Duration::from_millis(2_500));
    for sent in [&real, &ours] {
        assert_apart(sent.iter(), Duration::from_millis(200));
    }
    let addresses = |sent: &[Sent]| -> Vec<String> {
        sent.iter()
            .map(|it| it.address.rsplit_once('.').unwrap().1.to_owned() + &it.interface)
            .collect()
    };
    // The real one sends one at once and then one of each, whatever `garp_master_repeat` says.
    let [a, b, c] = ["100eth0", "101eth0", "100eth1"];
    assert_eq!(addresses(&real), [a, a, b, c]);
    assert_eq!(addresses(&ours), [a, b, c, a, b, c, a, b, c]);
}

/// The global delay is that of each interface on its own; other interfaces don't wait.
#[test]
fn each_interface_waits_for_itself() {
    let config = "global_defs {\n vrrp_garp_interval 0.2\n}\n".to_owned()
        + &instance(
            "A",
            51,
            "eth0",
            &["192.168.80.100/24", "192.168.80.101"],
            " garp_master_repeat 2\n",
        )
        + &instance("C", 53, "eth0", &["192.168.80.102"], " garp_master_repeat 2\n")
        + &instance("B", 52, "eth1", &["192.168.81.100/24"], " garp_master_repeat 2\n");
    let [real, ours] = both(&config, Duration::from_millis(2_000));
    for sent in [&real, &ours] {
        for interface in ["eth0", "eth1"] {
            let on_it = sent.iter().filter(|it| it.interface == interface);
            assert_apart(on_it, Duration::from_millis(200));
        }
        let first = |interface: &str| sent.iter().find(|it| it.interface == interface).unwrap().at;
        let apart = first("eth0").abs_diff(first("eth1"));
        assert!(apart < Duration::from_millis(150), "one waited for the other: {apart:?}");
    }
    let count =
        |sent: &[Sent], address: &str| sent.iter().filter(|it| it.address == address).count();
    for address in ["192.168.80.100", "192.168.80.101", "192.168.80.102", "192.168.81.100"] {
        assert_eq!(count(&ours, address), 2, "{address}: {ours:?}");
    }
}

/// `garp_extra_if` without `all`: only addresses on virtual MAC interfaces of their own.
#[test]
fn extra_announcements_are_for_virtual_mac_interfaces() {
    let addresses =
        ["192.168.80.100/24", "192.168.81.100 dev eth1 use_vmac", "192.168.81.101 dev eth1"];
    let extra = |words: &str| {
        let more = format!(" garp_master_repeat 1\n garp_extra_if {words}\n");
        instance("A", 51, "eth0", &addresses, &more)
    };
    let count = |sent: &[Sent]| -> Vec<usize> {
        let of = |address: &str| {
            sent.iter().filter(|it| it.interface != "vrrp.51" && it.address == address).count()
        };
        ["192.168.80.100", "192.168.81.100", "192.168.81.101"].map(of).to_vec()
    };
    let time = Duration::from_millis(2_500);
    let (some, all) = std::thread::scope(|scope| {
        let some = scope.spawn(|| both(&extra("1"), time));
        let all = scope.spawn(|| both(&extra("all 1"), time));
        (some.join().unwrap(), all.join().unwrap())
    });
    for [real, ours] in [some.clone(), all.clone()] {
        assert_eq!(count(&ours), count(&real), "{ours:?}\n{real:?}");
    }
    assert_eq!(count(&some[1]), [1, 3, 1]);
    assert_eq!(count(&all[1]), [1, 3, 3]);
}
