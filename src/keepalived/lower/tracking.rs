//! What an instance tracks: by its own lines and by those of its sync group, with the weights that
//! hold.
//!
//! An address owner's priority doesn't move, and members of a sync group can't have priorities
//! that move apart (keepalived.conf(5), "VRRP synchronization group(s)"). What keepalived 2.2.7
//! makes of a weight all the same differs from kind to kind (recorded, `fixtures/keepalived/
//! track-*`): it clears it, or loses the line, or says that it ignores it and doesn't.

use std::path::PathBuf;

use super::super::config::tracking::{Line, ParameterMatch, TrackFile, TrackProcess};
use super::super::config::{Instance, SyncGroup, Weight};
use super::Lowering;
use super::conduct::{OWNER, priority};
use crate::plan::track::{self, FileId, Linkbeat, Matching, ProcessId, Tracked, Tracking};
use crate::plan::vrrp::{TrackedScript, VirtualRouter};
use crate::text::{Diagnostic, Severity, Span};

/// Why a line may not have a weight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fixed {
    Owner,
    Member,
}

impl Fixed {
    fn because(self) -> &'static str {
        match self {
            Fixed::Owner => "address_owner",
            Fixed::Member => "SYNC group",
        }
    }
}

impl Lowering<'_> {
    /// What all lines of the instance and of its group come to.
    pub(super) fn tracking(&mut self, instance: &Instance) -> (Vec<TrackedScript>, Tracking) {
        let config = self.config;
        let name = &instance.name.value;
        let group = config.groups.iter().find(|group| group.has(name));
        let fixed = match group {
            _ if priority(instance) == OWNER => Some(Fixed::Owner),
            Some(group) if !group.tracking.own_weights => Some(Fixed::Member),
            _ => None,
        };
        let own = &instance.tracking;
        let mut tracking = Tracking {
            interfaces: self.own_interfaces(instance, fixed),
            files: self.own_files(name, &own.files, fixed),
            // Their weights are left alone.
            processes: own.processes.iter().filter_map(|line| self.process(line, false)).collect(),
            sessions: self.own_sessions(name, &own.sessions, fixed),
            dont_track_primary: own.dont_track_primary,
            track_source: own.track_source,
        };
        let mut scripts = self.own_scripts(name, &own.scripts, fixed);
        if let Some(group) = group {
            self.add_group(name, group, &mut scripts, &mut tracking);
            let primary = instance.interface.as_ref().map(|at| &at.value);
            tracking.interfaces.retain(|it| !it.by_group || Some(&it.what) != primary);
        }
        self.tracked_scripts.extend(scripts.iter().map(|it| it.script));
        (scripts, tracking)
    }

    /// Names interfaces that aren't there.
    pub(super) fn tracked_interfaces(&mut self, owner: &str, lines: &[Line]) {
        for line in lines {
            let interface = &line.name.value;
            let message = format!("({owner}) tracked interface {interface} doesn't exist");
            self.interface(interface, message, line.name.span);
        }
    }

    /// Names interfaces of groups that aren't there.
    pub(super) fn interfaces_of_groups(&mut self) {
        let config = self.config;
        for group in &config.groups {
            self.tracked_interfaces(&group.name.value, &group.tracking.interfaces);
        }
    }

    /// keepalived doesn't come to this when an interface is missing.
    fn say(&mut self, message: String, span: Span) {
        if self.missing.is_empty() {
            self.complain(message, span);
        }
    }

    /// What groups can't have.
    pub(super) fn tracked_by_groups(&mut self) {
        let config = self.config;
        for group in &config.groups {
            self.name_removed(&group.name.value, &group.tracking.scripts);
            if self.owns(group) {
                self.clear_weights(group);
            }
        }
    }

    /// Is a member the owner of its addresses?
    fn owns(&self, group: &SyncGroup) -> bool {
        let mut members =
            self.config.instances.iter().filter(|instance| group.has(&instance.name.value));
        members.any(|instance| priority(instance) == OWNER)
    }

    /// Says which weights of the group don't count.
    fn clear_weights(&mut self, group: &SyncGroup) {
        let (name, tracking) = (&group.name.value, &group.tracking);
        let mut cleared = Vec::new();
        let mut add = |what: &str, line: &Line, weight: Option<i16>, how: &str| {
            if weight.is_some_and(|weight| weight != 0) {
                let message = format!(
                    "({name}) Cannot have weighted track {what} '{}' with member having priority \
                     255 - {how}",
                    line.name.value
                );
                cleared.push((message, line.name.span));
            }
        };
        for line in &tracking.scripts {
            let weight = self.script(line, false).map(|it| it.weight);
            add("script", line, weight, "clearing weight");
        }
        for line in &tracking.files {
            add("file", line, self.file(line, false).map(|it| it.weight), "setting weight 0");
        }
        for line in &tracking.processes {
            add("process", line, self.process(line, false).map(|it| it.weight), "setting weight 0");
        }
        for line in &tracking.sessions {
            add("bfd", line, self.session(line, false).map(|it| it.weight), "setting weight 0");
        }
        for line in &tracking.interfaces {
            add("interface", line, line.weight.map(|it| it.value), "clearing weight");
        }
        for (message, span) in cleared {
            self.say(message, span);
        }
    }

    fn own_scripts(
        &mut self,
        name: &str,
        lines: &[Line],
        fixed: Option<Fixed>,
    ) -> Vec<TrackedScript> {
        let mut scripts = Vec::new();
        self.name_removed(name, lines);
        for line in lines {
            let Some(script) = self.script(line, false) else { continue };
            match fixed.filter(|_| script.weight != 0) {
                None => scripts.push(script),
                Some(fixed) => {
                    let (script, because) = (&line.name.value, fixed.because());
                    let message = format!(
                        "({name}) ignoring tracked script {script} with weights due to {because}"
                    );
                    self.say(message, line.name.span);
                }
            }
        }
        scripts
    }

    /// keepalived looks for scripts while it reads; so says it of those that it has removed.
    fn name_removed(&mut self, owner: &str, lines: &[Line]) {
        for Line { name, .. } in lines {
            let value = name.value.as_str();
            // Another one of its name may still be there.
            if self.removed.contains(value) && !self.ids.contains_key(value) {
                let message =
                    format!("({owner}) track script {} not found, ignoring...", name.value);
                let diagnostic = Diagnostic::error("keepalived/track-script", message);
                self.diagnostics.push(diagnostic.at(name.span));
            }
        }
    }

    fn own_interfaces(
        &mut self,
        instance: &Instance,
        fixed: Option<Fixed>,
    ) -> Vec<Tracked<String>> {
        let name = &instance.name.value;
        let primary = instance.interface.as_ref().map(|at| &at.value);
        let mut interfaces = Vec::new();
        for line in &instance.tracking.interfaces {
            let interface = &line.name.value;
            if Some(interface) == primary {
                let message =
                    format!("({name}) Ignoring track_interface {interface} since own interface");
                self.say(message, line.name.span);
                continue;
            }
            let tracked = interface_line(line, false);
            match fixed.filter(|_| tracked.weight != 0) {
                Some(Fixed::Owner) => {
                    let message = format!(
                        "({name}) ignoring {interface} tracked interface due to address owner"
                    );
                    self.say(message, line.name.span);
                    continue;
                }
                // It says so, and the weight counts (measured).
                Some(Fixed::Member) => {
                    let message = format!(
                        "({name}) ignoring {interface} tracked interface weight due to SYNC group"
                    );
                    self.say(message, line.name.span);
                }
                None => {}
            }
            interfaces.push(tracked);
        }
        interfaces
    }

    fn own_files(
        &mut self,
        name: &str,
        lines: &[Line],
        fixed: Option<Fixed>,
    ) -> Vec<Tracked<FileId>> {
        let mut files = Vec::new();
        for line in lines {
            let Some(mut tracked) = self.file(line, false) else { continue };
            let file = &line.name.value;
            match fixed.filter(|_| tracked.weight != 0) {
                None => {}
                Some(Fixed::Owner) if line.weight.is_none() => {
                    tracked.weight = 0;
                    let message = format!(
                        "({name}) ignoring weight from tracked file {file} due to address_owner. \
                         specify weight 0"
                    );
                    self.say(message, line.name.span);
                }
                Some(fixed) => {
                    let (weight, because) = (tracked.weight, fixed.because());
                    let message = format!(
                        "({name}) ignoring tracked file {file} with weight {weight} due to {because}"
                    );
                    self.say(message, line.name.span);
                    continue;
                }
            }
            files.push(tracked);
        }
        files
    }

    fn own_sessions(
        &mut self,
        name: &str,
        lines: &[Line],
        fixed: Option<Fixed>,
    ) -> Vec<Tracked<String>> {
        let mut sessions = Vec::new();
        for line in lines {
            let Some(tracked) = self.session(line, false) else { continue };
            match fixed.filter(|_| tracked.weight != 0) {
                None => sessions.push(tracked),
                Some(fixed) => {
                    let (weight, because) = (tracked.weight, fixed.because());
                    let message = format!(
                        "({name}) ignoring tracked bfd {} with weight {weight} due to {because}",
                        line.name.value
                    );
                    self.say(message, line.name.span);
                }
            }
        }
        sessions
    }

    /// The group's lines hold for every member; where both have one, the group's counts.
    fn add_group(
        &mut self,
        name: &str,
        group: &SyncGroup,
        scripts: &mut Vec<TrackedScript>,
        tracking: &mut Tracking,
    ) {
        let owned = self.owns(group);
        let weight = |weight| if owned { 0 } else { weight };
        let mut twice = Vec::new();
        let mut said = |keyword: &str, line: &Line, where_: &str| {
            let message = format!(
                "({name}) {keyword} {} is configured on VRRP instance and sync group. Remove vrrp \
                 instance {where_}config",
                line.name.value
            );
            // Only of interfaces keepalived complains.
            let interface = keyword == "track_interface";
            let severity = if interface { Severity::Error } else { Severity::Warning };
            twice.push((message, line.name.span, severity));
        };
        for line in &group.tracking.scripts {
            let Some(mut tracked) = self.script(line, true) else { continue };
            tracked.weight = weight(tracked.weight);
            if forget(scripts, |it| it.script == tracked.script) {
                said("track_script", line, "");
            }
            scripts.push(tracked);
        }
        for line in &group.tracking.files {
            let Some(tracked) = self.file(line, true) else { continue };
            if forget(&mut tracking.files, |it| it.what == tracked.what) {
                said("track_file", line, "");
            }
            tracking.files.push(Tracked { weight: weight(tracked.weight), ..tracked });
        }
        for line in &group.tracking.processes {
            let Some(tracked) = self.process(line, true) else { continue };
            if forget(&mut tracking.processes, |it| it.what == tracked.what) {
                said("track_process", line, "");
            }
            tracking.processes.push(Tracked { weight: weight(tracked.weight), ..tracked });
        }
        for line in &group.tracking.sessions {
            let Some(tracked) = self.session(line, true) else { continue };
            if forget(&mut tracking.sessions, |it| it.what == tracked.what) {
                said("track_bfd", line, "");
            }
            tracking.sessions.push(Tracked { weight: weight(tracked.weight), ..tracked });
        }
        for line in &group.tracking.interfaces {
            let tracked = interface_line(line, true);
            if forget(&mut tracking.interfaces, |it| it.what == tracked.what) {
                said("track_interface", line, "or sync group ");
            }
            tracking.interfaces.push(Tracked { weight: weight(tracked.weight), ..tracked });
        }
        for (message, span, severity) in twice {
            if self.missing.is_empty() {
                let diagnostic = Diagnostic::new(severity, "keepalived/duplicate", message);
                self.diagnostics.push(diagnostic.at(span));
            }
        }
    }

    /// `None`: the script fell away, which was complained of.
    fn script(&self, line: &Line, by_group: bool) -> Option<TrackedScript> {
        let script = *self.ids.get(line.name.value.as_str())?;
        let check = &self.checks[script.0];
        let usual = Weight { value: check.weight, reverse: check.reverse };
        let Weight { value, reverse } = weight(line, usual);
        Some(TrackedScript { script, weight: value, reverse, by_group })
    }

    fn file(&self, line: &Line, by_group: bool) -> Option<Tracked<FileId>> {
        let files = &self.config.tracked;
        let index = files.file(&line.name.value)?;
        let usual = file_weight(&files.files[index]);
        let Weight { value, reverse } = weight(line, usual);
        Some(Tracked { what: FileId(index), weight: value, reverse, by_group })
    }

    fn process(&self, line: &Line, by_group: bool) -> Option<Tracked<ProcessId>> {
        let processes = &self.config.tracked;
        let index = processes.process(&line.name.value)?;
        let usual = processes.processes[index].weight.unwrap_or_default();
        let Weight { value, reverse } = weight(line, usual);
        Some(Tracked { what: ProcessId(index), weight: value, reverse, by_group })
    }

    fn session(&self, line: &Line, by_group: bool) -> Option<Tracked<String>> {
        let session = self.config.checkers.tracked_session(&line.name.value)?;
        let usual = Weight { value: session.weight, reverse: session.reverse };
        let Weight { value, reverse } = weight(line, usual);
        Some(Tracked { what: line.name.value.clone(), weight: value, reverse, by_group })
    }

    /// All objects, in the order of the config.
    pub(super) fn tracked_objects(&mut self, routers: &[VirtualRouter]) -> track::TrackedObjects {
        let tracked = &self.config.tracked;
        track::TrackedObjects {
            files: tracked.files.iter().map(file).collect(),
            processes: tracked.processes.iter().map(process).collect(),
            linkbeats: self.linkbeats(),
            delays: self.link_delays(routers),
        }
    }

    /// Those of `linkbeat_interfaces`, of instances that ask for it, or all that are tracked.
    fn linkbeats(&mut self) -> Vec<Linkbeat> {
        let config = self.config;
        let mut linkbeats: Vec<Linkbeat> = Vec::new();
        let mut add =
            |interface: &str, by| match linkbeats.iter_mut().find(|it| it.interface == interface) {
                Some(known) => known.by = by,
                None => linkbeats.push(Linkbeat { interface: interface.to_owned(), by }),
            };
        let mut missing = Vec::new();
        for (interface, by) in &config.tracked.linkbeats {
            let name = &interface.value;
            if config.globals.dynamic_interfaces.is_none() && !self.host.interface_exists(name) {
                missing.push((name, interface.span));
            } else {
                add(name, *by);
            }
        }
        for instance in &config.instances {
            let Some(interface) = &instance.interface else { continue };
            let name = &interface.value;
            let known = config.tracked.linkbeats.iter().any(|(it, _)| it.value == *name);
            if (instance.tracking.linkbeat || config.tracked.linkbeat) && !known {
                add(name, None);
            }
            let others = instance.tracking.interfaces.iter().filter(|_| config.tracked.linkbeat);
            others.for_each(|line| add(&line.name.value, None));
        }
        for (name, span) in missing {
            let message = format!("unknown interface {name} specified for linkbeat interface");
            self.complain(message, span);
        }
        linkbeats
    }
}

impl SyncGroup {
    fn has(&self, instance: &str) -> bool {
        self.members.iter().any(|member| member.value == instance)
    }
}

/// Drops what the group has as well; whether there was any.
fn forget<T>(lines: &mut Vec<T>, same: impl Fn(&T) -> bool) -> bool {
    let before = lines.len();
    lines.retain(|line| !same(line));
    lines.len() < before
}

fn interface_line(line: &Line, by_group: bool) -> Tracked<String> {
    let Weight { value, reverse } = weight(line, Weight::default());
    Tracked { what: line.name.value.clone(), weight: value, reverse, by_group }
}

/// The line's weight, or the usual one of what it tracks.
fn weight(line: &Line, usual: Weight) -> Weight {
    match line.weight {
        Some(own) => Weight { value: own.value, reverse: own.reverse.unwrap_or(usual.reverse) },
        None => usual,
    }
}

fn file_weight(file: &TrackFile) -> Weight {
    file.weight.unwrap_or(Weight { value: 1, reverse: false })
}

fn file(file: &TrackFile) -> track::TrackFile {
    let Weight { value, reverse } = file_weight(file);
    track::TrackFile {
        name: file.name.value.clone(),
        path: file.path.as_ref().map_or_else(PathBuf::new, |at| PathBuf::from(&at.value)),
        weight: value,
        reverse,
        init: file.init,
        span: file.name.span,
    }
}

fn process(it: &TrackProcess) -> track::TrackProcess {
    let words = it.command.as_ref().map_or(&[][..], |at| &at.value);
    let parameters = words.get(1..).unwrap_or_default().to_vec();
    let matching = match it.parameters {
        Some(ParameterMatch::Initial) => Matching::Initial,
        Some(ParameterMatch::Partial) => Matching::Partial,
        None if !parameters.is_empty() => Matching::Exact,
        None if it.full_command.is_some() => Matching::Command,
        None => Matching::Name,
    };
    let Weight { value, reverse } = it.weight.unwrap_or_default();
    let least = it.quorum.unwrap_or(1);
    let quorum_max = it.quorum_max.filter(|most| it.quorum.is_none() || *most >= least);
    track::TrackProcess {
        name: it.name.value.clone(),
        program: words.first().cloned().unwrap_or_default(),
        parameters,
        matching,
        weight: value,
        reverse,
        // "Setting this to 0 would mean failure if the matching process were running at all."
        quorum: quorum_max.map_or(least, |most| least.min(most)),
        quorum_max,
        fork_delay: it.fork_delay,
        terminate_delay: it.terminate_delay,
        span: it.name.span,
    }
}
