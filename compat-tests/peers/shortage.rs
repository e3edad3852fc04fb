//! What runs out on a host: room on its disk, descriptors, sockets. Both daemons live through the
//! same; ours never does worse, and works again as soon as there is enough.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use super::super::bed::daemon::{Daemon, Maker, is_clean, kill};
use super::super::bed::{Bed, Host, stays, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::processes::children;
use super::{PATIENCE, Pair, VIP};

const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 81, 100);
const DUMPS: [&str; 3] = ["/tmp/keepalived.data", "/tmp/keepalived.stats", "/tmp/keepalived.json"];

/// Elections take less than a second.
pub(super) fn instance(
    name: &str,
    interface: &str,
    address: Ipv4Addr,
    priority: u8,
    more: &str,
) -> String {
    format!(
        "vrrp_instance {name} {{\n    state BACKUP\n    interface {interface}\n    virtual_router_id 51\n    \
         version 3\n    priority {priority}\n    advert_int 0.2\n    virtual_ipaddress {{\n        \
         {address}/24\n    }}\n{more}}}\n"
    )
}

fn ask_for_dumps(daemon: &Daemon) {
    for signal in ["USR1", "USR2", "36"] {
        daemon.signal(signal);
    }
}

/// The vrrp process, whatever became of its pid file.
fn role(daemon: &Daemon) -> Option<u32> {
    children(daemon.pid()).first().copied()
}

/// What leaves no room in a daemon's `/tmp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    Blocks,
    /// No new files, either.
    Inodes,
}

impl Full {
    /// Shell lines; `$d` is the folder.
    fn fill(self) -> &'static str {
        match self {
            Full::Blocks => "cat /dev/zero > $d/ballast 2> /dev/null || true",
            Full::Inodes => {
                "cat /dev/zero > $d/ballast 2> /dev/null || true; i=0
                 while : 2> /dev/null > $d/inode$i; do i=$((i + 1)); done || true"
            }
        }
    }
}

struct Small<'a> {
    daemon: &'a Daemon,
}

impl Small<'_> {
    fn fill(&self, full: Full) {
        let folder = self.daemon.inside("/tmp");
        let script = format!("d={}\n{}", folder.display(), full.fill());
        assert!(Command::new("bash").args(["-c", &script]).status().unwrap().success());
    }

    fn free(&self) {
        for entry in fs::read_dir(self.daemon.inside("/tmp")).unwrap().flatten() {
            let name = entry.file_name();
            if name == "ballast" || name.to_string_lossy().starts_with("inode") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.daemon.inside(path)).unwrap_or_default()
    }

    fn pid_file_of_role(&self) -> Option<u32> {
        self.read("/tmp/run-vrrp.pid").trim().parse().ok()
    }
}

/// A `/tmp` without room, from before the start: dumps, pid files, a FIFO, a file to be initialised
/// and a log file are in it.
fn full_disk(maker: Maker, full: Full) {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let prepare = format!(
        "d=$1/disk; b=$d/$(basename $1); mkdir $d; mount -t tmpfs -o size=192k,nr_inodes=64 none $d
         mkdir $b; mount --bind $1 $b; {}
         mount --rbind $d /tmp",
        full.fill().replace("while :", "while { : ; }")
    );
    let config = format!(
        "global_defs {{\n    script_user root\n    notify_fifo /tmp/fifo\n}}\ntrack_file number {{\n    \
         file /tmp/number\n    init_file 5\n    weight 1\n}}\n{}",
        instance("VI_1", "eth0", VIP, 200, "    track_file {\n        number\n    }\n")
    );
    // Debian's has no such option.
    let log_file: &[&str] = if maker == Evenkeel { &["-g", "/tmp/log"] } else { &[] };
    let daemon = Daemon::start_prepared(&bed, host, maker, &config, &prepare, log_file, "/tmp/run");
    let small = Small { daemon: &daemon };
    let ours = maker == Evenkeel;
    let said = |what: &str| wait_until(what, PATIENCE, || daemon.log().contains(what));
    let dumped = || DUMPS.iter().all(|it| !small.read(it).is_empty());

    wait_until("master all the same", PATIENCE, || host.holds(VIP));
    ask_for_dumps(&daemon);
    if ours {
        said("log: lines are lost (28: No space left on device)");
        said("Unable to initialise track file number");
        wait_until("three dumps less", PATIENCE, || {
            daemon.log().matches("Can't open dump file").count() == 3
        });
        let empty = ["/tmp/run-parent.pid", "/tmp/run-vrrp.pid", "/tmp/number"];
        for path in empty {
            assert!(!daemon.inside(path).exists(), "{path}: nothing rather than an empty one");
        }
    }
    stays("still master", Duration::from_millis(500), || host.holds(VIP));

    small.free();
    wait_until("dumps again", PATIENCE, || {
        ask_for_dumps(&daemon);
        std::thread::sleep(Duration::from_millis(200));
        dumped()
    });
    if ours {
        said("Pid files are written again");
        assert_eq!(small.read("/tmp/run-parent.pid").trim(), daemon.pid().to_string());
        assert_eq!(small.pid_file_of_role(), role(&daemon));
        for log in ["/tmp/log", "/tmp/log_vrrp"] {
            wait_until("lost lines are counted", PATIENCE, || {
                daemon.signal("USR2");
                std::thread::sleep(Duration::from_millis(50));
                small.read(log).contains("log lines lost here")
            });
        }
    }
    daemon.signal("HUP");
    said("Reload complete");
    if ours {
        // What keepalived left empty it takes for a value.
        said("Changing effective priority from 200 to 205");
        wait_until("there is a FIFO", PATIENCE, || daemon.inside("/tmp/fifo").exists());
    }

    let before = DUMPS.map(|it| small.read(it));
    small.fill(Full::Inodes);
    ask_for_dumps(&daemon);
    std::thread::sleep(Duration::from_millis(500));
    let spoilt = DUMPS.iter().zip(&before).filter(|(it, before)| small.read(it) != **before);
    let spoilt: Vec<_> = spoilt.map(|(it, _)| it).collect();
    eprintln!("{maker:?}: no longer what they were: {spoilt:?}");
    let first = role(&daemon).unwrap();
    kill("KILL", first as i32);
    wait_until("another role", PATIENCE, || role(&daemon).is_some_and(|it| it != first));
    wait_until("master again", PATIENCE, || host.holds(VIP));
    small.free();
    if ours {
        assert!(spoilt.is_empty(), "the last dumps are whole");
        wait_until("its pid file", PATIENCE, || small.pid_file_of_role() == role(&daemon));
    }
    assert!(is_clean(daemon.stop()));
    assert!(!host.holds(VIP));
}

#[test]
fn a_full_disk_costs_lines_in_the_log_and_never_the_daemon() {
    std::thread::scope(|scope| {
        // Without room for its pid file's name Debian's doesn't start.
        for (maker, full) in
            [(Debian, Full::Blocks), (Evenkeel, Full::Blocks), (Evenkeel, Full::Inodes)]
        {
            scope.spawn(move || full_disk(maker, full));
        }
    });
}

/// A role without descriptors to spare: its checks and notify scripts run, it stays master, and a
/// reload that needs more takes as many as it is allowed.
fn few_descriptors(maker: Maker) {
    let bed = Bed::new(1);
    bed.second_network();
    let host = &bed.hosts[0];
    let (notes, number) = (bed.path("notes"), bed.path("number"));
    fs::write(&number, "0\n").unwrap();
    let notify = bed.script("notify", &format!("echo $2 $3 >> {}", notes.display()));
    let check = bed.script("check", "exit 0");
    let more = format!(
        "    track_script {{\n        check\n    }}\n    track_file {{\n        number\n    }}\n    \
         notify {}\n",
        notify.display()
    );
    let head = format!(
        "global_defs {{\n    script_user root\n}}\nvrrp_script check {{\n    script {}\n    interval \
         1\n    weight 3\n}}\ntrack_file number {{\n    file {}\n    weight 1\n}}\n",
        check.display(),
        number.display()
    );
    let one = format!("{head}{}", instance("VI_1", "eth0", VIP, 200, &more));
    let daemon = Daemon::start(&bed, host, maker, &one);
    let said = |what: &str| wait_until(what, PATIENCE, || daemon.log().contains(what));
    wait_until("master", PATIENCE, || host.holds(VIP));
    said("Changing effective priority from 200 to 203");
    let role = daemon.vrrp_pid();
    // None beyond those that it has. (Its scripts live with the same limit.)
    std::thread::sleep(Duration::from_millis(300));
    let open = fs::read_dir(format!("/proc/{role}/fd")).unwrap().flatten();
    let last = open.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok()).max().unwrap();
    let limit = format!("--nofile={}:", last + 1);
    let limited = Command::new("prlimit").args([&limit, "--pid", &role.to_string()]).status();
    assert!(limited.unwrap().success());

    fs::write(&number, "4\n").unwrap();
    std::thread::sleep(Duration::from_millis(2_200));
    host.ip("link set eth0 down");
    let noted = |what: &str| {
        let notes = fs::read_to_string(&notes).unwrap_or_default();
        notes.lines().any(|line| line.ends_with(what))
    };
    wait_until("a fault is told", PATIENCE, || noted("FAULT"));
    assert!(!daemon.log().contains("VRRP_Script(check) failed"));
    fs::remove_file(&notes).unwrap();
    host.ip("link set eth0 up");
    wait_until("master is told", PATIENCE, || noted("MASTER"));
    wait_until("master again", PATIENCE, || host.holds(VIP));
    ask_for_dumps(&daemon);
    stays("still master", Duration::from_millis(500), || host.holds(VIP));

    daemon.reconfigure(&format!("{one}{}", instance("VI_2", "eth1", OTHER, 200, "")));
    daemon.signal("HUP");
    said("Reload complete");
    if maker == Evenkeel {
        wait_until("both addresses", PATIENCE, || host.holds(VIP) && host.holds(OTHER));
    } else {
        std::thread::sleep(Duration::from_secs(2));
        eprintln!("{maker:?}: second instance is master: {}", host.holds(OTHER));
    }
    assert!(host.holds(VIP));
    assert_eq!(daemon.vrrp_pid(), role);
    assert!(is_clean(daemon.stop()));
    assert!(!host.holds(VIP) && !host.holds(OTHER));
}

#[test]
fn a_role_without_descriptors_goes_on() {
    std::thread::scope(|scope| {
        for maker in [Debian, Evenkeel] {
            scope.spawn(move || few_descriptors(maker));
        }
    });
}

/// How many groups a socket may join: with none, no router gets its socket.
fn allow_sockets(host: &Host, allowed: bool) {
    host.on(move || {
        let file = "/proc/sys/net/ipv4/igmp_max_memberships";
        fs::write(file, if allowed { "20" } else { "0" }).unwrap();
    });
}

/// One that can't hear doesn't take silence for a master's death.
fn deaf(maker: Maker) {
    let pair = Pair::new([Debian, maker]);
    let a = pair.start_a(&instance("VI_1", "eth0", VIP, 100, ""));
    pair.settle("alone, it is master", Pair::only_a);
    allow_sockets(pair.b(), false);
    let low = instance("VI_1", "eth0", VIP, 50, "");
    let b = pair.start_b(&low);
    wait_until("begun", PATIENCE, || b.log().contains("Entering BACKUP STATE"));
    stays("one master", Duration::from_millis(2_500), || pair.only_a());
    allow_sockets(pair.b(), true);
    if maker == Debian {
        // It is deaf until a reload.
        b.signal("HUP");
    } else {
        let heard = || b.log().contains("there is a socket for 224.0.0.18 on eth0 now");
        wait_until("it hears", PATIENCE, heard);
    }
    stays("one master, that it hears", Duration::from_millis(1_500), || pair.only_a());
    assert!(is_clean(a.stop()));
    pair.settle("the other one takes over", Pair::only_b);
    if maker == Evenkeel {
        let a = pair.start_a(&instance("VI_1", "eth0", VIP, 40, ""));
        wait_until("begun", PATIENCE, || a.log().contains("Entering BACKUP STATE"));
        stays("one master", Duration::from_millis(1_500), || pair.only_b());
        // A role that follows one that was killed holds on to nothing that it can't speak for.
        allow_sockets(pair.b(), false);
        kill("KILL", b.vrrp_pid() as i32);
        pair.settle("who can speak takes over", Pair::only_a);
        stays("one master", Duration::from_millis(1_500), || pair.only_a());
        allow_sockets(pair.b(), true);
        pair.settle("and gives back", Pair::only_b);
        assert!(is_clean(a.stop()));
    }
    assert!(is_clean(b.stop()));
}

#[test]
fn who_cannot_hear_does_not_take_over() {
    std::thread::scope(|scope| {
        for maker in [Debian, Evenkeel] {
            scope.spawn(move || deaf(maker));
        }
    });
}
