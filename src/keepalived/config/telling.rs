//! Whom it is told.

use std::time::Duration;

use super::{At, Command, User};
use crate::text::Span;

/// By one instance or group, besides its notify scripts.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// `notify_priority_changes`
    pub priority_changes: Option<bool>,
    /// `smtp_alert`
    pub mail: Option<bool>,
    pub deleted: Option<Deleted>,
    /// `notify_master_rx_lower_pri`
    pub lower_priority_heard: Option<Command>,
}

/// `notify_deleted [COMMAND]`
#[derive(Clone, Debug)]
pub struct Deleted(pub Option<Command>);

/// What `global_defs` says of it.
#[derive(Clone, Debug, Default)]
pub struct GlobalTelling {
    pub fifo: FifoWithScript,
    pub vrrp_fifo: FifoWithScript,
    /// `lvs_notify_fifo`, for checkers.
    pub lvs_fifo: FifoWithScript,
    /// `vrrp_notify_priority_changes`
    pub priority_changes: bool,
    /// `fifo_write_vrrp_states_on_reload`
    pub states_on_reload: bool,
    /// `notification_email`, all lines.
    pub emails: Vec<At<String>>,
    /// `notification_email_from`
    pub from: Option<At<String>>,
    /// In the order of the file; the last that is good counts.
    pub servers: Vec<SmtpServer>,
    pub helo: Option<At<String>>,
    /// `smtp_connect_timeout`
    pub timeout: Option<Duration>,
    /// `smtp_alert`
    pub mail: Option<bool>,
    /// `smtp_alert_vrrp`
    pub vrrp_mail: Option<bool>,
    /// `smtp_alert_checker`
    pub checker_mail: Option<bool>,
    pub no_email_faults: bool,
    pub startup: TimedScript,
    pub shutdown: TimedScript,
    pub supplementary_groups: bool,
    pub data_use_instance: bool,
    pub second_json: bool,
    pub state_file: Option<At<String>>,
    pub stats_file: Option<At<String>>,
    pub json_file: Option<At<String>>,
    /// `enable_dbus`
    pub dbus: bool,
    /// `enable_snmp_vrrp`
    pub snmp_vrrp: bool,
    pub snmp_checker: bool,
    /// `enable_snmp_rfcv2`
    pub snmp_rfc2: bool,
    /// `enable_snmp_rfcv3`
    pub snmp_rfc3: bool,
    /// `enable_traps`
    pub traps: bool,
    /// `dbus_service_name`; the last one counts.
    pub dbus_name: Option<At<String>>,
}

/// `…notify_fifo` and `…notify_fifo_script`
#[derive(Clone, Debug, Default)]
pub struct FifoWithScript {
    pub fifo: Option<Fifo>,
    pub script: Option<Command>,
}

/// `PATH [USER [GROUP]]`
#[derive(Clone, Debug)]
pub struct Fifo {
    pub path: At<String>,
    pub owner: Option<User>,
}

/// `smtp_server HOST [PORT]`
#[derive(Clone, Debug)]
pub struct SmtpServer {
    pub host: String,
    pub port: u16,
    pub span: Span,
}

/// `startup_script` or `shutdown_script`, and its timeout.
#[derive(Clone, Debug, Default)]
pub struct TimedScript {
    pub script: Option<Command>,
    pub timeout: Option<Duration>,
}
