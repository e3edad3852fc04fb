//! `evenkeel plan` and `evenkeel directives`: what would run, and what is supported.

use std::process::ExitCode;

use super::{check, loading, services};
use crate::directive::page::{self, Row};
use crate::load::Inputs;
use crate::plan::Plan;
use crate::plan::stream::{Content, Transport};
use crate::text::Severity;

/// Prints the plan of `inputs`; secrets stay hidden.
pub(super) fn plan(inputs: &Inputs, as_json: bool) -> ExitCode {
    let loaded = loading::to_look_at(inputs);
    loading::complain(&loaded);
    let Some(plan) = &loaded.plan else { return ExitCode::from(check::ERRORS) };
    if as_json {
        match serde_json::to_string_pretty(plan) {
            Ok(json) => println!("{json}"),
            Err(error) => {
                eprintln!("evenkeel: {error}");
                return ExitCode::from(check::UNREADABLE);
            }
        }
    } else {
        print!("{}", describe(plan));
    }
    let errors = loaded.diagnostics.worst() >= Some(Severity::Error);
    ExitCode::from(if errors { check::ERRORS } else { check::CLEAN })
}

pub(super) fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, words: String| {
        text += &format!("{:indent$}{words}\n", "");
    };
    match &plan.vrrp {
        None => line(0, "vrrp: nothing to run".to_owned()),
        Some(vrrp) => {
            let name = vrrp.router_id.as_deref().unwrap_or("(this host)");
            line(0, format!("vrrp: router {name}"));
            for router in &vrrp.routers {
                line(
                    2,
                    format!(
                        "instance {}: VRID {} on {}, priority {}, adverts every {} s, begins as {}{}",
                        router.name,
                        router.vrid,
                        router.interface,
                        router.priority,
                        router.advert_interval.as_secs_f64(),
                        format!("{:?}", router.initial).to_uppercase(),
                        if router.preempt { "" } else { ", never preempts" },
                    ),
                );
                for address in &router.addresses {
                    let interface = address.interface.as_deref().unwrap_or(&router.interface);
                    line(
                        4,
                        format!("address {}/{} on {interface}", address.address, address.prefix),
                    );
                }
                for tracked in &router.scripts {
                    if let Some(script) = vrrp.scripts.get(tracked.script.0) {
                        line(4, format!("tracks {} with weight {}", script.name, tracked.weight));
                    }
                }
            }
            for script in &vrrp.scripts {
                line(
                    2,
                    format!(
                        "script {}: `{}` every {} s, rise {}, fall {}",
                        script.name,
                        script.check.argv().join(" "),
                        script.interval.as_secs_f64(),
                        script.rise,
                        script.fall
                    ),
                );
            }
        }
    }
    for (indent, words) in services::describe(&plan.checkers, &plan.bfd.sessions) {
        line(indent, words);
    }
    match &plan.stream {
        None => line(0, "stream: nothing to run".to_owned()),
        Some(stream) => {
            let workers = match stream.process.workers {
                0 => "a worker per core".to_owned(),
                workers => format!("{workers} worker(s)"),
            };
            line(0, format!("stream: {workers}, pid file {}", stream.process.pid.display()));
            for listener in &stream.listeners {
                let server = &stream.servers[listener.server.0];
                let content = match &server.content {
                    Content::Upstream(upstream) => stream.upstreams[upstream.0].name.as_str(),
                    Content::Proxy(_) => "an upstream or address by variables",
                    Content::Return(_) => "an answer of its own",
                    Content::Pass(_) => "another listener",
                };
                let transport = match listener.transport {
                    Transport::Tcp => "",
                    Transport::Udp => " udp",
                };
                line(2, format!("{}{transport} → {content}", listener.address));
            }
            for upstream in &stream.upstreams {
                line(2, format!("upstream {}{}", upstream.name, upstream.balance));
                for peer in &upstream.peers {
                    let kind = match (peer.down, peer.backup) {
                        (true, _) => ", down",
                        (false, true) => ", backup",
                        (false, false) => "",
                    };
                    line(4, format!("peer {}, weight {}{kind}", peer.address, peer.weight));
                }
                for name in &upstream.names {
                    let by = name.service.as_ref().map_or("", |_| " by SRV records");
                    line(4, format!("peers {} as they are resolved{by}", name.peer.name));
                }
            }
        }
    }
    text
}

/// Prints the support matrix of one dialect or both.
pub(super) fn directives(dialect: Option<&str>, as_json: bool) -> ExitCode {
    let wanted = |name: &str| dialect.is_none_or(|dialect| dialect == name);
    let mut pages: Vec<(&str, Vec<Row>)> = Vec::new();
    if wanted("keepalived") {
        pages.push(("keepalived", page::rows(crate::keepalived::keywords::all())));
    }
    if wanted("nginx") {
        pages.push(("nginx", page::rows(crate::nginx::directives::all())));
    }
    if as_json {
        let of = |(name, rows): &(&str, Vec<Row>)| {
            let counts = page::counts(rows);
            ((*name).to_owned(), serde_json::json!({ "counts": counts, "rows": rows }))
        };
        let all: serde_json::Map<_, _> = pages.iter().map(of).collect();
        println!("{}", serde_json::Value::Object(all));
    } else {
        for (name, rows) in &pages {
            print!("{}", page::text(name, rows));
        }
    }
    ExitCode::SUCCESS
}
