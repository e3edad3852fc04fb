//! How keepalived writes what is put on interfaces and into tables: addresses, routes, rules.

use std::fmt::{Result, Write};

use crate::plan::address::{AddressFlag, FOREVER, VirtualAddress};
use crate::plan::route::{
    Encapsulation, MAIN_TABLE, Nexthop, PROTOCOL, Prefix, Route, RouteKind, RouteMetric,
    RoutePreference, Rule, RuleAction, Tunnel,
};
use crate::plan::vrrp::{Scope, VirtualRouter};
use crate::status::snapshot::RouterView;

/// `192.0.2.1/24 brd 192.0.2.255 dev eth0 scope global label eth0:1 set`, one per address.
pub(super) fn addresses(router: &RouterView) -> Vec<String> {
    let pairs = router.config.addresses.iter().zip(&router.held);
    pairs.map(|(it, held)| of_router(it, &router.config, *held)).collect()
}

/// The same of `virtual_ipaddress_excluded`.
pub(super) fn excluded(router: &RouterView) -> Vec<String> {
    let pairs = router.config.belongings.excluded.iter().zip(&router.held_excluded);
    pairs.map(|(it, held)| of_router(it, &router.config, *held)).collect()
}

/// `virtual_routes`
pub(super) fn routes(router: &VirtualRouter) -> Vec<String> {
    router.belongings.routes.iter().map(|it| route(it, "")).collect()
}

/// `virtual_rules`
pub(super) fn rules(router: &VirtualRouter) -> Vec<String> {
    router.belongings.rules.iter().map(|it| rule(it, "")).collect()
}

fn of_router(it: &VirtualAddress, router: &VirtualRouter, held: bool) -> String {
    let name = it.interface.as_deref().unwrap_or(router.address_interface());
    let mut interface = name.to_owned();
    if let Some(device) = router.devices().find(|device| device.name == name) {
        let _ = write!(interface, "@{}", device.base);
        let own = router.belongings.devices.iter().any(|device| device.name == name);
        if own && !router.belongings.devices_for_all {
            interface.push_str(" use_vmac");
        }
    }
    let mut out = address(it, &interface, "", held);
    if held && router.belongings.drop_packets {
        out.push_str(" nftable_set");
    }
    out
}

/// `group`: the `track_group` of a static one, if it has one.
pub(super) fn address(it: &VirtualAddress, interface: &str, group: &str, held: bool) -> String {
    let mut out = String::new();
    // Writing to a String doesn't fail.
    let _ = write_address(&mut out, it, interface, group);
    if held {
        out.push_str(" set");
    }
    out
}

fn write_address(out: &mut String, it: &VirtualAddress, interface: &str, group: &str) -> Result {
    let whole = if it.address.is_ipv4() { 32 } else { 128 };
    write!(out, "{}", it.address)?;
    if it.prefix != whole {
        write!(out, "/{}", it.prefix)?;
    }
    if let Some(broadcast) = it.broadcast {
        write!(out, " brd {broadcast}")?;
    }
    write!(out, " dev {interface} scope {}", scope(it.scope))?;
    if let Some(label) = &it.label {
        write!(out, " label {label}")?;
    }
    if let Some(peer) = it.peer {
        write!(out, " peer {peer}/{}", it.prefix)?;
    }
    for (word, _) in AddressFlag::WORDS.iter().filter(|(_, flag)| it.flags.contains(flag)) {
        write!(out, " {word}")?;
    }
    write_tracking(out, it.untracked, group)?;
    if it.address.is_ipv6() {
        match it.preferred {
            Some(0) => write!(out, " deprecated")?,
            // keepalived's default: a bare address isn't used for what this host itself says.
            None if it.prefix == whole => write!(out, " deprecated")?,
            None | Some(FOREVER) => write!(out, " preferred_lft forever")?,
            Some(seconds) => write!(out, " preferred_lft {seconds}")?,
        }
    }
    Ok(())
}

fn scope(scope: Scope) -> String {
    let named = Scope::NAMES.iter().find(|(_, named)| *named == scope);
    named.map_or_else(|| scope.0.to_string(), |(name, _)| (*name).to_owned())
}

fn write_tracking(out: &mut String, untracked: bool, group: &str) -> Result {
    if untracked {
        write!(out, " no_track")?;
    }
    if !group.is_empty() {
        write!(out, " track_group {group}")?;
    }
    Ok(())
}

/// `prepend 198.51.100.0/24 via inet 192.0.2.1 dev eth0 proto 18`
pub(super) fn route(it: &Route, group: &str) -> String {
    let mut out = String::new();
    let _ = write_route(&mut out, it, group);
    out
}

/// `192.0.2.0/24`, or the address alone.
fn prefix(it: Prefix) -> String {
    let whole = if it.address.is_ipv4() { 32 } else { 128 };
    if it.length == whole { it.address.to_string() } else { it.to_string() }
}

fn write_route(out: &mut String, it: &Route, group: &str) -> Result {
    match it.kind {
        _ if it.append => write!(out, "append ")?,
        RouteKind::Unicast => write!(out, "prepend ")?,
        kind => write!(out, "add {} ", kind.word())?,
    }
    write!(out, "{}", prefix(it.destination))?;
    if let Some(source) = it.source {
        write!(out, " from {}", prefix(source))?;
    }
    if let Some(source) = it.preferred_source {
        write!(out, " src {source}")?;
    }
    if it.tos != 0 {
        write!(out, " tos {}", it.tos)?;
    }
    if let Some(encapsulation) = &it.encapsulation {
        write_encapsulation(out, encapsulation)?;
    }
    write_way(out, it.gateway, it.interface.as_deref())?;
    if it.table != MAIN_TABLE {
        write!(out, " table {}", it.table)?;
    }
    // A route that says `no_track` is shown without, unless it says `protocol` as well.
    if !(it.untracked && it.interface.is_some() && it.protocol == PROTOCOL) {
        write!(out, " proto {}", it.protocol)?;
    }
    if it.scope != Scope::default() {
        write!(out, " scope {}", it.scope.0)?;
    }
    if let Some(metric) = it.metric {
        write!(out, " metric {metric}")?;
    }
    if it.onlink {
        write!(out, " onlink")?;
    }
    if let Some(realms) = it.realms {
        write_realms(out, realms)?;
    }
    if let Some(seconds) = it.expires {
        write!(out, " expires {seconds}sec")?;
    }
    write_metrics(out, it)?;
    if let Some(preference) = it.preference {
        let word = match preference {
            RoutePreference::Low => "low",
            RoutePreference::Medium => "medium",
            RoutePreference::High => "high",
        };
        write!(out, " pref {word}")?;
    }
    if let Some(on) = it.ttl_propagate {
        write!(out, " ttl-propagate {}", if on { "enabled" } else { "disabled" })?;
    }
    for hop in &it.nexthops {
        write_nexthop(out, hop)?;
    }
    write_tracking(out, it.untracked, group)
}

fn write_way(out: &mut String, via: Option<std::net::IpAddr>, interface: Option<&str>) -> Result {
    if let Some(via) = via {
        write!(out, " via {} {via}", if via.is_ipv4() { "inet" } else { "inet6" })?;
    }
    match interface {
        Some(interface) => write!(out, " dev {interface}"),
        None => Ok(()),
    }
}

/// Of a route; both parts of a rule's are always written.
fn write_realms(out: &mut String, realms: u32) -> Result {
    match (realms >> 16, realms & 0xffff) {
        (0, to) => write!(out, " realm {to}"),
        (from, to) => write!(out, " realms {from}/{to}"),
    }
}

fn write_nexthop(out: &mut String, it: &Nexthop) -> Result {
    write!(out, " nexthop")?;
    write_way(out, it.gateway, it.interface.as_deref())?;
    // The kernel's default isn't shown.
    if it.weight > 1 {
        write!(out, " weight {}", it.weight)?;
    }
    if it.onlink {
        write!(out, " onlink")?;
    }
    if let Some(realms) = it.realms {
        write_realms(out, realms)?;
    }
    match &it.encapsulation {
        Some(encapsulation) => write_encapsulation(out, encapsulation),
        None => Ok(()),
    }
}

fn write_encapsulation(out: &mut String, it: &Encapsulation) -> Result {
    match it {
        Encapsulation::Ip(tunnel) => write_tunnel(out, "ip", "ttl", tunnel),
        Encapsulation::Ip6(tunnel) => write_tunnel(out, "ip6", "hoplimit", tunnel),
        Encapsulation::Mpls { labels, ttl } => {
            let labels: Vec<String> = labels.iter().map(u32::to_string).collect();
            write!(out, " encap mpls {}", labels.join("/"))?;
            ttl.map_or(Ok(()), |ttl| write!(out, " ttl {ttl}"))
        }
        Encapsulation::Ila(locator) => {
            let part = |at: u32| (locator >> (16 * (3 - at))) & 0xffff;
            let [a, b, c, d] = [0, 1, 2, 3].map(part);
            write!(out, " encap ila {a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

fn write_tunnel(out: &mut String, kind: &str, ttl_word: &str, it: &Tunnel) -> Result {
    write!(out, " encap {kind}")?;
    if let Some(id) = it.id {
        write!(out, " id {id}")?;
    }
    if let Some(destination) = it.destination {
        write!(out, " dst {destination}")?;
    }
    if let Some(source) = it.source {
        write!(out, " src {source}")?;
    }
    if let Some(tos) = it.tos {
        write!(out, " tos {tos}")?;
    }
    if let Some(ttl) = it.ttl {
        write!(out, " {ttl_word} {ttl}")?;
    }
    it.flags.map_or(Ok(()), |flags| write!(out, " flags 0x{flags:x}"))
}

/// In keepalived's order.
const METRICS: [(RouteMetric, &str); 16] = [
    (RouteMetric::Congctl, "congctl"),
    (RouteMetric::Rtt, "rtt"),
    (RouteMetric::Rttvar, "rttvar"),
    (RouteMetric::RtoMin, "rto_min"),
    (RouteMetric::Features, "features"),
    (RouteMetric::Mtu, "mtu"),
    (RouteMetric::Window, "window"),
    (RouteMetric::Ssthresh, "ssthresh"),
    (RouteMetric::Cwnd, "cwnd"),
    (RouteMetric::Advmss, "advmss"),
    (RouteMetric::Reordering, "reordering"),
    (RouteMetric::Hoplimit, "hoplimit"),
    (RouteMetric::Initcwnd, "initcwnd"),
    (RouteMetric::Initrwnd, "initrwnd"),
    (RouteMetric::Quickack, "quickack"),
    (RouteMetric::FastopenNoCookie, "fastopen_no_cookie"),
];

fn write_metrics(out: &mut String, it: &Route) -> Result {
    for (metric, word) in METRICS {
        let locked = if it.locked.contains(&metric) { "lock " } else { "" };
        let value = it.metrics.get(&metric).copied();
        match (metric, value) {
            (RouteMetric::Congctl, _) => {
                if let Some(name) = &it.congestion_control {
                    write!(out, " {word} {locked}{name}")?;
                }
            }
            (_, None) => {}
            (RouteMetric::Rtt, Some(value)) => write_time(out, word, locked, value / 8)?,
            (RouteMetric::Rttvar, Some(value)) => write_time(out, word, locked, value / 4)?,
            (RouteMetric::RtoMin, Some(value)) => write_time(out, word, locked, value)?,
            // RTAX_FEATURE_ECN is the one that there is.
            (RouteMetric::Features, Some(1)) => write!(out, " {word} {locked}ecn")?,
            (_, Some(value)) => write!(out, " {word} {locked}{value}")?,
        }
    }
    Ok(())
}

fn write_time(out: &mut String, word: &str, locked: &str, millis: u32) -> Result {
    match millis {
        0..1000 => write!(out, " {word} {locked}{millis}ms"),
        _ => write!(out, " {word} {locked}{}s", f64::from(millis) / 1000.0),
    }
}

/// `from 192.0.2.0/24 priority 1000 tos 0x0 protocol 18 lookup 100`
pub(super) fn rule(it: &Rule, group: &str) -> String {
    let mut out = String::new();
    let _ = write_rule(&mut out, it, group);
    out
}

fn write_rule(out: &mut String, it: &Rule, group: &str) -> Result {
    let from = it.from.map_or("all".to_owned(), prefix);
    write!(out, "{}from {from}", if it.inverted { "not " } else { "" })?;
    if let Some(to) = it.to {
        write!(out, " to {}", prefix(to))?;
    }
    write!(out, " priority {} tos 0x{:x}", it.priority, it.tos)?;
    match it.fwmark {
        Some((mark, Some(mask))) => write!(out, " fwmark 0x{mark:x}/0x{mask:x}")?,
        Some((mark, None)) => write!(out, " fwmark 0x{mark:x}")?,
        None => {}
    }
    if let Some(iif) = &it.iif {
        write!(out, " iif {iif}")?;
    }
    if let Some(oif) = &it.oif {
        write!(out, " oif {oif}")?;
    }
    if let Some(length) = it.suppress_prefixlength {
        write!(out, " suppress_prefixlen {length}")?;
    }
    if let Some(group) = it.suppress_ifgroup {
        write!(out, " suppress_ifgroup {group}")?;
    }
    if let Some(id) = it.tunnel_id {
        write!(out, " tunnel-id {id}")?;
    }
    if let Some((first, last)) = it.uids {
        write!(out, " uidrange {first}-{last}")?;
    }
    if it.action == RuleAction::L3mdev {
        write!(out, " l3mdev")?;
    }
    if it.protocol != 0 {
        write!(out, " protocol {}", it.protocol)?;
    }
    if let Some(protocol) = it.ip_protocol {
        write!(out, " ipproto {protocol}")?;
    }
    if let Some((first, last)) = it.source_ports {
        write!(out, " sport {first}-{last}")?;
    }
    if let Some((first, last)) = it.destination_ports {
        write!(out, " dport {first}-{last}")?;
    }
    if let Some(realms) = it.realms {
        write!(out, " realms {}/{}", realms >> 16, realms & 0xffff)?;
    }
    match it.action {
        RuleAction::Table(table) => write!(out, " lookup {table}")?,
        RuleAction::L3mdev => write!(out, " lookup 0")?,
        RuleAction::Goto(target) => write!(out, " goto {target}")?,
        RuleAction::Nop => write!(out, " nop")?,
        RuleAction::Blackhole => write!(out, " type blackhole")?,
        RuleAction::Unreachable => write!(out, " type unreachable")?,
        RuleAction::Prohibit => write!(out, " type prohibit")?,
    }
    write_tracking(out, it.untracked, group)
}
