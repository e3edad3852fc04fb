//! How the supervisor keeps its roles: killed, stopped, reloaded, left alone.

use std::io::{Read, Write};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cell::{
    Background, Cell, Daemon, KEEPALIVED_CONF, NGINX_CONF, PATIENCE, alive, connect, echo, greeter,
    holds, next_pid, pid_in, run, wait_for,
};

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// `evenkeel run` with both files, ready.
fn both(cell: &Cell) -> Daemon {
    let keepalived = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let nginx = cell.write("nginx.conf", NGINX_CONF);
    let mut command = cell.ours("evenkeel");
    let daemon = cell.daemon(command.args(["run", "-k", &keepalived, "-n", &nginx]), "log");
    cell.expect("log", "supervisor: ready");
    daemon
}

/// Connects all the time; counts what was answered and what was refused.
struct Clients {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Clients {
    fn start(port: u16) -> Clients {
        let (stop, answered, refused) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicU32>::default(),
            Arc::<AtomicU32>::default(),
        );
        let (end, yes, no) = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&refused));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let mut greeting = String::new();
                match connect(port) {
                    // A session that its worker was holding when it was killed is lost; the next
                    // one isn't.
                    Ok(mut stream) => {
                        let _ = stream.read_to_string(&mut greeting);
                        yes.fetch_add(u32::from(greeting == "hello"), Ordering::Relaxed);
                    }
                    Err(_) => _ = no.fetch_add(1, Ordering::Relaxed),
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Clients { stop, answered, refused, thread: Some(thread) }
    }

    /// Waits until `more` clients were answered from now on.
    fn answered(&self, more: u32) {
        let before = self.answered.load(Ordering::Relaxed);
        let enough = || self.answered.load(Ordering::Relaxed) >= before + more;
        assert!(wait_for(enough), "clients get no answer");
    }

    fn end(mut self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.refused.load(Ordering::Relaxed)
    }
}

#[test]
fn a_killed_stream_role_is_back_and_nobody_is_refused() {
    let cell = Cell::new();
    greeter(9000, "hello");
    let _daemon = both(&cell);
    let clients = Clients::start(8080);
    clients.answered(5);
    let mut pid = pid_in("/run/nginx.pid");
    for _ in 0..3 {
        send(pid, Signal::SIGKILL);
        pid = next_pid("/run/nginx.pid", pid);
        clients.answered(5);
    }
    assert_eq!(clients.end(), 0);
}

#[test]
fn a_killed_vrrp_role_is_followed_by_one_that_holds_its_addresses_or_by_none() {
    let cell = Cell::new();
    let _daemon = both(&cell);
    assert!(wait_for(|| holds("192.0.2.100")), "{}", cell.read("log"));
    let first = pid_in("/run/keepalived.pid");
    send(first, Signal::SIGKILL);
    let second = next_pid("/run/keepalived.pid", first);
    cell.expect("log", &format!("vrrp role started, pid {second}"));
    for _ in 0..30 {
        assert!(holds("192.0.2.100"), "{}", cell.read("log"));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!cell.read("log").contains("removed from eth0"));
    // The next successor has to wait; adverts stop so long, and the address goes with them.
    send(second, Signal::SIGKILL);
    cell.expect("log", "192.0.2.100 removed from eth0");
    next_pid("/run/keepalived.pid", second);
    assert!(wait_for(|| holds("192.0.2.100")), "{}", cell.read("log"));
}

#[test]
fn nothing_is_left_when_the_supervisor_is_killed() {
    let cell = Cell::new();
    let mut daemon = both(&cell);
    assert!(wait_for(|| holds("192.0.2.100")), "{}", cell.read("log"));
    let roles = [pid_in("/run/keepalived.pid"), pid_in("/run/nginx.pid")];
    daemon.signal(Signal::SIGKILL);
    daemon.ends();
    assert!(wait_for(|| roles.iter().all(|pid| !alive(*pid))), "{}", cell.read("log"));
    assert!(!holds("192.0.2.100"));
    assert!(connect(8080).is_err());
}

#[test]
fn a_role_that_somebody_stopped_stays_stopped() {
    let cell = Cell::new();
    greeter(9000, "hello");
    let mut daemon = both(&cell);
    let nginx = pid_in("/run/nginx.pid");
    let stop = run(cell.ours("nginx").args(["-s", "stop", "-c", &cell.path("nginx.conf")]));
    assert_eq!(stop.code, 0, "{}", stop.err);
    cell.expect("log", "it stays stopped");
    assert!(!alive(nginx));
    assert!(!std::path::Path::new("/run/nginx.pid").exists());
    // Clients are refused at once, instead of waiting for nobody.
    assert!(connect(8080).is_err());
    std::thread::sleep(Duration::from_millis(500));
    assert!(!std::path::Path::new("/run/nginx.pid").exists());
    // A reload brings it back.
    daemon.signal(Signal::SIGHUP);
    pid_in("/run/nginx.pid");
    assert!(wait_for(|| connect(8080).is_ok()));
    // When both were stopped there is nothing left to supervise.
    send(pid_in("/run/nginx.pid"), Signal::SIGQUIT);
    send(pid_in("/run/keepalived.pid"), Signal::SIGTERM);
    assert_eq!(daemon.ends(), 0);
    assert!(!holds("192.0.2.100"));
}

#[test]
fn a_reload_drops_no_connection_and_a_bad_one_changes_nothing() {
    let cell = Cell::new();
    echo(9000);
    greeter(9001, "hello");
    let daemon = both(&cell);
    let nginx = pid_in("/run/nginx.pid");
    let mut long = connect(8080).unwrap();
    let mut talk = |words: &str| {
        long.write_all(words.as_bytes()).unwrap();
        let mut heard = vec![0; words.len()];
        long.read_exact(&mut heard).unwrap();
        assert_eq!(heard, words.as_bytes());
    };
    talk("before");
    let conf = NGINX_CONF.replace(":9000", ":9001").replace(":8080", ":8081");
    cell.write("nginx.conf", &conf);
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "supervisor: reloaded");
    talk("after");
    assert!(connect(8080).is_err(), "the old listener is closed");
    let mut greeting = String::new();
    connect(8081).unwrap().read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "hello");

    cell.write("nginx.conf", "events {} nonsense;\n");
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "unknown directive \"nonsense\"");
    cell.expect("log", "everything runs on by the config before it");
    talk("still");
    assert!(connect(8081).is_ok());

    // A new listener that can't be bound: nothing of the new config is in force.
    let _taken = std::net::TcpListener::bind(("127.0.0.1", 8082)).unwrap();
    cell.write("nginx.conf", &conf.replace(":8081", ":8082").replace(":9001", ":9000"));
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "still could not bind()");
    greeting.clear();
    connect(8081).unwrap().read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "hello");
    talk("to the end");
    assert_eq!(pid_in("/run/nginx.pid"), nginx, "one process served all of it");
}

#[test]
fn a_plan_that_a_role_cannot_take_over_is_taken_back() {
    let cell = Cell::new();
    greeter(9000, "hello");
    let daemon = both(&cell);
    let nginx = pid_in("/run/nginx.pid");
    // Nothing is wrong with the text, but the role can't open its log.
    let conf = NGINX_CONF.replace("DIR/error.log", "/nonexistent/error.log");
    let conf = conf.replace(":8080", ":8081").replace("/run/nginx.pid", "/run/other.pid");
    cell.write("nginx.conf", &conf);
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "everything runs on by the config before it");
    assert!(connect(8080).is_ok() && wait_for(|| connect(8081).is_err()), "{}", cell.read("log"));
    assert_eq!(pid_in("/run/nginx.pid"), nginx);
    assert!(!std::path::Path::new("/run/other.pid").exists());
    // A role that dies now comes back by the old plan.
    send(nginx, Signal::SIGKILL);
    next_pid("/run/nginx.pid", nginx);
    let mut greeting = String::new();
    connect(8080).unwrap().read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "hello");
    // And the next good config is taken over.
    cell.write("nginx.conf", &NGINX_CONF.replace(":8080", ":8082"));
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "supervisor: reloaded");
    assert!(connect(8082).is_ok() && connect(8080).is_err());
}

#[test]
fn reloads_under_connections_refuse_nobody() {
    let cell = Cell::new();
    greeter(9000, "hello");
    let conf = cell.write("nginx.conf", NGINX_CONF);
    let mut command = cell.ours("nginx");
    let mut daemon = cell.daemon(command.args(["-c", &conf, "-g", "daemon off;"]), "log");
    assert!(wait_for(|| connect(8080).is_ok()));
    let clients = Clients::start(8080);
    for round in 1..=10 {
        clients.answered(3);
        let weight = format!(":9000 weight={round};");
        cell.write("nginx.conf", &NGINX_CONF.replace(":9000;", &weight));
        daemon.signal(Signal::SIGHUP);
    }
    clients.answered(5);
    assert_eq!(clients.end(), 0);
    assert!(cell.read("error.log").contains(&format!(
        "signal 1 (SIGHUP) received from {}, reconfiguring",
        std::process::id()
    )));
    daemon.signal(Signal::SIGQUIT);
    assert_eq!(daemon.ends(), 0);
}

#[test]
fn nginx_workers_always_come_back() {
    let cell = Cell::new();
    let conf = cell.write("nginx.conf", NGINX_CONF);
    let started = run(cell.ours("nginx").args(["-c", &conf]));
    assert_eq!(started.code, 0, "{}", started.err);
    let master = pid_in("/run/nginx.pid");
    let _background = Background(master);
    let worker = || {
        let out = run(Command::new("pgrep").args(["-P", &master.to_string()])).out;
        out.trim().parse::<i32>().ok()
    };
    for (signal, words) in [
        (Signal::SIGKILL, "exited on signal 9"),
        (Signal::SIGTERM, "exited with code 0"),
        (Signal::SIGQUIT, "exited with code 0"),
    ] {
        assert!(wait_for(|| worker().is_some()));
        let old = worker().unwrap();
        // A process that was not yet told what to do ends by the signal's default: this one has
        // to have said something. (The master holds the door open meanwhile.)
        assert!(wait_for(|| connect(8080).is_ok()));
        cell.expect("error.log", &format!(" {old}#"));
        send(old, signal);
        // As nginx has it: the process, and the thread that says it (which is the main one).
        let said = format!("{master}#{master}: worker process {old} {words}");
        cell.expect("error.log", &said);
        assert!(wait_for(|| worker().is_some_and(|new| new != old)));
    }
    assert!(wait_for(|| connect(8080).is_ok()));
    cell.expect("error.log", &format!(" {}#", worker().unwrap()));
    // USR1: logs are opened anew after somebody has moved them.
    std::fs::rename(cell.path("error.log"), cell.path("old.log")).unwrap();
    assert_eq!(run(cell.ours("nginx").args(["-c", &conf, "-s", "reopen"])).code, 0);
    cell.expect("old.log", "reopening logs");
    assert!(wait_for(|| std::path::Path::new(&cell.path("error.log")).exists()));
    // WINCH: no worker until the next reload.
    send(master, Signal::SIGWINCH);
    assert!(wait_for(|| worker().is_none()));
    cell.expect("error.log", "signal 28 (SIGWINCH) received");
    send(master, Signal::SIGHUP);
    assert!(wait_for(|| worker().is_some()));
    assert_eq!(run(cell.ours("nginx").args(["-c", &conf, "-s", "quit"])).code, 0);
    assert!(wait_for(|| !alive(master)));
    assert!(!std::path::Path::new("/run/nginx.pid").exists());
    cell.expect("error.log", ": exit\n");
}

#[test]
fn keepalived_comes_back_reloads_and_stops() {
    let cell = Cell::new();
    let conf = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let mut command = cell.ours("keepalived");
    let mut daemon = cell.daemon(command.args(["-n", "-l", "-G", "-f", &conf]), "log");
    cell.expect("log", "Startup complete");
    cell.expect("log", "(VI_1) Entering MASTER STATE");
    let child = pid_in("/run/vrrp.pid");
    send(child, Signal::SIGTERM);
    let next = next_pid("/run/vrrp.pid", child);
    // Passed on to the child once that listens, and never fatal.
    let printed = format!("Printing VRRP stats for process({next}) on signal");
    assert!(wait_for(|| {
        daemon.signal(Signal::SIGUSR1);
        daemon.signal(Signal::SIGUSR2);
        std::fs::read_to_string(cell.path("log")).is_ok_and(|log| log.contains(&printed))
    }));
    // A second one isn't started, and that counts as success.
    let second = run(cell.ours("keepalived").args(["-n", "-l", "-G", "-f", &conf]));
    assert_eq!(second.code, 0);
    assert!(second.err.contains("daemon is already running"), "{}", second.err);
    // What keepalived would not start with leaves everything running.
    cell.write("keepalived.conf", &KEEPALIVED_CONF.replace("eth0", "eth9"));
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "Non-existent interface specified in configuration");
    cell.expect("log", "everything runs on by the config before it");
    assert!(alive(next));
    assert!(wait_for(|| holds("192.0.2.100")));
    // A line that is wrong costs that line.
    cell.write("keepalived.conf", &KEEPALIVED_CONF.replace("advert_int", "advert_in"));
    daemon.signal(Signal::SIGHUP);
    cell.expect("log", "Unknown keyword 'advert_in'");
    cell.expect("log", "Reload complete");
    assert_eq!(pid_in("/run/vrrp.pid"), next);
    assert!(holds("192.0.2.100"));
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends(), 0);
    cell.expect("log", "Stopped Keepalived v");
    assert!(!holds("192.0.2.100"));
    for file in ["/run/keepalived.pid", "/run/vrrp.pid"] {
        assert!(!std::path::Path::new(file).exists(), "{file}");
    }
}

#[test]
fn keepalived_goes_to_the_background_with_its_own_pid_files() {
    let cell = Cell::new();
    let conf = cell.write("keepalived.conf", KEEPALIVED_CONF);
    std::fs::write("/run/k.pid", "4194303\n").unwrap();
    let line =
        ["-f", &conf, "-p", "/run/k.pid", "--vrrp_pid=/run/v.pid", "-g", &cell.path("k.log")];
    let started = run(cell.ours("keepalived").args(line));
    assert_eq!((started.code, started.err.as_str()), (0, ""));
    let parent = pid_in("/run/k.pid");
    let _background = Background(parent);
    assert_eq!(super::cell::comm(pid_in("/run/v.pid")), "keepalived");
    cell.expect("k_vrrp.log", "(VI_1) Entering MASTER STATE");
    cell.expect("k.log", "Startup complete");
    assert!(!cell.read("k.log").contains("hunter2"));
    send(parent, Signal::SIGTERM);
    assert!(wait_for(|| !std::path::Path::new("/run/k.pid").exists()));
}

#[test]
fn a_role_that_dies_again_and_again_is_not_restarted_all_the_time() {
    let cell = Cell::new();
    let _daemon = both(&cell);
    let until = Instant::now() + Duration::from_secs(2);
    let mut deaths = 0;
    while Instant::now() < until {
        let pid =
            std::fs::read_to_string("/run/nginx.pid").ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.filter(|pid| alive(*pid)) {
            send(pid, Signal::SIGKILL);
            deaths += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // 0, 100, 200, 400, 800, 1600 ms between them.
    assert!((2..=7).contains(&deaths), "{deaths}");
    // And yet it comes back.
    greeter(9000, "hello");
    let clients = Clients::start(8080);
    clients.answered(1);
    clients.end();
}

#[test]
fn systemd_hears_how_it_stands() {
    let cell = Cell::new();
    let environment = cell.dir().join("environment");
    let script = cell.write("notify.sh", &format!("env > {}\n", environment.display()));
    let telling = format!("notify \"/bin/sh {script}\"\n virtual_ipaddress {{");
    let config = KEEPALIVED_CONF.replacen("virtual_ipaddress {", &telling, 1);
    assert_ne!(config, KEEPALIVED_CONF);
    let keepalived = cell.write("keepalived.conf", &config);
    let socket = UnixDatagram::bind(cell.dir().join("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = cell.ours("keepalived");
    command.env("NOTIFY_SOCKET", cell.dir().join("notify"));
    let mut daemon = cell.daemon(command.args(["-n", "-l", "-G", "-f", &keepalived]), "log");
    let hear = |word: &str| {
        let mut message = [0; 4096];
        loop {
            let length = socket.recv(&mut message).unwrap();
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if text.lines().any(|line| line == word) {
                return text;
            }
        }
    };
    let ready = hear("READY=1");
    assert!(ready.contains(&format!("MAINPID={}", daemon.pid())), "{ready}");
    assert!(ready.contains("STATUS=vrrp role "), "{ready}");
    daemon.signal(Signal::SIGHUP);
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    // Scripts of the role must not speak for the daemon.
    let written = || std::fs::read_to_string(&environment).is_ok_and(|text| !text.is_empty());
    assert!(wait_for(written));
    let environment = std::fs::read_to_string(&environment).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("NOTIFY_SOCKET="));
    assert!(!environment.contains("EVENKEEL_"), "{environment}");
    assert!(!environment.contains("hunter2"));
    daemon.signal(Signal::SIGTERM);
    hear("STOPPING=1");
    assert_eq!(daemon.ends(), 0);
}

#[test]
fn as_pid_1_it_reaps_orphans() {
    let cell = Cell::new();
    let keepalived = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let mut command = Command::new("unshare");
    command.args(["-p", "-f", "--mount-proc", "--kill-child", &cell.path("evenkeel")]);
    let _daemon = cell.daemon(command.args(["run", "-k", &keepalived]), "log");
    cell.expect("log", "supervisor: ready");
    let pid = |pattern: &str| run(Command::new("pgrep").args(["-f", pattern])).out;
    let init: i32 = pid(&format!("^{} run", cell.path("evenkeel"))).trim().parse().unwrap();
    // A shell inside leaves children behind, which become PID 1's.
    let enter = ["-t", &init.to_string(), "-p", "-m", "--", "sh", "-c"];
    let orphans = "for i in 1 2 3; do (sleep 0.2 &) ; done";
    assert!(Command::new("nsenter").args(enter).arg(orphans).status().unwrap().success());
    let zombies = || run(Command::new("ps").args(["-o", "stat=", "--ppid", &init.to_string()])).out;
    std::thread::sleep(Duration::from_millis(400));
    assert!(
        wait_for(|| !zombies().contains('Z') && zombies().lines().count() == 1),
        "{}",
        zombies()
    );
}

#[test]
fn a_log_that_hangs_makes_no_advert_late() {
    let cell = Cell::new();
    let conf = cell.write("keepalived.conf", KEEPALIVED_CONF);
    let log = cell.path("pipe");
    nix::unistd::mkfifo(log.as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Opened for reading and never read, and small: one page.
    let mut open = std::fs::OpenOptions::new();
    let pipe = open.read(true).write(true).open(&log).unwrap();
    nix::fcntl::fcntl(&pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut command = cell.ours("keepalived");
    let line = ["-n", "-l", "-D", "-G", "-f", &conf];
    command.args(line).stdout(std::process::Stdio::null()).stderr(pipe.try_clone().unwrap());
    let mut daemon = Daemon::of(command.spawn().unwrap());
    assert!(wait_for(|| holds("192.0.2.100")));
    // Each reload of a config with an unknown keyword writes lines until nothing fits any more.
    let junk = format!("{KEEPALIVED_CONF}{}", "nonsense\n".repeat(300));
    cell.write("keepalived.conf", &junk);
    let child = pid_in("/run/vrrp.pid");
    daemon.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(500));
    // Both still hear what they are told.
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.ends(), 0);
    assert!(!alive(child) && !holds("192.0.2.100"));
}
