//! The programs that are measured, each started with the same work to do.

use std::fmt::Write;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ends::{SERVER, SINK, SOURCE};
use crate::tls::pki;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Nginx,
    Evenkeel,
    Haproxy,
}

/// What it is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) workers: usize,
    /// Peers of an upstream that nobody uses.
    pub(crate) peers: usize,
}

pub(crate) const ONE_WORKER: Job = Job { workers: 1, peers: 0 };

/// A running program. Ends when dropped.
pub(crate) struct Proxy {
    pub(crate) program: Program,
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    /// How long it took until it accepted.
    pub(crate) start: Duration,
}

impl Proxy {
    /// `None`: it isn't installed.
    pub(crate) fn start(program: Program, job: Job) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = match program {
            Program::Nginx => 8000,
            Program::Evenkeel => 8010,
            Program::Haproxy => 8020,
        };
        let config = folder.path().join("conf");
        let text = match program {
            Program::Haproxy => haproxy(folder.path(), port, job),
            _ => nginx(folder.path(), port, job),
        };
        let pair = [pki("pem"), pki("key")].map(|file| std::fs::read(file).unwrap());
        std::fs::write(folder.path().join("pair.pem"), pair.concat()).unwrap();
        std::fs::write(&config, text).unwrap();
        let mut command = command(program, folder.path(), &config);
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let mut proxy = Self { program, child, port, folder, start: Duration::ZERO };
        while TcpStream::connect(proxy.address()).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{program:?} doesn't start");
            std::thread::sleep(Duration::from_millis(2));
        }
        proxy.start = begun.elapsed();
        // Sockets are opened one after the other; this one is the last.
        while TcpStream::connect(proxy.tls_source()).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{program:?} doesn't start");
        }
        Some(proxy)
    }

    /// To the echo server.
    pub(crate) fn address(&self) -> String {
        format!("127.0.2.2:{}", self.port)
    }

    /// To the sink.
    pub(crate) fn bulk(&self) -> String {
        format!("127.0.2.2:{}", self.port + 1)
    }

    /// To the server, by TLS.
    pub(crate) fn tls(&self) -> String {
        format!("127.0.2.2:{}", self.port + 4)
    }

    /// To the sink.
    pub(crate) fn tls_sink(&self) -> String {
        format!("127.0.2.2:{}", self.port + 5)
    }

    /// From the source.
    pub(crate) fn tls_source(&self) -> String {
        format!("127.0.2.2:{}", self.port + 6)
    }

    /// Reloads the same config; how long it takes until the next connection is served by it.
    pub(crate) fn reload(&self) -> Duration {
        let marker = self.folder.path().join("conf");
        let text = std::fs::read_to_string(&marker).unwrap();
        let (old, new) = (format!("127.0.2.2:{}", self.port + 2), self.port + 3);
        std::fs::write(&marker, text.replace(&old, &format!("127.0.2.2:{new}"))).unwrap();
        // nginx loses a signal that comes in its first moments.
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGHUP).unwrap();
        while TcpStream::connect(format!("127.0.2.2:{new}")).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("error.log"));
            let late = begun.elapsed() > Duration::from_secs(60);
            assert!(!late, "{:?} doesn't reload: {:?}", self.program, log());
            std::thread::sleep(Duration::from_millis(2));
        }
        begun.elapsed()
    }

    /// The processes that proxy: those of the family that have no children.
    fn workers(&self) -> Vec<u32> {
        let (mut open, mut leaves) = (vec![self.child.id()], Vec::new());
        while let Some(pid) = open.pop() {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let children = std::fs::read_to_string(path).unwrap_or_default();
            let children: Vec<u32> =
                children.split_whitespace().map(|child| child.parse().unwrap()).collect();
            match children.is_empty() {
                true => leaves.push(pid),
                false => open.extend(children),
            }
        }
        leaves
    }

    /// CPU time of all their threads so far, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        let tasks = self.workers().into_iter().flat_map(|pid| {
            std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten()
        });
        let times = tasks.map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            text.split_whitespace().next().map_or(0.0, |time| time.parse().unwrap())
        });
        times.sum::<f64>() / 1000.0
    }

    /// Bytes of their own memory.
    pub(crate) fn memory(&self) -> f64 {
        let own = self.workers().into_iter().map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
        });
        own.sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn command(program: Program, folder: &Path, config: &Path) -> Command {
    let mut command = match program {
        Program::Haproxy => {
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(config);
            return command;
        }
        Program::Nginx => Command::new("nginx"),
        Program::Evenkeel => {
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

fn nginx(folder: &Path, port: u16, job: Job) -> String {
    let (folder, bulk, marker, workers) = (folder.display(), port + 1, port + 2, job.workers);
    let (tls, tls_sink, tls_source) = (port + 4, port + 5, port + 6);
    let (certificate, key) = (pki("pem"), pki("key"));
    let (certificate, key) = (certificate.display(), key.display());
    let mut text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off; user root; worker_processes {workers}; pid {folder}/pid;\n\
         error_log {folder}/error.log error;\n\
         events {{ worker_connections 16384; }}\n\
         stream {{\n\
         upstream echo {{ server {SERVER}; }}\n\
         upstream sink {{ server {SINK}; }}\n\
         server {{ listen 127.0.2.2:{port} backlog=4096; proxy_pass echo; }}\n\
         server {{ listen 127.0.2.2:{bulk}; proxy_pass sink; }}\n\
         server {{ listen 127.0.2.2:{port} udp; proxy_pass echo; }}\n\
         server {{ listen 127.0.2.2:{bulk} udp; proxy_pass echo; proxy_responses 1; }}\n\
         server {{ listen 127.0.2.2:{marker}; proxy_pass sink; }}\n\
         ssl_certificate {certificate}; ssl_certificate_key {key};\n\
         ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:4m;\n\
         server {{ listen 127.0.2.2:{tls} ssl backlog=4096; proxy_pass echo; }}\n\
         server {{ listen 127.0.2.2:{tls_sink} ssl; proxy_pass sink; }}\n\
         server {{ listen 127.0.2.2:{tls_source} ssl; proxy_pass {SOURCE}; }}\n"
    );
    if job.peers > 0 {
        text += "upstream many {\n";
        each_peer(job.peers, |at, address| writeln!(text, "server {address}; # {at}").unwrap());
        text += "}\n";
    }
    text + "}\n"
}

fn haproxy(folder: &Path, port: u16, job: Job) -> String {
    let (bulk, threads) = (port + 1, job.workers);
    let (tls, tls_sink, tls_source) = (port + 4, port + 5, port + 6);
    let pair = folder.join("pair.pem");
    let pair = pair.display();
    let mut text = format!(
        "global\n nbthread {threads}\n maxconn 8400\n\
         defaults\n mode tcp\n timeout connect 60s\n timeout client 600s\n timeout server 600s\n\
         listen echo\n bind 127.0.2.2:{port} backlog 4096\n server s {SERVER}\n\
         listen bulk\n bind 127.0.2.2:{bulk}\n server s {SINK}\n\
         listen tls\n bind 127.0.2.2:{tls} backlog 4096 ssl crt {pair}\n server s {SERVER}\n\
         listen tls-sink\n bind 127.0.2.2:{tls_sink} ssl crt {pair}\n server s {SINK}\n\
         listen tls-source\n bind 127.0.2.2:{tls_source} ssl crt {pair}\n server s {SOURCE}\n"
    );
    if job.peers > 0 {
        text += "backend many\n";
        each_peer(job.peers, |at, address| writeln!(text, " server s{at} {address}").unwrap());
    }
    text
}

fn each_peer(count: usize, mut each: impl FnMut(usize, String)) {
    for at in 0..count {
        each(at, format!("127.1.{}.{}:9000", at / 250, 1 + at % 250));
    }
}
