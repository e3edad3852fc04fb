//! Virtual servers, their checks and BFD sessions: defaults, and what contradicts what.
//!
//! None of it runs yet; that is said once, with the names of what is meant.

use std::collections::HashSet;
use std::time::Duration;

use super::super::config::checker::{self, Checking, Connection, Kind, Service, Target};
use super::super::config::{At, Command, KeepalivedConfig};
use super::super::keywords::{server_name, service_name};
use super::script::{Scripts, nobody};
use crate::host::Host;
use crate::plan::bfd::BfdPlan;
use crate::plan::checker::{
    self as plan, Check, CheckKind, CheckerPlan, CheckerTelling, Family, Forwarding, HttpCheck,
    MiscCheck, Persistence, RealServer, SorryServer, Timing, TlsCheck, UdpReply, VirtualService,
};
use crate::plan::vrrp::NotifyScript;
use crate::text::{Diagnostic, Diagnostics, Span};

const SCHEDULER: &str = "wlc";
const PERSISTENCE: Duration = Duration::from_secs(360);
const INTERVAL: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// More names than this nobody reads in one warning.
const MOST_NAMES: usize = 5;

/// What `config` says of virtual servers and BFD.
pub fn lower_checkers(
    config: &KeepalivedConfig,
    host: &dyn Host,
) -> (CheckerPlan, BfdPlan, Diagnostics) {
    let checkers = &config.checkers;
    // What is wrong with script_user is said where the instances are looked at.
    let scripts = Scripts::new(&config.globals, host, &mut Diagnostics::default());
    let mut lowering = Lowering { config, scripts, diagnostics: Diagnostics::default() };
    let services: Vec<VirtualService> =
        checkers.services.iter().filter_map(|service| lowering.service(service)).collect();
    let Lowering { mut scripts, mut diagnostics, .. } = lowering;
    if config.fatal {
        // keepalived doesn't come to this.
        diagnostics = Diagnostics::default();
    }
    let fifo_script = config.globals.telling.lvs_fifo.script.as_ref();
    let fifo_script =
        fifo_script.and_then(|command| scripts.notify(command, &mut Diagnostics::default()));
    scripts.finish_checks(&mut diagnostics);
    let names: Vec<String> = checkers.services.iter().map(service_name).collect();
    let first = checkers.services.first().map(|service| service.span);
    not_run("virtual server", "servers aren't checked and IPVS isn't set up", &names, first)
        .into_iter()
        .for_each(|diagnostic| diagnostics.push(diagnostic));
    let names: Vec<String> = checkers.sessions.iter().map(|at| at.value.name.clone()).collect();
    let first = checkers.sessions.first().map(|session| session.span);
    not_run("BFD session", "BFD isn't spoken", &names, first)
        .into_iter()
        .for_each(|diagnostic| diagnostics.push(diagnostic));
    let fifo = config.globals.telling.lvs_fifo.fifo.as_ref();
    let plan = CheckerPlan {
        services,
        tls: checkers.tls.as_ref().map(|at| at.value.clone()),
        ipvs: plan::Ipvs {
            nftables: checkers.nftables.clone().filter(|_| checkers.wants_nftables),
            ..checkers.ipvs.clone()
        },
        telling: CheckerTelling {
            fifo: fifo.map(|fifo| fifo.path.value.clone().into()),
            fifo_script,
            ..checkers.telling.clone()
        },
    };
    let bfd = BfdPlan { sessions: checkers.sessions.iter().map(|at| at.value.clone()).collect() };
    (plan, bfd, diagnostics)
}

/// The one warning about what is only checked.
fn not_run(what: &str, why: &str, names: &[String], place: Option<Span>) -> Option<Diagnostic> {
    let place = place?;
    let mut shown = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMES {
        shown += &format!(" and {} more", names.len() - MOST_NAMES);
    }
    let (plural, verb) = if names.len() == 1 { ("", "is") } else { ("s", "are") };
    let message = format!("{} {what}{plural} {verb} not run yet ({why}): {shown}", names.len());
    let diagnostic = Diagnostic::warning("keepalived/unsupported", message).at(place);
    Some(
        diagnostic
            .help("what is wrong with them is said, and `evenkeel plan` shows them; the rest runs"),
    )
}

struct Lowering<'a> {
    config: &'a KeepalivedConfig,
    scripts: Scripts<'a>,
    diagnostics: Diagnostics,
}

impl Lowering<'_> {
    fn complain(&mut self, message: String, span: Span) {
        self.diagnostics.push(Diagnostic::error("keepalived/checker", message).at(span));
    }

    /// `None`: it isn't made, which was said.
    fn service(&mut self, service: &Service) -> Option<VirtualService> {
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

    /// A check, and once more for each of its `host` blocks.
    fn checks(
        &mut self,
        service: &Service,
        server: &checker::Server,
        check: &checker::Check,
    ) -> Vec<Check> {
        let Some(kind) = self.kind(service, server, check) else { return Vec::new() };
        let place = |log: Option<bool>, checking: &Checking, connection: &Connection| Check {
            kind: kind.clone(),
            timing: self.timing(&kind, [checking, &check.checking], service, server, log),
            connection: self.connection(
                &kind,
                [checking, &check.checking],
                connection,
                service,
                server,
            ),
            alpha: checking
                .alpha
                .or(check.checking.alpha)
                .or(server.common.checking.alpha)
                .or(service.common.checking.alpha)
                .unwrap_or(false),
            span: check.span,
        };
        if check.hosts.is_empty() {
            return vec![place(check.log_all_failures, &check.checking, &check.connection)];
        }
        let hosts = check.hosts.iter();
        hosts
            .map(|host| {
                let log = host.log_all_failures.or(check.log_all_failures);
                place(log, &host.checking, &host.connection)
            })
            .collect()
    }

    fn timing(
        &self,
        kind: &CheckKind,
        [host, check]: [&Checking; 2],
        service: &Service,
        server: &checker::Server,
        log: Option<bool>,
    ) -> Option<Timing> {
        if matches!(kind, CheckKind::File { .. } | CheckKind::Bfd { .. }) {
            return None;
        }
        let levels = [host, check, &server.common.checking, &service.common.checking];
        let interval = levels.iter().find_map(|it| it.interval).unwrap_or(INTERVAL);
        // keepalived.conf(5), "retry" and "delay_before_retry".
        let (retries, delay) = match kind {
            CheckKind::Dns { .. } => (3, interval),
            CheckKind::Misc(_) => (0, Duration::from_secs(1)),
            CheckKind::Http(_) => (1, Duration::from_secs(3)),
            _ => (1, Duration::from_secs(1)),
        };
        Some(Timing {
            interval,
            retries: levels.iter().find_map(|it| it.retries).unwrap_or(retries),
            delay_before_retry: levels.iter().find_map(|it| it.delay_before_retry).unwrap_or(delay),
            warmup: levels.iter().find_map(|it| it.warmup).unwrap_or(interval),
            log_all_failures: log.unwrap_or(self.config.checkers.log_all_failures),
        })
    }

    fn connection(
        &self,
        kind: &CheckKind,
        [host, check]: [&Checking; 2],
        connection: &Connection,
        service: &Service,
        server: &checker::Server,
    ) -> Option<plan::Connection> {
        if matches!(kind, CheckKind::File { .. } | CheckKind::Bfd { .. } | CheckKind::Misc(_)) {
            return None;
        }
        let levels = [host, check, &server.common.checking, &service.common.checking];
        Some(plan::Connection {
            address: connection.address.unwrap_or(server.address),
            port: connection.port.unwrap_or(server.port),
            timeout: levels.iter().find_map(|it| it.connect_timeout).unwrap_or(CONNECT_TIMEOUT),
            source: connection.source,
            source_port: connection.source_port,
            interface: connection.interface.clone(),
            mark: connection.mark,
        })
    }

    /// What is checked. `None`: it isn't, which was said.
    fn kind(
        &mut self,
        service: &Service,
        server: &checker::Server,
        check: &checker::Check,
    ) -> Option<CheckKind> {
        Some(match &check.kind {
            Kind::Tcp => CheckKind::Tcp,
            Kind::Ping => CheckKind::Ping,
            Kind::Http(http) => CheckKind::Http(self.http(service, server, http)),
            Kind::Smtp { helo } => CheckKind::Smtp { helo: helo.clone() },
            Kind::Dns { query, name } => CheckKind::Dns {
                query: query.clone().unwrap_or_else(|| "SOA".to_owned()),
                name: name.clone().unwrap_or_else(|| ".".to_owned()),
            },
            Kind::Udp { check, least, most } => {
                let mut check = check.clone();
                if let Some(reply) = &mut check.reply {
                    *reply = UdpReply { least: *least, most: *most, ..std::mem::take(reply) };
                }
                CheckKind::Udp(check)
            }
            Kind::Misc(misc) => CheckKind::Misc(self.misc(misc)?),
            Kind::File { file, weight, reverse } => {
                let At { value, .. } = file.as_ref()?;
                CheckKind::File { file: value.clone(), weight: *weight, reverse: *reverse }
            }
            Kind::Bfd { session } => CheckKind::Bfd { session: session.as_ref()?.value.clone() },
        })
    }

    fn http(&self, service: &Service, server: &checker::Server, http: &checker::Http) -> HttpCheck {
        let above = http.virtual_host.as_ref().or(server.common.virtual_host.as_ref());
        let above = above.or(service.common.virtual_host.as_ref());
        let urls = http.urls.iter().map(|url| plan::Url {
            virtual_host: url.virtual_host.as_ref().or(above).cloned(),
            statuses: match url.statuses.is_empty() {
                true => vec![(200, 299)],
                false => url.statuses.clone(),
            },
            // Options without a pattern are about nothing.
            regex: url.regex.clone().filter(|regex| !regex.pattern.is_empty()),
            tls_compliant: url.tls_compliant || http.tls_compliant,
            ..url.clone()
        });
        let tls = TlsCheck { sni: http.sni, sni_name: http.sni_name.clone() };
        HttpCheck {
            tls: http.tls.then_some(tls),
            protocol: http.protocol,
            fast_recovery: http.fast_recovery,
            urls: urls.collect(),
        }
    }

    fn misc(&mut self, misc: &checker::Misc) -> Option<MiscCheck> {
        let mut command = misc.command.clone()?;
        let words: Vec<_> = command.argv.iter().map(|word| format!("'{word}'")).collect();
        command.user = misc.users.last().cloned();
        let mut users = misc.users.iter();
        if let Some(user) = users.find(|user| self.scripts.resolve(user).is_none()) {
            let message = format!(
                "Failed to set uid/gid for misc checker script {} - removing",
                words.join(" ")
            );
            let diagnostic = Diagnostic::error("keepalived/user", message);
            self.diagnostics.push(diagnostic.label(user.span, nobody(user)));
            return None;
        }
        let script = self.scripts.notify(&command, &mut self.diagnostics)?;
        Some(MiscCheck {
            argv: script.argv,
            timeout: misc.timeout,
            dynamic: misc.dynamic,
            user: script.user,
        })
    }
}
