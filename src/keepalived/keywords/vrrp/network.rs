//! What an instance does to the host's network: addresses, routes, rules, interfaces of its own.

use super::super::super::config::KeepalivedConfig;
use super::super::{Row, address, route, rule};
use super::{INSTANCE, NO_VMAC, NO_VRF, set};
use crate::text::{Diagnostics, Node};

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
    .refused(NO_VMAC)
    .set(set::vmac),
    Row::of(
        INSTANCE,
        "use_vmac_addr",
        "",
        "Virtual MAC interfaces for addresses on other interfaces",
    )
    .refused(NO_VMAC)
    .set(set::vmac),
    Row::of(
        INSTANCE,
        "vmac_xmit_base",
        "",
        "Send from the interface below the virtual MAC interface",
    )
    .ignored("it concerns use_vmac, which isn't run"),
    Row::of(
        INSTANCE,
        "use_ipvlan",
        "[INTERFACE] [ADDRESS] [MODE]",
        "Hold the addresses on an ipvlan interface",
    )
    .refused(NO_VMAC)
    .set(set::vmac),
    Row::of(INSTANCE, "vrf", "INTERFACE", "VRF to run in").refused(NO_VRF).set(set::vrf),
    Row::of(INSTANCE, "accept", "", "Take packets for the addresses though not their owner")
        .ignored("they are always taken"),
    Row::of(INSTANCE, "no_accept", "", "Drop packets for the addresses unless their owner")
        .refused("they are always taken"),
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
