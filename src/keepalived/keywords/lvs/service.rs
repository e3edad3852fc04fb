//! Virtual servers (keepalived.conf(5), "Virtual server(s)").

use std::time::Duration;

use super::super::super::config::checker::{Level, Service};
use super::super::super::config::{Command, KeepalivedConfig};
use super::super::Row;
use super::super::read::{self, wrong};
use super::target::target;
use super::{NOT_RUN, VS, complaint, end};
use crate::plan::checker::{Family, Forwarding, Granularity, Protocol};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(
        &["main"],
        "virtual_server",
        "ADDRESS [PORT]|fwmark N|group NAME",
        "A virtual service of IPVS",
    )
    .block("virtual_server")
    .partial(NOT_RUN, virtual_server),
    Row::of(VS, "lvs_sched", "SCHEDULER", "Scheduler").default("wlc").partial(NOT_RUN, scheduler),
    Row::of(VS, "lb_algo", "SCHEDULER", "Old name of lvs_sched").partial(NOT_RUN, scheduler),
    Row::of(VS, "flag-1", "", "Scheduler flag 1").partial(NOT_RUN, |c, _, _| flag(c, 0)),
    Row::of(VS, "flag-2", "", "Scheduler flag 2").partial(NOT_RUN, |c, _, _| flag(c, 1)),
    Row::of(VS, "flag-3", "", "Scheduler flag 3").partial(NOT_RUN, |c, _, _| flag(c, 2)),
    Row::of(VS, "sh-port", "", "sh: hash the port too").partial(NOT_RUN, hash_flag),
    Row::of(VS, "sh-fallback", "", "sh: go on to the next server").partial(NOT_RUN, hash_flag),
    Row::of(VS, "mh-port", "", "mh: hash the port too").partial(NOT_RUN, hash_flag),
    Row::of(VS, "mh-fallback", "", "mh: go on to the next server").partial(NOT_RUN, hash_flag),
    Row::of(VS, "hashed", "", "Old name of sh-port").partial(NOT_RUN, hash_flag),
    Row::of(VS, "ops", "", "One-packet scheduling").partial(NOT_RUN, ops),
    Row::of(VS, "ha_suspend", "", "Check only while the address is here")
        .partial(NOT_RUN, ha_suspend),
    Row::of(VS, "omega", "", "Run the notifies for down at shutdown").partial(NOT_RUN, omega),
    Row::of(VS, "persistence_engine", "NAME", "Persistence engine")
        .partial(NOT_RUN, persistence_engine),
    Row::of(VS, "persistence_timeout", "[SECONDS]", "How long a client stays with its server")
        .default("360")
        .partial(NOT_RUN, persistence_timeout),
    Row::of(VS, "persistence_granularity", "NETMASK|PREFIX", "Which clients count as one")
        .partial(NOT_RUN, persistence_granularity),
    Row::of(VS, "protocol", "TCP|UDP|SCTP", "Protocol").default("UDP").partial(NOT_RUN, protocol),
    Row::of(VS, "ip_family", "inet|inet6", "Family of a firewall mark")
        .default("inet")
        .partial(NOT_RUN, ip_family),
    Row::of(VS, "quorum", "WEIGHT", "Weight that has to be alive")
        .default("1")
        .partial(NOT_RUN, quorum),
    Row::of(VS, "hysteresis", "WEIGHT", "Tolerance about the quorum")
        .default("0")
        .partial(NOT_RUN, hysteresis),
    Row::of(VS, "quorum_up", "COMMAND [USER [GROUP]]", "Run when the quorum is gained")
        .partial(NOT_RUN, |c, n, d| service_script(c, n, d, |it| &mut it.quorum_up)),
    Row::of(VS, "quorum_down", "COMMAND [USER [GROUP]]", "Run when the quorum is lost")
        .partial(NOT_RUN, |c, n, d| service_script(c, n, d, |it| &mut it.quorum_down)),
];

const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];
const PERSISTENCE: Duration = Duration::from_secs(360);
const LONGEST_ENGINE: usize = 16;

fn virtual_server(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let words: Vec<Word> = std::iter::once(&node.name).chain(&node.args).cloned().collect();
    // What is wrong with it was said when its block was opened.
    if let Some(target) = target(&words, &mut Diagnostics::default()) {
        let span = node.name.span.to(read::args_span(node));
        config.checkers.services.push(Service::new(target, span));
        config.checkers.level = Level::Service;
    }
}

pub(super) fn service_closed(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(service) = super::service(config) else { return };
    let Some(sorry) = &service.sorry else { return };
    let forwarding = sorry.forwarding.or(service.common.forwarding).unwrap_or_default();
    let family = Family::of(sorry.address);
    let fits = service.family.is_none_or(|of| of == family);
    if fits || matches!(forwarding, Forwarding::Tunnel(_)) {
        return;
    }
    let message = format!(
        "Address family of virtual server and sorry server {} don't match - skipping sorry server.",
        sorry.address
    );
    diagnostics.push(Diagnostic::error("keepalived/checker", message).at(end(node)));
    service.sorry = None;
}

fn scheduler(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let name = word.lossy();
    if !SCHEDULERS.contains(&name.as_ref()) {
        let message = format!("Invalid lvs_scheduler '{name}' - ignoring");
        let reason = format!("one of {}", SCHEDULERS.join(", "));
        return diagnostics.push(wrong(word, message, reason));
    }
    if let Some(service) = super::service(config) {
        service.scheduler = Some(name.into_owned());
    }
}

fn flag(config: &mut KeepalivedConfig, index: usize) {
    if let Some(service) = super::service(config) {
        service.scheduler_flags.0[index] = true;
    }
}

/// Names of flags for schedulers that hash, which have to be chosen first.
fn hash_flag(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(service) = super::service(config) else { return };
    if !matches!(service.scheduler.as_deref(), Some("sh" | "mh")) {
        let message = format!("{} only applies to sh scheduler - ignoring", node.name.lossy());
        let help = "`lvs_sched sh` (or mh) has to stand above it";
        return diagnostics.push(complaint(node, message).help(help));
    }
    let fallback = node.name.text.ends_with(b"-fallback");
    flag(config, usize::from(!fallback));
}

fn ops(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(service) = super::service(config) {
        service.one_packet = true;
    }
}

fn ha_suspend(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(service) = super::service(config) {
        service.suspend_without_address = true;
    }
}

fn omega(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(service) = super::service(config) {
        service.notify_at_stop = true;
    }
}

fn persistence_engine(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let mut name = word.lossy().into_owned();
    if word.text.len() > LONGEST_ENGINE {
        let message = format!("persistence_name too long, truncating - {name}");
        diagnostics.push(wrong(word, message, format!("at most {LONGEST_ENGINE} bytes")));
        name = name.chars().take(LONGEST_ENGINE).collect();
    }
    if let Some(service) = super::service(config) {
        service.persistence.engine = Some(name);
    }
}

fn persistence_timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let timeout = match node.args.first() {
        None => PERSISTENCE,
        Some(word) => match read::number(word, 1..=2_678_400) {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(reason) => {
                let message = "persistence_timeout invalid".to_owned();
                return diagnostics.push(wrong(word, message, reason));
            }
        },
    };
    if let Some(service) = super::service(config) {
        service.persistence.timeout = Some(timeout);
    }
}

/// A netmask for IPv4, bits for IPv6; where the family isn't known yet, it is by this.
fn persistence_granularity(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let word = &node.args[0];
    let text = word.lossy();
    let Some(service) = super::service(config) else { return };
    let by_word = if text.contains('.') { Family::V4 } else { Family::V6 };
    let granularity = match *service.family.get_or_insert(by_word) {
        Family::V4 => match read::bare_ipv4(word) {
            Some(mask) => {
                if (u32::from(mask).leading_ones() + u32::from(mask).trailing_zeros()) < 32 {
                    let message = format!("{mask} is not a netmask");
                    let diagnostic = Diagnostic::warning("keepalived/netmask", message);
                    let help = "write it as `255.255.255.0`";
                    diagnostics.push(diagnostic.at(word.span).help(help));
                }
                Granularity::Mask(mask)
            }
            None => {
                let message = format!("Invalid IPv4 persistence_granularity specified - {text}");
                return diagnostics.push(wrong(word, message, "not a netmask".to_owned()));
            }
        },
        Family::V6 => match read::number(word, 1..=128) {
            Ok(prefix) => Granularity::Prefix(prefix as u8),
            Err(reason) => {
                let message = format!("Invalid IPv6 persistence_granularity specified - {text}");
                return diagnostics.push(wrong(word, message, reason));
            }
        },
    };
    service.persistence.granularity = Some(granularity);
    service.persistence.timeout.get_or_insert(PERSISTENCE);
}

fn protocol(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let protocol = match word.text.to_ascii_lowercase().as_slice() {
        b"tcp" => Protocol::Tcp,
        b"udp" => Protocol::Udp,
        b"sctp" => Protocol::Sctp,
        _ => {
            let message = format!("Unknown protocol {} - ignoring", word.lossy());
            return diagnostics.push(wrong(word, message, "TCP, UDP or SCTP".to_owned()));
        }
    };
    if let Some(service) = super::service(config) {
        service.protocol = Some(protocol);
    }
}

fn ip_family(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let family = match word.text.as_slice() {
        b"inet" => Family::V4,
        b"inet6" => Family::V6,
        _ => {
            let message = format!("unknown address family {}", word.lossy());
            return diagnostics.push(wrong(word, message, "inet or inet6".to_owned()));
        }
    };
    let Some(service) = super::service(config) else { return };
    if *service.family.get_or_insert(family) != family {
        let text = word.lossy();
        let message =
            format!("Virtual server specified family {text} conflicts with server family");
        diagnostics.push(wrong(word, message, "it is of the other family".to_owned()));
    }
}

fn quorum(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let quorum = read::number(word, 1..=u64::from(u32::MAX)).unwrap_or_else(|reason| {
        let text = word.lossy();
        let message = format!("Quorum {text} must be in [1, 4294967295]. Setting to 1.");
        diagnostics.push(wrong(word, message, reason));
        1
    });
    if let Some(service) = super::service(config) {
        service.quorum = quorum as u32;
    }
}

fn hysteresis(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match (read::number(word, 0..=u64::from(u32::MAX)), super::service(config)) {
        (Ok(weight), Some(service)) => service.hysteresis = weight as u32,
        (Err(reason), _) => {
            let text = word.lossy();
            let message = format!("Hysteresis {text} must be in [0, 4294967295] - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}

fn service_script(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    field: fn(&mut Service) -> &mut Option<Command>,
) {
    let command = read::command(node, true, diagnostics);
    if let Some(service) = super::service(config) {
        script(field(service), command, node, diagnostics);
    }
}

/// The first of its kind stays.
pub(super) fn script(
    field: &mut Option<Command>,
    command: Option<Command>,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    if field.is_some() {
        let (keyword, text) = (node.name.lossy(), node.args[0].lossy());
        // It prints the name of an instance that isn't there just so.
        let message = format!("((null)) {keyword} script already specified - ignoring {text}");
        let diagnostic = Diagnostic::error("keepalived/duplicate", message);
        return diagnostics.push(diagnostic.at(read::args_span(node)));
    }
    *field = command;
}
