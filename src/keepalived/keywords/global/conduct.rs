//! How instances behave that don't say.

use super::super::super::config::KeepalivedConfig;
use super::super::Row;
use super::super::read::{self, wrong};
use super::{GARP, GLOBAL, MAIN, NO_GROUPING, set};
use crate::text::{Diagnostics, Node};
use std::time::Duration;

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
        .partial("Counted per instance, not per interface", super::speech::gna_interval),
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
    .full(lower_priority_no_advert),
    Row::of(
        GLOBAL,
        "vrrp_higher_prio_send_advert",
        "[BOOL]",
        "higher_prio_send_advert of instances that don't say",
    )
    .full(higher_priority_send_advert),
    Row::of(
        GLOBAL,
        "vrrp_down_timer_adverts",
        "1..100",
        "down_timer_adverts of instances that don't say",
    )
    .default("3")
    .full(down_timer_adverts),
    Row::of(GLOBAL, "vrrp_strict", "[BOOL]", "Hold to the letter of the RFCs").full(strict),
    Row::of(GLOBAL, "vrrp_startup_delay", "SECONDS", "Only listen for this long after the start")
        .default("0")
        .full(startup_delay),
    Row::of(
        GLOBAL,
        "vrrp_delay_after_boot",
        "SECONDS",
        "Only listen until the host has been up for this long",
    )
    .newer()
    .default("0")
    .full(delay_after_boot),
    Row::of(MAIN, "garp_group", "", "Interfaces on which gratuitous ARP goes slowly")
        .block("garp_group")
        .refused(NO_GROUPING),
    Row::of(GARP, "garp_interval", "SECONDS", "Time between two packets").refused(NO_GROUPING),
    Row::of(GARP, "gna_interval", "SECONDS", "The same for IPv6").refused(NO_GROUPING),
    Row::of(GARP, "interface", "INTERFACE", "The interface").refused(NO_GROUPING),
    Row::of(GARP, "interfaces", "", "The interfaces").lines().refused(NO_GROUPING),
];

fn down_timer_adverts(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match read::number(word, 1..=100) {
        Ok(adverts) => config.globals.conduct.down_timer_adverts = Some(adverts as u8),
        Err(reason) => {
            let message = format!("Invalid vrrp_down_timer_adverts [1:100] '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

/// `[BOOL]` behind a keyword; nothing means on.
fn switch(node: &Node, diagnostics: &mut Diagnostics) -> Option<bool> {
    let on = read::boolean(node.args.first());
    if on.is_none() {
        let message = format!("Invalid value for {} specified", node.name.lossy());
        diagnostics.push(wrong(&node.args[0], message, "neither on nor off".to_owned()));
    }
    on
}

fn lower_priority_no_advert(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let conduct = &mut config.globals.conduct;
    conduct.lower_priority_no_advert =
        switch(node, diagnostics).unwrap_or(conduct.lower_priority_no_advert);
}

fn higher_priority_send_advert(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let conduct = &mut config.globals.conduct;
    conduct.higher_priority_send_advert =
        switch(node, diagnostics).unwrap_or(conduct.higher_priority_send_advert);
}

pub(super) fn owner_ignores_adverts(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.conduct.owner_ignores_adverts = true;
}

/// Measured: whatever stands behind it, it means on.
fn strict(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    config.globals.conduct.strict = Some(node.name.span);
}

fn startup_delay(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let conduct = &mut config.globals.conduct;
    conduct.startup_delay = delay(node, diagnostics).unwrap_or(conduct.startup_delay);
}

fn delay_after_boot(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let conduct = &mut config.globals.conduct;
    conduct.delay_after_boot = delay(node, diagnostics).unwrap_or(conduct.delay_after_boot);
}

fn delay(node: &Node, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let word = &node.args[0];
    match read::seconds(word, 1_000..=4_294_967_295) {
        Ok(delay) => Some(delay),
        Err(reason) => {
            let message = format!("{} '{}' is invalid", node.name.lossy(), word.lossy());
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}
