//! What is measured, a row of the table each.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::ends::{connect, exchange, load, paced};
use crate::proxy::{Job, ONE_WORKER, Program, Proxy};
use crate::{tls, udp};

const BULK: usize = 1 << 30;
const IDLE: usize = 2000;
const PEERS: usize = 10_000;
const TWO_WORKERS: Job = Job { workers: 2, ..ONE_WORKER };
const MANY_PEERS: Job = Job { peers: PEERS, ..ONE_WORKER };

/// Some rows that come of one measurement, in a program that has done nothing else.
pub(crate) struct Figure {
    pub(crate) rows: &'static [&'static str],
    pub(crate) job: Job,
    /// A number for each row; `None`: it can't be measured of this program.
    pub(crate) measure: fn(&Proxy) -> Option<Vec<f64>>,
}

pub(crate) const FIGURES: &[Figure] = &[
    Figure { rows: &["µs CPU per short connection"], job: ONE_WORKER, measure: short },
    Figure {
        rows: &["µs CPU per kept-alive request, saturated"],
        job: ONE_WORKER,
        measure: kept_alive,
    },
    Figure {
        rows: &[
            "µs CPU per request at 20,000/s",
            "median of a request's time, µs",
            "99th percentile of it, µs",
        ],
        job: ONE_WORKER,
        measure: fixed_rate,
    },
    Figure { rows: &["CPU seconds per GB"], job: ONE_WORKER, measure: bulk },
    Figure { rows: &["bytes per idle session"], job: ONE_WORKER, measure: idle },
    Figure {
        rows: &["two workers: µs CPU per short connection"],
        job: TWO_WORKERS,
        measure: short,
    },
    Figure {
        rows: &["two workers: µs CPU per kept-alive request, saturated"],
        job: TWO_WORKERS,
        measure: kept_alive,
    },
    Figure {
        rows: &["µs CPU per request with 10 sessions open"],
        job: ONE_WORKER,
        measure: |proxy| among(proxy, 10),
    },
    Figure {
        rows: &["µs CPU per request with 1,000 sessions open"],
        job: ONE_WORKER,
        measure: |proxy| among(proxy, 1000),
    },
    Figure {
        rows: &["µs CPU per request with 8,000 sessions open"],
        job: ONE_WORKER,
        measure: |proxy| among(proxy, 8000),
    },
    Figure {
        rows: &[
            "UDP: µs CPU per question and answer, 16 flows",
            "UDP: questions answered per second",
        ],
        job: ONE_WORKER,
        measure: udp::kept,
    },
    Figure {
        rows: &["UDP: µs CPU per session of one question"],
        job: ONE_WORKER,
        measure: udp::short,
    },
    Figure {
        rows: &[
            "UDP: µs CPU per datagram, one way in bursts",
            "UDP: datagrams per second, one way",
        ],
        job: ONE_WORKER,
        measure: udp::bursts,
    },
    Figure {
        rows: &["TLS: µs CPU per full handshake", "TLS: full handshakes per second"],
        job: ONE_WORKER,
        measure: tls::full,
    },
    Figure {
        rows: &["TLS: µs CPU per resumed handshake", "TLS: resumed handshakes per second"],
        job: ONE_WORKER,
        measure: tls::resumed,
    },
    Figure {
        rows: &["TLS 1.2: µs CPU per resumed handshake", "TLS 1.2: resumed handshakes per second"],
        job: ONE_WORKER,
        measure: tls::resumed_older,
    },
    Figure {
        rows: &["TLS: µs CPU per kept-alive request, saturated"],
        job: ONE_WORKER,
        measure: tls::kept_alive,
    },
    Figure {
        rows: &["TLS: CPU seconds per GB from the client"],
        job: ONE_WORKER,
        measure: tls::upload,
    },
    Figure {
        rows: &["TLS: CPU seconds per GB to the client"],
        job: ONE_WORKER,
        measure: tls::download,
    },
    Figure { rows: &["TLS: bytes per idle session"], job: ONE_WORKER, measure: tls::idle },
    Figure {
        rows: &["ms to start with 10,000 peers", "ms to reload with 10,000 peers"],
        job: MANY_PEERS,
        measure: start_and_reload,
    },
];

fn short(proxy: &Proxy) -> Option<Vec<f64>> {
    let (address, before) = (proxy.address(), proxy.cpu());
    let count = load(4, |_: &mut Option<()>| exchange(&mut TcpStream::connect(&address).unwrap()));
    Some(vec![(proxy.cpu() - before) / count as f64])
}

fn kept_alive(proxy: &Proxy) -> Option<Vec<f64>> {
    let (address, before) = (proxy.address(), proxy.cpu());
    let count = load(16, |kept| exchange(kept.get_or_insert_with(|| connect(&address))));
    Some(vec![(proxy.cpu() - before) / count as f64])
}

fn fixed_rate(proxy: &Proxy) -> Option<Vec<f64>> {
    let before = proxy.cpu();
    let times = paced(&proxy.address(), 8, 20_000);
    let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
    let cpu = (proxy.cpu() - before) / times.len() as f64;
    Some(vec![cpu, micros(times[times.len() / 2]), micros(times[times.len() * 99 / 100])])
}

fn bulk(proxy: &Proxy) -> Option<Vec<f64>> {
    let before = proxy.cpu();
    let mut stream = TcpStream::connect(proxy.bulk()).unwrap();
    let chunk = vec![7; 1 << 18];
    for _ in 0..BULK / chunk.len() {
        stream.write_all(&chunk).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    let _ = stream.read(&mut [0]);
    Some(vec![(proxy.cpu() - before) / 1e6 * (1e9 / BULK as f64)])
}

fn idle(proxy: &Proxy) -> Option<Vec<f64>> {
    exchange(&mut connect(&proxy.address()));
    let before = proxy.memory();
    let mut streams: Vec<_> = (0..IDLE).map(|_| connect(&proxy.address())).collect();
    streams.iter_mut().for_each(exchange);
    std::thread::sleep(Duration::from_millis(200));
    Some(vec![(proxy.memory() - before) / IDLE as f64])
}

/// Requests over a few of many sessions; the others are idle.
fn among(proxy: &Proxy, sessions: usize) -> Option<Vec<f64>> {
    let mut open: Vec<_> = (0..sessions - 4).map(|_| connect(&proxy.address())).collect();
    open.iter_mut().for_each(exchange);
    let (address, before) = (proxy.address(), proxy.cpu());
    let count = load(4, |kept| exchange(kept.get_or_insert_with(|| connect(&address))));
    Some(vec![(proxy.cpu() - before) / count as f64])
}

fn start_and_reload(proxy: &Proxy) -> Option<Vec<f64>> {
    if proxy.program == Program::Haproxy {
        return None;
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    Some(vec![milliseconds(proxy.start), milliseconds(proxy.reload())])
}
