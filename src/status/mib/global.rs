//! KEEPALIVED-MIB, `global`: what `global_defs` says.

use std::net::IpAddr;

use super::{Moment, Objects, address, family, place, truth};
use crate::agentx::Value;
use crate::status::snapshot::Snapshot;

const GLOBAL: u32 = 1;
const MAIL: u32 = 3;

pub(super) fn write(out: &mut Objects, all: &Snapshot, moment: Moment) {
    out.kinds(&[GLOBAL], 1..=2);
    out.kinds(&[GLOBAL, MAIL], 1..=4);
    out.kinds(&[GLOBAL, MAIL, 5, 1], 2..=2);
    out.kinds(&[GLOBAL, MAIL], 6..=10);
    out.kinds(&[GLOBAL], 4..=11);
    let said = |key: &str| all.telling.definitions.get(key).map(String::as_str);
    out.scalar(&[GLOBAL, 1], Value::text(moment.version));
    let router_id = all.router_id.as_deref().unwrap_or(&all.host);
    out.scalar(&[GLOBAL, 2], Value::text(router_id));
    write_mail(out, all);
    out.scalar(&[GLOBAL, 4], truth(all.telling.snmp.traps));
    let polled = all.interfaces.iter().any(|it| it.asked);
    out.scalar(&[GLOBAL, 5], Value::Integer(if polled { 2 } else { 1 }));
    // No virtual servers are run, so there are none to flush.
    out.scalar(&[GLOBAL, 6], truth(false));
    out.scalar(&[GLOBAL, 7], truth(true));
    let namespace = all.process.net_namespace.as_deref().unwrap_or_default();
    out.scalar(&[GLOBAL, 8], Value::text(namespace));
    out.scalar(&[GLOBAL, 9], truth(all.telling.dbus.is_some()));
    out.scalar(&[GLOBAL, 10], truth(said("Dynamic interfaces").is_some()));
    out.scalar(&[GLOBAL, 11], truth(false));
}

fn write_mail(out: &mut Objects, all: &Snapshot) {
    let said = |key: &str| all.telling.definitions.get(key).map(String::as_str);
    let number = |key: &str| said(key).and_then(|text| text.parse().ok()).unwrap_or(0);
    let server: Option<IpAddr> = said("Smtp server").and_then(|text| text.parse().ok());
    // Without a server keepalived shows this.
    let none = (Value::Integer(2), Value::Octets(vec![0; 4]));
    let (kind, value) = server.map_or(none, |server| (family(server), address(server)));
    out.scalar(&[GLOBAL, MAIL, 1], kind);
    out.scalar(&[GLOBAL, MAIL, 2], value);
    out.scalar(&[GLOBAL, MAIL, 3], Value::Gauge32(number("Smtp server connection timeout")));
    if let Some(from) = said("Email notification from") {
        out.scalar(&[GLOBAL, MAIL, 4], Value::text(from));
    }
    for (at, to) in said("Email notification to").unwrap_or_default().lines().enumerate() {
        out.row(&[GLOBAL, MAIL, 5], &[place(at)]).put(2, Value::text(to));
    }
    out.scalar(&[GLOBAL, MAIL, 6], Value::Gauge32(number("Smtp server port")));
    let faults = said("Send emails for fault transitions").is_none();
    out.scalar(&[GLOBAL, MAIL, 7], truth(faults));
    let defaults = ["Default smtp_alert", "Default smtp_alert_vrrp", "Default smtp_alert_checker"];
    for (column, key) in (8..).zip(defaults) {
        let value = match said(key) {
            Some("on") => 1,
            Some(_) => 2,
            None => 3,
        };
        out.scalar(&[GLOBAL, MAIL, column], Value::Integer(value));
    }
}
