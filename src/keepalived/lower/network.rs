//! What instances do to the host's network: addresses, routes, rules; and what is always there.

use super::super::config::{Address, At, Instance};
use super::Lowering;
use crate::plan::address::{SpanKey, VirtualAddress};
use crate::plan::route::{Belongings, Route, Rule, Static, Statics, TrackGroup};
use crate::text::{Diagnostic, Span};

/// keepalived's `default_interface`.
const DEFAULT_INTERFACE: &str = "eth0";

impl Lowering<'_> {
    pub(super) fn belongings(&mut self, instance: &Instance) -> Belongings {
        let network = &instance.network;
        let excluded = network.excluded.iter().map(virtual_address).collect();
        for address in &network.excluded {
            self.address_interface(address);
        }
        for route in &network.routes {
            self.route_interfaces(route);
        }
        for rule in &network.rules {
            self.rule_interfaces(rule);
        }
        Belongings {
            excluded,
            routes: network.routes.clone(),
            rules: network.rules.clone(),
            promote_secondaries: network.promote_secondaries,
            drop_packets: self.drops_packets(instance),
            devices_for_all: network.vmac_addresses.is_some(),
            ..Belongings::default()
        }
    }

    /// Complains where an address's interface isn't there.
    pub(super) fn address_interface(&mut self, address: &Address) {
        let Some(device) = &address.device else { return };
        let (value, address) = (&device.value, address.address);
        let message = format!("WARNING - interface {value} for ip address {address} doesn't exist");
        self.interface(value, message, device.span);
    }

    fn route_interfaces(&mut self, route: &Route) {
        for name in route.interfaces() {
            let message = format!("WARNING - interface {name} for VROUTE nexthop doesn't exist");
            self.interface(name, message, route.span.0);
        }
    }

    fn rule_interfaces(&mut self, rule: &Rule) {
        for name in rule.iif.iter().chain(&rule.oif) {
            let message = format!("WARNING - interface {name} for rule doesn't exist");
            self.interface(name, message, rule.span.0);
        }
    }

    pub(super) fn statics(&mut self) -> Statics {
        let config = &self.config.statics;
        let groups = self.track_groups();
        let default = self.config.globals.network.default_interface.as_ref();
        let default = default.map_or(DEFAULT_INTERFACE, |at| at.value.as_str());
        let mut statics = Statics::default();
        for address in &config.addresses {
            self.address_interface(address);
            let mut item = virtual_address(address);
            if item.interface.is_none() {
                let message = format!(
                    "WARNING - interface {default} for ip address {} doesn't exist",
                    item.address
                );
                self.interface(default, message, address.span);
                item.interface = Some(default.to_owned());
            }
            let (routers, group) = self.trackers(&groups, address.track_group.as_ref());
            statics.addresses.push(Static { item, routers, group });
        }
        for line in &config.routes {
            self.route_interfaces(&line.route);
            let (routers, group) = self.trackers(&groups, line.group.as_ref());
            statics.routes.push(Static { item: line.route.clone(), routers, group });
        }
        for line in &config.rules {
            self.rule_interfaces(&line.rule);
            let (routers, group) = self.trackers(&groups, line.group.as_ref());
            statics.rules.push(Static { item: line.rule.clone(), routers, group });
        }
        let groups = groups.into_iter().filter(|it| !it.routers.is_empty());
        statics.groups = groups.collect();
        statics
    }

    /// The instances of every `track_group`.
    fn track_groups(&mut self) -> Vec<TrackGroup> {
        let config = self.config;
        let mut groups: Vec<TrackGroup> = Vec::new();
        for group in &config.statics.groups {
            let name = &group.name.value;
            let mut members = Vec::new();
            for member in &group.members {
                let known = config.instances.iter().any(|it| it.name.value == member.value);
                if known {
                    members.push(member.value.clone());
                } else {
                    let message = format!(
                        "Virtual router {} specified in static track group {name} doesn't exist - \
                         ignoring",
                        member.value
                    );
                    self.unplaced(message, member.span);
                }
            }
            if members.is_empty() {
                // Said when it starts, no reason for `-t` to fail.
                let message = format!("Static track group {name} has no virtual router(s)");
                let diagnostic = Diagnostic::warning("keepalived/track-group", message);
                self.diagnostics.push(diagnostic.at(group.name.span));
            }
            // The first of a name counts.
            if groups.iter().all(|it| it.name != *name) {
                groups.push(TrackGroup { name: name.clone(), routers: members });
            }
        }
        groups
    }

    /// Who tracks a line, and by what group.
    fn trackers(
        &mut self,
        groups: &[TrackGroup],
        group: Option<&At<String>>,
    ) -> (Vec<String>, String) {
        let Some(group) = group else { return Default::default() };
        match groups.iter().find(|it| it.name == group.value) {
            Some(known) => (known.routers.clone(), known.name.clone()),
            None => {
                self.unplaced(format!("track_group {} not found", group.value), group.span);
                Default::default()
            }
        }
    }

    fn unplaced(&mut self, message: String, span: Span) {
        self.diagnostics.push(Diagnostic::error("keepalived/track-group", message).at(span));
    }
}

/// As written; which interface it goes to where it doesn't say is decided elsewhere.
pub(super) fn virtual_address(address: &Address) -> VirtualAddress {
    VirtualAddress {
        interface: address.device.as_ref().map(|at| at.value.clone()),
        label: address.label.as_ref().map(|at| at.value.clone()),
        broadcast: address.broadcast,
        scope: address.scope,
        peer: address.peer,
        flags: address.flags.clone(),
        preferred: address.preferred,
        untracked: address.untracked,
        span: SpanKey(address.span),
        ..VirtualAddress::new(address.address, address.prefix)
    }
}
