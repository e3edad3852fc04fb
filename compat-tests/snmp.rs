//! SNMP: Debian's keepalived and Evenkeel with the same config, each the subagent of an snmpd of its
//! own. What a manager reads and what is told as traps must be the same, but for what is named
//! here. Then what can happen to a master agent.
//!
//! Needs root, iproute2, keepalived, snmpd, snmp, snmptrapd.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::bed::daemon::Maker::{Debian, Evenkeel};
use super::bed::daemon::{Daemon, Maker, is_clean, kill};
use super::bed::{Bed, Host, stays, wait_until};

const PATIENCE: Duration = Duration::from_secs(20);
const AGENT: &str = "127.0.0.1:1161";
/// KEEPALIVED-MIB and the RFCs'.
const OWN: &str = ".1.3.6.1.4.1.9586.100.5";
const RFC2787: &str = ".1.3.6.1.2.1.68";
const RFC6527: &str = ".1.3.6.1.2.1.207";

/// A host's SNMP agent, which sends traps to a receiver beside it.
struct Agent<'a> {
    bed: &'a Bed,
    host: &'a Host,
    /// In snmpd's words.
    socket: String,
    snmpd: Child,
    snmptrapd: Child,
}

impl<'a> Agent<'a> {
    fn start(bed: &'a Bed, host: &'a Host) -> Agent<'a> {
        Self::start_at(bed, host, format!("unix:{}", bed.path("agentx").display()))
    }

    fn start_at(bed: &'a Bed, host: &'a Host, socket: String) -> Agent<'a> {
        fs::create_dir_all(bed.path("persistent")).unwrap();
        fs::write(bed.path("snmptrapd.conf"), "disableAuthorization yes\n").unwrap();
        let config = format!(
            "master agentx\nagentXSocket {socket}\nagentaddress udp:{AGENT}\n\
             rwcommunity public\ntrap2sink 127.0.0.1:1162 public\n"
        );
        fs::write(bed.path("snmpd.conf"), config).unwrap();
        let run = |program: &str, log: &str, more: &[&str]| {
            let mut command = host.command(program);
            command.env("SNMP_PERSISTENT_DIR", bed.path("persistent"));
            command.args(["-f", "-C", "-c"]).arg(bed.path(&format!("{program}.conf")));
            command
                .arg("-Lf")
                .arg(bed.path(log))
                .arg("-p")
                .arg(bed.path(&format!("{program}.pid")));
            command.args(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let receiver = ["-n", "-On", "-m", "", "udp:127.0.0.1:1162"];
        let snmptrapd = run("snmptrapd", "traps", &receiver);
        wait_until("the receiver of traps is there", PATIENCE, || {
            fs::read_to_string(bed.path("traps")).is_ok_and(|text| text.contains("NET-SNMP"))
        });
        let snmpd = run("snmpd", "snmpd.log", &[]);
        let agent = Agent { bed, host, socket, snmpd, snmptrapd };
        wait_until("the agent answers", PATIENCE, || agent.get(".1.3.6.1.2.1.1.3.0").is_some());
        agent
    }

    fn ask(&self, words: &[&str]) -> String {
        let (program, words) = words.split_first().unwrap();
        let mut command = self.host.command(program);
        command.env("SNMP_PERSISTENT_DIR", self.bed.path("persistent"));
        command.args(["-v2c", "-c", "public", "-On", "-m", "", "-r", "1", "-t", "3"]);
        // Options of the program come before the agent, names behind it.
        let (options, names): (Vec<&&str>, Vec<&&str>) =
            words.iter().partition(|word| word.starts_with('-'));
        let output = command.args(options).arg(AGENT).args(names).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn walk(&self, root: &str) -> Vec<String> {
        let text = self.ask(&["snmpwalk", root]);
        text.replace(&self.bed.folder.path().display().to_string(), "BED")
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    fn get(&self, name: &str) -> Option<String> {
        let text = self.ask(&["snmpget", name]);
        let (_, value) = text.trim_end().split_once(" = ")?;
        (!value.starts_with("No Such")).then(|| value.to_owned())
    }

    /// What the daemon told so far: kinds and objects.
    fn traps(&self) -> Vec<String> {
        let text = fs::read_to_string(self.bed.path("traps")).unwrap();
        let objects = text.lines().filter_map(|line| {
            // The first one is the time.
            let (_, rest) = line.strip_prefix(".1.3.6.1.2.1.1.3.0 = ")?.split_once('\t')?;
            Some(rest.trim_end().to_owned())
        });
        // The agent's own start.
        objects.filter(|it| !it.contains(".1.3.6.1.6.3.1.1.5.")).collect()
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        for child in [&mut self.snmpd, &mut self.snmptrapd] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// All that there is to be seen: groups, instances of all kinds, tracked things, static ones.
const EVERYTHING: &str = "global_defs {
  router_id me
  enable_snmp_vrrp
  enable_snmp_rfc
  enable_traps
  snmp_socket SOCKET
  notification_email { a@example.com
   d@example.com }
  notification_email_from x@example.com
  smtp_server 127.0.0.1
  smtp_alert on
  enable_script_security
  script_user root
  dynamic_interfaces
}
static_ipaddress { 10.50.0.1/24 brd 10.50.0.255 dev eth0 scope link
 fd50::1/64 dev eth0 }
static_routes { 10.51.0.0/16 via 192.168.80.2 src 192.168.80.122 dev eth0 table 7 tos 8 mtu 1000 realms 3/5
 10.52.0.0/16 nexthop via 192.168.80.2 dev eth0 weight 2 nexthop via 192.168.80.3 dev eth0 onlink
 blackhole 10.53.0.0/16
 fd51::/64 via fd09::2 dev eth0 metric 9 mtu lock 1300 pref high
}
static_rules { from 10.60.0.0/16 to 10.61.0.0/16 table 9 priority 400
 to 10.62.0.0/16 blackhole priority 401
 not from 10.63.0.0/16 fwmark 7/255 iif eth0 table 8 priority 402
 iif eth0 goto 700 priority 403
 from fd60::/64 table 6 priority 404
}
vrrp_script chk { script \"/usr/bin/true x y\"
 interval 2
 weight 2
 rise 3
 fall 4
}
vrrp_script rev { script \"/usr/bin/false\"
 interval 1
 weight 5 reverse
}
track_file tf { file FILE
 weight 2 }
vrrp_track_process pp { process no-such-thing x
 param_match initial
 weight 1 reverse
 quorum 2
 quorum_max 9
 fork_delay 1
 terminate_delay 2 }
vrrp_sync_group G { group {
 VI_2
 VI_3
 }
 track_interface { eth2 weight 4 }
 track_script { chk weight 3
 }
 track_file { tf weight 1 }
 track_process { pp }
 notify /usr/bin/true
 notify_master \"/usr/bin/true m\"
 notify_stop \"/usr/bin/true s\"
 smtp_alert
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  advert_int 1
  priority 120
  nopreempt
  preempt_delay 20
  garp_master_delay 3
  authentication { auth_type AH
   auth_pass secret }
  track_script { chk
    rev weight 7 reverse }
  track_file { tf weight 1 reverse }
  track_process { pp weight 3 }
  track_interface { eth2 weight -3
    eth1 weight 5 reverse }
  notify_master \"/usr/bin/true a\"
  notify_backup \"/usr/bin/true b\" root
  notify_fault \"/usr/bin/true c\"
  notify_stop \"/usr/bin/true d\"
  notify \"/usr/bin/true e\"
  notify_deleted \"/usr/bin/true f\"
  notify_master_rx_lower_pri \"/usr/bin/true g\"
  virtual_ipaddress { 10.9.0.100/24 brd 10.9.0.255 scope site
   10.9.0.101/24 dev eth2 label eth2:1
   10.9.0.102 peer 10.9.0.200/32 }
  virtual_ipaddress_excluded { fd09::77/64 }
  virtual_routes { 10.77.0.0/16 via 192.168.80.2 dev eth0 metric 5
  10.79.0.0/16 nexthop via 192.168.80.2 dev eth0 weight 2 nexthop via 192.168.80.3 dev eth0 weight 3 }
  virtual_rules { from 10.78.0.0/16 table 99 priority 500 }
}
vrrp_instance VI_2 {
  interface eth1
  virtual_router_id 52
  version 3
  advert_int 0.3
  no_accept
  promote_secondaries
  virtual_ipaddress { 10.9.5.100 }
}
vrrp_instance VI_3 {
  interface eth1
  virtual_router_id 53
  version 3
  advert_int 0.3
  priority 255
  track_interface { far2 }
  unicast_peer { 192.168.81.2 }
  virtual_ipaddress { 10.9.5.101 }
}
vrrp_instance V6 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.2
  priority 200
  virtual_ipaddress { fe80::9
   fd09::99/64 }
}
vrrp_instance VM {
  interface eth0
  virtual_router_id 77
  use_vmac
  version 3
  advert_int 0.2
  dont_track_primary
  virtual_ipaddress { 10.9.0.177 }
}
";

/// Walks, and answers to single questions.
struct Read {
    walks: Vec<Vec<String>>,
    answers: Vec<(String, String)>,
    lines: Vec<String>,
}

fn read(maker: Maker) -> Read {
    let bed = Bed::new(1);
    bed.second_network();
    let host = &bed.hosts[0];
    for words in [
        "addr add fd09::1/64 dev eth0 nodad",
        "link add eth2 address 02:00:00:00:02:22 type veth peer name far2",
        "link set eth2 up",
        "link set far2 up",
    ] {
        host.ip(words);
    }
    wait_until("link-local addresses can be used", PATIENCE, || {
        let output = host.command("ip").args(["-6", "addr", "show", "tentative"]).output();
        output.unwrap().stdout.is_empty()
    });
    let agent = Agent::start(&bed, host);
    let file = bed.path("tracked");
    fs::write(&file, "3\n").unwrap();
    let config =
        EVERYTHING.replace("SOCKET", &agent.socket).replace("FILE", &file.display().to_string());
    let tmp = bed.path("tmp");
    fs::create_dir(&tmp).unwrap();
    let daemon = Daemon::start_with_tmp(&bed, host, maker, &config, &tmp);
    wait_until("all are what they are going to be", PATIENCE, || {
        daemon.log().matches("Entering MASTER STATE").count() == 3
            && agent.get(&format!("{OWN}.2.9.1.6.1")).as_deref() == Some("INTEGER: 3")
    });
    // The first results of all scripts, and gratuitous ARPs, are over; what is read is a moment old
    // at most.
    std::thread::sleep(Duration::from_millis(1500));
    let walks = [OWN, RFC2787, RFC6527].map(|root| agent.walk(root)).to_vec();
    let mut questions: Vec<String> = [
        "2.3.1.2.1",
        "2.3.1.2.99",
        "2.3.1.2",
        "2.3.1.99.1",
        "2.99.1",
        "1.1",
        "1.1.0",
        "1.1.1",
        "9",
        "1.3.5.1.2.1",
        "1.3.5.1.2.9",
        "2.13.1.6.1",
    ]
    .map(|it| format!("snmpget {OWN}.{it}"))
    .into();
    questions.extend([
        format!("snmpget {RFC2787}.1.3.1.10.1.51"),
        format!("snmpget {RFC6527}.1.1.1.1.1.1.51.1"),
        format!("snmpget {OWN}.2.3.1.2.1 {OWN}.2.3.1.2.9 {OWN}.1.2.0"),
        // Into the next column, the next table, past the end.
        format!("snmpgetnext {OWN}.2.3.1.9"),
        format!("snmpgetnext {OWN}.2.3.1.2.5"),
        format!("snmpgetnext {OWN}.2.13.1.6.1"),
        format!("snmpgetnext {OWN}.2.22.1.4.1.1"),
        format!("snmpgetnext {OWN}.4"),
        format!("snmpgetnext {RFC6527}.1.3"),
        format!("snmpbulkget -Cn1 -Cr7 {OWN}.1.1 {OWN}.2.3.1.2 {OWN}.2.3.1.4"),
        format!("snmpbulkget -Cn0 -Cr20 {OWN}.2.20 {OWN}.2.22.1.4"),
        // What can't be set by either.
        format!("snmpset {OWN}.2.3.1.2.1 s x"),
        format!("snmpset {OWN}.2.3.1.28.1 i 1"),
        format!("snmpset {RFC2787}.1.2.0 i 2"),
    ]);
    let ask = |question: &String| {
        let words: Vec<&str> = question.split(' ').collect();
        let answer = agent.ask(&words);
        // Behind all that is ours stands the agent's own.
        let lines = answer.lines().filter(|line| !line.starts_with(".1.3.6.1.6."));
        (question.clone(), lines.collect::<Vec<_>>().join("\n"))
    };
    let answers = questions.iter().map(ask).collect();
    daemon.signal("USR1");
    let dump = tmp.join("keepalived.data");
    wait_until("the dump", PATIENCE, || {
        fs::read_to_string(&dump).is_ok_and(|text| text.contains("SNMP socket"))
    });
    let dump = fs::read_to_string(dump).unwrap().replace(&agent.socket, "SOCKET");
    let lines = dump.lines().filter(|line| line.contains("SNMP")).map(str::to_owned).collect();
    assert!(is_clean(daemon.stop()));
    Read { walks, answers, lines }
}

/// What is each program's own, or a matter of time. The rest is compared word for word.
fn comparable(walk: &[String]) -> Vec<String> {
    let times = [
        // vrrpOperVirtualRouterUpTime: sysUpTime by the RFC, keepalived's own time there.
        format!("{RFC2787}.1.3.1.13."),
        // vrrpv3OperationsUpTime
        format!("{RFC6527}.1.1.1.1.12."),
        // version
        format!("{OWN}.1.1.0 "),
    ];
    // vrrpAddressAdvertising: keepalived says so of the first instance only.
    let advertised = |line: &str| {
        let index = line.strip_prefix(&format!("{OWN}.2.6.1.11."));
        index.is_some_and(|index| !index.starts_with("0.") && !index.starts_with("1."))
    };
    let own =
        |line: &&String| !times.iter().any(|time| line.starts_with(time)) && !advertised(line);
    walk.iter().filter(own).cloned().collect()
}

fn both<T: Send>(act: impl Fn(Maker) -> T + Send + Sync) -> (T, T) {
    std::thread::scope(|scope| {
        let real = scope.spawn(|| act(Debian));
        let ours = act(Evenkeel);
        (ours, real.join().unwrap())
    })
}

#[test]
fn a_manager_reads_the_same() {
    let (ours, real) = both(read);
    for (at, (ours, real)) in ours.walks.iter().zip(&real.walks).enumerate() {
        let (ours, real) = (comparable(ours), comparable(real));
        let extra: Vec<_> = ours.iter().filter(|line| !real.contains(line)).collect();
        let missing: Vec<_> = real.iter().filter(|line| !ours.contains(line)).collect();
        assert!(extra.is_empty() && missing.is_empty(), "{at}: {extra:#?} for {missing:#?}");
        assert_eq!(ours, real);
    }
    let sizes: Vec<usize> = real.walks.iter().map(Vec::len).collect();
    assert!(sizes[0] > 400 && sizes[1] > 30 && sizes[2] > 120, "{sizes:?}");
    let not_version = |(question, _): &&(String, String)| !question.contains("1.1");
    let pick = |it: &Read| it.answers.iter().filter(not_version).cloned().collect::<Vec<_>>();
    for (ours, real) in pick(&ours).iter().zip(&pick(&real)) {
        assert_eq!(ours, real);
    }
    assert_eq!(ours.lines, real.lines);
    assert_eq!(ours.lines.len(), 6);
}

fn life(at: u8, priority: u8, version: u8, globals: &str) -> String {
    format!(
        "global_defs {{
  router_id node{at}
  {globals}
}}
vrrp_sync_group G {{
  group {{
    VI_5
  }}
}}
vrrp_instance VI_3 {{
  interface eth0
  virtual_router_id 51
  version {version}
  advert_int 1
  priority {priority}
  virtual_ipaddress {{ 10.9.0.100/24 }}
}}
vrrp_instance VI_2 {{
  interface eth0
  virtual_router_id 52
  advert_int 1
  priority {priority}
  virtual_ipaddress {{ 10.9.0.102/24 }}
}}
vrrp_instance VI_5 {{
  interface eth0
  virtual_router_id 55
  version 3
  advert_int 0.2
  priority {priority}
  virtual_ipaddress {{ 10.9.0.105/24 }}
}}
"
    )
}

/// Who becomes active for what reason, and what is told of it.
fn live(maker: Maker) -> (Vec<Vec<String>>, Vec<String>) {
    let bed = Bed::new(2);
    let agent = Agent::start(&bed, &bed.hosts[0]);
    let globals =
        format!("enable_snmp_vrrp\nenable_snmp_rfc\nenable_traps\nsnmp_socket {}", agent.socket);
    let active = |daemon: &Daemon| daemon.log().matches("Entering MASTER STATE").count();
    let backup = |daemon: &Daemon| daemon.log().matches("Entering BACKUP STATE\n").count();
    let peer = |priority, version| {
        Daemon::start(&bed, &bed.hosts[1], Debian, &life(1, priority, version, ""))
    };
    let weak = peer(50, 3);
    wait_until("the weak one is active", PATIENCE, || active(&weak) == 3);

    let daemon = Daemon::start(&bed, &bed.hosts[0], maker, &life(0, 100, 3, &globals));
    let mut moments = Vec::new();
    let mut seen = 0;
    let mut moment = |expected: usize| {
        wait_until("the traps", PATIENCE, || agent.traps().len() >= seen + expected);
        std::thread::sleep(Duration::from_millis(300));
        let traps = agent.traps()[seen..].to_vec();
        seen += traps.len();
        // Instances aren't in step with each other.
        let mut sorted = traps;
        sorted.sort();
        // One for every wrong packet.
        sorted.dedup();
        moments.push(sorted);
    };
    // It preempts.
    wait_until("active", PATIENCE, || active(&daemon) == 3);
    moment(12);
    assert!(is_clean(weak.stop()));
    // It gives way.
    let strong = peer(200, 3);
    wait_until("backup", PATIENCE, || backup(&daemon) == 3);
    moment(4);
    // The other says goodbye.
    assert!(is_clean(strong.stop()));
    wait_until("active again", PATIENCE, || active(&daemon) == 6);
    moment(8);
    // Nothing is heard of the other.
    let strong = peer(200, 3);
    wait_until("backup again", PATIENCE, || backup(&daemon) == 6);
    bed.connect(&bed.hosts[1], false);
    wait_until("active once more", PATIENCE, || active(&daemon) == 9);
    moment(12);
    assert!(is_clean(strong.stop()));
    bed.connect(&bed.hosts[1], true);
    // Another speaks another version in one instance, and has another password in the other two.
    let config = life(1, 20, 2, "").replace(
        "  priority 20\n",
        "  priority 20\n  authentication {\n    auth_type PASS\n    auth_pass x\n  }\n",
    );
    let other = Daemon::start(&bed, &bed.hosts[1], Debian, &config);
    moment(2);
    assert!(is_clean(other.stop()));
    let log = daemon.log();
    assert!(is_clean(daemon.stop()));
    moment(4);
    // Of the last wrong packets.
    let faults = ["OID: .1.3.6.1.2.1.207.0.2\t", "OID: .1.3.6.1.2.1.68.0.2\t"];
    moments[5].retain(|trap| !faults.iter().any(|fault| trap.contains(fault)));
    let said = log.lines().filter(|line| line.contains("SNMP") && !line.contains("NET-SNMP"));
    let mut said: Vec<String> =
        said.map(|line| line.split("2026: ").last().unwrap_or(line).to_owned()).collect();
    said.sort();
    said.dedup();
    (moments, said)
}

#[test]
fn the_same_is_told() {
    let ((ours, ours_said), (real, real_said)) = both(live);
    for (at, (ours, real)) in ours.iter().zip(&real).enumerate() {
        assert_eq!(ours, real, "{at}");
    }
    assert_eq!(ours.len(), real.len());
    assert_eq!(ours_said, real_said);
}

const NODE: &str = "global_defs {
  enable_snmp_vrrp
  enable_traps
  snmp_socket SOCKET
}
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  version 3
  advert_int 0.1
  priority 200
  virtual_ipaddress { 10.9.0.100 }
}
";

/// A master agent that comes late, hangs, dies and comes back. What the pair does doesn't depend on
/// it.
#[test]
fn a_master_agent_with_a_life_of_its_own() {
    let bed = Bed::new(2);
    let host = &bed.hosts[0];
    let socket = format!("unix:{}", bed.path("agentx").display());
    let config = NODE.replace("SOCKET", &socket);
    let node = Daemon::start(&bed, host, Evenkeel, &config);
    let until = |line: &str, times: usize| {
        wait_until(line, PATIENCE, || node.log().matches(line).count() >= times);
    };
    let failed = format!("Warning: Failed to connect to the agentx master agent ({socket}): ");
    until("Starting SNMP subagent", 1);
    until(&failed, 1);
    until("Entering MASTER STATE", 1);
    let peer =
        NODE.replace("SOCKET", &socket).replace("200", "100").replace("enable_snmp_vrrp", "");
    let peer = Daemon::start(&bed, &bed.hosts[1], Debian, &peer);
    wait_until("the peer listens", PATIENCE, || peer.log().contains("Entering BACKUP STATE"));
    let master = || peer.log().contains("Entering MASTER STATE");
    let name = format!("{OWN}.2.3.1.2.1");

    let agent = Agent::start(&bed, host);
    until("AgentX subagent connected", 1);
    wait_until("it is read", PATIENCE, || agent.get(&name).as_deref() == Some("STRING: \"VI_1\""));

    // What README shows, but for where the agent is.
    let readme = fs::read_to_string("README.md").unwrap();
    let examples: Vec<&str> = readme.lines().filter(|line| line.starts_with("snmpwalk ")).collect();
    assert_eq!(examples.len(), 2);
    for (example, expected) in examples.iter().zip(["STRING: \"VI_1\"", "INTEGER: 2"]) {
        let example = example.replace("localhost", AGENT).replace("-On", "-On -m ''");
        let output = host.command("sh").args(["-c", &example]).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(shown.contains(expected), "{example}: {shown}");
    }

    // It hangs: the backup hears every advert, and a reload is done.
    let snmpd: i32 = fs::read_to_string(bed.path("snmpd.pid")).unwrap().trim().parse().unwrap();
    kill("STOP", snmpd);
    node.signal("HUP");
    until("Reload complete", 1);
    stays("the peer is backup", Duration::from_secs(2), || !master());
    kill("CONT", snmpd);
    wait_until("it is read again", PATIENCE, || agent.get(&name).is_some());

    // It is no longer wanted; and wanted again.
    let threads = || {
        let tasks = format!("/proc/{}/task", node.vrrp_pid());
        let names = fs::read_dir(tasks).unwrap().flatten();
        names
            .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
            .collect::<String>()
    };
    assert!(threads().contains("snmp"), "{}", threads());
    node.reconfigure(&config.replace("enable_snmp_vrrp", ""));
    node.signal("HUP");
    wait_until("the thread has ended", PATIENCE, || !threads().contains("snmp"));
    wait_until("nothing is there", PATIENCE, || agent.get(&name).is_none());
    node.reconfigure(&config);
    node.signal("HUP");
    until("AgentX subagent connected", 2);
    wait_until("it is there again", PATIENCE, || agent.get(&name).is_some());

    // It dies and comes back.
    drop(agent);
    until("AgentX master disconnected us, reconnecting in 15", 1);
    let agent = Agent::start(&bed, host);
    until("AgentX subagent connected", 3);
    wait_until("it is there after all", PATIENCE, || agent.get(&name).is_some());
    drop(agent);

    // By another way, and with nobody there when it ends.
    let agent = Agent::start_at(&bed, host, "tcp:127.0.0.1:1705".to_owned());
    node.reconfigure(&config.replace(&socket, "tcp:127.0.0.1:1705"));
    node.signal("HUP");
    until("AgentX subagent connected", 4);
    wait_until("it is there by TCP", PATIENCE, || agent.get(&name).is_some());
    let snmpd: i32 = fs::read_to_string(bed.path("snmpd.pid")).unwrap().trim().parse().unwrap();
    kill("STOP", snmpd);
    assert!(!master());
    let begun = Instant::now();
    assert!(is_clean(node.stop()));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    kill("CONT", snmpd);
}

/// `-x` and `-A` of the command line.
#[test]
fn asked_for_on_the_command_line() {
    let bed = Bed::new(1);
    let host = &bed.hosts[0];
    let agent = Agent::start(&bed, host);
    let config: PathBuf = bed.path("x.conf");
    let lines = NODE.lines().filter(|line| !line.contains("snmp") && !line.contains("traps"));
    fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let link = bed.path("keepalived");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_evenkeel"), &link).unwrap();
    let mut command = host.command(&link);
    command.args(["-n", "-l", "-P", "-x", "-A", &agent.socket, "-f"]).arg(&config);
    for (option, file) in [("-p", "x.pid"), ("-r", "x-vrrp.pid")] {
        command.arg(option).arg(bed.path(file));
    }
    let log = fs::File::create(bed.path("x.log")).unwrap();
    let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let name = format!("{OWN}.2.3.1.2.1");
    wait_until("it is read", PATIENCE, || agent.get(&name).as_deref() == Some("STRING: \"VI_1\""));
    kill("TERM", child.id() as i32);
    assert!(is_clean(child.wait().unwrap()));
    let log = fs::read_to_string(bed.path("x.log")).unwrap();
    assert!(!log.contains("has no effect"), "{log}");
}
