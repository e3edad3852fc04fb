//! The black-box suite: the same test on the real nginx and on Evenkeel.
//!
//! `fixtures/stream/<area>/<name>.case` is a config and a script of client and server steps; the
//! `.seen` beside it is what was seen of the real nginx, step by step. Each case is played with both
//! programs, and both must show what was recorded; [`fixtures/stream/README.md`] has the format.
//! A case for something that Debian's nginx is too old for (`since 1.25.5`) is recorded from a newer
//! one (`fixtures/stream/newer-nginx`); where that isn't installed, Evenkeel alone plays it, against
//! the record. Where Evenkeel differs on purpose, `.evenkeel` says why
//! and has what it shows. `fixtures/stream/waits` names cases that Evenkeel is to pass one day.
//!
//! `UPDATE_FIXTURES=1` records anew; `STREAM=word` plays only cases with that in `<area>/<name>`;
//! `STREAM_WAITS=play` plays those that wait, too.
//! Needs root: each play has a network of its own, so that every case may have 127.0.0.1:8080.
//!
//! [`case`] reads a case, [`play`] plays it, [`verdict`] holds what was seen against the record;
//! [`step`] is the place for a new kind of step.
//!
//! [`fixtures/stream/README.md`]: ../../fixtures/stream/README.md

mod case;
mod client;
mod crowd;
mod dns;
mod plain;
mod play;
mod preface;
mod program;
mod server;
mod step;
mod tls;
mod verdict;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use case::Case;
use verdict::Verdict;

const CASES: &str = "fixtures/stream";
/// Cases that are played at once: they mostly wait.
const AT_ONCE: usize = 6;
/// A busy machine may spoil one; then it is played again, alone.
const TRIES: usize = 3;
/// As many as there must be at least.
const PROMISED: usize = 250;

/// The folders of `fixtures/stream`, each a test.
macro_rules! areas {
    ($($area:ident)*) => {
        const AREAS: &[&str] = &[$(stringify!($area)),*];
        $(#[test]
        fn $area() {
            play_area(stringify!($area));
        })*
    };
}

areas! {
    access balance bind cli doors life limit listen log logic logs names preface preread proxy_ssl
    resolver ssl stress tcp udp upstream variable variables
}

/// Every case belongs to a test and has a record, and there are as many as promised.
#[test]
fn the_cases_are_complete() {
    let mut count = 0;
    for entry in std::fs::read_dir(CASES).unwrap() {
        let folder = entry.unwrap();
        let name = folder.file_name().into_string().unwrap();
        if !folder.file_type().unwrap().is_dir() || name == "pki" {
            continue;
        }
        assert!(AREAS.contains(&&*name), "no test plays {name}: add it to `areas!`");
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|it| it.to_str());
            match extension {
                Some("case") => count += 1,
                Some("seen" | "evenkeel") => {
                    assert!(path.with_extension("case").exists(), "{path:?} is of no case");
                }
                _ => panic!("{path:?}: what is that?"),
            }
        }
    }
    for area in AREAS {
        assert!(!cases(area).is_empty(), "no cases: {area}");
    }
    let waiting = waiting();
    for (name, reason) in &waiting {
        let case = Path::new(CASES).join(format!("{name}.case"));
        assert!(case.exists(), "{name} waits and isn't there");
        assert!(reason.len() > 20, "{name}: what does it wait for?");
    }
    assert!(count - waiting.len() >= PROMISED, "only {count} cases, less {}", waiting.len());
}

/// Cases that Evenkeel isn't put through yet: `AREA/NAME: what for`.
fn waiting() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(Path::new(CASES).join("waits")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(": ").expect("AREA/NAME: reason"));
    pairs.map(|(name, reason)| (name.to_owned(), reason.to_owned())).collect()
}

fn cases(area: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(Path::new(CASES).join(area)).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|it| it == "case")).collect();
    files.sort();
    files
}

fn play_area(area: &str) {
    let only = std::env::var("STREAM").unwrap_or_default();
    let files = cases(area);
    let read: Result<Vec<Case>, String> = files.iter().map(|file| Case::read(file)).collect();
    let mut cases = read.unwrap_or_else(|why| panic!("{why}"));
    cases.retain(|case| case.name.contains(&only));
    let play_all = std::env::var_os("STREAM_WAITS").is_some();
    let waiting = if play_all { BTreeMap::new() } else { waiting() };
    let of = |case: &Case| verdict::of(case, waiting.contains_key(&case.name));
    let left = Mutex::new(cases.iter());
    let verdicts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().next() else { break };
                    let verdict = of(case);
                    verdicts.lock().unwrap().push((case, verdict));
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap();
    assert_eq!(verdicts.len(), cases.len(), "a case wasn't played");
    let (mut both, mut alone, mut waits, mut failures) = (0, 0, 0, String::new());
    for (case, mut verdict) in verdicts {
        for _ in 1..TRIES {
            let Verdict::Failed(why) = &verdict else { break };
            eprintln!("{}: played again, since it failed:\n{why}", case.name);
            verdict = of(case);
        }
        match verdict {
            Verdict::Both => both += 1,
            Verdict::EvenkeelAlone => alone += 1,
            Verdict::Waits => waits += 1,
            Verdict::Failed(why) => failures.push_str(&format!("{}\n{why}", case.name)),
        }
    }
    let nginx = &program::real().version;
    println!(
        "{area}: {both} on both, {alone} on Evenkeel alone (newer than {nginx}), {waits} waiting"
    );
    assert!(failures.is_empty(), "\n{failures}");
}
