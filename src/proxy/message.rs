//! What the error log says about a session, in nginx's words (watched: nginx 1.22).

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::flow::Flow;
use super::session::{Relay, Side};
use crate::plan::process::LogLevel;

/// What a session is doing when something happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Prereading,
    ReadingHeader,
    /// Before a peer is looked for.
    Initializing,
    /// To another listener: `pass`.
    Passing,
    /// TLS with this side.
    Handshaking(Side),
    Connecting,
    Proxying,
    ReadingFrom(Side),
    SendingTo(Side),
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Handshaking(Side::Client) => "SSL handshaking",
            Doing::Handshaking(Side::Upstream) => "SSL handshaking to upstream",
            Doing::Prereading => "prereading client data",
            Doing::ReadingHeader => "reading PROXY protocol",
            Doing::Initializing => "initializing session",
            Doing::Passing => "passing connection to port",
            Doing::Connecting => "connecting to upstream",
            Doing::Proxying => "proxying connection",
            Doing::ReadingFrom(Side::Client) => "proxying and reading from client",
            Doing::ReadingFrom(Side::Upstream) => "proxying and reading from upstream",
            Doing::SendingTo(Side::Client) => "proxying and sending to client",
            Doing::SendingTo(Side::Upstream) => "proxying and sending to upstream",
        })
    }
}

/// Who is at the other end of an accepted connection. Prints as the address without its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Tcp(SocketAddr),
    Unix,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::Tcp(address) => address.ip().fmt(f),
            Client::Unix => f.write_str("unix:"),
        }
    }
}

/// The same with its port.
#[derive(Clone, Copy, Debug)]
pub struct WithPort(pub Client);

impl fmt::Display for WithPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Client::Tcp(address) => address.fmt(f),
            Client::Unix => Client::Unix.fmt(f),
        }
    }
}

/// The tail of a line about a session: ` while …, client: …, server: …, upstream: "…", bytes …`.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub doing: Doing,
    /// The client speaks UDP.
    pub udp: bool,
    pub client: Client,
    /// The address it came in by.
    pub server: &'a str,
    /// The peer, or the upstream's name where no peer was found; `None` before one is looked for,
    /// where there is no traffic either.
    pub upstream: Option<&'a str>,
    pub traffic: Traffic,
}

impl fmt::Display for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Context { doing, udp, client, server, upstream, traffic } = self;
        let udp = if *udp { "udp " } else { "" };
        write!(f, " while {doing}, {udp}client: {client}, server: {server}")?;
        match upstream {
            Some(upstream) => write!(f, ", upstream: \"{upstream}\", {traffic}"),
            None => Ok(()),
        }
    }
}

/// `bytes from/to client:5/0, bytes from/to upstream:0/5`
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    client: (u64, u64),
    upstream: (u64, u64),
}

impl Traffic {
    /// The same where so many bytes of the client's were there before the session began to count.
    pub fn without(self, ahead: u64) -> Self {
        let (from, to) = self.client;
        Self { client: (from.saturating_sub(ahead), to), ..self }
    }

    /// Bytes from the client, bytes to it.
    pub fn client(&self) -> (u64, u64) {
        self.client
    }

    /// Bytes from the peer, bytes to it.
    pub fn upstream(&self) -> (u64, u64) {
        self.upstream
    }
}

impl From<&Relay> for Traffic {
    fn from(relay: &Relay) -> Self {
        Self { client: relay.counts(Side::Client), upstream: relay.counts(Side::Upstream) }
    }
}

impl From<&Flow> for Traffic {
    fn from(flow: &Flow) -> Self {
        Self { client: flow.counts(Side::Client), upstream: flow.counts(Side::Upstream) }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traffic { client, upstream } = self;
        let (from, to) = client;
        write!(f, "bytes from/to client:{from}/{to}, ")?;
        let (from, to) = upstream;
        write!(f, "bytes from/to upstream:{from}/{to}")
    }
}

/// An error of a system call as nginx writes it: `(111: Connection refused)`.
#[derive(Clone, Copy, Debug)]
pub struct Errno<'a>(pub &'a io::Error);

impl fmt::Display for Errno<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match self.0.raw_os_error() {
            Some(code) => {
                let text = text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text);
                write!(f, "({code}: {text})")
            }
            None => write!(f, "({text})"),
        }
    }
}

/// How urgent nginx finds a failed connect: what the network may do is an error, what is wrong
/// with this host is critical.
pub fn connect_level(error: &io::Error) -> LogLevel {
    use io::ErrorKind::*;
    match error.kind() {
        ConnectionRefused | ConnectionReset | NetworkDown | NetworkUnreachable
        | HostUnreachable | TimedOut | WouldBlock | BrokenPipe => LogLevel::Error,
        _ => LogLevel::Crit,
    }
}

/// How urgent nginx finds an error on an established connection: clients may misbehave.
pub fn stream_level(side: Side) -> LogLevel {
    match side {
        Side::Client => LogLevel::Info,
        Side::Upstream => LogLevel::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_nginx_has_it() {
        let refused = io::Error::from_raw_os_error(111);
        let context = Context {
            doing: Doing::Connecting,
            udp: false,
            client: Client::Tcp(([127, 0, 0, 1], 59996).into()),
            server: "127.0.0.1:22100",
            upstream: Some("127.0.0.1:22009"),
            traffic: Traffic::default(),
        };
        assert_eq!(
            format!("connect() failed {}{context}", Errno(&refused)),
            "connect() failed (111: Connection refused) while connecting to upstream, \
             client: 127.0.0.1, server: 127.0.0.1:22100, upstream: \"127.0.0.1:22009\", \
             bytes from/to client:0/0, bytes from/to upstream:0/0"
        );
        assert_eq!(connect_level(&refused), LogLevel::Error);
        assert_eq!(connect_level(&io::Error::from_raw_os_error(2)), LogLevel::Crit);
    }
}
