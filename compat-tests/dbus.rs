//! D-Bus: Debian's keepalived and Evenkeel live the same life, each on a system bus of its own with
//! Debian's policy; what is there, what is answered and what is told must be the same. Then what
//! can happen to a bus.
//!
//! Needs root, iproute2, keepalived, dbus.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::bed::daemon::Maker::{Debian, Evenkeel};
use super::bed::daemon::{Daemon, Maker, is_clean, kill};
use super::bed::{Bed, stays, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);
const NAME: &str = "org.keepalived.Vrrp1";
const POLICIES: &str = "/etc/dbus-1/system.d";
const VRRP: &str = "/org/keepalived/Vrrp1/Vrrp";
const INSTANCE: &str = "/org/keepalived/Vrrp1/Instance/eth0/51/IPv4";

/// A system bus whose socket is in this folder, where daemons see it as `/run/dbus`.
struct SystemBus {
    folder: PathBuf,
    child: Child,
}

impl SystemBus {
    fn start(folder: &Path) -> SystemBus {
        Self::start_with(folder, Path::new(POLICIES))
    }

    /// With the policies in this folder in place of Debian's.
    fn start_with(folder: &Path, policies: &Path) -> SystemBus {
        fs::create_dir_all("/run/dbus").unwrap();
        fs::create_dir_all(folder).unwrap();
        let socket = folder.join("system_bus_socket");
        let _ = fs::remove_file(&socket);
        let script = "mount --bind \"$1\" /run/dbus && mount --bind \"$2\" /etc/dbus-1/system.d \
                      && exec dbus-daemon --system --nofork --nopidfile";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(folder).arg(policies);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let bus = SystemBus { folder: folder.to_owned(), child };
        wait_until("the bus is there", PATIENCE, || {
            let id = "org.freedesktop.DBus.GetId";
            bus.client("dbus-send").args(BUS).arg(id).output().unwrap().status.success()
        });
        bus
    }

    fn client(&self, program: &str) -> Command {
        let socket = self.folder.join("system_bus_socket");
        let mut command = Command::new(program);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", socket.display()));
        command.stdin(Stdio::null());
        command
    }

    /// What a method answers, or why it doesn't.
    fn call(&self, words: &str) -> String {
        let mut command = self.client("dbus-send");
        let command = command.args(["--system", "--print-reply"]).arg(format!("--dest={NAME}"));
        let output = command.args(words.split(' ')).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        // Who answered whom, and when.
        let lines = text.lines().filter(|line| !line.starts_with("method return "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The same, asked by a user without rights.
    fn call_as_nobody(&self, words: &str) -> String {
        let script = "mount --bind \"$1\" /run/dbus && shift \
                      && exec setpriv --reuid 65534 --regid 65534 --clear-groups dbus-send \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(&self.folder);
        command.args(["--system", "--print-reply=literal"]).arg(format!("--dest={NAME}"));
        let output = command.args(words.split(' ')).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// Is there somebody of this name?
    fn has(&self, name: &str) -> bool {
        let mut command = self.client("dbus-send");
        command.args(BUS).args(["org.freedesktop.DBus.NameHasOwner", &format!("string:{name}")]);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("true")
    }

    /// All objects below `/`, each with what it says of itself, sorted.
    fn tree(&self) -> Vec<(String, BTreeSet<String>)> {
        let mut tree = Vec::new();
        let mut paths = vec!["/".to_owned()];
        while let Some(path) = paths.pop() {
            let xml = self.call(&format!("{path} org.freedesktop.DBus.Introspectable.Introspect"));
            let parts = elements(&xml);
            for child in parts.iter().filter_map(|it| it.strip_prefix("/node/node name=")) {
                paths.push(format!("{}/{}", path.trim_end_matches('/'), child.trim_matches('"')));
            }
            tree.push((path, parts));
        }
        tree.sort();
        tree
    }
}

/// Calls of the bus itself; a method has to follow.
const BUS: [&str; 4] =
    ["--system", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"];

impl Drop for SystemBus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The elements of an XML text, each with those around it.
fn elements(xml: &str) -> BTreeSet<String> {
    let mut around: Vec<String> = Vec::new();
    let mut found = BTreeSet::new();
    for tag in xml.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        if tag.starts_with(['!', '?']) {
            continue;
        }
        if tag.starts_with('/') {
            around.pop();
            continue;
        }
        let open = tag.trim_end_matches('/').trim();
        let name: Vec<&str> = open.split_whitespace().collect();
        let above: String = around.iter().map(|it| format!("/{it}")).collect();
        found.insert(format!("{above}/{}", name.join(" ")));
        if !tag.ends_with('/') {
            around.push(name.join(" "));
        }
    }
    found
}

/// What is told on a bus.
struct Monitor {
    child: Child,
    file: PathBuf,
    /// Signals of earlier moments.
    seen: usize,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Monitor {
    fn start(bus: &SystemBus, file: &Path) -> Monitor {
        let mut command = bus.client("dbus-monitor");
        command.args(["--system", "type='signal',path_namespace='/org/keepalived'"]);
        let child = command.stdout(fs::File::create(file).unwrap()).spawn().unwrap();
        let monitor = Monitor { child, file: file.to_owned(), seen: 0 };
        // The bus tells it that it is a monitor now, and has no name any more.
        wait_until("the monitor listens", PATIENCE, || {
            fs::read_to_string(file).unwrap().contains("NameLost")
        });
        monitor
    }

    /// All signals so far: `VrrpStarted`, `eth0/51/IPv4 2`.
    fn signals(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap();
        let mut signals: Vec<String> = Vec::new();
        for line in text.lines() {
            let field = |name: &str| line.split(name).nth(1)?.split(';').next();
            if let Some(path) = field(" path=/org/keepalived/Vrrp1/") {
                let path = path.trim_start_matches("Instance/");
                let member = field(" member=").unwrap();
                signals.push(if path == "Vrrp" { member.to_owned() } else { path.to_owned() });
            } else if let Some(status) = line.strip_prefix("   uint32 ") {
                signals.last_mut().unwrap().push_str(&format!(" {status}"));
            }
        }
        signals
    }

    /// Waits until these were told, and a while for surplus ones; all that was told since the moment
    /// before.
    fn moment(&mut self, expected: &[&str]) -> Vec<String> {
        wait_until(&format!("{expected:?}"), PATIENCE, || {
            let signals = self.signals();
            expected.iter().all(|it| signals[self.seen..].iter().any(|signal| signal == it))
        });
        std::thread::sleep(Duration::from_millis(300));
        let signals = self.signals();
        let new = signals[self.seen..].to_vec();
        self.seen = signals.len();
        comparable(new)
    }
}

/// How far an instance has come when it is first shown is chance, in keepalived too.
fn comparable(signals: Vec<String>) -> Vec<String> {
    let mut last: HashMap<String, String> = HashMap::new();
    let started = signals.iter().position(|signal| signal == "VrrpStarted").unwrap_or(0);
    let news = signals.into_iter().skip(started).filter(|signal| {
        let Some((path, status)) = signal.split_once(' ') else { return true };
        status != "0" && last.insert(path.to_owned(), status.to_owned()).as_deref() != Some(status)
    });
    news.collect()
}

/// Instances aren't in step with each other.
fn by_instance(mut signals: Vec<String>) -> Vec<String> {
    signals.sort_by_key(|signal| signal.split(' ').next().unwrap().to_owned());
    signals
}

fn starts_on(bed: &Bed, at: usize, maker: Maker, config: &str, bus: &Path) -> Daemon {
    let tmp = bed.path(&format!("tmp-{maker:?}-{at}"));
    fs::create_dir(&tmp).unwrap();
    Daemon::start_on_bus(bed, &bed.hosts[at], maker, config, &tmp, bus)
}

const LIFE: &str = "global_defs {
  enable_dbus
  vrrp_garp_master_delay 0
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.2
  priority 100
  virtual_ipaddress { 192.168.80.100 }
}
vrrp_instance V6 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.2
  virtual_ipaddress { fe80::51 }
}
vrrp_instance VI-2 {
  interface br-lan.1
  virtual_router_id 52
  version 3
  advert_int 0.2
  virtual_ipaddress { 192.168.82.100 }
}
vrrp_instance VI_DOWN {
  interface down0
  virtual_router_id 53
  virtual_ipaddress { 192.168.83.100 }
}
";

/// `VI_1` under another name, `VI-2` gone, a new one.
fn reloaded() -> String {
    let at = LIFE.find("vrrp_instance VI-2").unwrap();
    let end = LIFE.find("vrrp_instance VI_DOWN").unwrap();
    let new = "vrrp_instance NEW {
  interface eth0
  virtual_router_id 59
  version 3
  advert_int 0.2
  virtual_ipaddress { 192.168.80.109 }
}
";
    format!("{}{}{new}", &LIFE[..at], &LIFE[end..]).replace("VI_1", "VI_one")
}

const PEER: &str = "vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.2
  priority 200
  virtual_ipaddress { 192.168.80.100 }
}
";

/// Calls with an answer at once: path, method, arguments.
fn questions() -> Vec<String> {
    let properties = "org.freedesktop.DBus.Properties";
    let (instance, vrrp) = ("org.keepalived.Vrrp1.Instance", "org.keepalived.Vrrp1.Vrrp");
    vec![
        format!("{INSTANCE} {properties}.GetAll string:{instance}"),
        format!("{INSTANCE} {properties}.Get string:{instance} string:Name"),
        format!("{INSTANCE} {properties}.Get string:{instance} string:State"),
        format!("{INSTANCE} {properties}.Get string:{instance} string:Nothing"),
        format!("{INSTANCE} {properties}.Get string:org.nothing string:State"),
        format!("{INSTANCE} {properties}.Get uint32:5"),
        format!("{INSTANCE} {properties}.Set string:{instance} string:Name variant:string:x"),
        format!("{INSTANCE} {properties}.Nothing"),
        format!("{INSTANCE} {properties}.GetAll string:{vrrp}"),
        format!("{VRRP} {properties}.GetAll string:{vrrp}"),
        format!("{VRRP} {properties}.Get string:{vrrp} string:State"),
        format!("{INSTANCE} org.freedesktop.DBus.Peer.Ping"),
        format!("{INSTANCE} org.freedesktop.DBus.Peer.Ping string:x"),
        format!("{INSTANCE} org.freedesktop.DBus.Peer.Nothing"),
        "/nowhere org.freedesktop.DBus.Peer.Nothing".to_owned(),
        format!("{INSTANCE} org.freedesktop.DBus.Introspectable.Introspect string:x"),
        format!("{INSTANCE} org.freedesktop.DBus.Introspectable.Nothing"),
        format!("{VRRP} org.freedesktop.DBus.Peer.GetMachineId"),
        "/nowhere org.freedesktop.DBus.Peer.Ping".to_owned(),
        format!("/nowhere {properties}.GetAll string:{instance}"),
        format!("/org/keepalived/Vrrp1/Instance {properties}.GetAll string:{instance}"),
        format!("/org/keepalived/Vrrp1/Instance/eth9/51/IPv4 {instance}.SendGarp"),
        "/nowhere org.freedesktop.DBus.Introspectable.Introspect".to_owned(),
        format!("{INSTANCE} {instance}.SendGarp string:x"),
        format!("{INSTANCE} {instance}.Nothing"),
        format!("{INSTANCE} {vrrp}.PrintData"),
        format!("{VRRP} {instance}.SendGarp"),
        format!("{VRRP} {vrrp}.CreateInstance string:a string:eth0 uint32:9 uint32:4"),
        format!("{VRRP} {vrrp}.PrintData uint32:1"),
    ]
}

/// What somebody on the bus sees of a daemon.
struct Seen {
    moments: Vec<Vec<String>>,
    trees: Vec<Vec<(String, BTreeSet<String>)>>,
    answers: Vec<(String, String)>,
    lines: Vec<String>,
}

fn live(maker: Maker) -> Seen {
    let bed = Bed::new(2);
    let host = &bed.hosts[0];
    for words in [
        "link add br-lan.1 type veth peer name other",
        "link set br-lan.1 up",
        "link set other up",
        "addr add 192.168.82.1/24 dev br-lan.1",
        "link add down0 type veth peer name down1",
    ] {
        host.ip(words);
    }
    wait_until("link-local addresses can be used", PATIENCE, || {
        let output = host.command("ip").args(["-6", "addr", "show", "tentative"]).output();
        output.unwrap().stdout.is_empty()
    });
    let bus = SystemBus::start(&bed.path("bus"));
    let mut monitor = Monitor::start(&bus, &bed.path("signals"));
    let daemon = starts_on(&bed, 0, maker, LIFE, &bus.folder);
    let mut seen =
        Seen { moments: Vec::new(), trees: Vec::new(), answers: Vec::new(), lines: Vec::new() };

    let all = ["eth0/51/IPv4 2", "eth0/51/IPv6 2", "br_lan_1/52/IPv4 2", "down0/53/IPv4 3"];
    let begun = monitor.moment(&all);
    assert_eq!(begun.first().unwrap(), "VrrpStarted", "{maker:?}");
    seen.moments.push(by_instance(begun));
    seen.trees.push(bus.tree());
    for question in questions() {
        let answer = bus.call(&question);
        // An XML text has its own comparison.
        let answer = match answer.contains("<node>") {
            true => format!("{:?}", elements(&answer)),
            false => answer,
        };
        seen.answers.push((question, answer));
    }

    // What README shows, run as it stands there.
    let readme = fs::read_to_string("README.md").unwrap();
    let example = readme.lines().find(|line| line.starts_with("dbus-send ")).unwrap();
    let shown = bus.client("sh").args(["-c", example]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("uint32 2") && shown.contains("\"Master\""), "{maker:?}: {shown}");

    let garp = || bus.call(&format!("{INSTANCE} org.keepalived.Vrrp1.Instance.SendGarp"));
    let garps = || {
        let log = daemon.log();
        log.matches("Sending gratuitous ARP on eth0 for 192.168.80.100").count()
    };
    let before = garps();
    assert_eq!(garp(), "");
    wait_until("a gratuitous ARP", PATIENCE, || garps() == before + 1);

    for (method, file) in [
        ("PrintData", "keepalived.data"),
        ("PrintStats", "keepalived.stats"),
        ("PrintStatsClear", "keepalived.stats"),
    ] {
        let file = bed.path(&format!("tmp-{maker:?}-0")).join(file);
        let _ = fs::remove_file(&file);
        assert_eq!(bus.call(&format!("{VRRP} org.keepalived.Vrrp1.Vrrp.{method}")), "");
        let text = fs::read_to_string(file).unwrap();
        let tells = |line: &&str| line.contains("DBus") || line.contains("Became master");
        seen.lines.extend(text.lines().filter(tells).map(str::to_owned));
    }

    let peer = Daemon::start(&bed, &bed.hosts[1], Debian, PEER);
    seen.moments.push(monitor.moment(&["eth0/51/IPv4 1"]));
    let before = garps();
    assert_eq!(garp(), "");
    assert!(is_clean(peer.stop()));
    seen.moments.push(monitor.moment(&["eth0/51/IPv4 2"]));
    // Nothing for a backup; five when it was master again.
    wait_until("five more", PATIENCE, || garps() == before + 5);

    daemon.reconfigure(&reloaded());
    assert_eq!(bus.call(&format!("{VRRP} org.keepalived.Vrrp1.Vrrp.ReloadConfig")), "");
    seen.moments.push(monitor.moment(&["br_lan_1/52/IPv4 3", "VrrpReloaded", "eth0/59/IPv4 2"]));
    seen.trees.push(bus.tree());
    seen.answers.extend(questions().into_iter().take(3).map(|question| {
        let answer = bus.call(&question);
        (question, answer)
    }));

    let log = daemon.log();
    assert!(is_clean(daemon.stop()));
    let ended = monitor.moment(&["VrrpStopped"]);
    assert_eq!(ended.last().unwrap(), "VrrpStopped", "{maker:?}");
    seen.moments.push(by_instance(ended));
    assert!(!bus.has(NAME));
    let said = log.lines().filter(|line| line.contains("DBus") || line.contains("session bus"));
    seen.lines.extend(said.map(|line| line.split("2026: ").last().unwrap_or(line).to_owned()));
    seen
}

/// With the policy and the clients that Debian has.
#[test]
fn a_life_on_the_bus() {
    let debian = std::thread::spawn(|| live(Debian));
    let ours = live(Evenkeel);
    let real = debian.join().unwrap();
    for (ours, real) in ours.trees.iter().flatten().zip(real.trees.iter().flatten()) {
        assert_eq!(ours, real);
    }
    let answers = ours.answers.iter().zip(&real.answers);
    let differ: Vec<_> = answers.filter(|(ours, real)| ours != real).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(ours.trees.len(), real.trees.len());
    assert_eq!(ours.answers.len(), real.answers.len());
    assert_eq!(ours.lines, real.lines);
    assert_eq!(ours.moments, real.moments);
    assert_eq!(ours.moments.len(), 5);
    assert_eq!(
        ours.moments[3],
        ["br_lan_1/52/IPv4 3", "VrrpReloaded", "eth0/59/IPv4 1", "eth0/59/IPv4 2"]
    );
}

/// How an instance is.
const STATE: &str =
    "org.freedesktop.DBus.Properties.Get string:org.keepalived.Vrrp1.Instance string:State";

const NODE: &str = "global_defs {
  enable_dbus
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  priority 200
  virtual_ipaddress { 192.168.80.100 }
}
";

/// A bus that comes late, hangs, dies and comes back. What the pair does doesn't depend on it.
#[test]
fn a_bus_with_a_life_of_its_own() {
    let bed = Bed::new(3);
    let folder = bed.path("bus");
    fs::create_dir(&folder).unwrap();
    let node = starts_on(&bed, 0, Evenkeel, NODE, &folder);
    let until = |line: &str, times: usize| {
        wait_until(line, PATIENCE, || node.log().matches(line).count() >= times);
    };
    let lost = "Lost the name org.keepalived.Vrrp1 on the session bus";
    let acquired = "Acquired the name org.keepalived.Vrrp1 on the session bus";
    until("Entering MASTER STATE", 1);
    until(lost, 1);
    let backup = NODE.replace("enable_dbus", "").replace("200", "100");
    let peer = Daemon::start(&bed, &bed.hosts[1], Debian, &backup);
    wait_until("the peer listens", PATIENCE, || peer.log().contains("Entering BACKUP STATE"));

    let bus = SystemBus::start(&folder);
    until(acquired, 1);
    assert!(bus.has(NAME));
    assert!(bus.call(&format!("{INSTANCE} {STATE}")).contains("\"Master\""));

    // It hangs: the backup hears every advert, and a reload is done; its signal waits.
    let mut monitor = Monitor::start(&bus, &bed.path("signals"));
    kill("STOP", bus.child.id() as i32);
    node.signal("HUP");
    until("Reload complete", 1);
    let master = || peer.log().contains("Entering MASTER STATE");
    stays("the peer is backup", Duration::from_secs(2), || !master());
    kill("CONT", bus.child.id() as i32);
    monitor.moment(&["VrrpReloaded"]);
    drop(monitor);

    // It dies and comes back.
    drop(bus);
    until(lost, 2);
    let bus = SystemBus::start(&folder);
    until(acquired, 2);

    // It is no longer wanted; and wanted again, by another name, which the policy doesn't allow.
    let threads = || {
        let tasks = format!("/proc/{}/task", node.vrrp_pid());
        let names = fs::read_dir(tasks).unwrap().flatten();
        names
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
            .collect::<String>()
    };
    assert!(threads().contains("dbus"), "{}", threads());
    node.reconfigure(&NODE.replace("enable_dbus", ""));
    node.signal("HUP");
    until("Released DBus", 1);
    wait_until("the thread has ended", PATIENCE, || !threads().contains("dbus"));
    assert!(!bus.has(NAME));
    node.reconfigure(&NODE.replace("enable_dbus", "enable_dbus\ndbus_service_name org.me.Two"));
    node.signal("HUP");
    until("Lost the name org.me.Two on the session bus", 1);
    until("not allowed to own the service \"org.me.Two\"", 1);
    assert!(!master());

    // Somebody else has the name: whoever comes second waits for it.
    let config = "global_defs {\n  enable_dbus\n}\n";
    let first =
        starts_on(&bed, 2, Debian, &format!("{config}{}", PEER.replace("51", "61")), &folder);
    wait_until("the first has the name", PATIENCE, || bus.has(NAME));
    let had = node.log().matches(lost).count();
    node.reconfigure(NODE);
    node.signal("HUP");
    until(lost, had + 1);
    let had = node.log().matches(acquired).count();
    assert!(is_clean(first.stop()));
    until(acquired, had + 1);

    // A bus that hangs doesn't keep it from ending.
    kill("STOP", bus.child.id() as i32);
    let begun = Instant::now();
    assert!(is_clean(node.stop()));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

/// Debian's policy and ours: whoever isn't root may look, and nothing else.
#[test]
fn who_may_ask() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/dbus");
    for policies in [Path::new(POLICIES), &ours] {
        let bed = Bed::new(1);
        let bus = SystemBus::start_with(&bed.path("bus"), policies);
        let node = starts_on(&bed, 0, Evenkeel, NODE, &bus.folder);
        wait_until("it has its name", PATIENCE, || bus.has(NAME));
        wait_until("it is master", PATIENCE, || node.log().contains("Entering MASTER STATE"));
        for look in [
            format!("{INSTANCE} {STATE}"),
            format!("{VRRP} org.freedesktop.DBus.Introspectable.Introspect"),
        ] {
            let answer = bus.call_as_nobody(&look);
            assert!(answer.contains("Master") || answer.contains("ReloadConfig"), "{answer}");
        }
        for change in [
            format!("{INSTANCE} org.keepalived.Vrrp1.Instance.SendGarp"),
            format!("{VRRP} org.keepalived.Vrrp1.Vrrp.PrintData"),
            format!("{VRRP} org.keepalived.Vrrp1.Vrrp.ReloadConfig"),
        ] {
            let answer = bus.call_as_nobody(&change);
            assert!(answer.contains("org.freedesktop.DBus.Error.AccessDenied"), "{answer}");
            assert_eq!(bus.call(&change), "");
        }
        assert_eq!(node.log().matches("on DBus request").count(), 2);
        assert!(is_clean(node.stop()));
    }
}
