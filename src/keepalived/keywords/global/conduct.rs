//! How instances behave that don't say.

use super::super::Row;
use super::{GARP, GLOBAL, MAIN, NO_GROUPING, NO_STRICTNESS, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(
        GLOBAL,
        "vrrp_garp_master_delay",
        "SECONDS",
        "garp_master_delay of instances that don't say",
    )
    .default("5")
    .full(set::garp_delay),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_repeat",
        "COUNT",
        "garp_master_repeat of instances that don't say",
    )
    .default("5")
    .full(set::garp_repeat),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_refresh",
        "SECONDS",
        "garp_master_refresh of instances that don't say",
    )
    .default("0")
    .full(set::garp_refresh),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_refresh_repeat",
        "COUNT",
        "garp_master_refresh_repeat of instances that don't say",
    )
    .default("1")
    .full(set::garp_refresh_repeat),
    Row::of(
        GLOBAL,
        "vrrp_garp_lower_prio_delay",
        "SECONDS",
        "garp_lower_prio_delay of instances that don't say",
    )
    .default("vrrp_garp_master_delay")
    .full(set::garp_lower_delay),
    Row::of(
        GLOBAL,
        "vrrp_garp_lower_prio_repeat",
        "COUNT",
        "garp_lower_prio_repeat of instances that don't say",
    )
    .default("vrrp_garp_master_repeat")
    .full(set::garp_lower_repeat),
    Row::of(
        GLOBAL,
        "vrrp_garp_interval",
        "SECONDS",
        "Least time between two gratuitous ARP packets on an interface",
    )
    .default("0")
    .partial(
        "Counted per instance, not per interface; all packets of a burst are sent, where \
         keepalived 2.2.7 sends one per address",
        set::garp_interval,
    ),
    Row::of(GLOBAL, "vrrp_gna_interval", "SECONDS", "The same for IPv6 neighbour advertisements")
        .default("0")
        .ignored("IPv6 instances aren't run"),
    Row::of(
        GLOBAL,
        "vrrp_min_garp",
        "[BOOL]",
        "One gratuitous ARP packet per address, no second burst",
    )
    .full(set::min_garp),
    Row::of(
        GLOBAL,
        "vrrp_garp_extra_if",
        "[all] SECONDS",
        "garp_extra_if of instances that don't say",
    )
    .bare()
    .refused("no extra gratuitous ARP is sent"),
    Row::of(GLOBAL, "vrrp_vmac_garp_intvl", "[all] SECONDS", "Old name of vrrp_garp_extra_if")
        .bare()
        .refused("no extra gratuitous ARP is sent"),
    Row::of(
        GLOBAL,
        "vrrp_lower_prio_no_advert",
        "[BOOL]",
        "lower_prio_no_advert of instances that don't say",
    )
    .refused("such an advert is always answered"),
    Row::of(
        GLOBAL,
        "vrrp_higher_prio_send_advert",
        "[BOOL]",
        "higher_prio_send_advert of instances that don't say",
    )
    .refused("no such advert is sent"),
    Row::of(
        GLOBAL,
        "vrrp_down_timer_adverts",
        "1..100",
        "down_timer_adverts of instances that don't say",
    )
    .default("3")
    .refused("it is always 3, as the RFCs have it"),
    Row::of(GLOBAL, "vrrp_strict", "[BOOL]", "Hold to the letter of the RFCs")
        .refused(NO_STRICTNESS),
    Row::of(GLOBAL, "vrrp_startup_delay", "SECONDS", "Wait before instances begin")
        .refused("instances begin at once"),
    Row::of(
        GLOBAL,
        "vrrp_delay_after_boot",
        "SECONDS",
        "Instances begin this long after the host's boot",
    )
    .newer()
    .refused("instances begin at once"),
    Row::of(MAIN, "garp_group", "", "Interfaces on which gratuitous ARP goes slowly")
        .block("garp_group")
        .refused(NO_GROUPING),
    Row::of(GARP, "garp_interval", "SECONDS", "Time between two packets").refused(NO_GROUPING),
    Row::of(GARP, "gna_interval", "SECONDS", "The same for IPv6").refused(NO_GROUPING),
    Row::of(GARP, "interface", "INTERFACE", "The interface").refused(NO_GROUPING),
    Row::of(GARP, "interfaces", "", "The interfaces").lines().refused(NO_GROUPING),
];
