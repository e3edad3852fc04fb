//! Two daemons that are put through the same, and what both say: Evenkeel and the real keepalived,
//! each on a host of its own, at the same time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::bed::daemon::{Daemon, Maker};
use super::super::bed::{Bed, wait_until};
use super::PATIENCE;

/// Both makers at once.
pub(super) fn both<T: Send>(act: impl Fn(Maker) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let evenkeel = scope.spawn(|| act(Maker::Evenkeel));
        let debian = act(Maker::Debian);
        [evenkeel.join().unwrap(), debian]
    })
}

/// Lines of a log that have one of these words in them, without their times and places in a config.
pub(super) fn lines(log: &str, words: &[&str]) -> Vec<String> {
    log.lines().map(text).filter(|line| words.iter().any(|it| line.contains(it))).collect()
}

fn text(line: &str) -> String {
    let line = line.get(26..).unwrap_or_default();
    // Of some keepalived names the line alone.
    let placed =
        line.starts_with("(Line ") || line.starts_with('(') && line.contains(".conf: Line ");
    let line = if placed { line.split_once(") ").map_or(line, |(_, text)| text) } else { line };
    line.to_owned()
}

/// The lines of each instance or group. What two of them say at one time is in no order.
pub(super) fn by_name(lines: Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let Some((_, rest)) = line.split_once('(') else { continue };
        let Some((name, _)) = rest.split_once(')') else { continue };
        all.entry(name.to_owned()).or_default().push(line);
    }
    all
}

/// Both say the same of each name; panics with the first differences.
pub(super) fn agree(
    evenkeel: &BTreeMap<String, Vec<String>>,
    debian: &BTreeMap<String, Vec<String>>,
) {
    let names = evenkeel.keys().chain(debian.keys());
    let differ: Vec<&String> = names.filter(|it| evenkeel.get(*it) != debian.get(*it)).collect();
    for name in differ.iter().take(4) {
        eprintln!("evenkeel {:#?}\nkeepalived {:#?}", evenkeel.get(*name), debian.get(*name));
    }
    assert!(differ.is_empty(), "{differ:?}");
}

/// One maker's daemon, and the lines of its log that count.
pub(super) struct Watched<'a> {
    pub(super) bed: &'a Bed,
    pub(super) daemon: Daemon,
    words: &'a [&'a str],
    seen: usize,
}

impl<'a> Watched<'a> {
    /// Once it has said this.
    pub(super) fn begun(bed: &'a Bed, daemon: Daemon, words: &'a [&'a str], said: &str) -> Self {
        wait_until(said, PATIENCE, || daemon.log().contains(said));
        let mut watched = Watched { bed, daemon, words, seen: 0 };
        watched.settle();
        watched
    }

    pub(super) fn told(&self) -> Vec<String> {
        lines(&self.daemon.log(), self.words)
    }

    /// Does it, and waits for a line with these words; how long that took.
    pub(super) fn until(&mut self, words: &str, act: impl FnOnce(&Bed)) -> Duration {
        let begun = Instant::now();
        act(self.bed);
        let seen = self.seen;
        let said = || self.told().iter().skip(seen).any(|line| line.contains(words));
        wait_until(words, PATIENCE, said);
        let time = begun.elapsed();
        self.settle();
        time
    }

    /// Until nothing more is said about what has happened.
    pub(super) fn settle(&mut self) {
        loop {
            std::thread::sleep(Duration::from_millis(250));
            let seen = self.told().len();
            if std::mem::replace(&mut self.seen, seen) == seen {
                break;
            }
        }
    }
}
