//! What instances keep an eye on: lines of `track_script`, and the blocks of files and processes
//! (keepalived.conf(5), "Track files", "VRRP track processes", "Static track groups").

use std::collections::HashMap;

use super::super::config::{At, KeepalivedConfig, LineWeight, TrackScript};
use super::Row;
use super::read::{self, wrong};
use crate::text::{Diagnostic, Diagnostics, Node, Span};

const FILE: &[&str] = &["track_file", "vrrp_track_file"];
const PROCESS: &[&str] = &["vrrp_track_process"];

const NO_FILES: &str = "files aren't tracked";
const NO_PROCESSES: &str =
    "processes aren't tracked; a vrrp_script with `killall -0 NAME` does much the same";

pub(super) const TABLE: &[Row] = &[
    Row::of(&["main"], "track_file", "NAME", "A file whose value moves priorities")
        .block("track_file")
        .refused(NO_FILES),
    Row::of(&["main"], "vrrp_track_file", "NAME", "Old name of track_file")
        .block("vrrp_track_file")
        .refused(NO_FILES),
    Row::of(FILE, "file", "PATH", "The file").bare().refused(NO_FILES),
    Row::of(FILE, "weight", "INTEGER [reverse]", "What the file's value is multiplied by")
        .bare()
        .default("1")
        .refused(NO_FILES),
    Row::of(FILE, "init_file", "[VALUE] [overwrite]", "Create the file at start").refused(NO_FILES),
    Row::of(&["main"], "vrrp_track_process", "NAME", "A process whose presence moves priorities")
        .block("vrrp_track_process")
        .refused(NO_PROCESSES),
    Row::of(PROCESS, "process", "NAME [ARGUMENT...]", "The process").refused(NO_PROCESSES),
    Row::of(PROCESS, "param_match", "[initial|partial]", "How its arguments are compared")
        .refused(NO_PROCESSES),
    Row::of(PROCESS, "weight", "-254..254 [reverse]", "Added to the priority")
        .bare()
        .default("1")
        .refused(NO_PROCESSES),
    Row::of(PROCESS, "quorum", "COUNT", "How many have to run").default("1").refused(NO_PROCESSES),
    Row::of(PROCESS, "quorum_max", "COUNT", "How many may run").refused(NO_PROCESSES),
    Row::of(PROCESS, "fork_delay", "SECONDS", "Wait after it came up").refused(NO_PROCESSES),
    Row::of(PROCESS, "terminate_delay", "SECONDS", "Wait after it went down").refused(NO_PROCESSES),
    Row::of(PROCESS, "delay", "SECONDS", "fork_delay and terminate_delay").refused(NO_PROCESSES),
    Row::of(PROCESS, "full_command", "", "Compare the whole command line").refused(NO_PROCESSES),
];

/// Lines of an instance's `track_script`.
pub(super) fn track_script(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    extra_parameters(node, diagnostics);
    let Some(instance) = config.instances.last() else { return };
    let owner = instance.name.value.clone();
    let before = instance.track_scripts.iter();
    let mut seen: HashMap<String, Span> =
        before.map(|track| (track.name.value.clone(), track.name.span)).collect();
    let mut tracks = Vec::new();
    for line in node.body.iter().flatten() {
        let name = read::text(&line.name);
        if config.script(&name.value).is_none_or(|script| script.command.is_none()) {
            diagnostics.push(unknown_script(config, &owner, &name));
            continue;
        }
        if let Some(before) = seen.insert(name.value.clone(), name.span) {
            let message = format!("({owner}) duplicate track_script {} - ignoring", name.value);
            let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(name.span);
            diagnostics.push(diagnostic.label(before, "tracked here already"));
            continue;
        }
        let weight = weight(&owner, line, diagnostics);
        tracks.push(TrackScript { name, weight });
    }
    if let Some(instance) = config.instances.last_mut() {
        instance.track_scripts.extend(tracks);
    }
}

fn unknown_script(config: &KeepalivedConfig, owner: &str, name: &At<String>) -> Diagnostic {
    let message = format!("({owner}) track script {} not found, ignoring...", name.value);
    let diagnostic = Diagnostic::error("keepalived/track-script", message).at(name.span);
    // Among very many names a near one says little.
    let names = config.scripts.iter().take(100).map(|script| script.name.value.as_str());
    match crate::directive::check::nearest(&name.value, names) {
        Some(near) if near != name.value => diagnostic.help(format!("did you mean `{near}`?")),
        _ => diagnostic.help("its `vrrp_script` has to stand above the instance"),
    }
}

/// Words between the keyword and its block.
fn extra_parameters(node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else { return };
    let (keyword, text) = (node.name.lossy(), word.lossy());
    let message = format!("Block {keyword} has extra parameters {text} ...");
    let help = format!("write `{keyword} {{`, and what is tracked on the lines below");
    let diagnostic = Diagnostic::error("keepalived/extra-parameter", message);
    diagnostics.push(diagnostic.at(read::args_span(node)).help(help));
}

/// Lines of an instance's `track_interface`: not tracked yet, but the interfaces have to exist.
pub(super) fn track_interface(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    extra_parameters(node, diagnostics);
    let Some(instance) = config.instances.last_mut() else { return };
    let before = instance.track_interfaces.iter();
    let mut seen: HashMap<String, Span> = before.map(|at| (at.value.clone(), at.span)).collect();
    for line in node.body.iter().flatten() {
        let name = read::text(&line.name);
        if let Some(before) = seen.insert(name.value.clone(), name.span) {
            let owner = &instance.name.value;
            let message = format!("({owner}) duplicate track_interface {} - ignoring", name.value);
            let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(name.span);
            diagnostics.push(diagnostic.label(before, "tracked here already"));
            continue;
        }
        instance.track_interfaces.push(name);
    }
}

/// `weight N [reverse|noreverse]` behind the name of what is tracked.
fn weight(owner: &str, line: &Node, diagnostics: &mut Diagnostics) -> Option<LineWeight> {
    let name = line.name.lossy();
    let mut words = line.args.iter();
    let mut weight = None;
    while let Some(word) = words.next() {
        match word.text.as_slice() {
            b"weight" => {
                let Some(value) = words.next() else {
                    let message = format!(
                        "({owner}) weight without value specified for track script {name} - ignoring"
                    );
                    diagnostics.push(wrong(word, message, "a number has to follow".to_owned()));
                    break;
                };
                match read::signed(value, -253..=253) {
                    Ok(value) => weight = Some(LineWeight { value: value as i16, reverse: None }),
                    Err(reason) => {
                        let message = format!(
                            "({owner}) track script {name}: weight must be between [-253..253] \
                             inclusive, ignoring..."
                        );
                        diagnostics.push(wrong(value, message, reason));
                    }
                }
            }
            b"reverse" | b"noreverse" | b"no_reverse" => {
                if let Some(weight) = &mut weight {
                    weight.reverse = Some(word.is("reverse"));
                }
            }
            _ => {
                let text = word.lossy();
                let message =
                    format!("({owner}) unknown track script {name} option {text} - ignoring");
                let reason = "only `weight N [reverse]` may stand here".to_owned();
                diagnostics.push(wrong(word, message, reason));
            }
        }
    }
    weight
}
