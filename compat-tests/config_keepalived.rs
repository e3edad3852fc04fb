//! keepalived.conf: text → diagnostics and plan, as files; and beside them what the real
//! keepalived says.
//!
//! `fixtures/keepalived/CASE/keepalived.conf` is read on a host that never changes ([`Fixed`]).
//! What came of it stands in `diagnostics.txt` and `plan.json` (`UPDATE_FIXTURES=1` rewrites them);
//! `real.txt` is what Debian's keepalived said (`fixtures/keepalived/record.sh` writes it). Where
//! the two disagree about the exit code or the lines complained of, `differs.txt` says why.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use evenkeel::host::{Host, ScriptFile, ThisHost};
use evenkeel::keepalived;
use evenkeel::plan::track::RunAs;
use evenkeel::plan::{Plan, VrrpPlan};
use evenkeel::text::{Diagnostics, Severity, SourceMap, render};

/// The host on which fixtures are read: Debian with eth0 and eth1.
struct Fixed;

impl Host for Fixed {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        ThisHost.read(path)
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        ThisHost.glob(pattern)
    }

    fn interface_exists(&self, name: &str) -> bool {
        ["lo", "eth0", "eth1"].contains(&name)
    }

    fn user(&self, name: &str, group: Option<&str>) -> Option<RunAs> {
        let gid = |group: &str| match group {
            "root" => Some(0),
            "nogroup" => Some(65534),
            _ => None,
        };
        let (uid, login) = match name {
            "root" => (0, 0),
            "nobody" => (65534, 65534),
            _ => return None,
        };
        let gid = group.map_or(Some(login), gid)?;
        Some(RunAs { name: name.to_owned(), uid, gid, groups: Vec::new() })
    }

    fn script(&self, path: &Path, _: Option<&RunAs>) -> ScriptFile {
        match path.to_str().unwrap_or_default() {
            "/bin/true" | "/bin/false" | "/usr/bin/true" | "/bin/sh" => {
                ScriptFile::Executable { insecure: false }
            }
            "/usr/local/bin/check.sh" | "/usr/bin/killall" | "/usr/bin/pidof" => {
                ScriptFile::Executable { insecure: false }
            }
            "/tmp/insecure.sh" => ScriptFile::Executable { insecure: true },
            "/etc" => ScriptFile::WrongType,
            "/etc/passwd" => ScriptFile::NotExecutable,
            "/etc/passwd/x" => ScriptFile::Inaccessible("Not a directory"),
            _ => ScriptFile::Missing,
        }
    }

    fn resolve(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }

    fn hostname(&self) -> String {
        "node1.example".to_owned()
    }

    fn environment(&self, name: &str) -> Option<String> {
        (name == "PATH").then(|| "/usr/bin:/bin".to_owned())
    }

    fn is_root(&self) -> bool {
        true
    }
}

struct Case {
    folder: PathBuf,
    sources: SourceMap,
    diagnostics: Diagnostics,
    plan: Option<VrrpPlan>,
    /// Virtual servers and BFD.
    services: Plan,
}

impl Case {
    fn read(folder: PathBuf) -> Self {
        let mut sources = SourceMap::default();
        let path = folder.join("keepalived.conf");
        let (config, mut diagnostics) = keepalived::read(&mut sources, &path, None, &Fixed);
        let (plan, more) = keepalived::lower(&config, &Fixed);
        diagnostics.extend(more);
        let (checkers, bfd, more) = keepalived::lower_checkers(&config, &Fixed);
        diagnostics.extend(more);
        let services = Plan { checkers, bfd, ..Plan::default() };
        Case { folder, sources, diagnostics, plan, services }
    }

    fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for diagnostic in self.diagnostics.iter() {
            for line in render::keepalived(&self.sources, diagnostic) {
                writeln!(text, "{line}").unwrap();
            }
        }
        for diagnostic in self.diagnostics.iter() {
            write!(text, "\n{}", render::evenkeel(&self.sources, diagnostic, false)).unwrap();
        }
        let exit = keepalived::config_test_exit(&self.diagnostics);
        writeln!(text, "\nkeepalived -t: exit {exit}").unwrap();
        text
    }

    fn plan_json(&self) -> String {
        serde_json::to_string_pretty(&self.plan).unwrap() + "\n"
    }
}

/// Those of virtual servers and BFD, where there are any.
fn services_json(case: &Case) -> Option<String> {
    let plan = &case.services;
    (*plan != Plan::default()).then(|| serde_json::to_string_pretty(plan).unwrap() + "\n")
}

fn root() -> PathBuf {
    PathBuf::from("fixtures/keepalived")
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Compares `actual` with the file, or writes the file.
fn hold(path: &Path, actual: &str, failures: &mut Vec<String>) {
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != actual {
        failures
            .push(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", path.display()));
    }
}

#[test]
fn configs_become_the_diagnostics_and_plans_on_file() {
    let mut failures = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    for folder in cases {
        let case = Case::read(folder);
        hold(&case.folder.join("diagnostics.txt"), &case.text(), &mut failures);
        hold(&case.folder.join("plan.json"), &case.plan_json(), &mut failures);
        if let Some(json) = services_json(&case) {
            hold(&case.folder.join("services.json"), &json, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What `record.sh` wrote.
struct Real {
    exit: u8,
    /// `FILE:LINE`, with the file only where it isn't the main one.
    lines: BTreeSet<String>,
    /// Complaints without a line (that aren't repeated with one).
    unplaced: Vec<String>,
}

impl Real {
    fn read(folder: &Path) -> Self {
        let path = folder.join("real.txt");
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut real = Real { exit: 0, lines: BTreeSet::new(), unplaced: Vec::new() };
        let mut placed = Vec::new();
        for line in text.lines().skip(1) {
            if let Some(exit) = line.strip_prefix("exit ") {
                real.exit = exit.parse().unwrap();
            } else if let Some(message) = line.strip_prefix("-: ") {
                real.unplaced.push(message.to_owned());
            } else if let Some((place, message)) = line.split_once(": ") {
                real.lines.insert(place.to_owned());
                placed.push(message.to_owned());
            }
        }
        real.unplaced.retain(|message| !placed.contains(message));
        real
    }
}

/// The lines that we complain of where keepalived would. What we don't support is our own affair.
fn our_lines(case: &Case, real: &Real) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for diagnostic in keepalived::config_test_says(&case.diagnostics) {
        let counts =
            diagnostic.severity >= Severity::Error || diagnostic.code == "keepalived/include";
        let ours_alone = diagnostic.code == "keepalived/unsupported";
        // keepalived says some things without a place where we have one.
        let unplaced = real.unplaced.contains(&diagnostic.message);
        let Some(span) = diagnostic.span().filter(|_| counts && !ours_alone && !unplaced) else {
            continue;
        };
        let line = case.sources.place(span).line;
        let path = case.sources.path(span.file);
        let file = path.strip_prefix(&case.folder).unwrap_or(path);
        lines.insert(match file.to_str() {
            Some("keepalived.conf") => line.to_string(),
            _ => format!("{}:{line}", file.display()),
        });
    }
    lines
}

fn our_exit(case: &Case) -> u8 {
    let supported = case.diagnostics.iter().filter(|d| d.code != "keepalived/unsupported").cloned();
    keepalived::config_test_exit(&Diagnostics(supported.collect()))
}

/// How often Evenkeel has to agree with the real one, in hundredths: about the exit code, and about
/// that and the lines complained of. Configs for keywords that only 2.4 has (their reason begins
/// with [`NEWER`]) say nothing about agreement with 2.2.7 and don't count.
const GOALS: [usize; 2] = [98, 93];

const NEWER: &str = "2.2.7 doesn't know";

#[test]
fn the_real_keepalived_says_the_same_or_a_reason_stands_beside() {
    let mut failures = Vec::new();
    let (mut count, mut verdicts, mut agreed) = (0, 0, 0);
    for folder in cases() {
        let case = Case::read(folder);
        let real = Real::read(&case.folder);
        let (exit, lines) = (our_exit(&case), our_lines(&case, &real));
        let agree = exit == real.exit && lines == real.lines;
        let reason = fs::read_to_string(case.folder.join("differs.txt")).ok();
        if !reason.as_ref().is_some_and(|reason| reason.starts_with(NEWER)) {
            count += 1;
            verdicts += usize::from(exit == real.exit);
            agreed += usize::from(agree);
        }
        match (agree, reason) {
            (true, Some(_)) => failures.push(format!("{}: differs.txt is stale", case.name())),
            (false, None) => failures.push(format!(
                "{}: exit {exit}, real {}; ours alone {:?}, real's alone {:?}",
                case.name(),
                real.exit,
                lines.difference(&real.lines).collect::<Vec<_>>(),
                real.lines.difference(&lines).collect::<Vec<_>>(),
            )),
            (false, Some(reason)) if reason.trim().is_empty() => {
                failures.push(format!("{}: differs.txt is empty", case.name()));
            }
            _ => {}
        }
    }
    let percent = |part: usize| part as f64 * 100.0 / count as f64;
    println!(
        "{count} configs: the exit code agrees on {verdicts} ({:.1} %), the lines complained of as \
         well on {agreed} ({:.1} %)",
        percent(verdicts),
        percent(agreed),
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for (part, goal) in [verdicts, agreed].into_iter().zip(GOALS) {
        assert!(part * 100 >= goal * count, "{part} of {count} is less than {goal} %");
    }
}

#[test]
fn the_articles_config_becomes_a_plan() {
    let text = b"global_defs {\n  router_id LB01\n}\nvrrp_script check_nginx {\n  script \"killall \
        -0 nginx\"\n  interval 1\n  weight -20\n}\nvrrp_instance VI_1 {\n  state MASTER\n  \
        interface eth0\n  virtual_router_id 51\n  priority 100\n  advert_int 1\n  authentication \
        {\n    auth_type PASS\n    auth_pass 1111\n  }\n  virtual_ipaddress {\n    192.168.80.100\n  \
        }\n  track_script {\n    check_nginx\n  }\n}\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keepalived.conf"), text).unwrap();
    let case = Case::read(folder.path().to_owned());
    let worst = case.diagnostics.worst();
    assert_eq!(worst, Some(Severity::Warning), "{}", case.text());
    assert_eq!(keepalived::config_test_exit(&case.diagnostics), 6);
    let plan = case.plan.unwrap();
    let router = &plan.routers[0];
    assert_eq!((router.vrid, router.priority, router.interface.as_str()), (51, 100, "eth0"));
    assert_eq!(router.addresses[0].prefix, 32);
    assert_eq!(router.scripts[0].weight, -20);
    let json = serde_json::to_string(&plan).unwrap();
    assert!(json.contains("\"tool\":\"killall\",\"name\":\"nginx\""), "{json}");
    assert!(!json.contains("1111"), "{json}");
}

/// An instance with these lines in it.
fn with_lines(lines: &str) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "vrrp_instance V {{\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {{\n  \
         10.0.0.1\n }}\n{lines}}}\n"
    );
    fs::write(folder.path().join("keepalived.conf"), text).unwrap();
    Case::read(folder.path().to_owned())
}

#[test]
fn what_can_be_left_out_is_named_and_the_instance_runs() {
    for keyword in [
        "track_bfd {
  session
 }",
        "lvs_sync_daemon_interface eth0",
    ] {
        let case = with_lines(&format!(" {keyword}\n"));
        assert_eq!(case.plan.as_ref().unwrap().routers.len(), 1, "{keyword}");
        let name = keyword.split_whitespace().next().unwrap();
        let said = format!("`{name}` is not supported yet: ");
        let line = case.diagnostics.iter().find(|d| d.message.starts_with(&said));
        let line = line.unwrap_or_else(|| panic!("{}", case.text()));
        assert_eq!(line.severity, Severity::Warning);
        assert_eq!(case.sources.place(line.span().unwrap()).line, 7);
    }
}

#[test]
fn a_secret_is_in_no_diagnostic_and_no_plan() {
    for lines in [
        " authentication {\n  auth_type PASS\n  auth_pass hunter2-and-more\n }\n",
        " authentication {\n  auth_type PASS\n  auth_pas hunter2\n }\n",
        " auth_pass hunter2\n",
        " authentication {\n  auth_type PASS\n  auth_pass \"hunter2\n }\n",
        "@node1 $PW=hunter2-and-more\n authentication {\n  auth_type PASS\n  auth_pass ${PW}\n }\n",
    ] {
        let case = with_lines(lines);
        assert!(!case.diagnostics.is_empty());
        for text in [case.plan_json(), case.text()] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        for diagnostic in case.diagnostics.iter() {
            assert!(!render::json(&case.sources, diagnostic).to_string().contains("hunter2"));
        }
    }
}

/// A config on a host without any other file.
fn read_bytes(bytes: &[u8]) -> Case {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keepalived.conf"), bytes).unwrap();
    Case::read(folder.path().to_owned())
}

#[test]
fn definitions_that_grow_without_end_are_stopped() {
    let mut doubling = String::new();
    for level in 0..60 {
        doubling += &format!("$A{level}=${{A{}}}${{A{0}}}x\n", level + 1);
    }
    doubling += "$A60=y\nrouter_id ${A0}\n";
    let empty = doubling.replace("x\n", "\n").replace("$A60=y", "$A60=");
    let sequence = "~SEQ(I,1,1000000000) ~SEQ(J,1,1000000000) foo\n".to_owned();
    let lines: String =
        (0..40).map(|i| format!("$B{i}= \\\n${{B{0}}} \\\n${{B{0}}}\n", i + 1)).collect();
    let lines = lines + "$B40=\n$B0\n";
    for config in [doubling, empty, sequence, lines] {
        let limits = keepalived::Limits { size: 1 << 20, depth: 64 };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keepalived.conf");
        fs::write(&path, &config).unwrap();
        let mut sources = SourceMap::default();
        let (_, diagnostics) = keepalived::read_within(limits, &mut sources, &path, None, &Fixed);
        let said = |code| diagnostics.iter().any(|d| d.code == code);
        assert!(said("keepalived/expansion"), "{}", &config[..100]);
        assert_eq!(diagnostics.worst(), Some(Severity::Fatal));
    }
}

#[test]
fn the_manuals_largest_example_fits() {
    let config = "$VI4= \\\nvrrp_instance vrrp4.${IF}.${NUM}.${ID} { \\\n    interface eth0 \\\n    \
        virtual_router_id ${ID} \\\n    priority 130 \\\n    mcast_dst_ip 224.${IF}.${NUM}.1 \\\n    \
        virtual_ipaddress { \\\n        10.${IF}.${NUM}.${ID}/24 \\\n    } \\\n}\n~SEQ(IF,0,1) \
        ~SEQ(NUM,0,3) ~SEQ(ID,1,254) $VI4\n";
    let case = read_bytes(config.as_bytes());
    assert_eq!(case.diagnostics.worst(), None, "{:?}", case.diagnostics.iter().next());
    assert_eq!(case.plan.unwrap().routers.len(), 2 * 4 * 254);
}

/// splitmix64: the same bytes on every machine.
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

#[test]
fn any_bytes_are_answered() {
    let pieces: Vec<Vec<u8>> = cases()
        .iter()
        .flat_map(|case| {
            let text = fs::read(case.join("keepalived.conf")).unwrap();
            text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
        .chain([b"{".to_vec(), b"}".to_vec(), b"\"".to_vec(), b"$A= \\".to_vec(), vec![0xff, 0]])
        .collect();
    for seed in 0..60 {
        let mut noise = noise(seed);
        let mut text = Vec::new();
        for _ in 0..60 {
            let piece = &pieces[noise.next().unwrap() as usize % pieces.len()];
            text.extend_from_slice(piece);
            let at = noise.next().unwrap() as usize % (text.len() + 1);
            if noise.next().unwrap().is_multiple_of(8) {
                text.insert(at, noise.next().unwrap() as u8);
            }
            text.push(b'\n');
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keepalived.conf");
        fs::write(&path, &text).unwrap();
        let limits = keepalived::Limits { size: 1 << 18, depth: 32 };
        let mut sources = SourceMap::default();
        let (config, diagnostics) =
            keepalived::read_within(limits, &mut sources, &path, None, &Fixed);
        keepalived::lower(&config, &Fixed);
        keepalived::lower_checkers(&config, &Fixed);
        for diagnostic in diagnostics.iter().take(20) {
            render::evenkeel(&sources, diagnostic, false);
        }
    }
}

/// Ten times the text takes about ten times as long, not a hundred times.
#[test]
fn time_grows_with_the_text_and_not_with_its_square() {
    let shapes: [fn(usize) -> Vec<u8>; 5] = [
        |n| b"foo {\n".repeat(n),
        |n| b"}\n".repeat(n),
        |n| [b"priority ".to_vec(), b"{".repeat(n)].concat(),
        |n| b"$A=1\n$A x${A} ".repeat(n),
        |n| [b"notify \"".to_vec(), b"\\\"a' ".repeat(n)].concat(),
    ];
    let time = |text: &[u8]| {
        let start = std::time::Instant::now();
        read_bytes(text);
        start.elapsed()
    };
    for (index, shape) in shapes.iter().enumerate() {
        let (small, large) = (shape(2_000), shape(20_000));
        let (small, large) = (time(&small), time(&large));
        let most = (small * 60).max(std::time::Duration::from_secs(3));
        assert!(large < most, "shape {index}: {small:?}, then {large:?}");
    }
}
