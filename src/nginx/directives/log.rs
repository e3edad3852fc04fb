//! The access log. Messages were watched on nginx 1.22.

use std::time::Duration;

use bstr::BString;

use super::slot;
use super::syslog;
use super::{Arity, BOTH, Directive, Repeat, Row, SOME, STREAM, row};
use crate::nginx::NginxConfig;
use crate::nginx::access_log::{TypedFormat, TypedLog, TypedTarget};
use crate::plan::access_log::{Buffer, Escape, OpenFiles};
use crate::text::value::whole;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) static ROWS: &[Row] = &[
    Directive {
        repeat: Repeat::Adds,
        ..row(
            "log_format",
            STREAM,
            Arity::AtLeast(2),
            "NAME [escape=default|json|none] TEXT…",
            "A line's form.",
            log_format,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("off"),
        ..row(
            "access_log",
            BOTH,
            SOME,
            "off|FILE|syslog:… FORMAT [buffer=SIZE] [gzip[=LEVEL]] [flush=TIME] [if=TEXT]",
            "Logs sessions.",
            access_log,
        )
    },
    Directive {
        default: Some("off"),
        ..row(
            "open_log_file_cache",
            BOTH,
            Arity::OneOf(&[1, 2, 3, 4]),
            "off|max=N [inactive=TIME] [min_uses=N] [valid=TIME]",
            "Logs kept open.",
            open_log_file_cache,
        )
    },
];

/// `gzip` without a `buffer=`.
const GZIP_BUFFER: usize = 64 * 1024;

fn log_format(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let name = slot::first(node);
    if config.log_formats.contains_key(&name.text) {
        let message = format!("duplicate \"log_format\" name \"{}\"", name.lossy());
        out.push(Diagnostic::error("nginx/duplicate", message).at(name.span));
        return;
    }
    let mut texts = &node.args[1..];
    let mut escape = Escape::Default;
    if let Some(how) = texts.first().and_then(|word| word.text.strip_prefix(b"escape=")) {
        escape = match how {
            b"default" => Escape::Default,
            b"json" => Escape::Json,
            b"none" => Escape::None,
            _ => {
                let how = String::from_utf8_lossy(how);
                let message = format!("unknown log format escaping \"{how}\"");
                out.push(Diagnostic::error("nginx/invalid-value", message).at(texts[0].span));
                return;
            }
        };
        texts = &texts[1..];
    }
    let text: Vec<&[u8]> = texts.iter().map(|word| word.text.as_slice()).collect();
    let format = TypedFormat { escape, text: text.concat().into() };
    config.log_formats.insert(name.text.clone(), format);
}

fn access_log(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    if let Err(complaint) = read(config, node, out) {
        out.extend(complaint);
    }
}

fn wrong(message: String, word: &Word) -> Option<Diagnostic> {
    Some(Diagnostic::error("nginx/invalid-value", message).at(word.span))
}

fn read(
    config: &mut NginxConfig,
    node: &Node,
    out: &mut Diagnostics,
) -> Result<(), Option<Diagnostic>> {
    let target = slot::first(node);
    if target.is("off") {
        if let Some(more) = node.args.get(1) {
            return Err(wrong(format!("invalid parameter \"{}\"", more.lossy()), more));
        }
        config.settings().access.off = true;
        return Ok(());
    }
    let syslog = match target.text.strip_prefix(b"syslog:") {
        Some(rest) => {
            let rest = String::from_utf8_lossy(rest).into_owned();
            Some(syslog::read(config, &rest, target, out).ok_or(None)?)
        }
        None => None,
    };
    let Some(format) = node.args.get(1) else {
        return Err(wrong("log format is not specified".to_owned(), &node.name));
    };
    if !config.log_formats.contains_key(&format.text) {
        return Err(wrong(format!("unknown log format \"{}\"", format.lossy()), format));
    }
    let Given { buffer, flush, gzip, condition } = Given::read(&node.args[2..])?;
    let size = buffer.or(gzip.map(|_| GZIP_BUFFER));
    if flush.is_some() && size.is_none() {
        let message = format!("no buffer is defined for access_log \"{}\"", target.lossy());
        return Err(wrong(message, target));
    }
    let buffer = size.map(|size| Buffer { size, flush, gzip });
    let has_variables = target.text.contains(&b'$');
    let target = match syslog {
        Some(_) if buffer.is_some() => {
            return Err(wrong("logs to syslog cannot be buffered".to_owned(), target));
        }
        Some(syslog) => TypedTarget::Syslog(syslog),
        None if has_variables && buffer.is_some() => {
            let message = "buffered logs cannot have variables in name".to_owned();
            return Err(wrong(message, target));
        }
        None if has_variables => TypedTarget::Path(target.text.clone()),
        None if target.text.is_empty() => {
            slot::refuse(&node.name, "an access log needs a name", out);
            return Err(None);
        }
        None => {
            let path = config.path(&target.lossy());
            if let Some(buffer) = buffer
                && *config.buffered_logs.entry(path.clone()).or_insert(buffer) != buffer
            {
                let message = format!(
                    "access_log \"{}\" already defined with conflicting parameters",
                    target.lossy()
                );
                return Err(wrong(message, target));
            }
            TypedTarget::File(path, buffer)
        }
    };
    let log = TypedLog { target, format: format.text.clone(), condition };
    config.settings().access.logs.push(log);
    Ok(())
}

#[derive(Default)]
struct Given {
    buffer: Option<usize>,
    flush: Option<Duration>,
    gzip: Option<u32>,
    condition: Option<BString>,
}

impl Given {
    fn read(words: &[Word]) -> Result<Self, Option<Diagnostic>> {
        let mut given = Given::default();
        for word in words {
            if let Some(condition) = word.text.strip_prefix(b"if=") {
                given.condition = Some(condition.into());
                continue;
            }
            let text = word.lossy();
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (&*text, None),
            };
            match (name, value) {
                ("buffer", Some(value)) => {
                    let size = slot::bytes(value).filter(|size| *size > 0);
                    let complain = || wrong(format!("invalid buffer size \"{value}\""), word);
                    given.buffer = Some(size.ok_or_else(complain)?);
                }
                ("flush", Some(value)) => {
                    let time = slot::milliseconds(value).filter(|time| !time.is_zero());
                    let complain = || wrong(format!("invalid flush time \"{value}\""), word);
                    given.flush = Some(time.ok_or_else(complain)?);
                }
                ("gzip", None) => given.gzip = Some(1),
                ("gzip", Some(value)) => {
                    let level = whole(value).filter(|level| (1..=9).contains(level));
                    let complain = || wrong(format!("invalid compression level \"{value}\""), word);
                    given.gzip = Some(level.ok_or_else(complain)? as u32);
                }
                _ => return Err(wrong(format!("invalid parameter \"{text}\""), word)),
            }
        }
        Ok(given)
    }
}

fn open_log_file_cache(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let (mut most, mut off) = (None, false);
    let (mut inactive, mut valid) = (Duration::from_secs(10), Duration::from_secs(60));
    let mut min_uses = 1;
    for word in &node.args {
        let text = word.lossy();
        let (name, value) = text.split_once('=').unwrap_or((&*text, ""));
        let time = slot::seconds(value);
        let number = slot::count(value).and_then(|number| u32::try_from(number).ok());
        let good = match name {
            "off" if *text == *name => {
                off = true;
                true
            }
            "max" => number.map(|number| most = Some(number as usize)).is_some(),
            "min_uses" => number.map(|number| min_uses = number).is_some(),
            "inactive" => time.map(|time| inactive = time).is_some(),
            "valid" => time.map(|time| valid = time).is_some(),
            _ => false,
        };
        if !good {
            let message = format!("invalid \"open_log_file_cache\" parameter \"{text}\"");
            return out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        }
    }
    let most = most.filter(|most| *most > 0);
    if most.is_none() && !off {
        let message = "\"open_log_file_cache\" must have \"max\" parameter";
        return out.push(Diagnostic::error("nginx/invalid-value", message).at(node.name.span));
    }
    let files = most.filter(|_| !off);
    let files = files.map(|most| OpenFiles { most, inactive, min_uses, valid });
    config.settings().access.open_files = Some(files);
}
