//! The section `Interfaces`: what the kernel has told, and who depends on it. Of the real one's
//! lines those are left out that count its own steps (`Seen up`, `Reset ARP config counter` and
//! the like).

use std::collections::BTreeSet;
use std::fmt::{Result, Write};
use std::net::IpAddr;

use crate::plan::device::Mac;
use crate::plan::route::Statics;
use crate::plan::vrrp::VirtualRouter;
use crate::status::snapshot::{InterfaceView, Snapshot};

pub(super) fn write(out: &mut String, all: &Snapshot) -> Result {
    writeln!(out, "------< Interfaces >------")?;
    for it in &all.interfaces {
        write_one(out, it, all)?;
    }
    // What is waited for, or was there.
    let known = |name: &String| all.interfaces.iter().any(|it| it.name == *name);
    let wanted = all.routers.iter().map(|it| &it.config).flat_map(|it| {
        let tracked = it.tracking.interfaces.iter().map(|line| &line.what);
        std::iter::once(&it.interface).chain(tracked)
    });
    let missing: BTreeSet<&String> = wanted.filter(|name| !known(name)).collect();
    missing.into_iter().try_for_each(|name| {
        let it = InterfaceView { name: name.clone(), arp: true, ..InterfaceView::default() };
        write_one(out, &it, all)
    })
}

fn write_one(out: &mut String, it: &InterfaceView, all: &Snapshot) -> Result {
    let address =
        |address: Option<IpAddr>| address.map_or("(none)".to_owned(), |it| it.to_string());
    writeln!(out, " Name = {}", it.name)?;
    writeln!(out, "   index = {}{}", it.index, if it.index == 0 { " (deleted)" } else { "" })?;
    writeln!(out, "   IPv4 address = {}", address(it.ipv4))?;
    writeln!(out, "   IPv6 address = {}", address(it.ipv6))?;
    if let Some(mac) = it.mac.filter(|_| !it.loopback) {
        writeln!(out, "   MAC = {}", Mac(mac))?;
    }
    if let Some(mac) = it.broadcast_mac.filter(|_| !it.loopback) {
        writeln!(out, "   MAC broadcast = {}", Mac(mac))?;
    }
    let base = all.interfaces.iter().find(|base| Some(base.index) == it.base && it.private);
    let below = if base.is_some_and(|base| !base.up) { ", master down" } else { "" };
    writeln!(out, "   State = {}{below}", state(it))?;
    writeln!(out, "   Delayed state change running = {}", it.waiting)?;
    writeln!(out, "   Up debounce timer = {}us", it.up_delay.as_micros())?;
    writeln!(out, "   Down debounce timer = {}us", it.down_delay.as_micros())?;
    if let Some(base) = base {
        let (name, state) = (&base.name, state(base));
        writeln!(out, "   VMAC type private, underlying interface = {name}, state = {state}")?;
    }
    let mut devices = all.routers.iter().flat_map(|it| it.config.devices());
    if devices.any(|device| device.name == it.name) {
        writeln!(out, "   I/f created by keepalived")?;
    }
    writeln!(out, "   MTU = {}", it.mtu)?;
    // ARPHRD_*
    match it.hardware {
        1 => writeln!(out, "   HW Type = ETHERNET")?,
        772 => writeln!(out, "   HW Type = LOOPBACK")?,
        32 => writeln!(out, "   HW Type = INFINIBAND")?,
        other => writeln!(out, "   HW Type = UNKNOWN ({other})")?,
    }
    if !it.asked {
        writeln!(out, "   NIC netlink status update")?;
    }
    if it.may_change {
        writeln!(out, "   Interface type/base can be changed")?;
    }
    let routers = || all.routers.iter().map(|it| &it.config);
    let trackers =
        routers().filter_map(|router| Some((&router.name, weight(router, &it.name, all)?)));
    let mut trackers = trackers.peekable();
    if trackers.peek().is_some() {
        writeln!(out, "   Tracking VRRP instances :")?;
    }
    trackers.try_for_each(|(name, weight)| writeln!(out, "     {name}, weight {weight}"))
}

fn state(it: &InterfaceView) -> String {
    let mut out = String::new();
    out.push_str(if it.raised { "UP" } else { "not UP" });
    out.push_str(if it.running { ", RUNNING" } else { ", not RUNNING" });
    for (is_so, words) in [
        (!it.broadcast, ", no broadcast"),
        (it.loopback, ", loopback"),
        (it.point_to_point, ", point to point"),
        (!it.arp && !it.loopback, ", no arp"),
        (!it.multicast, ", no multicast"),
    ] {
        if is_so {
            out.push_str(words);
        }
    }
    out
}

/// With what weight the interface counts for a router, if it does.
fn weight(router: &VirtualRouter, name: &str, all: &Snapshot) -> Option<String> {
    let own = router.interface == name || router.address_interface() == name;
    let mut lines = router.tracking.interfaces.iter();
    if let Some(line) = lines.find(|line| line.what == name) {
        return Some(super::tracked::weight(line));
    }
    match own {
        // As keepalived marks what isn't to be tracked.
        true if router.tracking.dont_track_primary => Some("255".to_owned()),
        true => Some("0".to_owned()),
        false => {
            let mut others = router.interfaces_of_belongings();
            let made = || router.devices().any(|device| device.name == name);
            let needed = others.any(|it| it == name) || made() || is_static(router, name, all);
            needed.then(|| "0".to_owned())
        }
    }
}

/// Has the interface something static that this router tracks?
fn is_static(router: &VirtualRouter, name: &str, all: &Snapshot) -> bool {
    let Statics { addresses, routes, rules, .. } = &all.statics;
    let tracks = |routers: &[String]| routers.contains(&router.name);
    let on = |interface: &Option<String>| interface.as_deref() == Some(name);
    addresses.iter().any(|it| tracks(&it.routers) && on(&it.item.interface))
        || routes.iter().any(|it| tracks(&it.routers) && it.item.interfaces().any(|it| it == name))
        || rules.iter().any(|it| tracks(&it.routers) && (on(&it.item.iif) || on(&it.item.oif)))
}
