//! `virtual_server` and all that stands in it: IPVS and its health checkers (keepalived.conf(5),
//! "LVS configuration").
//!
//! Everything is read, checked and kept as keepalived does it; nothing of it runs yet, which is
//! said once, when the config is read. [`service`] has virtual servers, [`server`] real ones,
//! [`timing`] what all levels may say, [`check`] and [`http`] the checkers, [`group`] addresses that services
//! share.

pub(super) mod check;
mod connection;
mod forwarding;
pub(super) mod group;
pub(super) mod http;
mod payload;
pub(super) mod server;
pub(super) mod service;
pub(super) mod sorry;
mod target;
pub(super) mod timing;
pub(super) mod tls;

use super::super::config::KeepalivedConfig;
use super::super::config::checker::{Check, Connection, Kind, Level, Server, Service, Target};
use super::{end, read};
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word};

/// Why rows of this table are only partly supported.
const NOT_RUN: &str = "read, checked and shown by `evenkeel plan`; virtual servers aren't run yet";

/// Every level that may say something of checks, in an order in which each set is a stretch.
const LEVELS: &[&str] = &[
    "virtual_server real_server BFD_CHECK",
    "virtual_server real_server MISC_CHECK",
    "virtual_server real_server DNS_CHECK",
    "virtual_server real_server HTTP_GET",
    "virtual_server real_server PING_CHECK",
    "virtual_server real_server SMTP_CHECK",
    "virtual_server real_server SMTP_CHECK host",
    "virtual_server real_server SSL_GET",
    "virtual_server real_server TCP_CHECK",
    "virtual_server real_server UDP_CHECK",
    "virtual_server real_server",
    "virtual_server",
];
/// Checks that run on their own.
const TIMED_CHECKS: &[&str] = LEVELS.split_at(10).0.split_at(1).1;
/// Checks that connect to something.
const CONNECTING: &[&str] = LEVELS.split_at(10).0.split_at(2).1;
/// Checks that connect to something, and what is above them.
const CONNECTED: &[&str] = LEVELS.split_at(2).1;
/// Checks that run on their own, and what is above them.
const TIMED: &[&str] = LEVELS.split_at(1).1;
const SERVERS: &[&str] = LEVELS.split_at(10).1;
const RS: &[&str] = LEVELS.split_at(11).0.split_at(10).1;
const VS: &[&str] = LEVELS.split_at(11).1;

/// May this block be read? If not, it was complained of.
pub(super) fn head(words: &[Word], diagnostics: &mut Diagnostics) -> bool {
    match words[0].text.as_slice() {
        // Nothing behind the keyword is complained of with all others of that kind.
        _ if words.len() == 1 => true,
        b"virtual_server" => target::target(words, diagnostics).is_some(),
        b"real_server" => target::server_address(words, diagnostics).is_some(),
        _ => true,
    }
}

/// What is to be said where a block of `context` ends.
pub(super) fn closed(
    context: &str,
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    match context {
        "virtual_server" => service::service_closed(config, node, diagnostics),
        "virtual_server real_server" => server::server_closed(config, node, diagnostics),
        "virtual_server real_server HTTP_GET url" | "virtual_server real_server SSL_GET url" => {
            http::url_closed(config, node, diagnostics);
        }
        "virtual_server real_server SMTP_CHECK host" => {
            config.checkers.level = Level::Check;
        }
        _ if context.starts_with("virtual_server real_server ") => {
            check::closed(config, node, diagnostics);
            config.checkers.level = Level::Server;
        }
        _ => {}
    }
}

fn service(config: &mut KeepalivedConfig) -> Option<&mut Service> {
    config.checkers.services.last_mut()
}

fn server(config: &mut KeepalivedConfig) -> Option<&mut Server> {
    service(config)?.servers.last_mut()
}

fn check(config: &mut KeepalivedConfig) -> Option<&mut Check> {
    server(config)?.checks.last_mut()
}

fn kind(config: &mut KeepalivedConfig) -> Option<&mut Kind> {
    check(config).map(|check| &mut check.kind)
}

/// Of the check, or of the `host` in it.
fn connection(config: &mut KeepalivedConfig) -> Option<&mut Connection> {
    let level = config.checkers.level;
    let check = check(config)?;
    match level {
        Level::Host => check.hosts.last_mut().map(|host| &mut host.connection),
        _ => Some(&mut check.connection),
    }
}

/// `[ADDRESS]:PROTOCOL:PORT`, `FWM MARK` or `[GROUP]:0`, as keepalived's messages name a service.
pub(in crate::keepalived) fn service_name(service: &Service) -> String {
    let protocol = service.protocol.map_or("none", |protocol| protocol.name());
    match &service.target {
        Target::Address { address, port } => format!("[{address}]:{protocol}:{port}"),
        Target::Mark(mark) => format!("FWM {mark}"),
        Target::Group(name) => format!("[{name}]:0"),
    }
}

pub(in crate::keepalived) fn server_name(service: &Service, server: &Server) -> String {
    let protocol = service.protocol.map_or("none", |protocol| protocol.name());
    format!("[{}]:{protocol}:{}", server.address, server.port)
}

/// A complaint about a keyword, not about its value.
fn complaint(node: &Node, message: impl Into<String>) -> Diagnostic {
    complaint_at(read::line_span(node), message)
}

fn complaint_at(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("keepalived/checker", message).at(span)
}
