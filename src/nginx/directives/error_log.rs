//! `error_log`, in the main context and in `stream {}`.

use super::slot;
use crate::nginx::config::NginxConfig;
use crate::plan::process::{ErrorLog, LogLevel, LogTarget};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) const LEVELS: [(&str, LogLevel); 8] = [
    ("emerg", LogLevel::Emerg),
    ("alert", LogLevel::Alert),
    ("crit", LogLevel::Crit),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("notice", LogLevel::Notice),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];
/// nginx's debug output by subsystem; Evenkeel has one debug level.
const DEBUG_LEVELS: [&str; 7] = [
    "debug_core",
    "debug_alloc",
    "debug_mutex",
    "debug_event",
    "debug_http",
    "debug_mail",
    "debug_stream",
];

pub(super) fn main(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let log = read(config, node, out);
    config.main.error_logs.extend(log);
}

pub(super) fn stream(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let log = read(config, node, out);
    config.settings().error_logs.extend(log);
}

fn read(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) -> Option<ErrorLog> {
    let target = target(config, slot::first(node), out)?;
    let level = level(&node.args[1..], out)?;
    Some(ErrorLog { target, level })
}

fn target(config: &mut NginxConfig, word: &Word, out: &mut Diagnostics) -> Option<LogTarget> {
    let text = word.lossy();
    if text == "stderr" {
        return Some(LogTarget::Stderr);
    }
    if let Some(size) = text.strip_prefix("memory:") {
        // nginx finds 1k too small.
        if slot::bytes(size).is_none_or(|size| size < 2048) {
            let message = format!("invalid buffer size \"{size}\"");
            out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        } else {
            slot::lose(word, "logs go to files, stderr and syslog", out);
        }
        return None;
    }
    if let Some(parameters) = text.strip_prefix("syslog:") {
        return super::syslog::read(config, parameters, word, out).map(LogTarget::Syslog);
    }
    Some(LogTarget::File(config.path(&text)))
}

fn level(words: &[Word], out: &mut Diagnostics) -> Option<LogLevel> {
    let mut found = None;
    for word in words {
        let debug = DEBUG_LEVELS.iter().any(|name| word.is(name));
        let level = match LEVELS.iter().find(|(name, _)| word.is(name)) {
            Some((_, level)) => *level,
            None if debug => LogLevel::Debug,
            None => {
                let message = format!("invalid log level \"{}\"", word.lossy());
                let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
                let help = format!("one of: {}", names.join(", "));
                let diagnostic = Diagnostic::error("nginx/invalid-value", message);
                out.push(diagnostic.at(word.span).help(help));
                return None;
            }
        };
        if found.is_some() && !debug {
            let message = format!("duplicate log level \"{}\"", word.lossy());
            out.push(Diagnostic::error("nginx/duplicate", message).at(word.span));
            return None;
        }
        found = Some(level);
    }
    Some(found.unwrap_or_default())
}
