//! keepalived's keywords: one table per section of its manual, a row per keyword.
//!
//! The rows are the single source for parsing, checking and the support matrix; the setters behind
//! them read words into [`KeepalivedConfig`](super::config::KeepalivedConfig) and complain in
//! keepalived's words. [`read`] reads the single values. Read [`vrrp`] next: it has the keywords
//! that matter most.

mod address;
mod bfd;
mod cursor;
mod encapsulation;
mod global;
mod lvs;
mod read;
mod route;
mod rule;
mod script;
mod track;
mod vrrp;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::config::KeepalivedConfig;
use super::parse::{Grammar, Head};
use crate::directive::check::{Lookup, lookup};
use crate::directive::{Arity, Body, Directive, Repeat, Setter, Support};
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word};

pub(super) use lvs::{server_name, service_name};

pub type Row = Directive<KeepalivedConfig>;

const TABLES: &[&[Row]] = &[
    global::TABLE,
    global::wire::TABLE,
    global::conduct::TABLE,
    global::network::TABLE,
    global::telling::TABLE,
    global::process::TABLE,
    global::lvs::TABLE,
    global::foreign::TABLE,
    vrrp::TABLE,
    vrrp::wire::TABLE,
    vrrp::network::TABLE,
    vrrp::announcing::TABLE,
    vrrp::tracking::TABLE,
    vrrp::telling::TABLE,
    vrrp::group::TABLE,
    script::TABLE,
    track::TABLE,
    lvs::service::TABLE,
    lvs::server::TABLE,
    lvs::sorry::TABLE,
    lvs::group::TABLE,
    lvs::tls::TABLE,
    lvs::timing::TABLE,
    lvs::check::TABLE,
    lvs::http::TABLE,
    bfd::TABLE,
];

/// Every row of every table.
pub fn all() -> impl Iterator<Item = &'static Row> + Clone {
    TABLES.iter().copied().flatten()
}

/// The row of `name` in `context`.
pub(super) fn find(context: &str, name: &[u8]) -> Option<&'static Row> {
    static INDEX: OnceLock<HashMap<(&'static str, &'static str), &'static Row>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let rows = all()
            .flat_map(|row| row.contexts.iter().map(move |context| ((*context, row.name), row)));
        rows.collect()
    });
    index.get(&(context, std::str::from_utf8(name).ok()?)).copied()
}

/// May the words behind this keyword hold a command, with escapes and single quotes?
pub(super) fn takes_command(name: &[u8]) -> bool {
    name == b"script"
        || name.starts_with(b"notify")
        || name.starts_with(b"quorum_")
        || name == b"misc_path"
        || name.ends_with(b"_script")
        || name.ends_with(b"_fifo_script")
}

/// What keepalived's grammar depends on: the tables, and which blocks came before.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    instances: HashSet<Vec<u8>>,
    sessions: HashSet<Vec<u8>>,
    groups: HashSet<Vec<u8>>,
    /// Unknown keywords so far.
    unknown: usize,
}

/// More hints than this nobody reads, and each costs a look at every row.
const MOST_HINTS: usize = 50;

impl Grammar for Keywords {
    fn head(&mut self, context: &str, words: &[Word], diagnostics: &mut Diagnostics) -> Head {
        let name = &words[0];
        let Some(row) = find(context, &name.text) else {
            self.unknown += 1;
            let diagnostic = unknown(name);
            diagnostics.push(match self.unknown <= MOST_HINTS {
                true => hinted(diagnostic, context, name),
                false => diagnostic,
            });
            return Head::Unknown;
        };
        match row.body {
            Body::Block(_) if !self.named(row, words, diagnostics) => Head::Skip,
            Body::Block(inner) => Head::Block(inner),
            Body::Lines | Body::OptionalLines => Head::Lines,
            Body::None => Head::Leaf,
        }
    }
}

impl Keywords {
    /// Whether a block's name is as it must be.
    fn named(&mut self, row: &Row, words: &[Word], diagnostics: &mut Diagnostics) -> bool {
        let keyword = &words[0];
        if !lvs::head(words, diagnostics) {
            return false;
        }
        if row.name == "bfd_instance" {
            if !bfd::head(words, diagnostics) {
                return false;
            }
            if !self.sessions.insert(words[1].text.to_vec()) {
                diagnostics.push(bfd::duplicate(&words[1]));
                return false;
            }
        }
        let complaint = match row.name {
            "vrrp_instance" if words.len() != 2 => Some("vrrp_instance must have a name"),
            "vrrp_sync_group" if words.len() != 2 => {
                Some("vrrp_sync_group must have a name - skipping")
            }
            "track_group" if words.len() != 2 => Some("track_group must have a name - skipping"),
            _ => None,
        };
        if let Some(complaint) = complaint {
            let help = match words.len() {
                1 => format!("write `{} NAME {{`", row.name),
                _ => "a name is one word; put it in quotes if it has blanks".to_owned(),
            };
            let diagnostic = Diagnostic::error("keepalived/name", complaint);
            diagnostics.push(diagnostic.at(keyword.span).help(help));
            return false;
        }
        let (seen, what) = match row.name {
            "vrrp_instance" => (&mut self.instances, "instance"),
            "vrrp_sync_group" => (&mut self.groups, "sync group"),
            _ => return true,
        };
        if !seen.insert(words[1].text.to_vec()) {
            let message = format!("vrrp {what} {} already defined", words[1].lossy());
            let diagnostic = Diagnostic::error("keepalived/duplicate", message);
            diagnostics.push(diagnostic.at(words[1].span).help("this block is not read"));
            return false;
        }
        true
    }
}

fn unknown(name: &Word) -> Diagnostic {
    let message = format!("Unknown keyword '{}'", name.lossy());
    Diagnostic::error("keepalived/unknown-keyword", message).at(name.span)
}

fn hinted(diagnostic: Diagnostic, context: &str, name: &Word) -> Diagnostic {
    let text = name.lossy();
    if text.starts_with('\u{feff}') {
        return diagnostic.help("the file begins with a byte order mark; save it without one");
    }
    if name.is("}") {
        return diagnostic;
    }
    match lookup(all(), context, &text) {
        Lookup::Elsewhere(contexts) => {
            let mut places: Vec<_> =
                contexts.iter().map(|context| format!("`{context}`")).collect();
            places.sort();
            places.dedup();
            places.truncate(3);
            let places = places.join(", ");
            let help = match context {
                "main" => format!("it belongs in {places}; was a block closed too early?"),
                _ => format!("it belongs in {places}, not in `{context}`; is a '}}' missing?"),
            };
            diagnostic.help(help)
        }
        Lookup::Unknown(Some(near)) => diagnostic.help(format!("did you mean `{near}`?")),
        Lookup::Unknown(None) if text.starts_with('$') => {
            diagnostic.help("there is no definition of this name before this line")
        }
        _ => diagnostic,
    }
}

/// Runs the setters over a tree.
pub(super) fn set(nodes: &[Node], config: &mut KeepalivedConfig, diagnostics: &mut Diagnostics) {
    block("main", nodes, false, config, diagnostics);
}

fn block(
    context: &str,
    nodes: &[Node],
    unsupported: bool,
    config: &mut KeepalivedConfig,
    diagnostics: &mut Diagnostics,
) {
    for node in nodes {
        let Some(row) = find(context, &node.name.text) else { continue };
        if !row.arity.takes(node.args.len()) {
            diagnostics.push(missing_parameter(&node.name, &node.name, 2));
            continue;
        }
        if row.body == Body::Lines && row.args.is_empty() {
            diagnostics.extend(extra_parameters(node));
        }
        (row.set)(config, node, diagnostics);
        // What costs the whole instance is said once, when the instance is left out.
        if !unsupported {
            diagnostics.extend(warning(row, node));
        }
        if let (Body::Block(inner), Some(body)) = (row.body, &node.body) {
            // What is said about a block holds for all that stands in it.
            let unsupported = unsupported || matches!(row.support, Support::Refused(_));
            block(inner, body, unsupported, config, diagnostics);
            closed(inner, config, node, diagnostics);
        }
    }
}

/// The brace that ends a block.
fn end(node: &Node) -> Span {
    Span { start: node.span.end.saturating_sub(1), ..node.span }
}

/// What is to be said, or done, where a block of `context` ends.
fn closed(
    context: &str,
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    match context {
        "bfd_instance" => bfd::closed(config, node, diagnostics),
        "vrrp_script" => script::closed(config, node),
        "track_file" | "vrrp_track_file" => {
            let name = node.args.first().map(|name| name.lossy().into_owned());
            config.checkers.files.extend(name);
        }
        _ => lvs::closed(context, config, node, diagnostics),
    }
}

/// Words between the keyword and its block of lines.
fn extra_parameters(node: &Node) -> Option<Diagnostic> {
    let (keyword, text) = (node.name.lossy(), node.args.first()?.lossy());
    let message = format!("Block {keyword} has extra parameters {text} ...");
    let help = format!("write `{keyword} {{`, and what belongs to it on the lines below");
    let diagnostic = Diagnostic::error("keepalived/extra-parameter", message);
    Some(diagnostic.at(read::args_span(node)).help(help))
}

/// keepalived doesn't start with such a line. `line`: its first word; `position`: which word isn't
/// there, from 1.
fn missing_parameter(line: &Word, keyword: &Word, position: usize) -> Diagnostic {
    let (line, name) = (line.lossy(), keyword.lossy());
    let message = format!(
        "*** Configuration line starting `{line}` is missing a parameter after keyword `{name}` at \
         word position {position}"
    );
    let help = "keepalived doesn't start with such a line, and neither does Evenkeel";
    Diagnostic::fatal("keepalived/missing-parameter", message).at(keyword.span).help(help)
}

/// A keyword that does less than its author may think is named.
fn warning(row: &Row, node: &Node) -> Option<Diagnostic> {
    let name = row.name;
    match row.support {
        Support::Refused(why) => {
            let message = format!("`{name}` is not supported yet: {why}");
            Some(Diagnostic::warning("keepalived/unsupported", message).at(node.name.span))
        }
        Support::Ignored(why) => {
            let message = format!("`{name}` has no effect: {why}");
            let severity = crate::text::Severity::Note;
            Some(Diagnostic::new(severity, "keepalived/ignored", message).at(node.name.span))
        }
        _ => None,
    }
}

/// The setter of keywords that nothing is stored of.
pub(super) fn nothing(_: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {}

/// The rows' short form: a row, then what differs from the usual.
impl Row {
    const fn of(
        contexts: &'static [&'static str],
        name: &'static str,
        args: &'static str,
        summary: &'static str,
    ) -> Row {
        Directive {
            name,
            contexts,
            arity: if args.is_empty() || args.as_bytes()[0] == b'[' {
                Arity::Any
            } else {
                Arity::AtLeast(1)
            },
            args,
            body: Body::None,
            repeat: Repeat::Replaces,
            inherited: false,
            default: None,
            since: None,
            summary,
            support: Support::Refused("Evenkeel doesn't do this part of keepalived yet"),
            set: nothing,
        }
    }

    const fn full(self, set: Setter<KeepalivedConfig>) -> Row {
        Directive { support: Support::Full, set, ..self }
    }

    const fn partial(self, what: &'static str, set: Setter<KeepalivedConfig>) -> Row {
        Directive { support: Support::Partial(what), set, ..self }
    }

    const fn ignored(self, why: &'static str) -> Row {
        Directive { support: Support::Ignored(why), ..self }
    }

    const fn refused(self, why: &'static str) -> Row {
        Directive { support: Support::Refused(why), ..self }
    }

    const fn set(self, set: Setter<KeepalivedConfig>) -> Row {
        Directive { set, ..self }
    }

    /// keepalived takes the keyword without a word behind it, or complains in words of its own.
    const fn bare(self) -> Row {
        Directive { arity: Arity::Any, ..self }
    }

    const fn needs_one(self) -> Row {
        Directive { arity: Arity::AtLeast(1), ..self }
    }

    const fn default(self, default: &'static str) -> Row {
        Directive { default: Some(default), ..self }
    }

    const fn block(self, context: &'static str) -> Row {
        Directive { body: Body::Block(context), repeat: Repeat::Adds, ..self }
    }

    const fn lines(self) -> Row {
        Directive { body: Body::Lines, repeat: Repeat::Adds, arity: Arity::Any, ..self }
    }

    const fn adds(self) -> Row {
        Directive { repeat: Repeat::Adds, ..self }
    }

    /// Not in Debian's 2.2.7; the version that we know to have it.
    const fn newer(self) -> Row {
        Directive { since: Some("2.4"), ..self }
    }
}
