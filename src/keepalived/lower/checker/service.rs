//! One virtual server with its real servers.

use std::collections::HashSet;
use std::time::Duration;

use super::Lowering;
use crate::keepalived::config::Command;
use crate::keepalived::config::checker::{self, Service, Target};
use crate::keepalived::keywords::{server_name, service_name};
use crate::plan::checker::{
    self as plan, Family, Forwarding, Persistence, RealServer, SorryServer, VirtualService,
};
use crate::plan::vrrp::NotifyScript;
use crate::text::Diagnostic;

const SCHEDULER: &str = "wlc";
const PERSISTENCE: Duration = Duration::from_secs(360);

impl Lowering<'_> {
    /// `None`: it isn't made, which was said.
    pub(super) fn service(&mut self, service: &Service) -> Option<VirtualService> {
        let mut service = service.clone();
        let place = service.span;
        let groups = &self.config.checkers.groups;
        let known = |name: &str| groups.iter().any(|group| group.name.value == name);
        if let Target::Group(name) = &service.target
            && !known(name)
        {
            // keepalived leaves it out without a word.
            let message = format!("Virtual server group {name} is not defined - not run");
            let diagnostic = Diagnostic::warning("keepalived/checker", message);
            self.diagnostics.push(diagnostic.at(place));
            return None;
        }
        let mark = matches!(service.target, Target::Mark(_));
        if service.servers.is_empty() {
            let name = service_name(&service);
            let message = format!("Virtual server {name} has no real servers - ignoring");
            self.complain(message, place);
            return None;
        }
        let name = service_name(&service);
        match (mark, service.protocol) {
            (true, Some(_)) => {
                let message = format!(
                    "Warning: Virtual server {name}: protocol specified for fwmark - protocol \
                     will be ignored"
                );
                self.complain(message, place);
                service.protocol = None;
            }
            (false, None) => {
                let message = format!("Virtual server {name}: no protocol set - defaulting to UDP");
                self.complain(message, place);
                service.protocol = Some(plan::Protocol::Udp);
            }
            _ => {}
        }
        let name = service_name(&service);
        let mut timeout = service.persistence.timeout;
        if matches!(service.target, Target::Address { port: 0, .. }) && timeout.is_none() {
            let message = format!(
                "Virtual server {name}: zero port only valid for persistent services - setting"
            );
            self.complain(message, place);
            timeout = Some(PERSISTENCE);
        }
        if service.one_packet && service.protocol.is_some_and(|it| it != plan::Protocol::Udp) {
            let message =
                format!("Virtual server {name}: one packet scheduling requires UDP - resetting");
            self.complain(message, place);
            service.one_packet = false;
        }
        if service.scheduler.is_none() {
            let message =
                format!("Virtual server {name}: no scheduler set, setting default '{SCHEDULER}'");
            self.complain(message, place);
        }
        let own = |server: &checker::Server| server.common.forwarding.is_some();
        if service.common.forwarding.is_none() && !service.servers.iter().all(own) {
            let message =
                format!("Virtual server {name}: no forwarding method set, setting default NAT");
            self.complain(message, place);
        }
        self.twice(&mut service);
        self.ports(&mut service);
        self.quorum(&mut service, &name);
        let mail = &self.config.globals.telling;
        let mail = mail.checker_mail.or(mail.mail);
        let mut script = |command: &Option<Command>| self.script(command);
        let (quorum_up, quorum_down) = (script(&service.quorum_up), script(&service.quorum_down));
        let forwarding = service.common.forwarding.unwrap_or_default();
        let servers =
            service.servers.iter().map(|server| self.server(&service, server, mail)).collect();
        Some(VirtualService {
            target: self.target(&service.target),
            family: service.family.unwrap_or(Family::V4),
            protocol: service.protocol,
            scheduler: service.scheduler.clone().unwrap_or_else(|| SCHEDULER.to_owned()),
            scheduler_flags: service.scheduler_flags,
            one_packet: service.one_packet,
            persistence: timeout.map(|timeout| Persistence {
                engine: service.persistence.engine.clone(),
                timeout,
                granularity: service.persistence.granularity,
            }),
            suspend_without_address: service.suspend_without_address,
            notify_at_stop: service.notify_at_stop,
            quorum: service.quorum,
            hysteresis: service.hysteresis,
            quorum_up,
            quorum_down,
            sorry: service.sorry.as_ref().map(|sorry| SorryServer {
                address: sorry.address,
                port: sorry.port,
                forwarding: sorry.forwarding.unwrap_or(forwarding),
                inhibit: sorry.inhibit,
            }),
            smtp_alert: service.common.smtp_alert.or(mail).unwrap_or(false),
            snmp_name: service.common.snmp_name.clone(),
            servers,
            span: place,
        })
    }

    fn target(&self, target: &Target) -> plan::Target {
        match target {
            Target::Address { address, port } => {
                plan::Target::Address { address: *address, port: *port }
            }
            Target::Mark(mark) => plan::Target::Mark(*mark),
            Target::Group(name) => {
                let groups = self.config.checkers.groups.iter();
                let members = groups.filter(|group| group.name.value == *name);
                let members = members.flat_map(|group| group.members.clone()).collect();
                plan::Target::Group { name: name.clone(), members }
            }
        }
    }

    /// One server twice behind one service.
    fn twice(&mut self, service: &mut Service) {
        let mut seen = HashSet::new();
        let (kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut service.servers)
            .into_iter()
            .partition(|server| seen.insert((server.address, server.port)));
        for server in dropped {
            let (vs, rs) = (service_name(service), server_name(service, &server));
            let message = format!("VS {vs}: real server {rs} is duplicated - removing second rs");
            self.complain(message, server.span);
        }
        service.servers = kept;
    }

    /// Only address translation can change a port.
    fn ports(&mut self, service: &mut Service) {
        let name = service_name(service);
        let usual = service.common.forwarding.unwrap_or_default();
        match &service.target {
            Target::Group(group) => {
                let groups = self.config.checkers.groups.iter();
                let mut members =
                    groups.filter(|it| it.name.value == *group).flat_map(|it| &it.members);
                if !members.any(|member| matches!(member, plan::Member::Mark { .. })) {
                    return;
                }
                for server in &service.servers {
                    let forwarding = server.common.forwarding.unwrap_or(usual);
                    if server.port == 0 || forwarding == Forwarding::Nat {
                        continue;
                    }
                    let message = format!(
                        "WARNING - fwmark virtual server {name}, real server {} has port \
                         specified - port will be ignored",
                        server_name(service, server)
                    );
                    self.complain(message, server.span);
                }
            }
            Target::Mark(_) => {
                for index in 0..service.servers.len() {
                    let server = &service.servers[index];
                    let forwarding = server.common.forwarding.unwrap_or(usual);
                    if server.port == 0 || forwarding == Forwarding::Nat {
                        continue;
                    }
                    let message = format!(
                        "WARNING - fwmark virtual server {name}, real server {} has port \
                         specified - clearing",
                        server_name(service, server)
                    );
                    self.complain(message, server.span);
                    service.servers[index].port = 0;
                }
            }
            &Target::Address { port, .. } if port != 0 => {
                for index in 0..service.servers.len() {
                    let server = &service.servers[index];
                    let forwarding = server.common.forwarding.unwrap_or(usual);
                    if server.port == 0 {
                        service.servers[index].port = port;
                    } else if forwarding != Forwarding::Nat && server.port != port {
                        let message = format!(
                            "WARNING - virtual server {name} and real server {} ports don't match \
                             - resetting",
                            server_name(service, server)
                        );
                        self.complain(message, server.span);
                        service.servers[index].port = port;
                    }
                }
                let place = service.span;
                let Some(sorry) = &mut service.sorry else { return };
                let forwarding = sorry.forwarding.unwrap_or(usual);
                if sorry.port == 0 {
                    sorry.port = port;
                } else if forwarding != Forwarding::Nat && sorry.port != port {
                    sorry.port = port;
                    let message = format!(
                        "WARNING - virtual server {name} and sorry server ports don't match - \
                         resetting"
                    );
                    self.complain(message, place);
                }
            }
            _ => {}
        }
    }

    fn quorum(&mut self, service: &mut Service, name: &str) {
        let usual = service.common.weight.unwrap_or(1);
        let weights = service.servers.iter().map(|it| u64::from(it.common.weight.unwrap_or(usual)));
        let total = u32::try_from(weights.sum::<u64>()).unwrap_or(u32::MAX);
        if service.quorum > total {
            let message = format!(
                "Warning - quorum {} for {name} exceeds total weight of real servers {total}, \
                 reducing quorum to {total}",
                service.quorum
            );
            self.complain(message, service.span);
            service.quorum = total;
        }
        if service.hysteresis > 0 && service.hysteresis >= service.quorum {
            let most = service.quorum.saturating_sub(1);
            let message = format!(
                "Virtual server {name}: hysteresis {} >= quorum {}; setting hysteresis to {most}",
                service.hysteresis, service.quorum
            );
            self.complain(message, service.span);
            service.hysteresis = most;
        }
    }

    fn script(&mut self, command: &Option<Command>) -> Option<NotifyScript> {
        self.scripts.notify(command.as_ref()?, &mut self.diagnostics)
    }

    fn server(
        &mut self,
        service: &Service,
        server: &checker::Server,
        mail: Option<bool>,
    ) -> RealServer {
        let (own, above) = (&server.common, &service.common);
        let checks = server.checks.iter();
        let checks = checks.flat_map(|check| self.checks(service, server, check)).collect();
        RealServer {
            address: server.address,
            port: server.port,
            weight: own.weight.or(above.weight).unwrap_or(1),
            forwarding: own.forwarding.or(above.forwarding).unwrap_or_default(),
            most_connections: server.most_connections,
            least_connections: server.least_connections,
            inhibit: own.inhibit.or(above.inhibit).unwrap_or(false),
            // keepalived.conf(5): on unless a global says otherwise.
            smtp_alert: own.smtp_alert.or(mail).unwrap_or(true),
            snmp_name: own.snmp_name.clone(),
            notify_up: self.script(&server.notify_up),
            notify_down: self.script(&server.notify_down),
            checks,
            span: server.span,
        }
    }
}
