//! The host's network: interfaces, static addresses, the firewall.

use super::super::super::config::KeepalivedConfig;
use super::super::super::config::network::TrackGroup;
use super::super::track::link;
use super::super::{Row, address, read, route, rule};
use super::{GLOBAL, MAIN, set};
use crate::text::{Diagnostic, Diagnostics, Node};

const NFT: &str = "done by the program nft, which has to be installed";
const DEFAULT_TABLE: &str = "keepalived";

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(GLOBAL, "dynamic_interfaces", "[allow_if_changes]", "Interfaces may come later")
        .partial(
            "an instance whose interface is missing at start waits in FAULT state",
            set::dynamic_interfaces,
        ),
    Row::of(GLOBAL, "default_interface", "INTERFACE", "Interface of static addresses")
        .bare()
        .default("eth0")
        .full(default_interface),
    Row::of(GLOBAL, "disable_local_igmp", "", "Stop IGMP reports for link-local groups")
        .full(super::speech::disable_local_igmp),
    Row::of(GLOBAL, "nftables", "[TABLE]", "Use nftables")
        .default("keepalived")
        .partial(NFT, nftables),
    Row::of(GLOBAL, "nftables_priority", "PRIORITY", "Priority of the chains")
        .default("-1")
        .full(nftables_priority),
    Row::of(GLOBAL, "nftables_counters", "", "Count in the rules").full(nftables_counters),
    Row::of(GLOBAL, "nftables_ifindex", "", "Interface numbers in the rules")
        .ignored("the rules always have numbers"),
    Row::of(GLOBAL, "vrrp_iptables", "[CHAIN [CHAIN]]", "Use iptables").partial(
        "nftables are used instead, in a table of their own, as keepalived without iptables does; \
         the chains named aren't touched",
        vrrp_iptables,
    ),
    Row::of(GLOBAL, "vrrp_ipsets", "[SET...]", "Use ipsets").ignored(
        "the addresses are in sets of nftables, with keepalived's names; there are no ipsets",
    ),
    Row::of(GLOBAL, "vmac_prefix", "PREFIX", "Names of virtual MAC interfaces")
        .default("vrrp")
        .full(vmac_prefix),
    Row::of(GLOBAL, "vmac_addr_prefix", "PREFIX", "Names of the addresses' virtual MAC interfaces")
        .default("vmac_prefix")
        .full(vmac_addr_prefix),
    Row::of(MAIN, "linkbeat_use_polling", "", "Ask for the links of all interfaces")
        .full(link::all),
    Row::of(MAIN, "linkbeat_interfaces", "", "Interfaces whose links are asked for")
        .lines()
        .full(link::interfaces),
    Row::of(MAIN, "interface_up_down_delays", "", "How long a change of a link has to last")
        .lines()
        .full(link::delays),
    Row::of(MAIN, "static_ipaddress", "", "Addresses that are always held")
        .lines()
        .full(address::static_ipaddress),
    Row::of(MAIN, "static_routes", "", "Routes that are always held")
        .lines()
        .full(route::static_routes),
    Row::of(MAIN, "static_rules", "", "Routing rules that are always held")
        .lines()
        .full(rule::static_rules),
    Row::of(
        MAIN,
        "track_group",
        "NAME",
        "Instances that static addresses, routes and rules concern",
    )
    .bare()
    .block("track_group")
    .full(track_group),
    Row::of(&["track_group"], "group", "", "The instances").lines().full(track_group_members),
];

fn default_interface(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        let message = "default_interface requires interface name";
        diagnostics.push(Diagnostic::error("keepalived/value", message).at(node.name.span));
        return;
    };
    config.globals.network.default_interface = Some(read::text(word));
}

fn track_group(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(name) = node.args.first().map(read::text) else { return };
    if config.statics.groups.iter().any(|group| group.name.value == name.value) {
        let message = format!("track_group {} already defined", name.value);
        diagnostics.push(Diagnostic::error("keepalived/track-group", message).at(name.span));
    }
    config.statics.groups.push(TrackGroup { name, members: Vec::new() });
}

fn track_group_members(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let Some(group) = config.statics.groups.last_mut() else { return };
    let lines = node.body.iter().flatten();
    let words = lines.flat_map(|line| std::iter::once(&line.name).chain(&line.args));
    group.members.extend(words.map(read::text));
}

/// The first one counts.
fn nftables(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if config.globals.network.firewall.is_some() {
        let message = "nftables already specified - ignoring";
        diagnostics.push(Diagnostic::error("keepalived/nftables", message).at(node.name.span));
        return;
    }
    let name = node.args.first().map_or(DEFAULT_TABLE.into(), |name| name.lossy());
    config.globals.network.firewall = Some(name.into_owned());
}

fn nftables_priority(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else { return };
    match read::signed(word, i64::from(i32::MIN)..=i64::from(i32::MAX)) {
        Ok(priority) => config.globals.network.firewall_priority = Some(priority as i32),
        Err(reason) => {
            let message = format!("invalid nftables chain priority '{}'", word.lossy());
            diagnostics.push(read::wrong(word, message, reason));
        }
    }
}

fn nftables_counters(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.network.firewall_counters = true;
}

fn vrrp_iptables(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let message = "iptables not supported, using nftables instead. Please replace 'vrrp_iptables \
                   and 'vrrp_ipsets' with 'nftables' config option";
    diagnostics.push(Diagnostic::error("keepalived/nftables", message).at(node.name.span));
    config.globals.network.firewall.get_or_insert_with(|| DEFAULT_TABLE.to_owned());
}

fn vmac_prefix(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    config.globals.network.vmac_prefix = node.args.first().map(|word| word.lossy().into_owned());
}

fn vmac_addr_prefix(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    config.globals.network.vmac_address_prefix =
        node.args.first().map(|word| word.lossy().into_owned());
}
