//! What tracked scripts, interfaces, files and processes make of a router: its effective priority,
//! or a fault.
//!
//! keepalived.conf(5), "track_script" and the like. Whatever is tracked is up or down; of a file
//! that is tracked with a weight of 0, a value other than 0 is down. A weight of 0: while it is
//! down, the router is in fault (with `reverse`: while it is up). A positive weight is added while
//! it is up, a negative one subtracted while it is down; `reverse` turns the sign. A file with a
//! weight adds its value times that weight; less than -253 is a fault. The sum stays within 1..=254,
//! and an address owner (255) stays one whatever it tracks.

use serde::{Deserialize, Serialize};

use crate::plan::track::{FileId, ProcessId, ScriptId, Tracked};
use crate::plan::vrrp::{TrackedScript, VirtualRouter};

/// What a file can add at most, and take at most without being a fault.
const MOST: i64 = 253;

/// What a script's runs amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptStatus {
    /// No result yet.
    Unknown,
    /// No result yet, and `init_fail`: called down in keepalived's dump, and nothing else comes of
    /// it (measured: neither a fault nor a weight, not even by a reload).
    PresumedDown,
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

/// What is known of all that can be tracked.
pub trait Watched {
    fn script(&self, script: ScriptId) -> ScriptStatus;

    /// Is it up?
    fn interface(&self, _name: &str) -> bool {
        true
    }

    /// Its value; `None`: it can't be tracked, and counts for nothing.
    fn file(&self, _file: FileId) -> Option<i32> {
        None
    }

    /// Do as many run as there should?
    fn process(&self, _process: ProcessId) -> bool {
        true
    }
}

/// Where only scripts are tracked.
impl<F: Fn(ScriptId) -> ScriptStatus> Watched for F {
    fn script(&self, script: ScriptId) -> ScriptStatus {
        self(script)
    }
}

/// The verdict on a router, given what is known of all that it tracks.
pub fn weigh(router: &VirtualRouter, watched: &impl Watched) -> Verdict {
    let mut sum = i64::from(router.priority);
    let mut standing = Standing::Fit;
    let mut count = |(adds, its): (i64, Standing)| {
        sum += adds;
        standing = worse(standing, its);
    };
    for line in &router.scripts {
        count(script(line, watched.script(line.script)));
    }
    for line in &router.tracking.interfaces {
        count(up_or_down(line, watched.interface(&line.what)));
    }
    for line in &router.tracking.files {
        count(file(line, watched.file(line.what)));
    }
    for line in &router.tracking.processes {
        count(up_or_down(line, watched.process(line.what)));
    }
    let priority = if router.priority == 255 { 255 } else { sum.clamp(1, 254) as u8 };
    Verdict { priority, standing }
}

/// What a script of this status adds, and whether it is a fault.
pub fn script(line: &TrackedScript, status: ScriptStatus) -> (i64, Standing) {
    let TrackedScript { weight, reverse, .. } = *line;
    match status {
        ScriptStatus::Unknown | ScriptStatus::PresumedDown => {
            (0, if weight == 0 { Standing::Waiting } else { Standing::Fit })
        }
        ScriptStatus::Down => either(weight, reverse, false),
        ScriptStatus::Up => either(weight, reverse, true),
    }
}

fn up_or_down<T>(line: &Tracked<T>, up: bool) -> (i64, Standing) {
    either(line.weight, line.reverse, up)
}

fn either(weight: i16, reverse: bool, up: bool) -> (i64, Standing) {
    let adds = if (weight > 0) == up { i64::from(weight) } else { 0 };
    match weight {
        0 if up == reverse => (0, Standing::Faulty),
        0 => (0, Standing::Fit),
        _ if reverse => (-adds, Standing::Fit),
        _ => (adds, Standing::Fit),
    }
}

fn file(line: &Tracked<FileId>, value: Option<i32>) -> (i64, Standing) {
    match file_adds(line, value) {
        Some(adds) => (adds, Standing::Fit),
        None => (0, Standing::Faulty),
    }
}

/// What a file of this value adds; `None`: it is a fault.
pub fn file_adds(line: &Tracked<FileId>, value: Option<i32>) -> Option<i64> {
    let status = file_status(line, value?.into());
    (status >= -MOST).then_some(status.min(MOST))
}

/// What keepalived's log calls the file's status. Below -253 it is a fault.
pub fn file_status(line: &Tracked<FileId>, value: i64) -> i64 {
    match (line.weight, line.reverse) {
        (0, reverse) if (value == 0) == reverse => -MOST - 1,
        (0, _) => 0,
        (weight, false) => value * i64::from(weight),
        (weight, true) => -value * i64::from(weight),
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
