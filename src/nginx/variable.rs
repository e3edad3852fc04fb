//! Variables in arguments: which a text uses, whether nginx has them. [`super::template`] makes
//! something of them that can be filled in.

use crate::plan::fact::Fact;
use crate::text::{Diagnostic, Node, Span, Word};

/// Directives whose arguments are looked through for variables.
const USERS: [&str; 20] = [
    "proxy_pass",
    "pass",
    "return",
    "map",
    "split_clients",
    "hash",
    "limit_conn_zone",
    "log_format",
    "set",
    "access_log",
    "proxy_bind",
    "proxy_ssl_name",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_key",
    "proxy_upload_rate",
    "proxy_download_rate",
    "ssl_certificate",
    "ssl_certificate_key",
    "geo",
    "proxy_ssl_alpn",
];

/// A variable that is used, and where.
#[derive(Clone, Debug)]
pub struct Use {
    pub name: String,
    pub span: Span,
}

/// What a directive uses and what it defines.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) used: Vec<Use>,
    pub(super) defined: Option<String>,
}

/// Looks through a directive's arguments. An error is nginx's complaint about a malformed one.
pub(super) fn mentions(node: &Node) -> Result<Mentions, Diagnostic> {
    let name = node.name.lossy();
    let mut mentions = Mentions::default();
    if !USERS.contains(&&*name) {
        return Ok(mentions);
    }
    let definition = match &*name {
        "map" | "split_clients" | "geo" => node.args.last(),
        "set" => node.args.first(),
        _ => None,
    };
    mentions.defined =
        definition.and_then(|word| Some(word.as_str()?.strip_prefix('$')?.to_lowercase()));
    // The names of formats are none of ours.
    let skipped = match &*name {
        "log_format" => Some(0),
        "access_log" => Some(1),
        _ => None,
    };
    let words = node.args.iter().enumerate().filter(|(at, _)| Some(*at) != skipped);
    let in_body = node.body.iter().flatten().filter(|_| &*name == "map");
    let values = in_body.filter_map(|line| line.args.first());
    for word in words.map(|(_, word)| word).chain(values) {
        let is_definition = definition.is_some_and(|d| d.span.same_place(word.span));
        if !is_definition {
            let style = if &*name == "log_format" { Style::Format } else { Style::Text };
            collect(word, style, &mut mentions.used)?;
        }
    }
    Ok(mentions)
}

/// nginx's complaint about a malformed variable in a word.
pub(super) fn well_formed(word: &Word) -> Result<(), Diagnostic> {
    collect(word, Style::Text, &mut Vec::new())
}

/// Formats of logs know no groups, and have their own complaint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Text,
    Format,
}

fn collect(word: &Word, style: Style, used: &mut Vec<Use>) -> Result<(), Diagnostic> {
    let malformed =
        |message: String| Diagnostic::error("nginx/invalid-variable", message).at(word.span);
    let name_length = |text: &[u8]| {
        text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
    };
    let mut rest = word.text.as_slice();
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        let from = &rest[at..];
        rest = &rest[at + 1..];
        let braced = rest.first() == Some(&b'{');
        if braced {
            rest = &rest[1..];
        }
        let length = name_length(rest);
        let name = String::from_utf8_lossy(&rest[..length]).to_lowercase();
        rest = &rest[length..];
        if braced && rest.first() != Some(&b'}') {
            let message = format!("the closing bracket in \"{name}\" variable is missing");
            return Err(malformed(message));
        }
        if name.is_empty() && style == Style::Format {
            let from = String::from_utf8_lossy(from);
            return Err(malformed(format!("invalid parameter \"{from}\"")));
        }
        if name.is_empty() {
            return Err(malformed("invalid variable name".to_owned()));
        }
        let capture =
            style == Style::Text && !braced && name.starts_with(|c: char| ('1'..='9').contains(&c));
        if !capture {
            used.push(Use { name, span: word.span });
        }
    }
    Ok(())
}

/// Has nginx a variable of this name without anyone defining it?
pub(super) fn is_built_in(name: &str) -> bool {
    Fact::named(name).is_some()
}
