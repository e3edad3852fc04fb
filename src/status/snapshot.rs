//! One moment of the vrrp role.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::plan::group::SyncGroup;
use crate::plan::route::Statics;
use crate::plan::telling::Telling;
use crate::plan::track::{TrackFile, TrackProcess, TrackScript};
use crate::plan::vrrp::VirtualRouter;
use crate::plan::vrrp_process::VrrpProcess;
use crate::vrrp::machine::{ActiveReason, Counter, State};
use crate::vrrp::process::Cause;
use crate::vrrp::track::ScriptStatus;

/// All routers and scripts, in the order of the config.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// This host's name: the router ID where the config has none.
    pub host: String,
    pub router_id: Option<String>,
    pub telling: Telling,
    pub process: VrrpProcess,
    pub routers: Vec<RouterView>,
    pub groups: Vec<GroupView>,
    /// Those that a router tracks have run; the others haven't.
    pub scripts: Vec<ScriptView>,
    pub files: Vec<FileView>,
    pub processes: Vec<ProcessView>,
    pub statics: Statics,
    /// Which static addresses are on their interface because of us; as long as
    /// `statics.addresses`.
    pub held_statics: Vec<bool>,
    /// By their numbers.
    pub interfaces: Vec<InterfaceView>,
}

/// One interface of the host, as the kernel tells.
#[derive(Clone, Debug, Default)]
pub struct InterfaceView {
    pub name: String,
    pub index: u32,
    /// It counts as up: administratively up, and with a carrier.
    pub up: bool,
    /// The carrier is asked for (`linkbeat_use_polling`).
    pub asked: bool,
    /// The first addresses that aren't ours; IPv6: the first link-local one.
    pub ipv4: Option<IpAddr>,
    pub ipv6: Option<IpAddr>,
    pub mac: Option<[u8; 6]>,
    pub broadcast_mac: Option<[u8; 6]>,
    pub raised: bool,
    pub running: bool,
    pub loopback: bool,
    pub broadcast: bool,
    pub multicast: bool,
    pub point_to_point: bool,
    pub arp: bool,
    /// In bytes.
    pub mtu: u32,
    /// The kernel's ARPHRD_* (netdevice(7)).
    pub hardware: u16,
    /// A private macvlan.
    pub private: bool,
    /// The number of the interface below it.
    pub base: Option<u32>,
    /// How long a change of the link waits (`interface_up_down_delays`).
    pub down_delay: Duration,
    pub up_delay: Duration,
    /// One does now.
    pub waiting: bool,
    /// It may become another one (`dynamic_interfaces allow_if_changes`).
    pub may_change: bool,
}

/// One sync group.
#[derive(Clone, Debug)]
pub struct GroupView {
    pub config: SyncGroup,
    pub state: State,
    /// Places of its members in [`Snapshot::routers`].
    pub members: Vec<usize>,
}

/// One virtual router.
#[derive(Clone, Debug)]
pub struct RouterView {
    pub config: VirtualRouter,
    pub state: State,
    /// The effective priority, 1..=255.
    pub priority: u8,
    /// What adverts come from; `None` while the interface has no address.
    pub source: Option<IpAddr>,
    /// Which of the config's addresses are on their interface because of this router; as long as
    /// `config.addresses`.
    pub held: Vec<bool>,
    /// The same of those that aren't advertised.
    pub held_excluded: Vec<bool>,
    /// Of the active router that a backup hears, priority and interval.
    pub active: Option<(u8, Duration)>,
    /// Where that one's last advert came from.
    pub active_address: Option<IpAddr>,
    /// Where the last valid advert came from, whatever this router was then.
    pub last_sender: Option<IpAddr>,
    /// Why it became active the last time.
    pub active_reason: Option<ActiveReason>,
    /// The last fault of a packet's TTL, version, checksum or VRID.
    pub last_fault: Option<Counter>,
    /// Since when it is backup or active; `None`: it is neither.
    pub up_since: Option<SystemTime>,
    /// Of state; the beginning counts as one.
    pub last_transition: SystemTime,
    pub interface_up: bool,
    /// The number of the interface that adverts go over.
    pub advert_interface: Option<u32>,
    /// When something is due, if nothing comes in before.
    pub next_timer: Option<SystemTime>,
    /// How long a backup waits for an advert.
    pub down_interval: Duration,
    pub counters: BTreeMap<Counter, u64>,
}

impl RouterView {
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters.get(&counter).copied().unwrap_or_default()
    }
}

/// One `vrrp_script`.
#[derive(Clone, Debug)]
pub struct ScriptView {
    pub config: TrackScript,
    pub status: ScriptStatus,
    /// Results in a row that speak against `status`.
    pub against: u32,
    /// A run goes on.
    pub running: bool,
}

/// One `track_file`.
#[derive(Clone, Debug)]
pub struct FileView {
    pub config: TrackFile,
    /// `None`: it isn't tracked.
    pub value: Option<i32>,
}

/// One `vrrp_track_process`.
#[derive(Clone, Debug)]
pub struct ProcessView {
    pub config: TrackProcess,
    /// How many run.
    pub count: usize,
    pub up: bool,
    /// What waits for its delay.
    pub waits_for: Option<Cause>,
}
