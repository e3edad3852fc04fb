//! The nftables tables that keep packets from virtual addresses and interfaces.
//!
//! Set up by the program nft, laid out as keepalived's: the rules stand from the start to the end,
//! so that no hand-over waits for it, and a table changes as a whole or not at all. Which addresses
//! they concern is in sets, which the kernel is told without nft: they are in there while this node
//! has them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::plan::VrrpPlan;
use crate::plan::device::Firewall;

/// An address that packets aren't let through to; IPv6 link-local ones with the number of their
/// interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::runtime) struct Guarded {
    pub(in crate::runtime) address: IpAddr,
    pub(in crate::runtime) interface: Option<u32>,
}

impl Guarded {
    /// `index`: of the interface that the address is on.
    pub(in crate::runtime) fn new(address: IpAddr, index: u32) -> Self {
        let is_local = matches!(address, IpAddr::V6(it) if it.is_unicast_link_local());
        Guarded { address, interface: is_local.then_some(index) }
    }

    /// The set that it is in.
    pub(in crate::runtime) fn set(&self) -> &'static str {
        if self.interface.is_some() { LOCAL } else { ADDRESSES }
    }

    /// As bytes in that set.
    pub(in crate::runtime) fn key(&self) -> Vec<u8> {
        let mut key = match self.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        key.extend(self.interface.into_iter().flat_map(u32::to_ne_bytes));
        key
    }
}

const ADDRESSES: &str = "vips";
const LOCAL: &str = "vips_link_local";

/// What a family's table is about.
#[derive(Default)]
struct Facts {
    /// Numbers of virtual MAC interfaces, each with that of the interface below.
    devices: Vec<(u32, u32)>,
    /// There are addresses that nobody may speak to, and IPv6 link-local ones.
    guards: bool,
    guards_local: bool,
}

/// The tables that a plan wants, as `ip NAME` and `ip6 NAME`, and the script that makes them, with
/// these addresses in their sets. `None`: it wants none.
pub(in crate::runtime) fn script(
    plan: &VrrpPlan,
    held: &BTreeSet<Guarded>,
) -> Option<(Vec<String>, String)> {
    let firewall = plan.firewall.as_ref()?;
    let (mut names, mut script) = (Vec::new(), String::new());
    for ipv6 in [false, true] {
        let facts = facts(plan, ipv6);
        if facts.devices.is_empty() && !facts.guards {
            continue;
        }
        let family = if ipv6 { "ip6" } else { "ip" };
        let name = format!("{family} {}", firewall.table);
        // Made, so that it can be deleted, whether it was there or not.
        script += &format!("table {name}\ndelete table {name}\n");
        let held: Vec<&Guarded> = held.iter().filter(|it| it.address.is_ipv6() == ipv6).collect();
        script += &table(&name, ipv6, firewall, &facts, &held);
        names.push(name);
    }
    (!names.is_empty()).then_some((names, script))
}

fn facts(plan: &VrrpPlan, ipv6: bool) -> Facts {
    let mut facts = Facts::default();
    for router in &plan.routers {
        for device in router.devices() {
            if !device.is_macvlan() || !router.device_concerns(device, ipv6) {
                continue;
            }
            let pair = super::index(&device.name).zip(super::index(&device.base));
            facts.devices.extend(pair);
        }
        if !router.belongings.drop_packets {
            continue;
        }
        for it in router.all_addresses().filter(|it| it.address.is_ipv6() == ipv6) {
            facts.guards = true;
            facts.guards_local |= Guarded::new(it.address, 0).interface.is_some();
        }
    }
    facts
}

fn table(name: &str, ipv6: bool, firewall: &Firewall, facts: &Facts, held: &[&Guarded]) -> String {
    let Facts { devices, guards, guards_local } = facts;
    let counter = if firewall.counters { "counter " } else { "" };
    let hook = |hook: &str| {
        format!("    type filter hook {hook} priority {}; policy accept;\n", firewall.priority)
    };
    let (kind, family) = if ipv6 { ("ipv6_addr", "ip6") } else { ("ipv4_addr", "ip") };
    let elements = |in_set: &str| {
        let items = held.iter().filter(|it| it.set() == in_set).map(|it| match it.interface {
            Some(index) => format!("{} . {index}", it.address),
            None => it.address.to_string(),
        });
        let items = join(items);
        if items.is_empty() { String::new() } else { format!(" elements = {{ {items} }};") }
    };
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
    let mut chains = String::new();
    if *guards {
        text += &format!("  set {ADDRESSES} {{ type {kind};{} }}\n", elements(ADDRESSES));
    }
    if *guards && ipv6 {
        // Without them nobody finds the virtual router.
        text += "  set neighbor-discovery { type icmpv6_type; flags constant; elements = { \
                 nd-neighbor-solicit, nd-neighbor-advert }; }\n";
        let accept = format!("    icmpv6 type @neighbor-discovery {counter}accept\n");
        out += &accept;
        input += &accept;
        out += &format!("    ip6 saddr fe80::/10 {counter}goto out_link_local\n");
        input += &format!("    ip6 daddr fe80::/10 {counter}goto in_link_local\n");
        let rule = |ends: &str| match guards_local {
            true => format!("    ip6 {ends} @{LOCAL} {counter}drop\n"),
            false => String::new(),
        };
        if *guards_local {
            let held = elements(LOCAL);
            text += &format!("  set {LOCAL} {{ type ipv6_addr . iface_index;{held} }}\n");
        }
        chains += &format!("  chain in_link_local {{\n{}  }}\n", rule("daddr . iif"));
        chains += &format!("  chain out_link_local {{\n{}  }}\n", rule("saddr . oif"));
    }
    if *guards {
        out += &format!("    {family} saddr @{ADDRESSES} {counter}drop\n");
        input += &format!("    {family} daddr @{ADDRESSES} {counter}drop\n");
        chains = format!("  chain in {{\n{input}  }}\n") + &chains;
    }
    text += &format!("  chain out {{\n{out}  }}\n");
    text + &chains + "}\n"
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
