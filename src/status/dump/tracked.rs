//! What is tracked: by whom, as lists in instances and groups, and in what state, as sections.

use std::fmt::{Display, Result, Write};

use super::words;
use crate::plan::track::{Matching, TrackFile, TrackProcess, TrackScript, Tracked, Tracking};
use crate::plan::vrrp::{TrackedScript, VirtualRouter};
use crate::status::snapshot::{FileView, ProcessView, RouterView, ScriptView, Snapshot};
use crate::vrrp::process::Cause;
use crate::vrrp::track::{ScriptStatus, file_adds};

/// Whose lines are to be listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Instance,
    Group,
}

/// The lists of an instance, or those of a group, which its members have.
pub(super) fn write_lists(
    out: &mut String,
    router: &VirtualRouter,
    by: By,
    all: &Snapshot,
) -> Result {
    let Tracking { interfaces, files, processes, sessions, .. } = &*router.tracking;
    let own = |by_group: bool| by_group == (by == By::Group);
    let interfaces = interfaces.iter().filter(|it| own(it.by_group));
    let lines = interfaces.map(|it| format!("{} weight {}", it.what, weight(it)));
    write_list(out, "Tracked interfaces", lines)?;
    let lines = router.scripts.iter().filter(|it| own(it.by_group)).filter_map(|it| {
        let script = all.scripts.get(it.script.0)?;
        Some(format!("{} weight {}", script.config.name, script_weight(it)))
    });
    write_list(out, "Tracked scripts", lines)?;
    let lines = files.iter().filter(|it| own(it.by_group)).filter_map(|it| {
        let file = all.files.get(it.what.0)?;
        Some(format!("{}, weight {}", file.config.name, weight(it)))
    });
    write_list(out, "Tracked files", lines)?;
    let lines = processes.iter().filter(|it| own(it.by_group)).filter_map(|it| {
        let process = all.processes.get(it.what.0)?;
        Some(format!("{}, weight {}", process.config.name, weight(it)))
    });
    let what = if by == By::Group { "Tracked process" } else { "Tracked processes" };
    write_list(out, what, lines)?;
    let sessions = sessions.iter().filter(|it| own(it.by_group));
    let lines = sessions.map(|it| format!("{}: weight {}", it.what, weight(it)));
    write_list(out, "Tracked BFDs", lines)
}

fn write_list(out: &mut String, what: &str, lines: impl Iterator<Item = String>) -> Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(out, "   {what} :")?;
    }
    lines.try_for_each(|line| writeln!(out, "     {line}"))
}

/// `5 reverse`
pub(super) fn weight<T>(line: &Tracked<T>) -> String {
    reversible(line.weight, line.reverse)
}

fn script_weight(line: &TrackedScript) -> String {
    reversible(line.weight, line.reverse)
}

fn reversible(weight: i16, reverse: bool) -> String {
    format!("{weight}{}", if reverse { " reverse" } else { "" })
}

/// What keeps a router in fault, and how many scripts it waits for.
pub(super) fn hindrances(it: &RouterView, all: &Snapshot) -> (usize, usize) {
    let status = |line: &TrackedScript| all.scripts.get(line.script.0).map(|script| script.status);
    let deciding = || it.config.scripts.iter().filter(|line| line.weight == 0);
    let bad =
        |line: &TrackedScript| if line.reverse { ScriptStatus::Up } else { ScriptStatus::Down };
    let faulty = |line: &&TrackedScript| {
        let status = status(line);
        // Presumed to fail, by init_fail.
        let presumed = status == Some(ScriptStatus::PresumedDown) && !line.reverse;
        status == Some(bad(line)) || presumed
    };
    let waits = deciding().filter(|line| status(line) == Some(ScriptStatus::Unknown)).count();
    let Tracking { interfaces, files, processes, .. } = &*it.config.tracking;
    let up = |name: &str| all.interfaces.iter().any(|it| it.name == name && it.up);
    let interfaces = interfaces.iter().filter(|it| it.weight == 0 && up(&it.what) == it.reverse);
    let files = files.iter().filter(|line| {
        let file = all.files.get(line.what.0);
        file.is_some_and(|file| file_adds(line, file.value).is_none())
    });
    let quorum = |at: usize| all.processes.get(at).is_none_or(|it| it.up);
    let processes = processes.iter().filter(|it| it.weight == 0 && quorum(it.what.0) == it.reverse);
    let faults = deciding().filter(faulty).count()
        + interfaces.count()
        + files.count()
        + processes.count()
        + usize::from(!it.interface_up)
        + usize::from(it.config.device.is_some() && !up(&it.config.interface))
        + usize::from(it.source.is_none());
    (faults, waits)
}

/// Sections for scripts, files and processes; what nobody tracks isn't in them.
pub(super) fn write_sections(out: &mut String, all: &Snapshot) -> Result {
    let trackers = |line: &dyn Fn(&RouterView) -> Option<String>| {
        let line = |it: &RouterView| Some(format!("{}, weight {}", it.config.name, line(it)?));
        all.routers.iter().filter_map(line).collect::<Vec<String>>()
    };
    let mut begun = false;
    for (id, script) in all.scripts.iter().enumerate() {
        let line = |it: &RouterView| {
            it.config.scripts.iter().find(|line| line.script.0 == id).map(script_weight)
        };
        let trackers = trackers(&line);
        if !trackers.is_empty() {
            begin(out, &mut begun, "VRRP Scripts")?;
            write_script(out, script, &trackers)?;
        }
    }
    begun = false;
    for (id, file) in all.files.iter().enumerate() {
        let line = |it: &RouterView| {
            it.config.tracking.files.iter().find(|line| line.what.0 == id).map(weight)
        };
        let trackers = trackers(&line);
        if !trackers.is_empty() {
            begin(out, &mut begun, "VRRP Track files")?;
            write_file(out, file, &trackers)?;
        }
    }
    begun = false;
    for (id, process) in all.processes.iter().enumerate() {
        let line = |it: &RouterView| {
            it.config.tracking.processes.iter().find(|line| line.what.0 == id).map(weight)
        };
        let trackers = trackers(&line);
        if !trackers.is_empty() {
            begin(out, &mut begun, "VRRP Track processes")?;
            write_process(out, process, &trackers)?;
        }
    }
    Ok(())
}

fn begin(out: &mut String, begun: &mut bool, section: &str) -> Result {
    if std::mem::replace(begun, true) {
        return Ok(());
    }
    writeln!(out, "------< {section} >------")
}

fn write_trackers(out: &mut String, trackers: &[String]) -> Result {
    writeln!(out, "   Tracking instances :")?;
    trackers.iter().try_for_each(|line| writeln!(out, "     {line}"))
}

fn write_script(out: &mut String, it: &ScriptView, trackers: &[String]) -> Result {
    let TrackScript { name, check, interval, timeout, rise, fall, user, .. } = &it.config;
    let unknown = it.status == ScriptStatus::Unknown;
    let (uid, gid) = user.as_ref().map_or((0, 0), |user| (user.uid, user.gid));
    writeln!(out, " VRRP Script = {name}")?;
    writeln!(out, "   Command = {}", words::command(check.argv()))?;
    writeln!(out, "   Interval = {} sec", interval.as_secs_f64())?;
    writeln!(out, "   Timeout = {} sec", timeout.unwrap_or_default().as_secs_f64())?;
    writeln!(out, "   Weight = {}", reversible(it.config.weight, it.config.reverse))?;
    writeln!(out, "   Rise = {rise}")?;
    writeln!(out, "   Fall = {fall}")?;
    // keepalived's counter: good from `rise` on.
    let result = match it.status {
        ScriptStatus::Up => (rise + fall).saturating_sub(1 + it.against),
        ScriptStatus::Down | ScriptStatus::PresumedDown => it.against,
        ScriptStatus::Unknown => rise.saturating_sub(1),
    };
    writeln!(out, "   Result = {result}")?;
    writeln!(out, "   Insecure = no")?;
    writeln!(out, "   Init state = {}", if unknown { "INIT" } else { "unknown" })?;
    let good = it.status == ScriptStatus::Up;
    writeln!(out, "   Status = {}", if good { "GOOD" } else { "BAD" })?;
    writeln!(out, "   Script uid:gid = {uid}:{gid}")?;
    writeln!(out, "   VRRP instances :")?;
    write_trackers(out, trackers)?;
    writeln!(out, "   State = {}", if it.running { "running" } else { "idle" })
}

fn write_file(out: &mut String, it: &FileView, trackers: &[String]) -> Result {
    let TrackFile { name, path, weight, reverse, .. } = &it.config;
    writeln!(out, " Track file = {name}")?;
    writeln!(out, "   File = {}", path.display())?;
    writeln!(out, "   Status = {}", it.value.unwrap_or_default())?;
    writeln!(out, "   Weight = {}", reversible(*weight, *reverse))?;
    write_trackers(out, trackers)
}

fn write_process(out: &mut String, it: &ProcessView, trackers: &[String]) -> Result {
    let TrackProcess { name, program, parameters, matching, quorum, quorum_max, .. } = &it.config;
    writeln!(out, " VRRP Track process = {name}")?;
    writeln!(out, "   Process = {program}")?;
    if !parameters.is_empty() {
        writeln!(out, "   Parameters = {}", parameters.join(" "))?;
    }
    match matching {
        Matching::Name | Matching::Command => {}
        Matching::Exact => writeln!(out, "   Param match")?,
        Matching::Initial => writeln!(out, "   Param match = initial")?,
        Matching::Partial => writeln!(out, "   Param match = partial")?,
    }
    let mut line = |key: &str, value: &dyn Display| writeln!(out, "   {key} = {value}");
    line("Min processes", quorum)?;
    if let Some(most) = quorum_max {
        line("Max processes", most)?;
    }
    line("Current processes", &it.count)?;
    line("Have quorum", &it.up)?;
    line("Weight", &reversible(it.config.weight, it.config.reverse))?;
    line("Terminate delay", &format!("{:.6}s", it.config.terminate_delay.as_secs_f64()))?;
    line("Fork delay", &format!("{:.6}s", it.config.fork_delay.as_secs_f64()))?;
    let runs = |cause| if it.waits_for == Some(cause) { "running" } else { "not running" };
    writeln!(out, "   Fork delay timer {}", runs(Cause::Fork))?;
    writeln!(out, "   Terminate delay timer {}", runs(Cause::End))?;
    writeln!(out, "   Full command = {}", *matching != Matching::Name)?;
    write_trackers(out, trackers)
}
