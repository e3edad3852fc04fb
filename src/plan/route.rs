//! Routes and routing rules, of virtual routers and static ones (ip-route(8), ip-rule(8)).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::{Scope, SpanKey, VirtualAddress};
use super::device::Device;
use super::is_default;
use super::rare::Unsaid;

/// What moves with an instance besides its virtual addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Belongings {
    /// `virtual_ipaddress_excluded`: held, not advertised.
    #[serde(skip_serializing_if = "is_default")]
    pub excluded: Vec<VirtualAddress>,
    #[serde(skip_serializing_if = "is_default")]
    pub routes: Vec<Route>,
    #[serde(skip_serializing_if = "is_default")]
    pub rules: Vec<Rule>,
    /// Virtual MAC interfaces for addresses; they stay while the daemon runs.
    #[serde(skip_serializing_if = "is_default")]
    pub devices: Vec<Device>,
    /// `use_vmac_addr`: addresses on other interfaces have such interfaces without saying so.
    #[serde(skip_serializing_if = "is_default")]
    pub devices_for_all: bool,
    /// `no_accept`: packets to and from the addresses are dropped.
    #[serde(skip_serializing_if = "is_default")]
    pub drop_packets: bool,
    /// `promote_secondaries` of the instance's interface is set while the daemon runs.
    #[serde(skip_serializing_if = "is_default")]
    pub promote_secondaries: bool,
}

impl Unsaid for Belongings {
    const UNSAID: &'static Self = &Belongings {
        excluded: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        devices: Vec::new(),
        devices_for_all: false,
        drop_packets: false,
        promote_secondaries: false,
    };
}

/// `static_*`: there for as long as the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statics {
    /// Each with its interface.
    pub addresses: Vec<Static<VirtualAddress>>,
    pub routes: Vec<Static<Route>>,
    pub rules: Vec<Static<Rule>>,
    /// Those that have members.
    #[serde(skip_serializing_if = "is_default")]
    pub groups: Vec<TrackGroup>,
}

/// `track_group`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackGroup {
    pub name: String,
    /// By name.
    pub routers: Vec<String>,
}

/// Something static, and the instances that fault while it is gone and can't be put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Static<T> {
    pub item: T,
    #[serde(default, skip_serializing_if = "is_default")]
    pub routers: Vec<String>,
    /// `track_group`: what these are called; empty: there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub group: String,
}

/// A network: `ADDRESS/LENGTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    pub address: IpAddr,
    pub length: u8,
}

impl Prefix {
    /// `default`
    pub fn any(ipv6: bool) -> Self {
        let address = match ipv6 {
            true => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        Prefix { address, length: 0 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = text.split_once('/').ok_or("no length")?;
        Ok(Prefix {
            address: address.parse().map_err(|_| "no address")?,
            length: length.parse().map_err(|_| "no length")?,
        })
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.to_string().serialize(out)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// RTPROT_KEEPALIVED: who made a route or rule, for `ip route` to show and us to know.
pub const PROTOCOL: u8 = 18;
/// RT_TABLE_MAIN
pub const MAIN_TABLE: u32 = 254;

/// One line of `virtual_routes` or `static_routes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    pub kind: RouteKind,
    pub destination: Prefix,
    /// `from`, IPv6 only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<Prefix>,
    /// `src`
    #[serde(default, skip_serializing_if = "is_default")]
    pub preferred_source: Option<IpAddr>,
    /// `via`
    #[serde(default, skip_serializing_if = "is_default")]
    pub gateway: Option<IpAddr>,
    /// `dev`
    #[serde(default, skip_serializing_if = "is_default")]
    pub interface: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub onlink: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub encapsulation: Option<Encapsulation>,
    /// Instead of `gateway` and `interface`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub nexthops: Vec<Nexthop>,
    pub table: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub metric: Option<u32>,
    pub scope: Scope,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tos: u8,
    pub protocol: u8,
    /// IPv4: `FROM/TO`, 16 bits each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub realms: Option<u32>,
    /// `pref`, IPv6 only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preference: Option<RoutePreference>,
    /// Seconds, IPv6 only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expires: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub ttl_propagate: Option<bool>,
    /// In the kernel's units.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: BTreeMap<RouteMetric, u32>,
    /// `lock`: the kernel doesn't learn better ones.
    #[serde(default, skip_serializing_if = "is_default")]
    pub locked: BTreeSet<RouteMetric>,
    /// `congctl`
    #[serde(default, skip_serializing_if = "is_default")]
    pub congestion_control: Option<String>,
    /// `append`: behind matching routes instead of before them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub append: bool,
    /// `no_track`: its loss is nobody's concern.
    #[serde(default, skip_serializing_if = "is_default")]
    pub untracked: bool,
    pub span: SpanKey,
}

impl Route {
    pub fn new(destination: Prefix) -> Self {
        Route {
            kind: RouteKind::Unicast,
            destination,
            source: None,
            preferred_source: None,
            gateway: None,
            interface: None,
            onlink: false,
            encapsulation: None,
            nexthops: Vec::new(),
            table: MAIN_TABLE,
            metric: None,
            scope: Scope::default(),
            tos: 0,
            protocol: PROTOCOL,
            realms: None,
            preference: None,
            expires: None,
            ttl_propagate: None,
            metrics: BTreeMap::new(),
            locked: BTreeSet::new(),
            congestion_control: None,
            append: false,
            untracked: false,
            span: SpanKey::default(),
        }
    }

    pub fn is_ipv6(&self) -> bool {
        self.destination.address.is_ipv6()
    }

    /// The interfaces that it goes over.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        let hops = self.nexthops.iter().filter_map(|hop| hop.interface.as_deref());
        self.interface.as_deref().into_iter().chain(hops)
    }
}

/// What keepalived calls it: `192.0.2.0/24 via 192.0.2.1 dev eth0`.
impl Route {
    /// Where it goes to, as keepalived's log has it.
    pub fn target(&self) -> String {
        let Prefix { address, length } = self.destination;
        let is_host = length == if self.is_ipv6() { 128 } else { 32 };
        if is_host { address.to_string() } else { self.destination.to_string() }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        if self.kind != RouteKind::Unicast {
            write!(out, "{} ", self.kind.word())?;
        }
        match self.destination {
            Prefix { length: 0, .. } => write!(out, "default")?,
            Prefix { address, length } if length == if self.is_ipv6() { 128 } else { 32 } => {
                write!(out, "{address}")?;
            }
            prefix => write!(out, "{prefix}")?,
        }
        if let Some(gateway) = self.gateway {
            write!(out, " via {gateway}")?;
        }
        if let Some(interface) = &self.interface {
            write!(out, " dev {interface}")?;
        }
        for hop in &self.nexthops {
            write!(out, " nexthop")?;
            if let Some(gateway) = hop.gateway {
                write!(out, " via {gateway}")?;
            }
            if let Some(interface) = &hop.interface {
                write!(out, " dev {interface}")?;
            }
        }
        if self.table != MAIN_TABLE {
            write!(out, " table {}", self.table)?;
        }
        Ok(())
    }
}

/// RTN_*: what is done with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    Unicast,
    Local,
    Broadcast,
    Anycast,
    Multicast,
    Blackhole,
    Unreachable,
    Prohibit,
    Throw,
    Nat,
}

impl RouteKind {
    pub const WORDS: [(&str, RouteKind); 10] = [
        ("unicast", RouteKind::Unicast),
        ("local", RouteKind::Local),
        ("broadcast", RouteKind::Broadcast),
        ("anycast", RouteKind::Anycast),
        ("multicast", RouteKind::Multicast),
        ("blackhole", RouteKind::Blackhole),
        ("unreachable", RouteKind::Unreachable),
        ("prohibit", RouteKind::Prohibit),
        ("throw", RouteKind::Throw),
        ("nat", RouteKind::Nat),
    ];

    pub fn word(self) -> &'static str {
        Self::WORDS[usize::from(self.number()) - 1].0
    }

    /// rtnetlink(7)'s number.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// RTAX_*: what is known of a way, in the kernel's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u16)]
pub enum RouteMetric {
    Mtu = 2,
    Window = 3,
    /// Milliseconds × 8.
    Rtt = 4,
    /// Milliseconds × 4.
    Rttvar = 5,
    Ssthresh = 6,
    Cwnd = 7,
    Advmss = 8,
    Reordering = 9,
    Hoplimit = 10,
    Initcwnd = 11,
    Features = 12,
    /// Milliseconds.
    RtoMin = 13,
    Initrwnd = 14,
    Quickack = 15,
    /// Has a name instead of a number; here for `lock`.
    Congctl = 16,
    FastopenNoCookie = 17,
}

/// RFC 4191, section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoutePreference {
    Medium = 0,
    High = 1,
    Low = 3,
}

/// One of several ways of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Nexthop {
    pub gateway: Option<IpAddr>,
    pub interface: Option<String>,
    /// 1..=256
    pub weight: u16,
    #[serde(skip_serializing_if = "is_default")]
    pub onlink: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub realms: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    pub encapsulation: Option<Encapsulation>,
}

/// `encap`
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encapsulation {
    Ip(Tunnel),
    Ip6(Tunnel),
    /// Labels, outermost first.
    Mpls {
        labels: Vec<u32>,
        ttl: Option<u8>,
    },
    /// Identifier-locator addressing: the locator.
    Ila(u64),
}

/// The header that `encap ip` and `encap ip6` put in front.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Tunnel {
    pub id: Option<u64>,
    pub destination: Option<IpAddr>,
    pub source: Option<IpAddr>,
    pub tos: Option<u8>,
    pub ttl: Option<u8>,
    /// TUNNEL_* bits.
    #[serde(skip_serializing_if = "is_default")]
    pub flags: Option<u16>,
}

/// One line of `virtual_rules` or `static_rules`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    pub ipv6: bool,
    /// `not`
    #[serde(default, skip_serializing_if = "is_default")]
    pub inverted: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub from: Option<Prefix>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub to: Option<Prefix>,
    pub priority: u32,
    pub action: RuleAction,
    #[serde(default, skip_serializing_if = "is_default")]
    pub iif: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub oif: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tos: u8,
    /// The mark and its mask.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fwmark: Option<(u32, Option<u32>)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub realms: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub suppress_prefixlength: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub suppress_ifgroup: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub uids: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub ip_protocol: Option<u8>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub source_ports: Option<(u16, u16)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub destination_ports: Option<(u16, u16)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tunnel_id: Option<u64>,
    pub protocol: u8,
    /// `no_track`: its loss is nobody's concern.
    #[serde(default, skip_serializing_if = "is_default")]
    pub untracked: bool,
    pub span: SpanKey,
}

impl Rule {
    pub fn new(action: RuleAction) -> Self {
        Rule {
            ipv6: false,
            inverted: false,
            from: None,
            to: None,
            priority: 0,
            action,
            iif: None,
            oif: None,
            tos: 0,
            fwmark: None,
            realms: None,
            suppress_prefixlength: None,
            suppress_ifgroup: None,
            uids: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            tunnel_id: None,
            protocol: PROTOCOL,
            untracked: false,
            span: SpanKey::default(),
        }
    }
}

/// `from 192.0.2.0/24 priority 5 lookup 7`
impl Rule {
    /// Whose packets it is for, as keepalived's log has it.
    pub fn selector(&self) -> String {
        let from = self.from.map_or("all".to_owned(), |from| from.to_string());
        match self.to {
            Some(to) => format!("from {from} to {to}"),
            None => format!("from {from}"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        if self.inverted {
            write!(out, "not ")?;
        }
        match self.from {
            Some(from) => write!(out, "from {from}")?,
            None => write!(out, "from all")?,
        }
        if let Some(to) = self.to {
            write!(out, " to {to}")?;
        }
        write!(out, " priority {}", self.priority)?;
        if let Some(iif) = &self.iif {
            write!(out, " iif {iif}")?;
        }
        if let Some(oif) = &self.oif {
            write!(out, " oif {oif}")?;
        }
        match self.action {
            RuleAction::Table(table) => write!(out, " lookup {table}"),
            RuleAction::Goto(target) => write!(out, " goto {target}"),
            RuleAction::Nop => write!(out, " nop"),
            RuleAction::Blackhole => write!(out, " blackhole"),
            RuleAction::Unreachable => write!(out, " unreachable"),
            RuleAction::Prohibit => write!(out, " prohibit"),
            RuleAction::L3mdev => write!(out, " l3mdev"),
        }
    }
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    Table(u32),
    Goto(u32),
    Nop,
    Blackhole,
    Unreachable,
    Prohibit,
    /// The table of the packet's l3mdev (VRF).
    L3mdev,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_the_kernels_number() {
        for (number, (word, kind)) in (1..).zip(RouteKind::WORDS) {
            assert_eq!((kind.word(), kind.number()), (word, number));
        }
    }
}
