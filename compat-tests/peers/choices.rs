//! Choices that keepalived.conf leaves to an instance, where two masters meet and where a node was
//! asleep: with the real keepalived as the other node.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::super::bed::daemon::{Maker, kill};
use super::super::bed::{stays, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::wire::frames;
use super::{PATIENCE, Pair};

/// Version 3, adverts two seconds apart: what is sent besides stands out.
fn config(priority: u8, more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version 3\n \
         priority {priority}\n advert_int 2\n garp_master_delay 0\n{more} virtual_ipaddress {{\n  \
         192.168.80.100/24\n }}\n}}\n"
    )
}

/// Adverts in a capture of host b: who sent each, by the last byte of the address, and when.
fn adverts(file: &std::path::Path) -> Vec<(u8, Duration)> {
    let bytes = std::fs::read(file).unwrap();
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut times = Vec::new();
    while rest.len() >= 16 {
        let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
        let Some(next) = rest.get(16 + word(8) as usize..) else { break };
        times.push(Duration::new(word(0).into(), word(4) * 1000));
        rest = next;
    }
    let whole = bytes.len() - rest.len();
    let frames = frames(&bytes[..whole]).into_iter().zip(times);
    let vrrp = frames.filter(|(it, _)| it[12..14] == [8, 0] && it[23] == 112);
    vrrp.map(|(frame, at)| (frame[29], at)).collect()
}

/// Two masters that didn't hear each other do: what each says until one gives way.
fn meeting(makers: [Maker; 2], says_once_more: bool, answers: bool) {
    let word = |on: bool| if on { "on" } else { "off" };
    let pair = Pair::new(makers);
    pair.bed.connect(pair.a(), false);
    let low = config(100, &format!(" higher_prio_send_advert {}\n", word(says_once_more)));
    let high = config(200, &format!(" lower_prio_no_advert {}\n", word(!answers)));
    let (_a, _b) = (pair.start_a(&low), pair.start_b(&high));
    let files = [pair.bed.path("a.pcap"), pair.bed.path("b.pcap")];
    wait_until("two masters", PATIENCE, || {
        pair.a().holds(super::VIP) && pair.b().holds(super::VIP)
    });
    let captures = [pair.a().capture(&files[0]), pair.b().capture(&files[1])];
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Nobody is about to speak, or it would be chance who is heard.
    wait_until("a quiet moment", PATIENCE, || {
        files.iter().all(|file| {
            let last = adverts(file).last().map(|(_, at)| *at);
            last.is_some_and(|at| (0.1..1.6).contains(&now().saturating_sub(at).as_secs_f64()))
        })
    });
    let met = now();
    pair.bed.connect(pair.a(), true);
    wait_until("one master", PATIENCE, || pair.only_b());
    std::thread::sleep(Duration::from_millis(700));
    drop(captures);
    // What is said at once.
    const A: u8 = 122;
    const B: u8 = 123;
    let all: Vec<_> = adverts(&files[1]).into_iter().filter(|(_, at)| *at >= met).collect();
    let near = all.iter().filter(|(_, at)| *at < all[0].1 + Duration::from_millis(300));
    let near: Vec<u8> = near.map(|(who, _)| *who).collect();
    let mut wanted = Vec::new();
    let case = format!("{makers:?}, once more: {says_once_more}, answers: {answers}: {near:?}");
    match *near.first().unwrap_or_else(|| panic!("{case}: {all:?}")) {
        A if !answers => {
            // Nobody reacts to it; b's next one does what there is to do.
            wanted.extend([A]);
            return assert!(near.starts_with(&wanted), "{case}");
        }
        A => wanted.extend([A, B]),
        _ => wanted.push(B),
    }
    if says_once_more {
        wanted.push(A);
        if answers {
            wanted.push(B);
        }
    }
    assert_eq!(near, wanted, "{case}");
}

/// `higher_prio_send_advert` and `lower_prio_no_advert`, each on and off, both makers in both roles.
#[test]
fn two_masters_that_meet_say_as_much_as_they_were_told() {
    std::thread::scope(|scope| {
        for makers in [[Evenkeel, Debian], [Debian, Evenkeel]] {
            for (says_once_more, answers) in
                [(true, true), (true, false), (false, true), (false, false)]
            {
                scope.spawn(move || meeting(makers, says_once_more, answers));
            }
        }
    });
}

/// What becomes of a master whose process was stopped for 3 s from right after an advert: three
/// quarters of what its peer waits. Whether it was master all the time.
fn asleep(more: &str) -> bool {
    let pair = Pair::new([Evenkeel, Debian]);
    let v2 = |priority, more: &str| {
        config(priority, &format!(" nopreempt\n{more}"))
            .replace("version 3", "version 2")
            .replace("advert_int 2", "advert_int 1")
    };
    let a = pair.start_a(&v2(1, more));
    pair.settle("the first one holds the address", Pair::only_a);
    // As low as the first one: it waits as long as any node may.
    let b = pair.start_b(&v2(1, ""));
    stays("it is left alone", Duration::from_secs(5), || pair.only_a());
    let file = pair.bed.path("wire.pcap");
    let _capture = pair.b().capture(&file);
    let heard = || adverts(&file).len();
    let before = heard();
    wait_until("an advert", PATIENCE, || heard() > before);
    let (role, begun) = (a.vrrp_pid() as i32, Instant::now());
    kill("STOP", role);
    std::thread::sleep(Duration::from_millis(3_450).saturating_sub(begun.elapsed()));
    kill("CONT", role);
    assert!(!b.log().contains("Entering MASTER"), "it took over too early: the machine is slow");
    let overslept = || a.log().contains("listening first");
    let begun = Instant::now();
    while !overslept() && begun.elapsed() < Duration::from_millis(1_500) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let stepped_back = overslept();
    pair.settle("one master", |it| it.only_a() || it.only_b());
    !stepped_back
}

/// `timer_expired_backup`: a master that was asleep steps back as soon as a node of the priority given
/// may have taken over; without it, when one of its own may have.
#[test]
fn a_master_that_was_asleep_steps_back_as_early_as_it_was_told() {
    let (early, usual) = std::thread::scope(|scope| {
        let early = scope.spawn(|| asleep(" timer_expired_backup\n"));
        let usual = scope.spawn(|| asleep(""));
        (early.join().unwrap(), usual.join().unwrap())
    });
    assert!(!early, "it steps back");
    assert!(usual, "without it there is time left");
}

/// From now on Evenkeel takes the host for one that was booted a second ago (time_namespaces(7)).
fn just_booted(pair: &Pair) {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: u64 = uptime.split('.').next().unwrap().parse().unwrap();
    let folder = pair.bed.path("program");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("keepalived");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_evenkeel"), &program).unwrap();
    let body = format!(
        "exec unshare --time --boottime -{} --fork {} \"$@\"",
        uptime.saturating_sub(1),
        program.display()
    );
    pair.bed.script("keepalived", &body);
}

/// `vrrp_delay_after_boot`, which only 2.4 has: counted from the boot of the host, beside a master of
/// lower priority that is left alone for so long; and `vrrp_startup_delay`, without any master, beside
/// the real one's.
#[test]
fn a_node_only_listens_for_as_long_as_it_was_told() {
    let fast = |priority| config(priority, "").replace("advert_int 2", "advert_int 0.3");
    std::thread::scope(|scope| {
        let boot = scope.spawn(move || {
            let pair = Pair::new([Evenkeel, Debian]);
            let _b = pair.start_b(&fast(100));
            pair.settle("the lower one holds the address", Pair::only_b);
            just_booted(&pair);
            let begun = Instant::now();
            let globals = "global_defs {\n vrrp_delay_after_boot 5\n}\n".to_owned();
            let _a = pair.start_a(&(globals + &fast(200)));
            pair.settle("preempted after the delay", Pair::only_a);
            begun.elapsed()
        });
        let start = move |maker: Maker| {
            let pair = Pair::new([maker, maker]);
            let globals = "global_defs {\n vrrp_startup_delay 2\n}\n".to_owned();
            let begun = Instant::now();
            let _a = pair.start_a(&(globals + &fast(200)));
            pair.settle("master after the delay", Pair::only_a);
            begun.elapsed()
        };
        let (real, ours) =
            (scope.spawn(move || start(Debian)), scope.spawn(move || start(Evenkeel)));
        let (boot, real, ours) = (boot.join().unwrap(), real.join().unwrap(), ours.join().unwrap());
        eprintln!("after boot {boot:?}; after start {ours:?}, keepalived {real:?}");
        assert!(boot > Duration::from_secs(2), "{boot:?}");
        for time in [real, ours] {
            assert!(time > Duration::from_millis(2_600), "{time:?}");
        }
        assert!(real.abs_diff(ours) < Duration::from_secs(1), "{real:?}, {ours:?}");
    });
}
