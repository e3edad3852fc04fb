//! What an instance says on the wire, and what contradicts what.

use std::net::IpAddr;
use std::time::Duration;

use super::super::config::wire::{BufferPolicy, Hmac as HmacConfig, OldChecksum};
use super::super::config::{self, AuthType, Instance};
use super::Lowering;
use super::conduct::{OWNER, priority};
use crate::plan::vrrp::{Authentication, InitialState, Peer, Unicast, VirtualRouter};
use crate::plan::wire::{AntiReplay, Buffers, Checksum, Family, Hmac, Sockets, Wire};
use crate::text::{Diagnostic, Severity};

/// Of unicast adverts over IPv4.
const TTL: u8 = 255;
/// Over IPv6 keepalived leaves it to the kernel, whose default this is.
const HOP_LIMIT: u8 = 64;
/// `time_window` is no shorter unless it is given.
const SHORTEST_WINDOW: Duration = Duration::from_secs(5);

impl Lowering<'_> {
    /// Over what it speaks.
    pub(super) fn family(&self, instance: &Instance) -> Family {
        instance.wire.family.unwrap_or(Family::V4)
    }

    pub(super) fn group(&self, instance: &Instance) -> IpAddr {
        let globals = &self.config.globals;
        let family = self.family(instance);
        let usual = match family {
            Family::V4 => &globals.group,
            Family::V6 => &globals.wire.group6,
        };
        let group = instance.group.as_ref().or(usual.as_ref());
        group.map_or(family.group(), |at| at.value)
    }

    pub(super) fn is_v3(&self, instance: &Instance) -> bool {
        match (&instance.version, self.family(instance)) {
            (Some(version), _) => version.value == 3,
            (None, Family::V6) => true,
            (None, Family::V4) => {
                self.config.globals.version.as_ref().is_some_and(|version| version.value == 3)
            }
        }
    }

    pub(super) fn authentication(&mut self, instance: &Instance) -> Option<Authentication> {
        let kind = instance.auth_type.as_ref()?;
        let name = &instance.name.value;
        let complaint = if self.is_v3(instance) {
            "VRRP version 3 does not support authentication. Ignoring."
        } else if kind.value == AuthType::Ah && self.family(instance) == Family::V6 {
            "Cannot use AH authentication with IPv6. ignoring"
        } else if instance.auth_pass.is_none() {
            "Authentication specified but no password given. Ignoring"
        } else if instance.wire.hmac.is_some() {
            "auth_hmac and authentication specified. Ignoring authentication"
        } else {
            ""
        };
        if !complaint.is_empty() {
            self.complain(format!("({name}) {complaint}"), kind.span);
            return None;
        }
        if kind.value == AuthType::Pass && self.family(instance) == Family::V6 {
            let message = format!(
                "({name}) VRRP version 2 over IPv6 carries no password: it protects nothing"
            );
            let help = "adverts say PASS, and no more; keepalived 2.2.7 even refuses its own, so \
                        that every node becomes master. Evenkeel accepts them";
            let note = Diagnostic::new(Severity::Note, "keepalived/instance", message);
            self.diagnostics.push(note.at(kind.span).help(help));
        }
        let password = instance.auth_pass.as_ref()?.value.clone();
        Some(match kind.value {
            AuthType::Pass => Authentication::Pass(password),
            AuthType::Ah => Authentication::Header(password),
        })
    }

    /// A router that begins as master doesn't know how far the others have counted.
    pub(super) fn initial_with(
        &mut self,
        instance: &Instance,
        initial: InitialState,
        authentication: Option<&Authentication>,
    ) -> InitialState {
        let counts = matches!(authentication, Some(Authentication::Header(_)));
        if initial == InitialState::Backup || !counts || priority(instance) == OWNER {
            return initial;
        }
        let name = &instance.name.value;
        let message = format!(
            "({name}) Initial state master is incompatible with AH authentication - clearing"
        );
        let place = instance.state.as_ref().map_or(instance.name.span, |state| state.span);
        self.complain(message, place);
        InitialState::Backup
    }

    pub(super) fn unicast(&mut self, instance: &Instance) -> Option<Unicast> {
        let (name, config) = (&instance.name.value, &instance.unicast);
        if config.peers.is_empty() {
            if let Some(ttl) = &config.ttl {
                let message =
                    format!("({name}): Cannot use unicast_ttl without unicast peers - resetting");
                self.complain(message, ttl.span);
            }
            if config.fault_without_peer.is_none() {
                if let Some(span) = config.meant {
                    let message = format!(
                        "({name}) A unicast keyword has been specified without any unicast peers. \
                         Defaulting to multicast. This usage is deprecated - please update your \
                         configuration."
                    );
                    self.complain(message, span);
                }
                return None;
            }
            let span = config.fault_without_peer.unwrap_or(instance.name.span);
            let message =
                format!("({name}) Cannot use unicast without any peers - going to fault state");
            // keepalived says it when it starts.
            let diagnostic = Diagnostic::new(Severity::Note, "keepalived/instance", message);
            self.diagnostics.push(diagnostic.at(span));
        }
        if let Some(group) = &instance.group {
            let message =
                format!("({name}) multicast destination specified with unicast - ignoring");
            self.complain(message, group.span);
        }
        let lower = |peer: &config::Peer| Peer {
            address: peer.address,
            min_ttl: peer.min_ttl.unwrap_or(0),
            max_ttl: peer.max_ttl.unwrap_or(u8::MAX),
        };
        let limited = config.peers.iter().any(|it| it.min_ttl.or(it.max_ttl).is_some());
        let ttl = match self.family(instance) {
            Family::V4 => TTL,
            Family::V6 => HOP_LIMIT,
        };
        Some(Unicast {
            peers: config.peers.iter().map(lower).collect(),
            ttl: config.ttl.as_ref().map_or(ttl, |at| at.value),
            // Measured: a limit of one peer keeps out whoever isn't a peer.
            check_source: config.check_source || self.config.globals.check_unicast_src || limited,
        })
    }

    /// The master's address on the link is what the others reply to (RFC 5798, 5.2.9).
    pub(super) fn expect_link_local(&mut self, router: &VirtualRouter) {
        let first = router.addresses.first().filter(|_| router.unicast.is_none());
        if let Some(IpAddr::V6(address)) = first.map(|it| it.address)
            && !address.is_unicast_link_local()
        {
            // keepalived says it when it starts, and holds it against the config in strict mode only.
            let (severity, word) = match router.conduct.strict {
                true => (Severity::Error, "must"),
                false => (Severity::Note, "should"),
            };
            let message =
                format!("({}) the first IPv6 VIP address {word} be link local", router.name);
            let diagnostic = Diagnostic::new(severity, "keepalived/instance", message);
            self.diagnostics.push(diagnostic.at(router.span));
        }
    }

    pub(super) fn wire(&mut self, instance: &Instance, interval: Duration) -> Wire {
        let (here, globals) = (&instance.wire, &self.config.globals.wire);
        let as_v2 = here.checksum_as_v2.unwrap_or(globals.checksum_as_v2);
        let checksum = match here.old_checksum {
            _ if as_v2 => Checksum::WithoutPseudoHeader,
            Some(OldChecksum::Always) => Checksum::Old,
            Some(OldChecksum::Never) => Checksum::AlwaysNew,
            None => Checksum::Usual,
        };
        Wire {
            checksum,
            trust_known_sender: here.trust_known_sender.unwrap_or(globals.trust_known_sender),
            receive_buffer: here.receive_buffer,
            hmac: here.hmac.as_ref().and_then(|hmac| self.hmac(instance, hmac, interval)),
        }
    }

    fn hmac(
        &mut self,
        instance: &Instance,
        config: &HmacConfig,
        interval: Duration,
    ) -> Option<Hmac> {
        let name = &instance.name.value;
        let mut refuse = |message: String| {
            let diagnostic = Diagnostic::fatal("keepalived/auth-hmac", message).at(config.span);
            let help = "without a key that all nodes have, this router would accept nobody";
            self.diagnostics.push(diagnostic.help(help));
            None
        };
        let first = config.keys.keys().next().copied();
        let active = match (&config.active, first) {
            (_, None) => return refuse(format!("({name}) auth_hmac without a usable key")),
            (Some(active), _) if config.keys.contains_key(&active.value) => active.value,
            (Some(active), _) => {
                let message =
                    format!("({name}) auth_hmac active_key {} is not a key", active.value);
                return refuse(message);
            }
            (None, Some(only)) if config.keys.len() == 1 => only,
            (None, Some(_)) => {
                return refuse(format!("({name}) auth_hmac has several keys and no active_key"));
            }
        };
        let window = config.window.unwrap_or_else(|| (interval * 3).max(SHORTEST_WINDOW));
        let anti_replay = match config.monotonic {
            true => AntiReplay::Monotonic,
            false => AntiReplay::Time { window },
        };
        Some(Hmac { keys: config.keys.clone(), active, anti_replay, mode: config.mode })
    }

    pub(super) fn sockets(&self) -> Sockets {
        let globals = &self.config.globals.wire;
        let multiplier = globals.buffer_multiplier.unwrap_or(3);
        Sockets {
            log_unknown_vrids: globals.log_unknown_vrids,
            no_local_igmp: globals.no_local_igmp,
            buffers: globals.buffers.map(|policy| match policy {
                BufferPolicy::Mtu => Buffers::Mtu(multiplier),
                BufferPolicy::Advert => Buffers::Advert(multiplier),
                BufferPolicy::Bytes(bytes) => Buffers::Bytes(bytes),
            }),
        }
    }
}
