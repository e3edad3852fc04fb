//! Bytes → words and punctuation, as nginx's reader splits them.
//!
//! Words are bare (`proxy_pass`, `${name}x`), or stand in single or double quotes. A `{` right
//! after `$` belongs to the word. Of escapes, `\" \' \\ \t \r \n` are replaced; a backslash before
//! anything else stays, and keeps that character from ending the word. All observed on nginx 1.22.

use bstr::BString;
use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till, take_while1};
use nom::combinator::{opt, recognize};
use nom::multi::many0_count;
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

use crate::text::{FileId, Span, Word};

/// nginx reads through a buffer of this size, and what doesn't fit in it is an error.
const BUFFER: usize = 4096;

/// One piece of config text.
#[derive(Debug)]
pub(super) enum Token {
    Word(Word),
    /// `;`
    End(Span),
    /// `{`
    Open(Span),
    /// `}`
    Close(Span),
    /// The end of the file; `in_quotes`: before the closing one came.
    Eof {
        span: Span,
        in_quotes: bool,
    },
    /// A byte that can't follow a closing quote. What comes next is read as a new word.
    AfterQuote(u8, Span),
    /// A word (or comment) longer than nginx's buffer: how it begins, and where.
    TooLong(Vec<u8>, Span),
    /// The same, in quotes that were never closed; nothing behind it can be trusted.
    Unclosed(u8, Span),
}

/// Splits one file.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    file: FileId,
    at: usize,
    /// The last token was a quoted word: only a blank or punctuation may follow.
    quoted: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(file: FileId, bytes: &'a [u8]) -> Self {
        Tokens { bytes, file, at: 0, quoted: false }
    }

    pub(super) fn next(&mut self) -> Token {
        if std::mem::take(&mut self.quoted)
            && let Some(&byte) = self.bytes.get(self.at)
            && !(is_blank(byte) || matches!(byte, b';' | b'{' | b')'))
        {
            return Token::AfterQuote(byte, self.span(self.at, self.at + 1));
        }
        if let Some(too_long) = self.skip_blanks() {
            return too_long;
        }
        let start = self.at;
        let Some(&byte) = self.bytes.get(start) else {
            return Token::Eof { span: self.span(start, start), in_quotes: false };
        };
        let one = self.span(start, start + 1);
        self.at += 1;
        match byte {
            b';' => Token::End(one),
            b'{' => Token::Open(one),
            b'}' => Token::Close(one),
            b'"' | b'\'' => self.quoted_word(byte),
            _ => self.bare_word(start),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    /// Blanks and comments. A comment longer than the buffer is nginx's "too long parameter".
    fn skip_blanks(&mut self) -> Option<Token> {
        loop {
            let rest = &self.bytes[self.at..];
            let (rest, _) = blanks(rest).ok()?;
            self.at = self.bytes.len() - rest.len();
            let (rest, found) = opt(comment).parse(rest).ok()?;
            found?;
            let start = self.at;
            self.at = self.bytes.len() - rest.len();
            if self.overflows(start, self.at) {
                return Some(self.too_long(start));
            }
        }
    }

    fn bare_word(&mut self, start: usize) -> Token {
        let rest = &self.bytes[start..];
        let length = bare(rest).map_or(rest.len(), |(_, word)| word.len());
        self.at = start + length;
        if self.overflows(start, self.at) {
            return self.too_long(start);
        }
        let text = unescape(&self.bytes[start..self.at]);
        Token::Word(Word { text, span: self.span(start, self.at), quoted: false })
    }

    fn quoted_word(&mut self, quote: u8) -> Token {
        let start = self.at;
        let rest = &self.bytes[start..];
        let length = inside_quotes(quote, rest).map_or(rest.len(), |(_, inside)| inside.len());
        let end = start + length;
        let span = self.span(start - 1, (end + 1).min(self.bytes.len()));
        let closed = self.bytes.get(end) == Some(&quote);
        self.at = end + usize::from(closed);
        if length > BUFFER || (length == BUFFER && closed) {
            return Token::Unclosed(quote, span);
        }
        if !closed {
            self.at = self.bytes.len();
            return Token::Eof { span: self.span(self.at, self.at), in_quotes: true };
        }
        if length + 1 == BUFFER && self.at < self.bytes.len() {
            return self.too_long(start);
        }
        self.quoted = true;
        Token::Word(Word { text: unescape(&self.bytes[start..end]), span, quoted: true })
    }

    /// The buffer is full before the byte that would end the word has been seen.
    fn overflows(&self, start: usize, end: usize) -> bool {
        let length = end - start;
        length > BUFFER || (length == BUFFER && end < self.bytes.len())
    }

    fn too_long(&self, start: usize) -> Token {
        let begins = self.bytes[start..].iter().copied().take(10).collect();
        Token::TooLong(begins, self.span(start, self.at))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn blanks(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_till(|byte| !is_blank(byte)).parse(input)
}

fn comment(input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize(pair(tag(&b"#"[..]), take_till(|byte| byte == b'\n'))).parse(input)
}

/// A word without quotes, up to a blank, `;` or `{`; its first byte may be anything.
fn bare(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let escaped = recognize(pair(tag(&b"\\"[..]), opt(take(1usize))));
    let plain = take_while1(|byte| !is_blank(byte) && !matches!(byte, b';' | b'{' | b'\\' | b'$'));
    recognize(many0_count(alt((plain, escaped, tag(&b"${"[..]), tag(&b"$"[..]))))).parse(input)
}

fn inside_quotes(quote: u8, input: &[u8]) -> IResult<&[u8], &[u8]> {
    let escaped = preceded(tag(&b"\\"[..]), opt(take(1usize)));
    let plain = take_while1(move |byte| byte != quote && byte != b'\\');
    recognize(many0_count(alt((recognize(escaped), plain)))).parse(input)
}

fn unescape(raw: &[u8]) -> BString {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, behind)) = rest.split_first() {
        let replaced = match (byte, behind.first()) {
            (b'\\', Some(&byte @ (b'"' | b'\'' | b'\\'))) => Some(byte),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        text.push(replaced.unwrap_or(byte));
        rest = if replaced.is_some() { &behind[1..] } else { behind };
    }
    text.into()
}
