//! What differs between the three faces of a supervisor: names, files, words and habits.

use std::ffi::OsString;
use std::path::PathBuf;

use super::upgrade::Invocation;
use crate::runtime::log;

/// As whom the supervisor appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any roles; one that ends because somebody stopped it stays stopped.
    Evenkeel,
    /// keepalived's parent process: its child always comes back.
    Keepalived,
    /// nginx's master process: its worker always comes back.
    Nginx,
}

/// A supervisor's appearance.
#[derive(Clone, Debug)]
pub struct Face {
    pub kind: Kind,
    pub stream: Appearance,
    pub vrrp: Appearance,
    /// The supervisor's own; `None`: the plan's (nginx), or none.
    pub pid_file: Option<PathBuf>,
    /// The vrrp role's.
    pub vrrp_pid_file: Option<PathBuf>,
    /// `reload_file` without a path.
    pub reload_file: PathBuf,
    /// How the supervisor logs.
    pub log: log::Settings,
    /// Roles get no standard error: the daemon is in the background, and logs elsewhere.
    pub mute: bool,
    /// How to start this program's successor; `None`: it has none.
    pub invocation: Option<Invocation>,
    /// A role that died is started again.
    pub respawn: bool,
}

/// How a role's process looks to `ps`.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// argv[0]
    pub title: OsString,
    pub arguments: Vec<OsString>,
    pub log: log::Settings,
}

/// The two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleKind {
    Vrrp,
    Stream,
}

impl RoleKind {
    pub const ALL: [RoleKind; 2] = [RoleKind::Vrrp, RoleKind::Stream];

    /// The value of `EVENKEEL_ROLE`.
    pub fn word(self) -> &'static str {
        match self {
            RoleKind::Vrrp => "vrrp",
            RoleKind::Stream => "stream",
        }
    }

    /// The inverse of [`word`](Self::word).
    pub fn named(word: &str) -> Option<RoleKind> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What other people's tools look for in `/proc/PID/comm`.
    pub fn process_name(self) -> &'static str {
        match self {
            RoleKind::Vrrp => "keepalived",
            RoleKind::Stream => "nginx",
        }
    }
}

impl Face {
    pub(super) fn appearance(&self, role: RoleKind) -> &Appearance {
        match role {
            RoleKind::Vrrp => &self.vrrp,
            RoleKind::Stream => &self.stream,
        }
    }
}
