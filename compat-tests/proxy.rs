//! The stream role beside Debian's nginx: each test does the same with both and compares what
//! clients and servers saw, and what the error log says.

mod doors;
pub(crate) mod peer;
mod preread;
pub(crate) mod program;
mod udp;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use peer::{Hanging, Peer, ask, connect, exchange, reset, rest};
use program::{Program, Which, ip};

const ONE_WORKER: &str = "worker_processes 1; events { worker_connections 512; }";

/// Runs `test` with nginx and with Evenkeel; what it returns must be the same.
fn same<T: PartialEq + std::fmt::Debug>(test: impl Fn(Which) -> T) {
    let nginx = test(Which::Nginx);
    let ours = test(Which::Evenkeel);
    assert_eq!(nginx, ours, "nginx on the left");
}

/// `IP` in a text stands for the address of the program under test.
fn at(which: Which, text: &str) -> String {
    text.replace("IP", &ip(which))
}

/// A server on port 8080 in front of `peers`, with `options`.
fn pool(peers: &str, options: &str) -> String {
    format!("upstream u {{ {peers} }} server {{ listen IP:8080; proxy_pass u; {options} }}")
}

/// One connection after the other; who answered.
fn sequence(which: Which, peers: &str, options: &str, count: usize) -> (String, Vec<String>) {
    let _up: Vec<Peer> = (1..=5).map(|n| Peer::named(&at(which, &format!("IP:900{n}")))).collect();
    let program = Program::start(which, ONE_WORKER, &pool(peers, options));
    let names: Vec<String> = (0..count).map(|_| ask(&at(which, "IP:8080"))).collect();
    (names.join(" "), refusals(&program))
}

/// The story without the lines that tell of good connections.
fn refusals(program: &Program) -> Vec<String> {
    program.story().into_iter().filter(|line| !line.starts_with("[info]")).collect()
}

// --- which peer -----------------------------------------------------------------------------------

#[test]
fn weights_spread_as_in_nginx() {
    for peers in [
        "server IP:9001; server IP:9002;",
        "server IP:9001 weight=5; server IP:9002; server IP:9003;",
        "server IP:9001 weight=3; server IP:9002 weight=2; server IP:9003;",
        "server IP:9001; server IP:9002 weight=7; server IP:9003 weight=4;",
        "server IP:9001 weight=13; server IP:9002 weight=8; server IP:9003 weight=3; server IP:9004;",
        "server IP:9001 down; server IP:9002; server IP:9003 weight=2;",
        "server IP:9001; server IP:9002 backup; server IP:9003;",
        "server IP:9001 down; server IP:9002 backup; server IP:9003 backup weight=3;",
    ] {
        same(|which| sequence(which, peers, "", 50));
    }
}

/// Nobody listens on the ports from 9091.
#[test]
fn refusing_peers_are_passed_over_as_in_nginx() {
    for (peers, options) in [
        ("server IP:9091;", ""),
        ("server IP:9091; server IP:9001;", ""),
        ("server IP:9091; server IP:9092;", ""),
        ("server IP:9091 max_fails=3; server IP:9001 weight=2;", ""),
        ("server IP:9091 max_fails=5 weight=5; server IP:9001; server IP:9002 weight=2;", ""),
        ("server IP:9091 max_fails=0 weight=3; server IP:9001 weight=2;", ""),
        (
            "server IP:9091 weight=4 max_fails=2; server IP:9092 weight=2 max_fails=3; server IP:9001;",
            "",
        ),
        ("server IP:9091; server IP:9092 max_fails=2; server IP:9093 backup;", ""),
        (
            "server IP:9091; server IP:9092; server IP:9001 backup; server IP:9002 backup weight=2;",
            "",
        ),
        ("server IP:9091; server IP:9001 down;", ""),
        // Refused by this host itself, without a packet.
        ("server 224.0.0.1:80; server IP:9001;", ""),
        ("server IP:9091; server IP:9092; server IP:9001;", "proxy_next_upstream_tries 1;"),
        ("server IP:9091; server IP:9092; server IP:9001;", "proxy_next_upstream_tries 2;"),
        ("server IP:9091; server IP:9092; server IP:9001;", "proxy_next_upstream off;"),
    ] {
        same(|which| sequence(which, peers, options, 12));
    }
}

#[test]
fn a_peer_that_comes_back_is_eased_in_as_in_nginx() {
    same(|which| {
        let _up: Vec<Peer> =
            (1..=2).map(|n| Peer::named(&at(which, &format!("IP:900{n}")))).collect();
        let peers = "server IP:9006 weight=5 fail_timeout=1s max_fails=2; \
                     server IP:9001 weight=2; server IP:9002;";
        let program = Program::start(which, ONE_WORKER, &pool(peers, ""));
        let ask = || ask(&at(which, "IP:8080"));
        let mut names: Vec<String> = (0..10).map(|_| ask()).collect();
        let _back = Peer::named(&at(which, "IP:9006"));
        // nginx counts whole seconds, and rests until more than one has passed.
        std::thread::sleep(Duration::from_millis(2300));
        names.extend((0..30).map(|_| ask()));
        (names.join(" "), refusals(&program))
    });
}

#[test]
fn connections_per_peer_are_limited_as_in_nginx() {
    same(|which| {
        let _up = [Peer::echo(&at(which, "IP:9001")), Peer::echo(&at(which, "IP:9002"))];
        let peers = "server IP:9001 max_conns=2; server IP:9002 max_conns=1;";
        let program = Program::start(which, ONE_WORKER, &pool(peers, ""));
        let mut held: Vec<TcpStream> = Vec::new();
        let open = |held: &mut Vec<TcpStream>| {
            let stream = connect(&at(which, "IP:8080"));
            let good = exchange(&stream, b"hello").is_ok();
            held.push(stream);
            good
        };
        let mut results: Vec<bool> = (0..5).map(|_| open(&mut held)).collect();
        held.remove(0);
        program.logs("client disconnected");
        results.extend((0..2).map(|_| open(&mut held)));
        (results, refusals(&program))
    });
}

#[test]
fn a_hanging_peer_times_out_as_in_nginx() {
    for (peers, options) in [
        ("server IP:9001;", "proxy_connect_timeout 400ms;"),
        ("server IP:9001; server IP:9002;", "proxy_connect_timeout 400ms;"),
        (
            "server IP:9001; server IP:9002;",
            "proxy_connect_timeout 400ms; proxy_next_upstream_timeout 200ms;",
        ),
    ] {
        same(|which| {
            let _hanging = Hanging::start(&at(which, "IP:9001"));
            let _good = Peer::named(&at(which, "IP:9002"));
            let program = Program::start(which, ONE_WORKER, &pool(peers, options));
            let begun = Instant::now();
            let names = [ask(&at(which, "IP:8080")), ask(&at(which, "IP:8080"))];
            assert!(begun.elapsed() >= Duration::from_millis(400));
            (names, refusals(&program))
        });
    }
}

// --- the ends of a connection ---------------------------------------------------------------------

/// The client ends its stream first; the server answers only then. What each saw.
fn client_ends_first(which: Which, options: &str) -> (Vec<u8>, String, Vec<u8>, Vec<String>) {
    let (seen, server_saw) = mpsc::channel();
    let _peer = Peer::start(&at(which, "IP:9001"), move |mut stream| {
        seen.send(rest(&stream).0).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let _ = stream.write_all(b"late").and_then(|()| stream.write_all(b"r"));
    });
    let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", options));
    let mut client = connect(&at(which, "IP:8080"));
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (bytes, end) = rest(&client);
    program.logs("disconnected");
    (bytes, end, server_saw.recv_timeout(Duration::from_secs(10)).unwrap(), program.story())
}

#[test]
fn when_the_client_ends_first_it_is_as_in_nginx() {
    same(|which| client_ends_first(which, ""));
    same(|which| client_ends_first(which, "proxy_half_close on;"));
    assert_eq!(client_ends_first(Which::Evenkeel, "").0, b"");
    assert_eq!(client_ends_first(Which::Evenkeel, "proxy_half_close on;").0, b"later");
}

/// The server ends its stream first and goes on listening.
fn server_ends_first(which: Which, options: &str) -> (Vec<u8>, String, Vec<u8>, bool, Vec<String>) {
    let (seen, server_saw) = mpsc::channel();
    let _peer = Peer::start(&at(which, "IP:9001"), move |mut stream| {
        stream.write_all(b"welcome").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        seen.send(rest(&stream).0).unwrap();
    });
    let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", options));
    let mut client = connect(&at(which, "IP:8080"));
    let (bytes, end) = rest(&client);
    let mut sent = client.write_all(b"a").is_ok();
    std::thread::sleep(Duration::from_millis(100));
    sent &= client.write_all(b"b").is_ok();
    drop(client);
    program.logs("disconnected");
    (bytes, end, server_saw.recv_timeout(Duration::from_secs(10)).unwrap(), sent, program.story())
}

#[test]
fn when_the_server_ends_first_it_is_as_in_nginx() {
    same(|which| server_ends_first(which, ""));
    same(|which| server_ends_first(which, "proxy_half_close on;"));
    assert_eq!(server_ends_first(Which::Evenkeel, "proxy_half_close on;").2, b"ab");
}

#[test]
fn a_reset_from_the_server_is_passed_on_as_in_nginx() {
    same(|which| {
        let _peer = Peer::start(&at(which, "IP:9001"), |mut stream| {
            stream.write_all(b"x").unwrap();
            std::thread::sleep(Duration::from_millis(200));
            reset(stream);
        });
        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let client = connect(&at(which, "IP:8080"));
        (rest(&client), program.story())
    });
}

#[test]
fn a_reset_from_the_client_is_passed_on_as_in_nginx() {
    same(|which| {
        let (seen, server_saw) = mpsc::channel();
        let _peer = Peer::start(&at(which, "IP:9001"), move |stream| {
            seen.send(rest(&stream)).unwrap();
        });
        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let mut client = connect(&at(which, "IP:8080"));
        client.write_all(b"yy").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        reset(client);
        program.logs("disconnected");
        (server_saw.recv_timeout(Duration::from_secs(10)).unwrap(), program.story())
    });
}

#[test]
fn what_a_side_sent_before_it_ended_is_delivered() {
    const SIZE: usize = 6_000_000;
    same(|which| {
        let _peer = Peer::start(&at(which, "IP:9001"), |mut stream| {
            stream.write_all(&vec![b'z'; SIZE]).unwrap();
        });
        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let client = connect(&at(which, "IP:8080"));
        std::thread::sleep(Duration::from_millis(300));
        let (bytes, end) = rest(&client);
        (bytes.len(), end, program.story())
    });
    same(|which| {
        let (seen, server_saw) = mpsc::channel();
        let _peer = Peer::start(&at(which, "IP:9001"), move |stream| {
            std::thread::sleep(Duration::from_millis(300));
            seen.send(rest(&stream).0.len()).unwrap();
        });
        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let mut client = connect(&at(which, "IP:8080"));
        client.write_all(&vec![b'z'; SIZE]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (bytes, end) = rest(&client);
        (bytes.len(), end, server_saw.recv().unwrap(), program.story())
    });
}

#[test]
fn an_idle_session_ends_as_in_nginx() {
    same(|which| {
        let _peer = Peer::echo(&at(which, "IP:9001"));
        let pool = pool("server IP:9001;", "proxy_timeout 600ms;");
        let program = Program::start(which, ONE_WORKER, &pool);
        let client = connect(&at(which, "IP:8080"));
        // Traffic keeps it alive.
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(200));
            exchange(&client, b"tick").unwrap();
        }
        let quiet = Instant::now();
        let (bytes, end) = rest(&client);
        let quiet = quiet.elapsed();
        // nginx moves a timer only when it would move by 300 ms or more.
        assert!(quiet > Duration::from_millis(250), "{which:?}: after {quiet:?}");
        assert!(quiet < Duration::from_secs(4), "{which:?}: after {quiet:?}");
        (bytes, end, program.story())
    });
}

// --- much of it -----------------------------------------------------------------------------------

/// A stream of bytes that repeats only after a long while.
fn noise(mut seed: u64) -> impl FnMut() -> u8 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    }
}

fn pour(mut to: &TcpStream, seed: u64, size: usize) {
    let mut next = noise(seed);
    let mut left = size;
    while left > 0 {
        let chunk: Vec<u8> = (0..left.min(70_001)).map(|_| next()).collect();
        to.write_all(&chunk).unwrap();
        left -= chunk.len();
    }
}

fn verify(mut from: &TcpStream, seed: u64, size: usize) {
    let mut next = noise(seed);
    let (mut buffer, mut got) = (vec![0; 50_000], 0);
    while got < size {
        let count = from.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "ended after {got} of {size} bytes");
        for byte in &buffer[..count] {
            assert_eq!(*byte, next(), "at {got}");
            got += 1;
        }
    }
}

#[test]
fn bytes_arrive_whole_both_ways_at_once() {
    const SIZE: usize = 24 << 20;
    let which = Which::Evenkeel;
    let _peer = Peer::start(&at(which, "IP:9001"), |stream| {
        std::thread::scope(|scope| {
            scope.spawn(|| pour(&stream, 1, SIZE));
            verify(&stream, 2, SIZE);
        });
    });
    let _program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
    let client = connect(&at(which, "IP:8080"));
    std::thread::scope(|scope| {
        scope.spawn(|| pour(&client, 2, SIZE));
        verify(&client, 1, SIZE);
    });
}

/// Kilobytes of memory that are the process's own.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_reader_that_stands_still_stops_the_writer() {
    let which = Which::Evenkeel;
    let _peer = Peer::start(
        &at(which, "IP:9001"),
        |mut stream| {
            while stream.write_all(&[7; 65536]).is_ok() {}
        },
    );
    let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
    let before = memory(program.worker().unwrap());
    let clients: Vec<TcpStream> = (0..50).map(|_| connect(&at(which, "IP:8080"))).collect();
    // The kernel's buffers fill within moments; what the process takes must be one read each.
    std::thread::sleep(Duration::from_millis(1500));
    let grown = memory(program.worker().unwrap()) - before;
    assert!(grown < 50 * (16 + 8) + 1024, "{grown} kB for {} sessions", clients.len());
    for mut client in &clients {
        let mut some = vec![0; 1 << 20];
        client.read_exact(&mut some).unwrap();
        assert!(some.iter().all(|byte| *byte == 7));
    }
}

#[test]
fn two_thousand_sessions_at_once() {
    let which = Which::Evenkeel;
    let _peer = Peer::echo(&at(which, "IP:9001"));
    let main = "worker_processes 2; events { worker_connections 8192; }";
    let program = Program::start(which, main, &pool("server IP:9001;", ""));
    let clients: Vec<TcpStream> = (0..2000).map(|_| connect(&at(which, "IP:8080"))).collect();
    for round in 0..3 {
        let text = |number| format!("{round} of {number:04}");
        for (number, mut client) in clients.iter().enumerate() {
            client.write_all(text(number).as_bytes()).unwrap();
        }
        for (number, mut client) in clients.iter().enumerate() {
            let mut reply = vec![0; text(number).len()];
            client.read_exact(&mut reply).unwrap();
            assert_eq!(String::from_utf8(reply).unwrap(), text(number));
        }
    }
    drop(clients);
    let until = Instant::now() + Duration::from_secs(20);
    while program.log().matches("client disconnected").count() < 2000 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(50));
    }
}

// --- what runs out --------------------------------------------------------------------------------

/// Opens eight connections one after the other; which of them work.
fn eight(which: Which, main: &str) -> (Vec<bool>, Vec<bool>, Vec<String>) {
    let _peer = Peer::echo(&at(which, "IP:9001"));
    let program = Program::start(which, main, &pool("server IP:9001;", ""));
    let clients: Vec<TcpStream> = (0..8)
        .map(|_| {
            let client = connect(&at(which, "IP:8080"));
            // Long enough for a working one, and what doesn't work stays silent.
            client.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
            client
        })
        .collect();
    let work = |clients: &[TcpStream]| -> Vec<bool> {
        clients.iter().map(|client| exchange(client, b"hi").is_ok()).collect()
    };
    (work(&clients), work(&clients[..4]), refusals(&program))
}

#[test]
fn worker_connections_are_counted_as_in_nginx() {
    for limit in [10, 11] {
        let main = format!("worker_processes 1; events {{ worker_connections {limit}; }}");
        same(|which| eight(which, &main));
    }
}

#[test]
fn without_descriptors_accepting_rests_and_sessions_go_on() {
    // Two limits: the last descriptor that is left goes to a client once, to a peer once.
    for limit in [40, 41] {
        out_of_descriptors(limit);
    }
}

fn out_of_descriptors(limit: usize) {
    let which = Which::Evenkeel;
    let _peer = Peer::echo(&at(which, "IP:9001"));
    let main = format!(
        "worker_processes 1; worker_rlimit_nofile {limit}; events {{ worker_connections 512; }}"
    );
    let program = Program::start(which, &main, &pool("server IP:9001;", ""));
    let good = connect(&at(which, "IP:8080"));
    exchange(&good, b"before").unwrap();
    let more: Vec<TcpStream> = (0..60).map(|_| connect(&at(which, "IP:8080"))).collect();
    program.logs("failed (24: Too many open files)");
    exchange(&good, b"during").unwrap();
    drop(more);
    // Whoever waited in the queue is served once there are descriptors again.
    let until = Instant::now() + Duration::from_secs(10);
    while exchange(&connect(&at(which, "IP:8080")), b"after").is_err() {
        assert!(Instant::now() < until, "{}", program.log());
    }
    exchange(&good, b"after").unwrap();
    let log = program.log();
    let rests = log.lines().filter(|line| line.contains("accept4() failed")).count();
    assert!(rests < 40, "it doesn't rest:\n{log}");
}

#[test]
fn addresses_of_all_families_are_named_as_in_nginx() {
    same(|which| {
        let folder = tempfile::tempdir().unwrap();
        let door = folder.path().join("door");
        let missing = folder.path().join("missing");
        let _v6 = Peer::named(&format!("[::1]:{}", port(which, 1)));
        let text = format!(
            "server {{ listen [::1]:{0}; proxy_pass [::1]:{1}; }} \
             server {{ listen IP:8081; proxy_pass [::1]:{2}; }} \
             server {{ listen IP:8082; proxy_pass unix:{3}; }} \
             server {{ listen unix:{4}; proxy_pass IP:9091; }}",
            port(which, 0),
            port(which, 1),
            port(which, 2),
            missing.display(),
            door.display(),
        );
        let program = Program::start(which, ONE_WORKER, &text);
        let served = ask(&format!("[::1]:{}", port(which, 0))) == port(which, 1).to_string();
        let refused = [ask(&at(which, "IP:8081")), ask(&at(which, "IP:8082"))];
        let mut local = std::os::unix::net::UnixStream::connect(&door).unwrap();
        let local = local.read_to_end(&mut Vec::new()).unwrap();
        program.logs("client: unix:");
        let story = program.story().into_iter().map(|line| {
            let line = line.replace(&folder.path().display().to_string(), "FOLDER");
            (0..3).fold(line, |line, n| line.replace(&port(which, n).to_string(), &format!("P{n}")))
        });
        (served, refused, local, story.collect::<Vec<_>>())
    });
}

/// A port on `::1`, which tests share, that no other test uses.
fn port(which: Which, number: u32) -> u32 {
    let program = if which == Which::Nginx { 0 } else { 3 };
    20_000 + std::process::id() % 6_000 * 6 + program + number
}

#[test]
fn a_killed_worker_is_back_and_nobody_is_refused() {
    let which = Which::Evenkeel;
    let _echo = Peer::echo(&at(which, "IP:9001"));
    let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
    for _ in 0..3 {
        let lost = connect(&at(which, "IP:8080"));
        exchange(&lost, b"before").unwrap();
        let pid = nix::unistd::Pid::from_raw(program.worker().unwrap() as i32);
        nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
        let next = connect(&at(which, "IP:8080"));
        exchange(&next, b"after").unwrap();
        assert!(exchange(&lost, b"after").is_err());
    }
}

// --- reload and the end ---------------------------------------------------------------------------

#[test]
fn a_reload_keeps_sessions_and_serves_new_ones_by_the_new_plan() {
    same(|which| {
        let _echo = Peer::echo(&at(which, "IP:9001"));
        let _new = Peer::named(&at(which, "IP:9002"));
        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let old = connect(&at(which, "IP:8080"));
        exchange(&old, b"before").unwrap();
        let more = " server { listen IP:8081; proxy_pass u; }";
        program.reload(&(pool("server IP:9002;", "") + more));
        let kept = exchange(&old, b"after").is_ok();
        let new = [ask(&at(which, "IP:8080")), ask(&at(which, "IP:8081"))];
        program.reload(&pool("server IP:9002;", ""));
        // Its socket closes just after the log has said that the new plan is in force.
        let refused = || TcpStream::connect(at(which, "IP:8081")).is_err();
        let pause = || std::thread::sleep(Duration::from_millis(20));
        let gone = (0..100).any(|_| refused() || (pause(), false).1);
        let kept = [kept, exchange(&old, b"again").is_ok()];
        (kept, new, gone, ask(&at(which, "IP:8080")))
    });
}

/// The workers aren't root, and the folder of the logs is root's.
#[test]
fn a_reload_may_bring_a_new_log() {
    same(|which| {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let log = folder.path().join("new.log");
        let _peer = Peer::named(&at(which, "IP:9001"));
        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let options = format!("error_log {} info;", log.display());
        program.reload(&pool("server IP:9001;", &options));
        let name = ask(&at(which, "IP:8080"));
        let until = Instant::now() + Duration::from_secs(10);
        let text = || std::fs::read_to_string(&log).unwrap_or_default();
        while !text().contains("upstream disconnected") && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        (name, text().lines().count())
    });
}

#[test]
fn no_connection_is_lost_over_twenty_reloads() {
    let which = Which::Evenkeel;
    let _up: Vec<Peer> = (1..=2).map(|n| Peer::named(&at(which, &format!("IP:900{n}")))).collect();
    let main = "worker_processes 2; events { worker_connections 512; }";
    let program = Program::start(which, main, &pool("server IP:9001;", ""));
    let over = std::sync::atomic::AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let clients = (0..3).map(|_| {
            scope.spawn(|| {
                let mut asked = 0;
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let name = ask(&at(which, "IP:8080"));
                    assert!(name == "9001" || name == "9002", "{name}\n{}", program.log());
                    asked += 1;
                }
                asked
            })
        });
        let clients: Vec<_> = clients.collect();
        for round in 0..20 {
            let main = if round % 2 == 0 { "server IP:9002;" } else { "server IP:9001;" };
            program.reload(&pool(main, ""));
            std::thread::sleep(Duration::from_millis(30));
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert!(asked > 20, "only {asked}");
}

#[test]
fn old_sessions_end_at_worker_shutdown_timeout_as_in_nginx() {
    same(|which| {
        let _echo = Peer::echo(&at(which, "IP:9001"));
        let main = format!("{ONE_WORKER} worker_shutdown_timeout 1s;");
        let program = Program::start(which, &main, &pool("server IP:9001;", ""));
        let old = connect(&at(which, "IP:8080"));
        exchange(&old, b"before").unwrap();
        // An unchanged config would change nothing for Evenkeel's sessions.
        program.reload(&pool("server IP:9001;", "proxy_timeout 5m;"));
        let new = connect(&at(which, "IP:8080"));
        let kept = exchange(&old, b"after").is_ok();
        let end = rest(&old);
        let new = exchange(&new, b"still").is_ok();
        program.logs("shutdown timeout");
        let story = program.story().into_iter().find(|line| line.contains("shutdown timeout"));
        (kept, end, new, story)
    });
}

#[test]
fn quit_lets_sessions_finish_and_stop_does_not() {
    same(|which| {
        let _echo = Peer::echo(&at(which, "IP:9001"));
        let mut program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let old = connect(&at(which, "IP:8080"));
        exchange(&old, b"before").unwrap();
        program.signal(Signal::SIGQUIT);
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(at(which, "IP:8080")).is_ok() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let kept = exchange(&old, b"after").is_ok();
        drop(old);
        program.wait();

        let program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", ""));
        let cut = connect(&at(which, "IP:8080"));
        exchange(&cut, b"before").unwrap();
        program.signal(Signal::SIGTERM);
        (kept, rest(&cut))
    });
}

// --- without a peer ---------------------------------------------------------------------------------

#[test]
fn answers_and_assigned_variables_are_nginxs() {
    same(|which| {
        let first = "server { listen IP:8080; set $a \"[$b]\"; set $b ${protocol}; set $c $a$b; \
                     return \"$a|$b|$C|$1x|$status|$bytes_received|$bytes_sent|$upstream_addr|\
                     $connection|$server_port|${ssl_cipher}|$hostname\\n\"; }";
        let second = "server { listen IP:8081; proxy_pass IP:9; return $remote_addr$server_addr; }";
        let third = "server { listen IP:8082; proxy_pass IP:8080; set $a 1; }";
        let program = Program::start(which, ONE_WORKER, &format!("{first}{second}{third}"));
        let read = |port: u16| {
            let mut text = String::new();
            connect(&at(which, &format!("IP:{port}"))).read_to_string(&mut text).unwrap();
            text.replace(&ip(which), "IP")
        };
        let texts: Vec<String> = (8080..8083).map(read).collect();
        (texts, refusals(&program))
    });
}

#[test]
fn a_long_answer_reaches_a_slow_reader() {
    same(|which| {
        let text = "0123456789abcdef".repeat(200);
        let sets: String = (1..12).map(|n| format!("set $a{n} $a{}$a{};", n - 1, n - 1)).collect();
        let server = format!("server {{ listen IP:8080; set $a0 {text}; {sets} return $a11; }}");
        let program = Program::start(which, ONE_WORKER, &server);
        let mut stream = connect(&at(which, "IP:8080"));
        std::thread::sleep(Duration::from_millis(300));
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        (answer.len(), answer == text.repeat(2048).into_bytes(), refusals(&program))
    });
}
