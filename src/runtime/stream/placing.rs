//! What main-context directives ask the kernel for on behalf of workers. As in nginx, what can't be
//! had costs a line in the log, worded as there.

use std::io;
use std::thread::available_parallelism;

use super::service::Generation;
use crate::kernel::{process, scheduling};
use crate::plan::process::LogLevel;
use crate::proxy::message::Errno;

/// For the whole process, with the rights of now. Workers that are started later inherit the
/// priority.
pub(super) fn place_process(generation: &Generation) {
    let placement = &generation.process.placement;
    if let Some(limit) = generation.process.rlimit_nofile {
        let done = process::allow_descriptors(limit);
        complain(generation, &format!("setrlimit(RLIMIT_NOFILE, {limit})"), done);
    }
    if let Some(limit) = placement.core_limit {
        let done = process::limit_core_dumps(limit);
        complain(generation, &format!("setrlimit(RLIMIT_CORE, {limit})"), done);
    }
    set_priority(generation);
    if let Some(folder) = &placement.folder {
        let done = std::env::set_current_dir(folder);
        complain(generation, &format!("chdir(\"{}\")", folder.display()), done);
    }
}

/// For the thread of this worker, whose process had another plan before, if it is `settled`.
pub(super) fn place_worker(generation: &Generation, worker: usize, settled: bool) {
    if settled {
        set_priority(generation);
    }
    let Some(affinity) = &generation.process.placement.affinity else {
        if settled {
            // All that the process may use, as threads that are started now.
            let _ = scheduling::run_as_process();
        }
        return;
    };
    let cpus = affinity.cpus(worker, available_parallelism().map_or(1, usize::from));
    for cpu in &cpus {
        let text = format_args!("sched_setaffinity(): using cpu #{cpu}");
        generation.log.write(LogLevel::Notice, None, text);
    }
    complain(generation, "sched_setaffinity()", scheduling::run_on(&cpus));
}

fn set_priority(generation: &Generation) {
    if let Some(nice) = generation.process.placement.nice {
        complain(generation, &format!("setpriority({nice})"), scheduling::be_nice(nice));
    }
}

fn complain(generation: &Generation, call: &str, done: io::Result<()>) {
    if let Err(error) = done {
        let text = format_args!("{call} failed {}", Errno(&error));
        generation.log.write(LogLevel::Alert, None, text);
    }
}
