//! Signals: which of them mean nothing to either daemon, and hundreds of the others at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evenkeel::kernel::process;

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, stays, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::processes::children;
use super::reload::Monitor;
use super::shortage::instance;
use super::{PATIENCE, Pair, VIP};

/// TERM and INT end it, KILL and STOP are nobody's choice, and the rest of these are a process's own
/// faults; and two HUP in a row may leave the real one deaf to any further one ("Reload already in
/// progress", for ever).
const OTHERWISE: [i32; 10] = [
    libc::SIGHUP,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
];

fn harmless() -> impl Iterator<Item = i32> {
    let usual = (1..=31).chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    usual.filter(|it| !OTHERWISE.contains(it))
}

/// A terminal that is closed, Ctrl-\ and Ctrl-Z, an alarm, an exporter with another idea of the
/// numbers.
fn outlives_what_is_harmless(maker: Maker) {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let config = instance("VI_1", "eth0", VIP, 200, "");
    let daemon = Daemon::start(&bed, host, maker, &config);
    wait_until("master", PATIENCE, || host.holds(VIP));
    let started = || daemon.log().contains("Startup complete");
    wait_until("started", PATIENCE, started);
    let role = daemon.vrrp_pid();
    let monitor = Monitor::start(&bed, host);
    std::thread::sleep(Duration::from_millis(300));
    for signal in harmless() {
        for pid in [role, daemon.pid()] {
            process::signal(pid as i32, signal).unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    stays("nothing happens", Duration::from_millis(1500), || host.holds(VIP));
    assert_eq!(children(daemon.pid()), [role], "{maker:?}");
    assert_eq!(monitor.losses(VIP), 0, "{maker:?}");
    // Neither is stopped, nor deaf.
    let reloads = daemon.log().matches("Reload complete").count();
    daemon.signal("HUP");
    wait_until("it listens", PATIENCE, || {
        daemon.log().matches("Reload complete").count() > reloads
    });
    assert!(is_clean(daemon.stop()));
    assert!(!host.holds(VIP));
}

#[test]
fn signals_that_mean_nothing_do_nothing() {
    std::thread::scope(|scope| {
        for maker in [Debian, Evenkeel] {
            scope.spawn(move || outlives_what_is_harmless(maker));
        }
    });
}

/// Set at the end, also if that is a panic: the sender would go on for ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Dumps, statistics cleared, reloads: hundreds of requests to both processes while it starts, reloads
/// and is cut off from its peer. (The real one waits anew with every reload, and isn't master before
/// they end.)
#[test]
fn bursts_of_signals_change_nothing() {
    let pair = Pair::new([Evenkeel, Debian]);
    let config = |priority| instance("VI_1", "eth0", VIP, priority, "");
    let b = pair.start_b(&config(90));
    pair.settle("alone, it is master", Pair::only_b);
    let a = pair.start_a(&config(200));
    let monitor = Monitor::start(&pair.bed, pair.a());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ends = Over(&over);
        let sender = scope.spawn(|| {
            let (mut sent, mut roles) = (0, BTreeSet::new());
            while !over.load(Ordering::Relaxed) {
                let targets = children(a.pid());
                roles.extend(targets.iter().copied());
                // It listens by then; one that comes earlier ends it.
                let parent = a.log().contains("Starting VRRP child").then_some(a.pid());
                for signal in [libc::SIGUSR1, libc::SIGUSR2, 36, 63, libc::SIGHUP] {
                    for pid in targets.iter().copied().chain(parent) {
                        let _ = process::signal(pid as i32, signal);
                        sent += 1;
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            (sent, roles)
        });
        pair.settle("it takes over meanwhile", Pair::only_a);
        pair.bed.connect(pair.a(), false);
        pair.settle("cut off, both are", |it| it.a().holds(VIP) && it.b().holds(VIP));
        pair.bed.connect(pair.a(), true);
        pair.settle("and the higher one is again", Pair::only_a);
        std::thread::sleep(Duration::from_millis(500));
        drop(ends);
        let (sent, roles) = sender.join().unwrap();
        assert_eq!(roles.len(), 1, "one role, from the beginning: {roles:?}");
        assert!(sent > 300, "{sent}");
    });
    stays("one master", Duration::from_millis(1500), || pair.only_a());
    assert_eq!(monitor.losses(VIP), 0, "its address never went");
    let reloaded = || a.log().matches("Reload complete").count();
    let reloads = reloaded();
    assert!(reloads > 0);
    a.signal("HUP");
    wait_until("it still reloads", PATIENCE, || reloaded() > reloads);
    assert!(is_clean(a.stop()));
    pair.settle("the other one takes over", Pair::only_b);
    assert!(is_clean(b.stop()));
}
