//! What instances and groups keep an eye on.

use super::super::Row;
use super::super::track::{lines, link};
use super::{GROUP, INSTANCE};
use crate::keepalived::config::KeepalivedConfig;
use crate::text::{Diagnostics, Node};

const NO_BFD: &str = "BFD isn't spoken yet: a session that is tracked counts for nothing, it \
                      neither adds nor takes and never faults the instance";

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(
        INSTANCE,
        "track_script",
        "",
        "Scripts whose result moves the priority or faults the instance",
    )
    .lines()
    .full(lines::scripts),
    Row::of(
        INSTANCE,
        "track_interface",
        "",
        "Interfaces whose loss moves the priority or faults the instance",
    )
    .lines()
    .full(lines::interfaces),
    Row::of(INSTANCE, "track_file", "", "Files whose value moves the priority")
        .lines()
        .full(lines::files),
    Row::of(INSTANCE, "track_process", "", "Processes whose presence moves the priority")
        .lines()
        .full(lines::processes),
    Row::of(INSTANCE, "track_bfd", "", "BFD sessions whose state moves the priority")
        .lines()
        .refused(NO_BFD)
        .set(lines::sessions),
    Row::of(INSTANCE, "track_src_ip", "", "Fault while the source address isn't there")
        .full(track_src_ip),
    Row::of(INSTANCE, "dont_track_primary", "", "Go on while the instance's own interface is down")
        .full(dont_track_primary),
    Row::of(INSTANCE, "linkbeat_use_polling", "", "Ask for the link of the instance's interface")
        .full(link::own),
    Row::of(GROUP, "track_script", "", "Scripts tracked for all members")
        .lines()
        .full(lines::group_scripts),
    Row::of(GROUP, "track_interface", "", "Interfaces tracked for all members")
        .lines()
        .full(lines::group_interfaces),
    Row::of(GROUP, "track_file", "", "Files tracked for all members")
        .lines()
        .full(lines::group_files),
    Row::of(GROUP, "track_process", "", "Processes tracked for all members")
        .lines()
        .full(lines::group_processes),
    Row::of(GROUP, "track_bfd", "", "BFD sessions tracked for all members")
        .lines()
        .refused(NO_BFD)
        .set(lines::group_sessions),
];

fn track_src_ip(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.tracking.track_source = true;
    }
}

fn dont_track_primary(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.tracking.dont_track_primary = true;
    }
}
