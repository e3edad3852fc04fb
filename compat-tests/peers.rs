//! Evenkeel beside the real keepalived: one on each of two hosts, both ways round.
//!
//! Needs root, iproute2, keepalived, tcpdump, tshark. Times are printed; the bounds are wide, since
//! other tests run on the same cores.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use evenkeel::kernel::raw::HeaderSender;

use super::bed::daemon::{Daemon, Maker, is_clean, kill};
use super::bed::{Bed, Host, stays, wait_until};

const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 100);
const SECOND_VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 101);
/// Long enough for every election; never waited out where all is well.
const PATIENCE: Duration = Duration::from_secs(20);
/// What two real ones need (FACTS): 0.66 s after a stop, 3.6 s after the loss of a host.
const STOP: Duration = Duration::from_millis(660);
const LOSS: Duration = Duration::from_millis(3600);
/// How much longer a busy machine may take.
const SLACK: u32 = 3;

/// One node's config; `more` goes into the instance.
fn config(state: &str, priority: u8, more: &str) -> String {
    format!(
        "global_defs {{\n    router_id LVS\n    script_user root\n}}\n\
         vrrp_instance VI_1 {{\n    state {state}\n    interface eth0\n    virtual_router_id 51\n    \
         priority {priority}\n    advert_int 1\n    authentication {{\n        auth_type PASS\n        \
         auth_pass 1111\n    }}\n    virtual_ipaddress {{\n        {VIP}/24\n        {SECOND_VIP} \
         label eth0:1\n    }}\n{more}}}\n"
    )
}

/// A pair, `first` on host a (192.168.80.122), `second` on host b (.123).
struct Pair {
    bed: Bed,
    makers: [Maker; 2],
}

impl Pair {
    fn new(makers: [Maker; 2]) -> Pair {
        Pair { bed: Bed::new(2), makers }
    }

    fn a(&self) -> &Host {
        &self.bed.hosts[0]
    }

    fn b(&self) -> &Host {
        &self.bed.hosts[1]
    }

    fn start_a(&self, config: &str) -> Daemon {
        Daemon::start(&self.bed, self.a(), self.makers[0], config)
    }

    fn start_b(&self, config: &str) -> Daemon {
        Daemon::start(&self.bed, self.b(), self.makers[1], config)
    }

    fn only_a(&self) -> bool {
        self.a().holds(VIP) && !self.b().holds(VIP)
    }

    fn only_b(&self) -> bool {
        self.b().holds(VIP) && !self.a().holds(VIP)
    }

    /// Until one holds the address and the other doesn't; and for a while after.
    fn settle(&self, what: &str, is_so: impl Fn(&Pair) -> bool) -> Duration {
        let time = wait_until(what, PATIENCE, || is_so(self));
        eprintln!("{:?}: {what}: {:.2} s", self.makers, time.as_secs_f64());
        time
    }
}

use Maker::{Debian, Evenkeel};

/// Higher priority wins, a stop hands over, a comeback takes back, a lost host is replaced and
/// after healing there is one master again.
fn life_of_a_pair(makers: [Maker; 2]) {
    let pair = Pair::new(makers);
    let low = config("BACKUP", 90, "");
    let high = config("MASTER", 100, "");
    let b = pair.start_b(&low);
    let a = pair.start_a(&high);
    pair.settle("start, the higher priority holds the address", Pair::only_a);
    stays("one master", Duration::from_secs(3), || pair.only_a());
    assert!(pair.a().holds(SECOND_VIP), "the second address is there too");

    let begun = Instant::now();
    let stopped = std::thread::spawn(move || a.stop());
    let time = pair.settle("stop, the other one holds the address", Pair::only_b);
    assert!(time < STOP * SLACK, "{time:?}");
    assert!(is_clean(stopped.join().unwrap()));
    assert!(!pair.a().holds(SECOND_VIP), "nothing stays behind");
    eprintln!("  (ended after {:.2} s)", begun.elapsed().as_secs_f64());

    let a = pair.start_a(&high);
    let time = pair.settle("comeback, preempted", Pair::only_a);
    assert!(time < LOSS * SLACK, "{time:?}");
    stays("one master", Duration::from_secs(2), || pair.only_a());

    pair.bed.connect(pair.a(), false);
    let time = pair.settle("host lost, the other one holds the address", |it| it.b().holds(VIP));
    assert!(time < LOSS * SLACK, "{time:?}");
    pair.bed.connect(pair.a(), true);
    let time = pair.settle("healed, one master", Pair::only_a);
    assert!(time < Duration::from_secs(1) * SLACK, "{time:?}");
    stays("one master", Duration::from_secs(2), || pair.only_a());

    pair.a().ip("link set eth0 down");
    let time = pair.settle("link down, the other one holds the address", Pair::only_b);
    assert!(time < LOSS * SLACK, "{time:?}");
    pair.a().ip("link set eth0 up");
    pair.settle("link up, preempted", Pair::only_a);
    assert!(is_clean(b.stop()));
    assert!(is_clean(a.stop()));
    assert!(!pair.a().holds(VIP) && !pair.b().holds(VIP), "nothing stays behind");
}

#[test]
fn evenkeel_as_master_of_keepalived() {
    life_of_a_pair([Evenkeel, Debian]);
}

#[test]
fn evenkeel_as_backup_of_keepalived() {
    life_of_a_pair([Debian, Evenkeel]);
}

#[test]
fn two_of_evenkeel() {
    life_of_a_pair([Evenkeel, Evenkeel]);
}

/// Two masters with equal priorities meet: the higher address stays.
fn equals(makers: [Maker; 2]) {
    let pair = Pair::new(makers);
    let config = config("MASTER", 100, "");
    pair.bed.connect(pair.a(), false);
    let _daemons = [pair.start_a(&config), pair.start_b(&config)];
    pair.settle("two masters that don't hear each other", |it| {
        it.a().holds(VIP) && it.b().holds(VIP)
    });
    pair.bed.connect(pair.a(), true);
    pair.settle("equal priorities, the higher address holds", Pair::only_b);
    stays("one master", Duration::from_secs(4), || pair.only_b());
}

#[test]
fn equal_priorities_are_decided_by_address() {
    for makers in [[Evenkeel, Debian], [Debian, Evenkeel]] {
        equals(makers);
    }
}

/// `nopreempt`: who was master stays it when a higher priority comes.
fn no_preemption(makers: [Maker; 2]) {
    let pair = Pair::new(makers);
    let _b = pair.start_b(&config("BACKUP", 90, "    nopreempt\n"));
    pair.settle("alone, the lower priority holds the address", Pair::only_b);
    let _a = pair.start_a(&config("BACKUP", 100, "    nopreempt\n"));
    stays("nopreempt", Duration::from_secs(6), || pair.only_b());
    pair.bed.connect(pair.b(), false);
    pair.settle("host lost, the higher priority holds the address", |it| it.a().holds(VIP));
}

#[test]
fn nopreempt_keeps_the_master() {
    for makers in [[Evenkeel, Debian], [Debian, Evenkeel]] {
        no_preemption(makers);
    }
}

/// A failing script with a weight moves the address, and its recovery brings it back; notify
/// scripts are told.
fn tracked(makers: [Maker; 2]) {
    let pair = Pair::new(makers);
    let flag = pair.bed.path("fails");
    let check = pair.bed.script("check", &format!("test ! -e {}", flag.display()));
    let notes = pair.bed.path("notes");
    let note = pair.bed.script("note", &format!("echo $* >> {}", notes.display()));
    let (check, note) = (check.display(), note.display());
    let script =
        format!("vrrp_script chk {{\n    script \"{check}\"\n    interval 1\n    weight -20\n}}\n");
    let more = format!(
        "    track_script {{\n        chk\n    }}\n    notify_master \"{note} master\"\n    \
         notify_backup \"{note} backup\"\n    notify_stop \"{note} stop\"\n    notify \"{note} any\"\n"
    );
    let a = pair.start_a(&(script + &config("MASTER", 100, &more)));
    let _b = pair.start_b(&config("BACKUP", 90, ""));
    pair.settle("start, the higher priority holds the address", Pair::only_a);
    std::fs::write(&flag, "").unwrap();
    let time = pair.settle("script failed, the other one holds the address", Pair::only_b);
    assert!(time < (LOSS + Duration::from_secs(1)) * SLACK, "{time:?}");
    std::fs::remove_file(&flag).unwrap();
    let time = pair.settle("script recovered, the address is back", Pair::only_a);
    assert!(time < (LOSS + Duration::from_secs(1)) * SLACK, "{time:?}");
    assert!(is_clean(a.stop()));
    let expected = [
        ("backup", "any INSTANCE VI_1 BACKUP 100"),
        ("master", "any INSTANCE VI_1 MASTER 100"),
        ("backup", "any INSTANCE VI_1 BACKUP 80"),
        ("master", "any INSTANCE VI_1 MASTER 100"),
        ("stop", "any INSTANCE VI_1 STOP 100"),
    ];
    // The two scripts of one change run beside each other.
    let told = || -> Vec<String> {
        let notes = std::fs::read_to_string(&notes).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    };
    wait_until("all notes", PATIENCE, || told().len() >= 2 * expected.len());
    for (change, (own, any)) in told().chunks(2).zip(expected) {
        let mut change = change.to_vec();
        change.sort();
        let mut wanted = vec![own.to_owned(), any.to_owned()];
        wanted.sort();
        assert_eq!(change, wanted, "{makers:?}");
    }
}

#[test]
fn a_failing_script_moves_the_address() {
    for makers in [[Evenkeel, Debian], [Debian, Evenkeel]] {
        tracked(makers);
    }
}

/// A check for a process hears of its end at once, though nobody reaps it and the next run is far
/// off; the real `killall` would still find it.
#[test]
fn the_end_of_a_checked_process_moves_the_address() {
    let pair = Pair::new([Evenkeel, Debian]);
    let name = format!("ekp{}", std::process::id());
    let program = pair.bed.path(&name);
    std::fs::copy("/bin/sleep", &program).unwrap();
    let run = || Command::new(&program).arg("1000").spawn().unwrap();
    let mut victim = run();
    let script = format!(
        "vrrp_script chk {{\n    script \"killall -0 {name}\"\n    interval 30\n    weight -20\n}}\n"
    );
    let tracking = "    track_script {\n        chk\n    }\n";
    let a = pair.start_a(&(script + &config("MASTER", 100, tracking)));
    let _b = pair.start_b(&config("BACKUP", 90, ""));
    pair.settle("start, the higher priority holds the address", Pair::only_a);
    stays("one master", Duration::from_secs(2), || pair.only_a());
    victim.kill().unwrap();
    let lowered = "Changing effective priority from 100 to 80";
    let time = wait_until("noticed", PATIENCE, || a.log().contains(lowered));
    eprintln!("noticed after {:.3} s", time.as_secs_f64());
    assert!(time < Duration::from_millis(500) * SLACK, "{time:?}");
    let time = pair.settle("process dead, the other one holds the address", Pair::only_b);
    assert!(time < LOSS * SLACK, "{time:?}");
    let real = Command::new("killall").args(["-0", &name]).status().unwrap();
    assert!(real.success(), "it is a zombie, as meant");
    victim.wait().unwrap();
}

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
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
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
fn without_choices(mut frame: Vec<u8>) -> Vec<u8> {
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

/// A role that is killed is back, and master, before its peer would take over; the address stays.
#[test]
fn a_killed_role_is_followed_unnoticed() {
    let pair = Pair::new([Evenkeel, Debian]);
    let a = pair.start_a(&config("MASTER", 100, ""));
    let b = pair.start_b(&config("BACKUP", 90, ""));
    pair.settle("start, the higher priority holds the address", Pair::only_a);
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
        let mut sender = HeaderSender::open("eth0").unwrap();
        let source = Ipv4Addr::new(192, 168, 80, 123);
        let group = Ipv4Addr::new(224, 0, 0, 18);
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
            let _ = sender.send(112, source, group, &pdu);
        }
    });
    stays("still master", Duration::from_secs(3), || pair.a().holds(VIP));
    let lines = daemon.log().lines().count() - quiet_log;
    assert!((1..200).contains(&lines), "{lines} lines about 20,000 packets");
    let _b = pair.start_b(&config("BACKUP", 90, ""));
    stays("heard as master", Duration::from_secs(5), || pair.only_a());
    assert!(is_clean(daemon.stop()));
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
