//! What both dialects parse into: directives with arguments, and blocks of them.

use bstr::BString;

use super::span::Span;

/// One word of config text, unquoted and unescaped. Bytes, not `str`: a password may be Latin-1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: BString,
    pub span: Span,
    /// It stood in quotes: `"on"` is never a keyword or a brace.
    pub quoted: bool,
}

impl Word {
    pub fn new(text: impl Into<BString>, span: Span) -> Self {
        Word { text: text.into(), span, quoted: false }
    }

    /// The word for messages; bytes that aren't UTF-8 show as `\u{FFFD}`.
    pub fn lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    /// The word as `str`, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.text).ok()
    }

    pub fn is(&self, keyword: &str) -> bool {
        self.text == keyword
    }
}

/// A directive: its name, arguments, and the block behind it, if it has one.
///
/// In keepalived's free-line bodies (`virtual_ipaddress { … }`) every line is a child whose name
/// is the line's first word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: Word,
    pub args: Vec<Word>,
    pub body: Option<Vec<Node>>,
    /// From the name to the end of the last argument or the closing brace.
    pub span: Span,
}
