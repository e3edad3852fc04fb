//! Whom instances and groups tell of their changes.

use super::super::Row;
use super::{BOTH, GROUP, INSTANCE, NO_GROUPS, NO_MAIL, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(INSTANCE, "notify_master", "COMMAND [USER [GROUP]]", "Run on becoming master")
        .full(set::notify_master),
    Row::of(INSTANCE, "notify_backup", "COMMAND [USER [GROUP]]", "Run on becoming backup")
        .full(set::notify_backup),
    Row::of(INSTANCE, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault")
        .full(set::notify_fault),
    Row::of(INSTANCE, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .full(set::notify_stop),
    Row::of(
        INSTANCE,
        "notify",
        "COMMAND [USER [GROUP]]",
        "Run on every change, with INSTANCE NAME STATE PRIORITY appended",
    )
    .full(set::notify),
    Row::of(
        INSTANCE,
        "notify_deleted",
        "[COMMAND [USER [GROUP]]]",
        "Run when a reload drops the instance",
    )
    .refused("it isn't run; `notify_stop` is"),
    Row::of(
        INSTANCE,
        "notify_master_rx_lower_pri",
        "COMMAND [USER [GROUP]]",
        "Run when the master hears a lower priority",
    )
    .refused("it isn't run"),
    Row::of(BOTH, "notify_priority_changes", "[BOOL]", "Tell the notify FIFOs about priorities")
        .refused("there are no notify FIFOs"),
    Row::of(BOTH, "smtp_alert", "[BOOL]", "Mail on a change of state").refused(NO_MAIL),
    Row::of(GROUP, "notify_master", "COMMAND [USER [GROUP]]", "Run when the group becomes master")
        .refused(NO_GROUPS),
    Row::of(GROUP, "notify_backup", "COMMAND [USER [GROUP]]", "Run when the group becomes backup")
        .refused(NO_GROUPS),
    Row::of(GROUP, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault").refused(NO_GROUPS),
    Row::of(GROUP, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .refused(NO_GROUPS),
    Row::of(GROUP, "notify", "COMMAND [USER [GROUP]]", "Run on every change").refused(NO_GROUPS),
];
