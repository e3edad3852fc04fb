//! keepalived's dialect: keepalived.conf as people have it, read the way keepalived reads it.
//!
//! [`expand`] turns files into lines (includes, comments, `$VAR`, `@condition`, `~SEQ`), [`words`]
//! lines into words and braces, [`parse`] those into a tree; the tables in [`keywords`] say what
//! may stand where and store it in a [`config`]; [`lower`] makes a
//! [`VrrpPlan`](crate::plan::VrrpPlan) of that. As in keepalived a bad line costs that line, and
//! only what keepalived refuses to start with ([`Severity::Fatal`](crate::text::Severity::Fatal))
//! stops all. Read [`keywords`] next, then [`lower`].

mod command;
pub mod config;
mod expand;
mod include;
pub mod iproute;
pub mod keywords;
mod line;
mod lower;
mod parse;
mod sequence;
mod words;

use std::path::Path;

pub use config::KeepalivedConfig;
pub use expand::Limits;
pub use lower::{lower, lower_checkers};

use crate::host::Host;
use crate::text::{Diagnostic, Diagnostics, Severity, SourceMap, Span};

/// Reads the config at `path` with all that it includes. `config_id` is `-i`'s; without it the
/// first part of the host's name is compared with `@conditions`.
///
/// A file that isn't there is no error, as with keepalived: the config is then empty, with a
/// warning.
pub fn read(
    sources: &mut SourceMap,
    path: &Path,
    config_id: Option<&str>,
    host: &dyn Host,
) -> (KeepalivedConfig, Diagnostics) {
    read_within(Limits::default(), sources, path, config_id, host)
}

/// [`read`] with limits other than the usual ones.
pub fn read_within(
    limits: Limits,
    sources: &mut SourceMap,
    path: &Path,
    config_id: Option<&str>,
    host: &dyn Host,
) -> (KeepalivedConfig, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut config = KeepalivedConfig::default();
    config.names = iproute::Names::read(host);
    let bytes = match host.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    format!("Config files missing '{}'.", path.display())
                }
                _ => include::problem(path, &error),
            };
            diagnostics.push(Diagnostic::warning("keepalived/file", message));
            return (config, diagnostics);
        }
    };
    let hostname = host.hostname();
    let id = config_id.unwrap_or_else(|| hostname.split('.').next().unwrap_or_default());
    let expander = expand::Expander::new(sources, host, &mut diagnostics, id, limits);
    let lines = expander.read(path, bytes);
    let mut statements = Vec::new();
    for line in &lines {
        words::split(line, keywords::takes_command, &mut statements, &mut diagnostics);
    }
    drop(lines);
    for statement in &statements {
        if let Some(keyword) = statement.words.first().filter(|word| words::secret(&word.text)) {
            statement.words[1..].iter().for_each(|word| sources.conceal(word.span));
            // A quote that nothing ends leaves no word behind.
            sources.conceal(rest_of_line(sources, keyword.span));
        }
    }
    let mut grammar = keywords::Keywords::default();
    let nodes = parse::parse(statements, &mut grammar, &mut diagnostics);
    keywords::set(&nodes, &mut config, &mut diagnostics);
    config.fatal = diagnostics.worst() == Some(Severity::Fatal);
    (config, diagnostics)
}

fn rest_of_line(sources: &SourceMap, span: Span) -> Span {
    let bytes = sources.file(span.file).map_or(&[][..], |file| &file.bytes);
    let from = (span.end as usize).min(bytes.len());
    let length = bytes[from..].iter().position(|byte| *byte == b'\n');
    Span::new(span.file, from, from + length.unwrap_or(bytes.len() - from))
}

/// What `keepalived -t` comes to say: nothing of what lies behind a line that it can't read on from,
/// and nothing about such a config as a whole.
pub fn config_test_says(diagnostics: &Diagnostics) -> impl Iterator<Item = &Diagnostic> {
    let ends = |it: &Diagnostic| {
        it.severity == Severity::Fatal && it.code == "keepalived/missing-parameter"
    };
    // Lines are looked at in their order, so that the first such complaint is the first such line.
    let last = diagnostics.iter().position(ends);
    let end = diagnostics.iter().find(|it| ends(it)).and_then(Diagnostic::span);
    let said = diagnostics.iter().take(last.map_or(usize::MAX, |last| last + 1));
    // What is wrong with the words themselves was complained of before.
    said.filter(move |diagnostic| match (end, diagnostic.span()) {
        (Some(end), Some(span)) if span.file == end.file => span.start <= end.start,
        _ => true,
    })
}

/// What `keepalived -t` exits with after these complaints: 0 nothing that matters, 2 a line that
/// it can't read on from, 5 errors, 6 scripts that nothing guards, or a file that must be included
/// and can't.
pub fn config_test_exit(diagnostics: &Diagnostics) -> u8 {
    let any = |code: &str| diagnostics.iter().any(|diagnostic| diagnostic.code == code);
    let fatal = |code: &str| {
        let mut of_code = diagnostics.iter().filter(|diagnostic| diagnostic.code == code);
        of_code.any(|diagnostic| diagnostic.severity == Severity::Fatal)
    };
    match diagnostics.worst() {
        _ if fatal("keepalived/missing-parameter") => 2,
        _ if is_include_missing(diagnostics) => 6,
        // It ends before it comes to the scripts.
        _ if fatal("keepalived/interface") => 5,
        _ if any("keepalived/script-security") => 6,
        Some(Severity::Error | Severity::Fatal) => 5,
        _ => 0,
    }
}

/// Is there no file where an `include` insists on one? keepalived then ends with 6, with or without
/// `-t`.
pub fn is_include_missing(diagnostics: &Diagnostics) -> bool {
    let mut all = diagnostics.iter();
    all.any(|it| it.code == "keepalived/include" && it.severity == Severity::Fatal)
}
