//! Evenkeel beside the real keepalived: one on each of two hosts, both ways round.
//!
//! Needs root, iproute2, keepalived, tcpdump, tshark. Times are printed; the bounds are wide, since
//! other tests run on the same cores. This file has elections and hand-overs; `peers/wire.rs` what goes
//! over the wire, `peers/unicast.rs` the same without multicast, `peers/mishaps.rs` what others do to a
//! node, `peers/groups.rs` instances that change state together.

mod announcing;
mod choices;
mod counting;
mod devices;
mod files;
mod groups;
mod ipv6;
mod links;
mod matrix;
mod mishaps;
mod passing;
mod places;
mod processes;
mod reload;
mod scripts;
mod shortage;
mod signals;
mod tracking;
mod unicast;
mod version3;
mod watched;
mod weights;
mod wire;

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use super::bed::daemon::{Daemon, Maker, is_clean};
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
    life_of_a_pair_by(makers, config("MASTER", 100, ""), config("BACKUP", 90, ""));
}

/// `high`: the first one's config.
fn life_of_a_pair_by(makers: [Maker; 2], high: String, low: String) {
    let pair = Pair::new(makers);
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
    let all_of = |changes| wait_until("all notes", PATIENCE, || told().len() >= 2 * changes);
    // Nobody waits for scripts: those of the promotion have to be over before the next ones start.
    all_of(expected.len() - 1);
    assert!(is_clean(a.stop()));
    all_of(expected.len());
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
