//! VRRPV3-MIB (RFC 6527): all instances, those of version 2 too, as keepalived shows them. It only
//! shows; nothing can be set.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Moment, Objects, address, age, hardware, index_of, rfc2787, truth};
use crate::agentx::Value;
use crate::plan::vrrp::VirtualRouter;
use crate::plan::wire::Family;
use crate::status::snapshot::{RouterView, Snapshot};
use crate::vrrp::machine::{ActiveReason, Counter, State};

const ACTIVE: i32 = 1;

pub(super) fn write(out: &mut Objects, all: &Snapshot, moment: Moment) {
    out.kinds(&[1, 1, 1, 1], 3..=13);
    out.kinds(&[1, 1, 2, 1], 2..=2);
    out.kinds(&[1, 2], 1..=4);
    out.kinds(&[1, 2, 5, 1], 1..=13);
    for it in &all.routers {
        let Some(interface) = index_of(&it.config.interface, all) else { continue };
        let index = index(interface, &it.config);
        write_router(out, index, it, all, moment);
        write_statistics(out, index, it);
    }
    let faults = [Counter::ChecksumError, Counter::VersionError, Counter::VridError];
    for (column, counter) in (1..).zip(faults) {
        let sum = all.routers.iter().map(|it| it.counter(counter)).sum();
        out.scalar(&[1, 2, column], Value::Counter64(sum));
    }
    out.scalar(&[1, 2, 4], Value::TimeTicks(0));
}

/// Interface, VRID, and what is spoken over.
pub(super) fn index(interface: u32, router: &VirtualRouter) -> [u32; 3] {
    let family = match router.family() {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    [interface, router.vrid.into(), family]
}

/// Of the router's family; zeros where there is none.
pub(super) fn one_of(router: &VirtualRouter, known: Option<IpAddr>) -> Value {
    address(known.unwrap_or(match router.family() {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }))
}

/// What was wrong with a packet.
pub(super) fn fault(fault: Option<Counter>) -> Value {
    Value::Integer(match fault {
        Some(Counter::TtlError) => 1,
        Some(Counter::VersionError) => 2,
        Some(Counter::ChecksumError) => 3,
        Some(Counter::VridError) => 4,
        _ => 0,
    })
}

pub(super) fn reason(reason: Option<ActiveReason>) -> Value {
    Value::Integer(match reason {
        None => 0,
        Some(ActiveReason::Priority) => 1,
        Some(ActiveReason::Preempted) => 2,
        Some(ActiveReason::NoResponse) => 3,
    })
}

fn write_router(
    out: &mut Objects,
    index: [u32; 3],
    it: &RouterView,
    all: &Snapshot,
    moment: Moment,
) {
    let config = &it.config;
    let mut row = out.row(&[1, 1, 1], &index);
    let is_ours = it.state == State::Active;
    row.put(3, one_of(config, if is_ours { it.source } else { it.active_address }));
    row.put(4, one_of(config, it.source));
    row.may(5, hardware(it, all));
    row.put(6, rfc2787::state(it.state));
    row.put(7, Value::Gauge32(config.priority.into()));
    row.put(8, Value::Integer(config.addresses.len() as i32));
    row.put(9, Value::Integer((config.advert_interval.as_millis() / 10) as i32));
    row.put(10, truth(config.preempt));
    row.put(11, truth(!config.belongings.drop_packets));
    row.put(12, Value::TimeTicks(age(it, moment.now).unwrap_or(0)));
    row.put(13, Value::Integer(ACTIVE));
    for address in &config.addresses {
        let mut numbers = index.to_vec();
        match address.address {
            IpAddr::V4(address) => numbers.extend(address.octets().map(u32::from)),
            IpAddr::V6(address) => numbers.extend(address.octets().map(u32::from)),
        }
        out.row(&[1, 1, 2], &numbers).put(2, Value::Integer(ACTIVE));
    }
}

fn write_statistics(out: &mut Objects, index: [u32; 3], it: &RouterView) {
    let count = |counter| Value::Counter64(it.counter(counter));
    let mut row = out.row(&[1, 2, 5], &index);
    row.put(1, Value::Counter32(it.counter(Counter::BecomeMaster) as u32));
    row.put(2, reason(it.active_reason));
    row.put(3, count(Counter::AdvertReceived));
    row.put(4, count(Counter::AdvertIntervalError));
    row.put(5, count(Counter::TtlError));
    row.put(6, fault(it.last_fault));
    row.put(7, count(Counter::PriorityZeroReceived));
    row.put(8, count(Counter::PriorityZeroSent));
    row.put(9, count(Counter::TypeError));
    row.put(10, count(Counter::AddressListError));
    row.put(11, count(Counter::PacketLengthError));
    row.put(12, Value::TimeTicks(0));
    row.put(13, Value::Gauge32(it.config.advert_interval.as_millis() as u32));
}
