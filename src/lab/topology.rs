//! The cluster to rehearse: which hosts there are and what they run. [`super::cluster_file`] reads
//! it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scenario::Scenario;

/// A cluster with every file that it needs already read: it can be built without looking at the
/// host's files again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cluster {
    pub about: String,
    pub prefix: u8,
    pub virtual_address: Ipv4Addr,
    pub client: Client,
    pub balancers: Vec<Balancer>,
    pub webs: Vec<Web>,
    pub scenarios: Vec<Scenario>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Client {
    pub address: Ipv4Addr,
    pub asks: SocketAddrV4,
    pub every: Duration,
    /// An ask that has no answer by then has failed.
    pub timeout: Duration,
}

/// A load balancer: one of the hosts that share the virtual address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Balancer {
    pub name: String,
    pub address: Ipv4Addr,
    pub interface: String,
    pub daemon: Daemon,
    /// As the cluster file names them, for the heading.
    pub keepalived: String,
    pub nginx: String,
    pub files: Vec<NodeFile>,
}

/// What a load balancer runs as `keepalived` and `nginx`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Daemon {
    /// This binary, under both names, in place of both services.
    #[default]
    Evenkeel,
    /// `evenkeel run`: one service that runs both files and watches over both roles.
    EvenkeelRun,
    /// The programs that this host has installed under these names.
    Real,
}

/// A file that a node sees at `path`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NodeFile {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub executable: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Web {
    pub name: String,
    pub address: Ipv4Addr,
    pub port: u16,
    /// Its share of the answers, relative to the other web servers.
    pub weight: u32,
}

impl Daemon {
    /// The services to start.
    pub(super) fn units(self) -> &'static [&'static str] {
        match self {
            Daemon::Evenkeel | Daemon::Real => &["nginx", "keepalived"],
            Daemon::EvenkeelRun => &["evenkeel"],
        }
    }

    /// The service whose stop gives the address away.
    pub(super) fn vrrp_unit(self) -> &'static str {
        match self {
            Daemon::Evenkeel | Daemon::Real => "keepalived",
            Daemon::EvenkeelRun => "evenkeel",
        }
    }

    /// Names of all processes that VRRP depends on.
    pub(super) fn vrrp_processes(self) -> &'static [&'static str] {
        match self {
            Daemon::Evenkeel | Daemon::Real => &["keepalived"],
            Daemon::EvenkeelRun => &["evenkeel", "keepalived"],
        }
    }
}
