//! How instances behave that don't say.

use super::super::super::config::conduct::{Extra, Pace};
use super::super::super::config::{At, KeepalivedConfig};
use super::super::Row;
use super::super::read::{self, wrong};
use super::{GARP, GLOBAL, MAIN, set};
use crate::text::{Diagnostic, Diagnostics, Node, Word};
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
    .full(set::garp_interval),
    Row::of(GLOBAL, "vrrp_gna_interval", "SECONDS", "The same for IPv6 neighbour advertisements")
        .default("0")
        .full(super::speech::gna_interval),
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
    .full(extra),
    Row::of(GLOBAL, "vrrp_vmac_garp_intvl", "[all] SECONDS", "Old name of vrrp_garp_extra_if")
        .bare()
        .full(old_extra),
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
        .adds()
        .full(pace),
    Row::of(GARP, "garp_interval", "SECONDS", "Time between two packets").full(pace_arp),
    Row::of(GARP, "gna_interval", "SECONDS", "The same for IPv6").full(pace_neighbour),
    Row::of(GARP, "interface", "INTERFACE", "The interface").full(pace_interface),
    Row::of(GARP, "interfaces", "", "The interfaces").lines().full(pace_interfaces),
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

/// `[all] SECONDS`. `prefix` stands before the complaints, which are keepalived's.
pub(in crate::keepalived::keywords) fn extra_words(
    node: &Node,
    prefix: &str,
    least: u64,
    diagnostics: &mut Diagnostics,
) -> Option<At<Extra>> {
    let all = node.args.first().is_some_and(|word| word.is("all"));
    let keyword = node.name.lossy();
    let Some(word) = node.args.get(usize::from(all)) else {
        let message = format!("{prefix}{keyword} specified without time - ignoring");
        diagnostics.push(Diagnostic::error("keepalived/value", message).at(node.name.span));
        return None;
    };
    match read::number(word, least..=86_400) {
        Ok(seconds) => {
            Some(At::new(Extra { all, every: Duration::from_secs(seconds) }, node.name.span))
        }
        Err(reason) => {
            let message = format!("{prefix}{keyword} '{}' invalid - ignoring", word.lossy());
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

fn extra(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if let Some(extra) = extra_words(node, "", 1, diagnostics) {
        config.globals.conduct.extra = Some(extra);
    }
}

pub(in crate::keepalived::keywords) fn deprecated(
    node: &Node,
    new: &str,
    diagnostics: &mut Diagnostics,
) {
    let name = node.name.lossy();
    let message = format!("Keyword \"{name}\" is deprecated - please use \"{new}\"");
    diagnostics.push(Diagnostic::error("keepalived/deprecated", message).at(node.name.span));
}

fn old_extra(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    deprecated(node, "vrrp_garp_extra_if", diagnostics);
    extra(config, node, diagnostics);
}

fn pace(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let pace = Pace { span: node.name.span, ..Pace::default() };
    config.globals.conduct.paces.push(pace);
}

fn pace_value(node: &Node, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let word = &node.args[0];
    match read::seconds(word, 0..=2_147_483_647) {
        Ok(interval) => Some(interval),
        Err(reason) => {
            let message = format!("garp_group {} '{}' invalid", node.name.lossy(), word.lossy());
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

fn pace_arp(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let value = pace_value(node, diagnostics);
    if let Some(pace) = config.globals.conduct.paces.last_mut() {
        pace.arp = value.or(pace.arp);
    }
}

fn pace_neighbour(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let value = pace_value(node, diagnostics);
    if let Some(pace) = config.globals.conduct.paces.last_mut() {
        pace.neighbour = value.or(pace.neighbour);
    }
}

fn add_to_pace(config: &mut KeepalivedConfig, words: &[Word], diagnostics: &mut Diagnostics) {
    let paces = &mut config.globals.conduct.paces;
    for word in words {
        let interface = read::text(word);
        let mut all = paces.iter().flat_map(|pace| &pace.interfaces);
        if all.any(|it| it.value == interface.value) {
            let name = &interface.value;
            let message = format!("garp_group already specified for {name} - ignoring");
            diagnostics.push(Diagnostic::error("keepalived/duplicate", message).at(word.span));
        } else if let Some(pace) = paces.last_mut() {
            pace.interfaces.push(interface);
        }
    }
}

fn pace_interface(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    add_to_pace(config, &node.args[..1], diagnostics);
}

fn pace_interfaces(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    for line in node.body.iter().flatten() {
        add_to_pace(config, std::slice::from_ref(&line.name), diagnostics);
        add_to_pace(config, &line.args, diagnostics);
    }
}
