//! The main context: processes, user, pid file, what may be loaded.

use super::slot;
use super::{
    Arity, Body, Directive, MAIN, ONE, Repeat, Row, SOME, Support, TAKE12, any_value, row,
};
use crate::directive::Arity::Flag;
use crate::nginx::config::{NginxConfig, Question};
use crate::plan::process::Variable;
use crate::text::{Diagnostic, Diagnostics, Node};

pub(super) static ROWS: &[Row] = &[
    Directive {
        body: Body::Block("events"),
        ..row("events", MAIN, Arity::NONE, "{ … }", "How connections are handled.", |c, _, _| {
            c.main.blocks_begun = true;
            c.events();
        })
    },
    Directive {
        body: Body::Block("stream"),
        ..row("stream", MAIN, Arity::NONE, "{ … }", "The TCP proxy.", |c, _, _| {
            c.main.blocks_begun = true;
            c.stream();
        })
    },
    Directive {
        body: Body::Block("http"),
        support: Support::Ignored("only its braces and includes are checked; it isn't served"),
        ..row("http", MAIN, Arity::NONE, "{ … }", "A web server, which Evenkeel isn't.", foreign)
    },
    Directive {
        body: Body::Block("mail"),
        support: Support::Ignored("only its braces and includes are checked; it isn't served"),
        ..row("mail", MAIN, Arity::NONE, "{ … }", "A mail proxy, which Evenkeel isn't.", foreign)
    },
    Directive {
        contexts: &["*"],
        repeat: Repeat::Adds,
        // The parser has already put the files in its place.
        ..row("include", MAIN, ONE, "FILE|PATTERN", "Puts other files in its place.", any_value)
    },
    Directive {
        default: Some("on"),
        ..row("daemon", MAIN, Flag, "on|off", "Go into the background.", |c, n, out| {
            slot::flag(&mut c.main.daemon, n, out)
        })
    },
    Directive {
        default: Some("on"),
        support: Support::Partial("off: one worker, which still is a process of its own"),
        ..row(
            "master_process",
            MAIN,
            Flag,
            "on|off",
            "Run workers in a process of their own.",
            |c, n, out| slot::flag(&mut c.main.master_process, n, out),
        )
    },
    // Not in upstream's list, which was made without PCRE; Alpine's nginx.conf begins with it.
    Directive {
        support: Support::Ignored("no regular expressions are compiled here"),
        ..row("pcre_jit", MAIN, Flag, "on|off", "Whether to compile patterns.", |_, n, out| {
            slot::flag(&mut None, n, out)
        })
    },
    Directive {
        support: Support::Ignored("time is never cached here"),
        ..row("timer_resolution", MAIN, ONE, "TIME", "How stale time may be.", |_, n, out| {
            slot::time(&mut None, n, out)
        })
    },
    Directive {
        default: Some("/run/nginx.pid"),
        ..row("pid", MAIN, ONE, "FILE", "Where the main process's number is.", |c, n, _| {
            c.main.pid = Some(c.path(&slot::first(n).lossy()));
        })
    },
    Directive {
        support: Support::Ignored("workers accept without a lock"),
        ..row("lock_file", MAIN, ONE, "FILE", "Lock of accept_mutex.", any_value)
    },
    Directive {
        default: Some("1"),
        ..row("worker_processes", MAIN, ONE, "NUMBER|auto", "Workers.", worker_processes)
    },
    Directive {
        support: Support::Ignored("it debugs nginx's own code"),
        ..row("debug_points", MAIN, ONE, "stop|abort", "Stop on a bug of nginx.", |_, n, out| {
            slot::one_of(&["stop", "abort"], slot::first(n), out)
        })
    },
    Directive {
        default: Some("nobody"),
        ..row("user", MAIN, TAKE12, "USER [GROUP]", "Whom workers run as.", user)
    },
    row("worker_rlimit_nofile", MAIN, ONE, "NUMBER", "Most open files.", |c, n, out| {
        slot::number(&mut c.main.worker_rlimit_nofile, n, out)
    }),
    row(
        "worker_shutdown_timeout",
        MAIN,
        ONE,
        "TIME",
        "Open sessions are cut this long after a graceful stop or a reload.",
        |c, n, out| slot::time(&mut c.main.worker_shutdown_timeout, n, out),
    ),
    Directive {
        repeat: Repeat::Adds,
        ..row(
            "env",
            MAIN,
            ONE,
            "NAME[=VALUE]",
            "What workers, and the next executable, get of the environment.",
            environment,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Partial("modules that Evenkeel has built in are accepted, no others"),
        ..row("load_module", MAIN, ONE, "FILE", "Loads a module.", super::module::load)
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("/var/log/nginx/error.log error"),
        support: Support::Partial("not memory:, and debug_* levels count as debug"),
        ..row(
            "error_log",
            MAIN,
            SOME,
            "FILE|stderr|syslog:… [LEVEL]",
            "Where messages go.",
            super::error_log::main,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Ignored("workers do nothing that would block"),
        ..row(
            "thread_pool",
            MAIN,
            Arity::OneOf(&[2, 3]),
            "NAME threads=N [max_queue=N]",
            "Threads for reading files.",
            thread_pool,
        )
    },
    Directive {
        support: Support::Ignored("without TLS no engine is used"),
        ..row("ssl_engine", MAIN, ONE, "DEVICE", "OpenSSL's engine.", any_value)
    },
];

fn foreign(config: &mut NginxConfig, _: &Node, _: &mut Diagnostics) {
    config.main.blocks_begun = true;
}

fn worker_processes(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    match word.as_str().and_then(slot::count) {
        _ if word.is("auto") => config.main.worker_processes = Some(0),
        // nginx runs one process where the config says 0.
        Some(number) => config.main.worker_processes = Some((number as usize).max(1)),
        None => slot::invalid(node, "value", out),
    }
}

fn user(config: &mut NginxConfig, node: &Node, _: &mut Diagnostics) {
    let name = slot::first(node);
    let group = node.args.get(1);
    let span = group.map_or(name.span, |group| name.span.to(group.span));
    let group = group.map(|group| group.lossy().into_owned());
    let name = name.lossy().into_owned();
    config.questions.push(Question::User { name, group, span });
}

fn environment(config: &mut NginxConfig, node: &Node, _: &mut Diagnostics) {
    let text = slot::first(node).lossy();
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (&*text, None),
    };
    config.main.environment.push(Variable { name: name.to_owned(), value });
}

fn thread_pool(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let name = slot::first(node);
    let mut has_threads = false;
    for word in &node.args[1..] {
        let text = word.lossy();
        let (what, number) = match text.split_once('=') {
            Some((what @ ("threads" | "max_queue"), number)) => (what, slot::count(number)),
            _ => continue,
        };
        has_threads |= what == "threads";
        if number.is_none_or(|number| number == 0 && what == "threads") {
            let message = format!("invalid {what} value \"{text}\"");
            out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
            return;
        }
    }
    if !has_threads {
        let message = "\"thread_pool\" must have \"threads\" parameter";
        out.push(Diagnostic::error("nginx/invalid-value", message).at(name.span));
    } else if !config.main.thread_pools.insert(name.text.clone()) {
        let message = format!("duplicate thread pool \"{}\"", name.lossy());
        out.push(Diagnostic::error("nginx/duplicate", message).at(name.span));
    }
}
