//! `make bench`: what holding virtual addresses costs in Evenkeel and in the real keepalived, side
//! by side in one run.
//!
//! Two hosts (network namespaces) on switches, one daemon on each, both of one maker: the first is
//! master of 1, 255 or 1,000 routers with 4 addresses each, 255 routers to an interface. Measured:
//! from the start to all addresses on; CPU of master and of backup while steady; memory of the
//! master's processes (PSS: what they share is counted once); and how long the addresses are
//! nowhere but on a host that was cut off. Then the same again with an advert every 10 ms.
//!
//! Figures in seconds are accurate to 20 ms (2 ms with an advert every 10 ms). The figures measured
//! last stand in `vrrp.md` beside this file; the output of a whole run on a quiet machine replaces
//! its table.
//!
//! Needs root. `BENCH_SECONDS` (10) is how long steady CPU is measured, `BENCH_CELLS` runs only
//! cells whose name contains it (`1000`, `unicast`, `0.01`).

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use evenkeel::kernel::netlink::Netlink;
use nix::sched::{CloneFlags, setns};

const ADDRESSES: usize = 4;
const PER_INTERFACE: usize = 255;

/// What is measured at once.
#[derive(Clone, Copy)]
struct Cell {
    routers: usize,
    unicast: bool,
    interval: &'static str,
}

const CELLS: [Cell; 8] = [
    Cell { routers: 1, unicast: false, interval: "1" },
    Cell { routers: 1, unicast: true, interval: "1" },
    Cell { routers: 255, unicast: false, interval: "1" },
    Cell { routers: 255, unicast: true, interval: "1" },
    Cell { routers: 1000, unicast: false, interval: "1" },
    Cell { routers: 1000, unicast: true, interval: "1" },
    Cell { routers: 1, unicast: false, interval: "0.01" },
    Cell { routers: 100, unicast: false, interval: "0.01" },
];

impl Cell {
    fn name(&self) -> String {
        let cast = if self.unicast { "unicast" } else { "multicast" };
        format!("{} {cast}, advert_int {}", self.routers, self.interval)
    }

    fn interfaces(&self) -> usize {
        self.routers.div_ceil(PER_INTERFACE)
    }

    /// Looking takes time itself, the more the more addresses there are.
    fn pause(&self) -> Duration {
        Duration::from_millis(if self.interval == "1" { 20 } else { 2 })
    }

    fn config(&self, host: usize) -> String {
        let version = if self.interval == "1" { 2 } else { 3 };
        let mut text = format!("global_defs {{\n vrrp_version {version}\n}}\n");
        for router in 0..self.routers {
            let (interface, vrid) = (router / PER_INTERFACE, router % PER_INTERFACE + 1);
            let priority = [250, 100][host];
            let _ = write!(
                text,
                "vrrp_instance V{router} {{\n state BACKUP\n interface eth{interface}\n \
                 virtual_router_id {vrid}\n priority {priority}\n advert_int {}\n",
                self.interval
            );
            if self.unicast {
                let (own, other) = (own_address(interface, host), own_address(interface, 1 - host));
                let _ = write!(text, " unicast_src_ip {own}\n unicast_peer {{\n  {other}\n }}\n");
            }
            text += " virtual_ipaddress {\n";
            for address in 0..ADDRESSES {
                let _ = writeln!(text, "  10.{}.{vrid}.{address}/32", 100 + interface);
            }
            text += " }\n}\n";
        }
        text
    }
}

fn own_address(interface: usize, host: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, interface as u8, 0, 1 + host as u8)
}

// --- the hosts --------------------------------------------------------------------------------------

/// Two hosts and their switches; all gone when dropped.
struct Bed {
    namespaces: [String; 3],
    interfaces: usize,
    /// Between two looks at a host's addresses: what the figures in seconds are accurate to.
    pause: Duration,
    folder: tempfile::TempDir,
}

const SWITCH: usize = 2;

impl Bed {
    fn new(cell: &Cell) -> Bed {
        let interfaces = cell.interfaces();
        let tag = format!("bench{}", std::process::id());
        let namespaces = ["a", "b", "switch"].map(|name| format!("{tag}-{name}"));
        let bed = Bed {
            namespaces,
            interfaces,
            pause: cell.pause(),
            folder: tempfile::tempdir().unwrap(),
        };
        for namespace in &bed.namespaces {
            run(&["netns", "add", namespace]);
            run(&["-n", namespace, "link", "set", "lo", "up"]);
        }
        for interface in 0..interfaces {
            let bridge = format!("br{interface}");
            let no_snooping = "type bridge mcast_snooping 0 forward_delay 0";
            bed.ip(SWITCH, &format!("link add {bridge} {no_snooping}"));
            bed.ip(SWITCH, &format!("link set {bridge} up"));
            for host in 0..2 {
                let port = format!("p{host}x{interface}");
                let inside = &bed.namespaces[host];
                let peer = format!("type veth peer name eth{interface} netns {inside}");
                bed.ip(SWITCH, &format!("link add {port} {peer}"));
                bed.ip(SWITCH, &format!("link set {port} master {bridge} up"));
                let address = own_address(interface, host);
                bed.ip(host, &format!("addr add {address}/24 dev eth{interface}"));
                bed.ip(host, &format!("link set eth{interface} up"));
            }
        }
        bed
    }

    fn ip(&self, namespace: usize, words: &str) {
        let words = ["-n", &self.namespaces[namespace]].into_iter().chain(words.split(' '));
        run(&words.collect::<Vec<_>>());
    }

    /// Off all switches, without its noticing.
    fn cut_off(&self, host: usize) {
        let lines = (0..self.interfaces).map(|it| format!("link set p{host}x{it} nomaster\n"));
        let file = self.folder.path().join("cut");
        fs::write(&file, lines.collect::<String>()).unwrap();
        run(&["-n", &self.namespaces[SWITCH], "-batch", file.to_str().unwrap()]);
    }

    fn processes(&self, host: usize) -> Vec<u32> {
        let output = Command::new("ip").args(["netns", "pids", &self.namespaces[host]]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Waits until so many virtual addresses are on a host.
    fn wait(&self, host: usize, wanted: usize, patience: Duration) -> Result<Duration, String> {
        let (begun, pause) = (Instant::now(), self.pause);
        let file = fs::File::open(Path::new("/run/netns").join(&self.namespaces[host])).unwrap();
        let look = move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            let mut netlink = Netlink::open().unwrap();
            loop {
                let all = netlink.addresses().unwrap();
                let ours = |it: IpAddr| matches!(it, IpAddr::V4(it) if it.octets()[1] >= 100 && it.octets()[0] == 10);
                let there = all.iter().filter(|it| ours(it.address)).count();
                if there == wanted {
                    return Ok(begun.elapsed());
                }
                if begun.elapsed() > patience {
                    return Err(format!("{there} of {wanted} after {patience:?}"));
                }
                std::thread::sleep(pause);
            }
        };
        std::thread::spawn(look).join().unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for host in 0..2 {
            for pid in self.processes(host) {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
        for namespace in &self.namespaces {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

fn run(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", words.join(" "));
}

// --- the daemons ------------------------------------------------------------------------------------

fn program(maker: &str, folder: &Path) -> PathBuf {
    if maker == "keepalived" {
        return "/usr/sbin/keepalived".into();
    }
    let link = folder.join("keepalived");
    if !link.exists() {
        let ours = std::env::var_os("EVENKEEL")
            .map_or_else(|| env!("CARGO_BIN_EXE_evenkeel").into(), PathBuf::from);
        std::os::unix::fs::symlink(ours, &link).unwrap();
    }
    link
}

fn start(bed: &Bed, maker: &str, cell: &Cell, host: usize) -> Daemon {
    let folder = bed.folder.path();
    let path = |what: &str| folder.join(format!("{maker}-{host}.{what}"));
    fs::write(path("conf"), cell.config(host)).unwrap();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &bed.namespaces[host]]).arg(program(maker, folder));
    command.args(["-n", "-l", "-G", "-P", "-f"]).arg(path("conf"));
    for option in ["p", "r", "c"] {
        command.arg(format!("-{option}")).arg(path(option));
    }
    let log = fs::File::create(path("log")).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Daemon(command.spawn().unwrap())
}

/// Told to end when dropped, and waited for.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// CPU time of processes with all their threads, in seconds.
fn cpu(pids: &[u32]) -> f64 {
    let mut total = 0.0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let path = task.unwrap().path().join("schedstat");
            let text = fs::read_to_string(path).unwrap_or_default();
            total += text.split(' ').next().map_or(0.0, |time| time.parse().unwrap_or(0.0));
        }
    }
    total / 1e9
}

/// Proportional memory of processes, in megabytes.
fn memory(pids: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line =
            text.lines().find(|line| line.starts_with("Pss:")).unwrap_or("Pss: 0").to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    };
    pids.iter().map(of).sum()
}

// --- the figures ------------------------------------------------------------------------------------

const FIGURES: [&str; 5] =
    ["start, s", "master's CPU, %", "backup's CPU, %", "memory, MB", "hand-over, s"];

fn measure(maker: &str, cell: &Cell) -> Result<[f64; 5], String> {
    let bed = Bed::new(cell);
    let wanted = cell.routers * ADDRESSES;
    let master = start(&bed, maker, cell, 0);
    let up = bed.wait(0, wanted, Duration::from_secs(60))?;
    let backup = start(&bed, maker, cell, 1);
    // The second burst of gratuitous ARP comes five seconds after the first.
    std::thread::sleep(Duration::from_secs(7));
    let pids = [bed.processes(0), bed.processes(1)];
    let seconds = number("BENCH_SECONDS", 10.0);
    let (begun, before) = (Instant::now(), [cpu(&pids[0]), cpu(&pids[1])]);
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let share = |host: usize| (cpu(&pids[host]) - before[host]) / begun.elapsed().as_secs_f64();
    let (of_master, of_backup, memory) = (share(0), share(1), memory(&pids[0]));
    bed.wait(1, 0, Duration::from_millis(100)).map_err(|it| format!("on the backup: {it}"))?;
    bed.cut_off(0);
    let over = bed.wait(1, wanted, Duration::from_secs(60))?;
    drop((master, backup));
    for host in 0..2 {
        bed.wait(host, 0, Duration::from_secs(20)).map_err(|it| format!("left behind: {it}"))?;
    }
    Ok([up.as_secs_f64(), of_master * 100.0, of_backup * 100.0, memory, over.as_secs_f64()])
}

fn number(variable: &str, default: f64) -> f64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let only = std::env::var("BENCH_CELLS").unwrap_or_default();
    println!("| routers | figure | keepalived | evenkeel | of keepalived |\n|---|---|---|---|---|");
    for cell in CELLS.iter().filter(|cell| cell.name().contains(&only)) {
        let of = ["keepalived", "evenkeel"].map(|maker| measure(maker, cell));
        for (at, figure) in FIGURES.iter().enumerate() {
            let show = |result: &Result<[f64; 5], String>| match result {
                Ok(figures) => format!("{:.2}", figures[at]),
                Err(why) => why.clone(),
            };
            let ratio = match &of {
                [Ok(real), Ok(ours)] => format!("{:.2}", ours[at] / real[at].max(0.01)),
                _ => "-".to_owned(),
            };
            println!(
                "| {} | {figure} | {} | {} | {ratio} |",
                cell.name(),
                show(&of[0]),
                show(&of[1])
            );
        }
    }
}
