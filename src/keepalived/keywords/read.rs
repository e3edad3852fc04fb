//! Single values, with keepalived's complaints about them.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::command;
use super::super::config::{At, Command, User};
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word, value};

/// A complaint about a value: `message` as keepalived words it, `reason` at the value.
pub(super) fn wrong(word: &Word, message: String, reason: String) -> Diagnostic {
    Diagnostic::error("keepalived/value", message).label(word.span, reason)
}

/// A whole number in `range`.
///
/// Error: what is wrong with it, as keepalived words it.
pub(super) fn number(word: &Word, range: RangeInclusive<u64>) -> Result<u64, String> {
    let text = word.lossy();
    let digits = text.strip_prefix('+').unwrap_or(&text);
    if digits.len() > 1
        && digits.starts_with('-')
        && digits[1..].bytes().all(|b| b.is_ascii_digit())
    {
        return Err(format!("negative number '{text}'"));
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("invalid number '{text}'"));
    }
    match value::whole(digits) {
        Some(number) if range.contains(&number) => Ok(number),
        Some(number) if number <= u64::from(u32::MAX) => {
            Err(format!("number '{text}' outside range [{}, {}]", range.start(), range.end()))
        }
        _ => Err(format!("number '{text}' outside unsigned integer range")),
    }
}

/// A whole number that may be negative, in `range`.
pub(super) fn signed(word: &Word, range: RangeInclusive<i64>) -> Result<i64, String> {
    let text = word.lossy();
    match text.parse::<i64>() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err(format!("number '{text}' outside range [{}, {}]", range.start(), range.end())),
        Err(_) => Err(format!("invalid number '{text}'")),
    }
}

/// Seconds with decimals, in `range` of microseconds.
pub(super) fn seconds(word: &Word, range: RangeInclusive<u64>) -> Result<Duration, String> {
    let text = word.lossy();
    let digits = text.strip_prefix('+').unwrap_or(&text);
    if let Some(rest) =
        digits.strip_prefix('-').filter(|rest| value::decimal_seconds(rest).is_some())
    {
        return Err(format!("negative number '-{rest}'"));
    }
    // keepalived takes `.5` too.
    let padded = if digits.starts_with('.') { format!("0{digits}") } else { digits.to_owned() };
    let duration =
        value::decimal_seconds(&padded).ok_or_else(|| format!("invalid number '{text}'"))?;
    if u64::try_from(duration.as_micros()).is_ok_and(|micros| range.contains(&micros)) {
        return Ok(duration);
    }
    let (low, high) = (*range.start() as f64 / 1e6, *range.end() as f64 / 1e6);
    Err(format!("number '{text}' outside range [{low:.6}, {high:.6}]"))
}

/// `on|off|true|false|yes|no`; nothing means on.
pub(super) fn boolean(word: Option<&Word>) -> Option<bool> {
    match word.map(|word| word.text.as_slice()) {
        None | Some(b"on" | b"true" | b"yes") => Some(true),
        Some(b"off" | b"false" | b"no") => Some(false),
        _ => None,
    }
}

/// An address without a prefix.
pub(super) fn address(word: &Word) -> Option<IpAddr> {
    word.as_str()?.parse().ok()
}

/// The word as text; what isn't UTF-8 is replaced.
pub(super) fn text(word: &Word) -> At<String> {
    At::new(word.lossy().into_owned(), word.span)
}

/// `NAME [GROUP]`
pub(super) fn user(words: &[Word]) -> Option<User> {
    let name = words.first()?;
    let group = words.get(1);
    Some(User {
        name: name.lossy().into_owned(),
        group: group.map(|group| group.lossy().into_owned()),
        span: name.span.to(group.map_or(name.span, |group| group.span)),
    })
}

/// The command in the first word of `words`, and the user behind it if `with_user`.
pub(super) fn command(
    node: &Node,
    with_user: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Command> {
    let word = node.args.first()?;
    let inner = if word.quoted { command::unescape(&word.text) } else { word.text.to_vec() };
    if std::str::from_utf8(&inner).is_err() {
        let message = format!("`{}`: a command that isn't UTF-8 can't be run", node.name.lossy());
        diagnostics.push(Diagnostic::error("keepalived/value", message).at(word.span));
        return None;
    }
    match command::split(&inner) {
        Ok(argv) if argv.is_empty() => None,
        Ok(argv) => {
            let user = if with_user { user(&node.args[1..]) } else { None };
            Some(Command { argv, user, span: word.span })
        }
        Err(quote) => {
            let text = String::from_utf8_lossy(&inner);
            let message = format!("String '{text}': missing terminating {quote}");
            diagnostics.push(Diagnostic::error("keepalived/quote", message).at(word.span));
            None
        }
    }
}

/// The whole of a node's arguments.
pub(super) fn args_span(node: &Node) -> Span {
    match (node.args.first(), node.args.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => node.name.span,
    }
}
