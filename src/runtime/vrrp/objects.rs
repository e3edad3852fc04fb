//! Tracked files and processes, joined to the probe.

use std::io;
use std::time::Instant;

use super::deeds::log;
use crate::plan::VrrpPlan;
use crate::plan::track::{FileId, InitFile, ProcessId, TrackFile};
use crate::runtime::probe::{CheckKey, Finding, Probe, census, files};
use crate::status::snapshot::{FileView, ProcessView};
use crate::vrrp::process::{Action, Event, Process};

/// The probe's keys of scripts are smaller.
const FIRST_KEY: CheckKey = 1 << 32;

/// All of the plan, in its order.
#[derive(Debug, Default)]
pub(super) struct Objects {
    files: Vec<File>,
    processes: Vec<Tracked>,
    keys: CheckKey,
}

#[derive(Debug)]
struct File {
    key: CheckKey,
    plan: TrackFile,
    /// `None`: it can't be tracked, or no router does.
    value: Option<i32>,
    watched: bool,
}

#[derive(Debug)]
struct Tracked {
    key: CheckKey,
    machine: Process,
    watched: bool,
}

/// What the probe has found out.
pub(super) enum News {
    /// A file has another value now.
    File { file: FileId, before: Option<i32>, after: Option<i32> },
    /// A process gained or lost its quorum.
    Process,
}

impl Objects {
    /// By a new plan: what has the same name goes on. What no router tracks is left alone.
    pub(super) fn replace(&mut self, now: Instant, plan: &VrrpPlan, probe: &Probe) {
        self.replace_files(plan, probe);
        self.replace_processes(now, plan, probe);
    }

    fn key(&mut self) -> CheckKey {
        self.keys += 1;
        FIRST_KEY + self.keys
    }

    fn replace_files(&mut self, plan: &VrrpPlan, probe: &Probe) {
        let mut before = std::mem::take(&mut self.files);
        for (id, new) in plan.tracked.files.iter().enumerate() {
            let mut lines = plan.routers.iter().flat_map(|router| &router.tracking.files);
            let used = lines.any(|line| line.what == FileId(id));
            let same = |file: &File| file.plan.name == new.name && file.plan.path == new.path;
            let known = before.iter().position(|file| same(file) && file.watched && used);
            let file = match known {
                Some(at) => File { plan: new.clone(), ..before.swap_remove(at) },
                None => {
                    let file =
                        File { key: self.key(), plan: new.clone(), value: None, watched: false };
                    if used { begin(file, probe) } else { file }
                }
            };
            self.files.push(file);
        }
        before.iter().filter(|file| file.watched).for_each(|file| probe.forget(file.key));
    }

    fn replace_processes(&mut self, now: Instant, plan: &VrrpPlan, probe: &Probe) {
        let mut before = std::mem::take(&mut self.processes);
        for (id, new) in plan.tracked.processes.iter().enumerate() {
            let mut lines = plan.routers.iter().flat_map(|router| &router.tracking.processes);
            let used = lines.any(|line| line.what == ProcessId(id));
            let known = before.iter().position(|it| it.machine.plan().name == new.name);
            let mut tracked = match known {
                Some(at) => before.swap_remove(at),
                None => {
                    let count = if used { census::count(new) } else { 0 };
                    let machine = Process::new(new.clone(), count);
                    Tracked { key: self.key(), machine, watched: false }
                }
            };
            let differs = tracked.machine.plan() != new;
            if known.is_some() && (differs || (used && !tracked.watched)) {
                let count = if used { census::count(new) } else { 0 };
                tracked.tell(now, Event::Reconfigure(Box::new(new.clone()), count));
            }
            match (tracked.watched, used) {
                (watched, true) if differs || !watched => {
                    probe.track_process(tracked.key, new.clone());
                }
                (true, false) => probe.forget(tracked.key),
                _ => {}
            }
            tracked.watched = used;
            self.processes.push(tracked);
        }
        before.iter().filter(|it| it.watched).for_each(|it| probe.forget(it.key));
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.processes.iter().filter_map(|it| it.machine.deadline()).min()
    }

    /// Serves the timers whose time has come.
    pub(super) fn time_out(&mut self, now: Instant) {
        for it in &mut self.processes {
            if it.machine.deadline().is_some_and(|deadline| deadline <= now) {
                it.tell(now, Event::Timeout);
            }
        }
    }

    /// What the probe has found out, if it is about files or processes and changes anything.
    pub(super) fn hear(&mut self, now: Instant, finding: &Finding) -> Option<News> {
        match finding {
            Finding::File { file, value } => {
                // What a reload has removed may still have something to say.
                let at = self.files.iter().position(|it| it.key == *file && it.watched)?;
                let before = self.files[at].value;
                match value {
                    Ok(value) => self.files[at].value = Some(*value),
                    Err(message) => tracing::info!("{message}"),
                }
                let after = self.files[at].value;
                (before != after).then_some(News::File { file: FileId(at), before, after })
            }
            Finding::Counted { check, count, cause } => {
                let it = self.processes.iter_mut().find(|it| it.key == *check)?;
                it.tell(now, Event::Counted(*count, *cause)).then_some(News::Process)
            }
            _ => None,
        }
    }

    pub(super) fn file(&self, file: FileId) -> Option<i32> {
        self.files.get(file.0)?.value
    }

    pub(super) fn file_name(&self, file: FileId) -> &str {
        self.files.get(file.0).map_or("", |file| &file.plan.name)
    }

    pub(super) fn process(&self, process: ProcessId) -> bool {
        self.processes.get(process.0).is_none_or(|it| it.machine.is_up())
    }

    pub(super) fn process_name(&self, process: ProcessId) -> &str {
        self.processes.get(process.0).map_or("", |it| &it.machine.plan().name)
    }

    pub(super) fn file_views(&self) -> Vec<FileView> {
        let view = |file: &File| FileView { config: file.plan.clone(), value: file.value };
        self.files.iter().map(view).collect()
    }

    pub(super) fn process_views(&self) -> Vec<ProcessView> {
        let view = |machine: &Process| ProcessView {
            config: machine.plan().clone(),
            count: machine.count(),
            up: machine.is_up(),
            waits_for: machine.waits_for(),
        };
        self.processes.iter().map(|it| view(&it.machine)).collect()
    }
}

impl Tracked {
    /// Whether its status has changed.
    fn tell(&mut self, now: Instant, event: Event) -> bool {
        let mut actions = Vec::new();
        self.machine.handle(now, event, &mut actions);
        let mut changed = false;
        for action in actions {
            match action {
                Action::Status(_) => changed = true,
                Action::Log(level, line) => log(level, &line),
            }
        }
        changed
    }
}

/// Writes the files that the plan wants to be there, tracked or not. Those that are there are
/// overwritten only when the daemon starts: not by a reload, and not when the role has died and
/// another one begins. (There keepalived writes them anew, and what was in them is lost.)
pub(super) fn init_files(plan: &VrrpPlan, daemon_starts: bool) {
    for file in plan.tracked.files.iter().filter(|file| !file.path.as_os_str().is_empty()) {
        let Some(init) = file.init else { continue };
        let init = InitFile { overwrite: init.overwrite && daemon_starts, ..init };
        if let Err(error) = files::init(&file.path, init) {
            if error.kind() == io::ErrorKind::InvalidInput {
                let name = &file.name;
                let why = "it is not a regular file";
                tracing::warn!("Cannot initialise track file {name} - {why}");
                continue;
            }
            let (path, number) = (file.path.display(), error.raw_os_error().unwrap_or_default());
            let why = io::Error::from_raw_os_error(number).to_string();
            let why = why.split(" (os error").next().unwrap_or_default();
            tracing::warn!("Unable to open '{path}' - errno {number} ({why})");
            tracing::warn!("Unable to initialise track file {}", file.name);
        }
    }
}

/// A file that nobody watched is, if that can be.
fn begin(file: File, probe: &Probe) -> File {
    let path = &file.plan.path;
    if !files::can_be_tracked(path) {
        let name = &file.plan.name;
        tracing::info!("Track file directory for {name} does not exist - removing");
        return file;
    }
    let value = files::read(path).unwrap_or_else(|message| {
        tracing::info!("{message}");
        0
    });
    probe.track_file(file.key, path.clone());
    File { value: Some(value), watched: true, ..file }
}
