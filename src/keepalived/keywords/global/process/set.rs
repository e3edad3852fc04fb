//! What these rows do.

use super::super::super::read::{self, wrong};
use crate::keepalived::config::{At, KeepalivedConfig};
use crate::plan::vrrp_process::{Check, Marker};
use crate::text::{Diagnostic, Diagnostics, Node, Word};
use std::path::PathBuf;
use std::time::Duration;

/// The kernel keeps this many bytes of a process's name.
const LONGEST_NAME: usize = 15;

fn missing(node: &Node, message: &str, diagnostics: &mut Diagnostics) {
    let diagnostic = Diagnostic::error("keepalived/missing-parameter", message);
    diagnostics.push(diagnostic.at(node.name.span));
}

/// `vrrp` of `vrrp_priority`.
fn whose(node: &Node) -> String {
    let name = node.name.lossy();
    name.split('_').next().unwrap_or_default().to_owned()
}

fn is_vrrp(node: &Node) -> bool {
    node.name.text.starts_with(b"vrrp_")
}

fn path(word: &Word) -> PathBuf {
    PathBuf::from(word.lossy().into_owned())
}

pub(super) fn nice(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let process = whose(node);
    let Some(word) = node.args.first() else {
        return missing(node, &format!("No {process} process priority specified"), diagnostics);
    };
    match read::signed(word, -20..=19) {
        Ok(nice) if is_vrrp(node) => {
            config.globals.process.plan.scheduling.nice = Some(nice as i8);
        }
        Ok(_) => {}
        Err(reason) => {
            let message = format!("Invalid {process} process priority specified");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn realtime(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let process = whose(node);
    let Some(word) = node.args.first() else {
        let message = format!("No {process} process real-time priority specified");
        return missing(node, &message, diagnostics);
    };
    let (least, most) = (1, 99);
    let priority = match read::signed(word, i64::from(i32::MIN)..=i64::from(i32::MAX)) {
        Ok(priority) if priority < least => {
            let message = format!(
                "{process} process real-time priority {priority} less than minimum {least} - \
                 setting to minimum"
            );
            diagnostics.push(wrong(word, message, format!("at least {least}")));
            least
        }
        Ok(priority) if priority > most => {
            let message = format!(
                "{process} process real-time priority {priority} greater than maximum {most} - \
                 setting to maximum"
            );
            diagnostics.push(wrong(word, message, format!("at most {most}")));
            most
        }
        Ok(priority) => priority,
        Err(reason) => {
            let message =
                format!("{process} process real-time priority '{}' invalid", word.lossy());
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
    if is_vrrp(node) {
        config.globals.process.plan.scheduling.realtime = Some(priority as u8);
    }
}

pub(super) fn realtime_limit(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    match read::number(word, 1..=u64::from(u32::MAX)) {
        Ok(micros) if is_vrrp(node) => {
            let limit = Duration::from_micros(micros);
            config.globals.process.plan.scheduling.realtime_limit = Some(limit);
        }
        Ok(_) => {}
        Err(reason) => {
            let message = format!("Invalid {} real-time limit - {}", whose(node), word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn no_swap(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.process.plan.scheduling.no_swap = true;
}

pub(super) fn cpus(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let process = whose(node);
    if node.args.is_empty() {
        let message = format!("No {process} cpu_id set specified");
        return missing(node, &message, diagnostics);
    }
    let most = std::thread::available_parallelism().map_or(1, usize::from) as u64 - 1;
    let mut cpus = Vec::new();
    for word in &node.args {
        // As many as the host has: keepalived looks, too.
        match read::number(word, 0..=most) {
            Ok(cpu) => cpus.push(cpu as u16),
            Err(reason) => {
                let text = word.lossy();
                let shown = text.parse::<i64>().unwrap_or(0);
                let message = format!("Invalid cpu_id:{shown} specified for {process} process");
                diagnostics.push(wrong(word, message, reason));
                return;
            }
        }
    }
    if is_vrrp(node) {
        config.globals.process.plan.scheduling.cpus = cpus;
    }
}

pub(super) fn most_automatic(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let most = match node.args.first() {
        None => Ok(99),
        Some(word) => read::signed(word, -1..=99).map_err(|reason| (word, reason)),
    };
    match most {
        // -1 silences a hint that Evenkeel gives only where a timer was late.
        Ok(most) => config.globals.process.plan.scheduling.most_automatic = most.max(0) as u8,
        Err((word, reason)) => {
            let message = format!(
                "max_auto_priority '{}' must be in [0, 99] (or -1 to disable) - ignoring",
                word.lossy()
            );
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn automatic_after(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = node.args.first() else {
        return missing(node, "min_auto_priority_delay requires delay time", diagnostics);
    };
    match read::number(word, 1..=10_000_000) {
        Ok(micros) => {
            let after = Duration::from_micros(micros);
            config.globals.process.plan.scheduling.automatic_after = Some(after);
        }
        Err(reason) => {
            let text = word.lossy();
            let message =
                format!("min_auto_priority_delay '{text}' must be in [1, 10000000] - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

/// A number in C's spelling, or the names of bits.
pub(super) fn umask(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let first = &node.args[0];
    if first.text.first().is_some_and(u8::is_ascii_digit) {
        match c_number(&first.lossy()).filter(|mask| *mask <= 0o777) {
            Some(mask) => config.globals.process.plan.umask = Some(mask),
            None => {
                let message = format!("invalid umask value {}", first.lossy());
                diagnostics.push(wrong(first, message, "at most 0777".to_owned()));
            }
        }
        return;
    }
    let (mut mask, mut wants_name) = (0, true);
    for word in &node.args {
        let text = word.lossy();
        let mut rest = &*text;
        while !rest.is_empty() {
            if !wants_name {
                let Some(behind) = rest.strip_prefix('|') else {
                    let message = format!("Invalid umask syntax {rest}");
                    diagnostics.push(wrong(word, message, "a `|` has to stand here".to_owned()));
                    return;
                };
                (rest, wants_name) = (behind, true);
                continue;
            }
            let name = rest.split('|').next().unwrap_or_default();
            let Some(bit) = bit(name) else {
                let shown = if name.is_empty() { rest } else { name };
                let message = format!("Unknown umask bit {shown}");
                let reason = "one of I{R|W|X}{USR|GRP|OTH}".to_owned();
                diagnostics.push(wrong(word, message, reason));
                return;
            };
            mask |= bit;
            (rest, wants_name) = (&rest[name.len()..], false);
        }
    }
    config.globals.process.plan.umask = Some(mask);
}

/// strtol(3) with base 0.
fn c_number(text: &str) -> Option<u32> {
    let mask = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8),
        _ => text.parse(),
    };
    mask.ok()
}

/// stat(2)'s names without their `S_`.
fn bit(name: &str) -> Option<u32> {
    let who = match name.get(2..)? {
        "USR" => 6,
        "GRP" => 3,
        "OTH" => 0,
        _ => return None,
    };
    let what = match name.get(..2)? {
        "IR" => 4,
        "IW" => 2,
        "IX" => 1,
        _ => return None,
    };
    Some(what << who)
}

pub(super) fn own_names(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.process.own_names = true;
}

pub(super) fn name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let mut name = word.lossy().into_owned();
    if name.len() > LONGEST_NAME {
        let message =
            format!("Process name {name} more than {LONGEST_NAME} characters, truncating");
        diagnostics.push(wrong(word, message, "too long for the kernel".to_owned()));
        while name.len() > LONGEST_NAME {
            name.pop();
        }
    }
    let names = &mut config.globals.process.plan.names;
    match node.name.text.as_slice() {
        b"process_name" => names.parent = Some(name),
        b"vrrp_process_name" => names.vrrp = Some(name),
        _ => {}
    }
}

pub(super) fn buffer(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let keyword = node.name.lossy().into_owned();
    let Some(word) = node.args.first() else {
        return missing(node, &format!("{keyword} size missing"), diagnostics);
    };
    let bytes = match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(bytes) => bytes as u32,
        Err(reason) => {
            let message = format!("{keyword} size ({}) invalid", word.lossy());
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
    let buffers = &mut config.globals.process.plan.buffers;
    match keyword.as_str() {
        "vrrp_netlink_cmd_rcv_bufs" => buffers.command = Some(bytes),
        "vrrp_netlink_monitor_rcv_bufs" => buffers.monitor = Some(bytes),
        _ => {}
    }
}

pub(super) fn force(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let keyword = node.name.lossy().into_owned();
    let Some(force) = read::boolean(node.args.first()) else {
        let word = &node.args[0];
        let message = format!("Invalid value '{}' for global {keyword} specified", word.lossy());
        diagnostics.push(wrong(word, message, "on or off".to_owned()));
        return;
    };
    let buffers = &mut config.globals.process.plan.buffers;
    match keyword.as_str() {
        "vrrp_netlink_cmd_rcv_bufs_force" => buffers.force_command = force,
        "vrrp_netlink_monitor_rcv_bufs_force" => buffers.force_monitor = force,
        _ => {}
    }
}

pub(super) fn time_file(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match node.args.as_slice() {
        [word] => config.globals.process.plan.reload.time_file = Some(path(word)),
        _ => missing(node, "reload_time_file invalid", diagnostics),
    }
}

pub(super) fn repeat(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.process.plan.reload.repeat = true;
}

pub(super) fn marker(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let marker = Marker { path: node.args.first().map(path) };
    config.globals.process.plan.reload.marker = Some(marker);
}

pub(super) fn check(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let check = Check { log: node.args.first().map(path) };
    config.globals.process.plan.reload.check = Some(check);
}

pub(super) fn save(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    config.globals.process.plan.reload.save = Some(path(&node.args[0]));
}

pub(super) fn temporary(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        return missing(node, "tmp_config_directory missing directory name", diagnostics);
    };
    let known = &mut config.globals.process.temporary_directory;
    if known.is_some() {
        let message = "tmp_config_directory already specified - ignoring";
        let diagnostic = Diagnostic::error("keepalived/duplicate", message);
        diagnostics.push(diagnostic.at(word.span));
        return;
    }
    *known = Some(read::text(word));
}

pub(super) fn pid_dir(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.process.plan.pid_dir = true;
}

pub(super) fn instance(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        return missing(node, "instance name missing - ignoring", diagnostics);
    };
    let At { value, span } = read::text(word);
    let known = &mut config.globals.process.plan.instance;
    if known.is_some() {
        let message = format!("Duplicate instance definition {value} - ignoring");
        diagnostics.push(Diagnostic::error("keepalived/duplicate", message).at(span));
        return;
    }
    *known = Some(value);
}

pub(super) fn namespace(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        return missing(node, "net_namespace name missing - ignoring", diagnostics);
    };
    let At { value, span } = read::text(word);
    let known = &mut config.globals.process.plan.net_namespace;
    if known.is_some() {
        let message = format!("Duplicate net_namespace definition {value} - ignoring");
        diagnostics.push(Diagnostic::error("keepalived/duplicate", message).at(span));
        return;
    }
    *known = Some(value);
}

pub(super) fn child_wait(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(seconds) => {
            config.globals.process.plan.child_wait = Some(Duration::from_secs(seconds));
        }
        Err(reason) => {
            let message = format!("Invalid child_wait_time {}", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}
