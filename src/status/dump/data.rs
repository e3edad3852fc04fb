//! `keepalived.data`: config and state for people. Of the real one's sections it has all but the
//! socket pool: numbers of descriptors, and who shares them, are each program's own.

use std::fmt::{Result, Write};
use std::time::{Duration, SystemTime};

use super::tracked::By;
use super::{definitions, interfaces, placed, statics, tracked, words};
use crate::plan::device::Device;
use crate::plan::group::SyncGroup;
use crate::plan::vrrp::{Authentication, NotifyScript, Peer, Unicast, Version};
use crate::plan::wire::{Checksum, Family, Wire};
use crate::status::snapshot::{GroupView, RouterView, Snapshot};
use crate::vrrp::machine::State;

/// A point in time as people of this host write it: `Mon Nov 23 00:53:52.974461 2026`.
pub type Local<'a> = &'a dyn Fn(SystemTime) -> String;

/// The whole file.
pub fn render(snapshot: &Snapshot, local: Local) -> String {
    let mut out = String::new();
    // Writing to a String doesn't fail.
    let _ = write_all(&mut out, snapshot, local);
    out
}

fn write_all(out: &mut String, snapshot: &Snapshot, local: Local) -> Result {
    let router_id = snapshot.router_id.as_deref().unwrap_or(&snapshot.host);
    definitions::write(out, &snapshot.telling, &snapshot.process, router_id)?;
    statics::write(out, snapshot)?;
    writeln!(out, "------< VRRP Topology >------")?;
    for (at, router) in snapshot.routers.iter().enumerate() {
        let group = snapshot.groups.iter().find(|group| group.members.contains(&at));
        write_router(out, router, group, snapshot, local)?;
    }
    if !snapshot.groups.is_empty() {
        writeln!(out, "------< VRRP Sync groups >------")?;
    }
    for group in &snapshot.groups {
        write_group(out, group, snapshot)?;
    }
    tracked::write_sections(out, snapshot)?;
    interfaces::write(out, snapshot)
}

fn write_group(out: &mut String, it: &GroupView, all: &Snapshot) -> Result {
    let SyncGroup { name, notify, telling, .. } = &it.config;
    let members = || it.members.iter().filter_map(|at| all.routers.get(*at));
    // Who is in fault only because another one is doesn't count.
    let faults = members().filter(|it| tracked::hindrances(it, all).0 > 0).count();
    let waits = members().filter(|it| it.state == State::Initialize).count();
    writeln!(out, " VRRP Sync Group = {name}, {}", it.state.word())?;
    writeln!(out, "   Num member fault {faults}, num member init {waits}")?;
    writeln!(out, "   VRRP member instances :")?;
    for member in members() {
        writeln!(out, "     {}", member.config.name)?;
    }
    if it.config.own_weights {
        writeln!(out, "   sync group tracking weight set")?;
    }
    writeln!(out, "   Using smtp notification = {}", words::yes(telling.mail))?;
    if let Some(member) = members().next() {
        tracked::write_lists(out, &member.config, By::Group, all)?;
    }
    for (what, script) in [
        ("Backup", &notify.backup),
        ("Master", &notify.master),
        ("Fault", &notify.fault),
        ("Stop", &notify.stop),
        ("Generic", &notify.any),
    ] {
        if let Some(script) = script {
            write_notify(out, what, script)?;
        }
    }
    Ok(())
}

fn write_router(
    out: &mut String,
    it: &RouterView,
    group: Option<&GroupView>,
    all: &Snapshot,
    local: Local,
) -> Result {
    write_state(out, it, group, all, local)?;
    write_config(out, it)?;
    tracked::write_lists(out, &it.config, By::Instance, all)?;
    let telling = &it.config.telling;
    let deleted = telling.deleted.as_ref();
    writeln!(out, "   Using smtp notification = {}", words::yes(telling.mail))?;
    writeln!(out, "   Notify deleted = {}", deleted.map_or("Fault", |_| "Deleted"))?;
    let notify = &it.config.notify;
    for (what, script) in [
        ("Backup", &notify.backup),
        ("Master", &notify.master),
        ("Fault", &notify.fault),
        ("Stop", &notify.stop),
        ("Deleted", &deleted.and_then(|deleted| deleted.script.clone())),
        ("Generic", &notify.any),
        ("Master rx lower pri", &telling.lower_priority_heard),
    ] {
        if let Some(script) = script {
            write_notify(out, what, script)?;
        }
    }
    writeln!(out, "   Notify priority changes = {}", telling.priority_changes)
}

fn write_state(
    out: &mut String,
    it: &RouterView,
    group: Option<&GroupView>,
    all: &Snapshot,
    local: Local,
) -> Result {
    let config = &it.config;
    let time = |at| format!("{} ({})", words::time(at), local(at));
    let (faults, waits) = tracked::hindrances(it, all);
    let version = if config.version == Version::V2 { 2 } else { 3 };
    // Most flags have no words in 2.2.7's dump; only that there are some is to be seen.
    let none = config.preempt
        && config.source.is_none()
        && config.unicast.is_none()
        && !config.wire.trust_known_sender
        && !config.tracking.dont_track_primary
        && config.device.is_none()
        && !config.belongings.devices_for_all
        && !config.belongings.promote_secondaries;
    let flags = if none { " none" } else { "" };
    writeln!(out, " VRRP Instance = {}", config.name)?;
    writeln!(out, "   VRRP Version = {version}")?;
    if config.family() == Family::V6 {
        writeln!(out, "   Using Native IPv6")?;
    }
    if let Some(group) = group {
        writeln!(out, "   Sync group = {}", group.config.name)?;
    }
    writeln!(out, "   State = {}", words::state(it).word())?;
    if let (State::Backup, Some(router)) = (it.state, it.active_address) {
        writeln!(out, "   Master router = {router}")?;
        let priority = it.active.map_or(0, |(priority, _)| priority);
        writeln!(out, "   Master priority = {priority}")?;
        if let (Version::V3, Some((_, interval))) = (config.version, it.active) {
            writeln!(out, "   Master advert int = {:.2} sec", interval.as_secs_f64())?;
        }
    }
    writeln!(out, "   Flags:{flags}")?;
    if config.unicast.is_some() {
        writeln!(out, "     Using unicast")?;
    }
    writeln!(out, "   Wantstate = {}", words::wanted(it).word())?;
    writeln!(out, "   Number of config faults = 0")?;
    writeln!(out, "   Number of interface and track script faults = {faults}")?;
    writeln!(out, "   Number of track scripts init = {waits}")?;
    writeln!(out, "   Last transition = {}", time(it.last_transition))?;
    let next = it.next_timer.filter(|_| matches!(it.state, State::Backup | State::Active));
    writeln!(out, "   Read timeout = {}", next.map_or("DISABLED".to_owned(), time))?;
    writeln!(out, "   Master down timer = {} usecs", it.down_interval.as_micros())?;
    if let Some(Device { name, transmit_base, .. }) = &config.device {
        let up = all.interfaces.iter().any(|it| it.name == *name && it.raised);
        writeln!(out, "   Use VMAC, i/f name {name}, is_up = {up}, xmit_base = {transmit_base}")?;
    }
    if config.belongings.devices_for_all {
        writeln!(out, "   Use VMAC for VIPs on other interfaces")?;
    }
    write_interface(out, it)?;
    if config.tracking.dont_track_primary {
        writeln!(out, "   VRRP interface tracking disabled")?;
    }
    Ok(())
}

fn write_interface(out: &mut String, it: &RouterView) -> Result {
    let config = &it.config;
    let Some(device) = &config.device else {
        return writeln!(out, "   Interface = {}", config.interface);
    };
    let base = if device.transmit_base { ", xmit base i/f" } else { "" };
    writeln!(out, "   Interface = {}, vmac on {}{base}", device.name, device.base)
}

fn write_config(out: &mut String, it: &RouterView) -> Result {
    let config = &it.config;
    let garp = &config.garp;
    if config.wire.trust_known_sender {
        writeln!(out, "   Skip checking advert IP addresses")?;
    }
    if config.conduct.strict {
        writeln!(out, "   Enforcing strict VRRP compliance")?;
    }
    let source = it.source.map_or("(none)".to_owned(), |source| source.to_string());
    let origin = if config.source.is_some() { " (from configuration)" } else { "" };
    writeln!(out, "   Using src_ip = {source}{origin}")?;
    if config.unicast.is_none() {
        // IPv6's is of one interface.
        let interface = it.advert_interface.filter(|_| config.family() == Family::V6);
        let interface = interface.map_or(String::new(), |index| format!(", ifindex {index}"));
        writeln!(out, "   Multicast address {}{interface}", config.group)?;
    }
    writeln!(out, "   Gratuitous ARP delay = {}", garp.delay.as_secs())?;
    writeln!(out, "   Gratuitous ARP repeat = {}", garp.repeat)?;
    writeln!(out, "   Gratuitous ARP refresh = {}", garp.refresh.as_secs())?;
    writeln!(out, "   Gratuitous ARP refresh repeat = {}", garp.refresh_repeat)?;
    let lower = garp.lower_priority_delay.as_secs();
    writeln!(out, "   Gratuitous ARP lower priority delay = {lower}")?;
    writeln!(out, "   Gratuitous ARP lower priority repeat = {}", garp.lower_priority_repeat)?;
    let conduct = &config.conduct;
    writeln!(out, "   Down timer adverts = {}", conduct.down_timer_adverts)?;
    let answers = !conduct.lower_priority_no_advert;
    writeln!(out, "   Send advert after receive lower priority advert = {answers}")?;
    let sends = conduct.higher_priority_send_advert;
    writeln!(out, "   Send advert after receive higher priority advert = {sends}")?;
    writeln!(out, "   Virtual Router ID = {}", config.vrid)?;
    writeln!(out, "   Priority = {}", config.priority)?;
    writeln!(out, "   Effective priority = {}", it.priority)?;
    writeln!(out, "   Total priority = {}", it.priority)?;
    writeln!(out, "   Advert interval = {}", interval(config.version, config.advert_interval))?;
    if let (State::Backup, Version::V3, Some((_, heard))) = (it.state, config.version, it.active) {
        writeln!(out, "   Master advert interval = {}", interval(config.version, heard))?;
    }
    let able = |on: bool| if on { "enabled" } else { "disabled" };
    writeln!(out, "   Accept = {}", able(!config.belongings.drop_packets))?;
    writeln!(out, "   Preempt = {}", if config.preempt { "enabled" } else { "disabled" })?;
    if !config.preempt_delay.is_zero() {
        writeln!(out, "   Preempt delay = {} secs", config.preempt_delay.as_secs_f64())?;
    }
    let promote = config.belongings.promote_secondaries;
    writeln!(out, "   Promote_secondaries = {}", able(promote))?;
    match &config.authentication {
        _ if config.version == Version::V3 => {}
        None => writeln!(out, "   Authentication type = none")?,
        Some(Authentication::Pass(secret)) => {
            writeln!(out, "   Authentication type = SIMPLE_PASSWORD")?;
            writeln!(out, "   Password = {secret:?}")?;
        }
        Some(Authentication::Header(_)) => {
            writeln!(out, "   Authentication type = IPSEC_AH")?;
        }
    }
    if let Some(bytes) = config.wire.receive_buffer {
        writeln!(out, "   Kernel rx buffer size = {bytes}")?;
    }
    writeln!(out, "   Virtual IP ({}):", config.addresses.len())?;
    for address in placed::addresses(it) {
        writeln!(out, "     {address}")?;
    }
    let excluded = placed::excluded(it);
    if !excluded.is_empty() {
        writeln!(out, "   Virtual IP Excluded :")?;
    }
    for address in excluded {
        writeln!(out, "     {address}")?;
    }
    if let Some(unicast) = &config.unicast {
        write_unicast(out, unicast, &config.wire, config.family())?;
    }
    for (what, lines) in [("Routes", placed::routes(config)), ("Rules", placed::rules(config))] {
        if !lines.is_empty() {
            writeln!(out, "   Virtual {what} :")?;
        }
        lines.iter().try_for_each(|line| writeln!(out, "     {line}"))?;
    }
    Ok(())
}

fn write_unicast(out: &mut String, it: &Unicast, wire: &Wire, family: Family) -> Result {
    // The kernel's own isn't shown.
    if (it.ttl, family) != (64, Family::V6) {
        writeln!(out, "   Unicast TTL = {}", it.ttl)?;
    }
    writeln!(out, "   Check unicast src : {}", if it.check_source { "yes" } else { "no" })?;
    writeln!(out, "   Unicast Peer :")?;
    for Peer { address, min_ttl, max_ttl } in &it.peers {
        writeln!(out, "     {address} min_ttl {min_ttl} max_ttl {max_ttl}")?;
    }
    let compatibility = match wire.checksum {
        Checksum::Usual | Checksum::WithoutPseudoHeader => "no",
        Checksum::AlwaysNew => "never",
        Checksum::Old => "config",
    };
    writeln!(out, "   Unicast checksum compatibility = {compatibility}")
}

fn interval(version: Version, interval: Duration) -> String {
    match version {
        Version::V2 => format!("{} sec", interval.as_secs_f64()),
        Version::V3 => format!("{} milli-sec", interval.as_millis()),
    }
}

fn write_notify(out: &mut String, what: &str, script: &NotifyScript) -> Result {
    let command = words::command(&script.argv);
    let (uid, gid) = script.user.as_ref().map_or((0, 0), |user| (user.uid, user.gid));
    writeln!(out, "   {what} state transition script = {command}, uid:gid {uid}:{gid}")
}
