//! Text without what differs from run to run: times, process ids, ports that the kernel picked,
//! numbers of connections, folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::play::EPHEMERAL;

/// What is known of a play.
pub(super) struct Known {
    folders: Vec<(String, &'static str)>,
    /// The ports of named clients.
    ports: BTreeMap<u16, String>,
    master: Option<u32>,
    workers: BTreeSet<u32>,
}

impl Known {
    pub(super) fn new(folder: &Path, pki: &Path) -> Known {
        let folders =
            vec![(folder.display().to_string(), "DIR"), (pki.display().to_string(), "PKI")];
        Known { folders, ports: BTreeMap::new(), master: None, workers: BTreeSet::new() }
    }

    pub(super) fn client(&mut self, port: u16, name: &str) {
        self.ports.insert(port, name.to_owned());
    }

    pub(super) fn master(&mut self, pid: u32) {
        self.master = Some(pid);
    }

    pub(super) fn workers(&mut self, pids: impl IntoIterator<Item = u32>) {
        self.workers.extend(pids);
    }

    pub(super) fn plain(&self, line: &str) -> String {
        let mut line = line.replace('\r', "\\r");
        for (path, name) in &self.folders {
            line = line.replace(path, name);
        }
        // A line of an error log, also behind other text.
        if let Some(at) = line.find(" [").filter(|at| is_log_time(&line[..*at]))
            && let Some((level, rest)) = line[at + 1..].split_once(' ')
            && let Some((_, message)) = rest.split_once(": ")
        {
            let before = &line[..at - LOG_TIME];
            line = format!("{before}{level} {message}");
        }
        self.without_numbers(&line)
    }

    fn without_numbers(&self, line: &str) -> String {
        let mut plain = String::new();
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let before = plain.chars().last();
            let starts = (first.is_ascii_digit() || first.is_ascii_uppercase())
                && !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
            if starts && let Some((length, name)) = self.number(rest, &plain) {
                plain.push_str(&name);
                rest = &rest[length..];
            } else {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        plain
    }

    /// How long the varying thing is that starts here, behind something, and what stands for it.
    fn number(&self, text: &str, behind: &str) -> Option<(usize, String)> {
        let before = behind.chars().last();
        for (pattern, name) in TIMES {
            if fits(text, pattern) {
                return Some((pattern.len(), (*name).to_owned()));
            }
        }
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at(digits);
        // A connection's, as in `[error] *7 …`.
        if behind == "*" || behind.ends_with(" *") {
            return Some((digits, "N".into()));
        }
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
        // Seconds with their thousandths.
        if before != Some('.') && fits(rest, ".000") {
            let end = rest[4..].chars().next();
            if !end.is_some_and(|c| inside(c) || c == '.') {
                return Some((digits + 4, "SECONDS".into()));
            }
        }
        if rest.chars().next().is_some_and(inside) || before == Some('.') {
            return None;
        }
        let number: u32 = number.parse().ok()?;
        let known = self.master == Some(number) || self.workers.contains(&number);
        if behind.ends_with(") received from ") && !known {
            return Some((digits, "PID".into()));
        }
        // Behind a colon it is a port.
        if before != Some(':') {
            if self.master == Some(number) {
                return Some((digits, "MASTER".into()));
            }
            if self.workers.contains(&number) {
                return Some((digits, "WORKER".into()));
            }
        }
        let port = u16::try_from(number).ok().filter(|port| EPHEMERAL.contains(port))?;
        let client = self.ports.get(&port);
        Some((digits, client.map_or("PORT".into(), |name| format!("PORT({name})"))))
    }
}

/// Layouts of times: 0 is any digit, A any letter, + a sign.
const TIMES: &[(&str, &str)] = &[
    ("0000/00/00 00:00:00", "TIME"),
    ("0000-00-00T00:00:00+00:00", "ISO8601"),
    ("00/Aaa/0000:00:00:00 +0000", "LOCALTIME"),
    ("00/Aaa/0000:00:00:00", "LOCALTIME"),
    ("Aaa 00 00:00:00", "SYSLOGTIME"),
    ("Aaa  0 00:00:00", "SYSLOGTIME"),
];
const LOG_TIME: usize = "0000/00/00 00:00:00".len();

fn is_log_time(text: &str) -> bool {
    text.len()
        .checked_sub(LOG_TIME)
        .and_then(|at| text.get(at..))
        .is_some_and(|it| fits(it, TIMES[0].0))
}

fn fits(text: &str, pattern: &str) -> bool {
    let fit = |(byte, pattern): (u8, u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        b'A' | b'a' => byte.is_ascii_alphabetic(),
        b'+' => matches!(byte, b'+' | b'-'),
        other => byte == other,
    };
    text.len() >= pattern.len() && text.bytes().zip(pattern.bytes()).all(fit)
}

#[test]
fn only_what_varies_is_taken_out() {
    let mut known = Known::new(Path::new("/tmp/x1"), Path::new("/pki"));
    known.client(50_007, "c");
    known.master(31_234);
    known.workers([31_235]);
    for (line, plain) in [
        (
            "2026/11/23 12:00:00 [error] 31235#31235: *17 connect() failed (111: Connection refused)",
            "[error] *N connect() failed (111: Connection refused)",
        ),
        ("nginx: [emerg] no \"events\" section", "nginx: [emerg] no \"events\" section"),
        (
            "127.0.0.1:50007 127.0.0.1:50008 127.0.0.1:8080",
            "127.0.0.1:PORT(c) 127.0.0.1:PORT 127.0.0.1:8080",
        ),
        ("0.001, 12.345 10.0.0.100 1.2.345", "SECONDS, SECONDS 10.0.0.100 1.2.345"),
        ("[23/Nov/2026:12:00:00 +0000] 2026-11-23T12:00:00+00:00", "[LOCALTIME] ISO8601"),
        ("<190>Nov  3 12:00:00 web: x", "<190>SYSLOGTIME web: x"),
        ("/tmp/x1/error.log /pki/ca.pem", "DIR/error.log PKI/ca.pem"),
        ("\"z\"*3000 2*3", "\"z\"*3000 2*3"),
        ("31234 31235 31236 f31234", "MASTER WORKER 31236 f31234"),
        ("signal 1 (SIGHUP) received from 77, x", "signal 1 (SIGHUP) received from PID, x"),
    ] {
        assert_eq!(known.plain(line), plain);
    }
}
