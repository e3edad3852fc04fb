//! Another executable while clients come and go.

use nix::sys::signal::Signal;

use super::load::{Load, Size};
use super::master::{Master, Which, ends, send, wait_for};
use super::{MAIN, assert_nothing_lost, proxy, same};

/// USR2, WINCH and QUIT, as nginx's manual has them; nothing is lost.
fn upgrade(n: u8, from: Which, to: Which) {
    let (front, stream) = proxy(n);
    let master = Master::start(from, MAIN, &stream);
    let old = master.pid().unwrap();
    let load = Load::start(&front, Size::wanted());
    master.install(to);
    send(old, Signal::SIGUSR2);
    let new = master.next_pid(old);
    assert_eq!(master.old_pid(), Some(old));
    master.logs("using inherited sockets from");
    load.goes_on(50);
    send(old, Signal::SIGWINCH);
    // Long sessions stay with the old workers.
    load.goes_on(50);
    assert!(!master.workers(old).is_empty());
    assert_nothing_lost(load);
    assert!(wait_for(|| master.workers(old).is_empty()), "{from:?} {to:?}: {}", master.log());
    send(old, Signal::SIGQUIT);
    ends(old);
    assert!(wait_for(|| master.old_pid().is_none()));
    assert_eq!(master.pid(), Some(new));
    // The unix socket is the new one's, and goes with it.
    std::os::unix::net::UnixStream::connect(master.path("socket")).unwrap();
    assert_eq!(master.run(&["-s", "quit"]).0, 0);
    ends(new);
    assert_eq!(master.pid(), None);
    assert!(!master.path("socket").exists());
    let failed = master
        .log()
        .lines()
        .find(|line| line.contains("[emerg]") || line.contains("[alert]"))
        .map(str::to_owned);
    assert_eq!(failed, None);
}

#[test]
fn nginx_follows_nginx() {
    upgrade(1, Which::Nginx, Which::Nginx);
}

#[test]
fn evenkeel_follows_nginx() {
    upgrade(1, Which::Nginx, Which::Evenkeel);
}

#[test]
fn nginx_follows_evenkeel() {
    upgrade(1, Which::Evenkeel, Which::Nginx);
}

#[test]
fn evenkeel_follows_evenkeel() {
    upgrade(1, Which::Evenkeel, Which::Evenkeel);
}

/// Lines of the master about executables, workers and errors, without numbers and folders.
fn story(master: &Master) -> Vec<String> {
    let words = [
        "changing binary",
        "new binary",
        "ignor",
        "reconfiguring",
        "start worker processes",
        "stop accepting",
        "[emerg]",
        "[alert]",
        "[crit]",
        "inherited",
    ];
    let folder = master.path("").display().to_string();
    let log = master.log();
    let lines = log.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    let plain = |line: &str| {
        let line = line.replace(&folder, "DIR/");
        let (_, line) = line.split_once('[')?;
        let words = line.split(' ').filter(|word| !word.contains('#') || word.contains("DIR"));
        let number = |word: &str| match word.trim_end_matches(',').parse::<i32>() {
            Ok(pid @ 100..) => word.replace(&pid.to_string(), "N"),
            _ => word.to_owned(),
        };
        let line = words.map(number).collect::<Vec<_>>().join(" ").replace(" from N", "");
        // Which descriptors are free is chance.
        Some(match line.split_once("sockets from") {
            Some((before, _)) => format!("[{before}sockets from"),
            None => format!("[{line}"),
        })
    };
    let mut told: Vec<String> = lines
        .filter_map(plain)
        // Which of a master and its worker is killed first is chance.
        .filter(|line| !line.starts_with("[alert] worker process"))
        .collect();
    // nginx tells errors of a start to standard error too, which is the log.
    told.dedup();
    told
}

#[test]
fn going_back_to_the_old_executable_is_as_in_nginx() {
    same(|which| {
        let (front, stream) = proxy(1 + which as u8);
        let master = Master::start(which, MAIN, &stream);
        let old = master.pid().unwrap();
        let load = Load::start(&front, Size { held: 20, ..Size::wanted() });
        // Its workers are called back before the new one goes.
        send(old, Signal::SIGUSR2);
        let new = master.next_pid(old);
        load.goes_on(20);
        send(old, Signal::SIGUSR2);
        master.logs("ignored");
        send(new, Signal::SIGUSR2);
        assert!(wait_for(|| master.log().matches("ignored").count() == 2));
        send(old, Signal::SIGWINCH);
        load.goes_on(20);
        master.logs("stop accepting");
        let retired = master.workers(old);
        send(old, Signal::SIGHUP);
        assert!(wait_for(|| master.workers(old).iter().any(|pid| !retired.contains(pid))));
        send(new, Signal::SIGQUIT);
        load.goes_on(20);
        assert_nothing_lost(load);
        ends(new);
        assert!(wait_for(|| master.pid() == Some(old) && master.old_pid().is_none()));
        assert!(wait_for(|| master.workers(old).iter().all(|pid| !retired.contains(pid))));
        // They come back by themselves when nobody else is left; nothing short is lost.
        let load = Load::start(&front, Size { held: 0, ..Size::wanted() });
        send(old, Signal::SIGUSR2);
        let new = master.next_pid(old);
        send(old, Signal::SIGWINCH);
        assert!(wait_for(|| master.workers(old).is_empty()));
        send(new, Signal::SIGQUIT);
        ends(new);
        assert!(wait_for(|| !master.workers(old).is_empty()));
        load.goes_on(20);
        assert_nothing_lost(load);
        // One that is killed.
        send(old, Signal::SIGUSR2);
        let new = master.next_pid(old);
        for pid in master.workers(new).into_iter().chain([new]) {
            send(pid, Signal::SIGKILL);
        }
        assert!(wait_for(|| master.pid() == Some(old) && master.old_pid().is_none()));
        assert!(master.path("socket").exists());
        send(old, Signal::SIGTERM);
        ends(old);
        (master.pid(), master.path("socket").exists(), story(&master))
    });
}

#[test]
fn an_executable_that_cannot_follow_changes_nothing_as_in_nginx() {
    same(|which| {
        let (front, stream) = proxy(1 + which as u8);
        let master = Master::start(which, MAIN, &stream);
        let old = master.pid().unwrap();
        let load = Load::start(&front, Size { held: 20, ..Size::wanted() });
        let changes = |count: usize| {
            send(old, Signal::SIGUSR2);
            assert!(
                wait_for(|| {
                    let log = master.log();
                    let failures =
                        ["new binary process", "failed before executing", "execve() failed"];
                    let ends = log.lines().filter(|line| {
                        failures.iter().any(|it| line.contains(it)) && !line.contains("start new")
                    });
                    ends.count() >= count
                }),
                "{}",
                master.log()
            );
            std::thread::sleep(std::time::Duration::from_millis(100));
            assert_eq!((master.pid(), master.old_pid()), (Some(old), None));
        };
        master.break_configuration();
        changes(1);
        master.configure(&stream);
        let mut told = story(&master);
        master.remove_program();
        changes(2);
        master.install(which);
        std::fs::remove_file(master.path("pid")).unwrap();
        let before = story(&master).len();
        send(old, Signal::SIGUSR2);
        master.logs("failed before executing");
        told.extend(story(&master).into_iter().skip(before));
        assert_nothing_lost(load);
        send(old, Signal::SIGTERM);
        ends(old);
        told
    });
    // Of a program that isn't there nginx tells four lines, three of them about the process that was
    // to become it.
    let (_, stream) = proxy(4);
    let master = Master::start(Which::Evenkeel, MAIN, &stream);
    master.remove_program();
    send(master.pid().unwrap(), Signal::SIGUSR2);
    master.logs("[alert]");
    master.logs("execve() failed while executing new binary process");
    master.logs("(2: No such file or directory)");
}
