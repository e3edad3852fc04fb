//! `upstream {}`: peers, and how one of them is chosen.

use std::time::Duration;

use super::slot;
use super::{
    Arity, Body, Directive, ONE, Repeat, Row, SOME, STREAM, Support, TAKE12, UPSTREAM, any_value,
    row,
};
use crate::nginx::NginxConfig;
use crate::nginx::address::Endpoint;
use crate::nginx::config::{Question, Upstream, UpstreamServer};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const ONLY_ROUND_ROBIN: &str = "peers are chosen by weighted round robin only";
const NO_RESOLVER: &str = "names are resolved at start, by the system";

pub(super) static ROWS: &[Row] = &[
    Directive {
        body: Body::Block("upstream"),
        repeat: Repeat::Adds,
        ..row("upstream", STREAM, ONE, "NAME { … }", "A group of peers.", upstream)
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Partial("not resolve, service and slow_start"),
        ..row(
            "server",
            UPSTREAM,
            SOME,
            "ADDRESS:PORT|unix:PATH [weight=N] [max_conns=N] [max_fails=N] [fail_timeout=TIME] \
             [backup] [down]",
            "A peer; a name with several addresses is several.",
            server,
        )
    },
    Directive {
        support: Support::Ignored(NO_RESOLVER),
        since: Some("1.27.3"),
        ..row("resolver", UPSTREAM, SOME, "ADDRESS… [valid=TIME]", "Name servers.", any_value)
    },
    Directive {
        support: Support::Ignored(NO_RESOLVER),
        default: Some("30s"),
        since: Some("1.27.3"),
        ..row("resolver_timeout", UPSTREAM, ONE, "TIME", "Wait for a name.", |_, n, out| {
            slot::time(&mut None, n, out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(ONLY_ROUND_ROBIN),
        ..row("hash", UPSTREAM, TAKE12, "KEY [consistent]", "A peer per key.", |c, n, out| {
            if let Some(bad) = n.args.get(1).filter(|word| !word.is("consistent")) {
                return slot::invalid_parameter(bad, out);
            }
            method(c, n, "hash", out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(ONLY_ROUND_ROBIN),
        ..row("least_conn", UPSTREAM, Arity::NONE, "", "The least busy peer.", |c, n, out| {
            method(c, n, "least_conn", out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(ONLY_ROUND_ROBIN),
        since: Some("1.31"),
        ..row(
            "least_time",
            UPSTREAM,
            TAKE12,
            "connect|first_byte|last_byte [inflight]",
            "The fastest peer.",
            |c, n, out| method(c, n, "least_time", out),
        )
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(ONLY_ROUND_ROBIN),
        ..row(
            "random",
            UPSTREAM,
            Arity::OneOf(&[0, 1, 2]),
            "[two [least_conn|least_time=…]]",
            "A peer by chance.",
            random,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Ignored("workers share the state of peers anyway"),
        ..row("zone", UPSTREAM, TAKE12, "NAME [SIZE]", "Workers share its state.", zone)
    },
];

fn upstream(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let name = word.lossy().into_owned();
    let open = config.terminator;
    let stream = config.stream();
    let key = name.to_ascii_lowercase();
    if let Some(first) = stream.upstream_names.get(&key).map(|at| stream.upstreams[*at].span) {
        let message = format!("duplicate upstream \"{name}\"");
        let diagnostic = Diagnostic::error("nginx/duplicate", message);
        out.push(diagnostic.at(word.span).label(first, "the first one"));
    } else if let Some((port, pass)) = stream.passed_hosts.get(&key) {
        let message = format!("upstream \"{name}\" may not have port {port}");
        let diagnostic = Diagnostic::error("nginx/bad-address", message);
        out.push(diagnostic.at(*pass).label(word.span, "this is the upstream"));
    }
    stream.upstream_names.entry(key).or_insert(stream.upstreams.len());
    stream.upstreams.push(Upstream {
        name,
        open,
        span: word.span,
        servers: Vec::new(),
        has_server: false,
        method: None,
    });
}

fn server(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let Some(upstream) = config.upstream() else { return };
    upstream.has_server = true;
    let method = upstream.method;
    let word = slot::first(node);
    let text = word.lossy().into_owned();
    let mut server = UpstreamServer {
        text: text.clone(),
        endpoint: Endpoint::Any { ports: None },
        addresses: Vec::new(),
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(10),
        max_conns: 0,
        backup: false,
        down: false,
        span: word.span,
    };
    let by_service = node.args.iter().any(|word| word.text.starts_with(b"service="));
    for parameter in &node.args[1..] {
        if parameter.is("backup") && matches!(method, Some("hash" | "random")) {
            let message = "balancing method does not support parameter \"backup\"";
            out.push(Diagnostic::error("nginx/incompatible", message).at(parameter.span));
            return;
        }
        if set_parameter(&mut server, parameter, out).is_none() {
            return slot::invalid_parameter(parameter, out);
        }
    }
    let complaint = match Endpoint::peer(&text) {
        // An SRV record brings its own port.
        Ok(endpoint) if endpoint.has_port() || by_service => {
            server.endpoint = endpoint;
            upstream.servers.push(server);
            config.questions.push(Question::UpstreamServer);
            return;
        }
        Ok(_) => "no port",
        Err(complaint) => complaint,
    };
    let message = format!("{complaint} in upstream \"{text}\"");
    out.push(Diagnostic::error("nginx/bad-address", message).at(word.span));
}

/// `None`: nginx would call it invalid.
fn set_parameter(server: &mut UpstreamServer, word: &Word, out: &mut Diagnostics) -> Option<()> {
    let number = |text: &str| slot::count(text).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let text = word.lossy();
    match text.split_once('=').unwrap_or((&text, "")) {
        ("weight", value) => server.weight = number(value).filter(|weight| *weight > 0)?,
        ("max_fails", value) => server.max_fails = number(value)?,
        ("max_conns", value) => server.max_conns = number(value)?,
        ("fail_timeout", value) => server.fail_timeout = slot::seconds(value)?,
        _ if text == "backup" => server.backup = true,
        _ if text == "down" => server.down = true,
        _ if text == "resolve" => {
            slot::refuse(word, "names are resolved at start only", out);
        }
        ("service", value) if !value.is_empty() => {
            slot::refuse(word, "SRV records aren't read yet", out);
        }
        ("slow_start", value) => {
            slot::seconds(value)?;
            slot::refuse(word, "a peer that is back gets its full share at once", out);
        }
        _ => return None,
    }
    Some(())
}

fn method(config: &mut NginxConfig, node: &Node, name: &'static str, out: &mut Diagnostics) {
    let Some(upstream) = config.upstream() else { return };
    if upstream.method.replace(name).is_some() {
        let message = "load balancing method redefined";
        out.push(Diagnostic::warning("nginx/duplicate", message).at(node.name.span));
    }
    slot::refuse(&node.name, ONLY_ROUND_ROBIN, out);
}

fn random(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let bad_two = node.args.first().filter(|word| !word.is("two"));
    let bad_way = node.args.get(1).filter(|word| {
        !(word.is("least_conn") || word.is("least_time") || word.text.starts_with(b"least_time="))
    });
    match bad_two.or(bad_way) {
        Some(bad) => slot::invalid_parameter(bad, out),
        None => method(config, node, "random", out),
    }
}

fn zone(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let name = slot::first(node);
    let Some(word) = node.args.get(1) else { return };
    let message = match word.as_str().and_then(slot::bytes) {
        None => format!("invalid zone size \"{}\"", word.lossy()),
        // Eight pages, measured.
        Some(size) if size < 8 * 4096 => format!("zone \"{}\" is too small", name.lossy()),
        Some(_) => return,
    };
    out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
}
