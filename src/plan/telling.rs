//! Whom the vrrp role tells of what happens: FIFOs, mail, dump files; and the scripts that the
//! supervisor runs before and after everything else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rare::Unsaid;
pub use super::snmp::Snmp;
use super::track::RunAs;
use super::vrrp::NotifyScript;
use super::{is_default, seconds};

/// What `global_defs` says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Telling {
    /// `notify_fifo`: everything that is told.
    #[serde(skip_serializing_if = "is_default")]
    pub fifo: FifoWithScript,
    /// `vrrp_notify_fifo`: what concerns instances and groups.
    #[serde(skip_serializing_if = "is_default")]
    pub vrrp_fifo: FifoWithScript,
    /// `fifo_write_vrrp_states_on_reload`
    #[serde(skip_serializing_if = "is_default")]
    pub states_on_reload: bool,
    /// `None`: there is no server, or nobody whom mail could go to.
    #[serde(skip_serializing_if = "is_default")]
    pub mail: Option<Mail>,
    #[serde(skip_serializing_if = "is_default")]
    pub startup: Option<TimedScript>,
    #[serde(skip_serializing_if = "is_default")]
    pub shutdown: Option<TimedScript>,
    #[serde(skip_serializing_if = "is_default")]
    pub dumps: Dumps,
    #[serde(skip_serializing_if = "is_default")]
    pub dbus: Option<Dbus>,
    #[serde(skip_serializing_if = "is_default")]
    pub snmp: Snmp,
    /// What `global_defs` says, as the state dump shows it: only lines that differ from the
    /// default. Most of it is resolved into instances elsewhere.
    #[serde(skip_serializing_if = "is_default")]
    pub definitions: BTreeMap<String, String>,
}

/// `enable_dbus`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dbus {
    /// `dbus_service_name`: what the service is called on the system bus.
    pub name: String,
}

/// A FIFO, and the script that reads it; either may be there without the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FifoWithScript {
    #[serde(skip_serializing_if = "is_default")]
    pub fifo: Option<Fifo>,
    /// Is run with the FIFO's path as its last argument.
    #[serde(skip_serializing_if = "is_default")]
    pub script: Option<NotifyScript>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    pub path: PathBuf,
    /// Whose it is; `None`: the daemon's own user.
    pub owner: Option<RunAs>,
}

/// Mail on changes of state, by plain SMTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// At least one; as written in `notification_email`.
    pub to: Vec<String>,
    pub from: String,
    pub server: SocketAddr,
    /// `smtp_helo_name`
    pub helo: String,
    /// `smtp_connect_timeout`: for each step of a dialogue.
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// False with `no_email_faults`.
    pub faults: bool,
}

/// `startup_script` or `shutdown_script`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedScript {
    pub script: NotifyScript,
    /// It is terminated after this time.
    #[serde(with = "seconds")]
    pub timeout: Duration,
}

/// Names and form of the files that signals ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dumps {
    /// `state_dump_file`; `None`: keepalived's usual place.
    #[serde(skip_serializing_if = "is_default")]
    pub data: Option<PathBuf>,
    /// `stats_dump_file`
    #[serde(skip_serializing_if = "is_default")]
    pub stats: Option<PathBuf>,
    /// `json_dump_file`
    #[serde(skip_serializing_if = "is_default")]
    pub json: Option<PathBuf>,
    /// `json_version 2`
    #[serde(skip_serializing_if = "is_default")]
    pub second_json: bool,
    /// `data_use_instance`: the daemon's names are in the name of the state dump.
    #[serde(skip_serializing_if = "is_default")]
    pub use_instance: bool,
}

/// What an instance or a group says of it, besides its notify scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceTelling {
    /// `notify_priority_changes`: FIFOs hear of priorities.
    #[serde(skip_serializing_if = "is_default")]
    pub priority_changes: bool,
    /// `smtp_alert`
    #[serde(skip_serializing_if = "is_default")]
    pub mail: bool,
    /// `notify_deleted`: a removed instance is told of as DELETED, not as FAULT. Instances only.
    #[serde(skip_serializing_if = "is_default")]
    pub deleted: Option<Deleted>,
    /// `notify_master_rx_lower_pri`. Instances only.
    #[serde(skip_serializing_if = "is_default")]
    pub lower_priority_heard: Option<NotifyScript>,
}

impl Unsaid for InstanceTelling {
    const UNSAID: &'static Self = &InstanceTelling {
        priority_changes: false,
        mail: false,
        deleted: None,
        lower_priority_heard: None,
    };
}

/// `notify_deleted`, with a script or without.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    pub script: Option<NotifyScript>,
}
