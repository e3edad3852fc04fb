//! The PROXY protocol, versions 1 and 2: what a proxy in front says about the client, and what is
//! said to a peer behind.
//!
//! Source: "The PROXY protocol, Versions 1 & 2" (haproxy.org). Where the text leaves a choice,
//! nginx's was taken (watched: 1.22): a header must be there whole when its first byte is, addresses
//! of version 1 are only looked at as far as their letters, what is neither TCP over IPv4 nor TCP
//! over IPv6 counts as unknown.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use bstr::BString;

use crate::proxy::message::Client;

/// No header is longer, both versions (nginx 1.23.2 and later).
pub const LONGEST: usize = 4096;
/// No header of version 1 is longer, with its CRLF.
pub const LONGEST_TEXT: usize = 107;

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;

/// What a header says. Addresses as nginx's variables show them: those of version 1 as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub endpoints: Option<Endpoints>,
    /// Behind the addresses of version 2, see [`super::tlv`].
    pub tlvs: BString,
}

/// Who connected to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    pub source: BString,
    pub destination: BString,
    pub source_port: u16,
    pub destination_port: u16,
}

impl Endpoints {
    /// The client, if its address is one.
    pub fn client(&self) -> Option<SocketAddr> {
        let address: IpAddr = std::str::from_utf8(&self.source).ok()?.parse().ok()?;
        Some(SocketAddr::new(address, self.source_port))
    }
}

/// Why bytes are no header. Prints as nginx's line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes, as far as the log shows them.
    Broken(BString),
    UnknownVersion(u8),
    TooLarge,
    /// Version 2 without room for its own addresses, of which nginx says nothing.
    Short,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Broken(bytes) => write!(f, "broken header: \"{bytes}\""),
            Refusal::UnknownVersion(version) => {
                write!(f, "unknown PROXY protocol version: {version}")
            }
            Refusal::TooLarge => f.write_str("header is too large"),
            Refusal::Short => f.write_str("header is too short for its addresses"),
        }
    }
}

/// Reads a header from the front of `bytes`, which are all that has come so far. Also returns how
/// long it is; the content follows.
pub fn parse(bytes: &[u8]) -> Result<(Header, usize), Refusal> {
    if bytes.len() >= FIXED && bytes.starts_with(SIGNATURE) {
        return parse_binary(bytes);
    }
    let shown = &bytes[..bytes.len().min(LONGEST_TEXT)];
    parse_text(shown).ok_or_else(|| Refusal::Broken(shown.into()))
}

/// `PROXY TCP4 SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT\r\n`
fn parse_text(bytes: &[u8]) -> Option<(Header, usize)> {
    let rest = bytes.strip_prefix(b"PROXY ")?;
    if rest.starts_with(b"UNKNOWN") {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        return Some((Header::default(), bytes.len() - rest.len() + end + 2));
    }
    let rest = rest.strip_prefix(b"TCP4 ").or_else(|| rest.strip_prefix(b"TCP6 "))?;
    let (source, rest) = take_address(rest)?;
    let (destination, rest) = take_address(rest)?;
    let (source_port, rest) = take_port(rest)?;
    let (destination_port, rest) = take_port(rest.strip_prefix(b" ")?)?;
    let rest = rest.strip_prefix(b"\r\n")?;
    let endpoints = Endpoints {
        source: source.into(),
        destination: destination.into(),
        source_port,
        destination_port,
    };
    let header = Header { endpoints: Some(endpoints), tlvs: BString::default() };
    Some((header, bytes.len() - rest.len()))
}

/// Letters of an address up to a blank, which is taken too.
fn take_address(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes
        .iter()
        .position(|byte| !(byte.is_ascii_hexdigit() || *byte == b'.' || *byte == b':'))?;
    (bytes[end] == b' ').then(|| (&bytes[..end], &bytes[end + 1..]))
}

fn take_port(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let port = std::str::from_utf8(&bytes[..length]).ok()?.parse().ok()?;
    Some((port, &bytes[length..]))
}

fn parse_binary(bytes: &[u8]) -> Result<(Header, usize), Refusal> {
    let (kind, family) = (bytes[12], bytes[13]);
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if kind >> 4 != 2 {
        return Err(Refusal::UnknownVersion(kind >> 4));
    }
    let end = FIXED + length;
    if end > bytes.len() {
        return Err(Refusal::TooLarge);
    }
    let body = &bytes[FIXED..end];
    // LOCAL, and whatever else isn't PROXY, speaks of the connection itself.
    let is_proxied = kind & 0x0f == 1;
    let width = match family {
        0x11 if is_proxied => 4,
        0x21 if is_proxied => 16,
        _ => return Ok((Header::default(), end)),
    };
    if body.len() < 2 * width + 4 {
        return Err(Refusal::Short);
    }
    let address = |at: usize| {
        let octets = &body[at..at + width];
        let address = match width {
            4 => <[u8; 4]>::try_from(octets).map(IpAddr::from),
            _ => <[u8; 16]>::try_from(octets).map(IpAddr::from),
        };
        address.map(|address| BString::from(address.to_string())).unwrap_or_default()
    };
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let endpoints = Endpoints {
        source: address(0),
        destination: address(width),
        source_port: port(2 * width),
        destination_port: port(2 * width + 2),
    };
    Ok((Header { endpoints: Some(endpoints), tlvs: body[2 * width + 4..].into() }, end))
}

/// The header of version 1 for a peer: `client` as it is now, `server` the address that it asked.
///
/// As in nginx, the family is the client's, also where a believed header has made that another
/// than the server's; a Unix socket's path then stands for the server, with port 0.
pub fn text(client: Client, server: &Server<'_>) -> Vec<u8> {
    let Client::Tcp(client) = client else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    let (address, from, to) = (client.ip(), client.port(), server.port());
    let mut header = Vec::with_capacity(LONGEST_TEXT);
    // Writing to a vector can't fail.
    let _ = write!(header, "PROXY {family} {address} {server} {from} {to}\r\n");
    header
}

/// The header of version 2. Addresses of two families are both written as IPv6; of a connection by
/// Unix socket nothing is said.
pub fn binary(client: Client, server: &Server<'_>) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let (Client::Tcp(client), Server::Tcp(server)) = (client, server) else {
        // PROXY with no family: the receiver goes by the connection itself.
        header.extend([0x21, 0x00, 0, 0]);
        return header;
    };
    match (client, server) {
        (SocketAddr::V4(client), SocketAddr::V4(server)) => {
            header.extend([0x21, 0x11, 0, 12]);
            header.extend(client.ip().octets());
            header.extend(server.ip().octets());
        }
        _ => {
            let mapped = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            header.extend([0x21, 0x21, 0, 36]);
            header.extend(mapped(client.ip()).octets());
            header.extend(mapped(server.ip()).octets());
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend(server.port().to_be_bytes());
    header
}

/// The address that a client asked for. Prints without its port.
#[derive(Clone, Copy, Debug)]
pub enum Server<'a> {
    Tcp(SocketAddr),
    /// The socket's name as the config has it: `unix:PATH`.
    Unix(&'a str),
}

impl Server<'_> {
    fn port(&self) -> u16 {
        match self {
            Server::Tcp(address) => address.port(),
            Server::Unix(_) => 0,
        }
    }
}

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Tcp(address) => address.ip().fmt(f),
            Server::Unix(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(bytes: &[u8]) -> Option<(String, u16, String, u16)> {
        let (header, length) = parse(bytes).unwrap();
        assert!(length <= bytes.len());
        let Endpoints { source, destination, source_port, destination_port } = header.endpoints?;
        Some((source.to_string(), source_port, destination.to_string(), destination_port))
    }

    /// As nginx 1.22 answered on each.
    #[test]
    fn text_is_read_as_nginx_reads_it() {
        let good = |source: &str, port, destination: &str, to| {
            Some((source.to_owned(), port, destination.to_owned(), to))
        };
        for (bytes, expected) in [
            ("TCP4 1.2.3.4 5.6.7.8 111 222\r\nmore", good("1.2.3.4", 111, "5.6.7.8", 222)),
            ("TCP6 2001:DB8::1 ::2 1 2\r\n", good("2001:DB8::1", 1, "::2", 2)),
            ("TCP4 1.2.3.444 abc 0111 0\r\n", good("1.2.3.444", 111, "abc", 0)),
            ("TCP4  5.6.7.8 1 2\r\n", good("", 1, "5.6.7.8", 2)),
            ("UNKNOWN\r\n", None),
            ("UNKNOWN ff::1 whatever\r\n", None),
            ("UNKNOWNX\r\n", None),
        ] {
            assert_eq!(endpoints(format!("PROXY {bytes}").as_bytes()), expected, "{bytes}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for bad in [
            "",
            "hi",
            "PROXY TC",
            "PROXY UNKNOWN\r",
            "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY UNIX 1.2.3.4 5.6.7.8 1 2\r\n",
            "PROXY TCP4 xyz 5.6.7.8 1 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 a 2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8  2\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nhello",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx",
            "PROXY TCP4 1.2.3.4 5.6.7.8 1 2",
            &long,
        ] {
            let shown = &bad[..bad.len().min(LONGEST_TEXT)];
            let refusal = parse(bad.as_bytes()).unwrap_err();
            assert_eq!(refusal.to_string(), format!("broken header: \"{shown}\""));
        }
    }

    fn version_2(kind: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[kind, family], &length, body].concat()
    }

    #[test]
    fn binary_is_read_as_nginx_reads_it() {
        let body = [1, 2, 3, 4, 5, 6, 7, 8, 0, 111, 0, 222, 2, 0, 1, b'x'];
        let bytes = [version_2(0x21, 0x11, &body), b"content".to_vec()].concat();
        let (header, length) = parse(&bytes).unwrap();
        assert_eq!(&bytes[length..], b"content");
        assert_eq!(header.tlvs, &[2, 0, 1, b'x'][..]);
        let client = header.endpoints.unwrap().client();
        assert_eq!(client, Some(([1, 2, 3, 4], 111).into()));
        // LOCAL, UNSPEC, datagrams, Unix sockets, what nobody knows: all right, and nothing said.
        for (kind, family) in [(0x20, 0x11), (0x21, 0), (0x21, 0x12), (0x21, 0x41), (0x22, 0x11)] {
            assert_eq!(endpoints(&version_2(kind, family, &body)), None);
        }
        assert_eq!(parse(&version_2(0x21, 0x21, &body)).unwrap_err(), Refusal::Short);
        assert_eq!(parse(&version_2(0x21, 0x11, b"")).unwrap_err(), Refusal::Short);
        assert_eq!(parse(&version_2(0x31, 0x11, b"")).unwrap_err(), Refusal::UnknownVersion(3));
        let cut = &version_2(0x21, 0x11, &body)[..20];
        assert_eq!(parse(cut).unwrap_err(), Refusal::TooLarge);
        assert!(matches!(parse(SIGNATURE).unwrap_err(), Refusal::Broken(_)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let four: SocketAddr = "192.0.2.1:4000".parse().unwrap();
        let six: SocketAddr = "[2001:db8::1]:5000".parse().unwrap();
        let line = text(Client::Tcp(four), &Server::Tcp("192.0.2.2:80".parse().unwrap()));
        assert_eq!(line, b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\n");
        let line = text(Client::Tcp(six), &Server::Unix("unix:/tmp/s"));
        assert_eq!(line, b"PROXY TCP6 2001:db8::1 unix:/tmp/s 5000 0\r\n");
        assert_eq!(text(Client::Unix, &Server::Tcp(four)), b"PROXY UNKNOWN\r\n");
        for (client, server) in [(four, four), (six, six), (six, four), (four, six)] {
            let header = binary(Client::Tcp(client), &Server::Tcp(server));
            let (_, from, _, to) = endpoints(&header).unwrap();
            assert_eq!((from, to), (client.port(), server.port()));
        }
        assert_eq!(endpoints(&binary(Client::Unix, &Server::Unix("unix:"))), None);
    }
}
