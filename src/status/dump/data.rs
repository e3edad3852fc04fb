//! `keepalived.data`: config and state for people. Of the real one's sections it has the global
//! definitions that a plan knows, the topology and the scripts; numbers of descriptors, the socket
//! pool and the interfaces are left out.

use std::fmt::{Result, Write};
use std::time::{Duration, SystemTime};

use super::{definitions, words};
use crate::plan::group::SyncGroup;
use crate::plan::track::TrackScript;
use crate::plan::vrrp::{Authentication, NotifyScript, Peer, TrackedScript, Unicast, Version};
use crate::plan::wire::{Checksum, Family, Wire};
use crate::status::snapshot::{GroupView, RouterView, ScriptView, Snapshot};
use crate::vrrp::machine::State;
use crate::vrrp::track::ScriptStatus;

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
    let tracked = |id: usize| snapshot.routers.iter().any(|it| line_of(it, id).is_some());
    let scripts = snapshot.scripts.iter().enumerate().filter(|(id, _)| tracked(*id));
    let scripts: Vec<_> = scripts.collect();
    if !scripts.is_empty() {
        writeln!(out, "------< VRRP Scripts >------")?;
    }
    for (id, script) in scripts {
        write_script(out, id, script, &snapshot.routers)?;
    }
    Ok(())
}

fn line_of(router: &RouterView, script: usize) -> Option<&TrackedScript> {
    router.config.scripts.iter().find(|line| line.script.0 == script)
}

fn write_group(out: &mut String, it: &GroupView, all: &Snapshot) -> Result {
    let SyncGroup { name, notify, telling, .. } = &it.config;
    let members = || it.members.iter().filter_map(|at| all.routers.get(*at));
    let faults = members().filter(|it| it.state == State::Fault).count();
    let waits = members().filter(|it| it.state == State::Initialize).count();
    writeln!(out, " VRRP Sync Group = {name}, {}", it.state.word())?;
    writeln!(out, "   Num member fault {faults}, num member init {waits}")?;
    writeln!(out, "   VRRP member instances :")?;
    for member in members() {
        writeln!(out, "     {}", member.config.name)?;
    }
    writeln!(out, "   Using smtp notification = {}", words::yes(telling.mail))?;
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
    if !it.config.scripts.is_empty() {
        writeln!(out, "   Tracked scripts :")?;
    }
    for line in &it.config.scripts {
        if let Some(script) = all.scripts.get(line.script.0) {
            writeln!(out, "     {} weight {}", script.config.name, weight(line))?;
        }
    }
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
    let (faults, waits) = hindrances(it, all);
    let version = if config.version == Version::V2 { 2 } else { 3 };
    // Most flags have no words in 2.2.7's dump; only that there are some is to be seen.
    let none = config.preempt
        && config.source.is_none()
        && config.unicast.is_none()
        && !config.conduct.strict
        && !config.wire.trust_known_sender
        && !config.belongings.drop_packets
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
    writeln!(out, "   Interface = {}", config.interface)
}

/// What keeps a router in fault, and what it waits for.
fn hindrances(it: &RouterView, all: &Snapshot) -> (usize, usize) {
    let status = |line: &TrackedScript| all.scripts.get(line.script.0).map(|script| script.status);
    let deciding = || it.config.scripts.iter().filter(|line| line.weight == 0);
    let bad =
        |line: &TrackedScript| if line.reverse { ScriptStatus::Up } else { ScriptStatus::Down };
    let faulty = |line: &&TrackedScript| {
        let status = status(line);
        // Presumed to fail, by init_fail.
        let presumed = status == Some(ScriptStatus::PresumedDown) && !line.reverse;
        status == Some(bad(line)) || presumed
    };
    let faults = deciding().filter(faulty).count();
    let waits = deciding().filter(|line| status(line) == Some(ScriptStatus::Unknown)).count();
    (faults + usize::from(!it.interface_up) + usize::from(it.source.is_none()), waits)
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
        writeln!(out, "   Multicast address {}", config.group)?;
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
    for address in words::addresses(it) {
        writeln!(out, "     {address}")?;
    }
    let excluded = words::excluded(it);
    if !excluded.is_empty() {
        writeln!(out, "   Virtual IP Excluded :")?;
    }
    for address in excluded {
        writeln!(out, "     {address}")?;
    }
    if let Some(unicast) = &config.unicast {
        write_unicast(out, unicast, &config.wire, config.family())?;
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

fn weight(line: &TrackedScript) -> String {
    format!("{}{}", line.weight, if line.reverse { " reverse" } else { "" })
}

fn write_notify(out: &mut String, what: &str, script: &NotifyScript) -> Result {
    let command = words::command(&script.argv);
    let (uid, gid) = script.user.as_ref().map_or((0, 0), |user| (user.uid, user.gid));
    writeln!(out, "   {what} state transition script = {command}, uid:gid {uid}:{gid}")
}

fn write_script(out: &mut String, id: usize, it: &ScriptView, routers: &[RouterView]) -> Result {
    let TrackScript { name, check, interval, timeout, rise, fall, user, .. } = &it.config;
    let reverse = if it.config.reverse { " reverse" } else { "" };
    let unknown = it.status == ScriptStatus::Unknown;
    let (uid, gid) = user.as_ref().map_or((0, 0), |user| (user.uid, user.gid));
    writeln!(out, " VRRP Script = {name}")?;
    writeln!(out, "   Command = {}", words::command(check.argv()))?;
    writeln!(out, "   Interval = {} sec", interval.as_secs_f64())?;
    writeln!(out, "   Timeout = {} sec", timeout.unwrap_or_default().as_secs_f64())?;
    writeln!(out, "   Weight = {}{reverse}", it.config.weight)?;
    writeln!(out, "   Rise = {rise}")?;
    writeln!(out, "   Fall = {fall}")?;
    // keepalived's counter: good from `rise` on.
    let result = match it.status {
        ScriptStatus::Up => (rise + fall).saturating_sub(1 + it.against),
        ScriptStatus::Down | ScriptStatus::PresumedDown => it.against,
        ScriptStatus::Unknown => rise.saturating_sub(1),
    };
    writeln!(out, "   Result = {result}")?;
    writeln!(out, "   Insecure = no")?;
    writeln!(out, "   Init state = {}", if unknown { "INIT" } else { "unknown" })?;
    let good = it.status == ScriptStatus::Up;
    writeln!(out, "   Status = {}", if good { "GOOD" } else { "BAD" })?;
    writeln!(out, "   Script uid:gid = {uid}:{gid}")?;
    writeln!(out, "   VRRP instances :")?;
    writeln!(out, "   Tracking instances :")?;
    for router in routers {
        if let Some(line) = line_of(router, id) {
            writeln!(out, "     {}, weight {}", router.config.name, weight(line))?;
        }
    }
    writeln!(out, "   State = {}", if it.running { "running" } else { "idle" })
}
