//! nginx.conf → diagnostics and Plan, as files in `fixtures/nginx/CASE/`; and the verdict that the
//! real nginx gave on the same text: 1.22 in `real.txt`, 1.30 in `real-1.30.txt` where that differs,
//! both written by `fixtures/nginx/record`. [`face`] holds `nginx -t` against them.
//!
//! `UPDATE_FIXTURES=1` rewrites `diagnostics.txt` and `plan.json`, never a recording.

mod face;
mod mutated;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use evenkeel::host::{Host, ScriptFile};
use evenkeel::nginx::{self, NginxInput};
use evenkeel::plan::StreamPlan;
use evenkeel::plan::track::RunAs;
use evenkeel::text::{Diagnostics, SourceMap, render};
use nix::time::{ClockId, clock_gettime};

/// The host that the recorder saw: the case's folder is `PREFIX`, names are those of `hosts`.
pub(crate) struct FixtureHost {
    folder: PathBuf,
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/nginx");

impl FixtureHost {
    pub(crate) fn new(case: &str) -> Self {
        FixtureHost { folder: Path::new(FOLDER).join(case) }
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("PREFIX") {
            Ok(rest) => self.folder.join(rest),
            Err(_) => path.to_path_buf(),
        }
    }
}

impl Host for FixtureHost {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(self.real_path(path))
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let real = self.real_path(Path::new(pattern));
        let found = evenkeel::host::ThisHost.glob(&real.to_string_lossy());
        let shown = |path: PathBuf| match path.strip_prefix(&self.folder) {
            Ok(rest) => Path::new("PREFIX").join(rest),
            Err(_) => path.clone(),
        };
        found.into_iter().map(shown).collect()
    }

    fn interface_exists(&self, name: &str) -> bool {
        name == "lo"
    }

    fn user(&self, name: &str, group: Option<&str>) -> Option<RunAs> {
        let id = |name: &str| match name {
            "root" => Some(0),
            "www-data" => Some(33),
            "nobody" => Some(65534),
            _ => None,
        };
        // Debian's group of nobody is called nogroup.
        let gid = match group {
            Some("nobody") => None,
            Some("nogroup") => Some(65534),
            Some(group) => id(group),
            None => id(name),
        };
        Some(RunAs { name: name.to_owned(), uid: id(name)?, gid: gid?, groups: Vec::new() })
    }

    fn script(&self, _: &Path, _: Option<&RunAs>) -> ScriptFile {
        ScriptFile::Missing
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        if let Ok(address) = name.parse() {
            return vec![address];
        }
        let hosts = std::fs::read_to_string(Path::new(FOLDER).join("hosts")).unwrap();
        let lines = hosts.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, n)| *n == name).map(|(address, _)| address.parse().unwrap()).collect()
    }

    fn hostname(&self) -> String {
        "node".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn is_root(&self) -> bool {
        true
    }
}

/// What Evenkeel makes of one case.
struct Outcome {
    sources: SourceMap,
    diagnostics: Diagnostics,
    plan: Option<StreamPlan>,
}

fn run(case: &str) -> Outcome {
    let host = FixtureHost::new(case);
    let args = std::fs::read_to_string(host.folder.join("args")).unwrap_or_default();
    let global = args.lines().skip_while(|line| *line != "-g").nth(1).map(str::to_owned);
    let input = NginxInput {
        file: "nginx.conf".into(),
        prefix: "PREFIX".into(),
        global,
        ..NginxInput::default()
    };
    let mut sources = SourceMap::default();
    let (config, mut diagnostics) = nginx::read(&mut sources, &input, &host);
    let (plan, more) = nginx::lower(&config);
    diagnostics.extend(more);
    Outcome { sources, diagnostics, plan }
}

impl Outcome {
    /// What the `nginx` face would print, and what the `evenkeel` face would.
    fn text(&self) -> String {
        let mut text = String::new();
        for diagnostic in self.diagnostics.iter() {
            text += &render::nginx(&self.sources, diagnostic);
            text.push('\n');
        }
        for diagnostic in self.diagnostics.iter() {
            text.push('\n');
            text += &render::evenkeel(&self.sources, diagnostic, false);
        }
        text
    }
}

/// The same message in the same line. Where nginx names no line, Evenkeel may.
fn same(ours: &Option<String>, theirs: &Option<String>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if !theirs.contains(" in PREFIX/") => {
            ours.rsplit_once(" in PREFIX/").map_or(&**ours, |(message, _)| message) == theirs
        }
        _ => ours == theirs,
    }
}

fn cases() -> Vec<String> {
    let folders = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap());
    let mut cases: Vec<String> = folders
        .filter(|entry| entry.path().join("real.txt").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    cases.sort();
    cases
}

/// Case → why Evenkeel says something else than nginx 1.22.
fn disagreements() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("disagreements.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(": ").expect("CASE: REASON"));
    pairs.map(|(case, why)| (case.to_owned(), why.to_owned())).collect()
}

#[test]
fn outputs_are_as_stored() {
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let outcome = run(&case);
        let folder = Path::new(FOLDER).join(&case);
        let plan = outcome.plan.as_ref().map(|plan| {
            // Plans are compared without places, and stored without them.
            let mut json = serde_json::to_value(plan).unwrap();
            drop_spans(&mut json);
            serde_json::to_string_pretty(&json).unwrap() + "\n"
        });
        let text = outcome.text();
        for (file, now) in [("diagnostics.txt", Some(text)), ("plan.json", plan)] {
            let path = folder.join(file);
            let now = now.filter(|now| !now.is_empty());
            if update {
                match &now {
                    Some(now) => std::fs::write(&path, now).unwrap(),
                    None => drop(std::fs::remove_file(&path)),
                }
            } else if std::fs::read_to_string(&path).ok() != now {
                wrong.push(format!("{case}/{file}"));
            }
        }
    }
    assert!(wrong.is_empty(), "not as stored (UPDATE_FIXTURES=1 rewrites them): {wrong:#?}");
}

fn drop_spans(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            fields.remove("span");
            fields.values_mut().for_each(drop_spans);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(drop_spans),
        _ => {}
    }
}

#[test]
fn every_disagreement_has_a_case_and_a_reason() {
    for (case, why) in disagreements() {
        assert!(Path::new(FOLDER).join(&case).is_dir(), "no case {case}");
        assert!(why.len() > 5, "{case}: no reason");
    }
}

/// nginx.conf is `text`, and there is no other file.
struct OneFile(Vec<u8>);

impl Host for OneFile {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("/conf/nginx.conf") => Ok(self.0.clone()),
            _ => Err(io::Error::from_raw_os_error(2)),
        }
    }

    fn glob(&self, _: &str) -> Vec<PathBuf> {
        vec!["/conf/nginx.conf".into(), "/conf/nginx.conf".into()]
    }

    fn interface_exists(&self, _: &str) -> bool {
        false
    }

    fn user(&self, _: &str, _: Option<&str>) -> Option<RunAs> {
        None
    }

    fn script(&self, _: &Path, _: Option<&RunAs>) -> ScriptFile {
        ScriptFile::Missing
    }

    fn resolve(&self, _: &str) -> Vec<IpAddr> {
        vec![IpAddr::from([192, 0, 2, 1])]
    }

    fn hostname(&self) -> String {
        String::new()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn is_root(&self) -> bool {
        false
    }
}

fn seconds_for(text: Vec<u8>) -> f64 {
    let input =
        NginxInput { file: "nginx.conf".into(), prefix: "/conf".into(), ..NginxInput::default() };
    // This thread's own time: a busy machine doesn't count.
    let clock = || {
        let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
        std::time::Duration::from(now).as_secs_f64()
    };
    let started = clock();
    let mut sources = SourceMap::default();
    let (config, _) = nginx::read(&mut sources, &input, &OneFile(text));
    let _ = nginx::lower(&config);
    clock() - started
}

/// Eight times the text takes about eight times as long, not sixty-four times; and no nesting or
/// self-inclusion overflows the stack.
#[test]
fn reading_is_linear_and_bounded() {
    let peers = "server 192.0.2.1:80;";
    let shapes: [(&str, &str, &str); 17] = [
        ("events {}\n", "{", ""),
        ("events {}\n", "}", ""),
        ("events {}\n", "a{", ""),
        ("events {}\n", "\"", ""),
        ("events {}\n", "a ", ""),
        ("events {}\n", "$", ""),
        ("events {}\n", "\\", ""),
        ("events {}\n", "#\n", ""),
        ("events {}\n", "nonsense;", ""),
        ("events {}\n", "worker_priority 5;", ""),
        ("events {}\n", "env A;", ""),
        ("events {} stream { upstream a {", peers, "} }"),
        ("events {} http {", "server { listen 80; }", "}"),
        ("events {} stream { map $remote_addr $x {", "a b;", "} }"),
        ("events {} stream { geo $x {", "10.0.0.0/8 b;", "} }"),
        ("events {} stream { geo $x { ranges;", "10.0.0.0-10.0.0.1 b;", "} }"),
        ("events {} stream { split_clients $msec $x {", "* b;", "} }"),
    ];
    for (before, unit, after) in shapes {
        let text = |bytes: usize| {
            let units = unit.repeat(bytes / unit.len());
            format!("{before}{units}{after}").into_bytes()
        };
        // The smaller one twice: what is slow only once (page faults, caches) doesn't count.
        let small = seconds_for(text(64 << 10)).min(seconds_for(text(64 << 10)));
        let large = seconds_for(text(512 << 10));
        assert!(large < 0.25 + small * 30.0, "{unit:?}: {small} s, {large} s");
        assert!(large < 20.0, "{unit:?}: {large} s");
    }
    // 100,000 networks, in no order, and long chains of variables.
    let networks = |at: u32| {
        let [a, b, c, _] = at.wrapping_mul(2_654_435_761).to_be_bytes();
        format!("{a}.{b}.{c}.0/24 v{};", at % 200)
    };
    let networks: String = (0..100_000).map(networks).collect();
    let server = "server { listen 127.0.0.1:80; return $x; }";
    let text = format!("events {{}} stream {{ geo $x {{ {networks} }} {server} }}");
    assert!(seconds_for(text.into_bytes()) < 20.0);
    let link = |at: u32| format!("map $x{} $x{at} {{ default $x{}; }}", at + 1, at + 1);
    let chain: String = (0..5_000).map(link).collect();
    let text = format!(
        "events {{}} stream {{ {chain} map $msec $x5000 {{ }} {} }}",
        server.replace("$x", "$x0")
    );
    assert!(seconds_for(text.into_bytes()) < 20.0);
    // A file that includes itself twice would be read 2^64 times.
    assert!(seconds_for(b"include a*; include b*;".to_vec()) < 20.0);
}
