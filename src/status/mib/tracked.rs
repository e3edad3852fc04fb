//! KEEPALIVED-MIB: what is tracked, by whom, and how it stands.

use super::{Objects, place, truth};
use crate::agentx::Value;
use crate::plan::track::{Matching, Tracking};
use crate::plan::vrrp::VirtualRouter;
use crate::status::dump::words;
use crate::status::snapshot::Snapshot;
use crate::vrrp::track::ScriptStatus;

/// Tables of an instance's lines, and of a group's: interfaces, scripts, files, processes.
const OF_INSTANCE: [[u32; 2]; 4] = [[2, 4], [2, 5], [2, 12], [2, 20]];
const OF_GROUP: [[u32; 2]; 4] = [[2, 14], [2, 15], [2, 16], [2, 22]];
const SCRIPTS: [u32; 2] = [2, 9];
const FILES: [u32; 2] = [2, 13];
const PROCESSES: [u32; 2] = [2, 21];

pub(super) fn write(out: &mut Objects, all: &Snapshot) {
    for [interfaces, others @ ..] in [OF_INSTANCE, OF_GROUP] {
        out.kinds(&[interfaces[0], interfaces[1], 1], 1..=3);
        for [vrrp, table] in others {
            out.kinds(&[vrrp, table, 1], 2..=4);
        }
    }
    for ([vrrp, table], last) in [(SCRIPTS, 9), (FILES, 6), (PROCESSES, 14)] {
        out.kinds(&[vrrp, table, 1], 2..=last);
    }
    for (at, router) in all.routers.iter().enumerate() {
        write_lines(out, OF_INSTANCE, place(at), &router.config, false, all);
    }
    for (at, group) in all.groups.iter().enumerate() {
        if let Some(member) = group.members.first().and_then(|member| all.routers.get(*member)) {
            write_lines(out, OF_GROUP, place(at), &member.config, true, all);
        }
    }
    write_scripts(out, all);
    write_files(out, all);
    write_processes(out, all);
}

/// One line of a `track_*` block: name, weight, reverse.
type Line = (String, i16, bool);

/// Measured: lines that track a file or a process show the weight of that, not their own.
fn write_lines(
    out: &mut Objects,
    tables: [[u32; 2]; 4],
    at: u32,
    router: &VirtualRouter,
    by_group: bool,
    all: &Snapshot,
) {
    let Tracking { interfaces, files, processes, .. } = &*router.tracking;
    let interfaces: Vec<Line> = interfaces
        .iter()
        .filter(|line| line.by_group == by_group)
        .map(|line| (line.what.clone(), line.weight, line.reverse))
        .collect();
    let scripts: Vec<Line> = router
        .scripts
        .iter()
        .filter(|line| line.by_group == by_group)
        .filter_map(|line| {
            let script = all.scripts.get(line.script.0)?;
            Some((script.config.name.clone(), line.weight, line.reverse))
        })
        .collect();
    let files: Vec<Line> = files
        .iter()
        .filter(|line| line.by_group == by_group)
        .filter_map(|line| Some(&all.files.get(line.what.0)?.config))
        .map(|it| (it.name.clone(), it.weight, it.reverse))
        .collect();
    let processes: Vec<Line> = processes
        .iter()
        .filter(|line| line.by_group == by_group)
        .filter_map(|line| Some(&all.processes.get(line.what.0)?.config))
        .map(|it| (it.name.clone(), it.weight, it.reverse))
        .collect();
    for ((which, table), lines) in
        tables.iter().enumerate().zip([interfaces, scripts, files, processes])
    {
        // Interfaces begin with the name where the others have their number.
        let first = if which == 0 { 1 } else { 2 };
        for (line, (name, weight, reverse)) in lines.into_iter().enumerate() {
            let mut row = out.row(table, &[at, place(line)]);
            row.put(first, Value::text(&name));
            row.put(first + 1, Value::Integer(weight.into()));
            row.put(first + 2, truth(reverse));
        }
    }
}

/// Of all three: what nobody tracks isn't there.
fn is_tracked(all: &Snapshot, by: impl Fn(&VirtualRouter) -> bool) -> bool {
    all.routers.iter().any(|router| by(&router.config))
}

fn write_scripts(out: &mut Objects, all: &Snapshot) {
    let tracked = all.scripts.iter().enumerate().filter(|(id, _)| {
        is_tracked(all, |router| router.scripts.iter().any(|line| line.script.0 == *id))
    });
    for (at, (_, script)) in tracked.enumerate() {
        let config = &script.config;
        let mut row = out.row(&SCRIPTS, &[place(at)]);
        row.put(2, Value::text(&config.name));
        row.put(3, Value::text(&words::command(config.check.argv())));
        row.put(4, Value::Integer(config.interval.as_secs() as i32));
        row.put(5, Value::Integer(config.weight.into()));
        let result = match script.status {
            ScriptStatus::Unknown => 1,
            ScriptStatus::Down => 2,
            ScriptStatus::Up => 3,
            ScriptStatus::PresumedDown => 5,
        };
        row.put(6, Value::Integer(result));
        row.put(7, Value::Gauge32(config.rise));
        row.put(8, Value::Gauge32(config.fall));
        row.put(9, truth(config.reverse));
    }
}

fn write_files(out: &mut Objects, all: &Snapshot) {
    let tracked = all.files.iter().enumerate().filter(|(id, _)| {
        is_tracked(all, |router| router.tracking.files.iter().any(|line| line.what.0 == *id))
    });
    for (at, (_, file)) in tracked.enumerate() {
        let config = &file.config;
        let mut row = out.row(&FILES, &[place(at)]);
        row.put(2, Value::text(&config.name));
        row.put(3, Value::text(&config.path.to_string_lossy()));
        row.put(4, Value::Integer(file.value.unwrap_or_default()));
        row.put(5, Value::Integer(config.weight.into()));
        row.put(6, truth(config.reverse));
    }
}

fn write_processes(out: &mut Objects, all: &Snapshot) {
    let tracked = all.processes.iter().enumerate().filter(|(id, _)| {
        is_tracked(all, |router| router.tracking.processes.iter().any(|it| it.what.0 == *id))
    });
    for (at, (_, process)) in tracked.enumerate() {
        let config = &process.config;
        let mut row = out.row(&PROCESSES, &[place(at)]);
        row.put(2, Value::text(&config.name));
        row.put(3, Value::text(&config.program));
        row.put(4, Value::text(&config.parameters.join(" ")));
        let matching = match config.matching {
            Matching::Name | Matching::Command => 0,
            Matching::Exact => 1,
            Matching::Initial => 2,
            Matching::Partial => 3,
        };
        row.put(5, Value::Integer(matching));
        row.put(6, Value::Integer(config.weight.into()));
        row.put(7, truth(config.reverse));
        row.put(8, Value::Gauge32(config.quorum));
        let most = config.quorum_max.map_or(-1, |most| most as i32);
        row.put(9, Value::Integer(most));
        row.put(10, Value::Gauge32(config.fork_delay.as_micros() as u32));
        row.put(11, Value::Gauge32(config.terminate_delay.as_micros() as u32));
        row.put(12, truth(config.matching != Matching::Name));
        row.put(13, Value::Integer(process.count as i32));
        row.put(14, truth(process.up));
    }
}
