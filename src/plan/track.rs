//! What virtual routers keep an eye on.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rare::Unsaid;
use super::{is_default, seconds};
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

/// Index into [`TrackedObjects::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub usize);

/// Index into [`TrackedObjects::processes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId(pub usize);

/// What an instance tracks besides scripts, by its own lines and by those of its sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracking {
    #[serde(skip_serializing_if = "is_default")]
    pub interfaces: Vec<Tracked<String>>,
    #[serde(skip_serializing_if = "is_default")]
    pub files: Vec<Tracked<FileId>>,
    #[serde(skip_serializing_if = "is_default")]
    pub processes: Vec<Tracked<ProcessId>>,
    /// BFD sessions by name. Nothing speaks BFD yet, so that they count for nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub sessions: Vec<Tracked<String>>,
    /// `dont_track_primary`: its own interface may be down.
    #[serde(skip_serializing_if = "is_default")]
    pub dont_track_primary: bool,
    /// `track_src_ip`: fault while this host doesn't have the configured source address.
    #[serde(skip_serializing_if = "is_default")]
    pub track_source: bool,
}

impl Unsaid for Tracking {
    const UNSAID: &'static Self = &Tracking {
        interfaces: Vec::new(),
        files: Vec::new(),
        processes: Vec::new(),
        sessions: Vec::new(),
        dont_track_primary: false,
        track_source: false,
    };
}

/// One line of a `track_*` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked<T> {
    pub what: T,
    /// -254..=254; 0: what is tracked decides between fit and fault.
    pub weight: i16,
    /// `reverse`: up and down change places; a file's value changes its sign.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// The line stands in the sync group.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by_group: bool,
}

/// What can be tracked besides scripts and interfaces, and how links are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackedObjects {
    #[serde(skip_serializing_if = "is_default")]
    pub files: Vec<TrackFile>,
    #[serde(skip_serializing_if = "is_default")]
    pub processes: Vec<TrackProcess>,
    #[serde(skip_serializing_if = "is_default")]
    pub linkbeats: Vec<Linkbeat>,
    #[serde(skip_serializing_if = "is_default")]
    pub delays: Vec<LinkDelay>,
}

/// One line of `interface_up_down_delays`: how long a change of the link has to last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDelay {
    pub interface: String,
    #[serde(with = "seconds")]
    pub down: Duration,
    #[serde(with = "seconds")]
    pub up: Duration,
}

/// The longest that a change of a router's link may wait for, as 2.2.7 was seen to reckon: one
/// advert less than a backup waits for, and the skew of an address owner less.
pub fn link_patience(interval: Duration, down_timer_adverts: u8) -> Duration {
    let adverts = u32::from(down_timer_adverts.saturating_sub(1));
    (interval * adverts).saturating_sub(interval / 256)
}

/// `track_file`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackFile {
    pub name: String,
    pub path: PathBuf,
    /// What lines without a weight of their own use; -254..=254.
    pub weight: i16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// `init_file`
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: Option<InitFile>,
    pub span: Span,
}

/// What is written into the file at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitFile {
    pub value: i32,
    /// Even where there is a file.
    pub overwrite: bool,
}

/// `vrrp_track_process`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcess {
    pub name: String,
    /// The process's name, or the first word of its command line.
    pub program: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub parameters: Vec<String>,
    pub matching: Matching,
    /// What lines without a weight of their own use; -254..=254.
    pub weight: i16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// It is up while at least this many run; 0 only with a `quorum_max` of 0.
    pub quorum: u32,
    /// And at most this many.
    pub quorum_max: Option<u32>,
    /// How long a change has to last that a fork has brought.
    #[serde(with = "seconds")]
    pub fork_delay: Duration,
    /// How long a change has to last that the end of a process has brought.
    #[serde(with = "seconds")]
    pub terminate_delay: Duration,
    pub span: Span,
}

/// How a process is compared with `process PROGRAM [PARAMETER...]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The kernel's name for it (`/proc/PID/comm`), at most 15 bytes.
    Name,
    /// `full_command` without parameters: the first word of its command line.
    Command,
    /// That word and all parameters.
    Exact,
    /// `param_match initial`: the command line begins with that word and these parameters, of
    /// which the last may go on.
    Initial,
    /// `param_match partial`: that word, and the first parameters are these.
    Partial,
}

/// One line of `linkbeat_interfaces`: the link is asked for instead of believing the kernel's news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkbeat {
    pub interface: String,
    /// What to ask by first; `None`: MII, then ethtool, then the interface's flags.
    pub by: Option<LinkQuery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LinkQuery {
    Mii,
    Ethtool,
    Ioctl,
}
