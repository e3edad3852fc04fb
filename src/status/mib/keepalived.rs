//! KEEPALIVED-MIB, `vrrp`: groups and instances. What they track is in [`tracked`], addresses,
//! routes and rules are in [`placed`]. There are no BFD sessions to show.

use super::{Objects, address, family, place, placed, tracked, truth};
use crate::agentx::Value;
use crate::plan::vrrp::{Authentication, InitialState, NotifyScript, Version, VirtualRouter};
use crate::status::dump::words;
use crate::status::snapshot::{GroupView, RouterView, Snapshot};
use crate::vrrp::machine::State;

const VRRP: u32 = 2;

pub(super) fn write(out: &mut Objects, all: &Snapshot) {
    out.kinds(&[VRRP, 1, 1], 2..=11);
    out.kinds(&[VRRP, 2, 1], 2..=2);
    out.kinds(&[VRRP, 3, 1], 2..=35);
    for (at, group) in all.groups.iter().enumerate() {
        write_group(out, place(at), group, all);
    }
    for (at, router) in all.routers.iter().enumerate() {
        write_router(out, place(at), router, all);
    }
    tracked::write(out, all);
    placed::write(out, all);
}

/// VrrpState.
pub(super) fn state(state: State) -> Value {
    Value::Integer(words::number(state).into())
}

/// An address owner's is always MASTER (measured).
pub(super) fn initial(router: &VirtualRouter) -> Value {
    let is_master = router.initial == InitialState::Master || router.priority == u8::MAX;
    Value::Integer(if is_master { 2 } else { 1 })
}

fn command(script: Option<&NotifyScript>) -> Option<Value> {
    script.map(|script| Value::text(&words::command(&script.argv)))
}

fn write_group(out: &mut Objects, at: u32, group: &GroupView, all: &Snapshot) {
    let config = &group.config;
    let notify = &config.notify;
    let mut row = out.row(&[VRRP, 1], &[at]);
    row.put(2, Value::text(&config.name));
    row.put(3, state(group.state));
    row.put(4, truth(config.telling.mail));
    let scripts = [&notify.master, &notify.backup, &notify.fault, &notify.any].map(Option::as_ref);
    let executes = scripts.iter().any(Option::is_some) || notify.stop.is_some();
    row.put(5, truth(executes));
    for (column, script) in (6..).zip(scripts) {
        row.may(column, command(script));
    }
    row.put(10, truth(config.own_weights));
    row.may(11, command(notify.stop.as_ref()));
    let members = group.members.iter().filter_map(|member| all.routers.get(*member));
    for (member, router) in members.enumerate() {
        out.row(&[VRRP, 2], &[at, place(member)]).put(2, Value::text(&router.config.name));
    }
}

fn write_router(out: &mut Objects, at: u32, it: &RouterView, all: &Snapshot) {
    let config = &it.config;
    let group = all.groups.iter().find(|group| group.members.contains(&(at as usize - 1)));
    let held = it.held.iter().all(|held| *held);
    let units = match config.version {
        Version::V2 => config.advert_interval.as_secs(),
        Version::V3 => (config.advert_interval.as_millis() / 10) as u64,
    };
    let tracks = config.tracking.interfaces.iter().any(|line| !line.by_group);
    let polled = all.interfaces.iter().any(|it| it.name == config.interface && it.asked);
    let mut row = out.row(&[VRRP, 3], &[at]);
    row.put(2, Value::text(&config.name));
    row.put(3, Value::Gauge32(config.vrid.into()));
    row.put(4, state(words::state(it)));
    row.put(5, initial(config));
    row.put(6, state(words::wanted(it)));
    row.put(7, Value::Integer(config.priority.into()));
    row.put(8, Value::Integer(it.priority.into()));
    row.put(9, truth(held && it.state == State::Active));
    row.put(10, Value::text(config.address_interface()));
    // Measured: it says whether there are lines of `track_interface`.
    row.put(11, truth(tracks));
    row.put(12, Value::Gauge32(units as u32));
    row.put(13, truth(config.preempt));
    row.put(14, Value::Gauge32(config.preempt_delay.as_secs() as u32));
    row.put(15, Value::Integer(authentication(config)));
    row.put(16, truth(false));
    row.may(18, group.map(|group| Value::text(&group.config.name)));
    row.put(19, Value::Gauge32(config.garp.delay.as_secs() as u32));
    row.put(20, truth(config.telling.mail));
    let notify = &config.notify;
    let scripts = [&notify.master, &notify.backup, &notify.fault, &notify.stop, &notify.any]
        .map(Option::as_ref);
    row.put(21, truth(scripts.iter().any(Option::is_some)));
    for (column, script) in (22..).zip(scripts) {
        row.may(column, command(script));
    }
    let accepts = match (config.version, config.belongings.drop_packets) {
        (Version::V2, _) => 0,
        (Version::V3, false) => 1,
        (Version::V3, true) => 2,
    };
    row.put(27, Value::Integer(accepts));
    row.put(28, truth(config.belongings.promote_secondaries));
    row.put(29, truth(polled));
    row.put(30, Value::Integer(config.version.number().into()));
    row.may(31, command(config.telling.lower_priority_heard.as_ref()));
    let deleted = config.telling.deleted.as_ref();
    row.may(32, command(deleted.and_then(|deleted| deleted.script.as_ref())));
    row.put(33, truth(deleted.is_some()));
    if config.unicast.is_none() {
        row.put(34, family(config.group));
        row.put(35, address(config.group));
    }
}

fn authentication(config: &VirtualRouter) -> i32 {
    match &config.authentication {
        _ if config.version == Version::V3 => 0,
        None => 0,
        Some(Authentication::Pass(_)) => 1,
        Some(Authentication::Header(_)) => 2,
    }
}
