//! KEEPALIVED-MIB: addresses, routes and rules. Instance 0 has the static ones.
//!
//! Unlike 2.2.7, which says so of the first instance's only, every address of `virtual_ipaddress`
//! is said to be advertised; and a route's `vrrpRouteAdvmss` is there where it has one, not where
//! it has a hop limit.

use std::net::IpAddr;

use super::{Objects, Row, address, family, interface_index, place, scope, truth};
use crate::agentx::Value;
use crate::plan::address::VirtualAddress;
use crate::plan::route::{
    Nexthop, Prefix, Route, RouteKind, RouteMetric, RoutePreference, Rule, RuleAction,
};
use crate::status::snapshot::{RouterView, Snapshot};
use crate::vrrp::machine::State;

const ADDRESSES: [u32; 2] = [2, 6];
const ROUTES: [u32; 2] = [2, 7];
const RULES: [u32; 2] = [2, 8];
const NEXTHOPS: [u32; 2] = [2, 11];

pub(super) fn write(out: &mut Objects, all: &Snapshot) {
    for ([vrrp, table], last) in [(ADDRESSES, 12), (ROUTES, 55), (RULES, 38), (NEXTHOPS, 18)] {
        out.kinds(&[vrrp, table, 1], 2..=last);
    }
    write_statics(out, all);
    for (at, router) in all.routers.iter().enumerate() {
        write_of(out, place(at), router, all);
    }
}

fn write_statics(out: &mut Objects, all: &Snapshot) {
    let statics = &all.statics;
    for (at, (it, held)) in statics.addresses.iter().zip(&all.held_statics).enumerate() {
        let interface = it.item.interface.as_deref().unwrap_or_default();
        let row = out.row(&ADDRESSES, &[0, place(at)]);
        write_address(row, &it.item, interface, *held, false, all);
    }
    for (at, it) in statics.routes.iter().enumerate() {
        write_route(out, [0, place(at)], &it.item, true, all);
    }
    for (at, it) in statics.rules.iter().enumerate() {
        write_rule(out.row(&RULES, &[0, place(at)]), &it.item, true);
    }
}

fn write_of(out: &mut Objects, router: u32, it: &RouterView, all: &Snapshot) {
    let config = &it.config;
    let own = config.addresses.iter().zip(&it.held).map(|(address, held)| (address, held, true));
    let excluded = config.belongings.excluded.iter().zip(&it.held_excluded);
    let excluded = excluded.map(|(address, held)| (address, held, false));
    for (at, (address, held, advertised)) in own.chain(excluded).enumerate() {
        let interface = address.interface.as_deref().unwrap_or(config.address_interface());
        let row = out.row(&ADDRESSES, &[router, place(at)]);
        write_address(row, address, interface, *held, advertised, all);
    }
    let active = it.state == State::Active;
    for (at, route) in config.belongings.routes.iter().enumerate() {
        write_route(out, [router, place(at)], route, active, all);
    }
    for (at, rule) in config.belongings.rules.iter().enumerate() {
        write_rule(out.row(&RULES, &[router, place(at)]), rule, active);
    }
}

fn write_address(
    mut row: Row,
    it: &VirtualAddress,
    interface: &str,
    held: bool,
    advertised: bool,
    all: &Snapshot,
) {
    row.put(2, family(it.address));
    row.put(3, address(it.address));
    if it.address.is_ipv4() {
        let broadcast = it.broadcast.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED);
        row.put(4, address(IpAddr::V4(broadcast)));
    }
    row.put(5, Value::Gauge32(it.prefix.into()));
    row.put(6, scope(it.scope));
    row.may(7, interface_index(interface, all));
    row.put(8, Value::text(interface));
    row.may(9, it.label.as_deref().map(Value::text));
    row.put(10, truth(held));
    row.put(11, truth(advertised));
}

/// The destination of a route, or the selector of a rule: address and length in two columns.
fn put_prefix(row: &mut Row, column: u32, prefix: Prefix) {
    row.put(column, address(prefix.address));
    row.put(column + 1, Value::Gauge32(prefix.length.into()));
}

fn number(number: u32) -> Value {
    Value::Gauge32(number)
}

/// Destination and source of the kernel's number.
fn realms(realms: u32) -> [Option<Value>; 2] {
    [realms & 0xffff, realms >> 16].map(|realm| Some(number(realm)).filter(|_| realm != 0))
}

fn write_route(out: &mut Objects, index: [u32; 2], it: &Route, set: bool, all: &Snapshot) {
    let mut row = out.row(&ROUTES, &index);
    row.put(2, family(it.destination.address));
    put_prefix(&mut row, 3, it.destination);
    row.may(5, it.gateway.map(address));
    row.may(7, it.preferred_source.map(address));
    row.put(8, number(it.metric.unwrap_or_default()));
    row.put(9, scope(it.scope));
    row.put(10, Value::Integer(kind(it)));
    if let Some(interface) = &it.interface {
        row.may(11, interface_index(interface, all));
        row.put(12, Value::text(interface));
    }
    row.put(13, number(it.table));
    row.put(14, truth(set));
    if let Some(source) = it.source {
        put_prefix(&mut row, 15, source);
    }
    row.may(17, (it.tos != 0).then(|| number(it.tos.into())));
    // The kernel's number; the MIB counts from 1.
    row.put(18, Value::Integer(i32::from(it.protocol) + 1));
    let metric = |which| it.metrics.get(&which).copied();
    let features = metric(RouteMetric::Features).unwrap_or_default();
    row.put(19, truth(features & 1 != 0));
    row.put(20, truth(metric(RouteMetric::Quickack).is_some_and(|on| on != 0)));
    row.may(21, it.expires.map(|seconds| Value::Integer(seconds as i32)));
    row.may(24, metric(RouteMetric::Hoplimit).map(number));
    // Those that can be locked, with that in the column behind.
    for (column, which) in [
        (22, RouteMetric::Mtu),
        (25, RouteMetric::Advmss),
        (27, RouteMetric::Rtt),
        (29, RouteMetric::Rttvar),
        (31, RouteMetric::Reordering),
        (34, RouteMetric::Cwnd),
        (36, RouteMetric::Ssthresh),
        (38, RouteMetric::RtoMin),
    ] {
        if let Some(value) = metric(which) {
            // In milliseconds; the kernel counts finer.
            let value = match which {
                RouteMetric::Rtt => value / 8,
                RouteMetric::Rttvar => value / 4,
                _ => value,
            };
            row.put(column, number(value));
            row.put(column + 1, truth(it.locked.contains(&which)));
        }
    }
    row.may(33, metric(RouteMetric::Window).map(number));
    row.may(40, metric(RouteMetric::Initcwnd).map(number));
    row.may(41, metric(RouteMetric::Initrwnd).map(number));
    row.may(42, it.congestion_control.as_deref().map(Value::text));
    row.may(43, it.preference.map(|it| Value::Integer(preference(it))));
    let [to, from] = it.realms.map_or([None, None], realms);
    row.may(44, to);
    row.may(45, from);
    for (at, hop) in it.nexthops.iter().enumerate() {
        let [router, route] = index;
        write_nexthop(out.row(&NEXTHOPS, &[router, route, place(at)]), hop, all);
    }
}

fn write_nexthop(mut row: Row, it: &Nexthop, all: &Snapshot) {
    if let Some(gateway) = it.gateway {
        row.put(2, family(gateway));
        row.put(3, address(gateway));
    }
    if let Some(interface) = &it.interface {
        row.may(4, interface_index(interface, all));
        row.put(5, Value::text(interface));
    }
    row.may(6, (it.weight > 1).then(|| number(it.weight.into())));
    row.put(7, truth(it.onlink));
    let [to, from] = it.realms.map_or([None, None], realms);
    row.may(8, to);
    row.may(9, from);
}

/// RouteType.
fn kind(it: &Route) -> i32 {
    match it.kind {
        RouteKind::Unicast if !it.nexthops.is_empty() => 2,
        RouteKind::Unicast | RouteKind::Local => 1,
        RouteKind::Blackhole => 3,
        RouteKind::Anycast => 4,
        RouteKind::Multicast => 5,
        RouteKind::Broadcast => 6,
        RouteKind::Unreachable => 7,
        RouteKind::Prohibit => 8,
        RouteKind::Throw => 9,
        RouteKind::Nat => 10,
    }
}

/// PrefType.
fn preference(it: RoutePreference) -> i32 {
    match it {
        RoutePreference::Low => 1,
        RoutePreference::Medium => 2,
        RoutePreference::High => 3,
    }
}

fn write_rule(mut row: Row, it: &Rule, set: bool) {
    let direction = match (it.from, it.to) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "from",
        (None, Some(_)) => "to",
        (None, None) => "",
    };
    row.put(2, Value::text(direction));
    if let Some(prefix) = it.to.or(it.from) {
        row.put(3, family(prefix.address));
        put_prefix(&mut row, 4, prefix);
    }
    row.put(7, truth(set));
    row.put(8, truth(it.inverted));
    for (column, prefix) in [(9, it.to), (12, it.from)] {
        if let Some(prefix) = prefix {
            row.put(column, family(prefix.address));
            put_prefix(&mut row, column + 1, prefix);
        }
    }
    row.put(15, number(it.tos.into()));
    if let Some((mark, mask)) = it.fwmark {
        row.put(16, number(mark));
        row.may(17, mask.map(number));
    }
    let [to, from] = it.realms.map_or([None, None], realms);
    row.may(18, to);
    row.may(19, from);
    row.may(20, it.iif.as_deref().map(Value::text));
    row.may(21, it.oif.as_deref().map(Value::text));
    // FR_ACT_* of the kernel.
    let (action, target) = match it.action {
        RuleAction::Table(table) => (1, Some((24, table))),
        RuleAction::Goto(target) => (2, Some((22, target))),
        RuleAction::Nop => (3, None),
        RuleAction::Blackhole => (6, None),
        RuleAction::Unreachable => (7, None),
        RuleAction::Prohibit => (8, None),
        RuleAction::L3mdev => (1, None),
    };
    row.put(23, Value::Integer(action));
    if let Some((column, target)) = target {
        row.put(column, number(target));
        if column == 24 {
            row.put(6, number(target));
        }
    }
    row.put(25, number(it.priority));
    row.may(26, it.suppress_prefixlength.map(number));
    row.may(27, it.suppress_ifgroup.map(|group| Value::text(&group.to_string())));
    if let Some(id) = it.tunnel_id {
        row.put(28, number((id >> 32) as u32));
        row.put(29, number(id as u32));
    }
    if let Some((first, last)) = it.uids {
        row.put(30, number(first));
        row.put(31, number(last));
    }
    row.may(32, (it.action == RuleAction::L3mdev).then(|| truth(true)));
    row.may(34, it.ip_protocol.map(|protocol| number(protocol.into())));
    for (column, ports) in [(35, it.source_ports), (37, it.destination_ports)] {
        if let Some((first, last)) = ports {
            row.put(column, number(first.into()));
            row.put(column + 1, number(last.into()));
        }
    }
}
