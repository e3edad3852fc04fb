//! A step's words, and bytes as they are written in steps and records: `"GET /\r\n\x00"*3`.

/// Splits at spaces; what is in double quotes is one word, with escapes, and `*N` behind it repeats
/// it.
pub(super) fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let word = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (bytes, behind) = unquote(quoted)?;
                let end = behind.find(' ').unwrap_or(behind.len());
                let times = match behind[..end].strip_prefix('*') {
                    Some(times) => times.parse().map_err(|_| format!("not a number: {times}"))?,
                    None if end == 0 => 1,
                    None => return Err(format!("behind the quote: {}", &behind[..end])),
                };
                rest = &behind[end..];
                bytes.repeat(times)
            }
            None => {
                let end = rest.find(' ').unwrap_or(rest.len());
                let word = rest.as_bytes()[..end].to_vec();
                rest = &rest[end..];
                word
            }
        };
        words.push(word);
        rest = rest.trim_start();
    }
    Ok(words)
}

/// The bytes until the closing quote, and what is behind it.
fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut bytes = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((bytes, &text[at + 1..])),
            '\\' => {
                let (at, escaped) = characters.next().ok_or("a \\ at the end")?;
                match escaped {
                    'n' => bytes.push(b'\n'),
                    'r' => bytes.push(b'\r'),
                    't' => bytes.push(b'\t'),
                    '\\' | '"' => bytes.push(escaped as u8),
                    'x' => {
                        let digits = text.get(at + 1..at + 3).ok_or("\\x without digits")?;
                        let byte = u8::from_str_radix(digits, 16);
                        bytes.push(byte.map_err(|_| format!("not hexadecimal: {digits}"))?);
                        characters.nth(1);
                    }
                    other => return Err(format!("\\{other} isn't known")),
                }
            }
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("the quote isn't closed".into())
}

/// Bytes as a step would write them; many are shown by their number and a checksum.
pub(super) fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 600;
    if let Some(first) = bytes.first().filter(|_| bytes.len() > 40)
        && bytes.iter().all(|byte| byte == first)
    {
        return format!("{}*{}", quote(&[*first]), bytes.len());
    }
    if bytes.len() > SHOWN {
        let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        return format!("{} bytes, fnv1a {sum:016x}", bytes.len());
    }
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text + "\""
}

/// Replaces `name` where it stands as a word of its own.
pub(super) fn fill(text: &str, name: &str, value: &str) -> String {
    let part_of_a_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let behind = &rest[at + name.len()..];
        filled.push_str(&rest[..at]);
        let inside = filled.chars().last().is_some_and(part_of_a_word)
            || behind.chars().next().is_some_and(part_of_a_word);
        filled.push_str(if inside { name } else { value });
        rest = behind;
    }
    filled + rest
}

#[test]
fn words_are_read_as_they_are_written() {
    let words = split(r#"c send "a \"b\"\r\n\x00\xff" "ab"*3"#).unwrap();
    assert_eq!(words, [&b"c"[..], b"send", b"a \"b\"\r\n\0\xff", b"ababab"]);
    for wrong in [r#"a "b"#, r#""b"c"#, r#""\q""#, r#""\x0""#] {
        assert!(split(wrong).is_err(), "{wrong}");
    }
    assert_eq!(quote(b"a \"b\"\r\n\0\xff"), r#""a \"b\"\r\n\x00\xff""#);
    assert_eq!(fill("DIR/a DIRT $DIR x=DIR", "DIR", "/t"), "/t/a DIRT $DIR x=/t");
}
