//! What the results of tracked scripts make of a router: its effective priority, or a fault.
//!
//! keepalived.conf(5), "track_script". A weight of 0: while the script fails, the router is in
//! fault. A positive weight is added while it succeeds, a negative one subtracted while it fails;
//! `reverse` subtracts a positive weight while it succeeds and adds a negative one while it fails.
//! The sum stays within 1..=254, and an address owner (255) stays one whatever its scripts say.

use serde::{Deserialize, Serialize};

use crate::plan::track::ScriptId;
use crate::plan::vrrp::{TrackedScript, VirtualRouter};

/// What a script's runs amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptStatus {
    /// No result yet.
    Unknown,
    Up,
    Down,
}

/// What tracking makes of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The effective priority, 1..=255.
    pub priority: u8,
    pub standing: Standing,
}

/// May a router take part?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    Fit,
    /// A script of weight 0 has no result yet: a router that hasn't begun waits for it.
    Waiting,
    /// A script of weight 0 fails.
    Faulty,
}

/// The verdict on a router, given what each script's runs amount to.
pub fn weigh(router: &VirtualRouter, status: impl Fn(ScriptId) -> ScriptStatus) -> Verdict {
    let mut sum = i32::from(router.priority);
    let mut standing = Standing::Fit;
    for tracked in &router.scripts {
        let status = status(tracked.script);
        sum += adjustment(tracked, status);
        standing = worse(standing, standing_of(tracked, status));
    }
    let priority = if router.priority == 255 { 255 } else { sum.clamp(1, 254) as u8 };
    Verdict { priority, standing }
}

fn adjustment(tracked: &TrackedScript, status: ScriptStatus) -> i32 {
    let weight = i32::from(tracked.weight);
    let counts = match status {
        ScriptStatus::Unknown => false,
        ScriptStatus::Up => weight > 0,
        ScriptStatus::Down => weight < 0,
    };
    match (counts, tracked.reverse) {
        (false, _) => 0,
        (true, false) => weight,
        (true, true) => -weight,
    }
}

fn standing_of(tracked: &TrackedScript, status: ScriptStatus) -> Standing {
    match status {
        _ if tracked.weight != 0 => Standing::Fit,
        ScriptStatus::Unknown => Standing::Waiting,
        ScriptStatus::Up if tracked.reverse => Standing::Faulty,
        ScriptStatus::Down if !tracked.reverse => Standing::Faulty,
        ScriptStatus::Up | ScriptStatus::Down => Standing::Fit,
    }
}

/// The worse of two.
pub fn worse(a: Standing, b: Standing) -> Standing {
    match (a, b) {
        (Standing::Faulty, _) | (_, Standing::Faulty) => Standing::Faulty,
        (Standing::Waiting, _) | (_, Standing::Waiting) => Standing::Waiting,
        (Standing::Fit, Standing::Fit) => Standing::Fit,
    }
}
