//! Setters about what adverts are, for instances that don't say.

use std::net::IpAddr;

use super::super::super::config::wire::BufferPolicy;
use super::super::super::config::{At, KeepalivedConfig};
use super::super::read::{self, wrong};
use super::super::vrrp::is_local_group;
use crate::text::{Diagnostic, Diagnostics, Node};

pub(super) fn mcast_group6(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    let text = word.lossy();
    let group = read::address(word);
    let complaint = match group {
        None => Some((format!("Can't parse vrrp_mcast_group6 [{text}]. Skipping"), "no address")),
        Some(IpAddr::V4(_)) => {
            Some((format!("vrrp_mcast_group6 [{text}] is not IPv6. Skipping"), "IPv4"))
        }
        Some(IpAddr::V6(group)) if !group.is_multicast() => Some((
            format!("vrrp_mcast_group6 [{text}] is not multicast. Skipping"),
            "not like ff02::12",
        )),
        _ => None,
    };
    if let Some((message, reason)) = complaint {
        diagnostics.push(wrong(word, message, reason.to_owned()));
        return;
    }
    let Some(group) = group else { return };
    if !is_local_group(group) {
        let message = format!("vrrp_mcast_group6 [{text}] should be link-local multicast.");
        diagnostics.push(wrong(word, message, "not like ff02::12".to_owned()));
    }
    config.globals.wire.group6 = Some(At::new(group, word.span));
}

pub(super) fn skip_check_adv_addr(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    // Measured: what stands behind it means nothing unless it is a word for off.
    config.globals.wire.trust_known_sender = read::boolean(node.args.first()) != Some(false);
}

pub(super) fn checksum_as_v2(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let value = switch(node, diagnostics);
    let wire = &mut config.globals.wire;
    wire.checksum_as_v2 = value.unwrap_or(wire.checksum_as_v2);
}

fn switch(node: &Node, diagnostics: &mut Diagnostics) -> Option<bool> {
    let value = read::boolean(node.args.first());
    if value.is_none() {
        let (keyword, word) = (node.name.lossy(), &node.args[0]);
        let message = format!("Invalid value '{}' for global {keyword} specified", word.lossy());
        diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
    }
    value
}

pub(super) fn gna_interval(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    match read::seconds(word, 1..=4_294_967_295) {
        Ok(interval) => config.globals.wire.neighbour_interval = Some(interval),
        Err(reason) => {
            let message = format!("vrrp_gna_interval '{}' is invalid", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn log_unknown_vrids(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.wire.log_unknown_vrids = true;
}

pub(super) fn disable_local_igmp(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.wire.no_local_igmp = true;
}

pub(super) fn buffer_policy(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = node.args.first() else {
        return missing(node, diagnostics);
    };
    let policy = match word.text.to_ascii_uppercase().as_slice() {
        b"MTU" => Ok(BufferPolicy::Mtu),
        b"ADVERT" => Ok(BufferPolicy::Advert),
        _ => read::number(word, 0..=u64::from(u32::MAX)).map(|it| BufferPolicy::Bytes(it as u32)),
    };
    match policy {
        Ok(policy) => {
            let before = config.globals.wire.buffers.replace(policy);
            if let (Some(BufferPolicy::Mtu | BufferPolicy::Advert), BufferPolicy::Bytes(_)) =
                (before, policy)
            {
                let message = "Cannot set vrrp_rx_bufs_policy size and policy, ignoring policy";
                let reason = "a policy stands above".to_owned();
                diagnostics.push(wrong(word, message.to_owned(), reason));
            }
        }
        Err(reason) => {
            let message = format!("Invalid vrrp_rx_bufs_policy {}", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn buffer_multiplier(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = node.args.first() else {
        return missing(node, diagnostics);
    };
    match read::number(word, 1..=u64::from(u32::MAX)) {
        Ok(multiplier) => config.globals.wire.buffer_multiplier = Some(multiplier as u32),
        Err(reason) => {
            let message = format!("Invalid vrrp_rx_bufs_multiplier {}", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn missing(node: &Node, diagnostics: &mut Diagnostics) {
    let message = format!("{} needs a value", node.name.lossy());
    diagnostics.push(Diagnostic::error("keepalived/value", message).at(node.name.span));
}
