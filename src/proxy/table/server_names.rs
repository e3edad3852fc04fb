//! The server that a client asks for by the name in its TLS greeting.

use super::masks::Masks;
use super::pattern::{Groups, Pattern};
use crate::plan::stream::{self, ServerId};

#[derive(Debug)]
pub struct ServerNames {
    masks: Masks<ServerId>,
    patterns: Vec<(Pattern, ServerId)>,
}

impl ServerNames {
    /// # Errors
    /// A regular expression that PCRE2 doesn't take.
    pub fn new(names: &stream::ServerNames) -> Result<Self, pcre2::Error> {
        let patterns = names.patterns.iter();
        let patterns = patterns.map(|(pattern, server)| Ok((Pattern::new(pattern)?, *server)));
        Ok(Self {
            masks: Masks::new(&names.exact, &names.suffixes, &names.prefixes),
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    /// `asked` as it came from the client; with the groups where a regular expression has decided.
    /// One that fails (PCRE2's limits) hasn't matched. `None`: nobody has this name, or it can't be
    /// one.
    pub fn find(&self, asked: &[u8]) -> Option<(ServerId, Option<Groups>)> {
        let name = host(asked)?;
        if let Some(server) = self.masks.find(&name) {
            return Some((*server, None));
        }
        self.patterns.iter().find_map(|(pattern, server)| match pattern.find(&name) {
            Ok(Some(groups)) => Some((*server, Some(groups))),
            _ => None,
        })
    }
}

/// The host in `HOST`, `HOST:PORT`, `[HOST]` or `[HOST]:PORT`, in lower case and without a dot at
/// its end. `None` where nginx finds none (1.30, watched).
fn host(text: &[u8]) -> Option<Vec<u8>> {
    let (name, rest) = match text {
        [b'[', ..] => text.split_at(text.iter().position(|byte| *byte == b']')? + 1),
        _ => text.split_at(text.iter().position(|byte| *byte == b':').unwrap_or(text.len())),
    };
    let port = match rest {
        [] => Some(0),
        [b':', digits @ ..] => digits.iter().try_fold(0_u32, |port, digit| {
            let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
            Some(port * 10 + digit).filter(|port| *port <= u32::from(u16::MAX))
        }),
        _ => None,
    };
    port?;
    let inside = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
    let fits = |byte: &u8| match byte {
        b':' => inside.is_some(),
        b'!' | b'$'..=b'.' | b';' | b'=' | b'_' | b'~' => true,
        byte => byte.is_ascii_alphanumeric(),
    };
    let inner = inside.unwrap_or(name);
    if !inner.iter().all(fits) || inner.windows(2).any(|two| two == b"..") {
        return None;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::pattern;
    use crate::plan::table::Text;

    /// As nginx 1.30 took them.
    #[test]
    fn a_host_is_what_nginx_takes_for_one() {
        let all: Vec<u8> = (0..=255).filter(|byte| host(&[b'a', *byte, b'b']).is_some()).collect();
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        assert_eq!(all, format!("!$%&'()*+,-.0123456789;={letters}").into_bytes());
        for (asked, expected) in [
            ("a", "a"),
            ("A.", "a"),
            ("a:", "a"),
            ("a:80", "a"),
            ("a.:80", "a"),
            (".a", ".a"),
            ("[::1]", "[::1]"),
            ("[A]:1", "[a]"),
            ("[]", "[]"),
        ] {
            assert_eq!(host(asked.as_bytes()), Some(expected.into()), "{asked}");
        }
        for asked in [
            "", ".", "..", "a..", "a..b", ":1", "a:b", "a:1:2", "a:99999", "a:80.", "a/b", "[::1",
            "a]", "[a]x", "[::1]:8x", "[a/b]", "[a..b]", "mail.[x]",
        ] {
            assert_eq!(host(asked.as_bytes()), None, "{asked}");
        }
    }

    #[test]
    fn the_most_special_wins() {
        let names = |names: &[(&str, usize)]| -> Vec<_> {
            names.iter().map(|(name, server)| (Text::from(*name), ServerId(*server))).collect()
        };
        let text = "^a(.)$".to_owned();
        let pattern = pattern::Pattern { text, caseless: true, names: Vec::new() };
        let names = ServerNames::new(&stream::ServerNames {
            exact: names(&[("a.b", 1), ("c", 2)]),
            suffixes: names(&[("b", 3), ("a.b", 4), ("c", 2)]),
            prefixes: names(&[("mail", 5), ("x.a", 6)]),
            patterns: vec![(pattern, ServerId(7))],
        })
        .unwrap();
        for (asked, server) in [
            ("a.b", Some(1)),
            ("A.B.", Some(1)),
            ("x.a.b", Some(4)),
            ("q.b", Some(3)),
            ("c", Some(2)),
            ("z.c", Some(2)),
            ("x.a.c", Some(2)),
            ("x.a.q", Some(6)),
            ("mail.x.y", Some(5)),
            ("x.mail.y", None),
            ("mail", None),
            ("mail.", None),
            ("AX", Some(7)),
            ("", None),
        ] {
            let found = names.find(asked.as_bytes());
            assert_eq!(found.map(|(server, _)| server.0), server, "{asked}");
        }
        assert_eq!(names.find(b"ax").unwrap().1.unwrap().all, ["x"]);
    }
}
