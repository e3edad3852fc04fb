//! From what the config says to what will run: defaults, names resolved, what fits together
//! checked.
//!
//! What keepalived doesn't start with is fatal here too: an instance without a router id or
//! interface, an interface that doesn't exist, two instances with one router id on one network.
//! Whatever would be dangerous to run without a feature that isn't done yet isn't run at all.
//! [`instance`] has the rules for one instance, [`script`] those for commands, [`tracking`] those for
//! what is tracked.

mod checker;
mod conduct;
mod definitions;
mod delays;
mod device;
mod group;
mod instance;
mod network;
mod process;
mod room;
mod script;
mod telling;
mod tracking;
mod wire;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

pub use checker::lower_checkers;

use super::config::KeepalivedConfig;
use crate::host::Host;
use crate::plan::track::{ScriptId, TrackScript};
use crate::plan::vrrp::{VirtualRouter, VrrpPlan};
use crate::plan::wire::Family;
use crate::text::{Diagnostic, Diagnostics, Severity, Span};

/// The plan that `config` means on `host`; `None` where keepalived wouldn't start.
pub fn lower(config: &KeepalivedConfig, host: &dyn Host) -> (Option<VrrpPlan>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let mut scripts = script::Scripts::new(&config.globals, host, &mut diagnostics);
    let mut checks: Vec<TrackScript> = Vec::new();
    let (mut ids, mut removed) = (HashMap::new(), HashSet::new());
    for script in &config.scripts {
        let check = match scripts.check(script, &mut diagnostics) {
            Ok(check) => check,
            Err(script::Fallen::Disabled) => continue,
            Err(script::Fallen::Removed) => {
                removed.insert(script.name.value.as_str());
                continue;
            }
        };
        if let Entry::Vacant(entry) = ids.entry(script.name.value.as_str()) {
            entry.insert(ScriptId(checks.len()));
            checks.push(check);
        }
    }
    let missing = Vec::new();
    let mut lowering = Lowering {
        config,
        host,
        scripts,
        checks,
        ids,
        removed,
        tracked_scripts: HashSet::new(),
        diagnostics,
        missing,
        devices: HashSet::new(),
        mtus: HashMap::new(),
    };
    let paces = lowering.paces();
    let grouped = lowering.groups();
    lowering.interfaces_of_groups();
    let mut routers = Vec::new();
    for instance in &config.instances {
        let instance = lowering.within_an_advert(instance);
        routers.extend(lowering.instance(&instance));
    }
    let groups = lowering.band(&grouped, &mut routers);
    let mut telling = lowering.telling();
    let statics = lowering.statics();
    lowering.tracked_by_groups();
    let tracked = lowering.tracked_objects(&routers);
    let firewall = lowering.firewall(&routers);
    let shown = definitions::of_firewall(&config.globals.network, firewall.as_ref());
    telling.definitions.extend(shown);
    lowering.missing_interfaces();
    lowering.duplicates();
    let sockets = lowering.sockets();
    let Lowering { scripts, checks, tracked_scripts, mut diagnostics, .. } = lowering;
    scripts.finish(!config.instances.is_empty(), &mut diagnostics);
    unused(&checks, &tracked_scripts, &mut diagnostics);
    let fatal = config.fatal || diagnostics.worst() == Some(Severity::Fatal);
    let plan = (!fatal).then(|| {
        let router_id = config.globals.router_id.as_ref().map(|at| at.value.clone());
        let (scripts, routers) = used(checks, routers);
        let conduct = conduct::common(&config.globals.conduct);
        let process = process::process(&config.globals.process);
        VrrpPlan {
            router_id,
            scripts,
            routers,
            paces,
            groups,
            statics,
            firewall,
            conduct,
            tracked,
            telling,
            sockets,
            process,
        }
    });
    (plan, diagnostics)
}

struct Lowering<'a> {
    config: &'a KeepalivedConfig,
    host: &'a dyn Host,
    scripts: script::Scripts<'a>,
    checks: Vec<TrackScript>,
    /// Names into `checks`.
    ids: HashMap<&'a str, ScriptId>,
    /// Names of scripts that were taken for ones that aren't there.
    removed: HashSet<&'a str>,
    /// Of `checks`: those that some instance really tracks.
    tracked_scripts: HashSet<ScriptId>,
    diagnostics: Diagnostics,
    /// Interfaces that don't exist, and where they are named.
    missing: Vec<(String, Span)>,
    /// Names of interfaces that are made.
    devices: HashSet<String>,
    /// What was asked of the host, by interface.
    mtus: HashMap<String, usize>,
}

impl Lowering<'_> {
    /// Remembers and reports an interface that isn't there.
    fn interface(&mut self, name: &str, message: String, span: Span) {
        if self.config.globals.dynamic_interfaces.is_some() || self.host.interface_exists(name) {
            return;
        }
        self.diagnostics.push(Diagnostic::error("keepalived/interface", message).at(span));
        self.missing.push((name.to_owned(), span));
    }

    /// keepalived doesn't start with interfaces missing.
    fn missing_interfaces(&mut self) {
        let Some((_, span)) = self.missing.first() else { return };
        let message = "Non-existent interface specified in configuration";
        let help = "keepalived doesn't start like this; `dynamic_interfaces` in global_defs allows \
                    interfaces that come later";
        let diagnostic = Diagnostic::fatal("keepalived/interface", message);
        self.diagnostics.push(diagnostic.at(*span).help(help));
    }

    /// One router id twice on one network: nobody could tell their adverts apart.
    fn duplicates(&mut self) {
        // keepalived doesn't come to this when an interface is missing.
        if !self.missing.is_empty() {
            return;
        }
        let mut seen = HashMap::new();
        for instance in &self.config.instances {
            let (Some(interface), Some(vrid)) = (&instance.interface, &instance.vrid) else {
                continue;
            };
            let group = self.group(instance);
            let v4 = self.family(instance) == Family::V4;
            // Nobody else hears what comes to one address of this host, or to one group.
            let unicast = !instance.unicast.peers.is_empty();
            let source = instance.source.as_ref().map(|at| at.value);
            let heard = if unicast { source } else { Some(group) };
            let key = (&interface.value, vrid.value, v4, heard);
            let Some((before, place)) = seen.insert(key, (instance, vrid.span)) else { continue };
            let (first, second) = (&before.name.value, &instance.name.value);
            let family = if v4 { "IPv4" } else { "IPv6" };
            let message = match unicast {
                true => {
                    format!("({first}) duplicate VRID conflict with {second} VRID {}", vrid.value)
                }
                false => format!(
                    "{first} and {second} both use VRID {} with {family} on interface {}",
                    vrid.value, interface.value
                ),
            };
            let diagnostic = Diagnostic::fatal("keepalived/duplicate-vrid", message).at(vrid.span);
            let diagnostic = diagnostic.label(place, format!("{first} uses it here"));
            self.diagnostics.push(diagnostic.help("keepalived doesn't start like this"));
        }
    }
}

/// Says which scripts nobody tracks, or nobody may.
fn unused(checks: &[TrackScript], tracked: &HashSet<ScriptId>, diagnostics: &mut Diagnostics) {
    for (index, check) in checks.iter().enumerate() {
        if tracked.contains(&ScriptId(index)) {
            continue;
        }
        let message = format!("Warning - script {} is not used", check.name);
        let diagnostic = Diagnostic::warning("keepalived/unused", message).at(check.span);
        diagnostics.push(diagnostic.help("no track_script names it that counts"));
    }
}

/// Drops the scripts that no router tracks.
fn used(
    checks: Vec<TrackScript>,
    mut routers: Vec<VirtualRouter>,
) -> (Vec<TrackScript>, Vec<VirtualRouter>) {
    let tracked = routers.iter().flat_map(|router| &router.scripts);
    let kept: BTreeSet<ScriptId> = tracked.map(|script| script.script).collect();
    let places: HashMap<ScriptId, ScriptId> =
        kept.iter().enumerate().map(|(place, id)| (*id, ScriptId(place))).collect();
    for script in routers.iter_mut().flat_map(|router| &mut router.scripts) {
        script.script = places[&script.script];
    }
    let checks = checks.into_iter().enumerate();
    let checks = checks.filter(|(index, _)| kept.contains(&ScriptId(*index)));
    (checks.map(|(_, check)| check).collect(), routers)
}
