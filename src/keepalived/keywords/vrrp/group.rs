//! `vrrp_sync_group`: instances that change state together.

use super::super::Row;
use super::super::track::lines;
use super::{GROUP, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(&["main"], "vrrp_sync_group", "NAME", "Instances that change state together")
        .bare()
        .block("vrrp_sync_group")
        .full(set::sync_group),
    Row::of(GROUP, "group", "", "The members").lines().full(set::sync_members),
    Row::of(GROUP, "global_tracking", "", "Members share what they track (old)")
        .full(lines::global_tracking),
    Row::of(GROUP, "sync_group_tracking_weight", "", "Members may track with weights of their own")
        .full(lines::own_weights),
];
