//! Setters of `global_defs` and of the keywords outside of blocks.

use super::super::super::config::{At, KeepalivedConfig};
use super::super::read::{self, wrong};
use crate::text::{Diagnostic, Diagnostics, Node};
use std::net::IpAddr;
use std::time::Duration;

pub(super) fn router_id(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match node.args.first() {
        Some(word) => config.globals.router_id = Some(read::text(word)),
        None => missing(node, "routerid name missing - ignoring", diagnostics),
    }
}

pub(super) fn script_user(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    match read::user(&node.args) {
        Some(_) if node.args.len() > 2 => {
            let word = &node.args[2];
            let message = "Error setting global script uid/gid".to_owned();
            diagnostics.push(wrong(word, message, "a user and a group, no more".to_owned()));
        }
        Some(user) => config.globals.script_users.push(user),
        None => missing(node, "No script username specified", diagnostics),
    }
}

pub(super) fn missing(node: &Node, message: &str, diagnostics: &mut Diagnostics) {
    let diagnostic = Diagnostic::error("keepalived/missing-parameter", message);
    diagnostics.push(diagnostic.at(node.name.span));
}

pub(super) fn script_security(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    config.globals.script_security = Some(node.name.span);
}

pub(super) fn dynamic_interfaces(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    if let Some(word) = node.args.first().filter(|word| !word.is("allow_if_changes")) {
        let message = format!("Unknown dynamic_interfaces option '{}'", word.lossy());
        diagnostics.push(wrong(word, message, "only `allow_if_changes` may stand here".to_owned()));
    }
    let may_change = node.args.first().is_some_and(|word| word.is("allow_if_changes"));
    config.globals.network.interfaces_may_change |= may_change;
    config.globals.dynamic_interfaces = Some(node.name.span);
}

pub(super) fn vrrp_version(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    match read::number(word, 2..=3) {
        Ok(version) => config.globals.version = Some(At::new(version as u8, word.span)),
        Err(reason) => {
            let message = "VRRP Error: Version must be either 2 or 3".to_owned();
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn check_unicast_src(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.check_unicast_src = true;
}

pub(super) fn mcast_group4(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    let text = word.lossy();
    match read::address(word) {
        Some(group @ IpAddr::V4(_)) if group.is_multicast() => {
            config.globals.group = Some(At::new(group, word.span));
        }
        Some(IpAddr::V4(_)) => {
            let message = format!("vrrp_mcast_group4 [{text}] is not multicast. Skipping");
            diagnostics.push(wrong(word, message, "outside of 224.0.0.0/4".to_owned()));
        }
        _ => {
            let message = format!("Can't parse vrrp_mcast_group4 [{text}]. Skipping");
            diagnostics.push(wrong(word, message, "not an IPv4 address".to_owned()));
        }
    }
}

fn garp_seconds(node: &Node, diagnostics: &mut Diagnostics) -> Option<At<Duration>> {
    let word = &node.args[0];
    match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(seconds) => Some(At::new(Duration::from_secs(seconds), word.span)),
        Err(reason) => {
            let message = format!("{} '{}' invalid - ignoring", node.name.lossy(), word.lossy());
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

fn garp_count(node: &Node, least: u32, diagnostics: &mut Diagnostics) -> Option<At<u32>> {
    let word = &node.args[0];
    let keyword = node.name.lossy();
    match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(count) if count < u64::from(least) => {
            let message = format!("{keyword} must be greater than 0, setting to 1");
            diagnostics.push(wrong(word, message, "at least 1".to_owned()));
            Some(At::new(1, word.span))
        }
        Ok(count) => Some(At::new(count as u32, word.span)),
        Err(reason) => {
            let message = format!("{keyword} '{}' invalid - ignoring", word.lossy());
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

pub(super) fn garp_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    config.globals.garp.delay =
        garp_seconds(node, diagnostics).or(config.globals.garp.delay.take());
}

pub(super) fn garp_repeat(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let garp = &mut config.globals.garp;
    garp.repeat = garp_count(node, 1, diagnostics).or(garp.repeat.take());
}

pub(super) fn garp_refresh(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let garp = &mut config.globals.garp;
    garp.refresh = garp_seconds(node, diagnostics).or(garp.refresh.take());
}

pub(super) fn garp_refresh_repeat(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let garp = &mut config.globals.garp;
    garp.refresh_repeat = garp_count(node, 1, diagnostics).or(garp.refresh_repeat.take());
}

pub(super) fn garp_lower_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let garp = &mut config.globals.garp;
    garp.lower_priority_delay =
        garp_seconds(node, diagnostics).or(garp.lower_priority_delay.take());
}

pub(super) fn garp_lower_repeat(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let garp = &mut config.globals.garp;
    garp.lower_priority_repeat =
        garp_count(node, 0, diagnostics).or(garp.lower_priority_repeat.take());
}

pub(super) fn garp_interval(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    match read::seconds(word, 1..=4_294_967_295) {
        Ok(interval) => config.globals.garp_interval = Some(At::new(interval, word.span)),
        Err(reason) => {
            let message = format!("vrrp_garp_interval '{}' is invalid", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn min_garp(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match read::boolean(node.args.first()) {
        Some(on) => config.globals.min_garp = on,
        None => {
            let message = "Invalid value for vrrp_min_garp specified".to_owned();
            diagnostics.push(wrong(&node.args[0], message, "neither on nor off".to_owned()));
        }
    }
}
