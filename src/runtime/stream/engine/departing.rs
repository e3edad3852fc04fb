//! What a server says of connections to peers: where they leave from, the PROXY protocol's header
//! before their first bytes, how fast they may be.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, send};
use socket2::{SockAddr, SockRef};

use super::{Engine, Key, Phase};
use crate::kernel::tcp::Departure;
use crate::plan::process::LogLevel;
use crate::plan::stream::{BindSource, HeaderVersion, Server};
use crate::plan::template::Template;
use crate::proxy::message::{self, Doing, Traffic, stream_level};
use crate::proxy::pace::Pace;
use crate::proxy::preface::proxy_protocol;
use crate::proxy::session::{Side, Status};
use crate::runtime::stream::conversation::Line;
use crate::runtime::stream::session::Session;
use crate::text::value::size_with_units;

/// Of one session, where there is something to be filled in for each.
#[derive(Debug, Default)]
pub(in crate::runtime::stream) struct Outbound {
    /// `proxy_bind`, with what the log calls it.
    departure: Option<(Departure, String)>,
    rates: [u64; 2],
}

/// Of a server, as far as it is the same for all its sessions.
pub(in crate::runtime::stream) fn departure(server: &Server) -> Departure {
    let outward = &server.outward;
    let bind = outward.bind.as_ref().and_then(|bind| match &bind.source {
        BindSource::Address(address) => Some(SockAddr::from(*address)),
        BindSource::Template(_) => None,
    });
    Departure {
        keepalive: server.socket_keepalive,
        receive_buffer: outward.receive_buffer,
        send_buffer: outward.send_buffer,
        transparent: bind.is_some() && outward.bind.as_ref().is_some_and(|bind| bind.transparent),
        bind,
    }
}

/// `proxy_upload_rate` and `proxy_download_rate` without variables, by the side that is read from.
pub(in crate::runtime::stream) fn rates(server: &Server) -> [u64; 2] {
    let literal = |rate: &Option<Template>| {
        rate.as_ref().and_then(|rate| rate.literal()).and_then(size).unwrap_or(0)
    };
    [literal(&server.outward.upload_rate), literal(&server.outward.download_rate)]
}

/// What isn't a size limits nothing, as in nginx.
fn size(text: &[u8]) -> Option<u64> {
    size_with_units(std::str::from_utf8(text).ok()?, false)
}

impl Engine {
    /// Fills in what the server says with variables, before a peer is chosen.
    pub(super) fn prepare_departure(&mut self, now: Instant, key: Key) {
        let Some(session) = self.sessions.at(key) else { return };
        let entrance = std::sync::Arc::clone(&session.entrance);
        let outward = &entrance.server.outward;
        let mut outbound = Outbound { departure: None, rates: entrance.rates };
        for (at, rate) in [&outward.upload_rate, &outward.download_rate].into_iter().enumerate() {
            if let Some(rate) = rate.as_ref().filter(|rate| rate.literal().is_none()) {
                outbound.rates[at] = size(&session.render(now, rate)).unwrap_or(0);
            }
        }
        let mut invalid = None;
        if let Some((BindSource::Template(text), transparent)) =
            outward.bind.as_ref().map(|bind| (&bind.source, bind.transparent))
        {
            let text = String::from_utf8_lossy(&session.render(now, text)).into_owned();
            match address(&text) {
                Some(address) => {
                    let bind = Some(SockAddr::from(address));
                    let departure = Departure { bind, transparent, ..entrance.departure.clone() };
                    outbound.departure = Some((departure, text));
                }
                None if text.is_empty() => {}
                None => invalid = Some(text),
            }
        }
        if let Some(text) = invalid {
            let (client, server, traffic) = (session.from, &entrance.name, Traffic::default());
            let text = format_args!(
                "invalid local address \"{text}\", client: {client}, server: {server}, {traffic}"
            );
            entrance.log.write(LogLevel::Error, Some(session.number), text);
        }
        if let Some(record) = &mut session.record {
            record.outbound = Some(Box::new(outbound));
        }
    }

    /// Before the content's first byte, the peer is told who the client is. Returns whether the
    /// session goes on.
    pub(super) fn announce(&mut self, key: Key) -> bool {
        let Some(session) = self.sessions.at(key) else { return false };
        let Some(version) = session.entrance.server.outward.header else { return true };
        let header = session.header(version);
        let Session { phase: Phase::Relaying(flow), upstream: Some(upstream), tls, .. } = session
        else {
            return true;
        };
        if tls.as_ref().is_some_and(|tls| tls.with(Side::Upstream).is_some()) {
            // It went ahead of the handshake.
            flow.relay.announced(header.len());
            return true;
        }
        // A new connection has room for so few bytes.
        let sent = loop {
            match send(upstream.as_raw_fd(), &header, MsgFlags::MSG_NOSIGNAL) {
                Err(Errno::EINTR) => {}
                done => break done,
            }
        };
        let error = match sent {
            Ok(count) if count == header.len() => {
                flow.relay.announced(count);
                return true;
            }
            Ok(_) => Errno::ENOBUFS,
            Err(error) => error,
        };
        let text = format!("send() failed {}", message::Errno(&error.into()));
        let doing = Some(Doing::SendingTo(Side::Upstream));
        self.say(key, stream_level(Side::Upstream), doing, &text);
        self.close(key, Status::Internal);
        false
    }
}

impl Session {
    /// How its connections to peers begin.
    pub(super) fn departure(&self) -> &Departure {
        match self.bound() {
            Some((departure, _)) => departure,
            None => &self.entrance.departure,
        }
    }

    /// `proxy_bind` in the words of the config.
    pub(super) fn local_name(&self) -> String {
        if let Some((_, text)) = self.bound() {
            return text.clone();
        }
        match self.entrance.server.outward.bind.as_ref().map(|bind| &bind.source) {
            Some(BindSource::Address(address)) if address.port() == 0 => address.ip().to_string(),
            Some(BindSource::Address(address)) => address.to_string(),
            _ => String::new(),
        }
    }

    fn bound(&self) -> Option<&(Departure, String)> {
        self.record.as_ref()?.outbound.as_ref()?.departure.as_ref()
    }

    /// How fast it may read, by side; `None`: as fast as it can, on both.
    pub(super) fn paces(&self, now: Instant) -> Option<Box<[Option<Pace>; 2]>> {
        let outbound = self.record.as_ref().and_then(|record| record.outbound.as_ref());
        let rates = outbound.map_or(self.entrance.rates, |outbound| outbound.rates);
        (rates != [0, 0]).then(|| Box::new(rates.map(|rate| Pace::new(now, rate))))
    }

    /// The first of a session's datagrams has the header in it.
    pub(super) fn announce_in_first(&mut self) {
        let Some(version) = self.entrance.server.outward.header else { return };
        if !self.client.is_shared() {
            return;
        }
        let header = self.header(version);
        let first = self.client.conversation().and_then(|it| it.waiting.front_mut());
        if let Some(first) = first {
            *first = [&header[..], &first[..]].concat().into();
        }
    }

    pub(super) fn header(&self, version: HeaderVersion) -> Vec<u8> {
        let local = match &self.client {
            Line::Own(socket) => {
                SockRef::from(socket).local_addr().ok().and_then(|local| local.as_socket())
            }
            Line::Shared(conversation) => conversation.local(),
        };
        let server = match local {
            Some(address) => proxy_protocol::Server::Tcp(address),
            None => proxy_protocol::Server::Unix(&self.entrance.name),
        };
        match version {
            HeaderVersion::V1 => proxy_protocol::text(self.from, &server),
            HeaderVersion::V2 => proxy_protocol::binary(self.from, &server),
        }
    }
}

/// `ADDRESS` or `ADDRESS:PORT`, with brackets around an IPv6 address before a port.
fn address(text: &str) -> Option<SocketAddr> {
    match text.parse() {
        Ok(address) => Some(SocketAddr::new(address, 0)),
        Err(_) => text.parse().ok().filter(|address: &SocketAddr| address.port() != 0),
    }
}
