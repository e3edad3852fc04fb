//! Signals that reach a role before it listens to them.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cell::{Cell, KEEPALIVED_CONF, NGINX_CONF, wait_for};

/// Whoever finds the process by its parent (an exporter, `pkill -P`) may be faster than it.
#[test]
fn a_signal_that_comes_early_waits() {
    let cell = Cell::new();
    let keepalived = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let nginx = cell.write("nginx.conf", NGINX_CONF);
    for round in 0..10 {
        let mut command = cell.ours("evenkeel");
        let log = format!("log.{round}");
        let mut daemon = cell.daemon(command.args(["run", "-k", &keepalived, "-n", &nginx]), &log);
        let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
        let mut seen = std::collections::BTreeSet::new();
        // From the moment at which there is such a process.
        let both_were_hit = || {
            let now = std::fs::read_to_string(&children).unwrap_or_default();
            for pid in now.split_whitespace().filter_map(|it| it.parse::<i32>().ok()) {
                if seen.insert(pid) {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGUSR1);
                }
            }
            seen.len() >= 2
        };
        assert!(busily(both_were_hit), "{}", cell.read(&log));
        cell.expect(&log, "supervisor: ready");
        assert!(!cell.read(&log).contains("signal 10"), "{}", cell.read(&log));
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.ends(), 0);
        assert_eq!(seen.len(), 2, "no role was started twice");
    }
}

/// A reload that is asked for as soon as there is a socket: it waits, and doesn't end the master.
#[test]
fn a_reload_may_be_asked_for_before_the_start_is_over() {
    let cell = Cell::new();
    let nginx = cell.write("nginx.conf", NGINX_CONF);
    for round in 0..40 {
        let log = format!("log.{round}");
        let _ = std::fs::remove_file(cell.path("error.log"));
        let mut command = cell.ours("nginx");
        let mut daemon = cell.daemon(command.args(["-c", &nginx, "-g", "daemon off;"]), &log);
        assert!(busily(|| super::cell::connect(8080).is_ok()), "{}", cell.read(&log));
        daemon.signal(Signal::SIGHUP);
        assert!(wait_for(|| cell.read("error.log").contains("reconfiguring")), "round {round}");
        assert!(daemon.runs());
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.ends(), 0);
    }
}

/// As [`wait_for`], but without a rest.
fn busily(mut condition: impl FnMut() -> bool) -> bool {
    wait_for(|| (0..100_000).any(|_| condition()))
}
