//! What virtual servers, real servers and checks may all say: when checks run and how often they
//! may fail. Each level complains in words of its own, as keepalived does.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::super::config::KeepalivedConfig;
use super::super::super::config::checker::{Checking, Level};
use super::super::Row;
use super::super::read::{self, wrong};
use super::{CONNECTED, Kind, LEVELS, NOT_RUN, TIMED, TIMED_CHECKS};
use crate::text::{Diagnostics, Node};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(LEVELS, "alpha", "[BOOL]", "Down until the first check succeeds")
        .partial(NOT_RUN, alpha),
    Row::of(CONNECTED, "connect_timeout", "SECONDS", "How long a check may take to connect")
        .default("5")
        .partial(NOT_RUN, connect_timeout),
    Row::of(TIMED, "retry", "COUNT", "Failures in a row until it is down")
        .default("1; DNS_CHECK: 3; MISC_CHECK: 0")
        .partial(NOT_RUN, retry),
    Row::of(TIMED, "delay_before_retry", "SECONDS", "From a failure to the next try")
        .default("1; DNS_CHECK: delay_loop; HTTP_GET, SSL_GET: 3")
        .partial(NOT_RUN, delay_before_retry),
    Row::of(TIMED, "warmup", "SECONDS", "Longest random wait before the first check")
        .default("delay_loop")
        .partial(NOT_RUN, warmup),
    Row::of(TIMED, "delay_loop", "SECONDS", "From one check to the next")
        .default("60")
        .partial(NOT_RUN, delay_loop),
    Row::of(TIMED_CHECKS, "log_all_failures", "[BOOL]", "Log failures of a server that is up")
        .partial(NOT_RUN, log_all_failures),
];

/// Most of a decimal number of microseconds in 64 bits.
const LONGEST: u64 = u64::MAX - 1;
/// 2^32 - 1 microseconds.
const LONGEST_CONNECT: u64 = 4_294_967_295;

/// What the level that is being read says.
fn checking(config: &mut KeepalivedConfig) -> Option<&mut Checking> {
    let level = config.checkers.level;
    let service = super::service(config)?;
    if level == Level::Service {
        return Some(&mut service.common.checking);
    }
    let server = service.servers.last_mut()?;
    if level == Level::Server {
        return Some(&mut server.common.checking);
    }
    let check = server.checks.last_mut()?;
    match level {
        Level::Host => check.hosts.last_mut().map(|host| &mut host.checking),
        _ => Some(&mut check.checking),
    }
}

fn time(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    range: RangeInclusive<u64>,
    messages: [&str; 3],
    field: fn(&mut Checking) -> &mut Option<Duration>,
) {
    let message = match config.checkers.level {
        Level::Service => messages[0],
        Level::Server => messages[1],
        Level::Check | Level::Host => messages[2],
    };
    let word = &node.args[0];
    let message = message.replace("{}", &word.lossy());
    let time = read::timer(word, range, message, diagnostics);
    if let (Some(time), Some(checking)) = (time, checking(config)) {
        *field(checking) = Some(time);
    }
}

/// Of a virtual server it is a mere keyword.
fn alpha(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let level = config.checkers.level;
    let value = match level {
        Level::Service => Some(true),
        _ => read::boolean(node.args.first()),
    };
    // BFD_CHECK takes any word.
    let lax = level == Level::Check && matches!(super::kind(config), Some(Kind::Bfd { .. }));
    match (value, checking(config)) {
        (Some(on), Some(checking)) => checking.alpha = Some(on),
        (None, _) if !lax => {
            let word = &node.args[0];
            let message = format!("Invalid alpha parameter {}", word.lossy());
            diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        }
        _ => {}
    }
}

fn connect_timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let messages = [
        "virtual server connect_timeout {} invalid - ignoring",
        "real server connect_timeout {} invalid - ignoring",
        "connect_timeout {} invalid - ignoring",
    ];
    time(config, node, diagnostics, 1..=LONGEST_CONNECT, messages, |it| &mut it.connect_timeout);
}

fn delay_before_retry(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let messages = [
        "virtual server delay before retry '{}' invalid - ignoring",
        "real server delay_before_retry '{}' invalid - ignoring",
        "Invalid delay_before_retry connection value '{}'",
    ];
    time(config, node, diagnostics, 0..=LONGEST, messages, |it| &mut it.delay_before_retry);
}

fn warmup(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let messages = [
        "virtual server warmup '{}' invalid - ignoring",
        "real server warmup '{}' invalid - ignoring",
        "Invalid warmup connection value '{}'",
    ];
    time(config, node, diagnostics, 0..=LONGEST, messages, |it| &mut it.warmup);
}

fn delay_loop(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let messages = [
        "virtual server delay loop '{}' invalid - ignoring",
        "real server delay_loop '{}' invalid - ignoring",
        "delay_loop '{}' is invalid - ignoring",
    ];
    time(config, node, diagnostics, 1..=LONGEST, messages, |it| &mut it.interval);
}

/// Checks may have none; the levels above them not.
fn retry(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let text = word.lossy();
    let (least, message) = match config.checkers.level {
        Level::Service | Level::Server => (1, format!("retry value invalid - {text}")),
        Level::Check | Level::Host => (0, format!("Invalid retry connection value '{text}'")),
    };
    match (read::number(word, least..=u64::from(u32::MAX)), checking(config)) {
        (Ok(count), Some(checking)) => checking.retries = Some(count as u32),
        (Err(reason), _) => diagnostics.push(wrong(word, message, reason)),
        _ => {}
    }
}

fn log_all_failures(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(on) = read::boolean(node.args.first()) else {
        let word = &node.args[0];
        let message = format!("Invalid log_all_failures parameter {}", word.lossy());
        return diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
    };
    let level = config.checkers.level;
    let Some(check) = super::check(config) else { return };
    match (level, check.hosts.last_mut()) {
        (Level::Host, Some(host)) => host.log_all_failures = Some(on),
        _ => check.log_all_failures = Some(on),
    }
}

/// `nb_get_retry`: the old name of `retry` in HTTP checks.
pub(super) fn nb_get_retry(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    let message = "nb_get_retry is deprecated - please use 'retry'";
    diagnostics.push(super::complaint(node, message));
    match (read::number(word, 0..=u64::from(u32::MAX)), checking(config)) {
        (Ok(count), Some(checking)) => checking.retries = Some(count as u32),
        (Err(reason), _) => {
            let message = format!("Invalid nb_get_retry value '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}
