//! Setters about unicast: from words to values, with keepalived's complaints.

use std::net::IpAddr;

use super::super::super::config::{At, Instance, KeepalivedConfig, Peer};
use super::super::read::{self, wrong};
use super::set::current;
use super::speech::{OTHER_FAMILY, mcast_src_ip};
use crate::text::{Diagnostics, Node, Word};

/// Lines `ADDRESS [min_ttl N] [max_ttl N]`.
pub(super) fn peers(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    instance.unicast.meant.get_or_insert(node.name.span);
    let name = instance.name.value.clone();
    for line in node.body.iter().flatten() {
        if let Some(address) = address(instance, &line.name, diagnostics) {
            let mut peer = Peer { address, min_ttl: None, max_ttl: None };
            options(&name, line, &mut peer, diagnostics);
            instance.unicast.peers.push(peer);
        }
    }
}

fn address(instance: &mut Instance, word: &Word, diagnostics: &mut Diagnostics) -> Option<IpAddr> {
    let text = word.lossy();
    let address = read::loose_address(word, diagnostics);
    if address.is_some_and(|address| instance.claims(address)) {
        return address;
    }
    let name = &instance.name.value;
    let (message, reason) = match address {
        Some(_) => (
            format!(
                "Configuration error: VRRP instance[{name}] and unicast peer address[{text}] MUST \
                 be of the same family !!! Skipping..."
            ),
            OTHER_FAMILY,
        ),
        None => (
            format!(
                "Configuration error: VRRP instance[{name}] malformed unicast peer \
                 address[{text}]. Skipping..."
            ),
            "not an address",
        ),
    };
    diagnostics.push(wrong(word, message, reason.to_owned()));
    None
}

fn options(name: &str, line: &Node, peer: &mut Peer, diagnostics: &mut Diagnostics) {
    for pair in line.args.chunks(2) {
        let [option, value] = pair else {
            let option = &pair[0];
            let message = format!("({name}) {} is missing a value", option.lossy());
            diagnostics.push(wrong(option, message, "a number has to follow".to_owned()));
            return;
        };
        let limit = match option.text.as_slice() {
            b"min_ttl" => &mut peer.min_ttl,
            b"max_ttl" => &mut peer.max_ttl,
            _ => {
                let message = format!("({name}) unknown unicast_peer option {}", option.lossy());
                let reason = "neither min_ttl nor max_ttl".to_owned();
                diagnostics.push(wrong(option, message, reason));
                continue;
            }
        };
        match read::number(value, 0..=255) {
            Ok(ttl) => *limit = Some(ttl as u8),
            Err(reason) => diagnostics.push(wrong(value, reason, "0 to 255".to_owned())),
        }
    }
    if let (Some(min), Some(max)) = (peer.min_ttl, peer.max_ttl)
        && min > max
    {
        let message =
            format!("({name}) min_ttl {min} > max_ttl {max} - all packets will be discarded");
        diagnostics.push(wrong(&line.name, message, "of this peer".to_owned()));
    }
}

/// The same value as that of `mcast_src_ip`; the last one counts.
pub(super) fn source(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    current(config).unicast.meant.get_or_insert(node.name.span);
    mcast_src_ip(config, node, diagnostics);
}

pub(super) fn ttl(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match read::number(word, 0..=255) {
        Ok(ttl) => instance.unicast.ttl = Some(At::new(ttl as u8, word.span)),
        Err(reason) => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = format!("({name}): TTL '{text}' not valid - must be between 0 & 255");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn check_source(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let unicast = &mut current(config).unicast;
    unicast.meant.get_or_insert(node.name.span);
    unicast.check_source = true;
}

pub(super) fn fault_without_peer(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).unicast.fault_without_peer = Some(node.name.span);
}
