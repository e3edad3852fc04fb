//! Virtual servers, their checks, and BFD. Where the virtual server, the real server and the check
//! may all say something, each level keeps what it said; [`lower`](super::super::lower) looks from
//! the check upwards.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use super::{At, Command, User};
use crate::plan::bfd::BfdSession;
use crate::plan::checker::{
    CheckerTelling, Family, Forwarding, Granularity, HttpProtocol, Ipvs, Member, Nftables,
    Protocol, SchedulerFlags, TlsFiles, UdpCheck, Url,
};
use crate::text::Span;

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Checkers {
    pub groups: Vec<Group>,
    pub services: Vec<Service>,
    pub tls: Option<At<TlsFiles>>,
    pub sessions: Vec<At<BfdSession>>,
    /// The `bfd_instance` that is being read.
    pub draft: Option<BfdDraft>,
    /// Names of `track_file` blocks so far.
    pub files: HashSet<String>,
    pub ipvs: Ipvs,
    pub telling: CheckerTelling,
    pub log_all_failures: bool,
    /// `nftables_ipvs` or one of its options.
    pub nftables: Option<Nftables>,
    /// `nftables_ipvs` itself.
    pub wants_nftables: bool,
    /// Which block is being read: what keywords of several levels are about.
    pub level: Level,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    #[default]
    Service,
    Server,
    Check,
    /// `host` in `SMTP_CHECK`
    Host,
}

/// `virtual_server_group`
#[derive(Clone, Debug)]
pub struct Group {
    pub name: At<String>,
    pub members: Vec<Member>,
}

/// What behind `virtual_server` says which.
#[derive(Clone, Debug)]
pub enum Target {
    Address { address: IpAddr, port: u16 },
    Mark(u32),
    Group(String),
}

/// `virtual_server`
#[derive(Clone, Debug)]
pub struct Service {
    pub target: Target,
    /// Known from the address, `ip_family`, a granularity, or the first real server.
    pub family: Option<Family>,
    pub protocol: Option<Protocol>,
    pub scheduler: Option<String>,
    pub scheduler_flags: SchedulerFlags,
    pub one_packet: bool,
    pub persistence: Persisting,
    pub suspend_without_address: bool,
    pub notify_at_stop: bool,
    pub quorum: u32,
    pub hysteresis: u32,
    pub quorum_up: Option<Command>,
    pub quorum_down: Option<Command>,
    pub sorry: Option<Sorry>,
    pub servers: Vec<Server>,
    pub common: Common,
    pub span: Span,
}

/// `persistence_*`
#[derive(Clone, Debug, Default)]
pub struct Persisting {
    pub engine: Option<String>,
    pub timeout: Option<Duration>,
    pub granularity: Option<Granularity>,
}

/// `sorry_server`
#[derive(Clone, Debug)]
pub struct Sorry {
    pub address: IpAddr,
    pub port: u16,
    pub forwarding: Option<Forwarding>,
    pub inhibit: bool,
}

/// `real_server`
#[derive(Clone, Debug)]
pub struct Server {
    pub address: IpAddr,
    pub port: u16,
    pub most_connections: u32,
    pub least_connections: u32,
    pub notify_up: Option<Command>,
    pub notify_down: Option<Command>,
    pub checks: Vec<Check>,
    pub common: Common,
    pub span: Span,
}

/// What a virtual server says for its real servers, and they for themselves.
#[derive(Clone, Debug, Default)]
pub struct Common {
    pub forwarding: Option<Forwarding>,
    pub weight: Option<u32>,
    pub inhibit: Option<bool>,
    pub smtp_alert: Option<bool>,
    pub virtual_host: Option<String>,
    pub snmp_name: Option<String>,
    pub checking: Checking,
}

/// What all three levels may say.
#[derive(Clone, Debug, Default)]
pub struct Checking {
    pub alpha: Option<bool>,
    pub connect_timeout: Option<Duration>,
    pub retries: Option<u32>,
    pub delay_before_retry: Option<Duration>,
    pub warmup: Option<Duration>,
    pub interval: Option<Duration>,
}

/// One checker.
#[derive(Clone, Debug)]
pub struct Check {
    pub kind: Kind,
    pub checking: Checking,
    pub connection: Connection,
    pub log_all_failures: Option<bool>,
    /// Something about it is so wrong that it isn't made.
    pub dropped: bool,
    /// `host` blocks of `SMTP_CHECK`: the same check, made elsewhere.
    pub hosts: Vec<Host>,
    pub span: Span,
}

/// `host`
#[derive(Clone, Debug, Default)]
pub struct Host {
    pub checking: Checking,
    pub connection: Connection,
    pub log_all_failures: Option<bool>,
}

#[derive(Clone, Debug, Default)]
pub struct Connection {
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    pub source: Option<IpAddr>,
    pub source_port: Option<u16>,
    pub interface: Option<String>,
    pub mark: u32,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Tcp,
    Ping,
    Http(Http),
    Smtp { helo: Option<String> },
    Dns { query: Option<String>, name: Option<String> },
    Udp { check: UdpCheck, least: u16, most: u16 },
    Misc(Misc),
    File { file: Option<At<String>>, weight: i32, reverse: bool },
    Bfd { session: Option<At<String>> },
}

#[derive(Clone, Debug, Default)]
pub struct Http {
    pub tls: bool,
    pub sni: bool,
    pub sni_name: Option<String>,
    pub tls_compliant: bool,
    pub protocol: HttpProtocol,
    pub fast_recovery: bool,
    pub virtual_host: Option<String>,
    pub urls: Vec<Url>,
}

#[derive(Clone, Debug, Default)]
pub struct Misc {
    pub command: Option<Command>,
    pub timeout: Option<Duration>,
    pub dynamic: bool,
    /// In the order of the file; the last counts, and one that doesn't exist removes the check.
    pub users: Vec<User>,
}

impl Service {
    pub fn new(target: Target, span: Span) -> Self {
        let family = match target {
            Target::Address { address, .. } => Some(Family::of(address)),
            Target::Mark(_) | Target::Group(_) => None,
        };
        Service {
            target,
            family,
            protocol: None,
            scheduler: None,
            scheduler_flags: SchedulerFlags::default(),
            one_packet: false,
            persistence: Persisting::default(),
            suspend_without_address: false,
            notify_at_stop: false,
            quorum: 1,
            hysteresis: 0,
            quorum_up: None,
            quorum_down: None,
            sorry: None,
            servers: Vec::new(),
            common: Common::default(),
            span,
        }
    }
}

impl Server {
    pub fn new(address: IpAddr, port: u16, span: Span) -> Self {
        Server {
            address,
            port,
            most_connections: 0,
            least_connections: 0,
            notify_up: None,
            notify_down: None,
            checks: Vec::new(),
            common: Common::default(),
            span,
        }
    }
}

impl Check {
    pub fn new(kind: Kind, span: Span) -> Self {
        Check {
            kind,
            checking: Checking::default(),
            connection: Connection::default(),
            log_all_failures: None,
            dropped: false,
            hosts: Vec::new(),
            span,
        }
    }
}

/// A `bfd_instance` that isn't closed yet.
#[derive(Clone, Debug)]
pub struct BfdDraft {
    pub name: At<String>,
    pub neighbor: Option<IpAddr>,
    pub source: Option<IpAddr>,
    pub least_receive: Duration,
    pub send: Duration,
    pub send_idle: Duration,
    pub multiplier: u8,
    pub passive: bool,
    pub ttl: Option<u8>,
    pub most_hops: u8,
    pub multihop: bool,
    pub weight: i16,
    pub reverse: bool,
    pub only_vrrp: bool,
    pub only_checkers: bool,
    /// Its neighbour was complained of.
    pub malformed: bool,
}

impl BfdDraft {
    /// With keepalived's defaults.
    pub fn new(name: At<String>) -> Self {
        BfdDraft {
            name,
            neighbor: None,
            source: None,
            least_receive: Duration::from_millis(10),
            send: Duration::from_millis(10),
            send_idle: Duration::from_secs(1),
            multiplier: 5,
            passive: false,
            ttl: None,
            most_hops: 0,
            multihop: false,
            weight: 0,
            reverse: false,
            only_vrrp: false,
            only_checkers: false,
            malformed: false,
        }
    }
}
