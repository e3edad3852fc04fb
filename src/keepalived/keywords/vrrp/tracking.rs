//! What instances and groups keep an eye on.

use super::super::{Row, track};
use super::{BOTH, GROUP, INSTANCE, NO_GROUPS, NO_TRACKING, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(
        INSTANCE,
        "track_script",
        "",
        "Scripts whose result moves the priority or faults the instance",
    )
    .lines()
    .full(set::track_script),
    Row::of(
        INSTANCE,
        "track_interface",
        "",
        "Interfaces whose loss moves the priority or faults the instance",
    )
    .lines()
    .refused(NO_TRACKING)
    .set(track::track_interface),
    Row::of(
        GROUP,
        "track_interface",
        "",
        "Interfaces whose loss moves the priority or faults the instance",
    )
    .lines()
    .refused(NO_GROUPS),
    Row::of(BOTH, "track_file", "", "Files whose value moves the priority")
        .lines()
        .refused(NO_TRACKING),
    Row::of(BOTH, "track_process", "", "Processes whose presence moves the priority")
        .lines()
        .refused(NO_TRACKING),
    Row::of(BOTH, "track_bfd", "", "BFD sessions whose state moves the priority")
        .lines()
        .refused(NO_TRACKING),
    Row::of(INSTANCE, "track_src_ip", "", "Fault while the source address isn't there")
        .refused(NO_TRACKING),
    Row::of(INSTANCE, "dont_track_primary", "", "Go on while the instance's own interface is down")
        .refused("a lost interface is always a fault"),
    Row::of(INSTANCE, "linkbeat_use_polling", "", "Poll the interface's link")
        .ignored("the kernel tells about the link at once"),
    Row::of(GROUP, "track_script", "", "Scripts tracked for all members")
        .lines()
        .refused(NO_GROUPS),
];
