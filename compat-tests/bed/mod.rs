//! A test bed: hosts as network namespaces on one switch, with daemons on them.
//!
//! Needs root and iproute2. Everything has a name of its own and is gone when the [`Bed`] is
//! dropped, also when a test panics. [`daemon`] runs keepalived or Evenkeel on a host.

pub(crate) mod daemon;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use evenkeel::kernel::netlink::Netlink;
use nix::sched::{CloneFlags, setns};

pub(crate) struct Bed {
    switch: String,
    pub(crate) hosts: Vec<Host>,
    pub(crate) folder: tempfile::TempDir,
}

/// A network namespace with an interface `eth0` on the switch.
pub(crate) struct Host {
    pub(crate) name: &'static str,
    namespace: String,
    /// Talks to this host's kernel, whatever namespace the test is in.
    netlink: Mutex<Netlink>,
}

impl Bed {
    /// Hosts `a`, `b`, … at 192.168.80.122, .123, …, with the same hardware addresses each time.
    pub(crate) fn new(count: usize) -> Bed {
        static BEDS: AtomicU32 = AtomicU32::new(0);
        let tag = format!("ek{}x{}", std::process::id(), BEDS.fetch_add(1, Ordering::Relaxed));
        let switch = format!("{tag}-sw");
        let folder = tempfile::Builder::new().prefix("evenkeel-bed-").tempdir().unwrap();
        let mut bed = Bed { switch, hosts: Vec::new(), folder };
        ip(&["netns", "add", &bed.switch]);
        bed.on_switch("link add br0 type bridge mcast_snooping 0 forward_delay 0");
        bed.on_switch("link set br0 up");
        for (at, name) in ["a", "b", "c"].into_iter().take(count).enumerate() {
            let namespace = format!("{tag}-{name}");
            let address = Ipv4Addr::new(192, 168, 80, 122 + at as u8);
            ip(&["netns", "add", &namespace]);
            let host = |words: &str| ip_in(&namespace, words);
            host("link set lo up");
            bed.on_switch(&format!(
                "link add port-{name} type veth peer name eth0 netns {namespace}"
            ));
            bed.on_switch(&format!("link set port-{name} master br0"));
            bed.on_switch(&format!("link set port-{name} up"));
            host(&format!("link set eth0 address 02:00:00:00:00:{:02x}", 0x22 + at));
            host("link set eth0 up");
            host(&format!("addr add {address}/24 dev eth0"));
            let netlink = Mutex::new(on(&namespace, || Netlink::open().unwrap()));
            bed.hosts.push(Host { name, namespace, netlink });
        }
        bed
    }

    fn on_switch(&self, words: &str) {
        ip_in(&self.switch, words);
    }

    /// A second network: `eth1` on every host, 192.168.81.122 and so on, with a switch of its own.
    pub(crate) fn second_network(&self) {
        self.on_switch("link add br1 type bridge mcast_snooping 0 forward_delay 0");
        self.on_switch("link set br1 up");
        for (at, host) in self.hosts.iter().enumerate() {
            let (name, namespace) = (host.name, &host.namespace);
            self.on_switch(&format!(
                "link add second-{name} type veth peer name eth1 netns {namespace}"
            ));
            self.on_switch(&format!("link set second-{name} master br1"));
            self.on_switch(&format!("link set second-{name} up"));
            host.ip(&format!("link set eth1 address 02:00:00:00:01:{:02x}", 0x22 + at));
            host.ip("link set eth1 up");
            host.ip(&format!("addr add 192.168.81.{}/24 dev eth1", 122 + at));
        }
    }

    /// As [`connect`](Self::connect), on the second network.
    pub(crate) fn connect_second(&self, host: &Host, connected: bool) {
        let to = if connected { "master br1" } else { "nomaster" };
        self.on_switch(&format!("link set second-{} {to}", host.name));
    }

    /// Takes a host off the switch, without its noticing; or puts it back.
    pub(crate) fn connect(&self, host: &Host, connected: bool) {
        let to = if connected { "master br0" } else { "nomaster" };
        self.on_switch(&format!("link set port-{} {to}", host.name));
    }

    /// Takes a host's carrier away, which it notices; or gives it back.
    pub(crate) fn carrier(&self, host: &Host, on: bool) {
        let to = if on { "up" } else { "down" };
        self.on_switch(&format!("link set port-{} {to}", host.name));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An executable script.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let namespaces = self.hosts.iter().map(|host| &host.namespace).chain([&self.switch]);
        for namespace in namespaces {
            // Daemons that a failed test left, then the namespace with all that is in it.
            let pids = Command::new("ip").args(["netns", "pids", namespace]).output();
            let pids = pids.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
            for pid in pids.unwrap_or_default().split_whitespace() {
                let _ = Command::new("kill").args(["-9", pid]).stderr(Stdio::null()).status();
            }
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

impl Host {
    /// A program on this host.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program.as_ref());
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The same, with this folder as its `/etc/keepalived`.
    pub(crate) fn command_with_etc(&self, program: impl AsRef<Path>, etc: &Path) -> Command {
        let script = "mount --bind \"$1\" /etc/keepalived && shift && exec \"$@\"";
        let mut command = self.command("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(etc).arg(program.as_ref());
        command
    }

    pub(crate) fn ip(&self, words: &str) {
        ip_in(&self.namespace, words);
    }

    /// Does any interface have this address?
    pub(crate) fn holds(&self, address: impl Into<IpAddr>) -> bool {
        let address = address.into();
        let addresses = self.netlink.lock().unwrap().addresses().unwrap();
        addresses.iter().any(|it| it.address == address)
    }

    /// Runs `act` as if on this host.
    pub(crate) fn on<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        on(&self.namespace, act)
    }

    /// Starts to record what comes and goes on `eth0`.
    pub(crate) fn capture(&self, file: &Path) -> Capture {
        let mut command = self.command("tcpdump");
        command.args(["-i", "eth0", "-U", "--immediate-mode", "-w"]).arg(file);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut capture = Capture { child };
        capture.wait_until_it_listens();
        capture
    }
}

/// Ends when dropped; the file is then complete.
pub(crate) struct Capture {
    child: Child,
}

impl Capture {
    fn wait_until_it_listens(&mut self) {
        use std::io::{BufRead, BufReader};
        let stderr = self.child.stderr.take().unwrap();
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("listening on")), "tcpdump doesn't listen");
        // Read on, lest it waits for us.
        std::thread::spawn(move || lines.for_each(drop));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Looks every few milliseconds until something is so; how long it took. Panics with `what` after
/// `patience`.
pub(crate) fn wait_until(
    what: &str,
    patience: Duration,
    mut is_so: impl FnMut() -> bool,
) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// Looks every few milliseconds that something stays so.
pub(crate) fn stays(what: &str, time: Duration, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        assert!(is_so(), "no longer so after {:?}: {what}", begun.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ip_in(namespace: &str, words: &str) {
    let words: Vec<&str> = ["-n", namespace].into_iter().chain(words.split(' ')).collect();
    ip(&words);
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {stderr}", words.join(" "));
}

/// Sockets made in there stay in there.
fn on<T: Send + 'static>(namespace: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let file = std::fs::File::open(Path::new("/run/netns").join(namespace)).unwrap();
    let enter = move || {
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
        act()
    };
    std::thread::spawn(enter).join().unwrap()
}
