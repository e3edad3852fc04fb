//! From a line to words and braces.

use nom::branch::alt;
use nom::bytes::complete::{escaped, is_not, tag, take_till, take_while1};
use nom::character::complete::anychar;
use nom::combinator::{map, opt, recognize};
use nom::sequence::{delimited, terminated};
use nom::{IResult, Parser};

use super::line::Line;
use crate::text::{Diagnostic, Diagnostics, Span, Word};

/// A stretch of a line: keepalived starts a new one behind every brace.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) words: Vec<Word>,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Line,
    /// `{`
    Open(Span),
    /// `}`; there are no words before it.
    Close(Span),
}

impl Statement {
    pub(super) fn span(&self) -> Span {
        match (self.words.first(), self.words.last(), self.end) {
            (Some(first), Some(last), _) => first.span.to(last.span),
            (_, _, End::Open(span) | End::Close(span)) => span,
            _ => Span::default(),
        }
    }
}

/// Must what stands behind this keyword not be seen?
pub(super) fn secret(keyword: &[u8]) -> bool {
    // Also where it is misspelt: `auth_password`, `auth_pas`.
    keyword.starts_with(b"auth_pa") || keyword == b"password" || keyword == b"key"
}

enum Token<'a> {
    Open,
    Close,
    Bare(&'a [u8]),
    Quoted(&'a [u8]),
    /// A quote that nothing ends, with all behind it.
    Unterminated,
}

/// Cuts `line` into statements. `escapes` says of a line's first word whether the words behind it
/// may hold `\"` and stand in single quotes, which is so for commands.
pub(super) fn split(
    line: &Line,
    escapes: impl Fn(&[u8]) -> bool,
    out: &mut Vec<Statement>,
    diagnostics: &mut Diagnostics,
) {
    let mut words: Vec<Word> = Vec::new();
    let mut at = 0;
    while at < line.text.len() {
        let rest = &line.text[at..];
        if rest[0].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let command = words.first().is_some_and(|word| escapes(&word.text));
        let Ok((after, token)) = token(rest, command) else { break };
        let end = line.text.len() - after.len();
        let span = line.span(at..end);
        match token {
            Token::Open => {
                out.push(Statement { words: std::mem::take(&mut words), end: End::Open(span) });
            }
            Token::Close => {
                if !words.is_empty() {
                    out.push(Statement { words: std::mem::take(&mut words), end: End::Line });
                }
                out.push(Statement { words: Vec::new(), end: End::Close(span) });
            }
            Token::Bare(text) => words.push(Word::new(text, span)),
            Token::Quoted(text) => words.push(Word { text: text.into(), span, quoted: true }),
            Token::Unterminated => {
                let message = match words.first().is_some_and(|word| secret(&word.text)) {
                    true => "Unterminated quote".to_owned(),
                    false => {
                        let text = String::from_utf8_lossy(&line.text).into_owned();
                        format!("Unterminated quote '{}'", text.trim())
                    }
                };
                let help = "a quoted string ends on the line it starts on";
                let diagnostic = Diagnostic::error("keepalived/quote", message);
                diagnostics.push(diagnostic.at(span).help(help));
                // A command that isn't whole is none; other lines go on without the word.
                if command {
                    words.clear();
                }
            }
        }
        at = end;
    }
    if !words.is_empty() {
        out.push(Statement { words, end: End::Line });
    }
}

fn token(input: &[u8], command: bool) -> IResult<&[u8], Token<'_>> {
    let quote = |input| match command {
        true => alt((quoted_escaped(b"\"", b"\"\\"), quoted_escaped(b"'", b"'\\"))).parse(input),
        false => {
            delimited(tag(&b"\""[..]), take_till(|byte| byte == b'"'), tag(&b"\""[..])).parse(input)
        }
    };
    let open_quote = |input| match command {
        true => recognize(alt((tag(&b"\""[..]), tag(&b"'"[..])))).parse(input),
        false => tag(&b"\""[..]).parse(input),
    };
    let stop = move |byte: u8| {
        byte.is_ascii_whitespace() || b"{}\"".contains(&byte) || (command && byte == b'\'')
    };
    alt((
        map(tag(&b"{"[..]), |_| Token::Open),
        map(tag(&b"}"[..]), |_| Token::Close),
        map(quote, Token::Quoted),
        map(terminated(open_quote, take_till(|_| false)), |_| Token::Unterminated),
        map(take_while1(move |byte| !stop(byte)), Token::Bare),
    ))
    .parse(input)
}

/// A quoted string with escapes, which stay in it: [`command`](super::command) reads them.
fn quoted_escaped(
    quote: &'static [u8],
    special: &'static [u8],
) -> impl FnMut(&[u8]) -> IResult<&[u8], &[u8]> {
    move |input| {
        let inner = map(opt(escaped(is_not(special), '\\', anychar)), Option::unwrap_or_default);
        delimited(tag(quote), inner, tag(quote)).parse(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::FileId;

    fn shown(text: &str) -> String {
        let line = Line::direct(text.as_bytes(), Span::new(FileId(0), 0, text.len()));
        let mut out = Vec::new();
        split(&line, |word| word == b"script", &mut out, &mut Diagnostics::default());
        let one = |statement: &Statement| {
            let words: Vec<_> = statement.words.iter().map(|word| word.lossy()).collect();
            let end = match statement.end {
                End::Line => "",
                End::Open(_) => " {",
                End::Close(_) => "}",
            };
            words.join("|") + end
        };
        out.iter().map(one).collect::<Vec<_>>().join(";")
    }

    #[test]
    fn braces_end_statements() {
        assert_eq!(
            shown("virtual_ipaddress{ 10.0.0.1 } priority 5"),
            "virtual_ipaddress {;10.0.0.1;};priority|5"
        );
        assert_eq!(shown("{"), " {");
        assert_eq!(shown(r#"state "{""#), "state|{");
    }

    #[test]
    fn quotes_start_words_and_single_quotes_only_in_commands() {
        assert_eq!(shown(r#"state ab"cd"ef"#), "state|ab|cd|ef");
        assert_eq!(shown("state 'a b'"), "state|'a|b'");
        assert_eq!(shown(r#"script "a 'b' \"c\"" d"#), r#"script|a 'b' \"c\"|d"#);
        assert_eq!(shown("script 'a b'"), "script|a b");
        assert_eq!(shown(r#"state "a b"#), "state");
    }
}
