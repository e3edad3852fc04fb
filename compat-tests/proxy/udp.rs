//! UDP beside Debian's nginx: what clients and peers get, and what the log says of it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::program::{Program, Which};
use super::{ONE_WORKER, at, same};

/// Answers datagrams until it is dropped.
struct Peer {
    socket: UdpSocket,
    seen: Receiver<(Vec<u8>, SocketAddr)>,
}

impl Peer {
    fn start(address: &str, answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        let (tell, seen) = channel();
        let own = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 70_000];
            while let Ok((length, from)) = own.recv_from(&mut buffer) {
                if tell.send((buffer[..length].to_vec(), from)).is_err() {
                    return;
                }
                for answer in answers(&buffer[..length]) {
                    let _ = own.send_to(&answer, from);
                }
            }
        });
        Self { socket, seen }
    }

    fn echo(address: &str) -> Self {
        Self::start(address, |bytes| vec![bytes.to_vec()])
    }

    fn silent(address: &str) -> Self {
        Self::start(address, |_| Vec::new())
    }

    /// Waits for the next datagram; from where it came.
    fn saw(&self, bytes: &[u8]) -> SocketAddr {
        let (seen, from) = self.seen.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(seen, bytes);
        from
    }
}

impl Drop for Peer {
    /// Its thread ends with the next datagram, which this is.
    fn drop(&mut self) {
        let closed = std::mem::replace(&mut self.seen, channel().1);
        drop(closed);
        let _ = self.socket.send_to(b"", self.socket.local_addr().unwrap());
    }
}

/// A client with a port of its own.
fn client(to: &str) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    socket
}

/// The answer, or what came instead of one.
fn receive(client: &UdpSocket) -> String {
    let mut buffer = vec![0; 70_000];
    match client.recv(&mut buffer) {
        Ok(length) if length > 100 => format!("{length} bytes"),
        Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
        Err(_) => "nothing".to_owned(),
    }
}

fn ask(client: &UdpSocket, text: &str) -> String {
    client.send(text.as_bytes()).unwrap();
    receive(client)
}

/// Peers: 9001 and 9002 echo, 9003 is silent, 9004 answers without a byte, 9005 tenfold, 9091 and
/// above refuse.
fn peers(which: Which) -> [Peer; 5] {
    [
        Peer::echo(&at(which, "IP:9001")),
        Peer::echo(&at(which, "IP:9002")),
        Peer::silent(&at(which, "IP:9003")),
        Peer::start(&at(which, "IP:9004"), |_| vec![Vec::new()]),
        Peer::start(&at(which, "IP:9005"), |bytes| vec![bytes.repeat(10)]),
    ]
}

fn pool(peers: &str, options: &str) -> String {
    format!("upstream u {{ {peers} }} server {{ listen IP:8080 udp; proxy_pass u; {options} }}")
}

/// Waits until as many sessions as were begun are over, then tells the story.
fn story(program: &Program) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(20);
    let begun = |log: &str| log.matches("udp client 127.0.0.1:").count();
    let over = |log: &str| {
        let ends = "udp done|udp timed out|upstream timed out|sendmsg() failed|no live upstreams|\
                    connect() to";
        ends.split('|').map(|end| log.matches(end).count()).sum::<usize>()
    };
    while begun(&program.log()) > over(&program.log()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    // A line about the peer may follow.
    std::thread::sleep(Duration::from_millis(30));
    program.story()
}

/// One client asks `count` times, one question after the other.
fn one_client(which: Which, upstream: &str, options: &str, count: usize) -> (String, Vec<String>) {
    let _peers = peers(which);
    let program = Program::start(which, ONE_WORKER, &pool(upstream, options));
    let client = client(&at(which, "IP:8080"));
    let answers: Vec<String> = (0..count).map(|n| ask(&client, &format!("question {n}"))).collect();
    (answers.join(", "), story(&program))
}

/// Many clients ask once, one after the other.
fn many_clients(which: Which, upstream: &str, options: &str) -> (String, Vec<String>) {
    let _peers = peers(which);
    let program = Program::start(which, ONE_WORKER, &pool(upstream, options));
    let ask = |n| ask(&client(&at(which, "IP:8080")), &format!("question {n}"));
    let answers: Vec<String> = (0..6).map(ask).collect();
    (answers.join(", "), story(&program))
}

#[test]
fn sessions_end_as_in_nginx() {
    for options in [
        "",
        "proxy_responses 1;",
        "proxy_responses 2;",
        "proxy_requests 1;",
        "proxy_requests 2;",
        "proxy_requests 1; proxy_responses 1;",
        "proxy_requests 2; proxy_responses 1;",
        "proxy_requests 3; proxy_responses 2;",
    ] {
        let options = format!("proxy_timeout 250ms; {options}");
        same(|which| one_client(which, "server IP:9001;", &options, 3));
    }
    for options in ["proxy_responses 0;", "proxy_responses 0; proxy_requests 2;"] {
        let options = format!("proxy_timeout 250ms; {options}");
        same(|which| one_client(which, "server IP:9003;", &options, 3));
    }
}

#[test]
fn settings_are_inherited_as_in_nginx() {
    same(|which| {
        let _peers = peers(which);
        let stream = "proxy_responses 1; proxy_timeout 250ms; \
             server { listen IP:8080 udp; proxy_pass IP:9001; } \
             server { listen IP:8081 udp; proxy_pass IP:9001; proxy_responses 2; }";
        let program = Program::start(which, ONE_WORKER, stream);
        let answers = ["IP:8080", "IP:8081"].map(|to| ask(&client(&at(which, to)), "hello"));
        (answers, story(&program))
    });
}

#[test]
fn bad_peers_are_treated_as_in_nginx() {
    for (upstream, options) in [
        ("server IP:9091;", ""),
        ("server IP:9091;", "proxy_responses 1;"),
        ("server IP:9091;", "proxy_responses 0;"),
        ("server IP:9091; server IP:9001;", "proxy_responses 1;"),
        ("server IP:9091 max_fails=2; server IP:9001;", "proxy_responses 1;"),
        ("server IP:9091; server IP:9092 max_fails=0;", "proxy_responses 1;"),
        ("server IP:9003; server IP:9001;", "proxy_responses 1;"),
        ("server IP:9003 max_fails=2; server IP:9001 weight=2;", "proxy_responses 1;"),
        // Refused by this host itself, at connect.
        ("server 255.255.255.255:9; server IP:9001;", "proxy_responses 1;"),
        ("server 255.255.255.255:9;", ""),
        ("server 255.255.255.255:9; server IP:9001;", "proxy_next_upstream off;"),
        ("server IP:9091 down; server IP:9092 down;", ""),
        ("server IP:9091; server IP:9001 backup;", "proxy_responses 1;"),
        ("server unix:/nonexistent/socket;", ""),
    ] {
        let options = format!("proxy_timeout 120ms; {options}");
        same(|which| many_clients(which, upstream, &options));
    }
}

/// Once refused, a peer isn't heard any more; the second datagram after that is the end.
#[test]
fn refusals_are_passed_on_as_in_nginx() {
    same(|which| one_client(which, "server IP:9091;", "proxy_timeout 2s;", 3));
}

#[test]
fn empty_and_long_datagrams_pass_as_in_nginx() {
    let lengths = |which, upstream: &str, options: &str| {
        let _peers = peers(which);
        let options = format!("proxy_timeout 250ms; {options}");
        let program = Program::start(which, ONE_WORKER, &pool(upstream, &options));
        let answers = [0, 1, 99, 1400, 60_000].map(|length| {
            let client = client(&at(which, "IP:8080"));
            client.send(&vec![b'x'; length]).unwrap();
            receive(&client).len()
        });
        (answers, story(&program))
    };
    same(|which| lengths(which, "server IP:9001;", "proxy_responses 1;"));
    same(|which| lengths(which, "server IP:9001;", "proxy_responses 1; proxy_buffer_size 64k;"));
    same(|which| lengths(which, "server IP:9004;", "proxy_responses 1;"));
    same(|which| lengths(which, "server IP:9001;", ""));
    // Answers are cut to the buffer.
    same(|which| {
        one_client(which, "server IP:9005;", "proxy_timeout 250ms; proxy_buffer_size 40;", 2)
    });
}

#[test]
fn wildcards_answer_from_the_address_that_was_asked() {
    // All of the host's addresses: nobody else may have the port meanwhile.
    let port = 12_000 + std::process::id() % 18_000;
    for listen in [
        "server { listen 18080 udp; proxy_pass IP:9001; proxy_timeout 250ms; }",
        "server { listen *:18080 udp; proxy_pass IP:9001; proxy_timeout 250ms; } \
         server { listen 127.1.1.6:18080 udp; proxy_pass IP:9005; proxy_timeout 250ms; }",
    ] {
        same(|which| {
            let _peers = peers(which);
            let listen = listen.replace("18080", &port.to_string());
            let program = Program::start(which, ONE_WORKER, &listen);
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut buffer = [0; 100];
            let answers = ["127.1.1.5", "127.1.1.6", "127.1.1.5"].map(|to| {
                client.send_to(b"hello", format!("{to}:{port}")).unwrap();
                let (length, from) = client.recv_from(&mut buffer).unwrap();
                (length, from.to_string())
            });
            let mut story = story(&program);
            story.sort();
            (answers, story)
        });
    }
    same(|which| {
        let _peers = peers(which);
        let port = port as u16;
        let stream = format!(
            "server {{ listen [::]:{port} udp ipv6only=off; proxy_pass IP:9001; \
             proxy_responses 1; }}"
        );
        let _program = Program::start(which, ONE_WORKER, &stream);
        let six = UdpSocket::bind("[::1]:0").unwrap();
        six.connect(("::1", port)).unwrap();
        six.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        [ask(&six, "six"), ask(&client(&format!("127.1.1.7:{port}")), "four")]
    });
}

#[test]
fn one_port_for_tcp_and_udp_and_ranges_of_ports() {
    same(|which| {
        let _peers = peers(which);
        let _tcp = super::Peer::named(&at(which, "IP:9001"));
        let stream = "server { listen IP:8080; listen IP:8080-8082 udp rcvbuf=64k sndbuf=64k; \
                      proxy_pass IP:9001; proxy_responses 1; }";
        let _program = Program::start(which, ONE_WORKER, stream);
        let ports = ["IP:8080", "IP:8081", "IP:8082"];
        (super::ask(&at(which, "IP:8080")), ports.map(|to| ask(&client(&at(which, to)), "hello")))
    });
}

#[test]
fn a_session_takes_two_of_worker_connections() {
    same(|which| {
        let _peers = peers(which);
        let main = "worker_processes 1; events { worker_connections 8; }";
        let program = Program::start(which, main, &pool("server IP:9001;", "proxy_timeout 1s;"));
        let clients: Vec<UdpSocket> = (0..5).map(|_| client(&at(which, "IP:8080"))).collect();
        let mut answers: Vec<String> = clients.iter().map(|client| ask(client, "hello")).collect();
        let story = story(&program);
        answers.push(ask(&clients[4], "again"));
        (answers, story)
    });
}

#[test]
fn return_answers_each_datagram() {
    same(|which| {
        let stream = "server { listen IP:8080 udp; return \"$protocol $bytes_received \
                      $remote_addr $server_addr:$server_port\"; } \
                      server { listen IP:8081 udp; return \"\"; }";
        let program = Program::start(which, ONE_WORKER, stream);
        let client_of = |to| client(&at(which, to));
        let (some, none) = (client_of("IP:8080"), client_of("IP:8081"));
        let answers = [ask(&some, "one"), ask(&some, "three"), ask(&none, "one")];
        let answers = answers.map(|text| text.replace(&super::ip(which), "IP"));
        (answers, program.story())
    });
}

/// A listener belongs to one worker, so that its flows stay together; nginx's workers tear them
/// apart.
#[test]
fn workers_leave_a_flow_in_one_piece() {
    let which = Which::Evenkeel;
    let peer = Peer::echo(&at(which, "IP:9001"));
    for parameter in ["udp", "udp reuseport"] {
        let stream = format!("server {{ listen IP:8080 {parameter}; proxy_pass IP:9001; }}");
        let main = "worker_processes 3; events { worker_connections 512; }";
        let _program = Program::start(which, main, &stream);
        for _ in 0..20 {
            let client = client(&at(which, "IP:8080"));
            let from: Vec<SocketAddr> = (0..20)
                .map(|_| {
                    assert_eq!(ask(&client, "x"), "x");
                    peer.saw(b"x")
                })
                .collect();
            assert!(from.iter().all(|one| *one == from[0]), "{from:?}");
        }
    }
}

/// Answers wait for their rate, as in nginx; what a client sends too fast is dropped.
#[test]
fn rates_delay_answers_and_drop_questions() {
    let thousand = "x".repeat(1000);
    same(|which| {
        let _peers = peers(which);
        let options = "proxy_download_rate 1000; proxy_timeout 300ms;";
        let _program = Program::start(which, ONE_WORKER, &pool("server IP:9001;", options));
        let client = client(&at(which, "IP:8080"));
        let first = ask(&client, &thousand);
        let second = ask(&client, &thousand);
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        [first, second, receive(&client)]
    });
    let which = Which::Evenkeel;
    let _peer = Peer::echo(&at(which, "IP:9006"));
    let options = "proxy_upload_rate 1000;";
    let _program = Program::start(which, ONE_WORKER, &pool("server IP:9006;", options));
    let client = client(&at(which, "IP:8080"));
    let answers = [(); 2].map(|()| ask(&client, &thousand));
    assert_eq!(answers, ["1000 bytes", "nothing"]);
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(ask(&client, &thousand), "1000 bytes");
}

/// The peer sees the same flow before and after, though the new plan has another peer.
#[test]
fn a_reload_drops_no_flow() {
    let which = Which::Evenkeel;
    let first = Peer::echo(&at(which, "IP:9001"));
    let second = Peer::echo(&at(which, "IP:9002"));
    for workers in ["1", "2"] {
        let main = format!("worker_processes {workers}; events {{ worker_connections 512; }}");
        let program = Program::start(which, &main, &pool("server IP:9001;", ""));
        let old = client(&at(which, "IP:8080"));
        assert_eq!(ask(&old, "before"), "before");
        let from = first.saw(b"before");
        let more = "server { listen IP:8079 udp; proxy_pass u; }";
        program.reload(&(pool("server IP:9002;", "proxy_timeout 5s;") + more));
        assert_eq!(ask(&old, "after"), "after");
        assert_eq!(first.saw(b"after"), from);
        assert_eq!(ask(&client(&at(which, "IP:8080")), "new"), "new");
        second.saw(b"new");
        // What is gone takes nothing new; what was asked before is answered still.
        first.socket.send_to(b"pushed", from).unwrap();
        assert_eq!(receive(&old), "pushed");
        program.reload("server { listen IP:8079 udp; proxy_pass IP:9002; }");
        assert_eq!(ask(&old, "lost"), "nothing");
        first.socket.send_to(b"pushed", from).unwrap();
        assert_eq!(receive(&old), "pushed");
        program.logs("disconnected on shutdown");
    }
}

/// nginx drops the answers that come after QUIT.
#[test]
fn quitting_waits_for_answers() {
    let which = Which::Evenkeel;
    let peer = Peer::silent(&at(which, "IP:9001"));
    let mut program =
        Program::start(which, ONE_WORKER, &pool("server IP:9001;", "proxy_timeout 10s;"));
    let client = client(&at(which, "IP:8080"));
    client.send(b"hello").unwrap();
    let from = peer.saw(b"hello");
    program.signal(Signal::SIGQUIT);
    std::thread::sleep(Duration::from_millis(200));
    peer.socket.send_to(b"late", from).unwrap();
    assert_eq!(receive(&client), "late");
    program.wait();
    assert!(program.log().contains("disconnected on shutdown"), "{}", program.log());
}

#[test]
fn shutdown_timeout_ends_sessions_as_in_nginx() {
    same(|which| {
        let _peers = peers(which);
        let main = "worker_shutdown_timeout 200ms; worker_processes 1; events { }";
        let mut program = Program::start(which, main, &pool("server IP:9003;", ""));
        client(&at(which, "IP:8080")).send(b"hello").unwrap();
        program.logs("udp proxy");
        program.signal(Signal::SIGQUIT);
        program.wait();
        program.story()
    });
}

#[test]
fn an_address_in_use_is_complained_of_as_in_nginx() {
    same(|which| {
        let _taken = UdpSocket::bind(at(which, "IP:8080")).unwrap();
        let (code, lines) = Program::refused(which, &pool("server IP:9001;", ""));
        (code, lines)
    });
}
