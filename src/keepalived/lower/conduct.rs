//! How an instance behaves: its own words, the global ones, and what strict mode (the letter of the
//! RFCs) makes of both.

use std::time::Duration;

use super::super::config::Instance;
use super::super::config::conduct::GlobalConduct;
use super::Lowering;
use crate::plan::conduct::{CommonConduct, Conduct, DOWN_TIMER_ADVERTS, Pace, PaceGroup, Paces};
use crate::plan::vrrp::{GratuitousArp, InitialState};
use crate::text::Diagnostic;

const PRIORITY: u8 = 100;
/// The priority of the addresses' owner (RFC 3768 section 5.3.4).
pub(super) const OWNER: u8 = 255;

pub(super) fn common(global: &GlobalConduct) -> CommonConduct {
    CommonConduct { startup_delay: global.startup_delay, delay_after_boot: global.delay_after_boot }
}

impl Lowering<'_> {
    /// The interfaces of each `garp_group` have to be there, and one without a delay is no group.
    /// Measured: a delay that a group doesn't have it doesn't take from `global_defs`.
    pub(super) fn paces(&mut self) -> Paces {
        let globals = &self.config.globals;
        let usual = Pace {
            arp: globals.garp_interval.as_ref().map_or(Duration::ZERO, |at| at.value),
            neighbour: globals.wire.neighbour_interval.unwrap_or_default(),
        };
        let mut groups = Vec::new();
        for pace in &globals.conduct.paces {
            for interface in &pace.interfaces {
                let name = &interface.value;
                let message =
                    format!("WARNING - interface {name} specified for garp_group doesn't exist");
                self.interface(name, message, interface.span);
            }
            if pace.arp.is_none() && pace.neighbour.is_none() {
                let message = "garp group 0 does not have any delay set - removing";
                let diagnostic = Diagnostic::error("keepalived/garp-group", message);
                self.diagnostics.push(diagnostic.at(pace.span));
                continue;
            }
            groups.push(PaceGroup {
                interfaces: pace.interfaces.iter().map(|it| it.value.clone()).collect(),
                pace: Pace {
                    arp: pace.arp.unwrap_or_default(),
                    neighbour: pace.neighbour.unwrap_or_default(),
                },
            });
        }
        Paces { usual, groups }
    }

    /// Does it have to hold to the letter of the RFCs?
    pub(super) fn is_strict(&self, instance: &Instance) -> bool {
        let own = instance.conduct.strict.as_ref().map(|at| at.value);
        own.unwrap_or(self.config.globals.conduct.strict.is_some())
    }

    pub(super) fn conduct(&mut self, instance: &Instance) -> Conduct {
        let (name, strict) = (&instance.name.value, self.is_strict(instance));
        let (own, global) = (&instance.conduct, &self.config.globals.conduct);
        let mut conduct = Conduct {
            down_timer_adverts: own
                .down_timer_adverts
                .as_ref()
                .map(|at| at.value)
                .or(global.down_timer_adverts)
                .unwrap_or(DOWN_TIMER_ADVERTS),
            lower_priority_no_advert: own
                .lower_priority_no_advert
                .as_ref()
                .map_or(global.lower_priority_no_advert, |at| at.value),
            higher_priority_send_advert: own
                .higher_priority_send_advert
                .as_ref()
                .map_or(global.higher_priority_send_advert, |at| at.value),
            owner_ignores_adverts: own.owner_ignores_adverts || global.owner_ignores_adverts,
            step_back_when_late: own.step_back_when_late.as_ref().map(|at| at.value),
            strict,
        };
        if let Some(late) =
            own.step_back_when_late.as_ref().filter(|_| !self.stays_behind(instance))
        {
            let message = format!("({name}) timer_expired_backup without nopreempt - ignoring");
            self.complain(message, late.span);
            conduct.step_back_when_late = None;
        }
        if !strict {
            return conduct;
        }
        if conduct.down_timer_adverts != DOWN_TIMER_ADVERTS {
            let message =
                format!("({name}) down_timer_adverts is incompatible with strict mode - resetting");
            let place = own.down_timer_adverts.as_ref().map_or(instance.name.span, |at| at.span);
            self.complain(message, place);
        }
        if let Some(switch) = own.lower_priority_no_advert.as_ref().filter(|at| !at.value) {
            let message =
                format!("({name}) Strict mode requires no lower priority advert. resetting");
            self.complain(message, switch.span);
        }
        if let Some(switch) = own.higher_priority_send_advert.as_ref().filter(|at| at.value) {
            let message = format!(
                "({name}) strict mode requires higher_prio_send_advert to be clear. resetting"
            );
            self.complain(message, switch.span);
        }
        Conduct {
            down_timer_adverts: DOWN_TIMER_ADVERTS,
            lower_priority_no_advert: true,
            higher_priority_send_advert: false,
            ..conduct
        }
    }

    /// What to begin as. Without `state`, only the owner of the addresses begins as master; in
    /// strict mode nobody else may.
    pub(super) fn initial(&mut self, instance: &Instance) -> InitialState {
        let owner = priority(instance) == OWNER;
        let initial = match begins_as_master(instance) {
            true => InitialState::Master,
            false => InitialState::Backup,
        };
        if !self.is_strict(instance) || owner == (initial == InitialState::Master) {
            return initial;
        }
        let place = instance.state.as_ref().map_or(instance.name.span, |at| at.span);
        let name = &instance.name.value;
        self.complain(format!("({name}) State MASTER must match being address owner"), place);
        if owner { InitialState::Master } else { InitialState::Backup }
    }

    /// An instance without addresses: keepalived takes it for a mistake, strict mode for one that
    /// it doesn't start with.
    pub(super) fn without_addresses(&mut self, instance: &Instance) {
        let (name, place) = (&instance.name.value, instance.name.span);
        // Measured: version 3 wants one, strict or not.
        if self.is_strict(instance) || self.is_v3(instance) {
            self.fatal(format!("({name}) No VIP specified; at least one is required"), place);
        } else {
            self.complain(format!("({name}) No VIP specified; at least one is sensible"), place);
        }
    }

    /// Is what is sent to its addresses dropped (`no_accept`)? In strict mode it is where nothing
    /// is said; in version 2 always (RFC 3768 section 6.4.3). The owner of the addresses takes it.
    pub(super) fn drops_packets(&mut self, instance: &Instance) -> bool {
        if priority(instance) == OWNER {
            return false;
        }
        let (said, strict) = (instance.network.drop_packets, self.is_strict(instance));
        if strict && said == Some(false) && !self.is_v3(instance) {
            let message = format!(
                "({}) warning - accept mode for VRRP version 2 does not comply with RFC3768 - \
                 resetting",
                instance.name.value
            );
            self.complain(message, instance.name.span);
            return true;
        }
        said.unwrap_or(strict)
    }

    /// RFC 3768 has no authentication any more.
    pub(super) fn strictly_without_authentication(&mut self, instance: &Instance) -> bool {
        let Some(kind) = &instance.auth_type else { return false };
        if !self.is_strict(instance) {
            return false;
        }
        let name = &instance.name.value;
        let message = format!("({name}) Strict mode does not support authentication. Ignoring.");
        self.complain(message, kind.span);
        true
    }

    /// Is `nopreempt` in force?
    fn stays_behind(&self, instance: &Instance) -> bool {
        instance.nopreempt.is_some() && !begins_as_master(instance) && priority(instance) != OWNER
    }

    /// Whether it preempts, and after how long.
    pub(super) fn preemption(&mut self, instance: &Instance) -> (bool, Duration) {
        let name = &instance.name.value;
        let master = begins_as_master(instance);
        let owner = priority(instance) == OWNER;
        let mut preempt = true;
        if let Some(span) = instance.nopreempt {
            if master || owner {
                let complaint = if owner {
                    "nopreempt is incompatible with priority 255. resetting nopreempt"
                } else {
                    "Warning - nopreempt will not work with initial state MASTER - clearing"
                };
                let message = format!("({name}) {complaint}");
                let diagnostic = Diagnostic::error("keepalived/instance", message).at(span);
                let help = "both nodes want `state BACKUP`, and a priority below 255";
                self.diagnostics.push(diagnostic.help(help));
            } else {
                preempt = false;
            }
        }
        let Some(delay) = &instance.preempt_delay else { return (preempt, Duration::ZERO) };
        let complaint = if self.is_strict(instance) {
            "preempt_delay is incompatible with strict mode - resetting"
        } else if master {
            "Warning - preempt delay will not work with initial state MASTER - clearing"
        } else if !preempt {
            "preempt_delay is incompatible with nopreempt mode - resetting"
        } else {
            return (preempt, delay.value);
        };
        self.complain(format!("({name}) {complaint}"), delay.span);
        (preempt, Duration::ZERO)
    }

    /// Measured: what an instance doesn't say comes from `global_defs`, each keyword on its own;
    /// `vrrp_min_garp` changes what holds where neither says anything.
    pub(super) fn garp(&mut self, instance: &Instance) -> GratuitousArp {
        let (garp, globals) = (&instance.garp, &self.config.globals);
        let usual = match globals.min_garp {
            true => GratuitousArp {
                repeat: 1,
                delay: Duration::ZERO,
                refresh_repeat: 0,
                ..GratuitousArp::default()
            },
            false => GratuitousArp::default(),
        };
        macro_rules! value {
            ($field:ident, $default:expr) => {
                garp.$field
                    .as_ref()
                    .or(globals.garp.$field.as_ref())
                    .map_or($default, |at| at.value)
            };
        }
        let global_repeat = globals.garp.repeat.as_ref().map_or(usual.repeat, |at| at.value);
        let global_delay = globals.garp.delay.as_ref().map_or(usual.delay, |at| at.value);
        let extra = instance.conduct.extra.as_ref().or(globals.conduct.extra.as_ref());
        let garp = GratuitousArp {
            repeat: value!(repeat, usual.repeat),
            delay: value!(delay, usual.delay),
            refresh: value!(refresh, usual.refresh),
            refresh_repeat: value!(refresh_repeat, usual.refresh_repeat),
            lower_priority_repeat: value!(lower_priority_repeat, global_repeat),
            lower_priority_delay: value!(lower_priority_delay, global_delay),
            extra: extra.map_or(Duration::ZERO, |at| at.value.every),
            extra_everywhere: extra.is_some_and(|at| at.value.all && !at.value.every.is_zero()),
        };
        if !self.is_strict(instance) {
            return garp;
        }
        let name = &instance.name.value;
        if let Some(repeat) = &instance.garp.lower_priority_repeat {
            let message = format!("({name}) Strict mode requires no repeat garps. resetting");
            self.complain(message, repeat.span);
        }
        if let Some(delay) = &instance.garp.lower_priority_delay {
            let message = format!("({name}) Strict mode requires no repeat garp delay. resetting");
            self.complain(message, delay.span);
        }
        GratuitousArp { lower_priority_repeat: 0, lower_priority_delay: Duration::ZERO, ..garp }
    }
}

fn begins_as_master(instance: &Instance) -> bool {
    let owner = instance.priority.as_ref().is_some_and(|at| at.value == OWNER);
    instance.state.as_ref().map_or(owner, |at| at.value == InitialState::Master)
}

/// Without a `priority`, `state MASTER` makes the address owner: keepalived 2.2.7's dump shows 255,
/// and it enters the MASTER state at once.
pub(super) fn priority(instance: &Instance) -> u8 {
    let unsaid = if begins_as_master(instance) { OWNER } else { PRIORITY };
    instance.priority.as_ref().map_or(unsaid, |at| at.value)
}
