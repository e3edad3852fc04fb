//! Diagnostics in three voices: Evenkeel's own with the line underlined, keepalived's and nginx's
//! in the form that people's tools match on; and as JSON.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::diagnostic::{Diagnostic, Severity};
use super::source::SourceMap;
use super::span::Span;

/// Evenkeel's voice: message, file, line, column, the line underlined, help. Ends with a newline.
pub fn evenkeel(sources: &SourceMap, diagnostic: &Diagnostic, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let level = match diagnostic.severity {
        Severity::Note => Level::NOTE,
        Severity::Warning => Level::WARNING,
        Severity::Error | Severity::Fatal => Level::ERROR,
    };
    let excerpts = excerpts(sources, diagnostic);
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for excerpt in &excerpts {
        let snippet = Snippet::source(excerpt.text.as_str())
            .path(excerpt.path.as_str())
            .line_start(excerpt.line)
            .annotation(excerpt.kind.span(excerpt.range.clone()).label(excerpt.label.as_str()));
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group]) + "\n"
}

/// keepalived's voice: `(FILE: Line N) message`, a line or two, without the newlines.
pub fn keepalived(sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<String> {
    let place = diagnostic.span().map_or_else(String::new, |span| {
        format!("({}: Line {}) ", sources.path(span.file).display(), sources.place(span).line)
    });
    let words = diagnostic.before.iter().chain([&diagnostic.message]);
    words.map(|words| format!("{place}{words}")).collect()
}

/// The code of a folder where a file should be: the one thing of which nginx says `crit`.
pub const NGINX_FOLDER: &str = "nginx/folder";
/// nginx cuts what it says of a line of its configuration, before the line's place.
const NGINX_LONGEST: usize = 1024;

/// nginx's voice: `nginx: [emerg] message in FILE:LINE`, without the newline.
pub fn nginx(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Note => "notice",
        Severity::Warning => "warn",
        _ if diagnostic.code == NGINX_FOLDER => "crit",
        Severity::Error | Severity::Fatal => "emerg",
    };
    format!("nginx: [{level}] {}", nginx_words(sources, diagnostic))
}

/// The same without program and level, as it stands in nginx's error log.
pub fn nginx_words(sources: &SourceMap, diagnostic: &Diagnostic) -> String {
    let message = &diagnostic.message;
    let Some(span) = diagnostic.span() else { return message.clone() };
    // Of what the system said, the end is what counts.
    let most = if message.contains(" failed (") { message.len() } else { NGINX_LONGEST };
    let starts = message.char_indices().map(|(at, _)| at).take_while(|at| *at <= most);
    let end = if message.len() <= most { message.len() } else { starts.last().unwrap_or(0) };
    let message = &message[..end];
    let path = sources.path(span.file);
    // What `-g` says has no lines.
    if path == Path::new("command line") {
        return format!("{message} in command line");
    }
    format!("{message} in {}:{}", path.display(), sources.place(span).line)
}

/// One diagnostic as JSON: code, severity, message, help, and the labels with their places.
pub fn json(sources: &SourceMap, diagnostic: &Diagnostic) -> serde_json::Value {
    #[derive(Serialize)]
    struct Out<'a> {
        code: &'a str,
        severity: Severity,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
        labels: Vec<OutLabel<'a>>,
    }
    #[derive(Serialize)]
    struct OutLabel<'a> {
        file: String,
        line: usize,
        column: usize,
        #[serde(skip_serializing_if = "str::is_empty")]
        text: &'a str,
    }
    let labels = diagnostic.labels.iter().map(|label| {
        let place = sources.place(label.span);
        OutLabel {
            file: sources.path(label.span.file).display().to_string(),
            line: place.line,
            column: place.column,
            text: &label.text,
        }
    });
    let out = Out {
        code: diagnostic.code,
        severity: diagnostic.severity,
        message: &diagnostic.message,
        help: diagnostic.help.as_deref(),
        labels: labels.collect(),
    };
    serde_json::to_value(out).unwrap_or_default()
}

struct Excerpt {
    path: String,
    line: usize,
    text: String,
    range: std::ops::Range<usize>,
    kind: AnnotationKind,
    label: String,
}

/// The line of each label, as text that can be shown: config files may hold any bytes.
fn excerpts(sources: &SourceMap, diagnostic: &Diagnostic) -> Vec<Excerpt> {
    let mut excerpts = Vec::new();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        excerpts.extend(excerpt(sources, label.span, kind, label.text.clone()));
        if let Some(expansion) = sources.expansion(label.span.origin) {
            let text = format!("`{}` is defined here", expansion.name);
            excerpts.extend(excerpt(sources, expansion.definition, AnnotationKind::Context, text));
        }
    }
    excerpts
}

/// A line longer than this is shown only around the place.
const WIDEST: usize = 160;

fn excerpt(
    sources: &SourceMap,
    span: Span,
    kind: AnnotationKind,
    label: String,
) -> Option<Excerpt> {
    let file = sources.file(span.file)?;
    let bytes = &file.bytes;
    let start = (span.start as usize).min(bytes.len());
    let line_start = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line_end =
        bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| start + n);
    let end = (span.end as usize).clamp(start, line_end);
    let from = line_start.max(start.saturating_sub(WIDEST));
    let to = line_end.min(end.min(start + WIDEST) + WIDEST);
    let shown = |range| printable(&sources.shown(span.file, range));
    let before = shown(from..start);
    let marked = shown(start..end.min(to));
    let after = shown(end.min(to)..to);
    let after = after.trim_end();
    // An empty place is shown at the character that stands there.
    let width = match marked.len() {
        0 => after.chars().next().map_or(1, char::len_utf8),
        width => width,
    };
    let range = before.len()..before.len() + width;
    let mut text = before + &marked + after;
    if text.len() < range.end {
        text.push(' ');
    }
    Some(Excerpt {
        path: file.path.display().to_string(),
        line: sources.place(span).line,
        text,
        range,
        kind,
        label,
    })
}

/// Control characters and bytes that aren't UTF-8 would upset a terminal; tabs stay.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
}
