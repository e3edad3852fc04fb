//! The TLS greeting (RFC 8446 4.1.2): the name asked for, the newest version and the protocols
//! offered. Read from its plain bytes; no handshake takes place.
//!
//! What counts as a greeting is what nginx 1.22 takes for one (watched): records of any 3.x
//! version, the message spread over any number of them, empty ones between; or the greeting of
//! SSLv2's form, of which only the version is told.

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The greeting isn't complete.
    More,
    /// This is something else.
    Other,
    Hello(ClientHello),
}

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// As sent; empty: no name.
    pub server_name: Vec<u8>,
    /// `TLSv1.3`; empty: a version that nobody knows.
    pub protocol: &'static str,
    /// Protocols offered (ALPN), separated by commas.
    pub alpn: Vec<u8>,
}

const RECORD_HEADER: usize = 5;
const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 1;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Reads the greeting at the beginning of `bytes`. Time linear in their number.
pub fn read(bytes: &[u8]) -> Reading {
    let (Some(&kind), Some(&major), true) =
        (bytes.first(), bytes.get(1), bytes.len() >= RECORD_HEADER)
    else {
        return Reading::More;
    };
    if kind & 0x80 != 0 && bytes[2] == CLIENT_HELLO {
        let protocol = name([bytes[3], bytes[4]]);
        return Reading::Hello(ClientHello { protocol, ..ClientHello::default() });
    }
    if kind != HANDSHAKE || major != 3 {
        return Reading::Other;
    }
    let (message, complaint) = reassemble(bytes);
    match hello(&message) {
        Ok(hello) => Reading::Hello(hello),
        Err(Stop::Other) => Reading::Other,
        Err(Stop::More) => complaint.unwrap_or(Reading::More),
    }
}

/// The handshake bytes of all records that are there whole (nginx looks at no others); and what is
/// wrong behind them.
fn reassemble(mut bytes: &[u8]) -> (Vec<u8>, Option<Reading>) {
    let mut message = Vec::new();
    while let [kind, major, _, high, low, rest @ ..] = bytes {
        if *kind != HANDSHAKE || *major != 3 {
            return (message, Some(Reading::Other));
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((record, behind)) = rest.split_at_checked(length) else { break };
        message.extend_from_slice(record);
        bytes = behind;
    }
    (message, None)
}

/// Why reading ended early.
enum Stop {
    More,
    Other,
}

/// The message, or what there is of it.
fn hello(message: &[u8]) -> Result<ClientHello, Stop> {
    let mut message = Part { here: message, length: usize::MAX };
    if message.byte()? != CLIENT_HELLO {
        return Err(Stop::Other);
    }
    let mut body = message.part(3)?;
    let version = body.version()?;
    let mut hello = ClientHello { protocol: name(version), ..ClientHello::default() };
    body.skip(32)?;
    body.part(1)?.whole()?;
    body.part(2)?.whole()?;
    body.part(1)?.whole()?;
    if body.length == 0 {
        return Ok(hello);
    }
    let mut extensions = body.part(2)?;
    body.end()?;
    let mut seen = [false; 2];
    while extensions.length > 0 {
        let kind = extensions.number(2)? as u16;
        let mut extension = extensions.part(2)?;
        match kind {
            SERVER_NAME if std::mem::replace(&mut seen[0], true) => return Err(Stop::Other),
            SERVER_NAME => server_name(&mut extension, &mut hello)?,
            ALPN if std::mem::replace(&mut seen[1], true) => return Err(Stop::Other),
            ALPN => alpn(&mut extension, &mut hello)?,
            SUPPORTED_VERSIONS => {
                // Whatever the list says, nginx takes who sends one for a client of 1.3.
                hello.protocol = name([3, 4]);
                extension.part(1)?.whole()?;
            }
            _ => extension.whole()?,
        }
        extension.end()?;
    }
    Ok(hello)
}

/// The first name; what follows it isn't looked at.
fn server_name(extension: &mut Part<'_>, hello: &mut ClientHello) -> Result<(), Stop> {
    let mut names = extension.part(2)?;
    if names.byte()? != 0 {
        return Err(Stop::Other);
    }
    let mut name = names.part(2)?;
    hello.server_name = name.take(name.length)?.to_vec();
    names.whole()
}

fn alpn(extension: &mut Part<'_>, hello: &mut ClientHello) -> Result<(), Stop> {
    let mut protocols = extension.part(2)?;
    let mut names = Vec::new();
    while protocols.length > 0 || names.is_empty() {
        let mut protocol = protocols.part(1)?;
        if protocol.length == 0 {
            return Err(Stop::Other);
        }
        names.push(protocol.take(protocol.length)?);
    }
    hello.alpn = names.join(&b',');
    Ok(())
}

fn name(version: [u8; 2]) -> &'static str {
    match version {
        [0, 2] => "SSLv2",
        [3, 0] => "SSLv3",
        [3, 1] => "TLSv1",
        [3, 2] => "TLSv1.1",
        [3, 3] => "TLSv1.2",
        [3, 4] => "TLSv1.3",
        _ => "",
    }
}

/// A field of a stated length, of which perhaps only the beginning is here.
struct Part<'a> {
    here: &'a [u8],
    length: usize,
}

impl<'a> Part<'a> {
    /// A field that is longer than what it stands in is no greeting; one that isn't all here needs
    /// more.
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        if count > self.length {
            return Err(Stop::Other);
        }
        let (taken, rest) = self.here.split_at_checked(count).ok_or(Stop::More)?;
        self.here = rest;
        self.length -= count;
        Ok(taken)
    }

    fn skip(&mut self, count: usize) -> Result<(), Stop> {
        self.take(count).map(|_| ())
    }

    /// Nothing may be left of it.
    fn end(&self) -> Result<(), Stop> {
        if self.length == 0 { Ok(()) } else { Err(Stop::Other) }
    }

    /// Goes past all of it.
    fn whole(&mut self) -> Result<(), Stop> {
        self.skip(self.length)
    }

    fn number(&mut self, width: usize) -> Result<usize, Stop> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.number(1).map(|number| number as u8)
    }

    fn version(&mut self) -> Result<[u8; 2], Stop> {
        Ok([self.byte()?, self.byte()?])
    }

    /// A field behind its length, which has `width` bytes. What isn't here of it can't be told
    /// from what isn't here of this one, so that reading it asks for more.
    fn part(&mut self, width: usize) -> Result<Part<'a>, Stop> {
        let length = self.number(width)?;
        if length > self.length {
            return Err(Stop::Other);
        }
        let (here, rest) = self.here.split_at(length.min(self.here.len()));
        self.here = rest;
        self.length -= length;
        Ok(Part { here, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(width: usize, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32).to_be_bytes();
        [&length[4 - width..], body].concat()
    }

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &counted(2, body)].concat()
    }

    fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
        if !extensions.is_empty() {
            body.extend(counted(2, &extensions.concat()));
        }
        [&[CLIENT_HELLO][..], &counted(3, &body)].concat()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message
            .chunks(size)
            .flat_map(|chunk| [&[HANDSHAKE, 3, 1][..], &counted(2, chunk)].concat())
            .collect()
    }

    fn greeting() -> Vec<u8> {
        let name = [&[0][..], &counted(2, b"a.example")].concat();
        message(&[
            extension(0x1a1a, &[]),
            extension(SERVER_NAME, &counted(2, &name)),
            extension(ALPN, &counted(2, b"\x02h2\x08http/1.1")),
            extension(SUPPORTED_VERSIONS, b"\x06\x7a\x7a\x03\x03\x03\x04"),
        ])
    }

    fn hello(reading: Reading) -> ClientHello {
        match reading {
            Reading::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn name_version_and_protocols_in_records_of_any_size() {
        for size in [1, 2, 3, 50, 10_000] {
            let bytes = records(&greeting(), size);
            let found = hello(read(&bytes));
            assert_eq!(found.server_name, b"a.example");
            assert_eq!((found.protocol, &found.alpn[..]), ("TLSv1.3", &b"h2,http/1.1"[..]));
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Reading::More, "{end} of {}", bytes.len());
            }
            let empty = [&[HANDSHAKE, 3, 9, 0, 0][..], &bytes].concat();
            assert_eq!(hello(read(&empty)), found);
        }
    }

    #[test]
    fn old_greetings() {
        assert_eq!(hello(read(&records(&message(&[]), 99))).protocol, "TLSv1.2");
        let second = |version: [u8; 2]| [&[0x80, 0x2e, 1][..], &version, &[0; 20]].concat();
        assert_eq!(hello(read(&second([3, 1]))).protocol, "TLSv1");
        assert_eq!(hello(read(&second([0, 2]))).protocol, "SSLv2");
    }

    #[test]
    fn what_is_no_greeting() {
        for bytes in [
            &b"GET / HTTP/1.0\r\n\r\n"[..],
            b"\x15\x03\x01\x00\x02\x02\x28",
            b"\x16\x02\x00\x00\x20\x01\0\0\0",
            b"\x16\x03\x01\x00\x04\x02\0\0\0",
            b"\x16\x03\x01\x00\x04\x01\0\0\0",
            b"\x16\x03\x01\x00\x0a\x01\0\0\x06\x03\x03\0\0\0\0",
            b"\x16\x03\x01\x00\x01\x01\x17\x03\x01\x00\x01\x01",
        ] {
            assert_eq!(read(bytes), Reading::Other, "{bytes:?}");
        }
        let named = || extension(SERVER_NAME, &counted(2, b"\x00\x00\x01a"));
        for extensions in [
            // A name that is longer than the list it stands in.
            vec![extension(SERVER_NAME, &counted(2, b"\x00\x00\xffa"))],
            vec![extension(SERVER_NAME, &counted(2, b"\x01\x00\x01a"))],
            vec![extension(SERVER_NAME, &[&counted(2, b"\x00\x00\x01a")[..], b"x"].concat())],
            vec![extension(SERVER_NAME, b"")],
            vec![named(), named()],
            vec![extension(ALPN, &counted(2, b""))],
            vec![extension(ALPN, &counted(2, b"\x00\x02h2"))],
            vec![extension(SUPPORTED_VERSIONS, b"\x02\x03\x04\x03\x01")],
        ] {
            let bytes = records(&message(&extensions), 999);
            assert_eq!(read(&bytes), Reading::Other, "{extensions:?}");
        }
    }

    #[test]
    fn any_single_damage_is_survived() {
        let bytes = records(&greeting(), 40);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                read(&bytes);
            }
        }
    }
}
