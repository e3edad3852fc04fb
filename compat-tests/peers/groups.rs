//! Sync groups: two instances on two networks that change state together.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::super::bed::daemon::{Daemon, is_clean, kill};
use super::super::bed::{Host, stays, wait_until};
use super::Maker::{self, Debian, Evenkeel};
use super::{PATIENCE, Pair};

const FIRST: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 100);
const SECOND: Ipv4Addr = Ipv4Addr::new(192, 168, 81, 100);

/// The node of this priority; `note` is a command, called with words, `fifo` where to write.
fn config(priority: u8, note: &str, fifo: &str) -> String {
    let instance = |name: &str, interface: &str, vrid: u8, address: Ipv4Addr, priority: u8| {
        format!(
            "vrrp_instance {name} {{\n    interface {interface}\n    virtual_router_id {vrid}\n    \
             priority {priority}\n    version 3\n    advert_int 0.3\n    virtual_ipaddress {{\n        \
             {address}/24\n    }}\n    notify \"{note}\"\n}}\n"
        )
    };
    format!(
        "global_defs {{\n    router_id LVS\n    script_user root\n    vrrp_notify_fifo {fifo}\n}}\nvrrp_sync_group G {{\n    group {{\n        \
         VI_1\n        VI_2\n    }}\n    notify_master \"{note} group master\"\n    notify_backup \"{note} \
         group backup\"\n    notify_fault \"{note} group fault\"\n    notify_stop \"{note} group stop\"\n    \
         notify \"{note}\"\n}}\n{}{}",
        instance("VI_1", "eth0", 51, FIRST, priority),
        // The second would win or lose by other figures: what counts is the group.
        instance("VI_2", "eth1", 52, SECOND, priority + 3),
    )
}

/// What node a's FIFO is told, from the first MASTER on: who has caused a change comes first, the
/// group last. Which of the two members misses the other node last, and thus moves first, is left out.
const IN_ORDER: &str = "VI MASTER VI MASTER G MASTER VI_2 FAULT VI_1 FAULT G FAULT VI_2 BACKUP VI_1 BACKUP \
                        G BACKUP VI MASTER VI MASTER G MASTER VI_1 STOP VI_2 STOP G STOP";

/// Reads the FIFO until its writer has gone.
fn listen(fifo: &str) -> std::thread::JoinHandle<Vec<String>> {
    let fifo = fifo.to_owned();
    wait_until("the FIFO", PATIENCE, || std::path::Path::new(&fifo).exists());
    std::thread::spawn(move || {
        let text = std::fs::read_to_string(&fifo).unwrap();
        let line = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let name = words[1].trim_matches('"');
            let name = if words[2] == "MASTER" { name.split('_').next().unwrap() } else { name };
            format!("{name} {}", words[2])
        };
        // Whether one is heard while both are masters is a matter of luck.
        text.lines().filter(|line| !line.contains("RX_LOWER")).map(line).collect()
    })
}

fn has_both(host: &Host) -> bool {
    host.holds(FIRST) && host.holds(SECOND)
}

fn has_none(host: &Host) -> bool {
    !host.holds(FIRST) && !host.holds(SECOND)
}

fn they_move_together(makers: [Maker; 2]) {
    let pair = Pair::new(makers);
    pair.bed.second_network();
    let notes = |host: &Host| pair.bed.path(&format!("{}-notes", host.name));
    let note = |host: &Host| {
        let body = format!("echo $* >> {}", notes(host).display());
        pair.bed.script(&format!("{}-note", host.name), &body).display().to_string()
    };
    let only_a = |it: &Pair| has_both(it.a()) && has_none(it.b());
    let only_b = |it: &Pair| has_both(it.b()) && has_none(it.a());
    // What node a's scripts were told since the last call, in alphabetical order: those of one change
    // run beside each other.
    let mut seen = 0;
    let mut told = |count: usize| -> Vec<String> {
        let read = || std::fs::read_to_string(notes(pair.a())).unwrap_or_default();
        wait_until("all notes", PATIENCE, || read().lines().count() >= seen + count);
        std::thread::sleep(Duration::from_millis(100));
        let mut lines: Vec<String> = read().lines().skip(seen).map(str::to_owned).collect();
        seen += lines.len();
        lines.sort();
        lines
    };
    let change = |state: &str| -> Vec<String> {
        vec![
            format!("GROUP G {state} 0"),
            format!("INSTANCE VI_1 {state} 100"),
            format!("INSTANCE VI_2 {state} 103"),
            format!("group {}", state.to_lowercase()),
        ]
    };
    let both = |one: &str, other: &str| {
        let mut lines = [change(one), change(other)].concat();
        lines.sort();
        lines
    };

    let fifo = |host: &Host| pair.bed.path(&format!("{}-fifo", host.name)).display().to_string();
    let a = pair.start_a(&config(100, &note(pair.a()), &fifo(pair.a())));
    let lines = listen(&fifo(pair.a()));
    let b = pair.start_b(&config(90, &note(pair.b()), &fifo(pair.b())));
    pair.settle("start, the higher priorities hold both addresses", only_a);
    assert_eq!(told(8), both("BACKUP", "MASTER"), "{makers:?}");

    pair.a().ip("link set eth1 down");
    pair.settle("one interface failed, both addresses have moved", only_b);
    assert_eq!(told(4), change("FAULT"), "{makers:?}");
    pair.a().ip("link set eth1 up");
    pair.settle("it is back, both addresses are", only_a);
    assert_eq!(told(8), both("BACKUP", "MASTER"), "{makers:?}");

    let missed = |it: &Daemon| it.log().matches("(VI_2) Receive advertisement timeout").count();
    let before = missed(&b);
    // A member that alone misses its master doesn't take over.
    pair.bed.connect_second(pair.a(), false);
    stays("half a loss is none", Duration::from_secs(4), || only_a(&pair));
    assert!(missed(&b) > before, "{makers:?}: {}", b.log());
    pair.bed.connect(pair.a(), false);
    pair.settle("the whole host lost, both addresses held", |it| has_both(it.b()));
    pair.bed.connect(pair.a(), true);
    pair.settle("one network healed, one holds both", only_a);
    pair.bed.connect_second(pair.a(), true);
    stays("one holds both", Duration::from_secs(2), || only_a(&pair));

    assert!(is_clean(a.stop()));
    pair.settle("stop, the other one holds both", only_b);
    assert_eq!(told(4), change("STOP"), "{makers:?}");
    let lines = lines.join().unwrap();
    // The first ones may have come before anybody read.
    let from = lines.iter().position(|line| line.contains("MASTER")).expect("it was master");
    assert_eq!(lines[from..].join(" "), IN_ORDER, "{makers:?}");
    assert!(is_clean(b.stop()));
    assert!(has_none(pair.a()) && has_none(pair.b()), "nothing stays behind");
}

/// The role of a group's active node is killed: its successor goes on with both addresses. And where
/// one of them was gone by then, the group begins anew as one: nobody holds half of it for long.
#[test]
fn a_killed_role_is_followed_by_the_whole_group() {
    let pair = Pair::new([Evenkeel, Debian]);
    pair.bed.second_network();
    let note = pair.bed.script("note", "true").display().to_string();
    let fifo = |host: &Host| pair.bed.path(&format!("{}-fifo", host.name)).display().to_string();
    let only_a = |it: &Pair| has_both(it.a()) && has_none(it.b());
    let a = pair.start_a(&config(100, &note, &fifo(pair.a())));
    let b = pair.start_b(&config(90, &note, &fifo(pair.b())));
    pair.settle("start, the higher priorities hold both addresses", only_a);
    stays("one holds both", Duration::from_secs(2), || only_a(&pair));
    let masters = || b.log().matches("Entering MASTER STATE").count();
    let (before, role) = (masters(), a.vrrp_pid());
    kill("KILL", role as i32);
    stays("both addresses stay", Duration::from_secs(3), || only_a(&pair));
    assert_ne!(a.vrrp_pid(), role);
    assert_eq!(masters(), before, "{}", b.log());

    let role = a.vrrp_pid();
    kill("STOP", role as i32);
    pair.a().ip(&format!("addr del {SECOND}/24 dev eth1"));
    kill("KILL", role as i32);
    let (mut halves, mut longest) = (None::<Instant>, Duration::ZERO);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        let half = |host: &Host| host.holds(FIRST) != host.holds(SECOND);
        match half(pair.a()) || half(pair.b()) {
            true => longest = longest.max(halves.get_or_insert_with(Instant::now).elapsed()),
            false => halves = None,
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    eprintln!("half a group was held for {longest:?}");
    assert!(longest < Duration::from_millis(700), "{longest:?}: {}", a.log());
    pair.settle("the higher priorities hold both again", only_a);
    assert!(is_clean(a.stop()));
    assert!(is_clean(b.stop()));
    assert!(has_none(pair.a()) && has_none(pair.b()), "nothing stays behind");
}

#[test]
fn evenkeel_first() {
    they_move_together([Evenkeel, Debian]);
}

#[test]
fn keepalived_first() {
    they_move_together([Debian, Evenkeel]);
}
