//! Regular expressions in arguments: `~…` and `~*…`.

use pcre2::bytes::RegexBuilder;

use crate::nginx::NginxConfig;
use crate::nginx::definition::{Definition, NamedPattern};
use crate::text::{Diagnostic, Diagnostics, Word};

/// The regular expression of a word that begins with `~`, without that; and the variables that its
/// named groups define.
pub(super) fn read(
    config: &mut NginxConfig,
    word: &Word,
    text: &[u8],
    out: &mut Diagnostics,
) -> Option<NamedPattern> {
    match text.strip_prefix(b"*") {
        Some(text) => compile(config, word, text, true, out),
        None => compile(config, word, text, false, out),
    }
}

/// The same where nothing but the pattern stands behind the `~`.
pub(super) fn compile(
    config: &mut NginxConfig,
    word: &Word,
    text: &[u8],
    caseless: bool,
    out: &mut Diagnostics,
) -> Option<NamedPattern> {
    let Ok(text) = std::str::from_utf8(text) else {
        let message = "a regular expression that isn't UTF-8 is not supported by evenkeel";
        let help = "bytes can be written as \\xff";
        out.push(Diagnostic::error(super::slot::UNSUPPORTED, message).at(word.span).help(help));
        return None;
    };
    let regex = match RegexBuilder::new().caseless(caseless).build(text) {
        Ok(regex) => regex,
        Err(error) => {
            out.push(Diagnostic::error("nginx/bad-regex", complaint(text, &error)).at(word.span));
            return None;
        }
    };
    let mut names = Vec::new();
    for (number, name) in regex.capture_names().iter().enumerate() {
        let Some(name) = name else { continue };
        let name = name.to_ascii_lowercase();
        if super::variables::taken(&name) {
            let message = format!("the duplicate \"{name}\" variable");
            out.push(Diagnostic::error("nginx/duplicate", message).at(word.span));
            return None;
        }
        config.variables_defined.insert(name.clone());
        config.definitions.entry(name.clone()).or_insert(Definition::Group);
        names.push((number, name));
    }
    Some(NamedPattern { text: text.to_owned(), caseless, names })
}

/// nginx's words: what PCRE2 says, the whole, and the rest from where it is wrong.
fn complaint(text: &str, error: &pcre2::Error) -> String {
    let full = error.to_string();
    let why = full.split_once("offset ").and_then(|(_, rest)| rest.split_once(": "));
    let why = why.map_or(full.as_str(), |(_, why)| why);
    let rest = error.offset().and_then(|at| text.as_bytes().get(at..)).unwrap_or_default();
    match rest {
        [] => format!("pcre2_compile() failed: {why} in \"{text}\""),
        rest => {
            let rest = String::from_utf8_lossy(rest);
            format!("pcre2_compile() failed: {why} in \"{text}\" at \"{rest}\"")
        }
    }
}
