//! Mistakes that nobody wrote on purpose: configs with words and lines swapped, lost, repeated and
//! out of range, shown to the real keepalived and to Evenkeel with `-t`.
//!
//! `EVENKEEL_SEED=n` plays other ones, `EVENKEEL_MUTATIONS=n` more of them. Needs root and Debian's
//! keepalived.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::world::random::Random;
use super::cell::{Cell, run};

const SEED: u64 = 3;
const MUTATIONS: u64 = 250;
/// In hundredths: how often both have to end with the same exit code.
const GOAL: usize = 98;

/// Lines with these would do something besides being read, or mean another thing at each reading.
const NOT_PLAYED: [&str; 5] =
    ["include", "namespace", "config_save_dir", "_RANDOM", "startup_script"];

#[test]
fn mutated_configs_get_the_verdict_of_keepalived() {
    // A host like that of the recorded configs, but for the addresses.
    let cell = Cell::with_second_network();
    let corpus = corpus();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("EVENKEEL_SEED").unwrap_or(SEED);
    let count: u64 = number("EVENKEEL_MUTATIONS").unwrap_or(MUTATIONS);
    let (mut compared, mut disagreements) = (0, Vec::new());
    for at in 0..count {
        let text = corpus.mutated(&mut Random(seed << 32 | at));
        if NOT_PLAYED.iter().any(|word| text.contains(word)) {
            continue;
        }
        let conf = cell.write("mutated.conf", &text);
        let verdict = |program: &Path| {
            let mut command = Command::new("timeout");
            command.args(["10".as_ref(), program.as_os_str()]).args(["-t", "-l", "-f", &conf]);
            run(&mut command).code
        };
        let ours = verdict(&cell.dir().join("keepalived"));
        // No config makes Evenkeel crash or hang.
        assert!([0, 2, 5, 6].contains(&ours), "seed {seed}, config {at}: exit {ours}\n{text}");
        let theirs = verdict(Path::new("/usr/sbin/keepalived"));
        if ![0, 2, 5, 6].contains(&theirs) {
            // It died of it, or would have gone on for ever.
            continue;
        }
        compared += 1;
        if ours != theirs {
            disagreements.push(format!("config {at}: exit {ours}, keepalived {theirs}\n{text}"));
        }
    }
    let agreed = compared - disagreements.len();
    println!("seed {seed}: {agreed} of {compared} verdicts agree");
    println!("{}", disagreements.join("\n"));
    assert!(agreed * 100 >= GOAL * compared, "{agreed} of {compared} are less than {GOAL} %");
    assert!(compared as u64 * 2 > count, "only {compared} of {count} say anything");
}

/// The recorded configs, and all words and lines in them.
struct Corpus {
    configs: Vec<String>,
    lines: Vec<String>,
    words: Vec<String>,
}

fn corpus() -> Corpus {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keepalived");
    let mut folders: Vec<_> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut configs = Vec::new();
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        // What only 2.4 knows says nothing about agreement with Debian's 2.2.7.
        let differs = fs::read_to_string(folder.join("differs.txt")).unwrap_or_default();
        let text = fs::read(folder.join("keepalived.conf")).unwrap();
        if let Ok(text) = String::from_utf8(text)
            && text.len() < 6_000
            && !text.contains('\0')
            && !differs.contains("2.4")
        {
            configs.push(text);
        }
    }
    let all = || configs.iter().flat_map(|text| text.lines());
    let has_brace = |line: &&str| line.contains(['{', '}']);
    let lines = all().filter(|line| !has_brace(line) && !line.trim().is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    let words = words.map(str::to_owned).collect();
    Corpus { configs, lines, words }
}

impl Corpus {
    fn mutated(&self, random: &mut Random) -> String {
        let mut lines: Vec<String> =
            pick(&self.configs, random).lines().map(str::to_owned).collect();
        for _ in 0..1 + random.below(3) {
            let at = random.below(lines.len().max(1) as u64) as usize;
            match random.below(6) {
                0 => lines.insert(at, pick(&self.lines, random).clone()),
                1 if at < lines.len() => drop(lines.remove(at)),
                2 => {
                    let other = random.below(lines.len().max(1) as u64) as usize;
                    if at < lines.len() {
                        lines.swap(at, other);
                    }
                }
                _ => {
                    if let Some(line) = lines.get_mut(at) {
                        *line = self.other_words(line, random);
                    }
                }
            }
        }
        lines.join("\n") + "\n"
    }

    fn other_words(&self, line: &str, random: &mut Random) -> String {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return pick(&self.lines, random).clone();
        }
        let at = random.below(words.len() as u64) as usize;
        match (words[at].parse::<i64>(), random.below(5)) {
            (Ok(number), 0..3) => {
                let edges = [0, 1, -1, 254, 255, 256, 65_535, 65_536, 1 << 32, number - 1];
                words[at] = edges[random.below(edges.len() as u64) as usize].to_string();
            }
            (_, 0) => drop(words.remove(at)),
            (_, 1) => words.insert(at, pick(&self.words, random).clone()),
            (_, 2) => {
                let ends = ["0", "x", ".", ",", "%", "/24", "-", ":1", "\"", ";"];
                words[at].push_str(ends[random.below(ends.len() as u64) as usize]);
            }
            _ => words[at].clone_from(pick(&self.words, random)),
        }
        words.join(" ")
    }
}

fn pick<'a>(from: &'a [String], random: &mut Random) -> &'a String {
    &from[random.below(from.len() as u64) as usize]
}
