//! Routing rules (linux/fib_rules.h).

use std::net::IpAddr;

use rtnetlink::packet_core::DefaultNla;

use super::family;
use crate::kernel::netlink::packet::rule::{
    RuleAction as Action, RuleAttribute, RuleFlags, RuleHeader, RuleMessage,
};
use crate::plan::route::{PROTOCOL, Prefix, Rule, RuleAction};

const FRA_FLOW: u16 = 11;
const FRA_UID_RANGE: u16 = 20;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;

/// What tells a rule from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::runtime) struct RuleKey {
    ipv6: bool,
    priority: u32,
    from: Option<Prefix>,
    to: Option<Prefix>,
    iif: Option<String>,
    oif: Option<String>,
    mark: Option<u32>,
}

impl RuleKey {
    pub(in crate::runtime) fn of(rule: &Rule) -> Self {
        RuleKey {
            ipv6: rule.ipv6,
            priority: rule.priority,
            from: rule.from,
            to: rule.to,
            iif: rule.iif.clone(),
            oif: rule.oif.clone(),
            mark: rule.fwmark.map(|(mark, _)| mark),
        }
    }

    /// `None`: it isn't one of ours.
    pub(in crate::runtime) fn of_message(message: &RuleMessage) -> Option<Self> {
        let header = &message.header;
        let mut key = RuleKey {
            ipv6: header.family == family(true),
            priority: 0,
            from: None,
            to: None,
            iif: None,
            oif: None,
            mark: None,
        };
        let mut ours = false;
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Protocol(protocol) => ours = u8::from(*protocol) == PROTOCOL,
                RuleAttribute::Priority(priority) => key.priority = *priority,
                RuleAttribute::Source(address) => {
                    key.from = Some(Prefix { address: *address, length: header.src_len });
                }
                RuleAttribute::Destination(address) => {
                    key.to = Some(Prefix { address: *address, length: header.dst_len });
                }
                RuleAttribute::Iifname(name) => key.iif = Some(name.clone()),
                RuleAttribute::Oifname(name) => key.oif = Some(name.clone()),
                RuleAttribute::FwMark(mark) => key.mark = Some(*mark),
                _ => {}
            }
        }
        ours.then_some(key)
    }
}

/// To add it, and to remove it.
pub(in crate::runtime) fn message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let (action, table) = match rule.action {
        RuleAction::Table(table) => (Action::ToTable, Some(table)),
        RuleAction::Goto(_) => (Action::Goto, None),
        RuleAction::Nop => (Action::Nop, None),
        RuleAction::Blackhole => (Action::Blackhole, None),
        RuleAction::Unreachable => (Action::Unreachable, None),
        RuleAction::Prohibit => (Action::Prohibit, None),
        RuleAction::L3mdev => (Action::ToTable, None),
    };
    let length = |prefix: Option<Prefix>| prefix.map_or(0, |prefix| prefix.length);
    message.header = RuleHeader {
        family: family(rule.ipv6),
        dst_len: length(rule.to),
        src_len: length(rule.from),
        tos: rule.tos,
        table: table.and_then(|table| u8::try_from(table).ok()).unwrap_or(0),
        action,
        flags: if rule.inverted { RuleFlags::Invert } else { RuleFlags::empty() },
    };
    let address = |prefix: Option<Prefix>| -> Option<IpAddr> { Some(prefix?.address) };
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Protocol(rule.protocol.into()));
    attributes.extend(address(rule.to).map(RuleAttribute::Destination));
    attributes.extend(address(rule.from).map(RuleAttribute::Source));
    attributes.extend(rule.iif.clone().map(RuleAttribute::Iifname));
    attributes.extend(rule.oif.clone().map(RuleAttribute::Oifname));
    attributes.extend(table.map(RuleAttribute::Table));
    match rule.action {
        RuleAction::Goto(target) => attributes.push(RuleAttribute::Goto(target)),
        RuleAction::L3mdev => attributes.push(RuleAttribute::L3MDev(true)),
        _ => {}
    }
    if let Some((mark, mask)) = rule.fwmark {
        attributes.push(RuleAttribute::FwMark(mark));
        attributes.extend(mask.map(RuleAttribute::FwMask));
    }
    attributes.extend(rule.realms.map(|realms| raw(FRA_FLOW, &[realms.to_ne_bytes()].concat())));
    attributes.extend(rule.suppress_prefixlength.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_ifgroup.map(RuleAttribute::SuppressIfGroup));
    attributes.extend(
        rule.uids.map(|(low, high)| {
            raw(FRA_UID_RANGE, &[low.to_ne_bytes(), high.to_ne_bytes()].concat())
        }),
    );
    attributes.extend(rule.ip_protocol.map(|protocol| raw(FRA_IP_PROTO, &[protocol])));
    let ports = |kind, (low, high): (u16, u16)| {
        raw(kind, &[low.to_ne_bytes(), high.to_ne_bytes()].concat())
    };
    attributes.extend(rule.source_ports.map(|range| ports(FRA_SPORT_RANGE, range)));
    attributes.extend(rule.destination_ports.map(|range| ports(FRA_DPORT_RANGE, range)));
    attributes.extend(rule.tunnel_id.map(RuleAttribute::TunId));
    message
}

fn raw(kind: u16, value: &[u8]) -> RuleAttribute {
    RuleAttribute::Other(DefaultNla::new(kind, value.to_vec()))
}
