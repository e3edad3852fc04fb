//! What is done to the host's network.

use std::net::IpAddr;

use super::super::config::{Address, At};
use crate::plan::device::IpvlanMode;
use crate::plan::route::{Route, Rule};
use crate::text::Span;

/// By one instance, besides its virtual addresses.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `virtual_ipaddress_excluded`
    pub excluded: Vec<Address>,
    pub routes: Vec<Route>,
    pub rules: Vec<Rule>,
    pub vmac: Option<Vmac>,
    pub ipvlan: Option<Ipvlan>,
    /// `vmac_xmit_base`
    pub transmit_base: Option<Span>,
    /// `use_vmac_addr`
    pub vmac_addresses: Option<Span>,
    /// `no_accept` (true) or `accept`
    pub drop_packets: Option<bool>,
    pub promote_secondaries: bool,
    pub vrf: Option<At<String>>,
}

/// `use_vmac [INTERFACE] [MAC]`
#[derive(Clone, Debug)]
pub struct Vmac {
    pub name: Option<At<String>>,
    pub mac: Option<Mac>,
    pub span: Span,
}

/// The hardware address of a virtual MAC interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mac {
    Whole([u8; 6]),
    /// The virtual router id follows.
    Beginning([u8; 5]),
}

/// `use_ipvlan [INTERFACE] [ADDRESS] [MODE]`
#[derive(Clone, Debug)]
pub struct Ipvlan {
    pub name: Option<At<String>>,
    pub address: Option<(IpAddr, u8)>,
    pub mode: IpvlanMode,
    pub span: Span,
}

/// What `global_defs` says of it.
#[derive(Clone, Debug, Default)]
pub struct GlobalNetwork {
    /// `default_interface`
    pub default_interface: Option<At<String>>,
    pub vmac_prefix: Option<String>,
    pub vmac_address_prefix: Option<String>,
    /// `nftables [TABLE]`, or another word that asks for a firewall.
    pub firewall: Option<String>,
    pub firewall_priority: Option<i32>,
    pub firewall_counters: bool,
    /// `dynamic_interfaces allow_if_changes`
    pub interfaces_may_change: bool,
}

/// `static_*` and `track_group`
#[derive(Clone, Debug, Default)]
pub struct Statics {
    pub addresses: Vec<Address>,
    pub routes: Vec<StaticRoute>,
    pub rules: Vec<StaticRule>,
    pub groups: Vec<TrackGroup>,
    /// Rules without a preference so far, IPv4 and IPv6; virtual ones too.
    pub unnumbered_rules: [u32; 2],
}

/// One line of `static_routes`.
#[derive(Clone, Debug)]
pub struct StaticRoute {
    pub route: Route,
    pub group: Option<At<String>>,
}

/// One line of `static_rules`.
#[derive(Clone, Debug)]
pub struct StaticRule {
    pub rule: Rule,
    pub group: Option<At<String>>,
}

/// `track_group`
#[derive(Clone, Debug)]
pub struct TrackGroup {
    pub name: At<String>,
    pub members: Vec<At<String>>,
}
