//! What was observed, as text that two runs can agree on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was observed in one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// Lines of the log that aren't compared: `fixtures/scenario/noise`.
pub(crate) struct Noise {
    beginnings: Vec<String>,
}

impl Noise {
    pub(crate) fn read() -> Noise {
        let text = std::fs::read_to_string("fixtures/scenario/noise").unwrap();
        let lines = text.lines().filter(|it| !it.is_empty() && !it.starts_with('#'));
        Noise { beginnings: lines.map(str::to_owned).collect() }
    }

    fn is_noise(&self, line: &str) -> bool {
        self.beginnings.iter().any(|it| line.starts_with(it.as_str()))
    }
}

/// A log's lines without times and noise; a line that comes several times in a row is one.
pub(crate) fn log_lines(text: &str, noise: &Noise) -> Vec<String> {
    let lines = text.lines().map(without_time).map(without_place).map(str::trim_end);
    let lines = lines.filter(|it| !it.is_empty() && !noise.is_noise(it)).map(without_numbers);
    let mut counted: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match counted.last_mut() {
            Some((last, times)) if *last == line => *times += 1,
            _ => counted.push((line, 1)),
        }
    }
    let shown = counted.into_iter().map(|(line, times)| match times {
        1 => format!("log {line}"),
        // How many of these are sent is what somebody configured; others are as many as adverts fit
        // into the time.
        _ if line.starts_with("Sending") => format!("log {line} ×{times}"),
        _ => format!("log {line} ..."),
    });
    shown.collect()
}

/// `Mon Nov 23 02:16:55 2026: TEXT`
fn without_time(line: &str) -> &str {
    let is_year = |it: &str| it.len() == 4 && it.bytes().all(|it| it.is_ascii_digit());
    match line.split_once(": ") {
        Some((time, text)) if time.split_whitespace().next_back().is_some_and(is_year) => text,
        _ => line,
    }
}

/// `(/etc/keepalived/keepalived.conf: Line 12) TEXT`: where complaints stand is compared by
/// `config_keepalived`, and Evenkeel knows it more often.
fn without_place(line: &str) -> &str {
    match line.split_once(") ") {
        Some((place, text)) if place.starts_with("(/") && place.contains(": Line ") => text,
        _ => line,
    }
}

/// Numbers that no two runs share: fractions of seconds, pids, interface indexes.
fn without_numbers(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    let mut after_dot = false;
    while let Some(at) = rest.find(|it: char| it.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|it: char| !it.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        out.push_str(before);
        let is_pid = ["pid ", "pid=", "process(", "ifindex("].iter().any(|it| before.ends_with(it));
        // Not a part of an address.
        let is_alone = before == "." && !after_dot && !after.starts_with('.');
        let is_fraction = is_alone && number.len() >= 3;
        out.push_str(if is_pid || is_fraction { "N" } else { number });
        after_dot = before == ".";
        rest = after;
    }
    out + rest
}

/// Notes of the `note` script, `PID WORDS`, in the order in which the scripts were started.
pub(crate) fn note_lines(text: &str) -> Vec<String> {
    let mut notes: Vec<(u32, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(pid, words)| Some((pid.parse().ok()?, words)))
        .collect();
    // Process ids began anew.
    let (least, most) = (notes.iter().map(|it| it.0).min(), notes.iter().map(|it| it.0).max());
    let wrapped = most.unwrap_or(0) - least.unwrap_or(0) > 16_000;
    notes.sort_by_key(|(pid, _)| if wrapped && *pid < 16_000 { pid + (1 << 23) } else { *pid });
    notes.into_iter().map(|(_, words)| format!("notify {words}")).collect()
}

/// The file's form.
pub(crate) fn render(head: &str, phases: &[Observed]) -> String {
    let mut text = String::new();
    for line in head.lines() {
        writeln!(text, "# {line}").unwrap();
    }
    for phase in phases {
        writeln!(text, "\n{}", phase.title).unwrap();
        for line in &phase.lines {
            writeln!(text, "    {line}").unwrap();
        }
    }
    text
}

pub(crate) fn parse(text: &str) -> (String, Vec<Observed>) {
    let mut head = String::new();
    let mut phases: Vec<Observed> = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("# ") {
            writeln!(head, "{words}").unwrap();
        } else if let Some(words) = line.strip_prefix("    ") {
            phases.last_mut().expect("a title first").lines.push(words.to_owned());
        } else if !line.is_empty() {
            phases.push(Observed { title: line.to_owned(), lines: Vec::new() });
        }
    }
    (head, phases)
}

/// Both do the same: logs, notifications, packets and addresses each in their order. Between
/// those there is none: they are observed by different means.
pub(crate) fn agree(one: &[String], other: &[String]) -> bool {
    by_kind(one) == by_kind(other)
}

fn by_kind(lines: &[String]) -> BTreeMap<&str, Vec<&str>> {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (kind, text) in lines.iter().filter_map(|it| it.split_once(' ')) {
        kinds.entry(kind).or_default().push(text);
    }
    kinds
}

/// What only one of them has, phase by phase.
pub(crate) fn difference(wanted: &[Observed], actual: &[Observed]) -> String {
    let mut text = String::new();
    for (wanted, actual) in wanted.iter().zip(actual) {
        if agree(&wanted.lines, &actual.lines) {
            continue;
        }
        writeln!(text, "  {}", actual.title).unwrap();
        for line in lcs(&wanted.lines, &actual.lines) {
            writeln!(text, "    {line}").unwrap();
        }
    }
    if wanted.len() != actual.len() {
        writeln!(text, "  {} phases, and {}", wanted.len(), actual.len()).unwrap();
    }
    text
}

/// A line diff with everything that is common.
fn lcs(old: &[String], new: &[String]) -> Vec<String> {
    let mut longest = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i][j] = if old[i] == new[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines
}
