//! How the stream role's processes run: nginx's main-context directives.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::placement::Placement;
use super::seconds;
use super::track::RunAs;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamProcess {
    /// `worker_processes`; 0: `auto`, one per core.
    pub workers: usize,
    /// `worker_connections`: per worker, client and upstream connections both counted, as in
    /// nginx.
    pub worker_connections: usize,
    /// `user`; `None`: stay who we are.
    pub user: Option<RunAs>,
    /// `pid`, absolute.
    pub pid: PathBuf,
    /// `daemon`
    pub daemon: bool,
    /// `master_process`
    pub master_process: bool,
    /// `worker_shutdown_timeout`
    #[serde(with = "seconds::option")]
    pub shutdown_timeout: Option<Duration>,
    /// `worker_rlimit_nofile`
    pub rlimit_nofile: Option<u64>,
    /// `env`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub placement: Placement,
    /// `error_log` of the main context, first to last; empty: the built-in default.
    pub error_logs: Vec<ErrorLog>,
}

/// One `env`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    pub name: String,
    /// `None`: as it is in the environment that Evenkeel is started in.
    pub value: Option<String>,
}

/// One `error_log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorLog {
    pub target: LogTarget,
    pub level: LogLevel,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogTarget {
    Stderr,
    File(PathBuf),
    Syslog(Syslog),
}

/// `syslog:server=…`: where lines are sent, and what stands before them (RFC 3164).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Syslog {
    pub server: SyslogServer,
    /// syslog(3)'s number, unshifted.
    pub facility: u8,
    /// Of lines that have no level of their own.
    pub severity: LogLevel,
    pub tag: String,
    /// The host's name is left out.
    pub nohostname: bool,
}

impl Syslog {
    /// The address of its server, whose name is known to have this one. One that has an address
    /// already keeps it.
    pub fn settle(&mut self, address: SocketAddr) {
        if let SyslogServer::Udp(server) = &mut self.server
            && server.ip().is_unspecified()
            && server.port() == address.port()
        {
            *server = address;
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogServer {
    /// By UDP.
    Udp(SocketAddr),
    Unix(PathBuf),
}

/// nginx's levels, from least to most urgent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warn,
    #[default]
    Error,
    Crit,
    Alert,
    Emerg,
}
