//! `events {}`: how connections are handled.

use super::slot;
use super::{Directive, EVENTS, ONE, Repeat, Row, Support, row};
use crate::directive::Arity::Flag;
use crate::nginx::config::NginxConfig;
use crate::text::{Diagnostic, Diagnostics, Node};

pub(super) static ROWS: &[Row] = &[
    Directive {
        default: Some("512"),
        ..row(
            "worker_connections",
            EVENTS,
            ONE,
            "NUMBER",
            "Most connections of one worker, those to peers included.",
            worker_connections,
        )
    },
    Directive {
        default: Some("epoll"),
        support: Support::Ignored("it is always epoll"),
        ..row("use", EVENTS, ONE, "epoll", "How the kernel reports events.", use_method)
    },
    Directive {
        default: Some("off"),
        support: Support::Ignored("a worker accepts all that is there"),
        ..row("multi_accept", EVENTS, Flag, "on|off", "Accept all at once.", |_, n, out| {
            slot::flag(&mut None, n, out)
        })
    },
    Directive {
        default: Some("off"),
        support: Support::Ignored("the kernel chooses the worker"),
        ..row("accept_mutex", EVENTS, Flag, "on|off", "Workers accept in turn.", |_, n, out| {
            slot::flag(&mut None, n, out)
        })
    },
    Directive {
        default: Some("500ms"),
        support: Support::Ignored("the kernel chooses the worker"),
        ..row("accept_mutex_delay", EVENTS, ONE, "TIME", "Wait for its lock.", |_, n, out| {
            slot::time(&mut None, n, out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Ignored("there is no debug log for single clients"),
        ..row(
            "debug_connection",
            EVENTS,
            ONE,
            "ADDRESS|CIDR",
            "Debug log for these clients.",
            super::any_value,
        )
    },
    Directive {
        support: Support::Ignored("the number of events per call is fixed"),
        ..row("epoll_events", EVENTS, ONE, "NUMBER", "Events per call.", |_, n, out| {
            slot::number(&mut None, n, out)
        })
    },
    Directive {
        default: Some("32"),
        support: Support::Ignored("no file is read asynchronously"),
        ..row("worker_aio_requests", EVENTS, ONE, "NUMBER", "Files' queue.", |_, n, out| {
            slot::number(&mut None, n, out)
        })
    },
];

fn worker_connections(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    match word.as_str().and_then(slot::count) {
        Some(number) => config.events().worker_connections = Some(number as usize),
        None => {
            let message = format!("invalid number \"{}\"", word.lossy());
            out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        }
    }
}

fn use_method(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    if !word.is("epoll") {
        let message = format!("invalid event type \"{}\"", word.lossy());
        let help = "on Linux it is epoll; the directive can be left out";
        out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span).help(help));
    }
}
