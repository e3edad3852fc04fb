//! A complaint about config text, as data. [`render`](super::render) words it.

use serde::Serialize;

use super::span::Span;

/// How bad it is. The order is the order of badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// The line runs differently from what its author may expect, or not at all.
    Warning,
    /// The real program complains and its `-t` fails. In keepalived's dialect the line is lost and
    /// the rest runs; in nginx's dialect nothing runs.
    Error,
    /// Nothing can run with this.
    Fatal,
}

/// A place that a diagnostic points at, and a word about it.
#[derive(Clone, Debug)]
pub struct Label {
    pub span: Span,
    /// May be empty: the place alone says enough.
    pub text: String,
}

/// One complaint.
///
/// `message` is worded as the real program words it wherever other people's tools match on that;
/// `help` is ours.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Stable, for scripts and for the manual: `keepalived/unknown-keyword`.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// What keepalived says of it in a line of its own, before the message.
    pub before: Option<String>,
    /// The first is the place that the message is about; may be empty (a file that can't be read).
    pub labels: Vec<Label>,
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity,
            message: message.into(),
            before: None,
            labels: Vec::new(),
            help: None,
        }
    }

    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    pub fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Fatal, code, message)
    }

    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.labels.push(Label { span, text: String::new() });
        self
    }

    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    #[must_use]
    pub fn after(mut self, before: impl Into<String>) -> Self {
        self.before = Some(before.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The place that the message is about.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// All complaints of one load, in the order they were found.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The worst severity, if there is any complaint.
    pub fn worst(&self) -> Option<Severity> {
        self.iter().map(|diagnostic| diagnostic.severity).max()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
