//! Virtual servers of IPVS and the checks of their real servers (keepalived.conf(5), "LVS
//! configuration"): read, checked and shown; what will run them comes later.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::track::RunAs;
use super::vrrp::NotifyScript;
use super::{Secret, is_default, seconds};
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

/// One checker of a real server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub kind: CheckKind,
    /// `None` for checks that follow something that is watched elsewhere (a file, a BFD session).
    #[serde(default, skip_serializing_if = "is_default")]
    pub timing: Option<Timing>,
    /// `None` for checks that connect to nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub connection: Option<Connection>,
    /// `alpha`: down until the first success.
    pub alpha: bool,
    pub span: Span,
}

/// When a check runs, and how often it may fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// `delay_loop`
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// Tries after the first failure.
    pub retries: u32,
    #[serde(with = "seconds")]
    pub delay_before_retry: Duration,
    /// `warmup`: the first check comes after a random wait up to this.
    #[serde(with = "seconds")]
    pub warmup: Duration,
    pub log_all_failures: bool,
}

/// Whither a check connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `connect_ip`; the real server's address where that isn't given.
    pub address: IpAddr,
    pub port: u16,
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// `bindto`
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<IpAddr>,
    /// `bind_port`
    #[serde(default, skip_serializing_if = "is_default")]
    pub source_port: Option<u16>,
    /// `bind_if`
    #[serde(default, skip_serializing_if = "is_default")]
    pub interface: Option<String>,
    /// `fwmark`; 0: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mark: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    Tcp,
    Ping,
    Http(HttpCheck),
    Smtp {
        helo: Option<String>,
    },
    Dns {
        query: String,
        name: String,
    },
    Udp(UdpCheck),
    Misc(MiscCheck),
    /// The value of a `track_file` is added to the weight.
    File {
        file: String,
        weight: i32,
        reverse: bool,
    },
    Bfd {
        session: String,
    },
}

impl CheckKind {
    /// The keyword of its block.
    pub fn keyword(&self) -> &'static str {
        match self {
            CheckKind::Tcp => "TCP_CHECK",
            CheckKind::Ping => "PING_CHECK",
            CheckKind::Http(http) if http.tls.is_some() => "SSL_GET",
            CheckKind::Http(_) => "HTTP_GET",
            CheckKind::Smtp { .. } => "SMTP_CHECK",
            CheckKind::Dns { .. } => "DNS_CHECK",
            CheckKind::Udp(_) => "UDP_CHECK",
            CheckKind::Misc(_) => "MISC_CHECK",
            CheckKind::File { .. } => "FILE_CHECK",
            CheckKind::Bfd { .. } => "BFD_CHECK",
        }
    }
}

/// `HTTP_GET` and `SSL_GET`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpCheck {
    /// `SSL_GET`
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<TlsCheck>,
    /// `1.0`, `1.0C` or `1.1`.
    pub protocol: HttpProtocol,
    #[serde(skip_serializing_if = "is_default")]
    pub fast_recovery: bool,
    pub urls: Vec<Url>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsCheck {
    /// `enable_sni`
    pub sni: bool,
    /// `sni_name`; the virtual host where that isn't given.
    #[serde(skip_serializing_if = "is_default")]
    pub sni_name: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpProtocol {
    #[default]
    #[serde(rename = "1.0")]
    V10,
    /// 1.0 with `Connection: close`.
    #[serde(rename = "1.0C")]
    V10Close,
    #[serde(rename = "1.1")]
    V11,
}

/// `url`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Url {
    pub path: String,
    #[serde(skip_serializing_if = "is_default")]
    pub virtual_host: Option<String>,
    /// First and last of each range; each in 100..=599.
    pub statuses: Vec<(u16, u16)>,
    /// MD5 of the page, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "is_default")]
    pub digest: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub regex: Option<PageRegex>,
    /// `tls_compliant`
    #[serde(skip_serializing_if = "is_default")]
    pub tls_compliant: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageRegex {
    pub pattern: String,
    /// `regex_no_match`: finding it is the failure.
    pub negated: bool,
    pub options: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub least_offset: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    pub most_offset: Option<u64>,
    /// Start and most, in bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub stack: Option<(u64, u64)>,
}

/// `UDP_CHECK`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpCheck {
    /// `None`: random bytes are sent.
    #[serde(skip_serializing_if = "is_default")]
    pub payload: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "is_default")]
    pub reply: Option<UdpReply>,
}

/// `require_reply`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpReply {
    /// Each byte's value and which of its bits count; the shorter of this and the answer.
    pub bytes: Vec<(u8, u8)>,
    pub least: u16,
    pub most: u16,
}

/// `MISC_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiscCheck {
    pub argv: Vec<String>,
    /// `None`: as long as `delay_loop`.
    #[serde(default, with = "seconds::option")]
    pub timeout: Option<Duration>,
    /// `misc_dynamic`: the exit status changes the weight.
    pub dynamic: bool,
    pub user: Option<RunAs>,
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
