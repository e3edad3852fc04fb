//! The three dump files of Debian's keepalived and of Evenkeel on the same configs: the same keys
//! and, apart from times, counters and descriptors, the same values.
//!
//! `fixtures/dump/CASE/keepalived.conf` are the configs. Beside one there may be `peer.conf` (what
//! Debian's keepalived does on another host from the beginning), `then.sh` (what happens to the host
//! later) and `reload.conf` (another config, later). `fixtures/dump/differs.tsv` lists what is
//! accepted: case (or `*`), files, key (with stars), reason; a line that nothing needs any more is
//! an error.
//! Needs root, iproute2, keepalived.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use super::bed::daemon::Maker::{Debian, Evenkeel};
use super::bed::daemon::{Daemon, Maker, is_clean};
use super::bed::{Bed, wait_until};
use super::status::{DATA, JSON, Node, STATS};

/// Nodes that live at the same time; they do little.
const AT_ONCE: usize = 12;
/// Every config has come to rest by then.
const SETTLE: Duration = Duration::from_millis(8500);

/// Until something else happens to it.
const FIRST: Duration = Duration::from_millis(5000);
/// A peer is master by then.
const PEER: Duration = Duration::from_millis(4500);

const PATIENCE: Duration = Duration::from_secs(20);

/// What differs from run to run, or between any two programs.
const VARIES: [&str; 11] = [
    "Last transition",
    "Read timeout",
    "Result",
    "Sent",
    "Received",
    "stats.advert_sent",
    "stats.advert_rcvd",
    "data.last_transition",
    // A short script may run just now.
    "State (of a script)",
    "GARP next time",
    "GNA next time",
];

/// Values by key; where a key comes several times, in order.
type Dump = BTreeMap<String, Vec<String>>;

const NOTHING_TO_RUN: &str = "keepalived has no configuration to run";

/// One config and what happens to it.
struct Case {
    config: String,
    peer: Option<String>,
    then: Option<String>,
    reload: Option<String>,
}

impl Case {
    fn read(name: &str) -> Case {
        let file = |file: &str| fs::read_to_string(format!("fixtures/dump/{name}/{file}")).ok();
        Case {
            config: file("keepalived.conf").unwrap_or_else(|| panic!("{name}")),
            peer: file("peer.conf"),
            then: file("then.sh"),
            reload: file("reload.conf"),
        }
    }
}

/// Debian's says so now and then in a folder of its own, where no daemon has ever run: seen where
/// pids had just begun anew at 2. Started again it runs.
const REFUSES: &str = "daemon is already running";

/// The three files of one node; nothing, if it has nothing to run.
fn dumps(maker: Maker, case: &Case) -> [Dump; 3] {
    (0..4).find_map(|_| dumps_of_a_start(maker, case)).expect("it doesn't start")
}

/// `None`: it has refused to start, see [`REFUSES`].
fn dumps_of_a_start(maker: Maker, case: &Case) -> Option<[Dump; 3]> {
    let bed = Bed::new(if case.peer.is_some() { 2 } else { 1 });
    let peer = case.peer.as_ref();
    let _peer = peer.map(|config| Daemon::start(&bed, &bed.hosts[1], Debian, config));
    if peer.is_some() {
        std::thread::sleep(PEER);
    }
    let node = Node::start_on(bed, maker, &case.config);
    // A signal that comes before a daemon listens to it would end it.
    let started = ["Startup complete", NOTHING_TO_RUN, REFUSES];
    wait_until("it has started", PATIENCE, || {
        let log = node.daemon.log();
        started.iter().any(|it| log.contains(it))
    });
    if maker == Debian && node.daemon.log().contains(REFUSES) {
        return None;
    }
    if case.then.is_some() || case.reload.is_some() {
        std::thread::sleep(FIRST);
    }
    if let Some(then) = &case.then {
        let mut command = node.bed.hosts[0].command("sh");
        assert!(command.args(["-c", then]).status().unwrap().success());
    }
    if let Some(config) = &case.reload {
        node.daemon.reconfigure(config);
        node.daemon.signal("HUP");
    }
    std::thread::sleep(SETTLE);
    if node.daemon.log().contains(NOTHING_TO_RUN) {
        return Some(Default::default());
    }
    let pid = node.daemon.pid();
    let read = |file| node.dump(file, pid).replace("s3cret", "********");
    let dumps = [data(&read(DATA)), stats(&read(STATS)), json(&read(JSON))];
    assert!(is_clean(node.daemon.stop()));
    Some(dumps)
}

/// Lines `KEY = VALUE`, by section and the thing that they are about.
fn data(text: &str) -> Dump {
    let mut dump = Dump::new();
    let (mut section, mut subject, mut block) = (String::new(), String::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("------< ") {
            section = name.trim_end_matches(" >------").to_owned();
            (subject, block) = (String::new(), String::new());
            dump.entry(section.clone()).or_default();
            continue;
        }
        // Of descriptors every program has its own.
        if section == "VRRP Sockpool" || line.trim().starts_with("fd_in") {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        let line = line.trim();
        let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
        let key = match (section.as_str(), key) {
            ("VRRP Scripts", "State") => "State (of a script)",
            _ => key,
        };
        let value = if VARIES.contains(&key) && value != "DISABLED" { "" } else { value };
        if depth <= 1 && section != "Global definitions" {
            subject = format!(" {value}");
        }
        // What stands below a heading belongs to it.
        let under = if depth > 3 { format!(" {block}") } else { String::new() };
        if depth <= 3 {
            block = key.trim_end_matches(':').to_owned();
        }
        // Of a list each line is a key of its own.
        let (key, value) = if depth > 3 { (line, "") } else { (key, value) };
        let place = format!("{section}{subject}{under} {key}").trim_end().to_owned();
        dump.entry(place).or_default().push(value.to_owned());
    }
    dump
}

fn stats(text: &str) -> Dump {
    let mut dump = Dump::new();
    let (mut instance, mut block) = (String::new(), String::new());
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let (key, value) = line.trim().split_once(':').unwrap_or((line, ""));
        match depth {
            0 => instance = value.trim().to_owned(),
            2 => block = key.to_owned(),
            _ => {}
        }
        let varies = block == "Advertisements" && VARIES.contains(&key);
        let value = if varies { "" } else { value.trim() };
        dump.entry(format!("{instance} {block} {key}")).or_default().push(value.to_owned());
    }
    dump
}

fn json(text: &str) -> Dump {
    let mut dump = Dump::new();
    let routers: serde_json::Value = serde_json::from_str(text).expect(text);
    for router in routers.as_array().unwrap() {
        let name = router["data"]["iname"].as_str().unwrap();
        for part in ["data", "stats"] {
            for (key, value) in router[part].as_object().unwrap() {
                let key = format!("{part}.{key}");
                let list = value.as_array().cloned().unwrap_or_default();
                let value = match value.is_array() || VARIES.contains(&key.as_str()) {
                    true => String::new(),
                    false => value.to_string(),
                };
                dump.entry(format!("{name} {key}")).or_default().push(value);
                for item in list {
                    dump.entry(format!("{name} {key} {item}")).or_default();
                }
            }
        }
    }
    dump
}

/// Keys with values that differ, each with both.
fn differences(theirs: &Dump, ours: &Dump) -> Vec<(String, String)> {
    let keys: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let differing = keys.into_iter().filter(|key| theirs.get(*key) != ours.get(*key));
    let show = |dump: &Dump, key: &String| match dump.get(key) {
        Some(values) => format!("{values:?}"),
        None => "(not there)".to_owned(),
    };
    if ours.is_empty() {
        return vec![("not run".to_owned(), String::new())];
    }
    let shown = |key: &String| format!("real {}, ours {}", show(theirs, key), show(ours, key));
    differing.map(|key| (key.clone(), shown(key))).collect()
}

/// `pattern` may have stars, each for any text.
fn fits(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = key.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    open || rest.is_empty()
}

#[test]
fn dumps_are_those_of_keepalived() {
    let mut cases: Vec<String> = fs::read_dir("fixtures/dump")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    cases.sort();
    assert!(cases.len() >= 40);
    let text = fs::read_to_string("fixtures/dump/differs.tsv").unwrap();
    let accepted: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').collect())
        .collect();
    assert!(accepted.iter().all(|line| line.len() == 4 && !line[3].is_empty()));
    let queue = Mutex::new(cases.iter());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().next() else { return };
                    let read = &Case::read(case);
                    let [theirs, ours] = std::thread::scope(|pair| {
                        [Debian, Evenkeel]
                            .map(|maker| pair.spawn(move || dumps(maker, read)))
                            .map(|it| it.join().unwrap_or_else(|_| panic!("{case}")))
                    });
                    let files = ["data", "stats", "json"].iter().zip(theirs.iter().zip(&ours));
                    for (file, (theirs, ours)) in files {
                        for (key, shown) in differences(theirs, ours) {
                            found.lock().unwrap().push((case, *file, key, shown));
                        }
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    let matches = |line: &[&str], (case, file, key, _): &(&String, &str, String, String)| {
        let files = line[1].split(',').any(|it| it == *file);
        (line[0] == "*" || line[0] == case.as_str()) && files && fits(line[2], key)
    };
    let wrong: Vec<String> = found
        .iter()
        .filter(|it| !accepted.iter().any(|line| matches(line, it)))
        .map(|(case, file, key, shown)| format!("{case}\t{file}\t{key}\t{shown}"))
        .collect();
    let stale: Vec<String> = accepted
        .iter()
        .filter(|line| !found.iter().any(|it| matches(line, it)))
        .map(|line| line.join("\t"))
        .collect();
    assert!(wrong.is_empty(), "differs without a reason:\n{}", wrong.join("\n"));
    assert!(stale.is_empty(), "accepted, and no longer so:\n{}", stale.join("\n"));
}
