//! What is behind the proxy, and who is in front of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) const SERVER: &str = "127.0.2.1:9000";
pub(crate) const SINK: &str = "127.0.2.1:9001";
/// Says [`SOURCED`] bytes.
pub(crate) const SOURCE: &str = "127.0.2.1:9002";
pub(crate) const SOURCED: usize = 1 << 29;

/// Bytes of a request, and of its answer.
const REQUEST: usize = 100;

/// Starts the servers.
pub(crate) fn serve() {
    listen(SERVER, echo);
    listen(SINK, swallow);
    listen(SOURCE, gush);
    crate::udp::serve();
}

fn listen(address: &str, each: fn(TcpStream)) {
    let listener = Arc::new(TcpListener::bind(address).unwrap());
    socket2::SockRef::from(&*listener).listen(4096).unwrap();
    for _ in 0..2 {
        let listener = Arc::clone(&listener);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let small = std::thread::Builder::new().stack_size(64 * 1024);
                small.spawn(move || each(connection)).unwrap();
            }
        });
    }
}

fn echo(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

fn swallow(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 18];
    while let Ok(1..) = stream.read(&mut buffer) {}
}

fn gush(mut stream: TcpStream) {
    let chunk = vec![7; 1 << 18];
    for _ in 0..SOURCED / chunk.len() {
        if stream.write_all(&chunk).is_err() {
            return;
        }
    }
}

pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub(crate) fn exchange(stream: &mut (impl Read + Write)) {
    let mut buffer = [b'r'; REQUEST];
    stream.write_all(&buffer).unwrap();
    stream.read_exact(&mut buffer).unwrap();
}

/// Runs `work` in so many threads for the time of a figure; returns how often it ran.
pub(crate) fn load<T>(threads: usize, work: impl Fn(&mut Option<T>) + Sync) -> usize {
    let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut kept = None;
                while !over.load(Relaxed) {
                    work(&mut kept);
                    count.fetch_add(1, Relaxed);
                }
            });
        }
        std::thread::sleep(duration());
        over.store(true, Relaxed);
    });
    count.into_inner()
}

/// Requests at a fixed rate over `threads` connections; how long each took, sorted.
pub(crate) fn paced(address: &str, threads: usize, per_second: u32) -> Vec<Duration> {
    let pause = Duration::from_secs(1) * threads as u32 / per_second;
    let over = Instant::now() + duration();
    let one = |at: usize| {
        // Sleeps end within microseconds then, not within fifty.
        let _ = nix::sys::prctl::set_timerslack(1);
        let mut stream = connect(address);
        let mut next = Instant::now() + pause * at as u32 / threads as u32;
        let mut times = Vec::new();
        while next < over {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            exchange(&mut stream);
            times.push(begun.elapsed());
            next += pause;
        }
        times
    };
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|at| scope.spawn(move || one(at))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    times.sort();
    times
}

/// Of one figure in one round.
pub(crate) fn duration() -> Duration {
    Duration::from_secs(number("BENCH_SECONDS", 1) as u64)
}

pub(crate) fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
