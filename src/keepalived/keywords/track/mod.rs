//! What instances and groups keep an eye on: the blocks of files and processes, and the lines that
//! name them (keepalived.conf(5), "Track files", "VRRP track processes").
//!
//! [`lines`] reads the `track_*` blocks of instances and groups, [`file`] and [`process`] what can
//! stand in those two blocks, [`link`] `linkbeat_interfaces`.

mod file;
pub(super) mod lines;
pub(super) mod link;
mod process;

use super::Row;

const FILE: &[&str] = &["track_file", "vrrp_track_file"];
const PROCESS: &[&str] = &["vrrp_track_process"];

pub(super) const TABLE: &[Row] = &[
    Row::of(&["main"], "track_file", "NAME", "A file whose value moves priorities")
        .block("track_file")
        .full(file::begin),
    Row::of(&["main"], "vrrp_track_file", "NAME", "Old name of track_file")
        .block("vrrp_track_file")
        .full(file::begin),
    Row::of(FILE, "file", "PATH", "The file").bare().full(file::path),
    Row::of(FILE, "weight", "-254..254 [reverse]", "What the file's value is multiplied by")
        .bare()
        .default("1")
        .full(file::weight),
    Row::of(FILE, "init_file", "[VALUE] [overwrite]", "Create the file at start").full(file::init),
    Row::of(&["main"], "vrrp_track_process", "NAME", "A process whose presence moves priorities")
        .block("vrrp_track_process")
        .full(process::begin),
    Row::of(PROCESS, "process", "NAME [PARAMETER...]", "The process").full(process::command),
    Row::of(PROCESS, "param_match", "initial|partial", "How its parameters are compared")
        .bare()
        .full(process::parameters),
    Row::of(PROCESS, "weight", "-254..254 [reverse]", "Added to the priority")
        .bare()
        .default("0")
        .full(process::weight),
    Row::of(PROCESS, "quorum", "1..65535", "How many have to run")
        .default("1")
        .full(process::quorum),
    Row::of(PROCESS, "quorum_max", "0..65535", "How many may run").full(process::quorum_max),
    Row::of(PROCESS, "fork_delay", "SECONDS", "How long a fork waits until it counts")
        .default("0")
        .full(process::fork_delay),
    Row::of(PROCESS, "terminate_delay", "SECONDS", "How long an end waits until it counts")
        .default("0")
        .full(process::terminate_delay),
    Row::of(PROCESS, "delay", "SECONDS", "fork_delay and terminate_delay").full(process::delay),
    Row::of(PROCESS, "full_command", "", "Compare the command line, not the process's name")
        .full(process::full_command),
];
