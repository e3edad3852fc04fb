//! VRRP-MIB (RFC 2787): the instances of version 2. It only shows; nothing can be set.

use std::net::{IpAddr, Ipv4Addr};

use super::{Moment, Objects, age, hardware, index_of, truth};
use crate::agentx::Value;
use crate::plan::vrrp::{Authentication, Version};
use crate::status::snapshot::{RouterView, Snapshot};
use crate::vrrp::machine::{Counter, State};

/// `active` of a RowStatus (RFC 2579), `up` and `ip`.
const ACTIVE: i32 = 1;

pub(super) fn write(out: &mut Objects, all: &Snapshot, moment: Moment) {
    out.kinds(&[1], 1..=2);
    out.kinds(&[1, 3, 1], 2..=15);
    out.kinds(&[1, 4, 1], 2..=2);
    out.kinds(&[2], 1..=3);
    out.kinds(&[2, 4, 1], 1..=12);
    let routers: Vec<&RouterView> =
        all.routers.iter().filter(|it| it.config.version == Version::V2).collect();
    out.scalar(&[1, 1], Value::Integer(2));
    out.scalar(&[1, 2], truth(all.telling.snmp.traps));
    for it in &routers {
        let Some(interface) = index_of(&it.config.interface, all) else { continue };
        let index = [interface, it.config.vrid.into()];
        write_router(out, index, it, all, moment);
        write_statistics(out, index, it);
    }
    let faults = [Counter::ChecksumError, Counter::VersionError, Counter::VridError];
    for (column, counter) in (1..).zip(faults) {
        let sum: u64 = routers.iter().map(|it| it.counter(counter)).sum();
        out.scalar(&[2, column], Value::Counter32(sum as u32));
    }
}

/// Initialize, backup, master.
pub(super) fn state(state: State) -> Value {
    Value::Integer(match state {
        State::Initialize | State::Fault => 1,
        State::Backup => 2,
        State::Active => 3,
    })
}

pub(super) fn ipv4(address: Option<IpAddr>) -> Value {
    Value::Address(match address {
        Some(IpAddr::V4(address)) => address,
        _ => Ipv4Addr::UNSPECIFIED,
    })
}

fn write_router(
    out: &mut Objects,
    index: [u32; 2],
    it: &RouterView,
    all: &Snapshot,
    moment: Moment,
) {
    let config = &it.config;
    let since = age(it, moment.now).map_or(0, |age| moment.uptime.saturating_sub(age));
    let mut row = out.row(&[1, 3], &index);
    row.may(2, hardware(it, all));
    row.put(3, state(it.state));
    row.put(4, Value::Integer(ACTIVE));
    row.put(5, Value::Integer(config.priority.into()));
    row.put(6, Value::Integer(config.addresses.len() as i32));
    row.put(7, ipv4(it.last_sender));
    row.put(8, ipv4(it.source));
    let authentication = match &config.authentication {
        None => 1,
        Some(Authentication::Pass(_)) => 2,
        Some(Authentication::Header(_)) => 3,
    };
    row.put(9, Value::Integer(authentication));
    row.put(11, Value::Integer(config.advert_interval.as_secs() as i32));
    row.put(12, truth(config.preempt));
    row.put(13, Value::TimeTicks(since));
    row.put(14, Value::Integer(ACTIVE));
    row.put(15, Value::Integer(ACTIVE));
    for address in &config.addresses {
        let IpAddr::V4(address) = address.address else { continue };
        let [interface, vrid] = index;
        let [a, b, c, d] = address.octets().map(u32::from);
        let index = [interface, vrid, a, b, c, d];
        out.row(&[1, 4], &index).put(2, Value::Integer(ACTIVE));
    }
}

fn write_statistics(out: &mut Objects, index: [u32; 2], it: &RouterView) {
    let mut row = out.row(&[2, 4], &index);
    let counters = [
        Counter::BecomeMaster,
        Counter::AdvertReceived,
        Counter::AdvertIntervalError,
        Counter::AuthFailure,
        Counter::TtlError,
        Counter::PriorityZeroReceived,
        Counter::PriorityZeroSent,
        Counter::TypeError,
        Counter::AddressListError,
        Counter::InvalidAuthType,
        Counter::AuthTypeMismatch,
        Counter::PacketLengthError,
    ];
    for (column, counter) in (1..).zip(counters) {
        row.put(column, Value::Counter32(it.counter(counter) as u32));
    }
}
