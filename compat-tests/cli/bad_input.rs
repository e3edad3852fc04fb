//! What each face says about input that is wrong, and with which exit code; beside what the real
//! program says. `fixtures/cli/bad/*.txt` hold ours (`UPDATE_FIXTURES=1` rewrites them).

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::cell::{Cell, Outcome, run};

const FOLDER: &str = "fixtures/cli/bad";

/// Where our first line isn't keepalived's, with the reason.
const OTHER_WORDS: [(&str, &str); 1] = [(
    "noise",
    "its first reading is done by the parent, which leaves out the place; ours has one reading",
)];

#[test]
fn keepalived() {
    let cases = [
        "ok",
        "empty",
        "missing",
        "noise",
        "unclosed-block",
        "duplicate-vrid",
        "bad-address",
        "unknown-keyword",
        "unknown-interface",
    ];
    let cell = Cell::new();
    for case in cases {
        let file = place(&cell, &format!("{case}.keepalived.conf"));
        let mut record = Record::new(&cell);
        let test = ["-t", "-f", &file];
        let ours = run(cell.ours("keepalived").args(test));
        let real = run(cell.real("keepalived").args(test));
        record.add("keepalived -t", &ours);
        assert_eq!(ours.code, real.code, "{case}: real says\n{}ours\n{}", real.err, ours.err);
        if OTHER_WORDS.iter().all(|(other, _)| *other != case) {
            let (first, theirs) = (first_words(&ours.err), first_words(&real.err));
            assert_eq!(first, theirs, "{case}");
        }
        // What would start runs on: only refusals end by themselves.
        if ["missing", "duplicate-vrid", "unknown-interface"].contains(&case) {
            let start = ["-n", "-l", "-G", "-f", &file];
            let ours = run(cell.ours("keepalived").args(start));
            let real = run(cell.real("keepalived").args(start));
            let err = ours.err.lines().filter_map(|line| line.split_once(": "));
            // Without time and paths of this run.
            let err =
                err.map(|(_, words)| words).filter(|words| !words.starts_with("Command line"));
            let err = err.map(|words| format!("{words}\n")).collect();
            record.add("keepalived -n -l", &Outcome { err, out: ours.out, code: ours.code });
            assert_eq!(ours.code, real.code, "{case}: start");
        }
        record.add("evenkeel check -k", &run(cell.ours("evenkeel").args(["check", "-k", &file])));
        record.hold(&format!("{case}.keepalived.txt"));
    }
}

#[test]
fn nginx() {
    let cases =
        ["ok", "empty", "missing", "noise", "unclosed-block", "bad-address", "unknown-keyword"];
    let cell = Cell::new();
    let log = cell.path("error.log");
    for case in cases {
        let file = place(&cell, &format!("{case}.nginx.conf"));
        let mut record = Record::new(&cell);
        let same = |arguments: &[&str], record: &mut Record| {
            let ours = run(cell.ours("nginx").args(arguments));
            let real = run(cell.real("nginx").args(arguments));
            let typed = format!("nginx {}", arguments[..arguments.len() - 4].join(" "));
            record.add(typed.trim_end(), &ours);
            assert_eq!(ours.code, real.code, "{case}: real says\n{}ours\n{}", real.err, ours.err);
            let first = |outcome: &Outcome| outcome.err.lines().next().map(str::to_owned);
            assert_eq!(first(&ours), first(&real), "{case}");
            let last = |outcome: &Outcome| outcome.err.lines().last().map(str::to_owned);
            if arguments[0] == "-t" {
                assert_eq!(last(&ours), last(&real), "{case}");
            }
        };
        let files = ["-e", &log, "-c", &file];
        same(&[&["-t"], &files[..]].concat(), &mut record);
        if case != "ok" {
            same(&files, &mut record);
        }
        record.add("evenkeel check -n", &run(cell.ours("evenkeel").args(["check", "-n", &file])));
        record.hold(&format!("{case}.nginx.txt"));
    }
}

#[test]
fn a_port_in_use() {
    let cell = Cell::new();
    let _taken = TcpListener::bind(("127.0.0.1", 8080)).unwrap();
    let file = place(&cell, "port-in-use.nginx.conf");
    let log = cell.path("error.log");
    let mut record = Record::new(&cell);
    let arguments = ["-e", &log, "-c", &file];
    let ours = run(cell.ours("nginx").args(arguments));
    let real = run(cell.real("nginx").args(arguments));
    assert_eq!((ours.code, &ours.err), (real.code, &real.err));
    record.add("nginx", &ours);
    let mut run_both = cell.ours("evenkeel");
    let evenkeel = run(run_both.args(["run", "-n", &file]));
    assert_eq!(evenkeel.code, 1);
    // The time stands before each line.
    let err = evenkeel.err.lines().map(|line| line.split_once(' ').unwrap_or_default().1);
    let err: String = err.map(|line| format!("{line}\n")).collect();
    record.add("evenkeel run -n", &Outcome { err, ..evenkeel });
    // A test of the configuration of a daemon that runs must not complain.
    let test = run(cell.ours("nginx").args([&["-t"], &arguments[..]].concat()));
    assert_eq!(test.code, 0, "{}", test.err);
    record.hold("port-in-use.nginx.txt");
}

#[test]
fn nothing_to_read() {
    let cell = Cell::new();
    for what in ["check", "plan", "run"] {
        for file in [cell.path("nowhere.conf"), cell.path("")] {
            let ours = run(cell.ours("evenkeel").args([what, "-k", &file]));
            assert_eq!(ours.code, 2, "{what} {file}: {}", ours.err);
            assert!(ours.err.contains(&file), "{}", ours.err);
        }
    }
    let strict = |file: &str| {
        let conf = format!("global_defs {{\n    smtp_connect_timeout 30\n    {file}\n}}\n");
        let conf = cell.write("warned.conf", &conf);
        let lax = run(cell.ours("evenkeel").args(["check", "-k", &conf])).code;
        (lax, run(cell.ours("evenkeel").args(["check", "--strict", "-k", &conf])).code)
    };
    // What has no effect is warned about by name.
    let (lax, strict) = strict("snmp_socket udp:192.0.2.1:705");
    assert_eq!((lax, strict), (0, 1));
}

/// Puts a fixture into the cell; `missing` isn't there.
fn place(cell: &Cell, name: &str) -> String {
    let source = Path::new(FOLDER).join(name);
    if source.exists() {
        std::fs::copy(source, cell.dir().join(name)).unwrap();
    }
    cell.path(name)
}

/// Without `(FILE: Line N)`.
fn first_words(err: &str) -> &str {
    let line = err.lines().next().unwrap_or_default();
    match line.strip_prefix('(').and_then(|line| line.split_once(") ")) {
        Some((place, words)) if place.contains("Line ") => words,
        _ => line,
    }
}

/// What was said, as it stands in the fixture.
struct Record<'a> {
    cell: &'a Cell,
    text: String,
}

impl<'a> Record<'a> {
    fn new(cell: &'a Cell) -> Self {
        Record { cell, text: String::new() }
    }

    fn add(&mut self, command: &str, outcome: &Outcome) {
        let dir = self.cell.dir().to_str().unwrap();
        let said = format!("{}{}", outcome.out, outcome.err).replace(dir, "DIR");
        self.text += &format!("$ {command}\n{said}exit code {}\n\n", outcome.code);
    }

    fn hold(self, name: &str) {
        let file = Path::new(FOLDER).join(name);
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&file, &self.text).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(self.text, expected, "{}", file.display());
    }
}

/// The fixtures' folder has nothing that no test looks at.
#[test]
fn no_fixture_is_idle() {
    let listed = run(Command::new("ls").arg(FOLDER)).out;
    let text = std::fs::read_to_string("compat-tests/cli/bad_input.rs").unwrap();
    for name in listed.lines() {
        let case = name.split('.').next().unwrap();
        assert!(text.contains(&format!("\"{case}\"")) || text.contains(name), "{name}");
    }
}
