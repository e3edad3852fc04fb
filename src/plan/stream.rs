//! The stream role's slice: listeners, servers, upstreams and their peers.

pub mod admission;
pub mod names;
pub mod socket;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use admission::{Admission, Limit, LimitZone, Network, Rule, ZoneId};
pub use names::ServerNames;
use serde::{Deserialize, Serialize};
pub use socket::{Bind, BindSource, HeaderVersion, KeepaliveTimes, ListenOptions, Outward};

use super::access_log::{AccessLog, Format, OpenFiles, Target};
use super::process::{ErrorLog, LogTarget, StreamProcess};
use super::template::{Template, Variable, VariableId};
use super::tls::{ClientTls, ServerTls};
use super::{is_default, seconds};
use crate::text::Span;

mod upstream;

pub use upstream::{Balance, Name, Peer, Resolver, Second, Timed, Upstream};

/// Everything that the stream role runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPlan {
    pub process: StreamProcess,
    /// Each is one address that clients connect to; no two have the same [name](Listener::name).
    /// Most have a socket of their own, see [`Listener::shares`].
    pub listeners: Vec<Listener>,
    pub servers: Vec<Server>,
    pub upstreams: Vec<Upstream>,
    /// `limit_conn_zone`
    #[serde(default, skip_serializing_if = "is_default")]
    pub zones: Vec<LimitZone>,
    /// `log_format`, those that are used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_formats: Vec<Format>,
    /// Those that anything here mentions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub variables: Vec<Variable>,
}

impl StreamPlan {
    /// Those of the listeners that have a socket of their own, in their order.
    pub fn sockets(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(|listener| listener.shares.is_none())
    }

    /// Every log file whose name is known before there are sessions.
    pub fn log_files(&self) -> impl Iterator<Item = &Path> {
        let errors = self.servers.iter().flat_map(|server| &server.error_logs);
        let errors = self.process.error_logs.iter().chain(errors);
        let errors = errors.filter_map(|log| match &log.target {
            LogTarget::File(path) => Some(path.as_path()),
            LogTarget::Stderr | LogTarget::Syslog(_) => None,
        });
        let access = self.servers.iter().flat_map(|server| &server.access_logs);
        let access = access.filter_map(|log| match &log.target {
            Target::File { path, .. } => Some(path.as_path()),
            Target::Path(_) | Target::Syslog(_) => None,
        });
        errors.chain(access)
    }
}

/// Index into [`StreamPlan::servers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerId(pub usize);

/// Index into [`StreamPlan::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UpstreamId(pub usize);

/// One address that clients connect to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    pub address: Address,
    /// `udp`
    #[serde(default, skip_serializing_if = "is_default")]
    pub transport: Transport,
    /// Where there are several: the default one.
    pub server: ServerId,
    /// How another server is chosen; `None`: there is nothing to choose.
    #[serde(default, skip_serializing_if = "is_default")]
    pub names: Option<Box<ServerNames>>,
    /// `backlog=`; nginx's default on Linux is 511.
    pub backlog: u32,
    /// `ipv6only=`; on by default.
    pub ipv6_only: bool,
    /// `reuseport`
    pub reuse_port: bool,
    /// `so_keepalive=on`
    pub keepalive: bool,
    /// `rcvbuf=`, bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub receive_buffer: Option<usize>,
    /// `sndbuf=`, bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub send_buffer: Option<usize>,
    /// `proxy_protocol`
    #[serde(default, skip_serializing_if = "is_default")]
    pub proxy_protocol: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: ListenOptions,
    /// The address on whose socket its connections come in: that of all addresses on its port.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shares: Option<Address>,
    /// `ssl`
    #[serde(default, skip_serializing_if = "is_default")]
    pub ssl: bool,
    pub span: Span,
}

/// What a listener speaks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

impl Listener {
    /// What no other listener has.
    pub fn name(&self) -> (Transport, &Address) {
        (self.transport, &self.address)
    }
}

/// Where to listen or connect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One `server { }` of `stream`, with all that it inherits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    #[serde(flatten)]
    pub content: Content,
    /// `$server_name`: the first `server_name`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: super::table::Text,
    /// `set`, in order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sets: Vec<(VariableId, Template)>,
    /// For `listen … ssl`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: Option<Box<ServerTls>>,
    /// `proxy_ssl on`
    #[serde(default, skip_serializing_if = "is_default")]
    pub peer_tls: Option<Box<ClientTls>>,
    /// `ssl_preread on`
    #[serde(default, skip_serializing_if = "is_default")]
    pub preread: Option<Preread>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub admission: Admission,
    #[serde(default, skip_serializing_if = "is_default")]
    pub outward: Outward,
    #[serde(with = "seconds")]
    pub connect_timeout: Duration,
    /// `proxy_timeout`: between two reads or writes on either side.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// What is said about datagrams.
    #[serde(default, skip_serializing_if = "is_default")]
    pub datagrams: Datagrams,
    /// `proxy_buffer_size`, bytes.
    pub buffer_size: usize,
    pub next_upstream: NextUpstream,
    pub half_close: bool,
    pub tcp_nodelay: bool,
    /// `proxy_socket_keepalive`
    pub socket_keepalive: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub access_logs: Vec<AccessLog>,
    /// For logs with variables in their names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub open_log_files: Option<OpenFiles>,
    /// For names that come up in sessions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resolver: Option<Box<Resolver>>,
    /// In force here; empty: those of the process.
    pub error_logs: Vec<ErrorLog>,
    pub span: Span,
}

/// How far a server looks into what a client says before it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preread {
    /// `preread_buffer_size`, bytes.
    pub buffer_size: usize,
    #[serde(with = "seconds")]
    pub timeout: Duration,
}

/// How many datagrams make a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datagrams {
    /// `proxy_requests`; 0: any number.
    #[serde(default, skip_serializing_if = "is_default")]
    pub requests: u64,
    /// `proxy_responses`, to each of them; `None`: nobody knows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub responses: Option<u64>,
}

/// What a server does with a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// `proxy_pass` to one upstream.
    Upstream(UpstreamId),
    /// `proxy_pass` with variables: names an upstream, an address, or a name to be resolved.
    Proxy(Template),
    /// `return`
    Return(Template),
    /// `pass`: to another listener, by its address.
    Pass(Template),
}

/// `proxy_next_upstream*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextUpstream {
    pub enabled: bool,
    /// 0: as many as there are peers.
    pub tries: u32,
    /// Zero: no limit.
    #[serde(with = "seconds")]
    pub timeout: Duration,
}
