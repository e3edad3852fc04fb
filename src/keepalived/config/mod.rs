//! What a keepalived.conf says, typed, with the place of every value. [`lower`](super::lower)
//! makes it mean something.

pub mod checker;
pub mod conduct;
pub mod network;
pub mod process;
pub mod telling;
pub mod tracking;
pub mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::iproute::Names;
use crate::plan::Secret;
use crate::plan::address::{AddressFlag, Scope};
use crate::plan::vrrp::InitialState;
use crate::text::Span;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<T> {
    pub value: T,
    pub span: Span,
}

impl<T> At<T> {
    pub fn new(value: T, span: Span) -> Self {
        At { value, span }
    }
}

/// A whole keepalived.conf.
#[derive(Clone, Debug, Default)]
pub struct KeepalivedConfig {
    /// iproute2's names on this host.
    pub names: Names,
    pub globals: Globals,
    pub scripts: Vec<Script>,
    script_names: HashMap<String, usize>,
    pub instances: Vec<Instance>,
    pub groups: Vec<SyncGroup>,
    pub tracked: tracking::Objects,
    pub statics: network::Statics,
    pub checkers: checker::Checkers,
    /// Reading found something that keepalived doesn't start with.
    pub fatal: bool,
}

impl KeepalivedConfig {
    /// The script of this name; the first, where there are several.
    pub(super) fn script(&self, name: &str) -> Option<&Script> {
        self.scripts.get(*self.script_names.get(name)?)
    }

    pub(super) fn add_script(&mut self, script: Script) {
        let index = self.scripts.len();
        self.script_names.entry(script.name.value.clone()).or_insert(index);
        self.scripts.push(script);
    }
}

/// `global_defs`
#[derive(Clone, Debug, Default)]
pub struct Globals {
    pub router_id: Option<At<String>>,
    pub script_security: Option<Span>,
    /// In the order of the file; the last that exists counts.
    pub script_users: Vec<User>,
    pub dynamic_interfaces: Option<Span>,
    pub version: Option<At<u8>>,
    /// `vrrp_mcast_group4`
    pub group: Option<At<IpAddr>>,
    /// `vrrp_check_unicast_src`
    pub check_unicast_src: bool,
    pub garp: Garp,
    pub garp_interval: Option<At<Duration>>,
    pub min_garp: bool,
    pub wire: wire::GlobalWire,
    pub conduct: conduct::GlobalConduct,
    pub network: network::GlobalNetwork,
    pub telling: telling::GlobalTelling,
    pub process: process::Process,
    /// `snmp_socket`
    pub snmp_socket: Option<At<String>>,
}

/// What `garp_*` (`vrrp_garp_*` in `global_defs`) set.
#[derive(Clone, Debug, Default)]
pub struct Garp {
    pub delay: Option<At<Duration>>,
    pub repeat: Option<At<u32>>,
    pub refresh: Option<At<Duration>>,
    pub refresh_repeat: Option<At<u32>>,
    pub lower_priority_delay: Option<At<Duration>>,
    pub lower_priority_repeat: Option<At<u32>>,
}

/// `NAME [GROUP]`
#[derive(Clone, Debug)]
pub struct User {
    pub name: String,
    pub group: Option<String>,
    pub span: Span,
}

/// A command as a line of config text gives it, cut into words.
#[derive(Clone, Debug)]
pub struct Command {
    pub argv: Vec<String>,
    pub user: Option<User>,
    pub span: Span,
}

/// `vrrp_script`
#[derive(Clone, Debug)]
pub struct Script {
    pub name: At<String>,
    pub command: Option<Command>,
    pub interval: Option<At<Duration>>,
    pub timeout: Option<At<Duration>>,
    pub weight: Option<At<Weight>>,
    pub rise: Option<At<u32>>,
    pub fall: Option<At<u32>>,
    pub init_fail: Option<Span>,
    pub user: Option<User>,
    /// The brace that ends it.
    pub end: Span,
}

/// `weight N [reverse]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    pub value: i16,
    pub reverse: bool,
}

/// `vrrp_instance`
#[derive(Clone, Debug)]
pub struct Instance {
    pub name: At<String>,
    pub state: Option<At<InitialState>>,
    pub interface: Option<At<String>>,
    pub vrid: Option<At<u8>>,
    pub priority: Option<At<u8>>,
    pub advert_interval: Option<At<Duration>>,
    pub version: Option<At<u8>>,
    pub auth_type: Option<At<AuthType>>,
    pub auth_pass: Option<At<Secret>>,
    pub source: Option<At<IpAddr>>,
    pub group: Option<At<IpAddr>>,
    pub unicast: Unicast,
    pub nopreempt: Option<Span>,
    pub preempt_delay: Option<At<Duration>>,
    pub addresses: Vec<Address>,
    /// `no_virtual_ipaddress`
    pub no_addresses: Option<Span>,
    pub garp: Garp,
    pub notify: Notifies,
    pub wire: wire::Wire,
    pub conduct: conduct::Conduct,
    pub network: network::Network,
    pub tracking: tracking::Tracking,
    pub telling: telling::Telling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    Pass,
    Ah,
}

#[derive(Clone, Debug, Default)]
pub struct Notifies {
    pub master: Option<Command>,
    pub backup: Option<Command>,
    pub fault: Option<Command>,
    pub stop: Option<Command>,
    pub any: Option<Command>,
}

/// `unicast_*` and `check_unicast_src`
#[derive(Clone, Debug, Default)]
pub struct Unicast {
    pub peers: Vec<Peer>,
    pub ttl: Option<At<u8>>,
    pub check_source: bool,
    /// `unicast_fault_no_peer`
    pub fault_without_peer: Option<Span>,
    /// The first word that says that unicast is meant.
    pub meant: Option<Span>,
}

/// One line of `unicast_peer`.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub address: IpAddr,
    pub min_ttl: Option<u8>,
    pub max_ttl: Option<u8>,
}

/// One line of `virtual_ipaddress`.
#[derive(Clone, Debug)]
pub struct Address {
    pub address: IpAddr,
    pub prefix: u8,
    pub device: Option<At<String>>,
    pub label: Option<At<String>>,
    pub broadcast: Option<Ipv4Addr>,
    pub scope: Scope,
    pub peer: Option<IpAddr>,
    pub flags: Vec<AddressFlag>,
    /// `preferred_lft` in seconds.
    pub preferred: Option<u32>,
    /// `no_track`
    pub untracked: bool,
    pub use_vmac: bool,
    /// `track_group`, of static addresses.
    pub track_group: Option<At<String>>,
    pub span: Span,
}

/// `vrrp_sync_group`
#[derive(Clone, Debug)]
pub struct SyncGroup {
    pub name: At<String>,
    pub members: Vec<At<String>>,
    pub tracking: tracking::Tracking,
    pub notify: Notifies,
    pub telling: telling::Telling,
}

impl Script {
    pub fn new(name: At<String>) -> Self {
        Script {
            name,
            command: None,
            interval: None,
            timeout: None,
            weight: None,
            rise: None,
            fall: None,
            init_fail: None,
            user: None,
            end: Span::default(),
        }
    }
}

impl SyncGroup {
    pub fn new(name: At<String>) -> Self {
        SyncGroup {
            name,
            members: Vec::new(),
            tracking: tracking::Tracking::default(),
            notify: Notifies::default(),
            telling: telling::Telling::default(),
        }
    }
}

impl Instance {
    pub fn new(name: At<String>) -> Self {
        Instance {
            name,
            state: None,
            interface: None,
            vrid: None,
            priority: None,
            advert_interval: None,
            version: None,
            auth_type: None,
            auth_pass: None,
            source: None,
            group: None,
            unicast: Unicast::default(),
            nopreempt: None,
            preempt_delay: None,
            addresses: Vec::new(),
            no_addresses: None,
            garp: Garp::default(),
            notify: Notifies::default(),
            wire: wire::Wire::default(),
            conduct: conduct::Conduct::default(),
            network: network::Network::default(),
            tracking: tracking::Tracking::default(),
            telling: telling::Telling::default(),
        }
    }
}
