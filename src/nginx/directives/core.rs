//! `stream {}` and its servers: what is neither proxying nor an upstream.

use super::slot;
use super::{Arity, BOTH, Body, Directive, ONE, Repeat, Row, SERVER, SOME, STREAM, Support, row};
use super::{resolver, server_name};
use crate::directive::Arity::Flag;
use crate::nginx::config::Server;
use crate::text::{Diagnostics, Node};

const TABLES: Support = Support::Ignored("tables grow by themselves");

pub(super) static ROWS: &[Row] = &[
    Directive {
        support: TABLES,
        default: Some("1024"),
        ..row("variables_hash_max_size", STREAM, ONE, "NUMBER", "Table of variables.", table_size)
    },
    Directive {
        support: TABLES,
        default: Some("64"),
        ..row("variables_hash_bucket_size", STREAM, ONE, "NUMBER", "The same.", table_size)
    },
    Directive {
        support: TABLES,
        default: Some("512"),
        since: Some("1.25.5"),
        ..row("server_names_hash_max_size", STREAM, ONE, "NUMBER", "Table of names.", table_size)
    },
    Directive {
        support: TABLES,
        default: Some("32|64|128"),
        since: Some("1.25.5"),
        ..row("server_names_hash_bucket_size", STREAM, ONE, "NUMBER", "The same.", table_size)
    },
    Directive {
        body: Body::Block("server"),
        repeat: Repeat::Adds,
        ..row("server", STREAM, Arity::NONE, "{ … }", "Listens and proxies.", |c, _, _| {
            let server = Server::new(c.terminator);
            c.stream().servers.push(server);
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Partial("all parameters; datagrams by Unix sockets are refused"),
        ..row(
            "listen",
            SERVER,
            SOME,
            "[ADDRESS:]PORT[-PORT]|unix:PATH [PARAMETER…]",
            "Where clients connect.",
            super::listen::set,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("\"\""),
        since: Some("1.25.5"),
        ..row("server_name", SERVER, SOME, "NAME…", "Chooses a server by name.", server_name::set)
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("that of the main context"),
        support: Support::Partial("not memory:, and debug_* levels count as debug"),
        ..row(
            "error_log",
            BOTH,
            SOME,
            "FILE|stderr|syslog:… [LEVEL]",
            "Where messages about these connections go.",
            super::error_log::stream,
        )
    },
    row("resolver", BOTH, SOME, resolver::ARGS, "Name servers.", resolver::set),
    Directive {
        default: Some("30s"),
        ..row("resolver_timeout", BOTH, ONE, "TIME", "Wait for a name.", resolver::timeout)
    },
    Directive {
        default: Some("30s"),
        ..row("proxy_protocol_timeout", BOTH, ONE, "TIME", "Wait for its header.", |c, n, out| {
            slot::time(&mut c.settings().doors.header_timeout, n, out)
        })
    },
    Directive {
        default: Some("on"),
        ..row("tcp_nodelay", BOTH, Flag, "on|off", "Send small packets at once.", |c, n, out| {
            slot::flag(&mut c.settings().tcp_nodelay, n, out)
        })
    },
    Directive {
        default: Some("16k"),
        ..row("preread_buffer_size", BOTH, ONE, "SIZE", "Room to read ahead.", |c, n, out| {
            slot::size(&mut c.settings().preread.buffer_size, n, out)
        })
    },
    Directive {
        default: Some("30s"),
        ..row("preread_timeout", BOTH, ONE, "TIME", "Wait for it.", |c, n, out| {
            slot::time(&mut c.settings().preread.timeout, n, out)
        })
    },
];

fn table_size(_: &mut crate::nginx::NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::number(&mut None, node, out)
}
