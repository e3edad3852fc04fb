//! Arguments read into a place of the config, with nginx's complaints about wrong ones; and what
//! is said about directives that aren't run. Wording observed on nginx 1.22.

use std::time::Duration;

use crate::text::value::{size_with_units, time_with_units, whole};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

/// Diagnostics of this code refuse a config that nginx would run.
pub(crate) const UNSUPPORTED: &str = "nginx/unsupported";

/// The first argument; the tables' arity sees to it that there is one.
pub(super) fn first(node: &Node) -> &Word {
    node.args.first().unwrap_or(&node.name)
}

pub(super) fn flag(slot: &mut Option<bool>, node: &Node, out: &mut Diagnostics) {
    let word = first(node);
    match word.text.to_ascii_lowercase().as_slice() {
        b"on" => *slot = Some(true),
        b"off" => *slot = Some(false),
        _ => {
            let message = format!(
                "invalid value \"{}\" in \"{}\" directive, it must be \"on\" or \"off\"",
                word.lossy(),
                node.name.lossy()
            );
            out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        }
    }
}

/// A time in milliseconds.
pub(super) fn time(slot: &mut Option<Duration>, node: &Node, out: &mut Diagnostics) {
    match first(node).as_str().and_then(milliseconds) {
        Some(time) => *slot = Some(time),
        None => invalid(node, "value", out),
    }
}

/// A time in whole seconds.
pub(super) fn time_in_seconds(slot: &mut Option<Duration>, node: &Node, out: &mut Diagnostics) {
    match first(node).as_str().and_then(seconds) {
        Some(time) => *slot = Some(time),
        None => invalid(node, "value", out),
    }
}

pub(super) fn size(slot: &mut Option<usize>, node: &Node, out: &mut Diagnostics) {
    match first(node).as_str().and_then(bytes) {
        Some(size) => *slot = Some(size),
        None => invalid(node, "value", out),
    }
}

pub(super) fn number(slot: &mut Option<u64>, node: &Node, out: &mut Diagnostics) {
    match first(node).as_str().and_then(count) {
        Some(number) => *slot = Some(number),
        None => invalid(node, "number", out),
    }
}

/// One of a few words, compared as nginx does: without regard to case.
pub(super) fn one_of(allowed: &[&str], word: &Word, out: &mut Diagnostics) {
    if !allowed.iter().any(|allowed| word.text.eq_ignore_ascii_case(allowed.as_bytes())) {
        let message = format!("invalid value \"{}\"", word.lossy());
        let help = format!("one of: {}", allowed.join(", "));
        out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span).help(help));
    }
}

/// `"X" directive invalid value`
pub(super) fn invalid(node: &Node, what: &str, out: &mut Diagnostics) {
    let message = format!("\"{}\" directive invalid {what}", node.name.lossy());
    let help = match what {
        "value" => "times look like 30s, 1m30s, 500ms; sizes like 4096, 16k, 1m",
        _ => "a whole number",
    };
    let diagnostic = Diagnostic::error("nginx/invalid-value", message).at(first(node).span);
    out.push(diagnostic.help(help));
}

/// `invalid parameter "X"`
pub(super) fn invalid_parameter(word: &Word, out: &mut Diagnostics) {
    let message = format!("invalid parameter \"{}\"", word.lossy());
    out.push(Diagnostic::error("nginx/invalid-parameter", message).at(word.span));
}

/// What clients get would differ without it, so nothing is started with it.
pub(super) fn refuse(word: &Word, why: &str, out: &mut Diagnostics) {
    let message = format!("\"{}\" is not supported by evenkeel yet", word.lossy());
    out.push(Diagnostic::error(UNSUPPORTED, message).at(word.span).help(why));
}

/// It is lost, and clients won't notice.
pub(super) fn lose(word: &Word, why: &str, out: &mut Diagnostics) {
    let message =
        format!("\"{}\" is not supported by evenkeel yet and has no effect", word.lossy());
    out.push(Diagnostic::warning("nginx/no-effect", message).at(word.span).help(why));
}

/// nginx's time in milliseconds: no years and months; blanks may follow a part.
pub(super) fn milliseconds(text: &str) -> Option<Duration> {
    let text = join_parts(text)?;
    let time = time_with_units(&text).filter(|_| !text.contains(['y', 'M']))?;
    i64::try_from(time.as_millis()).ok().map(|_| time)
}

/// nginx's time in seconds: no milliseconds.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let text = join_parts(text)?;
    time_with_units(&text).filter(|_| !text.contains("ms"))
}

/// `1h 30m` → `1h30m`. A blank may follow a unit, or the last number if that has none.
fn join_parts(text: &str) -> Option<String> {
    let mut parts = text.split(' ').filter(|part| !part.is_empty()).peekable();
    let mut joined = String::new();
    while let Some(part) = parts.next() {
        if parts.peek().is_some() && part.ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        joined += part;
    }
    if text.starts_with(' ') { None } else { Some(joined) }
}

pub(super) fn bytes(text: &str) -> Option<usize> {
    size_with_units(text, false)
        .and_then(|size| i64::try_from(size).ok())
        .and_then(|size| usize::try_from(size).ok())
}

/// A whole number that fits nginx's signed integers.
pub(super) fn count(text: &str) -> Option<u64> {
    whole(text).filter(|number| i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_nginx_reads_them() {
        assert_eq!(milliseconds("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(milliseconds("1s "), Some(Duration::from_secs(1)));
        assert_eq!(milliseconds("30 "), Some(Duration::from_secs(30)));
        assert_eq!(milliseconds("1m 30"), Some(Duration::from_secs(90)));
        for bad in ["1 h", " 1s", "1M", "1y", "", "9223372036854776s", "1H"] {
            assert_eq!(milliseconds(bad), None, "{bad}");
        }
        assert_eq!(seconds("1M"), Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(seconds("1s1ms"), None);
    }
}
