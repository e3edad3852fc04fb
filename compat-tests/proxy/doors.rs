//! What happens between accept and content: the PROXY protocol's header, whose address counts,
//! `limit_conn`, `allow` and `deny`, and which listener a connection belongs to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::peer::{Peer, rest};
use super::program::{Program, Which, ip};
use super::{ONE_WORKER, at, same};

/// What is known of a header and of the client.
const ALL: &str = "$remote_addr:$remote_port $realip_remote_addr $proxy_protocol_addr:\
                   $proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port";

/// Connects from `source`, sends `bytes`, reads to the end.
fn talk_from(source: &str, address: &str, bytes: &[u8]) -> (String, String) {
    let mut stream = connect_from(source, address);
    stream.write_all(bytes).unwrap();
    let (answer, end) = rest(&stream);
    (String::from_utf8_lossy(&answer).into_owned(), end)
}

fn connect_from(source: &str, address: &str) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let address: SocketAddr = address.parse().unwrap();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    if !source.is_empty() {
        let source: SocketAddr = format!("{source}:0").parse().unwrap();
        socket.bind(&source.into()).unwrap();
    }
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.into()
}

fn talk(address: &str, bytes: &[u8]) -> (String, String) {
    talk_from("127.0.0.1", address, bytes)
}

/// The client's own port differs from run to run.
fn without_port(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once(':') {
        Some((address @ "127.0.0.1", _)) => format!("{address}:PORT"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn version_2(kind: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[kind, family][..], &length, body].concat()
}

fn headers() -> Vec<Vec<u8>> {
    let text = [
        "TCP4 1.2.3.4 5.6.7.8 111 222\r\n",
        "TCP6 2001:DB8::1 2001:db8::2 111 222\r\n",
        "TCP4 1.2.3.444 5.6.7.8 111 222\r\n",
        "TCP4 ::1 ::2 111 222\r\n",
        "TCP6 ::ffff:1.2.3.4 ::2 0111 0\r\n",
        "TCP4  5.6.7.8 0 2\r\n",
        "UNKNOWN\r\n",
        "UNKNOWN ff::1 ff::2 1 2\r\n",
        "UNKNOWNXX\r\n",
        "UNKNOWN\r",
        "TCP5 1.2.3.4 5.6.7.8 111 222\r\n",
        "UNIX 1.2.3.4 5.6.7.8 111 222\r\n",
        "TCP4 xyz 5.6.7.8 111 222\r\n",
        "TCP4 1.2.3.4 xyz 111 222\r\n",
        "TCP4 1.2.3.4 5.6.7.8 65536 222\r\n",
        "TCP4 1.2.3.4 5.6.7.8 111 65536\r\n",
        "TCP4 1.2.3.4 5.6.7.8 a 222\r\n",
        "TCP4 1.2.3.4 5.6.7.8 111\r\n",
        "TCP4 1.2.3.4 5.6.7.8 111 222 333\r\n",
        "TCP4 1.2.3.4 5.6.7.8 111 222\nhello",
        "TCP4 1.2.3.4 5.6.7.8 111 222",
    ];
    let mut headers: Vec<Vec<u8>> =
        text.iter().map(|text| format!("PROXY {text}").into_bytes()).collect();
    headers.push(b"GET / HTTP/1.0\r\n\r\n".to_vec());
    headers.push(b"hi".to_vec());
    headers.push(format!("PROXY UNKNOWN {}\r\n", "x".repeat(200)).into_bytes());
    let ipv4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 111, 0, 222];
    let mut ipv6 = [0x20, 1, 13, 0xb8].to_vec();
    ipv6.extend([0; 31]);
    ipv6.push(9);
    headers.push(version_2(0x21, 0x11, &ipv4));
    headers.push(version_2(0x21, 0x21, &ipv6));
    headers.push(version_2(0x21, 0x11, &[&ipv4[..], &[2, 0, 1, b'x']].concat()));
    for (kind, family) in [(0x20, 0), (0x20, 0x11), (0x21, 0), (0x21, 0x12), (0x21, 0x41)] {
        headers.push(version_2(kind, family, &ipv4));
    }
    headers.push(version_2(0x31, 0x11, &ipv4));
    headers.push(version_2(0x21, 0x11, &ipv4[..8]));
    headers.push(version_2(0x21, 0x21, b""));
    headers.push(version_2(0x21, 0x11, &ipv4)[..20].to_vec());
    headers.push(b"\r\n\r\n\0\r\nQUIT\n".to_vec());
    headers
}

#[test]
fn headers_are_read_as_in_nginx() {
    let servers = format!(
        "server {{ listen IP:8080 proxy_protocol; return \"{ALL}\"; }} \
         server {{ listen IP:8081 proxy_protocol; set_real_ip_from 127.0.0.0/8; \
                   return \"{ALL} $server_addr:$server_port\"; }} \
         server {{ listen IP:8082 proxy_protocol; set_real_ip_from 10.0.0.0/8; \
                   set_real_ip_from ::/0; return \"{ALL}\"; }}"
    );
    same(|which| {
        let program = Program::start(which, ONE_WORKER, &servers);
        let mut answers = Vec::new();
        for header in headers() {
            for port in [8080, 8081, 8082] {
                let (text, end) = talk(&at(which, &format!("IP:{port}")), &header);
                answers.push((without_port(&text).replace(&ip(which), "IP"), end));
            }
        }
        (answers, program.story())
    });
}

#[test]
fn what_follows_a_header_is_content() {
    same(|which| {
        let _peer = Peer::echo(&at(which, "IP:9001"));
        let server = "server { listen IP:8080 proxy_protocol; proxy_pass IP:9001; }";
        let program = Program::start(which, ONE_WORKER, server);
        let mut answers = Vec::new();
        for header in ["PROXY UNKNOWN\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 111 222\r\n"] {
            for (first, second) in [("hello", "world"), ("", "helloworld"), ("helloworld", "")] {
                let mut stream = connect_from("", &at(which, "IP:8080"));
                stream.write_all(format!("{header}{first}").as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(30));
                stream.write_all(second.as_bytes()).unwrap();
                let mut answer = [0; 10];
                stream.read_exact(&mut answer).unwrap();
                answers.push(answer);
            }
        }
        // The last one's end is logged, too.
        std::thread::sleep(Duration::from_millis(100));
        (answers, program.story())
    });
}

#[test]
fn a_header_that_does_not_come_as_in_nginx() {
    same(|which| {
        let server = "server { listen IP:8080 proxy_protocol; proxy_protocol_timeout 300ms; \
                      return x; }";
        let program = Program::start(which, ONE_WORKER, server);
        let (text, end) = talk(&at(which, "IP:8080"), b"");
        // Who goes without a word.
        drop(connect_from("", &at(which, "IP:8080")));
        program.logs("broken header");
        let late = connect_from("", &at(which, "IP:8080"));
        std::thread::sleep(Duration::from_millis(50));
        super::peer::reset(late);
        program.logs("recv() failed");
        (text, end, program.story())
    });
}

#[test]
fn access_is_as_in_nginx() {
    let rules = [
        "deny 127.0.0.2; allow 127.0.0.0/30; deny all;",
        "deny 127.0.0.0/30; allow all;",
        "allow 127.0.0.1; allow 127.0.0.3; deny all;",
        "deny ::/0; deny 1.0.0.0/8;",
        "deny 0.0.0.0/0;",
        "allow unix:; deny all;",
        // The stream's own rules are gone where a server has some.
        "allow 10.0.0.1;",
        // And hold where it has none.
        "",
        "set_real_ip_from 127.0.0.0/8; deny 127.0.0.0/8;",
    ];
    let servers: Vec<String> = rules
        .iter()
        .enumerate()
        .map(|(at, rules)| format!("server {{ listen IP:808{at}; {rules} return in; }}"))
        .collect();
    let stream = format!(
        "deny 127.0.0.3; {} server {{ listen IP:8089 proxy_protocol; deny 1.2.3.4; \
         set_real_ip_from 127.0.0.1; return $remote_addr; }}",
        servers.join(" ")
    );
    same(|which| {
        let program = Program::start(which, ONE_WORKER, &stream);
        let mut answers = Vec::new();
        for source in ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"] {
            for server in 0..rules.len() {
                answers.push(talk_from(source, &at(which, &format!("IP:808{server}")), b""));
            }
            for client in ["1.2.3.4", "1.2.3.5"] {
                let header = format!("PROXY TCP4 {client} 5.6.7.8 111 222\r\n");
                answers.push(talk_from(source, &at(which, "IP:8089"), header.as_bytes()));
            }
        }
        (answers, program.story())
    });
}

#[test]
fn unix_clients_are_let_in_as_in_nginx() {
    let folder = tempfile::tempdir().unwrap();
    let path = |which: Which| folder.path().join(format!("{which:?}")).display().to_string();
    let rules = [
        "allow unix:; deny all;",
        "deny unix:;",
        "deny all;",
        "deny 0.0.0.0/0; deny ::/0;",
        "set_real_ip_from unix:; deny 1.2.3.4;",
        "set_real_ip_from 127.0.0.1; deny 1.2.3.4;",
    ];
    same(|which| {
        let servers = rules.iter().enumerate().map(|(at, rules)| {
            let path = path(which);
            let header = if at > 3 { "proxy_protocol" } else { "" };
            format!(
                "server {{ listen unix:{path}{at} {header}; {rules} return \"{ALL} $server_port \
                 [$binary_remote_addr]\"; }}"
            )
        });
        let program = Program::start(which, ONE_WORKER, &servers.collect::<String>());
        let answers: Vec<_> = (0..rules.len())
            .flat_map(|server| {
                ["1.2.3.4", "1.2.3.5"].map(|client| {
                    let mut stream =
                        UnixStream::connect(format!("{}{server}", path(which))).unwrap();
                    if server > 3 {
                        let header = format!("PROXY TCP4 {client} 5.6.7.8 111 222\r\n");
                        let _ = stream.write_all(header.as_bytes());
                    }
                    let mut text = Vec::new();
                    stream.read_to_end(&mut text).unwrap();
                    String::from_utf8_lossy(&text).into_owned()
                })
            })
            .collect();
        let story = program.story().join("\n").replace(&path(which), "PATH");
        (answers, story)
    });
}

/// Opens `count` connections one after the other and holds them; what each was told.
fn held(address: &str, count: usize) -> (Vec<TcpStream>, Vec<String>) {
    let mut streams = Vec::new();
    let mut told = Vec::new();
    for _ in 0..count {
        let mut stream = connect_from("127.0.0.1", address);
        let mut first = [0; 1];
        told.push(match stream.read(&mut first) {
            Ok(0) => "closed".to_owned(),
            Ok(_) => "served".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        });
        streams.push(stream);
    }
    (streams, told)
}

#[test]
fn connections_are_limited_as_in_nginx() {
    let long = "x".repeat(250);
    let limits = [
        "limit_conn a 2;",
        "limit_conn a 1; limit_conn_log_level info;",
        "limit_conn a 1; limit_conn_log_level warn;",
        "limit_conn a 1; limit_conn_dry_run on;",
        "limit_conn a 2; limit_conn b 1;",
        "limit_conn b 2; limit_conn a 1;",
        "limit_conn a 2; limit_conn b 1; limit_conn_dry_run on;",
        "limit_conn a 1; deny all;",
        "limit_conn v 1; set $v x;",
        "limit_conn v 1; set $v '';",
        "limit_conn v 1; set $v LONG;",
        // The stream's, and not the stream's.
        "",
        "limit_conn c 3;",
    ];
    let zones = "limit_conn_zone $binary_remote_addr zone=a:1m; limit_conn_zone \
                 $server_port zone=b:1m; limit_conn_zone $v$v zone=v:1m; \
                 limit_conn_zone k$server_port zone=c:32k; limit_conn c 2;";
    same(|which| {
        let _peer = Peer::start(&at(which, "IP:9001"), |mut stream| {
            let _ = stream.write_all(b"x");
            rest(&stream);
        });
        let mut seen = Vec::new();
        // One at a time, because they share zones.
        for limit in limits {
            let limit = limit.replace("LONG", &long);
            let set = if limit.contains("set") { "" } else { "set $v y;" };
            let server =
                format!("{zones} server {{ listen IP:8080; {limit} {set} proxy_pass IP:9001; }}");
            let program = Program::start(which, ONE_WORKER, &server);
            let (streams, told) = held(&at(which, "IP:8080"), 4);
            drop(streams);
            let story: Vec<String> =
                program.story().into_iter().filter(|line| !line.contains("connected")).collect();
            seen.push((told, story));
        }
        seen
    });
}

#[test]
fn limits_last_as_long_as_the_connection_and_over_reloads() {
    let server = |more: &str| {
        format!(
            "limit_conn_zone $binary_remote_addr zone=a:1m; \
             server {{ listen IP:8080; limit_conn a 1; proxy_pass IP:9001; }} {more}"
        )
    };
    same(|which| {
        let _peer = Peer::start(&at(which, "IP:9001"), |mut stream| {
            let _ = stream.write_all(b"x");
            rest(&stream);
        });
        let program = Program::start(which, ONE_WORKER, &server(""));
        let (first, mut told) = held(&at(which, "IP:8080"), 1);
        program.reload(&server("server { listen IP:8081; limit_conn a 1; return y; }"));
        told.extend(held(&at(which, "IP:8080"), 1).1);
        told.extend(held(&at(which, "IP:8081"), 1).1);
        drop(first);
        program.logs("disconnected");
        std::thread::sleep(Duration::from_millis(50));
        told.extend(held(&at(which, "IP:8081"), 1).1);
        std::thread::sleep(Duration::from_millis(50));
        told.extend(held(&at(which, "IP:8080"), 1).1);
        told
    });
}

#[test]
fn a_full_zone_refuses_as_in_nginx() {
    same(|which| {
        let _peer = Peer::start(&at(which, "IP:9001"), |mut stream| {
            let _ = stream.write_all(b"x");
            rest(&stream);
        });
        let main = "worker_processes 1; events { worker_connections 1000; }";
        let server = "limit_conn_zone $remote_addr:$remote_port-and-much-more-of-it zone=a:32k; \
                      server { listen IP:8080; limit_conn a 1; proxy_pass IP:9001; }";
        let program = Program::start(which, main, server);
        let (streams, told) = held(&at(which, "IP:8080"), 170);
        let served = told.iter().filter(|told| *told == "served").count();
        drop(streams);
        let story: Vec<String> =
            program.story().into_iter().filter(|line| !line.contains("connected")).collect();
        (served, story)
    });
}

#[test]
fn stages_come_in_nginxs_order() {
    let stream = "limit_conn_zone $v zone=v:1m; limit_conn_zone $remote_addr zone=r:1m; \
        server { listen IP:8080 proxy_protocol; set_real_ip_from 127.0.0.1; \
                 set $v $remote_addr-$limit_conn_status; return \"$v $limit_conn_status\"; \
                 limit_conn v 5; } \
        server { listen IP:8081 proxy_protocol; set_real_ip_from 127.0.0.1; deny all; \
                 limit_conn r 5; proxy_pass IP:9001; }";
    same(|which| {
        let program = Program::start(which, ONE_WORKER, stream);
        let header = b"PROXY TCP4 1.2.3.4 5.6.7.8 111 222\r\n";
        let answers = ["IP:8080", "IP:8081"].map(|to| talk(&at(which, to), header));
        (answers, program.story())
    });
}

#[test]
fn an_address_shares_the_socket_of_all_addresses_as_in_nginx() {
    // Other tests have all addresses on a port, too.
    let base = 20_000 + std::process::id() % 1000 * 10;
    let mut stream = "server { listen P0; return all-$server_addr; } \
        server { listen IP:P0; return one; } \
        server { listen IP:P1; return one; } \
        server { listen P1 proxy_protocol; return all; } \
        server { listen 127.0.0.9:P0; tcp_nodelay off; return nine; } \
        server { listen IP:P2-P4; return range; } server { listen *:P3; return in-range; }"
        .to_owned();
    for at in 0..5 {
        stream = stream.replace(&format!("P{at}"), &(base + at).to_string());
    }
    same(|which| {
        let program = Program::start(which, ONE_WORKER, &stream);
        let asked = [
            ("IP", 0),
            ("127.0.0.9", 0),
            ("127.0.0.10", 0),
            ("IP", 1),
            ("127.0.0.9", 1),
            ("IP", 2),
            ("IP", 3),
            ("127.0.0.9", 3),
            ("IP", 4),
        ];
        let answers = asked.map(|(host, at_port)| {
            let address = at(which, &format!("{host}:{}", base + at_port));
            talk(&address, b"PROXY UNKNOWN\r\n").0
        });
        (answers, program.story())
    });
}
