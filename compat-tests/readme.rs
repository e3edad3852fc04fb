//! The README against the program: its counts come from the tables, its commands exist.

use std::fs;
use std::process::Command;

use evenkeel::directive::page::{self, Counts, Row};
use evenkeel::{keepalived, nginx};

const BEGIN: &str = "<!-- from the directive tables: UPDATE_FIXTURES=1 rewrites it -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn support_counts_are_those_of_the_tables() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the marker before the counts");
    let (_, after) = rest.split_once(END).expect("the marker behind the counts");
    let table = [
        "| dialect | rows | full | partial | ignored | refused |\n|---|---|---|---|---|---|\n",
        &line("keepalived.conf", &page::rows(keepalived::keywords::all())),
        &line("nginx.conf", &page::rows(nginx::directives::all())),
    ]
    .concat();
    let wanted = [before, BEGIN, &table, END, after].concat();
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write("README.md", &wanted).unwrap();
    }
    assert!(readme == wanted || std::env::var_os("UPDATE_FIXTURES").is_some(), "stale:\n{table}");
}

fn line(dialect: &str, rows: &[Row]) -> String {
    let Counts { full, partial, ignored, refused } = page::counts(rows);
    format!("| {dialect} | {} | {full} | {partial} | {ignored} | {refused} |\n", rows.len())
}

#[test]
fn its_commands_exist() {
    let readme = fs::read_to_string("README.md").unwrap();
    for command in ["run", "check", "plan", "directives", "rehearse"] {
        assert!(readme.contains(&format!("evenkeel {command}")), "README doesn't show {command}");
        let help = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args([command, "--help"])
            .output()
            .unwrap();
        assert!(help.status.success(), "{command} --help");
    }
    let makefile = fs::read_to_string("Makefile").unwrap();
    for line in readme.lines().filter(|line| line.starts_with("make ")) {
        let target = line.split_whitespace().nth(1).unwrap();
        assert!(makefile.contains(&format!("\n{target}:")), "no target {target}");
    }
}
