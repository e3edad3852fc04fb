//! The host's network: interfaces, static addresses, the firewall.

use super::super::{Row, address};
use super::{GLOBAL, MAIN, NO_FIREWALL, NO_STATIC, VMAC_ONLY, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(GLOBAL, "dynamic_interfaces", "[allow_if_changes]", "Interfaces may come later")
        .partial(
            "an instance whose interface is missing at start waits in FAULT state",
            set::dynamic_interfaces,
        ),
    Row::of(GLOBAL, "default_interface", "INTERFACE", "Interface of static addresses")
        .bare()
        .default("eth0")
        .refused(NO_STATIC),
    Row::of(GLOBAL, "disable_local_igmp", "", "Stop IGMP reports for link-local groups")
        .full(super::speech::disable_local_igmp),
    Row::of(GLOBAL, "nftables", "[TABLE]", "Use nftables").refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_priority", "PRIORITY", "Priority of the chains")
        .default("-1")
        .refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_counters", "", "Count in the rules").refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_ifindex", "", "Interface numbers in the rules").refused(NO_FIREWALL),
    Row::of(GLOBAL, "vrrp_iptables", "[CHAIN [CHAIN]]", "Use iptables").refused(NO_FIREWALL),
    Row::of(GLOBAL, "vrrp_ipsets", "[SET...]", "Use ipsets").refused(NO_FIREWALL),
    Row::of(GLOBAL, "vmac_prefix", "PREFIX", "Names of virtual MAC interfaces")
        .default("vrrp")
        .ignored(VMAC_ONLY),
    Row::of(GLOBAL, "vmac_addr_prefix", "PREFIX", "Names of the addresses' virtual MAC interfaces")
        .default("vmac_prefix")
        .ignored(VMAC_ONLY),
    Row::of(MAIN, "linkbeat_use_polling", "", "Poll the links of interfaces")
        .ignored("the kernel tells about links at once"),
    Row::of(MAIN, "linkbeat_interfaces", "", "Interfaces whose links are polled")
        .lines()
        .ignored("the kernel tells about links at once"),
    Row::of(MAIN, "interface_up_down_delays", "", "Wait before acting on a link")
        .lines()
        .refused("a link counts at once"),
    Row::of(MAIN, "static_ipaddress", "", "Addresses that are always held")
        .lines()
        .refused(NO_STATIC)
        .set(address::check),
    Row::of(MAIN, "static_routes", "", "Routes that are always held").lines().refused(NO_STATIC),
    Row::of(MAIN, "static_rules", "", "Routing rules that are always held")
        .lines()
        .refused(NO_STATIC),
];
