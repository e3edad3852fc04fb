//! A place of its own for a test: network namespace with `eth0`, empty `/run`, a folder with links
//! to the program under its three names.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Generous: the machine may be busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Cell {
    dir: tempfile::TempDir,
}

/// What a program said and how it ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Cell {
    /// Moves the calling thread, and all that it starts, into new namespaces.
    pub(super) fn new() -> Cell {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        for line in [
            "link set lo up",
            "link add eth0 type veth peer name far0",
            "link set far0 up",
            "link set eth0 up",
            "address add 192.0.2.1/24 dev eth0",
        ] {
            let done = Command::new("ip").args(line.split(' ')).status().unwrap();
            assert!(done.success(), "ip {line}");
        }
        let dir = tempfile::tempdir().unwrap();
        for name in ["evenkeel", "keepalived", "nginx"] {
            symlink(env!("CARGO_BIN_EXE_evenkeel"), dir.path().join(name)).unwrap();
        }
        Cell { dir }
    }

    /// The same with `eth1` on another network.
    pub(super) fn with_second_network() -> Cell {
        let cell = Cell::new();
        for line in [
            "link add eth1 type veth peer name far1",
            "link set far1 up",
            "link set eth1 up",
            "address add 198.51.100.1/24 dev eth1",
        ] {
            assert_eq!(run(Command::new("ip").args(line.split(' '))).code, 0, "ip {line}");
        }
        cell
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.dir().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file into the cell's folder; `DIR` in it becomes that folder.
    pub(super) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.dir().join(name), text.replace("DIR", self.dir().to_str().unwrap()))
            .unwrap();
        self.path(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir().join(name)).unwrap_or_default()
    }

    /// A command of this build, in the cell's folder.
    pub(super) fn ours(&self, face: &str) -> Command {
        self.command(&self.dir().join(face))
    }

    /// The real program.
    pub(super) fn real(&self, name: &str) -> Command {
        self.command(Path::new("/usr/sbin").join(name).as_path())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir()).stdin(Stdio::null()).env_remove("NOTIFY_SOCKET");
        command.env_remove("JOURNAL_STREAM");
        command
    }

    /// Starts a daemon that stays in the foreground; its standard error goes to the file `log`.
    pub(super) fn daemon(&self, command: &mut Command, log: &str) -> Daemon {
        let log = std::fs::File::create(self.dir().join(log)).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child }
    }

    /// Waits until the file `log` has `text`.
    pub(super) fn expect(&self, log: &str, text: &str) {
        let there = || self.read(log).contains(text);
        assert!(wait_for(there), "{text:?} is not in {log}:\n{}", self.read(log));
    }
}

/// Runs a program to its end, which is when its output ends: a daemon must have let go of it.
pub(super) fn run(command: &mut Command) -> Outcome {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, (done, ended)) = (child.id() as i32, std::sync::mpsc::channel());
    std::thread::spawn(move || done.send(child.wait_with_output()));
    let out = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        // Ended, perhaps, but something it left behind holds its output.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        panic!("{command:?} doesn't end, or holds its output")
    });
    let out = out.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { code: out.status.code().unwrap_or(-1), out: text(out.stdout), err: text(out.stderr) }
}

/// Killed when the test is over, however it ends.
pub(super) struct Daemon {
    child: Child,
}

impl Daemon {
    pub(super) fn of(child: Child) -> Daemon {
        Daemon { child }
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub(super) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its exit code; -1: a signal ended it.
    pub(super) fn ends(&mut self) -> i32 {
        assert!(wait_for(|| !self.runs()), "it doesn't end");
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Roles end by themselves when their supervisor has gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process in the background, by its pid file; killed when the test is over.
pub(super) struct Background(pub(super) i32);

impl Drop for Background {
    fn drop(&mut self) {
        // Ended already: that was the aim.
        let _ = kill(Pid::from_raw(self.0), Signal::SIGKILL);
    }
}

pub(super) fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    condition()
}

/// The number in a pid file, once it is there.
pub(super) fn pid_in(file: impl Into<PathBuf>) -> i32 {
    let file = file.into();
    let read = || std::fs::read_to_string(&file).ok()?.trim().parse::<i32>().ok();
    assert!(wait_for(|| read().is_some()), "{} isn't there", file.display());
    read().unwrap()
}

/// Waits until `file` names another process than `old`.
pub(super) fn next_pid(file: &str, old: i32) -> i32 {
    assert!(
        wait_for(|| std::fs::read_to_string(file)
            .is_ok_and(|text| { text.trim().parse::<i32>().is_ok_and(|pid| pid != old) })),
        "{file} still names {old}"
    );
    pid_in(file)
}

pub(super) fn comm(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

pub(super) fn cmdline(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The process is there and no zombie.
pub(super) fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// A web server of sorts: says `name` and closes.
pub(super) fn greeter(port: u16, name: &'static str) {
    use std::io::Write;
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(name.as_bytes());
        }
    });
}

/// Says back what it hears, for as long as it hears something.
pub(super) fn echo(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = client.try_clone().unwrap();
                let mut writer = client;
                let _ = std::io::copy(&mut reader, &mut writer);
            });
        }
    });
}

pub(super) fn connect(port: u16) -> std::io::Result<TcpStream> {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Addresses on eth0.
pub(super) fn holds(address: &str) -> bool {
    let out = run(Command::new("ip").args(["-4", "-o", "address", "show", "dev", "eth0"]));
    out.out.contains(&format!(" {address}/"))
}

/// keepalived.conf with one instance that becomes master at once: nobody has a higher priority.
pub(super) const KEEPALIVED_CONF: &str = "vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 255
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass hunter2
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
}
";

/// nginx.conf that proxies 127.0.0.1:8080 to 127.0.0.1:9000.
pub(super) const NGINX_CONF: &str = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;
error_log DIR/error.log notice;
pid /run/nginx.pid;
events {}
stream {
    upstream backends { server 127.0.0.1:9000; }
    server { listen 127.0.0.1:8080; proxy_pass backends; }
}
";
