//! Words → a tree, with includes put in their place.
//!
//! nginx runs each directive as it reads it and stops at the first error, so an unclosed quote in
//! line 9 is only ever seen when lines 1 to 8 are right. Here the whole tree is read first; each
//! lexical problem remembers how many directives came before it, and [`walk`](super::walk) reports
//! it at that point. Observed on nginx 1.22.

use std::path::{Path, PathBuf};

use super::token::{Token, Tokens};
use crate::host::Host;
use crate::text::{Diagnostic, Node, SourceMap, Span, Word, render};

/// Blocks deeper than this are refused: nothing real comes near it, and the tree is walked and
/// dropped by recursion.
const DEEPEST: usize = 128;
/// Files that include each other deeper than this include themselves.
const DEEPEST_INCLUDE: usize = 64;
/// More files than this are not read, whatever includes them.
const MOST_FILES: usize = 10_000;
/// After so many lexical problems a file isn't a config file.
const MOST_PROBLEMS: usize = 64;

/// The name that stands for a file in what `-g` says.
pub(super) const COMMAND_LINE: &str = "command line";

/// What was read, in nginx's order of execution.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) nodes: Vec<Node>,
    /// Of each node in that order, the `;` or `{` at which nginx runs it.
    pub(super) terminators: Vec<Span>,
    /// Lexical problems, each with the number of nodes that come before it.
    pub(super) problems: Vec<(usize, Diagnostic)>,
}

/// Reads config text with everything that it includes.
pub(super) struct Parser<'a> {
    pub(super) sources: &'a mut SourceMap,
    pub(super) host: &'a dyn Host,
    /// Where relative includes start: the folder of nginx.conf.
    pub(super) folder: PathBuf,
    pub(super) parsed: Parsed,
    depth: usize,
    files: usize,
    /// Something was so wrong that reading on would only mislead.
    stopped: bool,
}

/// A directive whose `;` or `{` hasn't come yet.
#[derive(Default)]
struct Statement {
    words: Vec<Word>,
    /// A lexical problem was reported in it, so it isn't checked any further.
    broken: bool,
}

/// A block whose `}` hasn't come yet.
struct OpenBlock {
    head: Option<(Word, Vec<Word>)>,
    nodes: Vec<Node>,
    open: Span,
}

impl<'a> Parser<'a> {
    pub(super) fn new(sources: &'a mut SourceMap, host: &'a dyn Host, folder: PathBuf) -> Self {
        let parsed = Parsed::default();
        Parser { sources, host, folder, parsed, depth: 0, files: 0, stopped: false }
    }

    /// nginx.conf itself. An unreadable one is a problem without a place.
    pub(super) fn main_file(&mut self, path: &Path) {
        match self.host.read(path) {
            Ok(bytes) => self.text(path.to_path_buf(), bytes),
            Err(error) => {
                let problem = Diagnostic::fatal(unreadable(&error), open_failed(path, &error));
                self.parsed.problems.push((self.parsed.terminators.len(), problem));
            }
        }
    }

    /// What `-g` says.
    pub(super) fn command_line(&mut self, text: &str) {
        self.text(PathBuf::from(COMMAND_LINE), text.as_bytes().to_vec());
    }

    fn text(&mut self, path: PathBuf, bytes: Vec<u8>) {
        let nodes = self.file(path, bytes);
        self.parsed.nodes.extend(nodes);
    }

    fn file(&mut self, path: PathBuf, bytes: Vec<u8>) -> Vec<Node> {
        self.files += 1;
        let file = self.sources.add(path, bytes.clone());
        let command_line = self.sources.path(file) == Path::new(COMMAND_LINE);
        let mut tokens = Tokens::new(file, &bytes);
        let mut blocks = vec![OpenBlock { head: None, nodes: Vec::new(), open: Span::default() }];
        let mut statement = Statement::default();
        let before = self.parsed.problems.len();
        // Braces that opened nothing; each pardons one that closes nothing.
        let mut stray = 0usize;
        while !self.stopped && self.parsed.problems.len() < before + MOST_PROBLEMS {
            match tokens.next() {
                Token::Word(word) => statement.words.push(word),
                Token::End(span) => {
                    let Statement { words, broken } = std::mem::take(&mut statement);
                    if words.is_empty() && !broken {
                        self.unexpected(";", span);
                    } else if !broken {
                        self.simple(&mut blocks, words, span);
                    }
                }
                Token::Open(span) => {
                    let Statement { words, .. } = std::mem::take(&mut statement);
                    if words.is_empty() {
                        self.unexpected("{", span);
                        stray += 1;
                    } else if command_line {
                        let message = "block directives are not supported in -g option";
                        self.problem("nginx/block-in-g", message, span);
                        self.stopped = true;
                    } else if blocks.len() > DEEPEST {
                        let message = format!("blocks are nested deeper than {DEEPEST}");
                        self.problem("nginx/too-deep", message, span);
                        break;
                    } else {
                        self.parsed.terminators.push(span);
                        let mut words = words.into_iter();
                        let head = words.next().map(|name| (name, words.collect()));
                        blocks.push(OpenBlock { head, nodes: Vec::new(), open: span });
                    }
                }
                Token::Close(span) => {
                    let pending = std::mem::take(&mut statement);
                    if !pending.words.is_empty() {
                        self.unexpected("}", span);
                    }
                    if stray > 0 {
                        stray -= 1;
                    } else if blocks.len() > 1 {
                        close(&mut blocks, span);
                    } else if pending.words.is_empty() {
                        self.unexpected("}", span);
                    }
                }
                Token::Eof { span, in_quotes } => {
                    self.end_of_file(span, in_quotes, &statement, &blocks, command_line);
                    break;
                }
                Token::AfterQuote(byte, span) => {
                    let byte = String::from_utf8_lossy(&[byte]).into_owned();
                    self.unexpected(&byte, span);
                    statement.broken = true;
                }
                Token::TooLong(begins, span) => {
                    let begins = String::from_utf8_lossy(&begins).into_owned();
                    let message = format!("too long parameter \"{begins}...\" started");
                    self.problem("nginx/too-long", message, span);
                    statement.broken = true;
                }
                Token::Unclosed(quote, span) => {
                    let message = format!(
                        "too long parameter, probably missing terminating \"{}\" character",
                        quote as char
                    );
                    self.problem("nginx/unclosed-quote", message, span);
                    self.stopped = true;
                }
            }
        }
        // Blocks that were never closed keep what was read of them.
        while blocks.len() > 1 {
            let end = Span::new(file, bytes.len(), bytes.len());
            close(&mut blocks, end);
        }
        blocks.pop().map(|block| block.nodes).unwrap_or_default()
    }

    fn simple(&mut self, blocks: &mut [OpenBlock], mut words: Vec<Word>, end: Span) {
        let Some(block) = blocks.last_mut() else { return };
        if words.len() == 2 && words[0].is("include") {
            let nodes = self.include(&words[1], end);
            block.nodes.extend(nodes);
            return;
        }
        let name = words.remove(0);
        let span = name.span.to(end);
        self.parsed.terminators.push(end);
        block.nodes.push(Node { name, args: words, body: None, span });
    }

    fn include(&mut self, pattern: &Word, end: Span) -> Vec<Node> {
        let path = self.folder.join(PathBuf::from(pattern.lossy().into_owned()));
        let text = path.to_string_lossy().into_owned();
        let paths = if text.contains(['*', '?', '[']) { self.host.glob(&text) } else { vec![path] };
        let mut nodes = Vec::new();
        for path in paths {
            if self.depth == DEEPEST_INCLUDE || self.files == MOST_FILES {
                let message =
                    format!("open() \"{}\" failed (24: Too many open files)", path.display());
                self.problem("nginx/include-loop", message, pattern.span);
                self.last_problem_help("do the files include each other in a circle?");
                self.stopped = true;
            }
            if self.stopped {
                break;
            }
            match self.host.read(&path) {
                Ok(bytes) => {
                    self.depth += 1;
                    nodes.extend(self.file(path, bytes));
                    self.depth -= 1;
                }
                Err(error) => {
                    let place = same_line(self.sources, pattern.span, end);
                    self.problem(unreadable(&error), open_failed(&path, &error), place);
                }
            }
        }
        nodes
    }

    fn end_of_file(
        &mut self,
        span: Span,
        in_quotes: bool,
        statement: &Statement,
        blocks: &[OpenBlock],
        command_line: bool,
    ) {
        if !statement.words.is_empty() || in_quotes {
            if command_line {
                let message = "unexpected end of parameter, expecting \";\"";
                self.problem("nginx/unexpected-end", message, span);
            } else {
                let message = "unexpected end of file, expecting \";\" or \"}\"";
                self.problem("nginx/unexpected-end", message, span);
                if let Some(first) = statement.words.first() {
                    self.last_problem_label(first.span, "this is never ended");
                }
            }
        } else if blocks.len() > 1 {
            self.problem("nginx/unexpected-end", "unexpected end of file, expecting \"}\"", span);
            if let Some(block) = blocks.last() {
                self.last_problem_label(block.open, "this block is never closed");
            }
        }
        if command_line && !self.parsed.problems.is_empty() {
            self.stopped = true;
        }
    }

    fn unexpected(&mut self, what: &str, span: Span) {
        self.problem("nginx/unexpected", format!("unexpected \"{what}\""), span);
    }

    fn problem(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        let problem = Diagnostic::error(code, message).at(span);
        self.parsed.problems.push((self.parsed.terminators.len(), problem));
    }

    fn last_problem_label(&mut self, span: Span, text: &str) {
        if let Some((_, problem)) = self.parsed.problems.pop() {
            let at = self.parsed.terminators.len();
            self.parsed.problems.push((at, problem.label(span, text)));
        }
    }

    fn last_problem_help(&mut self, help: &str) {
        if let Some((at, problem)) = self.parsed.problems.pop() {
            self.parsed.problems.push((at, problem.help(help)));
        }
    }
}

/// The end of the innermost block: it becomes a node of the block around it.
fn close(blocks: &mut Vec<OpenBlock>, span: Span) {
    let Some(OpenBlock { head, nodes, .. }) = blocks.pop() else { return };
    if let (Some((name, args)), Some(outer)) = (head, blocks.last_mut()) {
        let span = name.span.to(span);
        outer.nodes.push(Node { name, args, body: Some(nodes), span });
    }
}

/// nginx opens a folder before it finds that there is nothing to read, which is another level.
fn unreadable(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::IsADirectory {
        render::NGINX_FOLDER
    } else {
        "nginx/unreadable"
    }
}

fn open_failed(path: &Path, error: &std::io::Error) -> String {
    let call = if error.kind() == std::io::ErrorKind::IsADirectory { "pread" } else { "open" };
    let path = path.display();
    match error.raw_os_error() {
        Some(code) => {
            let reason = nix::errno::Errno::from_raw(code).desc();
            format!("{call}() \"{path}\" failed ({code}: {reason})")
        }
        None => format!("open() \"{path}\" failed ({error})"),
    }
}

/// Where nginx says a directive's problem is: in the line of its `;` or `{`. As long as the word
/// itself stands in that line, the word is the better place to point at.
pub(super) fn same_line(sources: &SourceMap, word: Span, terminator: Span) -> Span {
    let between = sources.file(word.file).filter(|_| word.file == terminator.file);
    let between = between
        .and_then(|file| file.bytes.get(word.start as usize..terminator.start as usize))
        .unwrap_or_default();
    if between.contains(&b'\n') { terminator } else { word }
}
