//! Reloads under the eyes of a client, beside the same reloads of the real keepalived: what the
//! client loses is measured for both, and Evenkeel may lose nothing where nothing of the client's
//! router changes.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::super::bed::daemon::{Daemon, Maker, is_clean};
use super::super::bed::{Bed, Host, wait_until};
use super::Maker::{Debian, Evenkeel};
use super::{PATIENCE, VIP};

const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 110);
const ADDED: Ipv4Addr = Ipv4Addr::new(192, 168, 80, 111);

/// Asks for the address every few milliseconds, from another host; remembers the longest silence.
struct Client {
    over: Arc<AtomicBool>,
    longest: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Client {
    fn start(host: &Host) -> Client {
        let (over, longest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ends, worst) = (Arc::clone(&over), Arc::clone(&longest));
        let ask = move || {
            std::thread::spawn(move || {
                // Nobody listens there: whoever has the address refuses at once.
                let service = SocketAddr::from((VIP, 9));
                let mut answered = Instant::now();
                while !ends.load(Ordering::Relaxed) {
                    let error = TcpStream::connect_timeout(&service, Duration::from_millis(50));
                    let refused = error
                        .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
                    let silence = answered.elapsed().as_millis() as u64;
                    if refused {
                        answered = Instant::now();
                    }
                    worst.fetch_max(silence, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            })
        };
        Client { over, longest, thread: Some(host.on(ask)) }
    }

    /// The longest silence since the last call.
    fn silence(&self) -> Duration {
        Duration::from_millis(self.longest.swap(0, Ordering::Relaxed))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// A config in parts, so that each can be changed.
#[derive(Clone)]
struct Config {
    script: &'static str,
    priority: u8,
    interval: &'static str,
    more: &'static str,
    address: Option<Ipv4Addr>,
    excluded: Option<Ipv4Addr>,
    second: Option<&'static str>,
    /// Both instances are a sync group.
    grouped: bool,
}

impl Config {
    fn text(&self) -> String {
        let Config { script, priority, interval, more, .. } = self;
        let address = self.address.map(|it| format!("        {it}\n")).unwrap_or_default();
        let excluded = self.excluded.map_or_else(String::new, |it| {
            format!("    virtual_ipaddress_excluded {{\n        {it}\n    }}\n")
        });
        let group = match self.grouped {
            true => "vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n",
            false => "",
        };
        let second = self.second.map(|interface| {
            format!(
                "vrrp_instance VI_2 {{\n    state MASTER\n    interface {interface}\n    \
                 virtual_router_id 52\n    priority 100\n    advert_int 1\n    virtual_ipaddress \
                 {{\n        {OTHER}\n    }}\n}}\n"
            )
        });
        format!(
            "global_defs {{\n    script_user root\n}}\nvrrp_script {script} {{\n    script \
             /bin/true\n    interval 1\n    weight 2\n}}\nvrrp_instance VI_1 {{\n    state MASTER\n    \
             interface eth0\n    virtual_router_id 51\n    priority {priority}\n    advert_int \
             {interval}\n{more}    track_script {{\n        {script}\n    }}\n    virtual_ipaddress \
             {{\n        {VIP}/24\n{address}    }}\n{excluded}}}\n{group}{}",
            second.unwrap_or_default()
        )
    }
}

/// What was changed, the longest silence that the client saw, and how often the address was taken off.
type Silences = Vec<(&'static str, Duration, usize)>;

/// ip-monitor(8): what comes and goes on a host's interfaces.
pub(super) struct Monitor {
    child: std::process::Child,
    file: std::path::PathBuf,
}

impl Monitor {
    pub(super) fn start(bed: &Bed, host: &Host) -> Monitor {
        let file = bed.path("monitor");
        let mut command = host.command("ip");
        command.args(["-o", "monitor", "address"]);
        let child = command.stdout(std::fs::File::create(&file).unwrap()).spawn().unwrap();
        Monitor { child, file }
    }

    /// How often the address has been taken off an interface.
    pub(super) fn losses(&self, address: Ipv4Addr) -> usize {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let lost = format!(" {address}/");
        text.lines().filter(|it| it.starts_with("Deleted") && it.contains(&lost)).count()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reloads(maker: Maker) -> Silences {
    let bed = Bed::new(2);
    let (host, client) = (&bed.hosts[0], &bed.hosts[1]);
    host.ip("link add eth1 type veth peer name far1");
    host.ip("link set eth1 up");
    host.ip("link set far1 up");
    host.ip("addr add 192.168.81.1/24 dev eth1");
    let mut config = Config {
        script: "check",
        priority: 100,
        interval: "1",
        more: "",
        address: None,
        excluded: None,
        second: None,
        grouped: false,
    };
    let daemon = Daemon::start(&bed, host, maker, &config.text());
    wait_until("master", PATIENCE, || host.holds(VIP));
    let role = daemon.vrrp_pid();
    let monitor = Monitor::start(&bed, host);
    let client = Client::start(client);
    std::thread::sleep(Duration::from_millis(300));
    client.silence();
    let mut silences = Vec::new();
    let mut change = |what, config: &Config, is_done: &dyn Fn() -> bool| {
        daemon.reconfigure(&config.text());
        daemon.signal("HUP");
        wait_until(what, PATIENCE, is_done);
        std::thread::sleep(Duration::from_millis(1500));
        wait_until("still or again master", PATIENCE, || host.holds(VIP));
        std::thread::sleep(Duration::from_millis(100));
        let before: usize = silences.iter().map(|it: &(&str, Duration, usize)| it.2).sum();
        silences.push((what, client.silence(), monitor.losses(VIP) - before));
        assert_eq!(daemon.vrrp_pid(), role, "{what}: another process");
    };
    let always = || true;
    change("nothing", &config, &always);
    config.second = Some("eth0");
    change("an instance more", &config, &|| host.holds(OTHER));
    config.second = Some("eth1");
    change("that instance on another interface", &config, &|| host.holds(OTHER));
    config.second = None;
    change("that instance less", &config, &|| !host.holds(OTHER));
    config.address = Some(ADDED);
    change("an address more", &config, &|| host.holds(ADDED));
    config.address = Some(OTHER);
    change("another address", &config, &|| host.holds(OTHER) && !host.holds(ADDED));
    config.address = None;
    config.excluded = Some(OTHER);
    change("that address excluded", &config, &|| host.holds(OTHER));
    config.excluded = None;
    change("that address less", &config, &|| !host.holds(OTHER));
    config.second = Some("eth1");
    config.grouped = true;
    change("an instance more and both a group", &config, &|| host.holds(OTHER));
    config.grouped = false;
    change("the group undone", &config, &|| host.holds(OTHER));
    config.grouped = true;
    change("a group of what was there", &config, &always);
    (config.second, config.grouped) = (None, false);
    change("the group and its member less", &config, &|| !host.holds(OTHER));
    config.script = "renamed";
    change("a script's name", &config, &always);
    config.priority = 120;
    change("the priority", &config, &always);
    config.priority = 80;
    change("the priority, lower", &config, &always);
    config.interval = "2";
    change("the interval", &config, &always);
    config.more = "    authentication {\n        auth_type PASS\n        auth_pass 2222\n    }\n";
    change("the password", &config, &always);
    config.more = "    garp_master_refresh 1\n    preempt_delay 5\n";
    change("announcements and preemption", &config, &always);
    // The next ones change what the router is to others.
    config.more = "    unicast_peer {\n        192.168.80.123\n    }\n";
    change("unicast", &config, &always);
    config.more = "";
    change("multicast again", &config, &always);
    assert!(is_clean(daemon.stop()));
    assert!(!host.holds(VIP) && !host.holds(OTHER));
    silences
}

#[test]
fn a_client_notices_no_reload() {
    let (real, ours) = std::thread::scope(|scope| {
        let real = scope.spawn(|| reloads(Debian));
        let ours = scope.spawn(|| reloads(Evenkeel));
        (real.join().unwrap(), ours.join().unwrap())
    });
    for ((what, real, lost), (_, ours, _)) in real.iter().zip(&ours) {
        eprintln!(
            "{what}: the client saw nothing for {real:?} with keepalived (the address was taken off \
             {lost} times), {ours:?} with ours"
        );
    }
    // A busy machine lets the client itself wait.
    let nothing = Duration::from_millis(400);
    for (what, silence, lost) in &ours {
        let anew = ["unicast", "multicast again"].contains(what);
        assert!(anew || *silence < nothing, "{what}: silent for {silence:?}");
        assert!(anew || *lost == 0, "{what}: the address was taken off");
    }
    // The watch sees what it is there for.
    assert!(ours.iter().any(|it| it.2 > 0) && real.iter().any(|it| it.2 > 0), "{ours:?} {real:?}");
    for at in [ours.len() - 2, ours.len() - 1] {
        let (what, silence, _) = ours[at];
        assert!(silence < real[at].1.max(nothing) * 2 + nothing, "{what}: {silence:?}");
    }
}

/// Whatever keepalived wouldn't start with leaves everything as it is, and says why.
#[test]
fn a_broken_file_changes_nothing_and_says_why() {
    let bed = Bed::new(2);
    let host = &bed.hosts[0];
    let good = super::config("MASTER", 100, "");
    let daemon = Daemon::start(&bed, host, Evenkeel, &good);
    wait_until("master", PATIENCE, || host.holds(VIP));
    let role = daemon.vrrp_pid();
    let client = Client::start(&bed.hosts[1]);
    std::thread::sleep(Duration::from_millis(300));
    client.silence();
    let broken = [
        (good.replace("    virtual_router_id 51\n", ""), "router id"),
        (good.replace("interface eth0", "interface eth7"), "eth7"),
        (format!("{good}global_defs {{\n    umask\n}}\n"), "is missing a parameter"),
        (
            // Errors that keepalived runs with, held back because somebody asked for that.
            good.replace("global_defs {\n", "global_defs {\n    reload_check_config\n"),
            "Reload complete",
        ),
        (good.replace("    priority", "    prioritty"), "New config failed validation"),
    ];
    for (config, why) in broken {
        daemon.reconfigure(&config);
        daemon.signal("HUP");
        wait_until(why, PATIENCE, || daemon.log().contains(why));
        std::thread::sleep(Duration::from_millis(500));
        assert!(host.holds(VIP) && daemon.vrrp_pid() == role, "{why}");
    }
    assert!(daemon.log().matches("Reload failed").count() >= 4, "each is said");
    assert!(client.silence() < Duration::from_millis(400));
    assert!(is_clean(daemon.stop()));
}
