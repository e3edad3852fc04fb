//! One `vrrp_instance`: defaults, and what contradicts what.

use std::time::Duration;

use super::super::config::Instance;
use super::Lowering;
use super::conduct::priority;
use super::network::virtual_address;
use crate::plan::vrrp::{Version, VirtualAddress, VirtualRouter};
use crate::plan::wire::Family;
use crate::text::{Diagnostic, Span};

/// 12 bits of hundredths of a second (RFC 5798 section 5.2.7).
const LONGEST_V3: Duration = Duration::from_millis(40_950);

impl Lowering<'_> {
    pub(super) fn instance(&mut self, instance: &Instance) -> Option<VirtualRouter> {
        let name = &instance.name.value;
        let place = instance.name.span;
        let vrid = instance.vrid.as_ref().map(|at| at.value);
        let interface = instance.interface.as_ref();
        if let Some(interface) = interface {
            let value = &interface.value;
            let message =
                format!("WARNING - interface {value} for vrrp_instance {name} doesn't exist");
            self.interface(value, message, interface.span);
        }
        let has_vrf = self.vrf(instance);
        for address in &instance.addresses {
            self.address_interface(address);
        }
        let belongings = self.belongings(instance);
        self.tracked_interfaces(name, &instance.tracking.interfaces);
        let addresses = self.addresses(instance);
        if vrid.is_none() {
            self.fatal(format!("({name}) the virtual router id must be set"), place);
        }
        if interface.is_none() && has_vrf {
            self.fatal(format!("({name}) Unknown interface!"), place);
        }
        let (vrid, interface) = (vrid?, interface?);
        let authentication = match self.strictly_without_authentication(instance) {
            true => None,
            false => self.authentication(instance),
        };
        let advert_interval = self.advert_interval(instance);
        let (preempt, preempt_delay) = self.preemption(instance);
        let initial = self.initial(instance);
        let initial = self.initial_with(instance, initial, authentication.as_ref());
        let conduct = self.conduct(instance);
        let garp = self.garp(instance);
        let (scripts, tracking) = self.tracking(instance);
        let notify = self.notify(&instance.notify);
        let telling = self.own_telling(&instance.telling);
        let unicast = self.unicast(instance);
        let wire = self.wire(instance, advert_interval);
        let router = VirtualRouter {
            version: if self.is_v3(instance) { Version::V3 } else { Version::V2 },
            initial,
            priority: priority(instance),
            advert_interval,
            authentication,
            source: instance.source.as_ref().map(|at| at.value),
            group: self.group(instance),
            unicast,
            belongings: belongings.into(),
            preempt,
            preempt_delay,
            addresses,
            garp: garp.into(),
            conduct,
            scripts,
            tracking: tracking.into(),
            notify: notify.into(),
            telling: telling.into(),
            wire: wire.into(),
            span: place,
            ..VirtualRouter::new(name, vrid, &interface.value)
        };
        self.expect_link_local(&router);
        Some(self.with_devices(instance, router))
    }

    /// `vrf`; `false`: there is no such interface, which is enough said.
    fn vrf(&mut self, instance: &Instance) -> bool {
        let Some(vrf) = &instance.network.vrf else { return true };
        let (name, value) = (&instance.name.value, &vrf.value);
        let message = format!("({name}) WARNING - VRF interface {value} doesn't exist");
        let known = self.missing.len();
        self.interface(value, message, vrf.span);
        if instance.interface.is_some() && self.missing.len() == known {
            let message =
                format!("({name}) vrf can only be specified without interface - clearing");
            self.diagnostics.push(Diagnostic::error("keepalived/vrf", message));
        }
        self.missing.len() == known
    }

    pub(super) fn complain(&mut self, message: String, span: Span) {
        self.diagnostics.push(Diagnostic::error("keepalived/instance", message).at(span));
    }

    pub(super) fn fatal(&mut self, message: String, span: Span) {
        let diagnostic = Diagnostic::fatal("keepalived/instance", message).at(span);
        self.diagnostics.push(diagnostic.help("keepalived doesn't start like this"));
    }

    fn addresses(&mut self, instance: &Instance) -> Vec<VirtualAddress> {
        let name = &instance.name.value;
        let family = self.family(instance);
        let mut addresses = Vec::new();
        for address in &instance.addresses {
            let text = address.address;
            if family != Family::of(text) {
                let message = format!(
                    "({name}): address family must match VRRP instance [{text}] - ignoring"
                );
                self.complain(message, address.span);
                continue;
            }
            addresses.push(virtual_address(address));
        }
        if addresses.is_empty() && instance.no_addresses.is_none() {
            self.without_addresses(instance);
        }
        addresses
    }

    /// VRRP version 2 counts whole seconds, version 3 hundredths in 12 bits.
    fn advert_interval(&mut self, instance: &Instance) -> Duration {
        let Some(interval) = &instance.advert_interval else { return Duration::from_secs(1) };
        let name = &instance.name.value;
        if self.is_v3(instance) {
            let (value, complaint) = hundredths(interval.value);
            if let Some(complaint) = complaint {
                let message = format!("({name}) VRRPv3 advertisement interval {complaint}");
                let diagnostic = Diagnostic::error("keepalived/instance", message);
                let reason = format!("{} s is used", value.as_secs_f64());
                self.diagnostics.push(diagnostic.label(interval.span, reason));
            }
            return value;
        }
        if interval.value.subsec_nanos() == 0 {
            return interval.value;
        }
        let seconds = interval.value.as_secs_f64();
        let message = format!(
            "({name}) VRRPv2 advertisement interval {seconds:.6}s must be an integer. rounding"
        );
        let rounded = seconds.round().max(1.0) as u64;
        let diagnostic = Diagnostic::error("keepalived/instance", message);
        self.diagnostics.push(diagnostic.label(interval.span, format!("{rounded} s is used")));
        Duration::from_secs(rounded)
    }
}

/// The interval as version 3 can tell it, and keepalived's complaint where that is another one.
fn hundredths(interval: Duration) -> (Duration, Option<String>) {
    let seconds = interval.as_secs_f64();
    if interval > LONGEST_V3 {
        let complaint =
            format!("{seconds:.2}s is out of range. Must be less than 40.96s. Setting to 40.95s");
        return (LONGEST_V3, Some(complaint));
    }
    let micros = interval.as_micros() as u64;
    if micros.is_multiple_of(10_000) {
        return (interval, None);
    }
    let rounded = Duration::from_millis((micros + 5_000) / 10_000 * 10);
    let complaint = format!("{seconds:.6}s must be in units of 10ms - rounding");
    (rounded, Some(complaint))
}
