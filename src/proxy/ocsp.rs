//! One question to an OCSP responder, as HTTP/1.0: what is sent, and how far its answer has come.
//!
//! Sources: RFC 6960, appendix A; nginx's words were watched (1.30).

/// More of an answer isn't read: it would be no answer about a certificate.
const LONGEST: usize = 64 * 1024;
const CUT_OFF: &str = "OCSP responder prematurely closed connection";
const INVALID: &str = "OCSP responder sent invalid response";
const TYPE: &str = "application/ocsp-response";

/// What came of bytes that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// More has to come.
    More,
    /// The answer's DER.
    Answer(Vec<u8>),
    /// With the log's words, if there is anything to say.
    Failed(Option<String>),
}

/// The request for a question in DER.
pub fn request(host: &str, path: &str, base64: &str) -> Vec<u8> {
    let mut text = format!("GET {path}");
    if !path.ends_with('/') {
        text.push('/');
    }
    for character in base64.chars() {
        match character {
            '/' => text.push_str("%2F"),
            '+' => text.push_str("%2B"),
            '=' => text.push_str("%3D"),
            '\n' => {}
            other => text.push(other),
        }
    }
    text += &format!(" HTTP/1.0\r\nHost: {host}\r\n\r\n");
    text.into_bytes()
}

/// An answer on its way.
#[derive(Debug, Default)]
pub struct Answer {
    bytes: Vec<u8>,
}

impl Answer {
    /// Takes what was read; nothing was: the responder has closed.
    pub fn hear(&mut self, bytes: &[u8]) -> Heard {
        let ended = bytes.is_empty();
        self.bytes.extend_from_slice(bytes);
        let Some(end) = head_end(&self.bytes) else {
            let complaint = if ended || self.bytes.len() >= LONGEST {
                CUT_OFF
            } else if !b"HTTP/1.".starts_with(&self.bytes[..self.bytes.len().min(7)]) {
                INVALID
            } else {
                return Heard::More;
            };
            return Heard::Failed(Some(complaint.to_owned()));
        };
        let length = match head(&self.bytes[..end]) {
            Ok(length) => length,
            Err(complaint) => return Heard::Failed(complaint),
        };
        let body = &self.bytes[end..];
        match length {
            Some(length) if body.len() >= length => Heard::Answer(body[..length].to_vec()),
            // What is wrong with one that is cut short, or too long, is found by who reads it.
            _ if ended || body.len() >= LONGEST => Heard::Answer(body.to_vec()),
            _ => Heard::More,
        }
    }
}

/// Where the body begins.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == b'\n')?;
        match &bytes[at + 1..] {
            [b'\n', ..] => return Some(at + 2),
            [b'\r', b'\n', ..] => return Some(at + 3),
            _ => from = at + 1,
        }
    }
}

/// The length that it announces.
fn head(bytes: &[u8]) -> Result<Option<usize>, Option<String>> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let status = lines.next().unwrap_or_default();
    let code = status.strip_prefix("HTTP/1.").and_then(|rest| {
        let (version, rest) = rest.split_once(' ')?;
        let code = rest.split(' ').next()?;
        version.parse::<u8>().ok()?;
        (code.len() == 3).then(|| code.parse::<u16>().ok())?
    });
    match code {
        None => return Err(Some(INVALID.to_owned())),
        Some(200) => {}
        // nginx says nothing.
        Some(_) => return Err(None),
    }
    let mut length = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-type") && !value.eq_ignore_ascii_case(TYPE) {
            let value: String = value.chars().filter(|it| !it.is_control()).collect();
            let complaint =
                format!("OCSP responder sent invalid \"Content-Type\" header: \"{value}\"");
            return Err(Some(complaint));
        }
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok();
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Heard {
        let mut answer = Answer::default();
        match answer.hear(bytes) {
            Heard::More => answer.hear(b""),
            heard => heard,
        }
    }

    /// What nginx 1.30 made of these answers.
    #[test]
    fn answers_are_taken_as_nginx_takes_them() {
        let ok = |body: &[u8]| Heard::Answer(body.to_vec());
        let bad = |text: &str| Heard::Failed(Some(text.to_owned()));
        assert_eq!(
            all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
            Heard::Failed(None)
        );
        assert_eq!(all(b"garbage\r\n\r\n"), bad(INVALID));
        assert_eq!(all(b"HTTP/1.0 200 OK\r\n\r\n"), ok(b""));
        assert_eq!(all(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhello"), ok(b"hello"));
        assert_eq!(all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhello"), ok(b"he"));
        assert_eq!(all(b"HTTP/1.0 200 OK\r\nX: half"), bad(CUT_OFF));
        assert_eq!(all(b""), bad(CUT_OFF));
        let text = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello";
        let complaint = "OCSP responder sent invalid \"Content-Type\" header: \"text/plain\"";
        assert_eq!(all(text), bad(complaint));
        let text = b"HTTP/1.0 200 OK\nContent-Type: Application/OCSP-response\n\nhello";
        assert_eq!(all(text), ok(b"hello"));
    }

    #[test]
    fn answers_come_byte_by_byte() {
        let text = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let mut answer = Answer::default();
        for byte in &text[..text.len() - 1] {
            assert_eq!(answer.hear(&[*byte]), Heard::More);
        }
        assert_eq!(answer.hear(b"o"), Heard::Answer(b"hello".to_vec()));
    }

    #[test]
    fn answers_have_an_end() {
        let mut answer = Answer::default();
        let heard = (0..).map(|_| answer.hear(&[b'H'; 1])).find(|heard| *heard != Heard::More);
        assert_eq!(heard, Some(Heard::Failed(Some(INVALID.to_owned()))));
        let mut answer = Answer::default();
        answer.hear(b"HTTP/1.0 200 OK\r\n\r\n");
        let heard = (0..1000).map(|_| answer.hear(&[0; 1000])).find(|heard| *heard != Heard::More);
        assert!(matches!(heard, Some(Heard::Answer(bytes)) if bytes.len() <= LONGEST + 1000));
    }

    #[test]
    fn a_question_is_one_line() {
        let request = request("a.example", "/some/path", "a+b/c=\n");
        let text = b"GET /some/path/a%2Bb%2Fc%3D HTTP/1.0\r\nHost: a.example\r\n\r\n";
        assert_eq!(request, text);
    }
}
