//! `upstream {}`: peers, and how one of them is chosen.

use std::time::Duration;

use super::slot;
use super::{
    Arity, Body, Directive, ONE, Repeat, Row, SOME, STREAM, Support, TAKE12, UPSTREAM, resolver,
    row,
};
use crate::nginx::NginxConfig;
use crate::nginx::config::{Method, Question, Upstream, UpstreamServer};
use crate::plan::endpoint::Endpoint;
use crate::plan::stream::{Second, Timed};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) static ROWS: &[Row] = &[
    Directive {
        body: Body::Block("upstream"),
        repeat: Repeat::Adds,
        ..row("upstream", STREAM, ONE, "NAME { … }", "A group of peers.", upstream)
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Partial("not slow_start"),
        ..row(
            "server",
            UPSTREAM,
            SOME,
            "ADDRESS:PORT|unix:PATH [weight=N] [max_conns=N] [max_fails=N] [fail_timeout=TIME] \
             [backup] [down] [resolve] [service=NAME]",
            "A peer; a name with several addresses is several.",
            server,
        )
    },
    Directive {
        since: Some("1.27.3"),
        ..row("resolver", UPSTREAM, SOME, resolver::ARGS, "Name servers.", resolver::set)
    },
    Directive {
        default: Some("30s"),
        since: Some("1.27.3"),
        ..row("resolver_timeout", UPSTREAM, ONE, "TIME", "Wait for a name.", resolver::timeout)
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("hash", UPSTREAM, TAKE12, "KEY [consistent]", "A peer per key.", hash)
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("least_conn", UPSTREAM, Arity::NONE, "", "The least busy peer.", |c, n, out| {
            choose(c, n, Method::LeastConn, out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        since: Some("1.31"),
        ..row(
            "least_time",
            UPSTREAM,
            TAKE12,
            "connect|first_byte|last_byte [inflight]",
            "The fastest peer.",
            least_time,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        ..row(
            "random",
            UPSTREAM,
            Arity::OneOf(&[0, 1, 2]),
            "[two [least_conn|least_time=connect|first_byte|last_byte]]",
            "A peer by chance.",
            random,
        )
    },
    Directive {
        repeat: Repeat::Adds,
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
        zone: None,
        resolver: None,
        resolver_timeout: None,
    });
}

fn server(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let Some(upstream) = config.upstream() else { return };
    upstream.has_server = true;
    let no_backups = matches!(upstream.method, Some(Method::Hash { .. } | Method::Random { .. }));
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
        resolve: false,
        service: None,
        span: word.span,
    };
    for parameter in &node.args[1..] {
        if parameter.is("backup") && no_backups {
            let message = "balancing method does not support parameter \"backup\"";
            out.push(Diagnostic::error("nginx/incompatible", message).at(parameter.span));
            return;
        }
        if parameter.is("service=") {
            let diagnostic = Diagnostic::error("nginx/invalid-parameter", "service is empty");
            return out.push(diagnostic.at(parameter.span));
        }
        if set_parameter(&mut server, parameter, out).is_none() {
            return slot::invalid_parameter(parameter, out);
        }
    }
    let complaint = match Endpoint::peer(&text) {
        Ok(_) if server.service.is_some() && !server.resolve => {
            let message = format!("service upstream \"{text}\" requires \"resolve\" parameter");
            return out.push(Diagnostic::error("nginx/bad-address", message).at(word.span));
        }
        // An SRV record brings its own port.
        Ok(endpoint) if endpoint.has_port() && server.service.is_some() => {
            let message = format!("service upstream \"{text}\" may not have port");
            return out.push(Diagnostic::error("nginx/bad-address", message).at(word.span));
        }
        Ok(endpoint) if server.service.is_some() && !endpoint.is_name() => {
            let message = format!("service upstream \"{text}\" requires domain name");
            return out.push(Diagnostic::error("nginx/bad-address", message).at(word.span));
        }
        Ok(endpoint) if endpoint.has_port() || server.service.is_some() => {
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
            server.resolve = true;
        }
        ("service", value) if !value.is_empty() => server.service = Some(value.to_owned()),
        ("slow_start", value) => {
            slot::seconds(value)?;
            slot::refuse(word, "a peer that is back gets its full share at once", out);
        }
        _ => return None,
    }
    Some(())
}

fn choose(config: &mut NginxConfig, node: &Node, method: Method, out: &mut Diagnostics) {
    let Some(upstream) = config.upstream() else { return };
    if upstream.method.replace(method).is_some() {
        let message = "load balancing method redefined";
        out.push(Diagnostic::warning("nginx/duplicate", message).at(node.name.span));
    }
}

fn hash(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    if let Some(bad) = node.args.get(1).filter(|word| !word.is("consistent")) {
        return slot::invalid_parameter(bad, out);
    }
    let (key, consistent) = (slot::first(node).text.clone(), node.args.len() > 1);
    choose(config, node, Method::Hash { key, consistent }, out);
}

fn least_time(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let Some(until) = word.as_str().and_then(timed) else {
        return slot::invalid_parameter(word, out);
    };
    if let Some(bad) = node.args.get(1).filter(|word| !word.is("inflight")) {
        return slot::invalid_parameter(bad, out);
    }
    let inflight = node.args.len() > 1;
    choose(config, node, Method::LeastTime { until, inflight }, out);
}

fn timed(word: &str) -> Option<Timed> {
    match word {
        "connect" => Some(Timed::Connect),
        "first_byte" => Some(Timed::FirstByte),
        "last_byte" => Some(Timed::LastByte),
        _ => None,
    }
}

fn random(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    if let Some(bad) = node.args.first().filter(|word| !word.is("two")) {
        return slot::invalid_parameter(bad, out);
    }
    let mut second = Second::LeastConn;
    if let Some(word) = node.args.get(1).filter(|word| !word.is("least_conn")) {
        let time = word.as_str().and_then(|text| text.strip_prefix("least_time="));
        let Some(until) = time.and_then(timed) else { return slot::invalid_parameter(word, out) };
        second = Second::LeastTime(until);
    }
    let two = (!node.args.is_empty()).then_some(second);
    choose(config, node, Method::Random { two }, out);
}

fn zone(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let name = word.lossy().into_owned();
    let mut size = 0;
    let mut complain = |message: String, word: &Word| {
        out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
    };
    if name.is_empty() {
        return complain("invalid zone name \"\"".to_owned(), word);
    }
    if let Some(word) = node.args.get(1) {
        match word.as_str().and_then(slot::bytes) {
            None => return complain(format!("invalid zone size \"{}\"", word.lossy()), word),
            // Eight pages, measured.
            Some(bytes) if bytes < 8 * 4096 => {
                return complain(format!("zone \"{name}\" is too small"), word);
            }
            Some(bytes) => size = bytes,
        }
    }
    if let Err(message) = config.stream().declare_zone(&word.text, word.span, size, "upstream") {
        return complain(message, word);
    }
    if let Some(upstream) = config.upstream() {
        upstream.zone = Some(name);
    }
}
