//! `proxy_*` and the other ways to handle a connection.

use super::outward;
use super::slot;
use super::{BOTH, Directive, ONE, Repeat, Row, SERVER, Support, TAKE12, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::nginx::config::{Handler, Pass};
use crate::plan::endpoint::Endpoint;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) static ROWS: &[Row] = &[
    row("proxy_pass", SERVER, ONE, "UPSTREAM|NAME:PORT|unix:PATH", "Where to.", pass),
    Directive {
        default: Some("60s"),
        ..row("proxy_connect_timeout", BOTH, ONE, "TIME", "Wait for a peer.", |c, n, out| {
            slot::time(&mut c.settings().connect_timeout, n, out)
        })
    },
    Directive {
        default: Some("10m"),
        ..row(
            "proxy_timeout",
            BOTH,
            ONE,
            "TIME",
            "A session in which nothing moves for so long ends.",
            |c, n, out| slot::time(&mut c.settings().timeout, n, out),
        )
    },
    Directive {
        default: Some("16k"),
        ..row("proxy_buffer_size", BOTH, ONE, "SIZE", "Read at once.", buffer_size)
    },
    Directive {
        repeat: Repeat::Replaces,
        ..row("proxy_downstream_buffer", BOTH, ONE, "SIZE", "proxy_buffer_size's old name.", old)
    },
    Directive {
        repeat: Repeat::Replaces,
        ..row("proxy_upstream_buffer", BOTH, ONE, "SIZE", "proxy_buffer_size's old name.", old)
    },
    Directive {
        default: Some("on"),
        ..row("proxy_next_upstream", BOTH, Flag, "on|off", "Try another peer.", |c, n, out| {
            slot::flag(&mut c.settings().next_upstream, n, out)
        })
    },
    Directive {
        default: Some("0"),
        ..row(
            "proxy_next_upstream_tries",
            BOTH,
            ONE,
            "NUMBER",
            "Most peers tried for one connection; 0: all.",
            |c, n, out| {
                let mut tries = None;
                slot::number(&mut tries, n, out);
                c.settings().next_upstream_tries =
                    tries.map(|tries| u32::try_from(tries).unwrap_or(u32::MAX));
            },
        )
    },
    Directive {
        default: Some("0"),
        ..row(
            "proxy_next_upstream_timeout",
            BOTH,
            ONE,
            "TIME",
            "No other peer is tried later than this; 0: no limit.",
            |c, n, out| slot::time(&mut c.settings().next_upstream_timeout, n, out),
        )
    },
    Directive {
        default: Some("off"),
        since: Some("1.21.4"),
        ..row(
            "proxy_half_close",
            BOTH,
            Flag,
            "on|off",
            "Close each direction by itself.",
            |c, n, out| slot::flag(&mut c.settings().half_close, n, out),
        )
    },
    Directive {
        default: Some("off"),
        ..row("proxy_socket_keepalive", BOTH, Flag, "on|off", "TCP keepalive.", |c, n, out| {
            slot::flag(&mut c.settings().socket_keepalive, n, out)
        })
    },
    Directive {
        support: Support::Partial(
            "the first transparent one takes a restart, not a reload, unless workers are root",
        ),
        ..row("proxy_bind", BOTH, TAKE12, "ADDRESS|off [transparent]", "Source.", outward::bind)
    },
    Directive {
        since: Some("1.31"),
        ..row("proxy_socket_rcvbuf", BOTH, ONE, "SIZE", "Receive buffer.", |c, n, out| {
            slot::size(&mut c.settings().doors.receive_buffer, n, out)
        })
    },
    Directive {
        since: Some("1.31"),
        ..row("proxy_socket_sndbuf", BOTH, ONE, "SIZE", "Send buffer.", |c, n, out| {
            slot::size(&mut c.settings().doors.send_buffer, n, out)
        })
    },
    Directive {
        default: Some("0"),
        ..row("proxy_upload_rate", BOTH, ONE, "BYTES", "Bytes/s from a client.", outward::rate)
    },
    Directive {
        default: Some("0"),
        ..row("proxy_download_rate", BOTH, ONE, "BYTES", "Bytes/s to a client.", outward::rate)
    },
    Directive {
        default: Some("0"),
        ..row(
            "proxy_requests",
            BOTH,
            ONE,
            "NUMBER",
            "So many datagrams of a client make a session; 0: any number.",
            |c, n, out| slot::number(&mut c.settings().requests, n, out),
        )
    },
    row(
        "proxy_responses",
        BOTH,
        ONE,
        "NUMBER",
        "A session is over when each datagram has had so many answers.",
        |c, n, out| slot::number(&mut c.settings().responses, n, out),
    ),
    Directive {
        default: Some("off"),
        ..row(
            "proxy_protocol",
            BOTH,
            ONE,
            "on|off|v2",
            "Tell the peer who the client is.",
            outward::header,
        )
    },
    Directive {
        since: Some("1.25.5"),
        ..row("pass", SERVER, ONE, "ADDRESS", "To another listener.", outward::hand_over)
    },
    row("return", SERVER, ONE, "TEXT", "Answer and close.", |c, n, _| {
        let Some(server) = c.server() else { return };
        (server.has_handler, server.handler) = (true, Some(Handler::Return));
        server.answer = Some(slot::first(n).text.clone());
    }),
];

fn pass(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let terminator = config.terminator;
    let Some(server) = config.server() else { return };
    (server.has_handler, server.handler) = (true, Some(Handler::Pass));
    let word = slot::first(node);
    let text = word.lossy().into_owned();
    if text.contains('$') {
        let pass =
            Pass { text, variable: true, addresses: Vec::new(), span: word.span, terminator };
        server.pass = Some(pass);
        return;
    }
    match Endpoint::peer(&text) {
        Ok(endpoint) => {
            if names_upstream(config, &endpoint, word, out) {
                return;
            }
            let pass =
                Pass { text, variable: false, addresses: Vec::new(), span: word.span, terminator };
            if let Some(server) = config.server() {
                server.pass = Some(pass);
            }
        }
        Err(what) => {
            let message = format!("{what} in upstream \"{text}\"");
            let mut diagnostic = Diagnostic::error("nginx/bad-address", message).at(word.span);
            if text.contains("://") {
                diagnostic = diagnostic.help("it is an address here, not a URL: ADDRESS:PORT");
            }
            out.push(diagnostic);
        }
    }
}

/// An upstream's name may not be followed by a port; complains if it is.
fn names_upstream(
    config: &mut NginxConfig,
    endpoint: &Endpoint,
    word: &Word,
    out: &mut Diagnostics,
) -> bool {
    let (host, ports) = match endpoint {
        Endpoint::Name { name, ports: Some(ports) } => (name.clone(), ports),
        Endpoint::Ip { address, ports: Some(ports) } => (address.to_string(), ports),
        _ => return false,
    };
    let key = host.to_ascii_lowercase();
    let (stream, port) = (config.stream(), ports.start().to_string());
    let Some(upstream) = stream.upstream_names.get(&key).map(|at| &stream.upstreams[*at]) else {
        stream.passed_hosts.entry(key).or_insert((port, word.span));
        return false;
    };
    let message = format!("upstream \"{host}\" may not have port {port}");
    let diagnostic = Diagnostic::error("nginx/bad-address", message);
    out.push(diagnostic.at(word.span).label(upstream.span, "this is the upstream"));
    true
}

fn old(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let message = format!(
        "the \"{}\" directive is deprecated, use the \"proxy_buffer_size\" directive instead",
        node.name.lossy()
    );
    out.push(Diagnostic::warning("nginx/deprecated", message).at(node.name.span));
    buffer_size(config, node, out);
}

/// The old names set the same thing, so that two different names may be a duplicate, too.
fn buffer_size(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let slot = &mut config.settings().buffer_size;
    if slot.is_some() {
        let message = format!("\"{}\" directive is duplicate", node.name.lossy());
        out.push(Diagnostic::error("nginx/duplicate", message).at(node.name.span));
        return;
    }
    slot::size(slot, node, out);
}
