//! From files to lines: includes, comments, `@condition`, `$VAR`, `~SEQ` and `~LST`.
//!
//! All this happens to text, before there are words: a `$VAR` may hold whole blocks, braces
//! included. Every byte that leaves here knows where it came from ([`Line`]). The work is bounded:
//! definitions that use themselves, or double a hundred times, end with a complaint. Here are the
//! files and the kinds of lines; [`substitute`] replaces the variables on one.

mod substitute;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::include::{self, Checks};
use super::line::Line;
use super::sequence::{self, Sequence};
use crate::host::Host;
use crate::text::{Diagnostic, Diagnostics, Origin, SourceMap, Span};

/// How much one config may grow into.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all lines together, and the steps to get there.
    pub size: usize,
    /// Definitions within definitions, and files within files.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // keepalived's manual has an example of 65,024 instances from one line: some 20 MB.
        Limits { size: 48 << 20, depth: 64 }
    }
}

/// A definition: its lines, and where it stands.
#[derive(Clone, Debug)]
struct Variable {
    lines: Vec<Vec<u8>>,
    origin: Origin,
}

/// What is still to be looked at of a line that became several.
enum Pending {
    Line(Line, usize),
    Sequence(Sequence, Line, Origin, usize),
}

pub(super) struct Expander<'a> {
    sources: &'a mut SourceMap,
    host: &'a dyn Host,
    diagnostics: &'a mut Diagnostics,
    /// What `@word` is compared with.
    config_id: Vec<u8>,
    variables: HashMap<Vec<u8>, Variable>,
    checks: Checks,
    /// The files being read, from the first to the innermost include.
    reading: Vec<PathBuf>,
    limits: Limits,
    left: usize,
    random: u64,
    out: Vec<Line>,
}

impl<'a> Expander<'a> {
    pub(super) fn new(
        sources: &'a mut SourceMap,
        host: &'a dyn Host,
        diagnostics: &'a mut Diagnostics,
        config_id: &str,
        limits: Limits,
    ) -> Self {
        Expander {
            sources,
            host,
            diagnostics,
            config_id: config_id.as_bytes().to_vec(),
            variables: HashMap::new(),
            checks: Checks::default(),
            reading: Vec::new(),
            limits,
            left: limits.size,
            random: 0,
            out: Vec::new(),
        }
    }

    /// Reads the file at `path` with everything it includes.
    pub(super) fn read(mut self, path: &Path, bytes: Vec<u8>) -> Vec<Line> {
        self.file(path.to_owned(), bytes);
        if self.left == 0 {
            let limit = self.limits.size >> 20;
            let message = format!("The expanded configuration is longer than {limit} MiB");
            let span = self.out.last().map(Line::whole).unwrap_or_default();
            let help = "a definition or ~SEQ multiplies itself; what lies behind this is not read";
            self.complain(Diagnostic::fatal("keepalived/expansion", message).at(span).help(help));
        }
        self.out
    }

    fn complain(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn file(&mut self, path: PathBuf, bytes: Vec<u8>) {
        let id = self.sources.add(&path, bytes.clone());
        self.reading.push(path);
        let checks = self.checks;
        let mut definition: Option<(Vec<u8>, Vec<Vec<u8>>, Span)> = None;
        let mut start = 0;
        for raw in bytes.split(|byte| *byte == b'\n') {
            let line = Line::direct(raw, Span::new(id, start, start + raw.len()));
            start += raw.len() + 1;
            let line = self.cleaned(line);
            let continued = raw.trim_ascii_end().last() == Some(&b'\\');
            if let Some((name, mut lines, span)) = definition.take() {
                lines.push(without_backslash(&line.text, continued).trim_ascii().to_vec());
                match continued {
                    true => definition = Some((name, lines, span)),
                    false => self.define(name, lines, span),
                }
            } else if let Some((name, value)) = self.definition(&line).filter(|_| continued) {
                let value = without_backslash(&line.text[value..], true).trim_ascii();
                if !value.is_empty() {
                    let message = "Nothing may stand behind `=` of a multi-line definition";
                    let help = "put the first line of the value on a line of its own";
                    self.complain(
                        Diagnostic::warning("keepalived/definition", message)
                            .at(line.whole())
                            .help(help),
                    );
                }
                definition = Some((name, Vec::new(), line.whole()));
            } else if let Some((checks, at)) = include::keyword(&line.text, self.checks) {
                self.include(&line, at, checks);
            } else if continued {
                self.line(glued(&line));
            } else {
                self.line(line);
            }
            if self.left == 0 {
                break;
            }
        }
        if let Some((name, lines, span)) = definition {
            self.define(name, lines, span);
        }
        self.checks = checks;
        self.reading.pop();
    }

    fn include(&mut self, line: &Line, at: usize, checks: Checks) {
        let pattern = line.text[at..].trim_ascii_end();
        let span = line.span(at..at + pattern.len());
        let pattern = String::from_utf8_lossy(pattern).into_owned();
        let folder = self.reading.last().and_then(|path| path.parent());
        let folder = folder.unwrap_or(Path::new("")).to_owned();
        let host = self.host;
        let mut complaints = Vec::new();
        let found = include::read(&pattern, &folder, checks, span, host, &mut |diagnostic| {
            complaints.push(diagnostic);
        });
        self.diagnostics.extend(complaints);
        for include::Found { path, bytes } in found {
            if self.reading.len() >= self.limits.depth || self.reading.contains(&path) {
                let path = path.display();
                let message = format!(
                    "Configuration file '{path}' open problem (Too many open files) - skipping"
                );
                let help = "the file includes itself, directly or through another";
                let diagnostic = Diagnostic::error("keepalived/include-loop", message);
                self.complain(diagnostic.at(span).help(help));
                continue;
            }
            self.left = self.left.saturating_sub(bytes.len() + 1);
            if self.left == 0 {
                return;
            }
            self.file(path, bytes);
        }
    }

    /// Without the comment, the end of line and anything behind a NUL.
    fn cleaned(&mut self, mut line: Line) -> Line {
        if let Some(at) = line.text.iter().position(|byte| *byte == 0) {
            let message = "A NUL byte ends the line here";
            let span = line.span(at..at + 1);
            // keepalived says nothing of it.
            self.complain(Diagnostic::warning("keepalived/nul", message).at(span));
            line.text.truncate(at);
        }
        let mut quoted = false;
        let mut escaped = false;
        let comment = line.text.iter().position(|byte| {
            match byte {
                b'"' if !(quoted && escaped) => quoted = !quoted,
                b'#' | b'!' if !quoted => return true,
                _ => {}
            }
            escaped = *byte == b'\\' && !escaped;
            false
        });
        let end = line.text[..comment.unwrap_or(line.text.len())].trim_ascii_end().len();
        line.text.truncate(end);
        line
    }

    /// If the line is a definition for this node: the name, and where the value starts.
    fn definition(&self, line: &Line) -> Option<(Vec<u8>, usize)> {
        let at = self.condition(&line.text)?;
        let rest = line.text[at..].strip_prefix(b"$")?;
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        let name = &rest[..equals];
        sequence::is_name(name).then(|| (name.to_vec(), at + 1 + equals + 1))
    }

    fn define(&mut self, name: Vec<u8>, lines: Vec<Vec<u8>>, span: Span) {
        let shown = format!("${}", String::from_utf8_lossy(&name));
        let origin = self.sources.add_expansion(shown, span);
        self.variables.insert(name, Variable { lines, origin });
    }

    /// Where the text behind blanks and `@conditions` that hold starts; `None`: one doesn't hold.
    fn condition(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let blank = text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            at += blank;
            let Some(b'@') = text.get(at) else { return Some(at) };
            at += 1;
            let negated = text.get(at) == Some(&b'^');
            at += usize::from(negated);
            let word = text[at..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
            if (text[at..at + word] == self.config_id[..]) == negated {
                return None;
            }
            at += word;
        }
    }

    /// Expands one line and all lines that it becomes.
    fn line(&mut self, line: Line) {
        let mut pending = vec![Pending::Line(line, 0)];
        while let Some(next) = pending.pop() {
            match next {
                Pending::Line(line, depth) => self.step(line, depth, &mut pending),
                Pending::Sequence(mut sequence, rest, origin, depth) => {
                    let Some(values) = sequence.next() else { continue };
                    // A round costs more than the bytes that it makes.
                    self.left = self.left.saturating_sub(32);
                    for (name, value) in values {
                        self.variables.insert(name, Variable { lines: vec![value], origin });
                    }
                    let line = rest.clone();
                    pending.push(Pending::Sequence(sequence, rest, origin, depth));
                    pending.push(Pending::Line(line, depth));
                }
            }
            if self.left == 0 {
                return;
            }
        }
    }

    fn step(&mut self, line: Line, depth: usize, pending: &mut Vec<Pending>) {
        self.left = self.left.saturating_sub(line.text.len() + 1);
        let Some(at) = self.condition(&line.text) else { return };
        if at == line.text.len() {
            return;
        }
        if let Some((name, value)) = self.definition(&line) {
            let value = line.text[value..].trim_ascii().to_vec();
            return self.define(name, vec![value], line.whole());
        }
        if line.text[at..].starts_with(b"~SEQ") || line.text[at..].starts_with(b"~LST") {
            return self.sequence(&line, at, depth, pending);
        }
        if let Some(line) = self.substituted(&line, at, depth, pending) {
            self.include_check(&line.text);
            self.left = self.left.saturating_sub(line.text.len());
            self.out.push(line);
        }
    }

    fn sequence(&mut self, line: &Line, at: usize, depth: usize, pending: &mut Vec<Pending>) {
        let text = &line.text[at..];
        let Some((sequence, taken)) = sequence::parse(text) else {
            let kind = String::from_utf8_lossy(&text[..4]).into_owned();
            let text = String::from_utf8_lossy(text);
            let message = format!("Invalid {kind} specification '{text}'");
            let help = match kind.as_str() {
                "~SEQ" => {
                    "~SEQ(VARIABLE, START, STEP, END) TEXT; a step that never arrives is wrong too"
                }
                _ => "~LST(VARIABLE, VALUE, …) TEXT or ~LST({A, B}, {1, 2}, …) TEXT",
            };
            let diagnostic = Diagnostic::error("keepalived/sequence", message);
            return self.complain(diagnostic.at(line.span(at..line.text.len())).help(help));
        };
        let span = line.span(at..at + taken);
        let name = String::from_utf8_lossy(&text[..taken]).into_owned();
        let origin = self.sources.add_expansion(name, span);
        pending.push(Pending::Sequence(sequence, line.tail(at + taken), origin, depth));
    }

    /// `include_check` and `random_seed` take effect on what is read behind them.
    fn include_check(&mut self, text: &[u8]) {
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        match words.next() {
            Some(b"include_check") => {
                self.checks = self.checks.read(&words.collect::<Vec<_>>());
            }
            Some(b"random_seed") => {
                let seed =
                    words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
                self.random = seed.unwrap_or(0u64) << 1 | 1;
            }
            _ => {}
        }
    }
}

fn without_backslash(text: &[u8], continued: bool) -> &[u8] {
    let text = text.trim_ascii_end();
    if continued { text.strip_suffix(b"\\").unwrap_or(text) } else { text }
}

/// Outside of a definition keepalived takes a backslash at the end for a part of the last word.
fn glued(line: &Line) -> Line {
    let end = line.text.len();
    let Some(before) = line.text.strip_suffix(b"\\") else { return line.clone() };
    let mut glued = Line::default();
    glued.push_line(line, 0..before.trim_ascii_end().len());
    glued.push_line(line, end - 1..end);
    glued
}
