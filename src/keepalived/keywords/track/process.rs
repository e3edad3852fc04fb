//! `vrrp_track_process` (keepalived.conf(5), "VRRP track processes").

use std::time::Duration;

use crate::keepalived::config::tracking::{ParameterMatch, TrackProcess};
use crate::keepalived::config::{At, KeepalivedConfig, Weight};
use crate::keepalived::keywords::read::{self, wrong};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

/// In microseconds.
const DELAYS: std::ops::RangeInclusive<u64> = 1..=3_600_000_000;

pub(super) fn begin(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let name = read::text(&node.args[0]);
    let mut lines = node.body.iter().flatten();
    if !lines.any(|line| line.name.is("process") && !line.args.is_empty()) {
        let message = format!("track process '{}' process name not specified", name.value);
        let diagnostic = Diagnostic::error("keepalived/track-process", message);
        diagnostics.push(diagnostic.at(read::end(node)).label(name.span, "this one"));
    }
    config.tracked.add_process(TrackProcess::new(name));
}

fn current(config: &mut KeepalivedConfig) -> Option<&mut TrackProcess> {
    config.tracked.processes.last_mut()
}

pub(super) fn command(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (Some(process), Some(word)) = (current(config), node.args.first()) else { return };
    if let Some(before) = &process.command {
        let (name, text) = (&process.name.value, word.lossy());
        let message = format!("Process already set for track process {name} - ignoring {text}");
        let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(word.span);
        diagnostics.push(diagnostic.label(before.span, "set here"));
        return;
    }
    let words = node.args.iter().map(|word| word.lossy().into_owned()).collect();
    process.command = Some(At::new(words, read::args_span(node)));
}

pub(super) fn parameters(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (Some(process), Some(word)) = (current(config), node.args.first()) else { return };
    process.parameters = match word.text.as_slice() {
        b"initial" => Some(ParameterMatch::Initial),
        b"partial" => Some(ParameterMatch::Partial),
        _ => {
            let message = format!("Invalid param_match type {} - ignoring", word.lossy());
            let reason = "it is `initial` or `partial`".to_owned();
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
}

pub(super) fn weight(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (Some(process), Some(word)) = (current(config), node.args.first()) else { return };
    let name = &process.name.value;
    let value = match read::signed(word, -254..=254) {
        Ok(value) => value,
        Err(reason) => {
            let text = word.lossy();
            diagnostics.push(wrong(word, range("Weight", &text, name, "-254..254"), reason));
            match read::leading_number(&text) {
                Some(value) if value.abs() <= 254 => value,
                _ => return,
            }
        }
    };
    let option = node.args.get(1);
    if let Some(word) = option.filter(|word| !word.is("reverse")) {
        let message = format!("vrrp_track_process {name} unknown weight option {}", word.lossy());
        diagnostics.push(wrong(word, message, "only `reverse` may stand here".to_owned()));
    }
    let reverse = option.is_some_and(|word| word.is("reverse"));
    process.weight = Some(Weight { value: value as i16, reverse });
}

fn range(what: &str, text: &str, name: &str, range: &str) -> String {
    format!(
        "{what} ({text}) for vrrp_track_process {name} must be between [{range}] inclusive. \
         Ignoring..."
    )
}

pub(super) fn quorum(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(process) = current(config) else { return };
    let word = &node.args[0];
    match read::number(word, 1..=65535) {
        Ok(count) => process.quorum = Some(count as u32),
        Err(reason) => {
            let message = range("Quorum", &word.lossy(), &process.name.value, "1..65535");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn quorum_max(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(process) = current(config) else { return };
    let word = &node.args[0];
    match read::number(word, 0..=65535) {
        Ok(most) if process.quorum.is_some_and(|least| most < u64::from(least)) => {
            let message = "quorum_max is less than quorum - ignoring".to_owned();
            diagnostics.push(wrong(word, message, "at least as many as `quorum`".to_owned()));
        }
        Ok(most) => process.quorum_max = Some(most as u32),
        Err(reason) => {
            let message = range("quorum_max", &word.lossy(), &process.name.value, "0..65535");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn fork_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(process) = current(config) else { return };
    if let Some(delay) = seconds(&process.name.value, &node.name, &node.args[0], diagnostics) {
        process.fork_delay = delay;
    }
}

pub(super) fn terminate_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(process) = current(config) else { return };
    if let Some(delay) = seconds(&process.name.value, &node.name, &node.args[0], diagnostics) {
        process.terminate_delay = delay;
    }
}

pub(super) fn delay(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(process) = current(config) else { return };
    if let Some(delay) = seconds(&process.name.value, &node.name, &node.args[0], diagnostics) {
        process.fork_delay = delay;
        process.terminate_delay = delay;
    }
}

fn seconds(
    name: &str,
    keyword: &Word,
    word: &Word,
    diagnostics: &mut Diagnostics,
) -> Option<Duration> {
    match read::seconds(word, DELAYS) {
        Ok(delay) => Some(delay),
        Err(reason) => {
            let message = range(&keyword.lossy(), &word.lossy(), name, "0.000001..3600");
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

pub(super) fn full_command(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(process) = current(config) {
        process.full_command = Some(node.name.span);
    }
}
