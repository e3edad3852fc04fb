//! The lines of `track_script`, `track_interface`, `track_file`, `track_process` and `track_bfd`,
//! in instances and in sync groups.
//!
//! keepalived words its complaints differently from kind to kind, and some of them cost the weight,
//! others the line: all as recorded from 2.2.7 (`fixtures/keepalived/track-*`).

use std::collections::HashMap;

use crate::keepalived::config::tracking::{Line, LineWeight, Tracking};
use crate::keepalived::config::{At, KeepalivedConfig};
use crate::keepalived::keywords::read::{self, wrong};
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word};

/// What the lines of one block track.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Script,
    Interface,
    File,
    Process,
    Session,
}

/// Whose block it is.
#[derive(Clone, Copy)]
enum Owner {
    Instance,
    Group,
}

macro_rules! setters {
    ($($name:ident: $owner:ident, $kind:ident;)*) => {$(
        pub(in crate::keepalived::keywords) fn $name(
            config: &mut KeepalivedConfig,
            node: &Node,
            diagnostics: &mut Diagnostics,
        ) {
            read_block(config, node, Owner::$owner, Kind::$kind, diagnostics);
        }
    )*};
}

setters! {
    scripts: Instance, Script;
    interfaces: Instance, Interface;
    files: Instance, File;
    processes: Instance, Process;
    sessions: Instance, Session;
    group_scripts: Group, Script;
    group_interfaces: Group, Interface;
    group_files: Group, File;
    group_processes: Group, Process;
    group_sessions: Group, Session;
}

/// `sync_group_tracking_weight`
pub(in crate::keepalived::keywords) fn own_weights(
    config: &mut KeepalivedConfig,
    _: &Node,
    _: &mut Diagnostics,
) {
    if let Some(group) = config.groups.last_mut() {
        group.tracking.own_weights = true;
    }
}

/// `global_tracking`
pub(in crate::keepalived::keywords) fn global_tracking(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(group) = config.groups.last_mut() else { return };
    let message = format!(
        "({}) global_tracking is deprecated. Use track_interface/script/file on the sync group",
        group.name.value
    );
    diagnostics.push(Diagnostic::error("keepalived/deprecated", message).at(node.name.span));
    own_weights(config, node, diagnostics);
}

impl Kind {
    fn keyword(self) -> &'static str {
        match self {
            Kind::Script => "track_script",
            Kind::Interface => "track_interface",
            Kind::File => "track_file",
            Kind::Process => "track_process",
            Kind::Session => "track_bfd",
        }
    }

    /// As most messages have it.
    fn words(self) -> &'static str {
        match self {
            Kind::Script => "track script",
            Kind::Interface => "track_interface",
            Kind::File => "track file",
            Kind::Process => "track process",
            Kind::Session => "track bfd",
        }
    }

    /// The heaviest weight that is no number of another kind.
    fn heaviest(self) -> i64 {
        match self {
            Kind::Session => 253,
            _ => 254,
        }
    }

    fn lines(self, tracking: &mut Tracking) -> &mut Vec<Line> {
        match self {
            Kind::Script => &mut tracking.scripts,
            Kind::Interface => &mut tracking.interfaces,
            Kind::File => &mut tracking.files,
            Kind::Process => &mut tracking.processes,
            Kind::Session => &mut tracking.sessions,
        }
    }

    /// Is there such a thing to track? Interfaces are looked for when all is read.
    fn exists(self, config: &KeepalivedConfig, name: &str) -> bool {
        match self {
            Kind::Script => config.script(name).is_some_and(|script| script.command.is_some()),
            Kind::File => config.tracked.file(name).is_some(),
            Kind::Process => config.tracked.process(name).is_some(),
            Kind::Session => config.checkers.tracked_session(name).is_some(),
            Kind::Interface => true,
        }
    }

    /// Names for a hint. Among very many a near one says little.
    fn candidates(self, config: &KeepalivedConfig) -> Vec<&str> {
        let tracked = &config.tracked;
        match self {
            Kind::Script => names(config.scripts.iter().map(|it| &it.name)),
            Kind::File => names(tracked.files.iter().map(|it| &it.name)),
            Kind::Process => names(tracked.processes.iter().map(|it| &it.name)),
            Kind::Session => {
                let sessions = config.checkers.sessions.iter().take(100);
                sessions.map(|session| session.value.name.as_str()).collect()
            }
            Kind::Interface => Vec::new(),
        }
    }
}

fn names<'a>(names: impl Iterator<Item = &'a At<String>>) -> Vec<&'a str> {
    names.take(100).map(|name| name.value.as_str()).collect()
}

fn read_block(
    config: &mut KeepalivedConfig,
    node: &Node,
    owner: Owner,
    kind: Kind,
    diagnostics: &mut Diagnostics,
) {
    let (name, mut tracking) = match owner {
        Owner::Instance => match config.instances.last_mut() {
            Some(it) => (it.name.value.clone(), std::mem::take(&mut it.tracking)),
            None => return,
        },
        Owner::Group => match config.groups.last_mut() {
            Some(it) => (it.name.value.clone(), std::mem::take(&mut it.tracking)),
            None => return,
        },
    };
    let lines = kind.lines(&mut tracking);
    let before = lines.iter().map(|line| (line.name.value.clone(), line.name.span));
    let mut seen: HashMap<String, Span> = before.collect();
    for line in node.body.iter().flatten() {
        let what = read::text(&line.name);
        if !kind.exists(config, &what.value) {
            diagnostics.push(unknown(config, kind, &name, &what));
            continue;
        }
        if let Some(before) = seen.get(&what.value) {
            let message =
                format!("({name}) duplicate {} {} - ignoring", kind.keyword(), what.value);
            let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(what.span);
            diagnostics.push(diagnostic.label(*before, "tracked here already"));
            continue;
        }
        if let Some(weight) = weight(kind, &name, line, diagnostics) {
            seen.insert(what.value.clone(), what.span);
            lines.push(Line { name: what, weight });
        }
    }
    match owner {
        Owner::Instance => config.instances.last_mut().expect("it is there").tracking = tracking,
        Owner::Group => config.groups.last_mut().expect("it is there").tracking = tracking,
    }
}

fn unknown(config: &KeepalivedConfig, kind: Kind, owner: &str, name: &At<String>) -> Diagnostic {
    let words = kind.words();
    let message = format!("({owner}) {words} {} not found, ignoring...", name.value);
    let code = match kind {
        Kind::Script => "keepalived/track-script",
        _ => "keepalived/tracked",
    };
    let diagnostic = Diagnostic::error(code, message).at(name.span);
    let candidates = kind.candidates(config).into_iter();
    match crate::directive::check::nearest(&name.value, candidates) {
        Some(near) if near != name.value => diagnostic.help(format!("did you mean `{near}`?")),
        _ => diagnostic.help(match kind {
            Kind::Script => "its `vrrp_script` has to stand above the instance",
            Kind::File => "its `track_file` has to stand above",
            Kind::Session => "its `bfd_instance` has to stand above, without `checker`",
            _ => "its `vrrp_track_process` has to stand above",
        }),
    }
}

/// `weight N [reverse|noreverse]` behind the name of what is tracked. `None`: the line is lost.
fn weight(
    kind: Kind,
    owner: &str,
    line: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<Option<LineWeight>> {
    let (name, words) = (line.name.lossy(), kind.words());
    let Some(first) = line.args.first() else { return Some(None) };
    if !first.is("weight") {
        let text = first.lossy();
        let message = match kind {
            Kind::Interface => format!("({owner}) unknown {words} {name} option {text} - ignoring"),
            _ => format!("({owner}) unknown {words} option {text} - ignoring"),
        };
        let reason = "only `weight N [reverse]` may stand here".to_owned();
        diagnostics.push(wrong(first, message, reason));
        return None;
    }
    let Some(word) = line.args.get(1) else {
        let message =
            format!("({owner}) weight without value specified for {words} {name} - ignoring");
        diagnostics.push(wrong(first, message, "a number has to follow".to_owned()));
        return None;
    };
    let value = number(kind, owner, &name, word, diagnostics);
    let reverse = match line.args.get(2) {
        None => None,
        Some(word) if word.is("reverse") => Some(true),
        Some(word) if word.is("noreverse") && kind != Kind::Interface => Some(false),
        Some(word) => {
            let text = word.lossy();
            // Some forget the line over it, with another spelling.
            let (words, kept) = match kind {
                Kind::Interface => ("track_interace", true),
                Kind::Script | Kind::Process => (kind.keyword(), true),
                Kind::File | Kind::Session => (words, false),
            };
            let message =
                format!("({owner}) unknown {words} {name} weight option {text} - ignoring");
            diagnostics.push(wrong(word, message, "only `reverse` may stand here".to_owned()));
            if !kept {
                return None;
            }
            None
        }
    };
    Some(value.map(|value| LineWeight { value, reverse }))
}

/// `None`: as what is tracked has it.
fn number(
    kind: Kind,
    owner: &str,
    name: &str,
    word: &Word,
    diagnostics: &mut Diagnostics,
) -> Option<i16> {
    let heaviest = kind.heaviest();
    match read::signed(word, -heaviest..=heaviest) {
        Ok(value) if value.abs() == 254 && matches!(kind, Kind::Interface | Kind::Script) => {
            let message =
                format!("({owner}) weight for {name} cannot be +/-254. Setting to +/-253");
            diagnostics.push(wrong(word, message, "at most 253".to_owned()));
            Some(253 * value.signum() as i16)
        }
        Ok(value) => Some(value as i16),
        Err(reason) => {
            let (text, words) = (word.lossy(), kind.words());
            let message = match kind {
                Kind::Interface => format!(
                    "({owner}) weight {text} for {name} must be between [-253..253] inclusive. \
                     Ignoring..."
                ),
                Kind::Script => format!(
                    "({owner}) {words} {name}: weight must be between [-253..253] inclusive, \
                     ignoring..."
                ),
                _ => format!(
                    "({owner}) weight for {words} {name} must be in [-{heaviest}..{heaviest}] \
                     inclusive. Ignoring..."
                ),
            };
            diagnostics.push(wrong(word, message, reason));
            read::leading_number(&text).filter(|value| value.abs() <= heaviest).map(|it| it as i16)
        }
    }
}
