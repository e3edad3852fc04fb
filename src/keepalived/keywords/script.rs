//! `vrrp_script` (keepalived.conf(5), "VRRP script(s)").

use std::time::Duration;

use super::super::config::{At, KeepalivedConfig, Script, Weight};
use super::Row;
use super::read::{self, wrong};
use crate::text::{Diagnostic, Diagnostics, Node};

const SCRIPT: &[&str] = &["vrrp_script"];

pub(super) const TABLE: &[Row] = &[
    Row::of(&["main"], "vrrp_script", "NAME", "A command whose exit status is tracked")
        .block("vrrp_script")
        .full(vrrp_script),
    Row::of(SCRIPT, "script", "COMMAND", "What is run; success is exit status 0. Without a shell")
        .bare()
        .full(script),
    Row::of(SCRIPT, "interval", "SECONDS", "From one run to the next").default("1").full(interval),
    Row::of(SCRIPT, "timeout", "SECONDS", "A run that takes longer has failed and is killed")
        .full(timeout),
    Row::of(
        SCRIPT,
        "weight",
        "-253..253 [reverse]",
        "Added to the priority; 0: a failure is a fault",
    )
    .default("0")
    .full(weight),
    Row::of(SCRIPT, "rise", "COUNT", "Successes in a row until it counts as up")
        .default("1")
        .full(rise),
    Row::of(SCRIPT, "fall", "COUNT", "Failures in a row until it counts as down")
        .default("1")
        .full(fall),
    Row::of(SCRIPT, "user", "USER [GROUP]", "Whom it runs as").default("script_user").full(user),
    Row::of(SCRIPT, "init_fail", "", "It counts as down until the first result").full(init_fail),
];

/// The longest interval and timeout, in seconds: 2^32 microseconds.
const LONGEST: u64 = 4294;

fn current(config: &mut KeepalivedConfig) -> &mut Script {
    if config.scripts.is_empty() {
        config.add_script(Script::new(At::new(String::new(), Default::default())));
    }
    config.scripts.last_mut().expect("one was just pushed")
}

fn vrrp_script(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let name = read::text(&node.args[0]);
    if let Some(before) = config.script(&name.value) {
        let message = format!("vrrp_script {} is defined twice; the first one counts", name.value);
        let diagnostic = Diagnostic::warning("keepalived/duplicate", message).at(name.span);
        diagnostics.push(diagnostic.label(before.name.span, "the first one"));
    }
    config.add_script(Script::new(name));
}

/// keepalived finds out at the end of the block what is missing in it.
pub(super) fn closed(config: &mut KeepalivedConfig, node: &Node) {
    current(config).end = super::end(node);
}

fn script(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let command = read::command(node, false, diagnostics);
    current(config).command = command;
    if let Some(word) = node.args.get(1) {
        let message = format!("`{}` is not part of the command", word.lossy());
        let diagnostic = Diagnostic::warning("keepalived/command", message).at(word.span);
        diagnostics.push(diagnostic.help("put the command with its arguments in quotes"));
    }
}

fn interval(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (script, word) = (current(config), &node.args[0]);
    match read::number(word, 0..=LONGEST) {
        Ok(0) => {
            let name = &script.name.value;
            let message =
                format!("({name}): vrrp script interval must be greater than 0, setting to 1");
            diagnostics.push(wrong(word, message, "at least 1".to_owned()));
            script.interval = Some(At::new(Duration::from_secs(1), word.span));
        }
        Ok(seconds) => script.interval = Some(At::new(Duration::from_secs(seconds), word.span)),
        Err(reason) => {
            let (name, text) = (&script.name.value, word.lossy());
            let message = format!(
                "({name}): vrrp script interval '{text}' must be between 1 and {LONGEST} - ignoring"
            );
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (script, word) = (current(config), &node.args[0]);
    match read::number(word, 0..=LONGEST) {
        Ok(0) => {
            let name = &script.name.value;
            let message =
                format!("({name}): vrrp script timeout must be greater than 0, setting to 1");
            diagnostics.push(wrong(word, message, "at least 1".to_owned()));
            script.timeout = Some(At::new(Duration::from_secs(1), word.span));
        }
        Ok(seconds) => script.timeout = Some(At::new(Duration::from_secs(seconds), word.span)),
        Err(reason) => {
            let (name, text) = (&script.name.value, word.lossy());
            let message = format!("({name}): vrrp script timeout '{text}' invalid - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn weight(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (script, word) = (current(config), &node.args[0]);
    let name = &script.name.value;
    let value = match read::signed(word, -253..=253) {
        Ok(value) => value as i16,
        Err(reason) => {
            let text = word.lossy();
            let message = format!("vrrp_script {name} weight {text} must be in [-253, 253]");
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
    let reverse = match node.args.get(1) {
        None => false,
        Some(word) if word.is("reverse") => true,
        Some(word) => {
            let message = format!("vrrp_script {name} unknown weight option {}", word.lossy());
            diagnostics.push(wrong(word, message, "only `reverse` may stand here".to_owned()));
            false
        }
    };
    script.weight = Some(At::new(Weight { value, reverse }, word.span));
}

fn rise(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let script = current(config);
    script.rise = Some(count(script, node, diagnostics));
}

fn fall(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let script = current(config);
    script.fall = Some(count(script, node, diagnostics));
}

fn count(script: &Script, node: &Node, diagnostics: &mut Diagnostics) -> At<u32> {
    let word = &node.args[0];
    let count = read::number(word, 1..=2_147_483_647).unwrap_or_else(|reason| {
        let (name, keyword, text) = (&script.name.value, node.name.lossy(), word.lossy());
        let message =
            format!("({name}): vrrp script {keyword} value '{text}' invalid, defaulting to 1");
        diagnostics.push(wrong(word, message, reason));
        1
    });
    At::new(count as u32, word.span)
}

fn user(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).user = read::user(&node.args);
}

fn init_fail(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).init_fail = Some(node.name.span);
}
