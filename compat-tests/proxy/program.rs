//! The program under test: Debian's nginx, or Evenkeel's stream role, each a process of its own
//! that runs the same config.
//!
//! Evenkeel's process is this test binary, started again for the test [`serve`]; it reads the few
//! directives that these tests use. (What the `nginx` face makes of a config has tests of its own.)

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel::plan::process::{ErrorLog, LogLevel, LogTarget};
use evenkeel::plan::stream::{
    Address, Balance, Listener, NextUpstream, Peer, Server, ServerId, Upstream, UpstreamId,
};
use evenkeel::plan::{StreamPlan, StreamProcess};
use evenkeel::runtime::stream::Stream;
use evenkeel::text::Span;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Nginx,
    Evenkeel,
}

/// A running program. Ends when dropped.
pub(super) struct Program {
    pub(super) which: Which,
    child: Child,
    folder: tempfile::TempDir,
    main: String,
}

impl Program {
    /// Starts it with `main` (main context) and `stream` (the block's inside), and waits until it
    /// accepts. `IP` in both stands for a loopback address that no other test uses.
    pub(super) fn start(which: Which, main: &str, stream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("nginx.conf");
        let log = folder.path().join("error.log");
        let mut command = match which {
            Which::Nginx => {
                let mut command = Command::new("nginx");
                command.arg("-c").arg(&config).arg("-p").arg(folder.path()).arg("-e").arg(&log);
                command
            }
            Which::Evenkeel => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", "proxy::program::serve", "--ignored", "--nocapture"]);
                command.env("EVENKEEL_TEST_CONFIG", &config);
                command
            }
        };
        let mut program = Self {
            which,
            child: {
                write(&config, &render(which, folder.path(), main, stream));
                command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
            },
            folder,
            main: main.to_owned(),
        };
        program.wait_for("pid");
        program
    }

    fn wait_for(&mut self, file: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.folder.path().join(file).exists() {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "{:?} ended: {}", self.which, self.log());
            assert!(Instant::now() < until, "{:?} doesn't start", self.which);
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.which == Which::Nginx {
            // Its pid file says that the master runs; the worker follows.
            while self.worker().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process that proxies.
    pub(super) fn worker(&self) -> Option<u32> {
        let child = self.child.id();
        if self.which == Which::Evenkeel {
            return Some(child);
        }
        let path = format!("/proc/{child}/task/{child}/children");
        let children = std::fs::read_to_string(path).unwrap();
        children.split_whitespace().last().map(|pid| pid.parse().unwrap())
    }

    /// Everything in its error log.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    /// Waits until the log has `text`.
    pub(super) fn logs(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "{:?}: no {text:?} in\n{}", self.which, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The lines about sessions, without what differs from run to run: times, process ids, the
    /// numbers and ports of connections, and which of the two addresses it was.
    pub(super) fn story(&self) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| !line.contains("[notice]"));
        lines.map(|line| self.plain(line)).collect()
    }

    fn plain(&self, line: &str) -> String {
        let ip = ip(self.which);
        let level = line.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or("?");
        let message = line.split_once('#').and_then(|(_, rest)| rest.split_once(": "));
        let message = message.map_or(line, |(_, message)| message).replace(&ip, "IP");
        let words = message.split(' ').enumerate().map(|(at, word)| match word {
            number if number.starts_with('*') => "*N".to_owned(),
            address if at == 2 && address.contains(':') => {
                format!("{}:PORT", address.rsplit_once(':').unwrap().0)
            }
            word => word.to_owned(),
        });
        format!("[{level}] {}", words.collect::<Vec<_>>().join(" "))
    }

    pub(super) fn reload(&self, stream: &str) {
        let config = self.folder.path().join("nginx.conf");
        write(&config, &render(self.which, self.folder.path(), &self.main, stream));
        let (before, reloads) = (self.worker(), self.log().matches("reloaded").count());
        self.signal(Signal::SIGHUP);
        match self.which {
            Which::Evenkeel => {
                while self.log().matches("reloaded").count() == reloads {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            Which::Nginx => {
                let old = format!("/proc/{}/cmdline", before.unwrap());
                let accepts =
                    || std::fs::read_to_string(&old).is_ok_and(|title| !title.contains("shutting"));
                while self.worker() == before || accepts() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub(super) fn wait(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "{:?} doesn't end", self.which);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.signal(Signal::SIGTERM);
            self.wait();
        }
    }
}

/// A loopback address of this test process and program alone.
pub(super) fn ip(which: Which) -> String {
    let pid = std::process::id();
    let last = if which == Which::Nginx { 1 } else { 2 };
    format!("127.{}.{}.{last}", 1 + pid / 250 % 250, 1 + pid % 250)
}

fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn render(which: Which, folder: &std::path::Path, main: &str, stream: &str) -> String {
    let folder = folder.display();
    let body = format!("{main}\nstream {{ {stream} }}\n").replace("IP", &ip(which));
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off; user root; pid {folder}/pid; error_log {folder}/error.log info;\n{body}"
    )
}

// --- Evenkeel's process ---------------------------------------------------------------------------

/// Not a test: the body of the process that [`Program::start`] starts.
#[test]
#[ignore = "the process of other tests"]
fn serve() {
    let Some(config) = std::env::var_os("EVENKEEL_TEST_CONFIG").map(PathBuf::from) else {
        panic!("only for Program::start");
    };
    let mut doors: Vec<(Address, OwnedFd)> = Vec::new();
    let (plan, sockets) = prepare(&config, &mut doors);
    let pid = plan.process.pid.clone();
    let mut stream = Stream::start(plan, sockets).unwrap();
    let signals = [libc::SIGHUP, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1];
    let mut signals = signal_hook::iterator::Signals::new(signals).unwrap();
    std::fs::write(pid, std::process::id().to_string()).unwrap();
    for signal in signals.forever() {
        match signal {
            libc::SIGHUP => {
                let (plan, sockets) = prepare(&config, &mut doors);
                let log = config.with_file_name("error.log");
                stream.reload(plan, sockets).unwrap();
                let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
                std::io::Write::write_all(&mut file, b"[notice] 1#1: reloaded\n").unwrap();
            }
            libc::SIGUSR1 => stream.reopen(),
            libc::SIGQUIT => {
                doors.clear();
                stream.quit();
                return stream.join();
            }
            _ => {
                stream.stop();
                return stream.join();
            }
        }
    }
}

/// Reads the config, and opens, keeps and closes listening sockets as a supervisor does.
fn prepare(
    config: &std::path::Path,
    doors: &mut Vec<(Address, OwnedFd)>,
) -> (StreamPlan, Vec<OwnedFd>) {
    let plan = plan(&std::fs::read_to_string(config).unwrap());
    let old = std::mem::take(doors);
    for listener in &plan.listeners {
        let known = old.iter().find(|(address, _)| *address == listener.address);
        let socket = known.map(|(_, socket)| socket.try_clone().unwrap()).unwrap_or_else(|| {
            let Address::Tcp(address) = &listener.address else { unreachable!() };
            std::net::TcpListener::bind(address).unwrap().into()
        });
        doors.push((listener.address.clone(), socket));
    }
    let sockets = doors.iter().map(|(_, socket)| socket.try_clone().unwrap()).collect();
    (plan, sockets)
}

/// Words, and the statements of the block behind them.
#[derive(Clone, Debug)]
struct Statement(Vec<String>, Vec<Statement>);

fn parse(tokens: &mut std::vec::IntoIter<String>) -> Vec<Statement> {
    let (mut statements, mut words) = (Vec::new(), Vec::new());
    while let Some(token) = tokens.next() {
        match &token[..] {
            ";" => statements.push(Statement(std::mem::take(&mut words), Vec::new())),
            "{" => statements.push(Statement(std::mem::take(&mut words), parse(tokens))),
            "}" => break,
            _ => words.push(token),
        }
    }
    statements
}

fn plan(text: &str) -> StreamPlan {
    let mut spaced = text.to_owned();
    for mark in [";", "{", "}"] {
        spaced = spaced.replace(mark, &format!(" {mark} "));
    }
    let tokens: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    let statements = parse(&mut tokens.into_iter());
    let mut plan = StreamPlan {
        process: StreamProcess {
            workers: 1,
            worker_connections: 512,
            user: None,
            pid: PathBuf::new(),
            daemon: false,
            master_process: true,
            shutdown_timeout: None,
            rlimit_nofile: None,
            error_logs: Vec::new(),
        },
        listeners: Vec::new(),
        servers: Vec::new(),
        upstreams: Vec::new(),
    };
    for Statement(words, block) in &statements {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let process = &mut plan.process;
        match words[..] {
            ["pid", path] => process.pid = path.into(),
            ["error_log", path, level] => {
                let target = LogTarget::File(path.into());
                let level = if level == "info" { LogLevel::Info } else { LogLevel::Error };
                process.error_logs.push(ErrorLog { target, level });
            }
            ["worker_processes", count] => process.workers = count.parse().unwrap(),
            ["worker_rlimit_nofile", count] => process.rlimit_nofile = Some(count.parse().unwrap()),
            ["worker_shutdown_timeout", time] => process.shutdown_timeout = Some(duration(time)),
            ["events"] => {
                for Statement(words, _) in block {
                    process.worker_connections = words[1].parse().unwrap();
                }
            }
            ["stream"] => stream(&mut plan, block),
            ["load_module", _] | ["daemon", _] | ["user", _] => {}
            _ => panic!("{words:?}"),
        }
    }
    plan
}

fn stream(plan: &mut StreamPlan, block: &[Statement]) {
    for Statement(words, inner) in block {
        if words[0] == "upstream" {
            let peers = inner.iter().map(|Statement(words, _)| peer(&words[1..])).collect();
            let (name, span) = (words[1].clone(), Span::default());
            plan.upstreams.push(Upstream { name, balance: Balance::RoundRobin, peers, span });
        }
    }
    for Statement(words, inner) in block {
        if words[0] == "server" {
            server(plan, inner);
        }
    }
}

fn server(plan: &mut StreamPlan, block: &[Statement]) {
    let mut server = Server {
        upstream: UpstreamId(0),
        connect_timeout: Duration::from_secs(60),
        timeout: Duration::from_secs(600),
        buffer_size: 16384,
        next_upstream: NextUpstream { enabled: true, tries: 0, timeout: Duration::ZERO },
        half_close: false,
        tcp_nodelay: true,
        socket_keepalive: false,
        error_logs: Vec::new(),
        span: Span::default(),
    };
    for Statement(words, _) in block {
        let value = &words[1];
        match &words[0][..] {
            "listen" => plan.listeners.push(Listener {
                address: Address::Tcp(value.parse().unwrap()),
                server: ServerId(plan.servers.len()),
                backlog: 511,
                ipv6_only: true,
                reuse_port: false,
                keepalive: false,
                span: Span::default(),
            }),
            "proxy_pass" => {
                let known = plan.upstreams.iter().position(|upstream| upstream.name == *value);
                server.upstream = UpstreamId(known.unwrap());
            }
            "proxy_connect_timeout" => server.connect_timeout = duration(value),
            "proxy_timeout" => server.timeout = duration(value),
            "proxy_half_close" => server.half_close = value == "on",
            "proxy_next_upstream" => server.next_upstream.enabled = value == "on",
            "proxy_next_upstream_tries" => server.next_upstream.tries = value.parse().unwrap(),
            "proxy_next_upstream_timeout" => server.next_upstream.timeout = duration(value),
            _ => panic!("{words:?}"),
        }
    }
    plan.servers.push(server);
}

fn peer(words: &[String]) -> Peer {
    let address: SocketAddr = words[0].parse().unwrap();
    let mut peer = Peer {
        name: words[0].clone(),
        address: Address::Tcp(address),
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        max_conns: 0,
        backup: false,
        down: false,
        span: Span::default(),
    };
    for word in &words[1..] {
        match word.split_once('=') {
            Some(("weight", value)) => peer.weight = value.parse().unwrap(),
            Some(("max_fails", value)) => peer.max_fails = value.parse().unwrap(),
            Some(("max_conns", value)) => peer.max_conns = value.parse().unwrap(),
            Some(("fail_timeout", value)) => peer.fail_timeout = duration(value),
            None if word == "down" => peer.down = true,
            None if word == "backup" => peer.backup = true,
            _ => panic!("{word}"),
        }
    }
    peer
}

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().unwrap()),
        None => Duration::from_secs(text.trim_end_matches('s').parse().unwrap()),
    }
}
