//! The processes of the keepalived side: names, priorities, namespaces, reloads.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// What `global_defs` and the keywords outside of blocks say of them (keepalived.conf(5), "Global
/// configuration").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VrrpProcess {
    /// `instance`: part of the names of pid files and of what is said to syslog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// `use_pid_dir`: pid files in `/run/keepalived`.
    pub pid_dir: bool,
    /// `net_namespace`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_namespace: Option<String>,
    /// `child_wait_time`; `None`: as long as is usual.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none")]
    pub child_wait: Option<Duration>,
    /// `umask`; `None`: 0177.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// `-V`: virtual addresses stay at the end.
    pub leave_addresses: bool,
    /// `-a`: every address that comes or goes is logged.
    pub watch_addresses: bool,
    pub names: Names,
    pub scheduling: Scheduling,
    pub buffers: Buffers,
    pub reload: Reload,
}

/// What `ps -o comm` shows; `None`: `keepalived`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// `process_name`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// `vrrp_process_name`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrrp: Option<String>,
}

/// How the vrrp process gets its CPU time and memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scheduling {
    /// `vrrp_priority`: -20..=19; without effect where there is a real-time priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i8>,
    /// `vrrp_rt_priority`: 1..=99, SCHED_RR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realtime: Option<u8>,
    /// `vrrp_rlimit_rttime`: CPU time without a wait, under real-time scheduling.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none")]
    pub realtime_limit: Option<Duration>,
    /// `max_auto_priority`: how far a late process may raise its real-time priority; 0: not at all.
    pub most_automatic: u8,
    /// `min_auto_priority_delay`: how late it has to be.
    #[serde(with = "seconds::option", skip_serializing_if = "Option::is_none")]
    pub automatic_after: Option<Duration>,
    /// `vrrp_cpu_affinity`; empty: all CPUs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u16>,
    /// `vrrp_no_swap`
    pub no_swap: bool,
}

/// Bytes of netlink's receive buffers; `None`: what is usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Buffers {
    /// `vrrp_netlink_cmd_rcv_bufs`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<u32>,
    /// `vrrp_netlink_cmd_rcv_bufs_force`: beyond `net.core.rmem_max`.
    pub force_command: bool,
    /// `vrrp_netlink_monitor_rcv_bufs`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<u32>,
    /// `vrrp_netlink_monitor_rcv_bufs_force`
    pub force_monitor: bool,
}

/// What happens around a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reload {
    /// `reload_time_file`: its first line says when to reload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_file: Option<PathBuf>,
    /// `reload_repeat`: every day at that time.
    pub repeat: bool,
    /// `reload_file`: is there while the config is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<Marker>,
    /// `reload_check_config`: a config with errors isn't taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// `config_save_dir`: copies of every config that is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save: Option<PathBuf>,
}

/// `reload_file [PATH]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// `None`: `keepalived.reload` where the pid files are.
    pub path: Option<PathBuf>,
}

/// `reload_check_config [LOGFILE]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is wrong goes there; `None`: only to the log.
    pub log: Option<PathBuf>,
}
