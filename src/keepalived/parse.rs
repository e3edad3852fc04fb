//! From statements to a tree, with keepalived's idea of what a brace belongs to.
//!
//! In keepalived's language the grammar depends on the keywords: a `{` behind a word that isn't
//! known, or that takes no block, is ignored with a complaint, and its `}` then ends the block
//! around it. So the parser asks the tables ([`Grammar`]) about every word that starts a
//! statement. It never gives up: every mistake costs its line.

use super::words::{End, Statement};
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word};

/// What the tables say about the words at the head of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Leaf,
    /// A block of directives of this context.
    Block(&'static str),
    /// A block of free lines.
    Lines,
    /// A block that is read over, because its head is wrong. The complaint was made.
    Skip,
    /// Not a keyword here. The complaint was made.
    Unknown,
}

pub(super) trait Grammar {
    fn head(&mut self, context: &str, words: &[Word], diagnostics: &mut Diagnostics) -> Head;
}

/// Parses all of a config.
pub(super) fn parse(
    statements: Vec<Statement>,
    grammar: &mut dyn Grammar,
    diagnostics: &mut Diagnostics,
) -> Vec<Node> {
    let mut parser =
        Parser { statements, at: 0, open: Vec::new(), extra: None, grammar, diagnostics };
    let mut nodes = Vec::new();
    while parser.at < parser.statements.len() {
        let (block, closed) = parser.block("main");
        nodes.extend(block);
        if let Some(span) = closed {
            parser.unknown_close(span);
        }
    }
    if let Some(outermost) = parser.open.first() {
        let message = format!("There are {} missing '}}'s or extra '{{'s", parser.open.len());
        let diagnostic = Diagnostic::error("keepalived/unclosed", message);
        parser
            .diagnostics
            .push(diagnostic.label(*outermost, "this block is still open at the end"));
    }
    nodes
}

struct Parser<'a> {
    statements: Vec<Statement>,
    at: usize,
    /// Braces that were opened and not closed, whatever they belong to, with the words before them.
    open: Vec<Span>,
    /// The last brace that closes more than was opened, which was said.
    extra: Option<Span>,
    grammar: &'a mut dyn Grammar,
    diagnostics: &'a mut Diagnostics,
}

impl Parser<'_> {
    /// Statements of `context` up to the closing brace, whose place comes back with them.
    fn block(&mut self, context: &'static str) -> (Vec<Node>, Option<Span>) {
        let mut nodes = Vec::new();
        while let Some(statement) = self.next() {
            match statement.end {
                End::Close(span) => return (nodes, Some(span)),
                End::Open(span) if statement.words.is_empty() => self.unexpected_open(span),
                _ => nodes.extend(self.statement(context, statement)),
            }
        }
        (nodes, None)
    }

    fn statement(&mut self, context: &'static str, statement: Statement) -> Option<Node> {
        let head = self.grammar.head(context, &statement.words, self.diagnostics);
        let mut span = statement.span();
        let open = match statement.end {
            End::Open(open) => Some(open),
            _ => None,
        };
        let body = match head {
            Head::Leaf | Head::Unknown => {
                if let Some(open) = open {
                    self.unexpected_open(open);
                }
                None
            }
            Head::Skip => {
                if open.is_some() || self.own_line_open().is_some() {
                    self.skip();
                }
                return None;
            }
            Head::Block(inner) => {
                if open.is_none() && self.own_line_open().is_none() {
                    self.missing_open(&statement.words[0]);
                }
                let (nodes, close) = self.block(inner);
                span = close.map_or(span, |close| span.to(close));
                Some(nodes)
            }
            Head::Lines => {
                // keepalived doesn't miss the brace here, and neither do we.
                let _ = open.or_else(|| self.own_line_open());
                let (nodes, close) = self.lines();
                span = close.map_or(span, |close| span.to(close));
                Some(nodes)
            }
        };
        if head == Head::Unknown {
            return None;
        }
        let mut words = statement.words.into_iter();
        Some(Node { name: words.next()?, args: words.collect(), body, span })
    }

    /// Free lines; a `{` among them is a line of its own.
    fn lines(&mut self) -> (Vec<Node>, Option<Span>) {
        let mut nodes = Vec::new();
        while let Some(statement) = self.next() {
            let span = statement.span();
            let mut words = statement.words.into_iter();
            if let Some(name) = words.next() {
                nodes.push(Node { name, args: words.collect(), body: None, span });
            }
            match statement.end {
                End::Close(span) => return (nodes, Some(span)),
                End::Open(span) => {
                    let name = Word::new("{", span);
                    nodes.push(Node { name, args: Vec::new(), body: None, span });
                }
                End::Line => {}
            }
        }
        (nodes, None)
    }

    /// Reads over a block and the blocks in it.
    fn skip(&mut self) {
        let mut depth = 1;
        while depth > 0 {
            let Some(statement) = self.next() else { return };
            match statement.end {
                End::Open(_) => depth += 1,
                End::Close(_) => depth -= 1,
                End::Line => {}
            }
        }
    }

    fn next(&mut self) -> Option<Statement> {
        let statement = self.statements.get_mut(self.at)?;
        self.at += 1;
        let (words, end) = (std::mem::take(&mut statement.words), statement.end);
        match end {
            End::Open(span) => {
                self.open.push(words.first().map_or(span, |word| word.span.to(span)));
            }
            End::Close(span) if self.open.pop().is_none() => self.extra_close(span),
            End::Close(_) | End::Line => {}
        }
        Some(Statement { words, end })
    }

    /// Takes a `{` that stands on the next line.
    fn own_line_open(&mut self) -> Option<Span> {
        match self.statements.get(self.at) {
            Some(Statement { words, end: End::Open(span) }) if words.is_empty() => {
                self.at += 1;
                self.open.push(*span);
                Some(*span)
            }
            _ => None,
        }
    }

    fn unexpected_open(&mut self, span: Span) {
        let diagnostic = Diagnostic::error("keepalived/brace", "Unexpected '{' - ignoring");
        let help = "its '}' ends the block around it";
        self.diagnostics.push(diagnostic.at(span).help(help));
    }

    /// As in keepalived, the place is where the brace should have stood at the latest.
    fn missing_open(&mut self, keyword: &Word) {
        let message = "Missing '{' at beginning of configuration block";
        let help = format!("`{} … {{` opens the block", keyword.lossy());
        let next = self.statements.get(self.at).map_or(keyword.span, Statement::span);
        let diagnostic = Diagnostic::error("keepalived/brace", message).at(next);
        self.diagnostics.push(diagnostic.label(keyword.span, "the block of this").help(help));
    }

    /// keepalived counts braces, too, without regard to what they belong to: a block whose `{` is
    /// missing leaves one too many at the end.
    fn extra_close(&mut self, span: Span) {
        self.extra = Some(span);
        let diagnostic = Diagnostic::error("keepalived/brace", "Extra '}' found");
        let help =
            "there is no block open here; one of the lines above may have closed it too early";
        self.diagnostics.push(diagnostic.at(span).help(help));
    }

    /// It ends no block; that it is one too many has perhaps been said.
    fn unknown_close(&mut self, span: Span) {
        if self.extra == Some(span) {
            return;
        }
        let diagnostic = Diagnostic::error("keepalived/brace", "Unknown keyword '}'");
        let help = "no block of a known keyword is open here";
        self.diagnostics.push(diagnostic.at(span).help(help));
    }
}
