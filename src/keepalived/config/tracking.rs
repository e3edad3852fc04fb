//! What is tracked, and by what.

use std::collections::HashMap;
use std::time::Duration;

use super::checker::Checkers;
use super::{At, Weight};
use crate::plan::bfd::BfdSession;
use crate::plan::track::{InitFile, LinkQuery};
use crate::text::Span;

/// By one instance or group.
#[derive(Clone, Debug, Default)]
pub struct Tracking {
    pub scripts: Vec<Line>,
    pub interfaces: Vec<Line>,
    pub files: Vec<Line>,
    pub processes: Vec<Line>,
    pub sessions: Vec<Line>,
    /// Of a group: `sync_group_tracking_weight` or `global_tracking`, members may weigh.
    pub own_weights: bool,
    /// `dont_track_primary`
    pub dont_track_primary: bool,
    /// `track_src_ip`
    pub track_source: bool,
    /// `linkbeat_use_polling`
    pub linkbeat: bool,
}

/// One line of a `track_*` block.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: At<String>,
    pub weight: Option<LineWeight>,
}

/// `weight N [reverse|noreverse]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineWeight {
    pub value: i16,
    /// `None`: as what is tracked has it.
    pub reverse: Option<bool>,
}

/// What can be tracked.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    pub files: Vec<TrackFile>,
    pub processes: Vec<TrackProcess>,
    /// `linkbeat_interfaces`
    pub linkbeats: Vec<(At<String>, Option<LinkQuery>)>,
    /// `interface_up_down_delays`: down, and up where it is given.
    pub delays: Vec<(At<String>, Duration, Option<Duration>)>,
    /// `linkbeat_use_polling` outside of instances.
    pub linkbeat: bool,
    file_names: HashMap<String, usize>,
    process_names: HashMap<String, usize>,
}

impl Objects {
    /// The index of the file of this name that can be tracked; of several the first.
    pub fn file(&self, name: &str) -> Option<usize> {
        let index = *self.file_names.get(name)?;
        self.files[index].path.is_some().then_some(index)
    }

    pub(in crate::keepalived) fn add_file(&mut self, file: TrackFile) {
        let index = self.files.len();
        self.file_names.entry(file.name.value.clone()).or_insert(index);
        self.files.push(file);
    }

    /// The index of the process of this name that can be tracked; of several the first.
    pub fn process(&self, name: &str) -> Option<usize> {
        let index = *self.process_names.get(name)?;
        self.processes[index].command.is_some().then_some(index)
    }

    pub(in crate::keepalived) fn add_process(&mut self, process: TrackProcess) {
        let index = self.processes.len();
        self.process_names.entry(process.name.value.clone()).or_insert(index);
        self.processes.push(process);
    }
}

impl Checkers {
    /// The BFD session of this name that tells the vrrp process.
    pub fn tracked_session(&self, name: &str) -> Option<&BfdSession> {
        let mut sessions = self.sessions.iter().map(|at| &at.value);
        sessions.find(|session| session.name == name && session.tell_vrrp)
    }
}

/// `track_file`
#[derive(Clone, Debug)]
pub struct TrackFile {
    pub name: At<String>,
    pub path: Option<At<String>>,
    pub weight: Option<Weight>,
    pub init: Option<InitFile>,
}

impl TrackFile {
    pub fn new(name: At<String>) -> Self {
        TrackFile { name, path: None, weight: None, init: None }
    }
}

/// `vrrp_track_process`
#[derive(Clone, Debug)]
pub struct TrackProcess {
    pub name: At<String>,
    /// `process`: its words.
    pub command: Option<At<Vec<String>>>,
    pub parameters: Option<ParameterMatch>,
    pub full_command: Option<Span>,
    pub weight: Option<Weight>,
    pub quorum: Option<u32>,
    pub quorum_max: Option<u32>,
    pub fork_delay: Duration,
    pub terminate_delay: Duration,
}

/// `param_match`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterMatch {
    Initial,
    Partial,
}

impl TrackProcess {
    pub fn new(name: At<String>) -> Self {
        TrackProcess {
            name,
            command: None,
            parameters: None,
            full_command: None,
            weight: None,
            quorum: None,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }
}
