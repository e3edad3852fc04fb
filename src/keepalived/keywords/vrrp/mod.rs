//! `vrrp_instance` and `vrrp_sync_group` (keepalived.conf(5), "VRRP instance(s)", "VRRP
//! synchronization group(s)").
//!
//! The rows, a file for each topic (here how a router behaves, whose newer setters are in
//! [`conduct`]); [`set`] has what they do,
//! [`unicast`] what is about peers.

pub(super) mod announcing;
mod authentication;
mod conduct;
pub(super) mod group;
mod hmac;
pub(super) mod network;
mod set;
mod speech;
pub(super) mod telling;
pub(super) mod tracking;
mod unicast;
pub(super) mod wire;

pub(super) use speech::is_local_group;

use super::Row;

const INSTANCE: &[&str] = &["vrrp_instance"];
const GROUP: &[&str] = &["vrrp_sync_group"];
const AUTHENTICATION: &[&str] = &["vrrp_instance authentication"];
const HMAC: &[&str] = &["vrrp_instance auth_hmac"];

pub(super) const TABLE: &[Row] = &[
    Row::of(
        &["main"],
        "vrrp_instance",
        "NAME",
        "One virtual router: what it announces, where, and what it tracks",
    )
    .bare()
    .block("vrrp_instance")
    .full(set::instance),
    Row::of(INSTANCE, "state", "MASTER|BACKUP", "What to begin as")
        .default("BACKUP")
        .full(set::state),
    Row::of(
        INSTANCE,
        "interface",
        "INTERFACE",
        "Where adverts are sent and heard; addresses go here unless they say otherwise",
    )
    .full(set::interface),
    Row::of(
        INSTANCE,
        "virtual_router_id",
        "1..255",
        "Tells the virtual routers on one network apart; the same on all nodes",
    )
    .full(set::virtual_router_id),
    Row::of(INSTANCE, "priority", "1..255", "The highest becomes master; 255 owns the addresses")
        .default("100; 255 with `state MASTER`")
        .full(set::priority),
    Row::of(INSTANCE, "advert_int", "SECONDS", "Time between two adverts; the same on all nodes")
        .default("1")
        .full(set::advert_int),
    Row::of(INSTANCE, "nopreempt", "", "Don't take over from a master of lower priority")
        .full(set::nopreempt),
    Row::of(INSTANCE, "preempt", "", "Take over from a master of lower priority")
        .full(set::preempt),
    Row::of(
        INSTANCE,
        "preempt_delay",
        "SECONDS",
        "Wait this long before taking over from a master of lower priority",
    )
    .default("0")
    .full(set::preempt_delay),
    Row::of(
        INSTANCE,
        "down_timer_adverts",
        "1..100",
        "Missed adverts until the master counts as dead",
    )
    .default("vrrp_down_timer_adverts")
    .full(conduct::down_timer_adverts),
    Row::of(INSTANCE, "lower_prio_no_advert", "[BOOL]", "Don't answer an advert of lower priority")
        .default("vrrp_lower_prio_no_advert")
        .full(conduct::lower_priority_no_advert),
    Row::of(
        INSTANCE,
        "higher_prio_send_advert",
        "[BOOL]",
        "Send one more advert before giving way",
    )
    .default("vrrp_higher_prio_send_advert")
    .full(conduct::higher_priority_send_advert),
    Row::of(INSTANCE, "strict_mode", "[BOOL]", "Hold to the letter of the RFCs")
        .default("vrrp_strict")
        .full(conduct::strict),
    Row::of(
        INSTANCE,
        "timer_expired_backup",
        "[PRIORITY]",
        "With nopreempt, become backup after having been stalled",
    )
    .newer()
    .full(conduct::step_back_when_late),
    Row::of(INSTANCE, "thread_timer_expired", "[PRIORITY]", "Old name of timer_expired_backup")
        .newer()
        .full(conduct::step_back_when_late),
    Row::of(INSTANCE, "debug", "0..4", "Debug level")
        .ignored("keepalived does nothing with it either"),
];
