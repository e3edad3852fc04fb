//! The program under test: Debian's nginx, or Evenkeel by the name of nginx, run with the same
//! config and the same options.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the stream role says when a new plan is in force.
pub(crate) const RELOADED: &str = "new sessions go by the new configuration";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
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
        let mut command = command(which);
        command.arg("-c").arg(&config).arg("-p").arg(folder.path()).arg("-e").arg(&log);
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

    /// Starts it with a config that it can't run. Its exit code and what it says.
    pub(super) fn refused(which: Which, stream: &str) -> (Option<i32>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let (config, log) = (folder.path().join("nginx.conf"), folder.path().join("error.log"));
        write(&config, &render(which, folder.path(), "events {}", stream));
        let mut command = command(which);
        command.arg("-c").arg(&config).arg("-p").arg(folder.path()).arg("-e").arg(&log);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).replace(&ip(which), "IP");
        (output.status.code(), text.lines().map(str::to_owned).collect())
    }

    fn wait_for(&mut self, file: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while !self.folder.path().join(file).exists() {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "{:?} ended: {}", self.which, self.log());
            assert!(Instant::now() < until, "{:?} doesn't start", self.which);
            std::thread::sleep(Duration::from_millis(5));
        }
        // The pid file says that the master runs; the worker follows.
        while self.worker().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(50));
    }

    /// The process that proxies.
    pub(super) fn worker(&self) -> Option<u32> {
        let child = self.child.id();
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

    /// Waits until the log has `text` so many times; `IP` is this program's address.
    pub(super) fn logs_times(&self, text: &str, count: usize) {
        let text = text.replace("IP", &ip(self.which));
        let until = Instant::now() + Duration::from_secs(20);
        while self.log().matches(&text).count() < count {
            assert!(Instant::now() < until, "{:?}: {text:?} in\n{}", self.which, self.log());
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
        let is_udp = message.split(' ').nth(1) == Some("udp");
        let words = message.split(' ').enumerate().map(|(at, word)| match word {
            number if number.starts_with('*') => "*N".to_owned(),
            address if at == 2 && address.contains(':') => {
                format!("{}:PORT", address.rsplit_once(':').unwrap().0)
            }
            address if at == 3 && is_udp && address.contains(':') => {
                format!("{}:PORT", address.rsplit_once(':').unwrap().0)
            }
            word => word.to_owned(),
        });
        format!("[{level}] {}", words.collect::<Vec<_>>().join(" "))
    }

    pub(super) fn reload(&self, stream: &str) {
        let config = self.folder.path().join("nginx.conf");
        write(&config, &render(self.which, self.folder.path(), &self.main, stream));
        let (before, reloads) = (self.worker(), self.log().matches(RELOADED).count());
        self.signal(Signal::SIGHUP);
        match self.which {
            Which::Evenkeel => {
                while self.log().matches(RELOADED).count() == reloads {
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

fn command(which: Which) -> Command {
    match which {
        Which::Nginx => Command::new("nginx"),
        Which::Evenkeel => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
            command.arg0("nginx");
            command
        }
    }
}

fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn render(which: Which, folder: &std::path::Path, main: &str, stream: &str) -> String {
    let folder = folder.display();
    let body = format!("{main}\nstream {{ {stream} }}\n").replace("IP", &ip(which));
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
         daemon off; user nobody nogroup; pid {folder}/pid; error_log {folder}/error.log info;\n{body}"
    )
}
