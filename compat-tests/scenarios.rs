//! Scenarios: what the real keepalived did, event by event, and Evenkeel does.
//!
//! Each folder of `fixtures/scenario` is a case: a `keepalived.conf`, perhaps a `peer.conf` for the
//! real keepalived on a second host, and `events` (see [`case::Case`]): scripts that begin to fail,
//! cables, reloads, adverts. `real` is what was observed of the real keepalived: its log (without
//! times and the lines that `fixtures/scenario/noise` names), its notifications, the changes in what
//! is advertised, the addresses. Evenkeel is put through the same and has to do the same. Where it
//! doesn't on purpose, `evenkeel` says why and has what it does.
//!
//! `UPDATE_FIXTURES=1` records anew, both; `SCENARIO=word` plays only cases with that in their name;
//! `SCENARIO_MAKER=debian` holds the real one against its own recording, which shows what in a case
//! is left to chance. Needs root and what `peers` needs.

mod case;
mod play;
mod sequence;
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use case::Case;
use sequence::Observed;

use super::bed::daemon::Maker;

const CASES: &str = "fixtures/scenario";
/// The first words of the cases' names, each a test.
const TOPICS: [&str; 8] =
    ["script", "election", "packet", "interface", "reload", "group", "track", "life"];
/// Cases that are played at once: they mostly wait.
const AT_ONCE: usize = 6;
/// A busy machine may spoil one; then it is played again, alone.
const TRIES: usize = 3;

#[test]
fn script() {
    topic("script");
}

#[test]
fn election() {
    topic("election");
}

#[test]
fn packet() {
    topic("packet");
}

#[test]
fn interface() {
    topic("interface");
}

#[test]
fn reload() {
    topic("reload");
}

#[test]
fn group() {
    topic("group");
}

#[test]
fn track() {
    topic("track");
}

#[test]
fn life() {
    topic("life");
}

/// Every case belongs to a test, none waits without a reason, and there are as many as promised.
#[test]
fn the_cases_are_complete() {
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        // They are being written.
        return;
    }
    let waiting = waiting();
    let mut played = 0;
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let case = Case::read(&folder).unwrap_or_else(|why| panic!("{name}: {why}"));
        let topic = name.split('-').next().unwrap();
        assert!(TOPICS.contains(&topic), "{name}: no test plays it");
        let (head, real) = sequence::parse(&read(&folder.join("real")));
        assert!(head.starts_with("keepalived v"), "{name}: recorded from what?");
        let titles: Vec<_> = real.iter().map(|it| &it.title).collect();
        let phases: Vec<_> = case.phases.iter().map(|it| &it.title).collect();
        assert_eq!(titles, phases, "{name}: the recording is of other events");
        if let Some((reason, _)) = ours(&folder) {
            assert!(reason.len() > 30, "{name}: why does Evenkeel differ?");
        }
        played += usize::from(!waiting.contains_key(&name));
    }
    for (name, reason) in &waiting {
        assert!(Path::new(CASES).join(name).exists(), "{name} waits and isn't there");
        assert!(reason.len() > 20, "{name}: what does it wait for?");
    }
    assert!(played >= 40, "only {played} cases");
}

/// The comparison can fail: another line, another order, a line less.
#[test]
fn a_sequence_that_differs_is_noticed() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let one = lines("log (VI_1) Entering BACKUP STATE\nlog (VI_1) Entering MASTER STATE\nnotify x");
    let apart =
        lines("notify x\nlog (VI_1) Entering BACKUP STATE\nlog (VI_1) Entering MASTER STATE");
    assert!(sequence::agree(&one, &apart));
    for other in [
        "log (VI_1) Entering MASTER STATE\nlog (VI_1) Entering BACKUP STATE\nnotify x",
        "log (VI_1) Entering BACKUP STATE\nlog (VI_1) Entering MASTER STATE",
        "log (VI_1) Entering BACKUP STATE\nlog (VI_1) Entering MASTER STATE\nnotify y",
    ] {
        assert!(!sequence::agree(&one, &lines(other)), "{other}");
    }
}

/// Plays all cases of a topic.
fn topic(topic: &str) {
    let only = std::env::var("SCENARIO").unwrap_or_default();
    let waiting = waiting();
    let cases: Vec<Case> = folders()
        .iter()
        .map(|folder| Case::read(folder).unwrap_or_else(|why| panic!("{folder:?}: {why}")))
        .filter(|it| it.name().split('-').next() == Some(topic) && it.name().contains(&only))
        .collect();
    let left = Mutex::new(cases.iter());
    let spoilt = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(cases.len()) {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().next() else { break };
                    if let Err(why) = attempt(case, waiting.contains_key(&case.name())) {
                        spoilt.lock().unwrap().push((case, why));
                    }
                }
            });
        }
    });
    let mut failures = String::new();
    for (case, mut why) in spoilt.into_inner().unwrap() {
        for _ in 1..tries() {
            eprintln!("{}: played again, since it differed:\n{why}", case.name());
            match attempt(case, false) {
                Ok(()) => {
                    why.clear();
                    break;
                }
                Err(again) => why = again,
            }
        }
        if !why.is_empty() {
            failures.push_str(&format!("{}\n{why}", case.name()));
        }
    }
    assert!(failures.is_empty(), "(- keepalived, + played)\n{failures}");
}

/// `SCENARIO_TRIES`, or as many as usual.
fn tries() -> usize {
    let tries = std::env::var("SCENARIO_TRIES").ok().and_then(|it| it.parse().ok());
    tries.unwrap_or(TRIES)
}

/// One case, recorded or held against the recording.
fn attempt(case: &Case, waits: bool) -> Result<(), String> {
    let file = case.folder.join("real");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&file, sequence::render(&version(), &record(case, Maker::Debian)?)).unwrap();
        if let Some((reason, _)) = ours(&case.folder) {
            let text = sequence::render(&reason, &record(case, Maker::Evenkeel)?);
            std::fs::write(case.folder.join("evenkeel"), text).unwrap();
        }
        return Ok(());
    }
    let (_, real) = sequence::parse(&read(&file));
    if std::env::var_os("SCENARIO_DIFFERS").is_some() {
        // For a difference that has been looked at: its reason is then to be written.
        let text = sequence::render("why?", &record(case, Maker::Evenkeel)?);
        std::fs::write(case.folder.join("evenkeel"), text).unwrap();
        return Ok(());
    }
    if std::env::var("SCENARIO_MAKER").is_ok_and(|it| it == "debian") {
        return compare(&real, &play::play(case, Maker::Debian, Some(&real)));
    }
    if waits {
        return Ok(());
    }
    let expected = match ours(&case.folder) {
        Some((_, ours)) if sequence::difference(&real, &ours).is_empty() => {
            return Err("  `evenkeel` doesn't differ from `real`: remove it\n".into());
        }
        Some((_, ours)) => ours,
        None => real,
    };
    compare(&expected, &play::play(case, Maker::Evenkeel, Some(&expected)))
}

/// What two runs in a row agree on.
fn record(case: &Case, maker: Maker) -> Result<Vec<Observed>, String> {
    let mut last = play::play(case, maker, None);
    for _ in 0..TRIES {
        let again = play::play(case, maker, Some(&last));
        if sequence::difference(&last, &again).is_empty() {
            return Ok(last);
        }
        last = again;
    }
    Err(format!("  {maker:?}: no two runs in a row are the same\n"))
}

fn compare(wanted: &[Observed], actual: &[Observed]) -> Result<(), String> {
    let difference = sequence::difference(wanted, actual);
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

/// What Evenkeel does instead, and why.
fn ours(folder: &Path) -> Option<(String, Vec<Observed>)> {
    let text = std::fs::read_to_string(folder.join("evenkeel")).ok()?;
    Some(sequence::parse(&text))
}

/// Cases that Evenkeel isn't put through yet: `NAME: what for`.
fn waiting() -> BTreeMap<String, String> {
    let text = read(&Path::new(CASES).join("waits"));
    let lines = text.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
    let pairs = lines.map(|line| line.split_once(": ").expect("NAME: reason"));
    pairs.map(|(name, reason)| (name.to_owned(), reason.to_owned())).collect()
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(CASES).unwrap().map(|it| it.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|it| it.is_dir()).collect();
    folders.sort();
    folders
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// `keepalived v2.2.7 (01/16,2022)`
fn version() -> String {
    let output = std::process::Command::new("/usr/sbin/keepalived").arg("-v").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().next().unwrap_or_default().replacen("Keepalived", "keepalived", 1)
}
