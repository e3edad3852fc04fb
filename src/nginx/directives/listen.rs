//! `listen` and its parameters.

use super::slot;
use crate::nginx::config::{Listen, NginxConfig, Question};
use crate::plan::endpoint::Endpoint;
use crate::plan::stream::KeepaliveTimes;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let Some(server) = config.server() else { return };
    server.has_listen = true;
    let word = slot::first(node);
    let text = word.lossy().into_owned();
    let endpoint = match Endpoint::listen(&text) {
        Ok(endpoint) => endpoint,
        Err(what) => {
            let message = format!("{what} in \"{text}\" of the \"listen\" directive");
            out.push(Diagnostic::error("nginx/bad-address", message).at(word.span));
            return;
        }
    };
    if !endpoint.has_port() {
        let message = format!("no port in \"{text}\" of the \"listen\" directive");
        let diagnostic = Diagnostic::warning("nginx/no-port", message).at(word.span);
        out.push(diagnostic.help("the kernel picks a port at each start, as it does for nginx"));
    }
    let mut listen = Listen::new(text, endpoint, word.span, config.terminator);
    let mut seen = Seen::default();
    for word in &node.args[1..] {
        if let Err(diagnostic) = parameter(&mut listen, word, &mut seen, out) {
            out.push(diagnostic.at(word.span));
            return;
        }
    }
    if let Some(clash) = seen.clash_with_udp() {
        let message =
            format!("\"listen\" directive \"{clash}\" parameter is incompatible with \"udp\"");
        out.push(Diagnostic::error("nginx/incompatible", message).at(word.span));
        return;
    }
    if let Some(server) = config.server() {
        server.listens.push(listen);
        config.questions.push(Question::Listen);
    }
}

/// Parameters that don't go with `udp`.
#[derive(Default)]
struct Seen {
    udp: bool,
    backlog: bool,
    ssl: bool,
    keepalive: bool,
    proxy_protocol: bool,
    fastopen: bool,
}

impl Seen {
    /// The one that nginx names.
    fn clash_with_udp(&self) -> Option<&'static str> {
        let clashes = [
            ("backlog", self.backlog),
            ("ssl", self.ssl),
            ("so_keepalive", self.keepalive),
            ("proxy_protocol", self.proxy_protocol),
            ("fastopen", self.fastopen),
        ];
        clashes.into_iter().find(|(_, seen)| *seen && self.udp).map(|(name, _)| name)
    }
}

fn parameter(
    listen: &mut Listen,
    word: &Word,
    seen: &mut Seen,
    out: &mut Diagnostics,
) -> Result<(), Diagnostic> {
    let text = word.lossy();
    let invalid = |message: String| Diagnostic::error("nginx/invalid-parameter", message);
    let unknown = || invalid(format!("the invalid \"{text}\" parameter"));
    match text.split_once('=') {
        None => match &*text {
            "default_server" => listen.default_server = true,
            "bind" => listen.bound = true,
            "reuseport" => (listen.reuse_port, listen.bound) = (true, true),
            "udp" => {
                listen.udp = true;
                seen.udp = true;
                if matches!(listen.endpoint, Endpoint::Unix(_)) {
                    slot::refuse(word, "datagrams are proxied from IP addresses only", out);
                }
            }
            "ssl" => {
                seen.ssl = true;
                listen.ssl = true;
            }
            "proxy_protocol" => {
                seen.proxy_protocol = true;
                listen.proxy_protocol = true;
            }
            "deferred" => (listen.options.deferred, listen.bound) = (true, true),
            _ => return Err(unknown()),
        },
        Some(("backlog", value)) => {
            (seen.backlog, listen.bound) = (true, true);
            match slot::count(value) {
                Some(number) if number > 0 => {
                    listen.backlog = Some(u32::try_from(number).unwrap_or(u32::MAX))
                }
                _ => return Err(invalid(format!("invalid backlog \"{text}\""))),
            }
        }
        Some((name @ ("rcvbuf" | "sndbuf"), value)) => {
            listen.bound = true;
            let slot = match name {
                "rcvbuf" => &mut listen.receive_buffer,
                _ => &mut listen.send_buffer,
            };
            match slot::bytes(value).filter(|size| i32::try_from(*size).is_ok()) {
                size @ Some(_) => *slot = size,
                None => return Err(invalid(format!("invalid {name} \"{text}\""))),
            }
        }
        Some(("fastopen", value)) => {
            seen.fastopen = true;
            match slot::count(value) {
                Some(queue) => {
                    let queue = u32::try_from(queue).unwrap_or(u32::MAX);
                    (listen.options.fast_open, listen.bound) = (Some(queue), true);
                }
                None => return Err(invalid(format!("invalid fastopen \"{text}\""))),
            }
        }
        Some(("so_keepalive", value)) => {
            seen.keepalive = true;
            listen.bound = true;
            (listen.keepalive, listen.options.keepalive) = keepalive(value)
                .ok_or_else(|| invalid(format!("invalid so_keepalive value: \"{value}\"")))?;
        }
        Some(("ipv6only", value)) => {
            listen.bound = true;
            match value {
                "on" => listen.ipv6_only = Some(true),
                "off" => listen.ipv6_only = Some(false),
                _ => return Err(unknown()),
            }
        }
        Some(_) => return Err(unknown()),
    }
    Ok(())
}

/// `on`, `off`, or `IDLE:INTERVAL:COUNT` with at least one of them.
fn keepalive(value: &str) -> Option<(bool, KeepaliveTimes)> {
    match value {
        "on" => return Some((true, KeepaliveTimes::default())),
        "off" => return Some((false, KeepaliveTimes::default())),
        _ => {}
    }
    let mut parts = value.split(':');
    let mut next = |read: fn(&str) -> Option<u64>| match parts.next() {
        None | Some("") => Some(None),
        Some(text) => read(text).map(|number| Some(u32::try_from(number).unwrap_or(u32::MAX))),
    };
    let time = |text: &str| slot::seconds(text).map(|time| time.as_secs());
    let (idle, interval) = (next(time)?, next(time)?);
    let count = next(|text| slot::count(text).filter(|count| *count > 0))?;
    let times = KeepaliveTimes { idle, interval, count };
    let nothing = times == KeepaliveTimes::default();
    if parts.next().is_some() || nothing { None } else { Some((true, times)) }
}
