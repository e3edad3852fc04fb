//! The access log.

use super::slot;
use super::{Arity, BOTH, Directive, Repeat, Row, SOME, STREAM, Support, row};
use crate::nginx::NginxConfig;
use crate::text::{Diagnostic, Diagnostics, Node};

const NO_LOG: &str = "no access log is written yet";

pub(super) static ROWS: &[Row] = &[
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(NO_LOG),
        ..row("log_format", STREAM, Arity::AtLeast(2), "NAME TEXT…", "A line's form.", log_format)
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("off"),
        support: Support::Refused(NO_LOG),
        ..row("access_log", BOTH, SOME, "off|FILE NAME [PARAMETER…]", "Logs sessions.", access_log)
    },
    Directive {
        default: Some("off"),
        support: Support::Ignored("no access log is written yet"),
        ..row(
            "open_log_file_cache",
            BOTH,
            Arity::OneOf(&[1, 2, 3, 4]),
            "off|max=N [inactive=TIME] [min_uses=N] [valid=TIME]",
            "Logs kept open.",
            super::any_value,
        )
    },
];

fn log_format(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let name = slot::first(node);
    if !config.log_formats.insert(name.text.clone()) {
        let message = format!("duplicate \"log_format\" name \"{}\"", name.lossy());
        out.push(Diagnostic::error("nginx/duplicate", message).at(name.span));
        return;
    }
    slot::lose(&node.name, NO_LOG, out);
}

fn access_log(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let Some(format) = node.args.get(1) else {
        if !slot::first(node).is("off") {
            let message = "log format is not specified";
            out.push(Diagnostic::error("nginx/invalid-value", message).at(node.name.span));
        }
        return;
    };
    if !config.log_formats.contains(&format.text) {
        let message = format!("unknown log format \"{}\"", format.lossy());
        out.push(Diagnostic::error("nginx/invalid-value", message).at(format.span));
        return;
    }
    slot::lose(&node.name, NO_LOG, out);
}
