//! Reloads and deaths while clients come and go.

use nix::sys::signal::Signal;

use super::load::{Load, Size, echo};
use super::master::{Master, Which, ends, ip, send, wait_for};
use super::{MAIN, RELOADED, assert_nothing_lost, proxy};

/// Resident memory of a process, kB.
fn memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn reloads_under_load_lose_nothing_and_cost_no_process_and_no_memory() {
    let size = Size::wanted();
    let (front, address) = (format!("{}:8080", ip(1)), ip(1));
    for port in 9001..=9004 {
        echo(&format!("{address}:{port}"));
    }
    let plan = |number: u32| {
        let first = 9001 + number % 4;
        let (second, weight) = (9001 + (number + 1) % 4, 1 + number % 5);
        let extra = if number.is_multiple_of(2) { "" } else { "listen unix:DIR/socket;" };
        format!(
            "upstream u {{ server {address}:{first} weight={weight}; server {address}:{second}; }}
             server {{ listen {front}; {extra} proxy_pass u; }}"
        )
    };
    let main = format!("{MAIN} worker_shutdown_timeout 1h;");
    let master = Master::start(Which::Evenkeel, &main, &plan(0));
    let pid = master.pid().unwrap();
    let workers = master.workers(pid);
    let load = Load::start(&front, size);
    let mut early = 0;
    let begun = std::time::Instant::now();
    for number in 1..=size.reloads {
        // One in eight has an error, and changes nothing.
        let broken = number % 8 == 3;
        let said = if broken { "unknown directive \"bogus\"" } else { RELOADED };
        let before = master.log().matches(said).count();
        match broken {
            true => master.break_configuration(),
            false => master.configure(&plan(number)),
        }
        send(pid, Signal::SIGHUP);
        assert!(wait_for(|| master.log().matches(said).count() > before), "{}", master.log());
        assert_eq!(master.workers(pid), workers);
        if number == size.reloads / 4 {
            early = memory(workers[0]);
        }
        std::thread::sleep((size.span * number / size.reloads).saturating_sub(begun.elapsed()));
    }
    let late = memory(workers[0]);
    assert_nothing_lost(load);
    assert!(late <= early + early / 10 + 1024, "{early} kB, then {late} kB");
    send(pid, Signal::SIGQUIT);
    ends(pid);
}

#[test]
fn a_killed_worker_loses_its_own_sessions_and_no_other() {
    let size = Size::wanted();
    let (front, stream) = proxy(1);
    let master = Master::start(Which::Evenkeel, MAIN, &stream);
    let pid = master.pid().unwrap();
    let load = Load::start(&front, size);
    load.goes_on(20);
    let killed = master.workers(pid)[0];
    send(killed, Signal::SIGKILL);
    master.logs("exited on signal 9");
    assert!(wait_for(|| master.workers(pid).iter().any(|worker| *worker != killed)));
    load.goes_on(100);
    let outcome = load.end();
    let (long, short): (Vec<String>, Vec<String>) =
        outcome.failures.into_iter().partition(|failure| failure.starts_with("long"));
    assert_eq!(long.len(), size.held);
    // Those that the worker had at that moment; nobody is refused, nobody waits in vain.
    assert!(short.len() <= 3 + size.rate as usize / 20, "{short:?}");
    assert!(
        short.iter().all(|it| !it.contains("refused") && !it.contains("no answer")),
        "{short:?}"
    );
    let load = Load::start(&front, size);
    load.goes_on(50);
    assert_nothing_lost(load);
}
