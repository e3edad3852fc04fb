//! The nftables tables that keep packets from virtual addresses and interfaces.
//!
//! Set up by the program nft: the rules stand from the start to the end, so that no hand-over waits
//! for it, and a table changes as a whole or not at all. A backup doesn't have the addresses, so
//! rules about them mean nothing there.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::plan::VrrpPlan;
use crate::plan::device::Firewall;

/// What both families' tables are about.
#[derive(Default)]
struct Facts {
    /// Numbers of virtual MAC interfaces, each with that of the interface below.
    devices: Vec<(u32, u32)>,
    addresses: Vec<IpAddr>,
    /// IPv6 link-local ones, each with the number of its interface.
    local: Vec<(IpAddr, u32)>,
}

/// The tables that a plan wants, as `ip NAME` and `ip6 NAME`, and the script that makes them.
/// `None`: it wants none.
pub(in crate::runtime) fn script(plan: &VrrpPlan) -> Option<(Vec<String>, String)> {
    let firewall = plan.firewall.as_ref()?;
    let (mut names, mut script) = (Vec::new(), String::new());
    for ipv6 in [false, true] {
        let facts = facts(plan, ipv6);
        if facts.devices.is_empty() && facts.addresses.is_empty() && facts.local.is_empty() {
            continue;
        }
        let family = if ipv6 { "ip6" } else { "ip" };
        let name = format!("{family} {}", firewall.table);
        // Made, so that it can be deleted, whether it was there or not.
        script += &format!("table {name}\ndelete table {name}\n");
        script += &table(&name, ipv6, firewall, &facts);
        names.push(name);
    }
    (!names.is_empty()).then_some((names, script))
}

fn facts(plan: &VrrpPlan, ipv6: bool) -> Facts {
    let mut facts = Facts::default();
    for router in &plan.routers {
        for device in router.devices().filter(|it| it.ipv6 == ipv6) {
            let pair = super::index(&device.name).zip(super::index(&device.base));
            facts.devices.extend(pair);
        }
        if !router.belongings.drop_packets {
            continue;
        }
        for it in router.all_addresses().filter(|it| it.address.is_ipv6() == ipv6) {
            match it.address {
                IpAddr::V6(address) if address.is_unicast_link_local() => {
                    let interface = it.interface.as_deref().unwrap_or(router.address_interface());
                    facts.local.extend(super::index(interface).map(|index| (it.address, index)));
                }
                address => facts.addresses.push(address),
            }
        }
    }
    facts.addresses.sort();
    facts.addresses.dedup();
    facts
}

fn table(name: &str, ipv6: bool, firewall: &Firewall, facts: &Facts) -> String {
    let Facts { devices, addresses, local } = facts;
    let counter = if firewall.counters { "counter " } else { "" };
    let hook = |hook: &str| {
        format!("    type filter hook {hook} priority {}; policy accept;\n", firewall.priority)
    };
    let (kind, family) = if ipv6 { ("ipv6_addr", "ip6") } else { ("ipv4_addr", "ip") };
    let mut text = format!("table {name} {{\n");
    let (mut out, mut input) = (hook("output"), hook("input"));
    if !devices.is_empty() {
        let pairs = join(devices.iter().map(|(device, base)| format!("{device} : {base}")));
        text += &format!(
            "  map vmac_map {{ type iface_index : iface_index; elements = {{ {pairs} }}; }}\n"
        );
        // Who joins a group has to say so with the hardware address that the switch knows.
        let report = if ipv6 { "icmpv6 type mld2-listener-report" } else { "ip protocol igmp" };
        out += &format!(
            "    {report} meta oifkind \"macvlan\" dup to {family} daddr device oif map @vmac_map \
             {counter}drop\n"
        );
        if ipv6 {
            let names = join(devices.iter().map(|(device, _)| device.to_string()));
            text += &format!("  set vmac_set {{ type iface_index; elements = {{ {names} }}; }}\n");
            out += &format!(
                "    icmpv6 type nd-router-solicit meta oifkind \"macvlan\" oif @vmac_set \
                 {counter}drop\n"
            );
        }
    }
    if ipv6 && !(addresses.is_empty() && local.is_empty()) {
        // Without them nobody finds the virtual router.
        let accept = format!(
            "    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} {counter}accept\n"
        );
        out += &accept;
        input += &accept;
    }
    if !local.is_empty() {
        let pairs = join(local.iter().map(|(address, index)| format!("{address} . {index}")));
        text += &format!(
            "  set vips_link_local {{ type ipv6_addr . iface_index; elements = {{ {pairs} }}; }}\n"
        );
        out += &format!("    ip6 saddr . oif @vips_link_local {counter}drop\n");
        input += &format!("    ip6 daddr . iif @vips_link_local {counter}drop\n");
    }
    if !addresses.is_empty() {
        let all = join(addresses.iter().map(ToString::to_string));
        text += &format!("  set vips {{ type {kind}; elements = {{ {all} }}; }}\n");
        out += &format!("    {family} saddr @vips {counter}drop\n");
        input += &format!("    {family} daddr @vips {counter}drop\n");
    }
    text += &format!("  chain out {{\n{out}  }}\n");
    if !(addresses.is_empty() && local.is_empty()) {
        text += &format!("  chain in {{\n{input}  }}\n");
    }
    text + "}\n"
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// Has nft do what a script says, wholly or not at all.
pub(in crate::runtime) fn run(script: &str) -> io::Result<()> {
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = nft.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(said.lines().next().unwrap_or("nft failed").to_owned()))
}

/// `Ok`, too, if it isn't there.
pub(super) fn remove(table: &str) -> io::Result<()> {
    run(&format!("table {table}\ndelete table {table}\n"))
}
