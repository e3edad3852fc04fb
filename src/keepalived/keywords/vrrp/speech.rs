//! Setters about what adverts are: version, family, addresses, checksums, sockets.

use std::net::IpAddr;

use super::super::super::config::wire::OldChecksum;
use super::super::super::config::{At, KeepalivedConfig};
use super::super::read::{self, wrong};
use super::set::current;
use crate::plan::wire::Family;
use crate::text::{Diagnostic, Diagnostics, Node};

/// Measured: the first version counts, and an IPv6 instance has version 3 unless it said otherwise
/// before it was one.
pub(super) fn version(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let name = &instance.name.value;
    let version = match read::number(word, 2..=3) {
        Ok(version) => version as u8,
        Err(reason) => {
            let message = format!("({name}): Version must be either 2 or 3");
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
    let before = instance.version.as_ref();
    let other = before.filter(|before| before.value != version);
    let over_ipv6 = version == 2 && before.is_none() && instance.wire.family == Some(Family::V6);
    if other.is_some() || over_ipv6 {
        let deduced = before.map_or(0, |before| before.value);
        let message = format!(
            "({name}) vrrp_version {version} conflicts with configured or deduced version \
             {deduced}; ignoring."
        );
        let reason = match over_ipv6 {
            true => "the instance is an IPv6 one already: write the version in front",
            false => "the version is known already",
        };
        diagnostics.push(wrong(word, message, reason.to_owned()));
        return;
    }
    instance.version = Some(At::new(version, word.span));
}

pub(super) fn native_ipv6(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    if instance.wire.family == Some(Family::V4) {
        let name = &instance.name.value;
        let message = format!("({name}) Cannot specify native_ipv6 with IPv4 addresses");
        diagnostics.push(Diagnostic::error("keepalived/value", message).at(node.name.span));
        return;
    }
    instance.wire.family = Some(Family::V6);
    instance.version = Some(At::new(3, node.name.span));
}

pub(super) fn mcast_src_ip(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (instance, word) = (current(config), &node.args[0]);
    let text = word.lossy();
    let Some(source) = read::loose_address(word, diagnostics) else {
        let message = format!(
            "Configuration error: VRRP instance[{}] malformed src address[{text}]. Skipping...",
            instance.name.value
        );
        diagnostics.push(wrong(word, message, "not an address".to_owned()));
        return;
    };
    if instance.claims(source) {
        instance.source = Some(At::new(source, word.span));
        return;
    }
    let message = format!(
        "Configuration error: VRRP instance[{}] and src address[{text}] MUST be of the same family \
         !!! Skipping...",
        instance.name.value
    );
    diagnostics.push(wrong(word, message, OTHER_FAMILY.to_owned()));
}

pub(super) const OTHER_FAMILY: &str = "of another family than what stands above";

pub(super) fn mcast_dst_ip(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (instance, word) = (current(config), &node.args[0]);
    let text = word.lossy();
    let name = instance.name.value.clone();
    let Some(group) = read::loose_address(word, diagnostics) else {
        let message = format!("({name}) malformed mcast_dst_ip address[{text}]. Skipping...");
        diagnostics.push(wrong(word, message, "not an address".to_owned()));
        return;
    };
    let (fits, kind, reason) = match group {
        IpAddr::V4(group) => (group.is_multicast(), "multicast", "outside of 224.0.0.0/4"),
        IpAddr::V6(_) => (is_local_group(group), "link-local multicast", "not like ff02::12"),
    };
    if !fits {
        let message = format!("({name}) mcast_dst_ip {text} not {kind}. Skipping...");
        diagnostics.push(wrong(word, message, reason.to_owned()));
    } else if instance.claims(group) {
        instance.group = Some(At::new(group, word.span));
    } else {
        let message = format!(
            "({name}) mcast dest address {text} MUST match VRRP instance family. Skipping..."
        );
        diagnostics.push(wrong(word, message, OTHER_FAMILY.to_owned()));
    }
}

/// A group of IPv6 whose packets stay on the link.
pub(in crate::keepalived::keywords) fn is_local_group(group: IpAddr) -> bool {
    matches!(group, IpAddr::V6(group) if group.segments()[0] & 0xff0f == 0xff02)
}

pub(super) fn old_unicast_checksum(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    instance.unicast.meant.get_or_insert(node.name.span);
    instance.wire.old_checksum = match node.args.first() {
        None => Some(OldChecksum::Always),
        Some(word) if word.is("never") => Some(OldChecksum::Never),
        Some(word) => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = format!("({name}) Unknown old_unicast_chksum mode {text} - ignoring");
            diagnostics.push(wrong(word, message, "only `never` may stand here".to_owned()));
            return;
        }
    };
}

pub(super) fn checksum_as_v2(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    match read::boolean(node.args.first()) {
        Some(on) => instance.wire.checksum_as_v2 = Some(on),
        None => {
            let (name, word) = (&instance.name.value, &node.args[0]);
            let message = format!("({name}) invalid v3_checksum_as_v2 {} specified", word.lossy());
            diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        }
    }
}

pub(super) fn skip_check_adv_addr(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    match read::boolean(node.args.first()) {
        Some(on) => instance.wire.trust_known_sender = Some(on),
        None => {
            let (name, word) = (&instance.name.value, &node.args[0]);
            let message =
                format!("({name}) invalid skip_check_adv_addr {} specified", word.lossy());
            diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        }
    }
}

pub(super) fn kernel_rx_buf_size(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    let Some(word) = node.args.first() else {
        let message = format!("({}) kernel_rx_buf_size needs a size", instance.name.value);
        diagnostics.push(Diagnostic::error("keepalived/value", message).at(node.name.span));
        return;
    };
    match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(bytes) => instance.wire.receive_buffer = Some(bytes as u32),
        Err(reason) => {
            let name = &instance.name.value;
            let message = format!("({name}) invalid kernel_rx_buf_size specified");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}
