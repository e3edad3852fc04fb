//! `ssl_preread` beside the real nginx: greetings whole and in pieces, what is none, and what the
//! log says of them.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use super::peer::{Peer, connect, reset, rest};
use super::program::Program;
use super::{ONE_WORKER, at, same};

const SEEN: &str = "[$ssl_preread_server_name] [$ssl_preread_protocol] \
                    [$ssl_preread_alpn_protocols]";

/// A greeting of OpenSSL's, from the fuzz target's seeds.
fn greeting(name: &str) -> Vec<u8> {
    std::fs::read(format!("compat-tests/fuzz/corpus/client_hello/{name}")).unwrap()
}

/// A message of TLS 1.2 with these extensions, in one record.
fn message(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let counted = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let extension = |(kind, body): &(u8, &[u8])| [&[0, *kind][..], &counted(body)].concat();
    let extensions: Vec<u8> = extensions.iter().flat_map(extension).collect();
    let body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0], &counted(&extensions)];
    let message = [&[1, 0][..], &counted(&body.concat())].concat();
    [&[0x16, 3, 1][..], &counted(&message)].concat()
}

/// What each client got, and how it ended.
fn answers(address: &str, clients: &[(Vec<&[u8]>, bool)]) -> Vec<(String, String)> {
    std::thread::scope(|scope| {
        let client = |(parts, shut): &(Vec<&[u8]>, bool)| {
            let mut stream = connect(address);
            for part in parts {
                // The other side may have had enough.
                let _ = stream.write_all(part);
                std::thread::sleep(Duration::from_millis(20));
            }
            if *shut {
                let _ = stream.shutdown(Shutdown::Write);
            }
            let (bytes, end) = rest(&stream);
            (String::from_utf8(bytes).unwrap(), end)
        };
        let threads: Vec<_> = clients.iter().map(|it| scope.spawn(move || client(it))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn greetings_are_read_as_by_nginx() {
    let (tls13, tls12, nameless) = (greeting("tls13"), greeting("tls12"), greeting("no-sni"));
    let (fragments, second) = (greeting("fragments"), greeting("sslv2"));
    let name = |name: &[u8]| [&[0, name.len() as u8 + 3, 0, 0, name.len() as u8], name].concat();
    let (one, two) = (name(b"one"), name(b"two"));
    let odd = [
        message(&[]),
        message(&[(0, &one)]),
        message(&[(0, &one), (0, &two)]),
        message(&[(0, b"")]),
        message(&[(0, &[&one[..], b"x"].concat())]),
        message(&[(0, b"\x00\x04\x00\x00\xffa")]),
        message(&[(0, b"\x00\x04\x01\x00\x01a")]),
        message(&[(16, b"\x00\x03\x02h2")]),
        message(&[(16, b"\x00\x00")]),
        message(&[(16, b"\x00\x04\x00\x02h2")]),
        message(&[(43, b"\x02\x03\x01")]),
        message(&[(43, b"\x02\x7a\x7a"), (0, &one)]),
        message(&[(43, b"\x02\x03\x04\x03\x01")]),
        message(&[(99, b"whatever"), (0, &one)]),
        b"\x16\x03\x01\x00\x20\x02\0\0\0".to_vec(),
        b"\x16\x03\x01\x00\x04\x01\0\0\0".to_vec(),
        b"\x16\x02\x00\x00\x20\x01\0\0\0".to_vec(),
        b"\x15\x03\x01\x00\x02\x02\x28".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        [&b"\x16\x03\x09\x00\x00"[..], &tls13].concat(),
    ];
    let whole = [&tls13, &tls12, &nameless, &fragments, &second].map(|it| (vec![&it[..]], false));
    let mut clients = whole.to_vec();
    clients.extend(odd.iter().map(|bytes| (vec![&bytes[..]], false)));
    clients.push((vec![&tls13[..20], &tls13[20..100], &tls13[100..]], false));
    clients.push((vec![&fragments[..3], &fragments[3..]], false));
    clients.push((vec![&b"G"[..], b"ET /"], false));
    // Cut off, and too late.
    clients.push((vec![], true));
    clients.push((vec![&tls13[..40]], true));
    clients.push((vec![], false));
    clients.push((vec![b"\x16"], false));
    clients.push((vec![&tls13[..40]], false));
    clients.push((vec![&tls13[..tls13.len() - 1]], false));
    same(|which| {
        let config = format!(
            "server {{ listen IP:8080; ssl_preread on; preread_timeout 300ms; return \"{SEEN}\"; }}"
        );
        let program = Program::start(which, ONE_WORKER, &config);
        (answers(&at(which, "IP:8080"), &clients), program.story())
    });
}

#[test]
fn a_greeting_goes_on_to_the_peer_and_too_small_a_room_is_an_error() {
    let (tls13, fragments) = (greeting("tls13"), greeting("fragments"));
    same(|which| {
        let _echo = Peer::echo(&at(which, "IP:9001"));
        let program = Program::start(
            which,
            ONE_WORKER,
            "ssl_preread on; preread_buffer_size 520;
             server { listen IP:8080; proxy_pass IP:9001; }
             server { listen IP:8081; proxy_pass IP:9001; preread_buffer_size 64; }
             server { listen IP:8082; proxy_pass IP:9001; ssl_preread off; }
             server { listen IP:8083; proxy_pass IP:9091; }",
        );
        let mut seen = Vec::new();
        for (port, bytes) in
            [(8080, &tls13), (8080, &fragments), (8081, &tls13), (8082, &fragments), (8083, &tls13)]
        {
            let stream = connect(&at(which, &format!("IP:{port}")));
            (&stream).write_all(bytes).unwrap();
            // A reset, perhaps, where the rest of it was never read.
            let fits = port != 8081 && (bytes.len() <= 520 || port == 8082);
            // The client's end would end the session, perhaps before the echo is back.
            let mut answer = vec![0; if fits && port != 8083 { bytes.len() } else { 0 }];
            (&stream).read_exact(&mut answer).unwrap();
            if port != 8083 {
                // It may have been reset already.
                let _ = stream.shutdown(Shutdown::Write);
            }
            let (more, end) = rest(&stream);
            answer.extend(more);
            seen.push((answer, fits.then_some(end)));
        }
        let silent = connect(&at(which, "IP:8080"));
        (&silent).write_all(&tls13[..30]).unwrap();
        // A worker that comes late would find the reset before the bytes.
        program.logs_times(" connected to IP:8080", 3);
        std::thread::sleep(Duration::from_millis(50));
        reset(silent);
        program.logs("reset by peer");
        (seen, program.story())
    });
}
