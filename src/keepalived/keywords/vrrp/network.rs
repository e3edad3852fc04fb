//! What an instance does to the host's network: addresses, routes, rules, interfaces of its own.

use std::net::IpAddr;

use super::super::super::config::KeepalivedConfig;
use super::super::super::config::network::{Ipvlan, Mac, Vmac};
use super::super::{Row, address, read, route, rule};
use super::{INSTANCE, set};
use crate::plan::device::IpvlanMode;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const IPVLAN: &str = "made as keepalived makes it; not tried on a kernel that has ipvlan, since none was \
                      at hand; where the kernel has none the instance stays in FAULT state, as with \
                      keepalived";
const VRF: &str = "as with keepalived 2.2.7 an instance needs an interface, and with one `vrf` is \
                   ignored; the sockets of an interface that is in a VRF are in that VRF";
/// IFNAMSIZ without the end.
const LONGEST_NAME: usize = 15;

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(INSTANCE, "virtual_ipaddress", "", "Addresses that the master holds and announces")
        .lines()
        .full(address::virtual_ipaddress),
    Row::of(
        INSTANCE,
        "virtual_ipaddress_excluded",
        "",
        "Addresses that the master holds without announcing them",
    )
    .lines()
    .full(address::virtual_ipaddress_excluded),
    Row::of(INSTANCE, "no_virtual_ipaddress", "", "An instance without addresses is intended")
        .newer()
        .full(set::no_virtual_ipaddress),
    Row::of(
        INSTANCE,
        "use_vmac",
        "[INTERFACE] [MAC]",
        "Hold the addresses on a virtual MAC interface",
    )
    .full(use_vmac),
    Row::of(
        INSTANCE,
        "use_vmac_addr",
        "",
        "Virtual MAC interfaces for addresses on other interfaces",
    )
    .full(use_vmac_addr),
    Row::of(
        INSTANCE,
        "vmac_xmit_base",
        "",
        "Send from the interface below the virtual MAC interface",
    )
    .full(vmac_xmit_base),
    Row::of(
        INSTANCE,
        "use_ipvlan",
        "[INTERFACE] [ADDRESS] [MODE]",
        "Hold the addresses on an ipvlan interface",
    )
    .partial(IPVLAN, use_ipvlan),
    Row::of(INSTANCE, "vrf", "INTERFACE", "VRF to run in").partial(VRF, vrf),
    Row::of(INSTANCE, "accept", "", "Take packets for the addresses though not their owner")
        .full(accept),
    Row::of(INSTANCE, "no_accept", "", "Drop packets for the addresses unless their owner")
        .partial(
            "done by the program nft, which has to be installed; the rules are made at the start, \
             not at the first promotion, with empty sets until then",
            no_accept,
        ),
    Row::of(INSTANCE, "promote_secondaries", "", "Set the interface's promote_secondaries")
        .full(promote_secondaries),
    Row::of(INSTANCE, "virtual_routes", "", "Routes that the master holds")
        .lines()
        .full(route::virtual_routes),
    Row::of(INSTANCE, "virtual_rules", "", "Routing rules that the master holds")
        .lines()
        .full(rule::virtual_rules),
    Row::of(
        INSTANCE,
        "lvs_sync_daemon_interface",
        "INTERFACE",
        "IPVS connection synchronisation (old)",
    )
    .refused("IPVS isn't set up"),
];

fn promote_secondaries(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.network.promote_secondaries = true;
    }
}

/// `use_vmac [INTERFACE] [MAC]`, in either order.
fn use_vmac(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let prefix_holder = instance_names(config);
    let Some(instance) = config.instances.last_mut() else { return };
    let mut vmac = Vmac { name: None, mac: None, span: node.name.span };
    for word in &node.args {
        if word.text.contains(&b':') {
            vmac.mac = mac(word, diagnostics).or(vmac.mac);
            continue;
        }
        // As measured: of several names the first counts, and nothing is said.
        if vmac.name.is_some() {
            continue;
        }
        let name = word.lossy();
        if name.len() > LONGEST_NAME || !name.bytes().all(is_of_name) {
            let message =
                format!("VMAC interface name '{name}' too long or invalid characters - ignoring");
            diagnostics.push(Diagnostic::error("keepalived/vmac", message).at(word.span));
        } else if let Some(other) =
            prefix_holder.iter().find(|(_, used)| used.as_str() == name).map(|(owner, _)| owner)
        {
            let message = format!(
                "({}) VRRP instance {other} is already using {name} - ignoring name",
                instance.name.value
            );
            diagnostics.push(Diagnostic::error("keepalived/vmac", message).at(word.span));
        } else {
            vmac.name = Some(read::text(word));
        }
    }
    instance.network.vmac = Some(vmac);
}

/// Names of virtual MAC interfaces so far, each behind its instance's.
fn instance_names(config: &KeepalivedConfig) -> Vec<(String, String)> {
    let Some((_, before)) = config.instances.split_last() else { return Vec::new() };
    let named = before.iter().filter_map(|instance| {
        let name = instance.network.vmac.as_ref()?.name.as_ref()?;
        Some((instance.name.value.clone(), name.value.clone()))
    });
    named.collect()
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'/'
}

/// Six bytes, or five that the virtual router id follows.
fn mac(word: &Word, diagnostics: &mut Diagnostics) -> Option<Mac> {
    let text = word.lossy();
    let mut complain = |message: String| {
        diagnostics.push(Diagnostic::error("keepalived/vmac", message).at(word.span));
        None
    };
    let bytes: Result<Vec<u8>, _> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
    let Ok(bytes) = bytes else {
        return complain(format!("VMAC invalid MAC address {text}"));
    };
    if bytes.first().is_some_and(|first| first & 1 != 0) {
        return complain(format!("VMAC MAC address is multicast {text} - ignoring"));
    }
    if bytes.starts_with(&[0, 0, 0x5e, 0]) {
        return complain(format!(
            "VMAC MAC address not allowed to be RFC5798 address ({text}) - ignoring"
        ));
    }
    match bytes.len() {
        6 => Some(Mac::Whole(bytes.try_into().ok()?)),
        5 => Some(Mac::Beginning(bytes.try_into().ok()?)),
        _ => complain(format!("VMAC invalid MAC address {text}")),
    }
}

fn vmac_xmit_base(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.network.transmit_base = Some(node.name.span);
    }
}

fn use_vmac_addr(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.network.vmac_addresses = Some(node.name.span);
    }
}

fn use_ipvlan(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(instance) = config.instances.last_mut() else { return };
    let mut ipvlan =
        Ipvlan { name: None, address: None, mode: IpvlanMode::default(), span: node.name.span };
    // A name that there is already counts.
    let named = instance.network.vmac.is_some();
    for word in &node.args {
        let text = word.lossy();
        let mode = match &*text {
            "bridge" => Some(IpvlanMode::Bridge),
            "private" => Some(IpvlanMode::Private),
            "vepa" => Some(IpvlanMode::Vepa),
            _ => None,
        };
        if let Some(mode) = mode {
            ipvlan.mode = mode;
        } else if let Some(address) = own_address(&text) {
            ipvlan.address = Some(address);
        } else if named || ipvlan.name.is_some() {
            let message = format!(
                "({}) IPVLAN interface already specified - ignoring '{text}'",
                instance.name.value
            );
            diagnostics.push(Diagnostic::error("keepalived/vmac", message).at(word.span));
        } else {
            ipvlan.name = Some(read::text(word));
        }
    }
    instance.network.ipvlan = Some(ipvlan);
}

/// `ADDRESS[/PREFIX]`
fn own_address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv6() { 128 } else { 32 };
    let prefix = prefix.unwrap_or(most);
    (prefix <= most).then_some((address, prefix))
}

fn accept(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.network.drop_packets = Some(false);
    }
}

fn no_accept(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(instance) = config.instances.last_mut() {
        instance.network.drop_packets = Some(true);
    }
}

fn vrf(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(instance) = config.instances.last_mut() else { return };
    if instance.interface.is_some() {
        let name = &instance.name.value;
        let message = format!("({name}) Cannot specify VRF interface and interface - ignoring");
        diagnostics.push(Diagnostic::error("keepalived/vrf", message).at(node.name.span));
        return;
    }
    instance.network.vrf = node.args.first().map(read::text);
}
