//! Every kind of advert, with the real keepalived as the other node: {version 2, 3} × {IPv4, IPv6} ×
//! {multicast, unicast} × {nothing, PASS, AH, HMAC} × {virtual MAC interface or not}, both roles.
//!
//! In each cell the lower priority is master alone, the higher one preempts it, stops, comes back,
//! is cut off and comes back; and the adverts of both are the same, field by field. What the real
//! one cannot do (HMAC is 2.4's; PASS of version 2 over IPv6 it refuses from itself) is played by
//! two of ours.
//!
//! `more` of a [`Cell`] goes into both instances: another axis is another call of [`all`]. With
//! `use_vmac` the frames' source is the virtual router's, whoever sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::PATIENCE;

const VMAC: &str = "    use_vmac\n";
const VMAC_BASE: &str = "    use_vmac\n    vmac_xmit_base\n";
const VMAC_ADDRESSES: &str = "    use_vmac\n    use_vmac_addr\n";

/// Cells that are played at once: they mostly wait.
const AT_ONCE: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Auth {
    None,
    Pass,
    Header,
    Hmac,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    version: u8,
    over_ipv6: bool,
    unicast: bool,
    auth: Auth,
    /// Lines for the instance.
    more: &'static str,
}

impl Cell {
    /// Who plays it, as high and low priority.
    fn casts(self) -> Vec<[Maker; 2]> {
        let broken = self.auth == Auth::Pass && self.over_ipv6;
        match self.auth == Auth::Hmac || broken {
            true => vec![[Evenkeel, Evenkeel]],
            false => vec![[Evenkeel, Debian], [Debian, Evenkeel]],
        }
    }

    fn config(self, host: usize, priority: u8) -> String {
        let own = self.address(host);
        let peer = self.address(1 - host);
        let (interval, version) = match self.version {
            2 => ("1", "    version 2\n"),
            _ => ("0.5", "    version 3\n"),
        };
        let unicast = match self.unicast {
            false => String::new(),
            true => {
                format!("    unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}\n")
            }
        };
        let auth = match self.auth {
            Auth::None => "",
            Auth::Pass => {
                "    authentication {\n        auth_type PASS\n        auth_pass 1111\n    }\n"
            }
            Auth::Header => {
                "    authentication {\n        auth_type AH\n        auth_pass 1111\n    }\n"
            }
            Auth::Hmac => {
                "    auth_hmac {\n        key 3 evenkeel-test-key-0123456789abcdef0123\n    }\n"
            }
        };
        let addresses = match self.over_ipv6 {
            false => "192.168.80.100/24\n        192.168.80.101/24",
            true => "fe80::100/64\n        fd00:80::100/64",
        };
        let more = self.more;
        format!(
            "vrrp_instance VI_1 {{\n    interface eth0\n    virtual_router_id 51\n    priority \
             {priority}\n    advert_int {interval}\n{version}{auth}{unicast}{more}    \
             virtual_ipaddress {{\n        {addresses}\n    }}\n}}\n"
        )
    }

    /// A host's own.
    fn address(self, host: usize) -> IpAddr {
        let text = match self.over_ipv6 {
            false => format!("192.168.80.{}", 122 + host),
            true => format!("fd00:80::{}", 122 + host),
        };
        text.parse().unwrap()
    }

    /// Of which node holds it is looked.
    fn virtual_address(self) -> IpAddr {
        let text = if self.over_ipv6 { "fd00:80::100" } else { "192.168.80.100" };
        text.parse().unwrap()
    }

    /// What adverts come from: `None`, each node's own.
    fn sending_mac(self) -> Option<String> {
        // By unicast keepalived turns `vmac_xmit_base` on by itself.
        let from_vmac = [VMAC, VMAC_ADDRESSES].contains(&self.more) && !self.unicast;
        let family = if self.over_ipv6 { 2 } else { 1 };
        from_vmac.then(|| format!("00:00:5e:00:{family:02}:33"))
    }

    /// Two hosts whose addresses are ready to be used.
    fn bed(self) -> Bed {
        let bed = Bed::new(2);
        for (at, host) in bed.hosts.iter().enumerate().filter(|_| self.over_ipv6) {
            host.ip(&format!("addr add {}/64 dev eth0 nodad", self.address(at)));
            wait_until("duplicate address detection is through", PATIENCE, || {
                let mut ip = host.command("ip");
                let shown = ip.args(["-6", "addr", "show", "dev", "eth0"]).output().unwrap();
                let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
                shown.contains("fe80:") && !shown.contains("tentative")
            });
        }
        bed
    }
}

/// Every cell of one version and family.
fn all(version: u8, over_ipv6: bool, more: &'static str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for unicast in [false, true] {
        for auth in [Auth::None, Auth::Pass, Auth::Header, Auth::Hmac] {
            let there_is = match auth {
                Auth::None | Auth::Hmac => true,
                Auth::Pass => version == 2,
                Auth::Header => version == 2 && !over_ipv6,
            };
            if there_is {
                cells.push(Cell { version, over_ipv6, unicast, auth, more });
            }
        }
    }
    cells
}

/// Does it with each, a few at a time, and names all that failed.
fn each<T: Copy + Send + std::fmt::Debug>(of: Vec<T>, play: impl Fn(T) + Sync) {
    let waiting = Mutex::new(of);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(next) = waiting.lock().unwrap().pop() else { break };
                    let played = std::panic::AssertUnwindSafe(|| play(next));
                    if std::panic::catch_unwind(played).is_err() {
                        failed.lock().unwrap().push(next);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

/// Both lives of a cell.
fn life((cell, makers): (Cell, [Maker; 2])) {
    let bed = cell.bed();
    let [a, b] = [&bed.hosts[0], &bed.hosts[1]];
    let vip = cell.virtual_address();
    let only_a = || a.holds(vip) && !b.holds(vip);
    let only_b = || b.holds(vip) && !a.holds(vip);
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let time = wait_until(what, PATIENCE, is_so);
        eprintln!("{cell:?} {makers:?}: {what}: {:.2} s", time.as_secs_f64());
    };
    let file = bed.path("wire.pcap");
    let capture = a.capture(&file);
    let high = cell.config(0, 100);
    let low = Daemon::start(&bed, b, makers[1], &cell.config(1, 90));
    until("alone, the lower priority is master", &only_b);
    let first = Daemon::start(&bed, a, makers[0], &high);
    until("the higher priority preempts", &only_a);
    assert!(is_clean(first.stop()));
    until("stopped, the other one is master", &only_b);
    let second = Daemon::start(&bed, a, makers[0], &high);
    until("back, it preempts", &only_a);
    bed.connect(a, false);
    until("cut off, the other one is master too", &|| b.holds(vip));
    bed.connect(a, true);
    until("healed, one master", &only_a);
    assert!(is_clean(second.stop()));
    assert!(is_clean(low.stop()));
    assert!(!a.holds(vip) && !b.holds(vip), "nothing stays behind");
    drop(capture);
    compare_fields(cell, &file);
}

/// What must be the same whoever sends. Sources, priorities and what follows from them (checksums,
/// digests, destinations by unicast) are each node's own; that they are right is one of the fields.
const FIELDS: [&str; 18] = [
    "ip.version",
    "ip.dsfield",
    "ip.ttl",
    "ip.flags",
    "ip.proto",
    "ip.len",
    "ipv6.tclass",
    "ipv6.hlim",
    "ipv6.nxt",
    "ipv6.plen",
    "ah.next_header",
    "ah.length",
    "vrrp.version",
    "vrrp.virt_rtr_id",
    "vrrp.auth_type",
    "vrrp.adver_int",
    "vrrp.checksum.status",
    "vrrp.auth_string",
];

/// As tshark reads them.
fn compare_fields(cell: Cell, file: &Path) {
    let mut command = Command::new("tshark");
    command.args(["-r", file.to_str().unwrap(), "-Y", "vrrp && !icmp && !icmpv6", "-T", "fields"]);
    command.args(["-E", "separator=|", "-e", if cell.over_ipv6 { "ipv6.src" } else { "ip.src" }]);
    command.args(["-e", "eth.src", "-e", "_ws.malformed"]);
    for field in FIELDS.into_iter().chain(["vrrp.ip_addr", "vrrp.ipv6_addr"]) {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines() {
        let (sender, fields) = line.split_once('|').unwrap();
        let (mac, fields) = fields.split_once('|').unwrap();
        match cell.sending_mac() {
            Some(virtual_mac) => assert_eq!(mac, virtual_mac, "{cell:?} {line}"),
            None => assert!(mac.starts_with("02:00:00:00:00:2"), "{cell:?} {line}"),
        }
        kinds.entry(sender).or_default().insert(fields);
    }
    let kinds: Vec<_> = kinds.into_values().collect();
    assert_eq!(kinds.len(), 2, "two senders: {kinds:#?} {stderr}");
    assert_eq!(kinds[0], kinds[1], "the same in all fields");
    assert_eq!(kinds[0].len(), 1, "one kind of advert: {kinds:#?}");
}

fn lives(cells: Vec<Cell>) {
    let runs =
        cells.into_iter().flat_map(|cell| cell.casts().into_iter().map(move |it| (cell, it)));
    each(runs.collect(), life);
}

#[test]
fn version_2_over_ipv4() {
    lives(all(2, false, ""));
}

#[test]
fn version_2_over_ipv6() {
    lives(all(2, true, ""));
}

#[test]
fn version_3_over_ipv4() {
    lives(all(3, false, ""));
}

#[test]
fn version_3_over_ipv6() {
    lives(all(3, true, ""));
}

#[test]
fn vmac_version_2_over_ipv4() {
    lives(all(2, false, VMAC));
}

#[test]
fn vmac_version_2_over_ipv6() {
    lives(all(2, true, VMAC));
}

/// And what else there is of virtual MAC interfaces.
#[test]
fn vmac_version_3() {
    let mut cells = all(3, false, VMAC);
    cells.extend(all(3, true, VMAC));
    let cell =
        |over_ipv6, more| Cell { version: 3, over_ipv6, unicast: false, auth: Auth::None, more };
    for more in [VMAC_BASE, VMAC_ADDRESSES] {
        cells.extend([cell(false, more), cell(true, more)]);
    }
    lives(cells);
}

/// What one says alone from start to end: adverts and announcements, in order.
fn monologue(cell: Cell, maker: Maker) -> Vec<Vec<u8>> {
    let bed = cell.bed();
    let [host, other] = [&bed.hosts[0], &bed.hosts[1]];
    if cell.unicast {
        // Nobody answers there, but somebody is there: no frame waits for an address.
        let table = if cell.over_ipv6 { "-6" } else { "-4" };
        let mac = "lladdr 02:00:00:00:00:23 dev eth0";
        host.ip(&format!("{table} neigh replace {} {mac} nud permanent", cell.address(1)));
    }
    let file = bed.path("wire.pcap");
    let capture = other.capture(&file);
    let vip = cell.virtual_address();
    let daemon = Daemon::start(&bed, host, maker, &cell.config(0, 100));
    wait_until("master", PATIENCE, || host.holds(vip));
    std::thread::sleep(Duration::from_millis(1700));
    assert!(is_clean(daemon.stop()));
    std::thread::sleep(Duration::from_millis(300));
    drop(capture);
    let frames = super::wire::frames(&std::fs::read(&file).unwrap());
    // Its own hardware address or the virtual router's.
    let is_from_host =
        |it: &Vec<u8>| it[6..12] == [2, 0, 0, 0, 0, 0x22] || it[6..10] == [0, 0, 0x5e, 0];
    let from_host = frames.into_iter().filter(is_from_host);
    let mut said: Vec<Vec<u8>> = Vec::new();
    for frame in from_host.filter_map(significant) {
        // How many adverts fit into the time is no difference.
        if said.last() != Some(&frame) {
            said.push(frame);
        }
    }
    said
}

/// An advert or announcement without what is a choice.
fn significant(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    match (&frame[12..14], frame[23], frame[20]) {
        ([8, 6], ..) if frame[28..32] == frame[38..42] => Some(frame),
        ([8, 0], 112, _) => Some(super::wire::without_choices(frame)),
        ([8, 0], 51, _) => {
            // Each has a number of its own, and a digest over it: the first one's is compared where
            // adverts are written (`wire`).
            frame[14 + 20 + 8..14 + 44].fill(0);
            Some(super::wire::without_choices(frame))
        }
        ([0x86, 0xdd], _, 112) => {
            // The flow label.
            frame[15] &= 0xf0;
            frame[16..18].fill(0);
            Some(frame)
        }
        ([0x86, 0xdd], _, 58) if frame[54] == 136 && frame[38..54] == frame[62..78] => None,
        ([0x86, 0xdd], _, 58) if frame[54] == 136 && frame[22..38] == frame[62..78] => Some(frame),
        _ => None,
    }
}

/// Adverts, announcements and the goodbye, byte by byte. A burst of announcements is one here.
#[test]
fn monologues_are_the_same_bytes() {
    let cells = [(2, false), (2, true), (3, false), (3, true)]
        .into_iter()
        .flat_map(|(version, over_ipv6)| {
            let vmac = [VMAC, VMAC_BASE, VMAC_ADDRESSES].map(|more| all(version, over_ipv6, more));
            // By unicast all of them send from the interface below.
            let some = move |cell: &Cell| {
                cell.auth == Auth::None && (cell.more == VMAC || version == 3 && !cell.unicast)
            };
            let vmac = vmac.into_iter().flatten().filter(some);
            all(version, over_ipv6, "").into_iter().chain(vmac)
        })
        .filter(|cell| cell.auth != Auth::Hmac);
    each(cells.collect(), |cell| {
        let [real, ours] = [Debian, Evenkeel].map(|maker| monologue(cell, maker));
        assert_eq!(ours, real, "{cell:?}");
        assert!(ours.len() > 3, "{cell:?}: {}", ours.len());
    });
}

/// The kernel takes an interface's IPv6 addresses away when it goes down, our source among them, and
/// looks for duplicates when it comes up.
#[test]
fn an_ipv6_link_goes_down_and_comes_back() {
    let cell = Cell { version: 3, over_ipv6: true, unicast: false, auth: Auth::None, more: "" };
    each(vec![[Evenkeel, Debian], [Debian, Evenkeel]], |makers| {
        let bed = cell.bed();
        let [a, b] = [&bed.hosts[0], &bed.hosts[1]];
        let vip = cell.virtual_address();
        let low = Daemon::start(&bed, b, makers[1], &cell.config(1, 90));
        let high = Daemon::start(&bed, a, makers[0], &cell.config(0, 100));
        wait_until("master", PATIENCE, || a.holds(vip) && !b.holds(vip));
        a.ip("link set eth0 down");
        wait_until("link down, the other one is master", PATIENCE, || {
            b.holds(vip) && !a.holds(vip)
        });
        a.ip("link set eth0 up");
        wait_until("link up, preempted", PATIENCE, || a.holds(vip) && !b.holds(vip));
        assert!(is_clean(high.stop()));
        assert!(is_clean(low.stop()));
    });
}
