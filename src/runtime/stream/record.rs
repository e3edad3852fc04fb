//! What a session remembers for variables and logs. Sessions of servers that use none have no
//! record.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::SockRef;

use super::admission::Counted;
use super::conversation::Line;
use super::engine::Outbound;
use super::service::Entrance;
use super::session::Session;
use super::tls;
use crate::kernel::local_time::LocalTime;
use crate::plan::fact::Fact;
use crate::plan::stream::Address;
use crate::proxy::message::Client;
use crate::proxy::preface::client_hello::ClientHello;
use crate::proxy::preface::proxy_protocol::{Endpoints, Header};
use crate::proxy::preface::tlv;
use crate::proxy::session::{Side, Status};
use crate::proxy::variable::{Facts, Values};
use crate::runtime::version::NGINX_NUMBER;

#[derive(Debug)]
pub(super) struct Record {
    pub(super) begun: Instant,
    pub(super) values: Values,
    /// One for each peer that was tried.
    pub(super) attempts: Vec<Attempt>,
    /// What the client got without a peer: `return`.
    pub(super) answered: u64,
    /// What `ssl_preread` has found; empty while it isn't known yet whether there is anything.
    pub(super) greeting: Option<ClientHello>,
    /// The name in the greeting of a handshake that is about to begin.
    pub(super) asked_name: Option<Vec<u8>>,
    /// Bytes that were looked at and are still to be read. nginx has them already then, and
    /// doesn't count them as received.
    pub(super) peeked: u64,
    /// Of the PROXY protocol.
    pub(super) header: Option<Box<Header>>,
    /// Who really connected, where a header was believed.
    pub(super) connected_from: Option<Client>,
    /// By `limit_conn`.
    pub(super) counted: Vec<Counted>,
    /// `$limit_conn_status`
    pub(super) limit_status: Option<&'static str>,
    /// What is filled in for connections to peers.
    pub(super) outbound: Option<Box<Outbound>>,
    /// The entrance it came in by, where the client has then chosen a server by name.
    pub(super) front: Option<Arc<Entrance>>,
    /// How often it was passed to another listener.
    pub(super) passes: u8,
    /// The last of them.
    pub(super) passed_to: Option<Address>,
}

/// One try at a peer.
#[derive(Debug)]
pub(super) struct Attempt {
    /// `$upstream_addr`: the peer's address, or the upstream's name where no peer was to be had.
    pub(super) address: String,
    pub(super) begun: Instant,
    pub(super) connected: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    /// How long it took in all, once it is over.
    pub(super) lasted: Option<Duration>,
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Record {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            values: Values::default(),
            attempts: Vec::new(),
            answered: 0,
            greeting: None,
            asked_name: None,
            peeked: 0,
            header: None,
            connected_from: None,
            counted: Vec::new(),
            limit_status: None,
            outbound: None,
            front: None,
            passes: 0,
            passed_to: None,
        }
    }

    pub(super) fn attempt(&mut self, now: Instant, address: String) {
        self.attempts.push(Attempt {
            address,
            begun: now,
            connected: None,
            first_byte: None,
            lasted: None,
            received: 0,
            sent: 0,
        });
    }

    /// The peer that is being tried, or was last.
    pub(super) fn last(&mut self) -> Option<&mut Attempt> {
        self.attempts.last_mut()
    }
}

impl Attempt {
    pub(super) fn connect(&mut self, now: Instant) {
        self.connected = Some(now.saturating_duration_since(self.begun));
    }

    /// `received` from the peer so far. Returns the time of the first byte if it has just come.
    pub(super) fn hear(&mut self, now: Instant, received: u64) -> Option<Duration> {
        if received == 0 || self.first_byte.is_some() {
            return None;
        }
        self.first_byte = Some(now.saturating_duration_since(self.begun));
        self.first_byte
    }

    pub(super) fn end(&mut self, now: Instant) {
        self.lasted = Some(now.saturating_duration_since(self.begun));
    }
}

/// A session as variables see it.
pub(super) struct Seen<'a> {
    pub(super) session: &'a Session,
    /// The session's record while its values are being worked with.
    pub(super) record: &'a Record,
    pub(super) now: Instant,
    /// How it ended, if it has.
    pub(super) status: Option<Status>,
}

impl Facts for Seen<'_> {
    fn fact(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let session = self.session;
        // Writing to a vector can't fail.
        let mut show = |text: std::fmt::Arguments<'_>| out.write_fmt(text).is_ok();
        match fact {
            Fact::RemoteAddr => show(format_args!("{}", session.from)),
            Fact::RemotePort => show(format_args!("{}", Port(session.from))),
            Fact::BinaryRemoteAddr => {
                match session.from {
                    Client::Tcp(address) => match address.ip() {
                        std::net::IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                        std::net::IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
                    },
                    Client::Unix => out.extend_from_slice(b"unix:"),
                }
                true
            }
            Fact::RealipRemoteAddr => {
                show(format_args!("{}", self.record.connected_from.unwrap_or(session.from)))
            }
            Fact::RealipRemotePort => {
                show(format_args!("{}", Port(self.record.connected_from.unwrap_or(session.from))))
            }
            Fact::ProxyProtocolAddr
            | Fact::ProxyProtocolPort
            | Fact::ProxyProtocolServerAddr
            | Fact::ProxyProtocolServerPort
            | Fact::ProxyProtocolTlv(_) => self.of_header(fact, out),
            Fact::LimitConnStatus => {
                self.record.limit_status.is_some_and(|status| show(format_args!("{status}")))
            }
            Fact::ServerAddr => match self.local() {
                Some(Address::Tcp(address)) => show(format_args!("{}", address.ip())),
                Some(unix @ Address::Unix(_)) => show(format_args!("{unix}")),
                None => false,
            },
            Fact::ServerPort => match self.local() {
                Some(Address::Tcp(address)) => show(format_args!("{}", address.port())),
                _ => true,
            },
            Fact::Protocol => {
                show(format_args!("{}", if session.client.is_shared() { "UDP" } else { "TCP" }))
            }
            Fact::Connection => show(format_args!("{}", session.number)),
            Fact::Status => {
                show(format_args!("{:03}", self.status.map_or(0, |status| status as u16)))
            }
            Fact::BytesReceived => show(format_args!("{}", session.traffic().client().0)),
            Fact::BytesSent => {
                show(format_args!("{}", session.traffic().client().1 + self.record.answered))
            }
            Fact::SessionTime => show(format_args!("{}", Seconds(self.now - self.record.begun))),
            Fact::Msec => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                show(format_args!("{}", Seconds(since)))
            }
            Fact::TimeLocal => show(format_args!("{}", LocalTime::now().common_log())),
            Fact::TimeIso8601 => show(format_args!("{}", LocalTime::now().iso8601())),
            Fact::Pid => show(format_args!("{}", std::process::id())),
            Fact::ServerName => {
                out.extend_from_slice(&session.entrance.server.name.0);
                true
            }
            Fact::Hostname => show(format_args!("{}", hostname())),
            Fact::NginxVersion => show(format_args!("{NGINX_NUMBER}")),
            Fact::UpstreamAddr
            | Fact::UpstreamBytesReceived
            | Fact::UpstreamBytesSent
            | Fact::UpstreamConnectTime
            | Fact::UpstreamFirstByteTime
            | Fact::UpstreamSessionTime => self.of_attempts(fact, out),
            Fact::SslPrereadServerName
            | Fact::SslPrereadProtocol
            | Fact::SslPrereadAlpnProtocols => {
                let Some(greeting) = &self.record.greeting else { return false };
                out.extend_from_slice(match fact {
                    Fact::SslPrereadServerName => &greeting.server_name,
                    Fact::SslPrereadProtocol => greeting.protocol.as_bytes(),
                    _ => &greeting.alpn,
                });
                true
            }
            _ => match session.tls.as_ref().and_then(|tls| tls.with(Side::Client)) {
                Some(channel) => tls::fact(channel.ssl(), fact, out),
                None => match (fact, &self.record.asked_name) {
                    // It is known before the handshake where certificates depend on it.
                    (Fact::SslServerName, Some(name)) => {
                        out.extend_from_slice(name);
                        true
                    }
                    _ => false,
                },
            },
        }
    }
}

impl Seen<'_> {
    /// The address that the client asked for, which a wildcard listener doesn't know; of one that
    /// was passed on, the listener's.
    fn local(&self) -> Option<Address> {
        if let Some(listening) = &self.record.passed_to {
            return Some(listening.clone());
        }
        if let Line::Shared(conversation) = &self.session.client {
            return conversation.local().map(Address::Tcp);
        }
        let local = SockRef::from(&*self.session.client).local_addr().ok()?;
        match local.as_socket() {
            Some(address) => Some(Address::Tcp(address)),
            None => local.as_pathname().map(|path| Address::Unix(path.to_owned())),
        }
    }

    /// `$proxy_protocol_*`
    fn of_header(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let Some(header) = &self.record.header else { return false };
        if let Fact::ProxyProtocolTlv(name) = fact {
            let value = tlv::value(&header.tlvs, name);
            return value.map(|value| out.extend_from_slice(&value)).is_some();
        }
        let Some(Endpoints { source, destination, source_port, destination_port }) =
            &header.endpoints
        else {
            return false;
        };
        // As nginx, which shows port 0 as nothing.
        let mut show = |port: u16| port == 0 || write!(out, "{port}").is_ok();
        match fact {
            Fact::ProxyProtocolPort => show(*source_port),
            Fact::ProxyProtocolServerPort => show(*destination_port),
            Fact::ProxyProtocolAddr => out.write_all(source).is_ok(),
            _ => out.write_all(destination).is_ok(),
        }
    }

    /// `$upstream_*`: a value for each peer that was tried.
    fn of_attempts(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let attempts = &self.record.attempts;
        for (at, attempt) in attempts.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(b", ");
            }
            let last = at + 1 == attempts.len();
            let (received, sent) = match attempt.lasted {
                None if last => self.session.traffic().upstream(),
                _ => (attempt.received, attempt.sent),
            };
            let time = match fact {
                Fact::UpstreamAddr => {
                    out.extend_from_slice(attempt.address.as_bytes());
                    continue;
                }
                Fact::UpstreamBytesReceived => {
                    let _ = write!(out, "{received}");
                    continue;
                }
                Fact::UpstreamBytesSent => {
                    let _ = write!(out, "{sent}");
                    continue;
                }
                Fact::UpstreamConnectTime => attempt.connected,
                Fact::UpstreamFirstByteTime => attempt.first_byte,
                _ => attempt.lasted,
            };
            let _ = match time {
                Some(time) => write!(out, "{}", Seconds(time)),
                None => out.write_all(b"-"),
            };
        }
        !attempts.is_empty()
    }
}

/// nginx shows port 0, and that of a Unix socket, as nothing.
struct Port(Client);

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Client::Tcp(address) if address.port() > 0 => write!(f, "{}", address.port()),
            _ => Ok(()),
        }
    }
}

/// `1.002`
struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

/// nginx writes it in lower case.
fn hostname() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = nix::unistd::gethostname().unwrap_or_default();
        name.to_string_lossy().to_ascii_lowercase()
    })
}
