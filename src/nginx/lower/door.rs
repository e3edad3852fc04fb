//! Letting clients in and going out to peers.

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::nginx::config::{Doors, LimitZone};
use crate::nginx::template::Names;
use crate::plan::endpoint;
use crate::plan::stream::{
    self, Address, Admission, Bind, BindSource, Limit, Listener, Outward, Transport, ZoneId,
};
use crate::plan::template::Template;

pub(super) fn zones(zones: &[LimitZone], names: &mut Names<'_>) -> Vec<stream::LimitZone> {
    let zone = |zone: &LimitZone| stream::LimitZone {
        name: zone.name.clone(),
        size: zone.size,
        key: names.template(&zone.key),
        key_text: zone.key.clone(),
    };
    zones.iter().map(zone).collect()
}

pub(super) fn admission(doors: &Doors, zones: &[LimitZone]) -> Admission {
    let default = Admission::default();
    let limit = |limit: &crate::nginx::config::Limit| {
        let zone = zones.iter().position(|zone| zone.name == limit.zone)?;
        Some(Limit { zone: ZoneId(zone), most: limit.most })
    };
    Admission {
        header_timeout: doors.header_timeout.unwrap_or(default.header_timeout),
        trusted: doors.trusted.clone(),
        rules: doors.rules.clone(),
        limits: doors.limits.iter().filter_map(limit).collect(),
        limit_level: doors.limit_level.unwrap_or(default.limit_level),
        limit_dry_run: doors.limit_dry_run.unwrap_or(false),
    }
}

pub(super) fn outward(doors: &Doors, names: &mut Names<'_>) -> Outward {
    let bind = doors.bind.clone().flatten().map(|bind| {
        let fixed = std::str::from_utf8(&bind.address).ok().and_then(endpoint::local);
        let source = match fixed {
            Some(address) => BindSource::Address(address),
            None => BindSource::Template(names.template(&bind.address)),
        };
        Bind { source, transparent: bind.transparent }
    });
    let mut rate = |text: &Option<bstr::BString>| -> Option<Template> {
        let template = names.template(text.as_ref()?);
        let none = template.literal().is_some_and(|text| bytes(text) == Some(0));
        (!none).then_some(template)
    };
    let (upload_rate, download_rate) = (rate(&doors.upload_rate), rate(&doors.download_rate));
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    Outward {
        header: doors.header.flatten(),
        bind,
        upload_rate,
        download_rate,
        receive_buffer: doors.receive_buffer.map(size),
        send_buffer: doors.send_buffer.map(size),
    }
}

fn bytes(text: &[u8]) -> Option<u64> {
    crate::text::value::size_with_units(std::str::from_utf8(text).ok()?, false)
}

/// An address on whose port another `listen` has all addresses shares that one's socket, unless a
/// parameter of its own asks for one (`bound`). Source: nginx documentation, `listen`, `bind`.
pub(super) fn share(listeners: &mut [Listener], bound: &[bool]) {
    // For datagrams the kernel knows a socket of each apart.
    let tcp = |listener: &Listener| match (&listener.address, listener.transport) {
        (Address::Tcp(address), Transport::Tcp) => Some(*address),
        _ => None,
    };
    let everywhere: HashSet<SocketAddr> =
        listeners.iter().filter_map(tcp).filter(|address| address.ip().is_unspecified()).collect();
    for (listener, bound) in listeners.iter_mut().zip(bound) {
        let Some(address) = tcp(listener) else { continue };
        let mut all = address;
        all.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        });
        if !bound && !address.ip().is_unspecified() && everywhere.contains(&all) {
            listener.shares = Some(Address::Tcp(all));
        }
    }
}
