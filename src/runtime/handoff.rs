//! What the supervisor and a role say to each other, over an AF_UNIX SOCK_SEQPACKET pair.
//!
//! A plan travels in a memfd (JSON, secrets revealed), listening sockets as SCM_RIGHTS.

use serde::{Deserialize, Serialize};

use crate::plan::vrrp::VirtualAddress;

/// From the supervisor to a role. `Start` and `Reload` carry the role's slice of the Plan in a
/// memfd, and for the stream role its listening sockets in the order of
/// [`StreamPlan::listeners`](crate::plan::StreamPlan::listeners).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    Start,
    Reload,
    /// End gracefully: sessions finish first.
    Quit,
    /// End at once, in an orderly way.
    Stop,
    /// Open log files anew.
    Reopen,
}

/// From a role to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// It runs by the plan of the last `Start` or `Reload`.
    Ready,
    /// It can't; the old plan, if there was one, runs on.
    Failed { message: String },
    /// The role itself got SIGHUP (somebody used its pid): please reload.
    WantReload,
    /// All virtual addresses that the role holds now, each with its interface: what has to be
    /// removed should it die.
    Holding(Vec<Held>),
}

/// A virtual address on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub interface: String,
    pub address: VirtualAddress,
}
