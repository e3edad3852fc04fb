//! The checks of one real server.

use std::time::Duration;

use super::super::script::nobody;
use super::Lowering;
use crate::keepalived::config::At;
use crate::keepalived::config::checker::{self, Checking, Connection, Kind, Service};
use crate::plan::checker::{
    self as plan, Check, CheckKind, HttpCheck, MiscCheck, Timing, TlsCheck, UdpReply,
};
use crate::text::Diagnostic;

const INTERVAL: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Lowering<'_> {
    /// A check, and once more for each of its `host` blocks.
    pub(super) fn checks(
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
