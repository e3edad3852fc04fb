//! What can be seen from outside: the dump files of Debian's keepalived and of Evenkeel, on the
//! same configs and at the same moments of a node's life.
//!
//! Needs root, iproute2, keepalived. Each daemon has a `/tmp` of its own.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use evenkeel::kernel::process;

use super::bed::daemon::Maker::{Debian, Evenkeel};
use super::bed::daemon::{Daemon, Maker, is_clean};
use super::bed::{Bed, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const STATS: (&str, &str) = ("STATS", "keepalived.stats");
pub(crate) const DATA: (&str, &str) = ("DATA", "keepalived.data");
pub(crate) const JSON: (&str, &str) = ("JSON", "keepalived.json");

/// One node with two interfaces; `signal` is what `--signum` prints.
pub(crate) struct Node {
    // Goes first: the bed's folder has its log.
    pub(crate) daemon: Daemon,
    pub(crate) bed: Bed,
    maker: Maker,
    /// The config sets another one than 0177.
    umask: bool,
}

impl Node {
    pub(crate) fn start(maker: Maker, config: &str) -> Node {
        Node::start_on(Bed::new(1), maker, config)
    }

    /// On the first host of a bed, whose others may have daemons already.
    pub(crate) fn start_on(bed: Bed, maker: Maker, config: &str) -> Node {
        bed.hosts[0].ip("link add eth1 type veth peer name peer1");
        for (device, last) in [("eth1", 1), ("peer1", 2)] {
            bed.hosts[0].ip(&format!("link set {device} address 02:00:00:00:01:0{last}"));
            bed.hosts[0].ip(&format!("link set {device} up"));
        }
        let tmp = bed.path("tmp");
        std::fs::create_dir(&tmp).unwrap();
        std::fs::set_permissions(&tmp, PermissionsExt::from_mode(0o1777)).unwrap();
        let daemon = Daemon::start_with_tmp(&bed, &bed.hosts[0], maker, config, &tmp);
        Node { daemon, bed, maker, umask: config.contains("umask") }
    }

    pub(crate) fn until_logged(&self, line: &str) {
        wait_until(line, PATIENCE, || self.daemon.log().contains(line));
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.bed.path("tmp").join(name)
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.file(name)).unwrap().permissions().mode()
    }

    /// What is written on a signal to this process, once it is whole.
    pub(crate) fn dump(&self, (signal, name): (&str, &str), pid: u32) -> String {
        let _ = std::fs::remove_file(self.file(name));
        let number = Command::new("keepalived").arg(format!("--signum={signal}")).output().unwrap();
        let number = String::from_utf8(number.stdout).unwrap();
        process::signal(pid as i32, number.trim().parse().unwrap()).unwrap();
        let mut before = String::new();
        wait_until(name, PATIENCE, || {
            let now = std::fs::read_to_string(self.file(name)).unwrap_or_default();
            let whole = !now.is_empty() && now == before;
            before = now;
            std::thread::sleep(Duration::from_millis(100));
            whole
        });
        assert!(self.mode(name) & 0o177 == 0 || self.umask, "{:?}: {name}", self.maker);
        before
    }
}

const BUSY: &str = r#"global_defs {
  router_id lab1
  script_user root
}
vrrp_script good {
  script "/usr/bin/true"
  interval 1
  weight -10
  fall 2
  rise 3
}
vrrp_script bad {
  script "/usr/bin/false a 'b c'"
  interval 1
  timeout 3
  weight 5 reverse
  user nobody
}
vrrp_script fails {
  script "/usr/bin/false"
  interval 1
}
vrrp_script hangs {
  script "/usr/bin/sleep 100"
  interval 200
}
vrrp_instance VI_1 {
  interface eth0
  state MASTER
  virtual_router_id 51
  priority 150
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass s3cret
  }
  virtual_ipaddress {
    192.0.2.100/24
    192.0.2.101/24 dev eth1 label eth1:1 scope link
    192.0.2.102 brd 192.0.2.255
  }
  track_script {
    good
    bad weight 7
  }
  notify_master "/usr/bin/true m"
  notify_backup "/usr/bin/true 'x y' b"
  notify_fault "/usr/bin/true f" root
  notify_stop "/usr/bin/true s"
  notify "/usr/bin/true all"
}
vrrp_instance VI_2 {
  interface eth0
  state BACKUP
  virtual_router_id 52
  priority 100
  advert_int 2
  nopreempt
  garp_master_delay 3
  garp_master_repeat 2
  garp_master_refresh 10
  garp_lower_prio_repeat 3
  virtual_ipaddress {
    192.0.2.120
  }
}
vrrp_instance VI_3 {
  interface eth0
  virtual_router_id 53
  mcast_src_ip 192.168.80.122
  preempt_delay 5
  virtual_ipaddress {
    192.0.2.130 scope site
  }
}
vrrp_instance VI_4 {
  interface eth0
  virtual_router_id 54
  virtual_ipaddress {
    192.0.2.140/28
  }
  track_script {
    fails
  }
}
vrrp_instance VI_5 {
  interface eth0
  virtual_router_id 55
  virtual_ipaddress {
    192.0.2.150
  }
  track_script {
    hangs
  }
}
"#;

/// The node of a busy config, as settled: three masters, a fault, and one that waits.
pub(crate) fn busy(maker: Maker) -> Node {
    let node = Node::start(maker, BUSY);
    for name in ["VI_1", "VI_2", "VI_3"] {
        node.until_logged(&format!("({name}) Entering MASTER STATE"));
    }
    let last = Ipv4Addr::new(192, 0, 2, 130);
    wait_until("addresses", PATIENCE, || node.bed.hosts[0].holds(last));
    node
}

/// Lines as they are, but for numbers of things that both count at times of their own.
fn without_numbers(stats: &str, of: &[&str]) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((key, _)) if of.contains(&key.trim()) => format!("{key}: N\n"),
        _ => format!("{line}\n"),
    };
    stats.lines().map(line).collect()
}

#[test]
fn statistics_are_those_of_keepalived() {
    let nodes = [Debian, Evenkeel].map(busy);
    for to_child in [false, true] {
        let [theirs, ours] = [&nodes[0], &nodes[1]].map(|node| {
            let daemon = &node.daemon;
            let pid = if to_child { daemon.vrrp_pid() } else { daemon.pid() };
            without_numbers(&node.dump(STATS, pid), &["Sent"])
        });
        assert_eq!(ours, theirs);
    }
    // Written, and then set to zero.
    for node in &nodes {
        let written = node.dump(("STATS_CLEAR", STATS.1), node.daemon.pid());
        assert!(written.contains("Became master: 1"), "{:?}: {written}", node.maker);
        let cleared = node.dump(STATS, node.daemon.pid());
        assert!(!cleared.contains("Became master: 1"), "{:?}: {cleared}", node.maker);
    }
    for node in nodes {
        assert!(is_clean(node.daemon.stop()));
    }
}

/// A link that somebody else planted in `/tmp` is not followed.
#[test]
fn a_dump_follows_no_link() {
    let node = busy(Evenkeel);
    let victim = node.bed.path("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, node.file(STATS.1)).unwrap();
    process::signal(node.daemon.pid() as i32, 12).unwrap();
    wait_until("the link is replaced", PATIENCE, || {
        node.file(STATS.1).symlink_metadata().unwrap().is_file()
    });
    assert!(
        std::fs::read_to_string(node.file(STATS.1)).unwrap().starts_with("VRRP Instance: VI_1")
    );
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    // A folder can't be replaced: said, and the daemon goes on.
    std::fs::create_dir(node.file(JSON.1)).unwrap();
    process::signal(node.daemon.pid() as i32, 36).unwrap();
    node.until_logged("Can't open dump file /tmp/keepalived.json");
    assert!(node.dump(STATS, node.daemon.pid()).contains("VI_4"));
}

/// JSON values side by side, in the order of the file; times and counters are left out, and
/// the password, which ours masks.
#[test]
fn json_is_that_of_keepalived() {
    let nodes = [Debian, Evenkeel].map(busy);
    let [theirs, ours] = [&nodes[0], &nodes[1]].map(|node| node.dump(JSON, node.daemon.pid()));
    assert!(!ours.contains("s3cret"), "{ours}");
    let theirs = theirs.replace("s3cret", "********");
    let [theirs, ours] =
        [theirs, ours].map(|text| comparable(&text, &["last_transition", "advert_sent"]));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// One line per member, in the file's order.
fn comparable(json: &str, without: &[&str]) -> Vec<String> {
    serde_json::from_str::<serde_json::Value>(json).expect(json);
    let members = json.split(",\"");
    let member = |member: &str| match member.split_once("\":") {
        Some((key, _)) if without.contains(&key) => format!("{key}\":N"),
        _ => member.to_owned(),
    };
    members.map(member).collect()
}

/// An instance that a reload takes away tells of a fault, by `notify` only; one that ends with the
/// daemon tells of a stop by both scripts.
fn farewells(maker: Maker) -> Vec<String> {
    let bed = Bed::new(1);
    let notes = bed.path("notes");
    let note = bed.script("note", &format!("echo $* >> {}", notes.display()));
    let note = note.display();
    let instance = |name: &str, vrid: u8| {
        let scripts = ["master", "backup", "fault", "stop"]
            .map(|state| format!("  notify_{state} \"{note} {name} {state}\"\n"))
            .concat();
        format!(
            "vrrp_instance {name} {{\n  interface eth0\n  virtual_router_id {vrid}\n  \
             virtual_ipaddress {{\n    192.0.2.{vrid}\n  }}\n{scripts}  notify \"{note}\"\n}}\n"
        )
    };
    let global = "global_defs {\n  script_user root\n}\n";
    let kept = format!("{global}{}", instance("kept", 51));
    let daemon =
        Daemon::start(&bed, &bed.hosts[0], maker, &format!("{kept}{}", instance("removed", 52)));
    let told = || -> Vec<String> {
        let notes = std::fs::read_to_string(&notes).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    };
    wait_until("both are master", PATIENCE, || told().len() == 8);
    daemon.reconfigure(&kept);
    daemon.signal("HUP");
    wait_until("one is removed", PATIENCE, || told().len() >= 9);
    assert!(is_clean(daemon.stop()));
    wait_until("the other stops", PATIENCE, || told().len() >= 11);
    // The two scripts of one change run beside each other.
    let mut last = told().split_off(8);
    last[1..].sort();
    last
}

#[test]
fn a_removed_instance_says_fault_as_with_keepalived() {
    let [theirs, ours] = [Debian, Evenkeel].map(farewells);
    assert_eq!(ours, theirs);
    assert_eq!(theirs[0], "INSTANCE removed FAULT 100");
}

/// The sections that ours has, line for line; times, counters and descriptors are left out, and the
/// password, which ours masks.
#[test]
fn data_is_that_of_keepalived() {
    let nodes = [Debian, Evenkeel].map(busy);
    let [theirs, ours] = [&nodes[0], &nodes[1]].map(|node| node.dump(DATA, node.daemon.pid()));
    assert!(!ours.contains("s3cret"), "{ours}");
    let theirs = theirs.replace("s3cret", "********");
    for section in ["VRRP Topology", "VRRP Scripts"] {
        let [theirs, ours] = [&theirs, &ours].map(|text| lines_of(text, section));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{section}");
        }
        assert_eq!(ours.len(), theirs.len(), "{section}");
    }
    let theirs = lines_of(&theirs, "Global definitions");
    for line in lines_of(&ours, "Global definitions") {
        assert!(theirs.contains(&line), "{line}");
    }
}

fn lines_of(text: &str, section: &str) -> Vec<String> {
    let head = format!("------< {section} >------");
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("------<"));
    let lines = lines.filter(|line| !line.trim().starts_with("fd_in"));
    let varies = ["Last transition", "Read timeout", "Master down timer", "Result"];
    let line = |line: &str| match line.split_once(" = ") {
        Some((key, value)) if varies.contains(&key.trim()) && value != "DISABLED" => key.to_owned(),
        // A short script may run just now.
        Some(("   State", "running" | "idle")) => "   State".to_owned(),
        _ => line.to_owned(),
    };
    lines.map(line).collect()
}
