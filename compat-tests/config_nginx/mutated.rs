//! Mistakes that nobody wrote on purpose: configs with words and statements swapped, lost, repeated
//! and out of range, shown to Debian's nginx and to Evenkeel with `-t`.
//!
//! `EVENKEEL_SEED=n` plays other ones, `EVENKEEL_MUTATIONS=n` more of them.

use std::path::Path;
use std::process::Command;

use super::face::{Answer, MODULE, enter_world};
use super::{FOLDER, cases, disagreements, same};
use crate::world::random::Random;

const SEED: u64 = 7;
const MUTATIONS: u64 = 300;
/// In hundredths: how often both have to end with the same exit code, and to stop at the same.
const VERDICTS: usize = 99;
const MESSAGES: usize = 97;

const NGINX: &str = "/usr/sbin/nginx";

/// What Evenkeel does otherwise with a reason: what one of them alone knows, and what isn't served.
const APART: [&str; 5] = ["by evenkeel", "http", "mail", "load_module", "include"];

#[test]
fn mutated_configs_get_the_verdict_of_nginx() {
    let corpus = corpus();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("EVENKEEL_SEED").unwrap_or(SEED);
    let count: u64 = number("EVENKEEL_MUTATIONS").unwrap_or(MUTATIONS);
    let scratch = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            enter_world(scratch.path()).unwrap();
            compare(&corpus, seed, count, scratch.path());
        });
    });
}

fn compare(corpus: &Corpus, seed: u64, count: u64, scratch: &Path) {
    let (mut compared, mut verdicts, mut messages) = (0, Vec::new(), Vec::new());
    for at in 0..count {
        let text = corpus.mutated(&mut Random(seed << 32 | at));
        std::fs::write(scratch.join("nginx.conf"), &text).unwrap();
        let theirs = ask(Path::new(NGINX), scratch);
        let ours = ask(&scratch.join("nginx"), scratch);
        assert!([0, 1].contains(&ours.code), "seed {seed}, config {at}: {ours}\n{text}");
        if APART.iter().any(|word| text.contains(word) || ours.text.contains(word)) {
            continue;
        }
        compared += 1;
        let said = || format!("== {at}: nginx: {theirs}ours: {ours}{text}");
        if ours.code != theirs.code {
            verdicts.push(said());
        } else if !same(&ours.error(), &theirs.error()) {
            messages.push(said());
        }
    }
    println!("{}\n-- the verdict is the same:\n{}", verdicts.join("\n"), messages.join("\n"));
    let agreed = compared - verdicts.len();
    let same = agreed - messages.len();
    println!("seed {seed}: of {compared}, {agreed} verdicts agree, {same} messages too");
    assert!(agreed * 100 >= VERDICTS * compared, "only {agreed} of {compared} verdicts agree");
    assert!(same * 100 >= MESSAGES * compared, "only {same} of {compared} messages agree");
    assert!(compared as u64 * 2 > count, "only {compared} of {count} say anything");
}

fn ask(program: &Path, scratch: &Path) -> Answer {
    let mut command = Command::new("timeout");
    command.arg("10").arg(program).args(["-t", "-e", "/dev/null", "-c", "nginx.conf", "-p"]);
    let output = command.arg(scratch).args(["-g", MODULE]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let text = text.replace(&*scratch.to_string_lossy(), "PREFIX");
    Answer { code: output.status.code().unwrap_or(-1), text }
}

/// The recorded configs on which both agree, a statement per line, and all words in them.
struct Corpus {
    configs: Vec<Vec<String>>,
    statements: Vec<String>,
    words: Vec<String>,
}

fn corpus() -> Corpus {
    let apart = disagreements();
    let mut configs = Vec::new();
    for case in cases() {
        let folder = Path::new(FOLDER).join(&case);
        let newer = folder.join("real-1.30.txt").exists();
        if apart.contains_key(&case) || newer || folder.join("args").exists() {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(folder.join("nginx.conf")) else { continue };
        // What is lost of quotes and comments is no matter, as long as there are few.
        if text.len() < 3_000 && !text.contains(['\0', '#']) && text.contains("stream") {
            configs.push(lines(&text));
        }
    }
    let is_statement = |line: &&String| line.ends_with(';');
    let statements: Vec<String> = configs.iter().flatten().filter(is_statement).cloned().collect();
    let words = configs.iter().flatten().flat_map(|line| line.split_whitespace());
    let words = words.filter(|word| !"{};".contains(word)).map(str::to_owned).collect();
    Corpus { configs, statements, words }
}

/// `a b; c { d; }` → `a b ;`, `c {`, `d ;`, `}`
fn lines(text: &str) -> Vec<String> {
    let (mut lines, mut line, mut quote) = (Vec::new(), String::new(), None);
    for character in text.chars() {
        match (character, quote) {
            (ending, Some(open)) if ending == open => quote = None,
            ('"' | '\'', None) => quote = Some(character),
            (';' | '{' | '}', None) => {
                lines.push(format!("{} {character}", line.trim()).trim().to_owned());
                line.clear();
                continue;
            }
            _ => {}
        }
        line.push(if character == '\n' { ' ' } else { character });
    }
    lines.push(line.trim().to_owned());
    lines.retain(|line| !line.is_empty());
    lines
}

impl Corpus {
    fn mutated(&self, random: &mut Random) -> String {
        let mut lines = self.configs[random.below(self.configs.len() as u64) as usize].clone();
        for _ in 0..1 + random.below(2) {
            let at = random.below(lines.len().max(1) as u64) as usize;
            match random.below(12) {
                0 | 1 => lines.insert(at, pick(&self.statements, random).clone()),
                2 if at < lines.len() => drop(lines.remove(at)),
                3 => {
                    let other = random.below(lines.len().max(1) as u64) as usize;
                    if at < lines.len() {
                        lines.swap(at, other);
                    }
                }
                4 if at < lines.len() => lines.insert(at, lines[at].clone()),
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
            return pick(&self.statements, random).clone();
        }
        let at = random.below(words.len() as u64) as usize;
        match (words[at].parse::<i64>(), random.below(6)) {
            (Ok(number), 0..4) => {
                let edges = [0, 1, -1, 255, 256, 65_535, 65_536, 1 << 32, number - 1];
                words[at] = edges[random.below(edges.len() as u64) as usize].to_string();
            }
            (_, 0) => drop(words.remove(at)),
            (_, 1) => words.insert(at, pick(&self.words, random).clone()),
            (_, 2) => {
                let ends =
                    ["0", "x", ".", ",", "%", "/24", "-", ":1", "\"", "=", "$", "k", "ms", ":"];
                words[at].push_str(ends[random.below(ends.len() as u64) as usize]);
            }
            (_, 3) => {
                words[at].pop();
            }
            _ => words[at].clone_from(pick(&self.words, random)),
        }
        words.join(" ")
    }
}

fn pick<'a>(from: &'a [String], random: &mut Random) -> &'a String {
    &from[random.below(from.len() as u64) as usize]
}
