//! What is in a tracked file, and what its changes make of the routers that track it.
//!
//! keepalived.conf(5), "Track files", and keepalived 2.2.7 as watched: the value is what strtol(3)
//! with base 0 makes of the first bytes, so that `0x10` is 16, `010` is 8, and what is no number is
//! 0. No file is 0, too. A number that doesn't fit is ignored.

use super::track::file_adds;
use crate::plan::track::{FileId, Tracked};

/// keepalived looks at no more bytes of a file.
pub const LOOKED_AT: usize = 127;

/// The number that a file's bytes begin with. Error: it doesn't fit; the one to be shown.
pub fn value(bytes: &[u8]) -> Result<i32, i64> {
    let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
    let start = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let hexadecimal = |digits: &[u8]| digits.first().is_some_and(u8::is_ascii_hexdigit);
    let (radix, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if hexadecimal(rest) => (16, rest),
        [b'0', rest @ ..] => (8, rest),
        _ => (10, digits),
    };
    let digits = digits.iter().map_while(|byte| char::from(*byte).to_digit(radix));
    let size = digits.fold(0_i64, |number, digit| {
        number.saturating_mul(radix.into()).saturating_add(digit.into())
    });
    let number = match (negative, size) {
        (true, i64::MAX) => i64::MIN,
        (true, size) => -size,
        (false, size) => size,
    };
    i32::try_from(number).map_err(|_| number)
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// What a new value is for one router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It adds more or less, or the same.
    Weight,
    /// It faults the router now. What it added before stays in the priority until something moves
    /// that, and the log says nothing of it.
    Fault,
    /// It faults the router no longer, and adds this. Only of what it adds the log speaks.
    Recovery(i64),
    /// It still faults the router.
    None,
}

/// From one value to another.
pub fn change(line: &Tracked<FileId>, before: Option<i32>, after: Option<i32>) -> Change {
    // A file that couldn't be tracked added nothing.
    let before = if before.is_none() { Some(0) } else { file_adds(line, before) };
    let after = if after.is_none() { Some(0) } else { file_adds(line, after) };
    match (before, after) {
        (Some(_), Some(_)) => Change::Weight,
        (Some(_), None) => Change::Fault,
        (None, Some(adds)) => Change::Recovery(adds),
        (None, None) => Change::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each recorded: what keepalived 2.2.7 made of a priority of 100 with weight 1.
    #[test]
    fn values_are_read_as_keepalived_reads_them() {
        for (bytes, expected) in [
            ("9\n", Ok(9)),
            (" 11\n", Ok(11)),
            ("+12\n", Ok(12)),
            ("13abc\n", Ok(13)),
            ("abc13\n", Ok(0)),
            ("0x10\n", Ok(16)),
            ("0x\n", Ok(0)),
            ("010\n", Ok(8)),
            ("", Ok(0)),
            ("\n", Ok(0)),
            ("-5\n", Ok(-5)),
            ("- 5\n", Ok(0)),
            ("14 15\n", Ok(14)),
            ("1.9\n", Ok(1)),
            ("17", Ok(17)),
            ("\n18", Ok(18)),
            (" \t\x0b\x0c\r\n9", Ok(9)),
            ("\0", Ok(0)),
            ("2147483647\n", Ok(2_147_483_647)),
            ("-2147483649\n", Err(-2_147_483_649)),
            ("4294967297\n", Err(4_294_967_297)),
            ("99999999999999999999999\n", Err(i64::MAX)),
            ("-99999999999999999999999\n", Err(i64::MIN)),
        ] {
            assert_eq!(value(bytes.as_bytes()), expected, "{bytes:?}");
        }
        let far = |blanks: usize| [vec![b' '; blanks], b"7".to_vec()].concat();
        assert_eq!((value(&far(126)), value(&far(127))), (Ok(7), Ok(0)));
    }
}
