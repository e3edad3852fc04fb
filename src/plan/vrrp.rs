//! The vrrp role's slice: virtual routers and what each announces, tracks and tells.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::address::{Scope, SpanKey, VirtualAddress};
use super::conduct::{CommonConduct, Conduct, Paces};
use super::device::{Device, Firewall};
use super::group::SyncGroup;
use super::rare::{Rare, Unsaid};
use super::route::{Belongings, Route, Statics};
use super::secret::Secret;
use super::telling::{InstanceTelling, Telling};
use super::track::{ScriptId, TrackScript, TrackedObjects, Tracking};
use super::vrrp_process::VrrpProcess;
use super::wire::{Family, GROUP4, Sockets, Wire};
use super::{is_default, seconds};
use crate::text::Span;

/// Everything that the vrrp role runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpPlan {
    /// `router_id`: how this node names itself to people.
    pub router_id: Option<String>,
    pub scripts: Vec<TrackScript>,
    pub routers: Vec<VirtualRouter>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub conduct: CommonConduct,
    #[serde(default, skip_serializing_if = "is_default")]
    pub paces: Paces,
    #[serde(default, skip_serializing_if = "is_default")]
    pub groups: Vec<SyncGroup>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tracked: TrackedObjects,
    #[serde(default, skip_serializing_if = "is_default")]
    pub statics: Statics,
    /// Where an instance has virtual MAC interfaces or `no_accept`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub firewall: Option<Firewall>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub telling: Telling,
    #[serde(default, skip_serializing_if = "is_default")]
    pub process: VrrpProcess,
    #[serde(default, skip_serializing_if = "is_default")]
    pub sockets: Sockets,
}

/// One `vrrp_instance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualRouter {
    /// The instance's name in the config; unique.
    pub name: String,
    /// 1..=255.
    pub vrid: u8,
    pub interface: String,
    pub version: Version,
    /// `state`: what to begin as.
    pub initial: InitialState,
    /// 1..=255 as configured, before tracking.
    pub priority: u8,
    #[serde(with = "seconds")]
    pub advert_interval: Duration,
    pub authentication: Option<Authentication>,
    /// `mcast_src_ip` or `unicast_src_ip`; else the interface's primary address.
    pub source: Option<IpAddr>,
    /// 224.0.0.18 or ff02::12 unless the config says otherwise. Nobody speaks to it where there is
    /// `unicast`. Its family is the router's.
    pub group: IpAddr,
    /// `unicast_peer`: adverts go to these instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unicast: Option<Unicast>,
    /// False with `nopreempt`.
    pub preempt: bool,
    #[serde(with = "seconds")]
    pub preempt_delay: Duration,
    /// In the order of the config, which is the order on the wire.
    pub addresses: Vec<VirtualAddress>,
    pub garp: Rare<GratuitousArp>,
    pub scripts: Vec<TrackedScript>,
    pub notify: Rare<Notify>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub conduct: Conduct,
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: Option<Device>,
    /// Excluded addresses, routes and rules.
    #[serde(default, skip_serializing_if = "is_default")]
    pub belongings: Rare<Belongings>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tracking: Rare<Tracking>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub telling: Rare<InstanceTelling>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub wire: Rare<Wire>,
    pub span: Span,
}

impl VirtualRouter {
    /// Does its priority or standing depend on anything that is tracked?
    pub fn tracks(&self) -> bool {
        let Tracking { interfaces, files, processes, .. } = &*self.tracking;
        !(self.scripts.is_empty()
            && interfaces.is_empty()
            && files.is_empty()
            && processes.is_empty())
    }

    /// With keepalived's defaults for all that isn't given.
    pub fn new(name: &str, vrid: u8, interface: &str) -> Self {
        VirtualRouter {
            name: name.to_owned(),
            vrid,
            interface: interface.to_owned(),
            version: Version::V2,
            initial: InitialState::Backup,
            priority: 100,
            advert_interval: Duration::from_secs(1),
            authentication: None,
            source: None,
            group: GROUP4,
            unicast: None,
            preempt: true,
            preempt_delay: Duration::ZERO,
            addresses: Vec::new(),
            garp: Rare::default(),
            scripts: Vec::new(),
            notify: Rare::default(),
            conduct: Conduct::default(),
            device: None,
            belongings: Rare::default(),
            tracking: Rare::default(),
            telling: Rare::default(),
            wire: Rare::default(),
            span: Span::default(),
        }
    }

    /// What it speaks over.
    pub fn family(&self) -> Family {
        Family::of(self.group)
    }
}

impl VirtualRouter {
    /// The virtual addresses, then those that aren't advertised.
    pub fn all_addresses(&self) -> impl Iterator<Item = &VirtualAddress> + Clone {
        self.addresses.iter().chain(&self.belongings.excluded)
    }

    /// Where adverts are sent and heard.
    pub fn advert_interface(&self) -> &str {
        match &self.device {
            Some(device) if !device.transmit_base => &device.name,
            _ => &self.interface,
        }
    }

    /// Where addresses go that don't say otherwise.
    pub fn address_interface(&self) -> &str {
        self.device.as_ref().map_or(&self.interface, |device| &device.name)
    }

    /// Interfaces that it makes for itself.
    pub fn devices(&self) -> impl Iterator<Item = &Device> + Clone {
        self.device.iter().chain(&self.belongings.devices)
    }

    /// The interface that leads to the network from one that its addresses are on.
    pub fn wire_below<'a>(&'a self, interface: &'a str) -> &'a str {
        let device = self.devices().find(|it| it.name == interface);
        device.map_or(interface, |device| &device.base)
    }

    /// Has one of these interfaces to do with that family? Not only with its own: addresses of the
    /// other one, which stay on the interface below, count as well (measured).
    pub fn device_concerns(&self, device: &Device, ipv6: bool) -> bool {
        let below = self.device.as_ref() == Some(device);
        device.ipv6 == ipv6
            || self.all_addresses().filter(|it| it.address.is_ipv6() == ipv6).any(|it| {
                let on = it.interface.as_deref().unwrap_or(self.address_interface());
                on == device.name || below && on == device.base
            })
    }

    /// Interfaces besides its own without which it is in fault.
    pub fn other_interfaces(&self) -> impl Iterator<Item = &str> {
        let devices = self.devices().flat_map(|it| [it.name.as_str(), it.base.as_str()]);
        devices.chain(self.interfaces_of_belongings())
    }

    /// Those of its addresses, routes and rules, but for those with `no_track` (measured).
    pub fn interfaces_of_belongings(&self) -> impl Iterator<Item = &str> {
        let Belongings { routes, rules, .. } = &*self.belongings;
        let addresses = self.all_addresses().filter(|it| !it.untracked);
        let addresses = addresses.filter_map(|it| it.interface.as_deref());
        let routes = routes.iter().filter(|it| !it.untracked).flat_map(Route::interfaces);
        let rules = rules.iter().filter(|it| !it.untracked);
        let rules = rules.flat_map(|it| it.iif.iter().chain(&it.oif)).map(String::as_str);
        addresses.chain(routes).chain(rules)
    }
}

/// Adverts by unicast (keepalived.conf(5), `unicast_peer`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unicast {
    /// At least one.
    pub peers: Vec<Peer>,
    /// `unicast_ttl`, of what is sent.
    pub ttl: u8,
    /// `check_unicast_src`: only peers are heard, each within its range of TTLs.
    pub check_source: bool,
}

/// One line of `unicast_peer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub address: IpAddr,
    pub min_ttl: u8,
    pub max_ttl: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    V2,
    V3,
}

impl Version {
    pub fn number(self) -> u8 {
        match self {
            Version::V2 => 2,
            Version::V3 => 3,
        }
    }
}

/// `state MASTER` or `state BACKUP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InitialState {
    Master,
    Backup,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// `auth_type PASS`: 1..=8 bytes, sent in clear, padded with zeros.
    Pass(Secret),
    /// `auth_type AH`: the key of an IP authentication header; over IPv4 only.
    Header(Secret),
}

/// How often the addresses are announced by gratuitous ARP (keepalived.conf(5), `garp_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GratuitousArp {
    /// `garp_master_repeat`: packets per address in a burst, at promotion and after the delay.
    pub repeat: u32,
    /// `garp_master_delay`: from promotion to the second burst; zero: no second burst.
    #[serde(with = "seconds")]
    pub delay: Duration,
    /// `garp_master_refresh`: zero: none.
    #[serde(with = "seconds")]
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`
    pub refresh_repeat: u32,
    /// `garp_lower_prio_repeat`: burst after a lower-priority advert was heard while active.
    pub lower_priority_repeat: u32,
    /// `garp_extra_if`: how often addresses on other interfaces than the router's own are announced
    /// again while active; zero: not at all.
    #[serde(default, with = "seconds", skip_serializing_if = "is_default")]
    pub extra: Duration,
    /// With `all`; else only those on virtual MAC interfaces of their own are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extra_everywhere: bool,
    /// `garp_lower_prio_delay`
    #[serde(with = "seconds")]
    pub lower_priority_delay: Duration,
}

impl Unsaid for GratuitousArp {
    const UNSAID: &'static Self = &GratuitousArp {
        repeat: 5,
        delay: Duration::from_secs(5),
        refresh: Duration::ZERO,
        refresh_repeat: 1,
        lower_priority_repeat: 5,
        lower_priority_delay: Duration::from_secs(5),
        extra: Duration::ZERO,
        extra_everywhere: false,
    };
}

impl Default for GratuitousArp {
    fn default() -> Self {
        *Self::UNSAID
    }
}

/// One line of an instance's `track_script`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedScript {
    pub script: ScriptId,
    /// -253..=253; 0: a failing script faults the instance.
    pub weight: i16,
    /// `reverse`: the weight's sign is turned for this instance.
    pub reverse: bool,
    /// The line stands in the sync group.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by_group: bool,
}

/// The notify scripts of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    pub master: Option<NotifyScript>,
    pub backup: Option<NotifyScript>,
    pub fault: Option<NotifyScript>,
    pub stop: Option<NotifyScript>,
    /// `notify`: called for every change with `INSTANCE NAME STATE PRIORITY` appended.
    pub any: Option<NotifyScript>,
}

impl Unsaid for Notify {
    const UNSAID: &'static Self =
        &Notify { master: None, backup: None, fault: None, stop: None, any: None };
}

/// A command to run on a change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyScript {
    pub argv: Vec<String>,
    pub user: Option<super::track::RunAs>,
    pub span: Span,
}
