//! From what the config says to what will run: defaults, names resolved, what fits together
//! checked.
//!
//! What keepalived doesn't start with is fatal here too: an instance without a router id or
//! interface, an interface that doesn't exist, two instances with one router id on one network.
//! Whatever would be dangerous to run without a feature that isn't done yet isn't run at all.
//! [`instance`] has the rules for one instance, [`script`] those for commands.

mod instance;
mod script;

use std::collections::HashMap;

use super::config::{Instance, KeepalivedConfig};
use crate::host::Host;
use crate::plan::track::{ScriptId, TrackScript};
use crate::plan::vrrp::{VirtualRouter, VrrpPlan};
use crate::text::{Diagnostic, Diagnostics, Severity, Span};

/// The plan that `config` means on `host`; `None` where keepalived wouldn't start.
pub fn lower(config: &KeepalivedConfig, host: &dyn Host) -> (Option<VrrpPlan>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    for refusal in &config.refused {
        let message = format!("`{}` is not supported yet: {}", refusal.keyword, refusal.why);
        diagnostics.push(Diagnostic::fatal("keepalived/unsupported", message).at(refusal.span));
    }
    let mut scripts = script::Scripts::new(&config.globals, host, &mut diagnostics);
    let mut checks: Vec<TrackScript> = Vec::new();
    for script in &config.scripts {
        let check = scripts.check(script, &mut diagnostics);
        let known = checks.iter().any(|check| check.name == script.name.value);
        checks.extend(check.filter(|_| !known));
    }
    let mut lowering = Lowering { config, host, scripts, checks, diagnostics, missing: Vec::new() };
    let grouped = lowering.groups();
    let mut routers = Vec::new();
    for instance in &config.instances {
        routers.extend(lowering.instance(instance, grouped.get(&instance.name.value).copied()));
    }
    lowering.missing_interfaces();
    lowering.duplicates();
    let Lowering { scripts, checks, mut diagnostics, .. } = lowering;
    scripts.finish(&mut diagnostics);
    let fatal = config.fatal || diagnostics.worst() == Some(Severity::Fatal);
    let plan = (!fatal).then(|| {
        let router_id = config.globals.router_id.as_ref().map(|at| at.value.clone());
        let (scripts, routers) = used(checks, routers);
        VrrpPlan { router_id, scripts, routers }
    });
    (plan, diagnostics)
}

struct Lowering<'a> {
    config: &'a KeepalivedConfig,
    host: &'a dyn Host,
    scripts: script::Scripts<'a>,
    checks: Vec<TrackScript>,
    diagnostics: Diagnostics,
    /// Interfaces that don't exist, and where they are named.
    missing: Vec<(String, Span)>,
}

impl Lowering<'_> {
    /// The instances that only run as a group, each with its group's place.
    fn groups(&mut self) -> HashMap<String, Span> {
        let config = self.config;
        let mut grouped = HashMap::new();
        for group in &config.groups {
            let name = &group.name.value;
            let mut members = Vec::new();
            for member in &group.members {
                let found = config.instances.iter().find(|i| i.name.value == member.value);
                match found {
                    Some(instance) => members.push(instance.name.value.clone()),
                    None => {
                        let message = format!(
                            "Virtual router {} specified in sync group {name} doesn't exist - \
                             ignoring",
                            member.value
                        );
                        let diagnostic = Diagnostic::error("keepalived/group", message);
                        self.diagnostics.push(diagnostic.at(member.span));
                    }
                }
            }
            let complaint = match members.len() {
                0 => Some(format!("Sync group {name} has no virtual router(s). removing")),
                1 => Some(format!(
                    "Sync group {name} has only 1 virtual router(s) - this probably isn't what \
                     you want"
                )),
                _ => None,
            };
            if let Some(message) = complaint {
                let diagnostic = Diagnostic::error("keepalived/group", message);
                self.diagnostics.push(diagnostic.at(group.name.span));
            } else {
                grouped.extend(members.into_iter().map(|member| (member, group.name.span)));
            }
        }
        grouped
    }

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
        let mut seen: Vec<&Instance> = Vec::new();
        for instance in &self.config.instances {
            let network = |instance: &Instance| {
                let group = instance.group.as_ref().or(self.config.globals.group.as_ref());
                let interface = instance.interface.as_ref()?.value.clone();
                let vrid = instance.vrid.as_ref()?.value;
                let family = instance.addresses.first().is_none_or(|a| a.address.is_ipv4());
                Some((interface, vrid, family, group.map(|at| at.value)))
            };
            let Some(key) = network(instance) else { continue };
            for before in seen.iter().filter(|before| network(before).as_ref() == Some(&key)) {
                let (interface, vrid, v4, _) = &key;
                let (first, second) = (&before.name.value, &instance.name.value);
                let family = if *v4 { "IPv4" } else { "IPv6" };
                let message = format!(
                    "{first} and {second} both use VRID {vrid} with {family} on interface {interface}"
                );
                let span = |instance: &Instance| instance.vrid.as_ref().map(|at| at.span);
                let mut diagnostic = Diagnostic::fatal("keepalived/duplicate-vrid", message);
                diagnostic = diagnostic.at(span(instance).unwrap_or_default());
                diagnostic = diagnostic.label(span(before).unwrap_or_default(), "the first one");
                self.diagnostics.push(diagnostic.help("keepalived doesn't start like this"));
            }
            seen.push(instance);
        }
    }
}

/// Drops the scripts that no router tracks.
fn used(
    checks: Vec<TrackScript>,
    mut routers: Vec<VirtualRouter>,
) -> (Vec<TrackScript>, Vec<VirtualRouter>) {
    let tracked = |id: usize| {
        routers.iter().any(|router| router.scripts.iter().any(|script| script.script.0 == id))
    };
    let kept: Vec<bool> = (0..checks.len()).map(tracked).collect();
    let place = |id: usize| kept[..id].iter().filter(|kept| **kept).count();
    for script in routers.iter_mut().flat_map(|router| &mut router.scripts) {
        script.script = ScriptId(place(script.script.0));
    }
    let checks = checks.into_iter().zip(&kept).filter(|(_, kept)| **kept);
    (checks.map(|(check, _)| check).collect(), routers)
}
