//! `make bench`: what proxying costs in Evenkeel, nginx and haproxy, side by side in one run.
//!
//! One worker each, on loopback, rounds interleaved so that a busy moment of the machine hits all
//! of them. What is measured is CPU time and memory of the proxy's own process; medians, and the
//! ratio to nginx of the same round. `BENCH_ROUNDS` (5) and `BENCH_SECONDS` (1 per figure) set how
//! long it takes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

const SERVER: &str = "127.0.2.1:9000";
const SINK: &str = "127.0.2.1:9001";
const IDLE: usize = 2000;
const BULK: usize = 1 << 30;

/// A program with the two ports it proxies: one to the echo server, one to the sink.
struct Proxy {
    name: &'static str,
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Proxy {
    fn start(name: &'static str, port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("conf");
        let mut command = match name {
            "haproxy" => {
                std::fs::write(&config, haproxy(port)).unwrap();
                let mut command = Command::new("haproxy");
                command.arg("-db").arg("-f").arg(&config);
                command
            }
            _ => {
                std::fs::write(&config, nginx(folder.path(), port)).unwrap();
                nginx_command(name, folder.path(), &config)
            }
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let proxy = Self { name, child: child.ok()?, port, _folder: folder };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(proxy.address()).is_err() {
            assert!(Instant::now() < until, "{name} doesn't start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(proxy)
    }

    fn address(&self) -> String {
        format!("127.0.2.2:{}", self.port)
    }

    /// To the sink.
    fn bulk(&self) -> String {
        format!("127.0.2.2:{}", self.port + 1)
    }

    /// The process that proxies: the last of the family.
    fn worker(&self) -> u32 {
        let mut pid = self.child.id();
        loop {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let children = std::fs::read_to_string(path).unwrap_or_default();
            match children.split_whitespace().last() {
                Some(child) => pid = child.parse().unwrap(),
                None => return pid,
            }
        }
    }

    /// CPU time of all its threads so far, in microseconds.
    fn cpu(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.worker())).unwrap();
        let times = tasks.map(|task| {
            let path = task.unwrap().path().join("schedstat");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split_whitespace().next().map_or(0.0, |time| time.parse().unwrap())
        });
        times.sum::<f64>() / 1000.0
    }

    /// Bytes of its own memory.
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker())).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn nginx_command(name: &str, folder: &Path, config: &Path) -> Command {
    let mut command = match name {
        "nginx" => Command::new("nginx"),
        _ => {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new(evenkeel());
            command.arg0("nginx");
            command
        }
    };
    command.arg("-c").arg(config).arg("-p").arg(folder).arg("-e").arg(folder.join("error.log"));
    command
}

/// The release binary beside this one, or the one in `EVENKEEL`.
fn evenkeel() -> PathBuf {
    std::env::var_os("EVENKEEL").map_or_else(|| env!("CARGO_BIN_EXE_evenkeel").into(), Into::into)
}

fn nginx(folder: &Path, port: u16) -> String {
    let (folder, bulk) = (folder.display(), port + 1);
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off; user root; worker_processes 1; pid {folder}/pid;\n\
         error_log {folder}/error.log error;\n\
         events {{ worker_connections 16384; }}\n\
         stream {{\n\
         upstream echo {{ server {SERVER}; }}\n\
         upstream sink {{ server {SINK}; }}\n\
         server {{ listen 127.0.2.2:{port} backlog=4096; proxy_pass echo; }}\n\
         server {{ listen 127.0.2.2:{bulk}; proxy_pass sink; }}\n\
         }}\n"
    )
}

fn haproxy(port: u16) -> String {
    let bulk = port + 1;
    format!(
        "global\n nbthread 1\n maxconn 8000\n\
         defaults\n mode tcp\n timeout connect 60s\n timeout client 600s\n timeout server 600s\n\
         listen echo\n bind 127.0.2.2:{port} backlog 4096\n server s {SERVER}\n\
         listen bulk\n bind 127.0.2.2:{bulk}\n server s {SINK}\n"
    )
}

// --- behind and in front of the proxy ---------------------------------------------------------------

fn serve(address: &str, each: impl Fn(TcpStream) + Send + Clone + 'static, threads: bool) {
    let listener = Arc::new(TcpListener::bind(address).unwrap());
    let listen = socket2::SockRef::from(&*listener).listen(4096);
    listen.unwrap();
    for _ in 0..2 {
        let (listener, each) = (Arc::clone(&listener), each.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (connection, each) = (connection.unwrap(), each.clone());
                if threads {
                    let small = std::thread::Builder::new().stack_size(64 * 1024);
                    small.spawn(move || each(connection)).unwrap();
                } else {
                    each(connection);
                }
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

fn exchange(stream: &mut TcpStream) {
    let mut buffer = [b'r'; 100];
    stream.write_all(&buffer).unwrap();
    stream.read_exact(&mut buffer).unwrap();
}

/// Runs `work` in so many threads for the time of a figure; returns how often it ran.
fn load(threads: usize, work: impl Fn(&mut Option<TcpStream>) + Sync) -> usize {
    let seconds = number("BENCH_SECONDS", 1);
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
        std::thread::sleep(Duration::from_secs(seconds as u64));
        over.store(true, Relaxed);
    });
    count.into_inner()
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

// --- the figures ------------------------------------------------------------------------------------

struct Figure {
    name: &'static str,
    measure: fn(&Proxy) -> f64,
}

const FIGURES: [Figure; 4] = [
    Figure { name: "µs CPU per short connection", measure: short },
    Figure { name: "µs CPU per kept-alive request", measure: kept_alive },
    Figure { name: "CPU seconds per GB", measure: bulk },
    Figure { name: "bytes per idle session", measure: idle },
];

fn short(proxy: &Proxy) -> f64 {
    let (address, before) = (proxy.address(), proxy.cpu());
    let count = load(4, |_| exchange(&mut TcpStream::connect(&address).unwrap()));
    (proxy.cpu() - before) / count as f64
}

fn kept_alive(proxy: &Proxy) -> f64 {
    let (address, before) = (proxy.address(), proxy.cpu());
    let count = load(16, |kept| {
        exchange(kept.get_or_insert_with(|| {
            let stream = TcpStream::connect(&address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        }));
    });
    (proxy.cpu() - before) / count as f64
}

fn bulk(proxy: &Proxy) -> f64 {
    let before = proxy.cpu();
    let mut stream = TcpStream::connect(proxy.bulk()).unwrap();
    let chunk = vec![7; 1 << 18];
    for _ in 0..BULK / chunk.len() {
        stream.write_all(&chunk).unwrap();
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let _ = stream.read(&mut [0]);
    (proxy.cpu() - before) / 1e6 * (1e9 / BULK as f64)
}

fn idle(proxy: &Proxy) -> f64 {
    let before = proxy.memory();
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..IDLE {
        streams.push(TcpStream::connect(proxy.address()).unwrap());
    }
    streams.iter_mut().for_each(exchange);
    std::thread::sleep(Duration::from_millis(200));
    (proxy.memory() - before) / IDLE as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    // One process has both ends of every session but the proxy's.
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (_, hard) = nix::sys::resource::getrlimit(limit).unwrap();
    nix::sys::resource::setrlimit(limit, hard, hard).unwrap();
    serve(SERVER, echo, true);
    serve(SINK, swallow, true);
    let proxies = [("nginx", 8000), ("evenkeel", 8010), ("haproxy", 8020)];
    let rounds = number("BENCH_ROUNDS", 5);
    let mut results = vec![vec![Vec::new(); proxies.len()]; FIGURES.len()];
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (at, (name, port)) in proxies.into_iter().enumerate() {
            let Some(proxy) = Proxy::start(name, port) else {
                eprintln!("{name}: not installed");
                continue;
            };
            for (figure, results) in FIGURES.iter().zip(&mut results) {
                // Memory is measured in a process that has done nothing else.
                if figure.name.starts_with("bytes") {
                    continue;
                }
                results[at].push((figure.measure)(&proxy));
            }
            drop(proxy);
            if let Some(proxy) = Proxy::start(name, port) {
                exchange(&mut TcpStream::connect(proxy.address()).unwrap());
                results[FIGURES.len() - 1][at].push(idle(&proxy));
                assert_eq!(proxy.name, name);
            }
        }
    }
    println!("| | nginx | evenkeel | of nginx | haproxy | of nginx |\n|---|---|---|---|---|---|");
    for (figure, results) in FIGURES.iter().zip(results) {
        let nginx = results[0].clone();
        print!("| {} | {:.2} |", figure.name, median(nginx.clone()));
        for values in &results[1..] {
            if values.is_empty() {
                print!(" - | - |");
                continue;
            }
            let ratios: Vec<f64> = values.iter().zip(&nginx).map(|(own, of)| own / of).collect();
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            let (value, ratio) = (median(values.clone()), median(ratios));
            print!(" {value:.2} | {ratio:.2} ({least:.2} to {most:.2}) |");
        }
        println!();
    }
}
