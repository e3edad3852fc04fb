//! Commands in the config: cutting them into words, and knowing a check for a process when one is
//! seen.

use crate::plan::track::{Check, ProcessTool};

/// Undoes the escapes of a quoted string (keepalived.conf(5), "Quoted strings").
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        at = match text[at] {
            b'\\' if at + 1 < text.len() => escape(text, at + 1, &mut out),
            byte => {
                out.push(byte);
                at + 1
            }
        };
    }
    out
}

/// Reads what stands behind a backslash; gives back where it ends.
fn escape(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let plain = |byte: u8, out: &mut Vec<u8>| {
        out.push(byte);
        at + 1
    };
    match text[at] {
        b'a' => plain(7, out),
        b'b' => plain(8, out),
        b'E' => plain(27, out),
        b'f' => plain(12, out),
        b'n' => plain(b'\n', out),
        b'r' => plain(b'\r', out),
        b't' => plain(b'\t', out),
        b'v' => plain(11, out),
        b'c' if at + 1 < text.len() => {
            out.push(text[at + 1] & 0x1f);
            at + 2
        }
        b'x' => number(text, at + 1, 16, usize::MAX, out),
        b'0'..=b'7' => number(text, at, 8, 3, out),
        byte => plain(byte, out),
    }
}

fn number(text: &[u8], from: usize, radix: u32, most: usize, out: &mut Vec<u8>) -> usize {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix);
    let digits = text[from..].iter().take(most).map_while(digit);
    let (count, value) = digits.fold((0, 0u32), |(count, value), digit| {
        (count + 1, (value.wrapping_mul(radix).wrapping_add(digit)) & 0xff)
    });
    match count {
        0 => out.push(b'x'),
        _ => out.push(value as u8),
    }
    from + count
}

/// Cuts a command into words as keepalived does, without a shell: blanks separate, single and
/// double quotes keep together, escapes are undone.
///
/// Error: the quote that nothing ends.
pub(super) fn split(text: &[u8]) -> Result<Vec<String>, char> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote: Option<u8> = None;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        at = match (byte, quote) {
            (b'\\', _) if at + 1 < text.len() => escape(text, at + 1, word.get_or_insert_default()),
            (_, Some(open)) if byte == open => {
                quote = None;
                at + 1
            }
            (b'"' | b'\'', None) => {
                word.get_or_insert_default();
                quote = Some(byte);
                at + 1
            }
            (_, None) if byte.is_ascii_whitespace() => {
                words.extend(word.take());
                at + 1
            }
            _ => {
                word.get_or_insert_default().push(byte);
                at + 1
            }
        };
    }
    if let Some(open) = quote {
        return Err(char::from(open));
    }
    words.extend(word);
    Ok(words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect())
}

/// The kernel keeps this many bytes of a process's name.
const LONGEST_NAME: usize = 15;

/// Is `argv` one of the well-known checks for a process by name? Only their exact shapes are;
/// everything else is run.
pub(super) fn recognise(argv: Vec<String>) -> Check {
    let tool = argv.first().map(|path| path.rsplit('/').next().unwrap_or(path));
    let words: Vec<&str> = argv.iter().skip(1).map(String::as_str).collect();
    let known = match (tool, &words[..]) {
        (Some("killall"), ["-0", name]) => Some((ProcessTool::Killall, *name)),
        (Some("pidof"), [name]) => Some((ProcessTool::Pidof, *name)),
        (Some("pgrep"), ["-x", name]) => Some((ProcessTool::Pgrep, *name)),
        _ => None,
    };
    // No paths, options, regular expressions, nor names that the kernel cuts: there the tools
    // have rules of their own.
    let plain = |name: &str| {
        name.len() <= LONGEST_NAME
            && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    match known {
        Some((tool, name)) if plain(name) => Check::Process { tool, name: name.to_owned(), argv },
        _ => Check::Command { argv },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text.as_bytes()).unwrap()
    }

    #[test]
    fn commands_are_cut_without_a_shell() {
        assert_eq!(words("/bin/x 'a b' \"c d\" $HOME *"), ["/bin/x", "a b", "c d", "$HOME", "*"]);
        assert_eq!(words(r"a \x41\102 \\ \'"), ["a", "AB", r"\", "'"]);
        assert_eq!(words("a ''"), ["a", ""]);
        assert_eq!(split(b"a 'b"), Err('\''));
        assert_eq!(unescape(br#"a \"b\" \t"#), b"a \"b\" \t");
    }

    #[test]
    fn only_exact_checks_are_recognised() {
        let name = |text: &str| match recognise(words(text)) {
            Check::Process { name, .. } => Some(name),
            Check::Command { .. } => None,
        };
        for text in
            ["killall -0 nginx", "/usr/bin/killall -0 nginx", "pidof nginx", "pgrep -x nginx"]
        {
            assert_eq!(name(text).as_deref(), Some("nginx"), "{text}");
        }
        for text in [
            "killall nginx",
            "killall -0 nginx haproxy",
            "killall -0 /usr/sbin/nginx",
            "killall -q -0 nginx",
            "pgrep nginx",
            "pgrep -x ngin.",
            "pgrep -f -x nginx",
            "pidof -x nginx",
            "killall -0 a-very-long-process-name",
            "killall5 -0 nginx",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
