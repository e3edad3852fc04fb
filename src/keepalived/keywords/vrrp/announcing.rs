//! Gratuitous ARP and neighbour advertisements of an instance.

use super::super::Row;
use super::{INSTANCE, conduct, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(
        INSTANCE,
        "garp_master_delay",
        "SECONDS",
        "From becoming master to the second burst of gratuitous ARP; 0: none",
    )
    .default("5")
    .full(set::garp_delay),
    Row::of(
        INSTANCE,
        "garp_master_repeat",
        "COUNT",
        "Gratuitous ARP packets per address in a burst",
    )
    .default("5")
    .full(set::garp_repeat),
    Row::of(
        INSTANCE,
        "garp_master_refresh",
        "SECONDS",
        "Repeat gratuitous ARP while master; 0: don't",
    )
    .default("0")
    .full(set::garp_refresh),
    Row::of(INSTANCE, "garp_master_refresh_repeat", "COUNT", "Packets per address of a refresh")
        .default("1")
        .full(set::garp_refresh_repeat),
    Row::of(
        INSTANCE,
        "garp_lower_prio_delay",
        "SECONDS",
        "As garp_master_delay, after an advert of lower priority was heard",
    )
    .default("garp_master_delay")
    .full(set::garp_lower_delay),
    Row::of(
        INSTANCE,
        "garp_lower_prio_repeat",
        "COUNT",
        "As garp_master_repeat, after an advert of lower priority was heard",
    )
    .default("garp_master_repeat")
    .full(set::garp_lower_repeat),
    Row::of(
        INSTANCE,
        "garp_extra_if",
        "[all] SECONDS",
        "Gratuitous ARP on the other interfaces of the addresses",
    )
    .bare()
    .default("vrrp_garp_extra_if")
    .full(conduct::extra),
    Row::of(INSTANCE, "vmac_garp_intvl", "[all] SECONDS", "Old name of garp_extra_if")
        .bare()
        .full(conduct::old_extra),
];
