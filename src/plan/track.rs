//! What virtual routers keep an eye on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::text::Span;

/// Index into [`VrrpPlan::scripts`](super::VrrpPlan::scripts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScriptId(pub usize);

/// One `vrrp_script`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScript {
    pub name: String,
    pub check: Check,
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// `None` (no `timeout` in the config): as long as the interval.
    #[serde(with = "seconds::option")]
    pub timeout: Option<Duration>,
    /// `weight`: what `track_script` lines without a weight of their own use; -253..=253.
    pub weight: i16,
    /// `weight N reverse`
    #[serde(default)]
    pub reverse: bool,
    /// Successes in a row until it counts as up; at least 1.
    pub rise: u32,
    /// Failures in a row until it counts as down; at least 1.
    pub fall: u32,
    /// `init_fail`: counts as down until the first result.
    pub init_fail: bool,
    pub user: Option<RunAs>,
    pub span: Span,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A real process.
    Command { argv: Vec<String> },
    /// A well-known check for a process by name, answered without a fork. A zombie counts as dead,
    /// which is the one difference from the tool.
    Process { tool: ProcessTool, name: String, argv: Vec<String> },
}

impl Check {
    /// The command as the config has it.
    pub fn argv(&self) -> &[String] {
        match self {
            Check::Command { argv } | Check::Process { argv, .. } => argv,
        }
    }
}

/// Whose rules of matching a name apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessTool {
    /// `killall -0 NAME` (psmisc)
    Killall,
    /// `pidof NAME` (sysvinit-utils)
    Pidof,
    /// `pgrep -x NAME` (procps)
    Pgrep,
}

/// A user and group that were resolved when the config was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups (`set_supplementary_groups`); else it has none but `gid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
}

/// What an instance or a group tracks besides scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracking {}

/// What can be tracked besides scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackedObjects {}
