//! Single values, with keepalived's complaints about them.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::command;
use super::super::config::{At, Command, User};
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word, value};

/// A complaint about a value: `message` as keepalived words it, `reason` at the value. Of numbers
/// keepalived says the reason, too.
pub(super) fn wrong(word: &Word, message: String, reason: String) -> Diagnostic {
    let numeric = ["number '", "invalid number '", "negative number '"];
    let diagnostic = Diagnostic::error("keepalived/value", message);
    let says = numeric.iter().any(|it| reason.starts_with(it)) && reason != diagnostic.message;
    let diagnostic = if says { diagnostic.after(reason.clone()) } else { diagnostic };
    diagnostic.label(word.span, reason)
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
        Ok(number) if i32::try_from(number).is_err() => {
            Err(format!("number '{text}' outside integer range"))
        }
        Ok(_) => Err(format!("number '{text}' outside range [{}, {}]", range.start(), range.end())),
        Err(_) => Err(format!("invalid number '{text}'")),
    }
}

/// What keepalived makes of a word that should be a number: the number that it begins with, or 0.
/// `None`: of a whole number that is too large.
pub(super) fn leading_number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return Some(0);
    }
    digits[..end].parse::<i64>().ok().map(|number| sign * number)
}

/// The last byte of a block: where keepalived complains of what it misses in it.
pub(super) fn end(node: &Node) -> Span {
    let Span { file, start, end, .. } = node.span;
    Span::new(file, (end as usize).saturating_sub(1).max(start as usize), end as usize)
}

/// Seconds with decimals, in `range` of microseconds.
pub(super) fn seconds(word: &Word, range: RangeInclusive<u64>) -> Result<Duration, String> {
    decimal(word, range, 6)
}

/// `shown`: decimals in what is said of a range.
fn decimal(word: &Word, range: RangeInclusive<u64>, shown: usize) -> Result<Duration, String> {
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
    let limit = |micros: &u64| {
        let decimals = format!("{:06}", micros % 1_000_000);
        format!("{}.{}", micros / 1_000_000, &decimals[..shown])
    };
    let (low, high) = (limit(range.start()), limit(range.end()));
    Err(format!("number '{text}' outside range [{low}, {high}]"))
}

/// Seconds with decimals in `range` of microseconds, with all that keepalived says about them:
/// `message` where the value is lost. More than six decimals are complained of and cut off.
pub(super) fn timer(
    word: &Word,
    range: RangeInclusive<u64>,
    message: String,
    diagnostics: &mut Diagnostics,
) -> Option<Duration> {
    let text = word.lossy();
    match seconds(word, range) {
        Ok(time) => {
            let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
            if decimals.len() > 6 {
                let message = format!("number '{text}' has too many decimal places");
                diagnostics.push(wrong(word, message, "at most six count".to_owned()));
            }
            Some(time)
        }
        Err(reason) => {
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

/// Milliseconds with three decimals, in `range` of milliseconds; otherwise as [`timer`].
pub(super) fn milliseconds(
    word: &Word,
    range: RangeInclusive<u64>,
    message: String,
    diagnostics: &mut Diagnostics,
) -> Option<Duration> {
    let (least, most) = (*range.start() * 1_000_000, *range.end() * 1_000_000);
    match decimal(word, least..=most, 3) {
        Ok(time) => Some(Duration::from_micros((time.as_micros() / 1000) as u64)),
        Err(reason) => {
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

/// A port; 0 says none.
///
/// Error: what is wrong with it, as keepalived words it.
pub(super) fn port(word: &Word) -> Result<u16, String> {
    let text = word.lossy();
    match number(word, 0..=u64::from(u32::MAX))? {
        port @ 0..=65535 => Ok(port as u16),
        _ => Err(format!("number '{text}' outside range [1, 65535]")),
    }
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

/// An address; a `-LAST` or `/PREFIX` behind it is read over, as keepalived does it, and said.
pub(super) fn loose_address(word: &Word, diagnostics: &mut Diagnostics) -> Option<IpAddr> {
    let text = word.as_str()?;
    let length = text.find(['-', '/']).unwrap_or(text.len());
    let address = text[..length].parse().ok()?;
    if length < text.len() {
        let message = format!("`{}` behind {address} has no effect here", &text[length..]);
        diagnostics.push(Diagnostic::warning("keepalived/address", message).at(word.span));
    }
    Some(address)
}

/// An IPv4 address in any form that inet_aton(3) takes: `255.255.255.0`, `10.1`, `0xffffff00`.
pub(super) fn bare_ipv4(word: &Word) -> Option<Ipv4Addr> {
    let part = |text: &str| {
        let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
            None => (text, 10),
        };
        u32::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+'))
    };
    let parts: Vec<u32> = word.as_str()?.split('.').map(part).collect::<Option<_>>()?;
    let (last, bytes) = parts.split_last()?;
    if bytes.len() > 3 || bytes.iter().any(|byte| *byte > 255) {
        return None;
    }
    let rest = 32 - 8 * bytes.len() as u32;
    if rest < 32 && *last >= 1 << rest {
        return None;
    }
    let high = bytes.iter().fold(0u32, |sum, byte| sum << 8 | byte);
    let high = high.checked_shl(rest).unwrap_or(0);
    Some(Ipv4Addr::from(high | last))
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
        diagnostics.push(Diagnostic::warning("keepalived/value", message).at(word.span));
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

/// A node's keyword with its arguments.
pub(super) fn line_span(node: &Node) -> Span {
    node.name.span.to(args_span(node))
}

/// The whole of a node's arguments.
pub(super) fn args_span(node: &Node) -> Span {
    match (node.args.first(), node.args.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => node.name.span,
    }
}
