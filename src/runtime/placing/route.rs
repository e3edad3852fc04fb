//! Routes (rtnetlink(7), linux/rtnetlink.h, linux/lwtunnel.h).

use std::io;
use std::net::IpAddr;

use rtnetlink::packet_core::{DefaultNla, Emitable};

use super::family;
use crate::kernel::netlink::packet::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop, RouteNextHopFlags,
};
use crate::plan::route::{Encapsulation, Nexthop, PROTOCOL, Prefix, Route, RouteMetric, Tunnel};

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_FLOW: u16 = 11;
const RTA_TABLE: u16 = 15;
const RTA_PREF: u16 = 20;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;
/// The attribute holds attributes.
const NESTED: u16 = 1 << 15;
const RTAX_LOCK: u16 = 1;
/// Metric of an IPv6 route that has none.
const IPV6_METRIC: u32 = 1024;

/// What tells a route from others. Which way it goes doesn't.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::runtime) struct RouteKey {
    destination: Prefix,
    table: u32,
    metric: u32,
    tos: u8,
}

impl RouteKey {
    pub(in crate::runtime) fn of(route: &Route) -> Self {
        let ipv6 = route.is_ipv6();
        RouteKey {
            destination: masked(route.destination),
            table: route.table,
            metric: route.metric.unwrap_or(if ipv6 { IPV6_METRIC } else { 0 }),
            tos: route.tos,
        }
    }

    /// `None`: it isn't one of ours.
    pub(in crate::runtime) fn of_message(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        if u8::from(header.protocol) != PROTOCOL {
            return None;
        }
        let ipv6 = header.address_family == family(true);
        let mut key = RouteKey {
            destination: Prefix { length: header.destination_prefix_length, ..Prefix::any(ipv6) },
            table: u32::from(header.table),
            metric: 0,
            tos: header.tos,
        };
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => {
                    key.destination.address = address_of(address)?;
                }
                RouteAttribute::Table(table) => key.table = *table,
                RouteAttribute::Priority(metric) => key.metric = *metric,
                _ => {}
            }
        }
        Some(key)
    }
}

fn address_of(address: &crate::kernel::netlink::packet::route::RouteAddress) -> Option<IpAddr> {
    use crate::kernel::netlink::packet::route::RouteAddress;
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// As the kernel keeps it: without host bits.
fn masked(prefix: Prefix) -> Prefix {
    let length = u32::from(prefix.length);
    let address = match prefix.address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    };
    Prefix { address, ..prefix }
}

/// To add it. `index`: numbers of interfaces.
///
/// Error: an interface that isn't there.
pub(in crate::runtime) fn addition(
    route: &Route,
    index: &dyn Fn(&str) -> Option<u32>,
) -> io::Result<RouteMessage> {
    let mut message = removal(route, index)?;
    let attributes = &mut message.attributes;
    if let Some(address) = route.preferred_source {
        attributes.push(raw(RTA_PREFSRC, octets(address)));
    }
    if let Some(realms) = route.realms {
        attributes.push(number(RTA_FLOW, realms));
    }
    if let Some(preference) = route.preference {
        attributes.push(raw(RTA_PREF, vec![preference as u8]));
    }
    if let Some(seconds) = route.expires {
        attributes.push(number(RTA_EXPIRES, seconds));
    }
    if let Some(propagate) = route.ttl_propagate {
        attributes.push(raw(RTA_TTL_PROPAGATE, vec![u8::from(propagate)]));
    }
    attributes.extend(encapsulation(route.encapsulation.as_ref()));
    attributes.extend(metrics(route));
    Ok(message)
}

/// To remove it: what it goes by, without what is known of the way.
pub(in crate::runtime) fn removal(
    route: &Route,
    index: &dyn Fn(&str) -> Option<u32>,
) -> io::Result<RouteMessage> {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(route.is_ipv6()),
        destination_prefix_length: route.destination.length,
        source_prefix_length: route.source.map_or(0, |source| source.length),
        tos: route.tos,
        table: u8::try_from(route.table).unwrap_or(0),
        protocol: route.protocol.into(),
        scope: route.scope.0.into(),
        kind: route.kind.number().into(),
        flags: RouteFlags::from_bits_retain(if route.onlink { ONLINK } else { 0 }),
    };
    let attributes = &mut message.attributes;
    attributes.push(number(RTA_TABLE, route.table));
    if route.destination.length > 0 {
        attributes.push(raw(RTA_DST, octets(route.destination.address)));
    }
    if let Some(source) = route.source {
        attributes.push(raw(RTA_SRC, octets(source.address)));
    }
    if let Some(metric) = route.metric {
        attributes.push(number(RTA_PRIORITY, metric));
    }
    if let Some(gateway) = route.gateway {
        attributes.push(raw(RTA_GATEWAY, octets(gateway)));
    }
    let find = |name: &str| index(name).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV));
    if route.nexthops.is_empty() {
        if let Some(name) = &route.interface {
            attributes.push(number(RTA_OIF, find(name)?));
        }
        return Ok(message);
    }
    let mut hops = Vec::new();
    for hop in &route.nexthops {
        // `dev` of the route is that of ways that have none of their own.
        let name = hop.interface.as_ref().or(route.interface.as_ref());
        let interface = name.map(|name| find(name)).transpose()?;
        hops.push(next_hop(hop, interface.unwrap_or(0)));
    }
    attributes.push(RouteAttribute::MultiPath(hops));
    Ok(message)
}

const ONLINK: u32 = 4;

fn next_hop(hop: &Nexthop, interface: u32) -> RouteNextHop {
    let mut message = RouteNextHop::default();
    message.interface_index = interface;
    message.hops = u8::try_from(hop.weight.max(1) - 1).unwrap_or(u8::MAX);
    if hop.onlink {
        message.flags = RouteNextHopFlags::Onlink;
    }
    if let Some(gateway) = hop.gateway {
        message.attributes.push(raw(RTA_GATEWAY, octets(gateway)));
    }
    if let Some(realms) = hop.realms {
        message.attributes.push(number(RTA_FLOW, realms));
    }
    message.attributes.extend(encapsulation(hop.encapsulation.as_ref()));
    message
}

fn metrics(route: &Route) -> Option<RouteAttribute> {
    let mut nested = Vec::new();
    let locked = route.locked.iter().fold(0_u32, |bits, metric| bits | 1 << *metric as u16);
    if locked != 0 {
        emit(&mut nested, RTAX_LOCK, &locked.to_ne_bytes());
    }
    for (metric, value) in &route.metrics {
        emit(&mut nested, *metric as u16, &value.to_ne_bytes());
    }
    if let Some(name) = &route.congestion_control {
        let name = [name.as_bytes(), b"\0"].concat();
        emit(&mut nested, RouteMetric::Congctl as u16, &name);
    }
    (!nested.is_empty()).then(|| raw(RTA_METRICS | NESTED, nested))
}

const ENCAP_MPLS: u16 = 1;
const ENCAP_IP: u16 = 2;
const ENCAP_ILA: u16 = 3;
const ENCAP_IP6: u16 = 4;

fn encapsulation(it: Option<&Encapsulation>) -> Vec<RouteAttribute> {
    let Some(it) = it else { return Vec::new() };
    let mut nested = Vec::new();
    let kind = match it {
        Encapsulation::Ip(header) => {
            tunnel(&mut nested, header);
            ENCAP_IP
        }
        Encapsulation::Ip6(header) => {
            tunnel(&mut nested, header);
            ENCAP_IP6
        }
        Encapsulation::Mpls { labels, ttl } => {
            let last = labels.len().saturating_sub(1);
            // RFC 3032 section 2.1: label, traffic class, bottom of stack, TTL.
            let entries = labels
                .iter()
                .enumerate()
                .flat_map(|(at, label)| (label << 12 | u32::from(at == last) << 8).to_be_bytes());
            emit(&mut nested, 1, &entries.collect::<Vec<u8>>());
            if let Some(ttl) = ttl {
                emit(&mut nested, 2, &[*ttl]);
            }
            ENCAP_MPLS
        }
        Encapsulation::Ila(locator) => {
            emit(&mut nested, 1, &locator.to_be_bytes());
            ENCAP_ILA
        }
    };
    vec![raw(RTA_ENCAP_TYPE, kind.to_ne_bytes().to_vec()), raw(RTA_ENCAP | NESTED, nested)]
}

/// LWTUNNEL_IP_* and LWTUNNEL_IP6_*, which have the same numbers.
fn tunnel(out: &mut Vec<u8>, header: &Tunnel) {
    if let Some(id) = header.id {
        emit(out, 1, &id.to_be_bytes());
    }
    if let Some(address) = header.destination {
        emit(out, 2, &octets(address));
    }
    if let Some(address) = header.source {
        emit(out, 3, &octets(address));
    }
    if let Some(ttl) = header.ttl {
        emit(out, 4, &[ttl]);
    }
    if let Some(tos) = header.tos {
        emit(out, 5, &[tos]);
    }
    if let Some(flags) = header.flags {
        emit(out, 6, &flags.to_be_bytes());
    }
}

/// One attribute, padded.
fn emit(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let attribute = DefaultNla::new(kind, value.to_vec());
    let at = out.len();
    out.resize(at + attribute.buffer_len(), 0);
    attribute.emit(&mut out[at..]);
}

fn raw(kind: u16, value: Vec<u8>) -> RouteAttribute {
    RouteAttribute::Other(DefaultNla::new(kind, value))
}

fn number(kind: u16, value: u32) -> RouteAttribute {
    raw(kind, value.to_ne_bytes().to_vec())
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
