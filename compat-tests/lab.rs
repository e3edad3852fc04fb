//! Rehearsals: the article's pair, what its timeline and verdict say, and that nothing is left.
//!
//! Needs root, and Debian's keepalived, nginx with its stream module, psmisc and nftables.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const EVENKEEL: &str = env!("CARGO_BIN_EXE_evenkeel");

// --- The article's pair on Evenkeel ---

#[test]
fn the_article_rehearses() {
    let report = rehearse(Path::new("fixtures/lab/article"), &[]);
    assert_passed(&report);
    let expected = [
        ("start", "lb1", 0..6000),
        ("proxy killed", "lb2", 1500..6000),
        ("proxy back", "lb1", 0..2000),
        ("daemon stopped", "lb2", 300..2000),
        ("daemon started", "lb1", 0..2000),
        ("host cut off", "lb2", 1500..6000),
        ("host back", "lb1", 0..2000),
    ];
    assert_eq!(report["scenarios"].as_array().unwrap().len(), expected.len());
    for ((name, holder, gap), played) in
        expected.into_iter().zip(report["scenarios"].as_array().unwrap())
    {
        assert_eq!(played["name"], name);
        assert_eq!(played["holders"], serde_json::json!([holder]), "{played:#}");
        let measured = played["gap_ms"].as_u64().unwrap();
        assert!(gap.contains(&measured), "{name}: {measured}");
        assert!(played["overlap_ms"].as_u64().unwrap() <= 500, "{played:#}");
        for web in ["web1", "web2"] {
            assert!(played["answers"][web].as_u64().unwrap() > 20, "{played:#}");
        }
    }
}

#[test]
fn the_articles_script_rehearses_and_is_told_to_people() {
    let mut command = Command::new(EVENKEEL);
    command.args(["rehearse", "fixtures/lab/article-script", "--scenario", "proxy killed"]);
    let output = run(&mut command);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines = [
        "Rehearsal of fixtures/lab/article-script",
        "kill -9 of ",
        "lb1 lets 192.168.80.100 go",
        "lb2 holds 192.168.80.100",
        "client: answered again through lb2, after ",
        "proxy back",
        "lb1 holds 192.168.80.100",
        "Verdict: as expected.",
    ];
    let mut rest = said.as_str();
    for line in lines {
        let at = rest.find(line).unwrap_or_else(|| panic!("{line} is not (so late) in\n{said}"));
        rest = &rest[at..];
    }
    assert!(!said.contains('\x1b'), "colours are for terminals");
}

#[test]
fn known_trouble_is_named() {
    let wanted = ["--scenario", "daemon killed", "--scenario", "vrrp filtered"];
    let report = rehearse(Path::new("fixtures/lab/article"), &wanted);
    assert_passed(&report);
    for name in ["daemon killed", "vrrp filtered"] {
        let played = scenario(&report, name);
        let note = played["notes"][0].as_str().unwrap();
        let both = played["holders"].as_array().unwrap().len() == 2;
        assert!(note.starts_with(if both { "known trouble" } else { "better" }), "{played:#}");
    }
    for name in ["daemon restarted", "filter removed"] {
        assert_eq!(scenario(&report, name)["holders"], serde_json::json!(["lb1"]));
    }
}

#[test]
fn a_dead_vrrp_process_is_replaced() {
    let report =
        rehearse(Path::new("fixtures/lab/article"), &["--scenario", "vrrp process killed"]);
    assert_passed(&report);
    let text = &scenario(&report, "vrrp process killed")["timeline"][0]["text"];
    assert_eq!(text, "lb1: kill -9 of 1 keepalived child process");
    // Its successor goes on where it was: the address stays, the other node notices nothing.
    let killed = scenario(&report, "vrrp process killed");
    assert_eq!(order_of(killed), [""; 0], "{killed:#}");
}

#[test]
fn under_one_supervisor_what_is_killed_is_replaced() {
    let wanted = ["--scenario", "proxy killed", "--scenario", "vrrp process killed"];
    let wanted = [&wanted[..], &["--scenario", "daemon stopped"]].concat();
    let report = rehearse(Path::new("fixtures/lab/article-run"), &wanted);
    assert_passed(&report);
    let proxy = scenario(&report, "proxy killed");
    assert_eq!(proxy["timeline"][0]["text"], "lb1: kill -9 of 1 nginx process");
    assert_eq!(proxy["holders"], serde_json::json!(["lb1"]));
    assert!(figure(&report, "proxy killed", "gap_ms") < 1000, "{proxy:#}");
    assert_eq!(scenario(&report, "daemon stopped")["holders"], serde_json::json!(["lb2"]));
}

#[test]
fn a_real_master_hands_over_to_evenkeel() {
    mixed("lb1");
}

#[test]
fn evenkeel_hands_over_to_a_real_backup() {
    mixed("lb2");
}

/// One balancer runs the real keepalived and nginx.
fn mixed(real: &str) {
    let folder = copy_of("fixtures/lab/article");
    let path = folder.path().join("cluster.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let name = format!("name = \"{real}\"");
    assert!(text.contains(&name));
    std::fs::write(&path, text.replace(&name, &format!("{name}\ndaemon = \"real\""))).unwrap();
    let report = rehearse(folder.path(), &[]);
    assert_passed(&report);
    assert!(figure(&report, "daemon stopped", "gap_ms") < 2000);
    assert!(figure(&report, "host cut off", "gap_ms") < 6000);
}

#[test]
fn nobody_may_rehearse() {
    let folder = copy_of("fixtures/lab/article");
    let program = folder.path().join("evenkeel");
    std::fs::copy(EVENKEEL, &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    command.arg("rehearse").arg(folder.path()).args(["--json", "--scenario", "proxy killed"]);
    let report = report_of(&mut command);
    assert_passed(&report);
    assert!(report["remarks"][0].as_str().unwrap().contains("not root"), "{report:#}");
    // The real programs change their user, which a user namespace of one user can't offer.
    let output = run(command.arg("--real"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("as root"), "{said}");
}

#[test]
fn what_is_not_as_expected_fails() {
    let folder = copy_of("fixtures/lab/article");
    let path = folder.path().join("cluster.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "[expect.start]\ngap_ms = 100\n").unwrap();
    let report = rehearse(folder.path(), &["--scenario", "start"]);
    assert_eq!(report["passed"], false);
    let problem = scenario(&report, "start")["problems"][0].as_str().unwrap();
    assert!(problem.contains("without an answer, allowed is 0.10 s"), "{problem}");
}

// --- What the real pair does (FACTS.md, "The article's experiment") ---

#[test]
fn the_real_pair_does_what_was_measured() {
    let args = ["--real", "--scenario", "proxy killed", "--scenario", "vrrp filtered"];
    let report = rehearse(Path::new("fixtures/lab/article"), &args);
    assert_passed(&report);
    let gap = figure(&report, "proxy killed", "gap_ms");
    assert!((1500..6000).contains(&gap), "{gap}");
    let filtered = scenario(&report, "vrrp filtered");
    assert_eq!(filtered["holders"], serde_json::json!(["lb1", "lb2"]));
    assert!(filtered["overlap_ms"].as_u64().unwrap() > 1000, "{filtered}");
    assert_eq!(scenario(&report, "filter removed")["holders"], serde_json::json!(["lb1"]));
}

#[test]
fn the_real_pair_runs_the_articles_script() {
    let args = ["--real", "--scenario", "proxy killed"];
    let report = rehearse(Path::new("fixtures/lab/article-script"), &args);
    assert_passed(&report);
    let killed = scenario(&report, "proxy killed");
    assert_eq!(killed["holders"], serde_json::json!(["lb2"]));
    // The script stopped keepalived: lb1 let go before lb2 took over.
    assert_eq!(order_of(killed), ["lets-go lb1", "takes lb2"]);
}

#[test]
fn a_host_without_killall_and_nft_has_stand_ins() {
    let hide = "mount --bind /etc/passwd /usr/bin/killall && \
                mount --bind /etc/passwd /usr/sbin/nft && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", hide, "sh", EVENKEEL, "rehearse"]);
    command.args(["fixtures/lab/article-script", "--json", "--real"]);
    command.args(["--scenario", "proxy killed", "--scenario", "vrrp filtered"]);
    let report = report_of(&mut command);
    assert_passed(&report);
    assert!(report["remarks"][0].as_str().unwrap().contains("no killall"), "{report:#}");
    let filtered = scenario(&report, "vrrp filtered");
    assert_eq!(filtered["holders"], serde_json::json!(["lb1", "lb2"]));
    assert!(filtered["timeline"][0]["text"].as_str().unwrap().contains("no nft"), "{filtered}");
}

// --- What is said about a bad cluster file ---

#[test]
fn a_bad_cluster_file_is_refused_with_places() {
    let good = std::fs::read_to_string("fixtures/lab/article/cluster.toml").unwrap();
    let cases: [(&str, &str, &str, &str); 10] = [
        ("network = \"192.168.80.0/24\"", "network = \"192.168.80.0\"", ":2:11", "IPv4 network"),
        ("network = ", "netwrok = ", ":2:1", "netwrok"),
        ("address = \"192.168.80.125\"", "address = \"192.168.81.125\"", ":31:11", "is not in"),
        ("address = \"192.168.80.125\"", "address = \"192.168.80.124\"", ":31:11", "twice"),
        ("name = \"lb2\"", "name = \"lb1\"", ":18:8", "two hosts are named lb1"),
        ("name = \"lb2\"", "name = \"l b\"", ":18:8", "can't be a host's name"),
        ("\"ens33\"", "\"much-too-long-a-name\"", ":12:13", "can't be an interface's name"),
        ("\"nginx.conf\"", "\"missing.conf\"", ":14:9", "cannot read"),
        ("[client]", "scenarios = [\"strat\"]\n[client]", ":5:14", "no scenario \"strat\""),
        ("[client]", "[client", ":5:8", "table"),
    ];
    for (from, to, place, message) in cases {
        let folder = copy_of("fixtures/lab/article");
        let path = folder.path().join("cluster.toml");
        assert!(good.contains(from), "{from}");
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let output = run(Command::new(EVENKEEL).arg("rehearse").arg(folder.path()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{to}: {said}");
        assert!(said.contains(&format!("cluster.toml{place}")), "{to}: {place} is not in\n{said}");
        assert!(said.contains(message), "{to}: {message} is not in\n{said}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let folder = copy_of("fixtures/lab/article");
    let text = "network = \"10.0.0.0/24\"\nvirtual_address = \"10.0.1.1\"\nweb = []\n\
                balancer = []\nclient = { address = \"10.0.1.2\", asks = \"10.0.0.9:80\" }\n";
    std::fs::write(folder.path().join("cluster.toml"), text).unwrap();
    let output = run(Command::new(EVENKEEL).arg("rehearse").arg(folder.path()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for message in ["10.0.1.1 is not in", "10.0.1.2 is not in", "two [[balancer]]s", "[[web]]"] {
        assert!(said.contains(message), "{message} is not in\n{said}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    for (args, message) in [
        (vec!["/nonexistent"], "cannot read /nonexistent"),
        (vec!["fixtures/lab/article", "--scenario", "flood"], "there is no scenario \"flood\""),
    ] {
        let output = run(Command::new(EVENKEEL).arg("rehearse").args(args));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(message), "{message} is not in\n{said}");
    }
}

// --- Nothing is left ---

#[test]
fn nothing_is_left_after_the_end() {
    let (mut rehearsal, traces) = on_stage();
    assert!(rehearsal.0.wait().unwrap().success());
    traces.assert_gone();
}

#[test]
fn nothing_is_left_after_ctrl_c() {
    let (mut rehearsal, traces) = on_stage();
    kill(pid(&rehearsal.0), Signal::SIGINT).unwrap();
    assert_eq!(rehearsal.0.wait().unwrap().code(), Some(130));
    traces.assert_gone();
}

#[test]
fn nothing_is_left_when_killed() {
    let (mut rehearsal, traces) = on_stage();
    kill(pid(&rehearsal.0), Signal::SIGKILL).unwrap();
    rehearsal.0.wait().unwrap();
    traces.assert_gone();
}

#[test]
fn nothing_is_left_when_the_stage_dies() {
    let (mut rehearsal, traces) = on_stage();
    let children = children_of(pid(&rehearsal.0).as_raw());
    let [stage] = children[..] else { panic!("{children:?}") };
    kill(Pid::from_raw(stage), Signal::SIGKILL).unwrap();
    assert_eq!(rehearsal.0.wait().unwrap().code(), Some(137));
    traces.assert_gone();
}

/// A rehearsal whose daemons run, and what exists because of it.
fn on_stage() -> (Rehearsal, Traces) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut command = Command::new(EVENKEEL);
    command.args(["rehearse", "fixtures/lab/article", "--real", "--scenario", "start"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let rehearsal = Rehearsal(child);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let processes = descendants(pid(&rehearsal.0).as_raw());
        let daemons = processes.iter().filter(|one| one.name == "keepalived").count();
        if daemons >= 4 {
            let namespaces = processes.iter().flat_map(|one| one.namespaces.clone());
            let own = namespaces_of(std::process::id() as i32);
            let namespaces: BTreeSet<String> = namespaces.filter(|n| !own.contains(n)).collect();
            // The stage and two balancers: five kinds of namespace each.
            assert!(namespaces.len() >= 15, "{namespaces:?}");
            // As long as they are open, their numbers aren't given to other namespaces.
            let open = |one: &Process| {
                let kinds = KINDS.iter().map(|kind| format!("/proc/{}/ns/{kind}", one.pid));
                kinds.filter_map(|path| File::open(path).ok()).collect::<Vec<File>>()
            };
            let held = processes.iter().flat_map(open).collect();
            return (rehearsal, Traces { processes, namespaces, mounts, held });
        }
        assert!(Instant::now() < deadline, "{processes:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Traces {
    processes: Vec<Process>,
    namespaces: BTreeSet<String>,
    mounts: String,
    #[allow(dead_code)]
    held: Vec<File>,
}

impl Traces {
    /// The kernel may take a moment to bury what it killed.
    fn assert_gone(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.left();
            if left.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "{left:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let before: Vec<&str> = self.mounts.lines().collect();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        // Other tests name network namespaces meanwhile.
        let mut new = mounts.lines().filter(|line| !before.contains(line));
        assert_eq!(new.find(|line| !line.contains("/run/netns")), None);
        assert!(!Path::new("/.host").exists());
        for entry in std::fs::read_dir("/sys/class/net").unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with("port-") && name != "switch", "{name}");
        }
    }

    fn left(&self) -> Vec<String> {
        let alive = |one: &&Process| start_time(one.pid) == Some(one.started);
        let mut left: Vec<String> =
            self.processes.iter().filter(alive).map(|one| format!("{one:?}")).collect();
        for pid in pids() {
            for namespace in namespaces_of(pid) {
                if self.namespaces.contains(&namespace) {
                    left.push(format!("{pid} is in {namespace}"));
                }
            }
        }
        left
    }
}

/// Ends the rehearsal when a test fails.
struct Rehearsal(Child);

impl Drop for Rehearsal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug)]
struct Process {
    pid: i32,
    started: u64,
    name: String,
    namespaces: Vec<String>,
}

fn descendants(of: i32) -> Vec<Process> {
    let mut found = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for pid in children_of(parent) {
            parents.push(pid);
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let name = name.trim_end().to_owned();
            let Some(started) = start_time(pid) else { continue };
            found.push(Process { pid, started, name, namespaces: namespaces_of(pid) });
        }
    }
    found
}

fn children_of(parent: i32) -> Vec<i32> {
    let is_child = |pid: &i32| stat(*pid).is_some_and(|fields| fields[1] == parent.to_string());
    pids().into_iter().filter(is_child).collect()
}

fn pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn start_time(pid: i32) -> Option<u64> {
    stat(pid)?[19].parse().ok()
}

/// The fields of /proc/PID/stat after the name: state, parent, ...
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

const KINDS: [&str; 5] = ["net", "mnt", "pid", "uts", "ipc"];

fn namespaces_of(pid: i32) -> Vec<String> {
    let link = |kind| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    KINDS.iter().filter_map(link).map(|name| name.display().to_string()).collect()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

// --- Running rehearsals ---

/// Runs a rehearsal to its end; its JSON document.
fn rehearse(folder: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(EVENKEEL);
    report_of(command.arg("rehearse").arg(folder).arg("--json").args(args))
}

fn report_of(command: &mut Command) -> Value {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}\n{said}", String::from_utf8_lossy(&output.stdout))
    });
    let code = if report["passed"] == true { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(code));
    eprint!("{said}");
    report
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn assert_passed(report: &Value) {
    assert_eq!(report["passed"], true, "{report:#}");
    for scenario in report["scenarios"].as_array().unwrap() {
        assert_eq!(scenario["passed"], true, "{scenario:#}");
        assert!(!scenario["timeline"].as_array().unwrap().is_empty());
    }
}

fn scenario<'a>(report: &'a Value, name: &str) -> &'a Value {
    let scenarios = report["scenarios"].as_array().unwrap();
    scenarios.iter().find(|scenario| scenario["name"] == name).unwrap()
}

fn figure(report: &Value, name: &str, figure: &str) -> u64 {
    scenario(report, name)[figure].as_u64().unwrap()
}

/// Who took and let go of the address, in order.
fn order_of(scenario: &Value) -> Vec<String> {
    let moments = scenario["timeline"].as_array().unwrap().iter();
    let held = moments.filter(|moment| moment["event"] == "takes" || moment["event"] == "lets-go");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    held.map(|moment| format!("{} {}", text(&moment["event"]), text(&moment["node"]))).collect()
}

/// A copy that a test may change, and that anybody may read.
fn copy_of(folder: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::set_permissions(copy.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}
