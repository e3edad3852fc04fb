//! A line of the access log.

use super::variable::Evaluator;
use crate::plan::access_log::{Escape, Format};
use crate::plan::template::{Part, Template};

/// The line, with its end.
pub fn line(evaluator: &mut Evaluator<'_>, format: &Format) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    let mut value = Vec::new();
    evaluator.prepare(&format.text);
    for part in &format.text.parts {
        match part {
            Part::Text(text) => line.extend_from_slice(text),
            Part::Variable(id) => {
                value.clear();
                if evaluator.value(*id, &mut value) {
                    escape(format.escape, &value, &mut line);
                } else if format.escape == Escape::Default {
                    line.push(b'-');
                }
            }
            // A format has none.
            Part::Capture(_) => {}
        }
    }
    line.push(b'\n');
    line
}

/// `if=`
pub fn wanted(evaluator: &mut Evaluator<'_>, condition: &Template) -> bool {
    !matches!(&evaluator.render(condition)[..], b"" | b"0")
}

fn escape(how: Escape, value: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |byte: u8| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    for &byte in value {
        match (how, byte) {
            (Escape::Default, b'"' | b'\\' | ..0x20 | 0x7f..) => {
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(&hex(byte));
            }
            (Escape::Json, b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            (Escape::Json, ..0x20) => match byte {
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0x08 => out.extend_from_slice(b"\\b"),
                0x0c => out.extend_from_slice(b"\\f"),
                _ => {
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&hex(byte));
                }
            },
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nginx 1.22 wrote them.
    #[test]
    fn what_would_break_a_line_is_escaped() {
        let value = b"q\"b\\s\x01\x1f \x7f\xc3\xa9\xff<>&/'\t\r\n\x08\x0c$end";
        let escaped = |how| {
            let mut out = Vec::new();
            escape(how, value, &mut out);
            out
        };
        let plain: &[u8] = br"q\x22b\x5Cs\x01\x1F \x7F\xC3\xA9\xFF<>&/'\x09\x0D\x0A\x08\x0C$end";
        assert_eq!(escaped(Escape::Default), plain);
        let json = [br#"q\"b\\s\u0001\u001F "#, &b"\x7f\xc3\xa9\xff"[..], br"<>&/'\t\r\n\b\f$end"];
        assert_eq!(escaped(Escape::Json), json.concat());
        assert_eq!(escaped(Escape::None), value);
    }
}
