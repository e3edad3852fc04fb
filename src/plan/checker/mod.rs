//! Virtual servers of IPVS and the checks of their real servers (keepalived.conf(5), "LVS
//! configuration"): read, checked and shown; what will run them comes later. [`Check`] and what it
//! consists of are in `check`.

mod check;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

pub use self::check::*;
use serde::{Deserialize, Serialize};

use crate::plan::vrrp::NotifyScript;
use crate::plan::{Secret, is_default, seconds};
use crate::text::Span;

/// All `virtual_server` blocks and what `global_defs` says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckerPlan {
    pub services: Vec<VirtualService>,
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<TlsFiles>,
    #[serde(skip_serializing_if = "is_default")]
    pub ipvs: Ipvs,
    #[serde(skip_serializing_if = "is_default")]
    pub telling: CheckerTelling,
}

/// One `virtual_server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualService {
    pub target: Target,
    pub family: Family,
    /// `None` only for firewall marks.
    pub protocol: Option<Protocol>,
    /// `lvs_sched`
    pub scheduler: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub scheduler_flags: SchedulerFlags,
    /// `ops`
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_packet: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub persistence: Option<Persistence>,
    /// `ha_suspend`
    #[serde(default, skip_serializing_if = "is_default")]
    pub suspend_without_address: bool,
    /// `omega`
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify_at_stop: bool,
    /// Weight that has to be alive; at least 1.
    pub quorum: u32,
    pub hysteresis: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    pub quorum_up: Option<NotifyScript>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub quorum_down: Option<NotifyScript>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub sorry: Option<SorryServer>,
    pub smtp_alert: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub snmp_name: Option<String>,
    pub servers: Vec<RealServer>,
    pub span: Span,
}

/// What a virtual service is called in config and logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// `port` is 0 for all ports of a persistent service.
    Address {
        address: IpAddr,
        port: u16,
    },
    Mark(u32),
    /// `virtual_server_group`
    Group {
        name: String,
        members: Vec<Member>,
    },
}

/// One line of a `virtual_server_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// All addresses from the first to the last.
    Addresses {
        first: IpAddr,
        last: IpAddr,
        port: u16,
    },
    Mark {
        mark: u32,
        family: Option<Family>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    #[default]
    #[serde(rename = "inet")]
    V4,
    #[serde(rename = "inet6")]
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

/// `flag-1` to `flag-3` (ipvsadm(8), `-b`), which `sh-port`, `sh-fallback`, `mh-port`,
/// `mh-fallback` and `hashed` are names for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulerFlags(pub [bool; 3]);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persistence {
    /// `persistence_engine`
    #[serde(default, skip_serializing_if = "is_default")]
    pub engine: Option<String>,
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// `persistence_granularity`; `None`: every address is a client of its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub granularity: Option<Granularity>,
}

/// Which bits of clients' addresses count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    Mask(Ipv4Addr),
    /// 1..=128
    Prefix(u8),
}

/// `lvs_method`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forwarding {
    #[default]
    Nat,
    Direct,
    Tunnel(Tunnel),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tunnel {
    pub kind: TunnelKind,
    pub checksum: Checksum,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelKind {
    #[default]
    Ipip,
    Gue {
        port: u16,
    },
    Gre,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    #[default]
    None,
    Full,
    Remote,
}

/// `sorry_server`: what stands in for all servers while the quorum is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SorryServer {
    pub address: IpAddr,
    pub port: u16,
    pub forwarding: Forwarding,
    /// `sorry_server_inhibit`
    pub inhibit: bool,
}

/// One `real_server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    pub address: IpAddr,
    /// 0 for firewall marks and services on all ports.
    pub port: u16,
    /// 0..=2147483647
    pub weight: u32,
    pub forwarding: Forwarding,
    /// `uthreshold`; 0: none.
    pub most_connections: u32,
    /// `lthreshold`
    pub least_connections: u32,
    /// `inhibit_on_failure`: weight 0 instead of removal.
    pub inhibit: bool,
    pub smtp_alert: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub snmp_name: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify_up: Option<NotifyScript>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify_down: Option<NotifyScript>,
    pub checks: Vec<Check>,
    pub span: Span,
}

/// `SSL`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsFiles {
    #[serde(skip_serializing_if = "is_default")]
    pub password: Option<Secret>,
    #[serde(skip_serializing_if = "is_default")]
    pub ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "is_default")]
    pub certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "is_default")]
    pub key: Option<PathBuf>,
}

/// What `global_defs` says of IPVS as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ipvs {
    /// `lvs_flush`
    pub flush: bool,
    pub flush_on_stop: FlushOnStop,
    /// `lvs_timeouts tcp`, in seconds; `None`: as the kernel has it.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout_tcp: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    pub timeout_tcp_fin: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    pub timeout_udp: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    pub sync: Option<SyncDaemon>,
    /// `nftables_ipvs`
    #[serde(skip_serializing_if = "is_default")]
    pub nftables: Option<Nftables>,
    /// `net_namespace_ipvs`; an empty name: the namespace that the daemon was started in.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushOnStop {
    #[default]
    Off,
    Everything,
    /// `VS`: only what is configured here.
    OwnServices,
}

/// `lvs_sync_daemon`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncDaemon {
    pub interface: String,
    /// Whose state decides between master and backup; `None`: both run.
    #[serde(skip_serializing_if = "is_default")]
    pub instance: Option<String>,
    /// `None`: the instance's VRID.
    #[serde(skip_serializing_if = "is_default")]
    pub id: Option<u8>,
    #[serde(skip_serializing_if = "is_default")]
    pub longest: Option<u16>,
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "is_default")]
    pub ttl: Option<u8>,
    #[serde(skip_serializing_if = "is_default")]
    pub group: Option<IpAddr>,
}

/// `nftables_ipvs*`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    pub table: String,
    pub priority: i32,
    pub first_mark: u32,
}

/// Whom the checkers tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckerTelling {
    /// `lvs_notify_fifo`
    #[serde(skip_serializing_if = "is_default")]
    pub fifo: Option<PathBuf>,
    /// `lvs_notify_fifo_script`
    #[serde(skip_serializing_if = "is_default")]
    pub fifo_script: Option<NotifyScript>,
    /// `rs_init_notifies`
    pub at_start: bool,
    /// `no_checker_emails`
    pub no_mail_per_check: bool,
}
