//! IPVS as a whole, and what its checkers say (keepalived.conf(5), `lvs_*`, `nftables_ipvs*`).

use std::net::IpAddr;

use super::super::read::{self, wrong};
use super::super::{Row, missing_parameter};
use super::{GLOBAL, MAIN};
use crate::keepalived::config::KeepalivedConfig;
use crate::plan::checker::{FlushOnStop, Nftables, SyncDaemon};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const NOT_RUN: &str = "read, checked and kept; virtual servers aren't run yet";

pub(in crate::keepalived::keywords) const TABLE: &[Row] =
    &[
        Row::of(
            GLOBAL,
            "lvs_sync_daemon",
            "INTERFACE [[inst] NAME] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]",
            "IPVS connection synchronisation",
        )
        .bare()
        .partial(NOT_RUN, sync_daemon),
        Row::of(
            GLOBAL,
            "lvs_timeouts",
            "[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]",
            "IPVS time-outs",
        )
        .partial(NOT_RUN, timeouts),
        Row::of(GLOBAL, "lvs_flush", "", "Empty IPVS at start").partial(NOT_RUN, flush),
        Row::of(GLOBAL, "lvs_flush_on_stop", "[VS]", "Empty IPVS at the end")
            .partial(NOT_RUN, flush_on_stop),
        Row::of(GLOBAL, "lvs_flush_onstop", "[VS]", "Old name of lvs_flush_on_stop")
            .partial(NOT_RUN, flush_on_stop),
        Row::of(GLOBAL, "nftables_ipvs", "[TABLE]", "nftables for virtual server groups")
            .default("keepalived_ipvs")
            .partial(NOT_RUN, nftables),
        Row::of(GLOBAL, "nftables_ipvs_priority", "PRIORITY", "Priority of the chains")
            .default("-1")
            .partial(NOT_RUN, nftables_priority),
        Row::of(GLOBAL, "nftables_ipvs_start_fwmark", "MARK", "First firewall mark")
            .default("1000")
            .partial(NOT_RUN, nftables_mark),
        Row::of(GLOBAL, "checker_log_all_failures", "[BOOL]", "Log every failed check")
            .partial(NOT_RUN, log_all_failures),
        Row::of(GLOBAL, "rs_init_notifies", "[BOOL]", "Notify about real servers at start")
            .partial(NOT_RUN, |c, n, d| {
                if let Some(on) = switch(n, d) {
                    c.checkers.telling.at_start = on;
                }
            }),
        Row::of(GLOBAL, "no_checker_emails", "[BOOL]", "No mail about single checks").partial(
            NOT_RUN,
            |c, n, d| {
                if let Some(on) = switch(n, d) {
                    c.checkers.telling.no_mail_per_check = on;
                }
            },
        ),
        Row::of(MAIN, "net_namespace_ipvs", "[NAME]", "Network namespace of IPVS")
            .partial(NOT_RUN, namespace),
    ];

const LONGEST_NAME: usize = 15;
/// 31 days, as of persistence.
const LONGEST_TIMEOUT: u64 = 2_678_400;
const LONGEST_SYNC: u64 = 65507;
const TABLE_NAME: &str = "keepalived_ipvs";
const CHAIN_PRIORITY: i32 = -1;
const FIRST_MARK: u32 = 1000;

fn error(node: &Node, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("keepalived/value", message).at(read::line_span(node))
}

fn switch(node: &Node, diagnostics: &mut Diagnostics) -> Option<bool> {
    let on = read::boolean(node.args.first());
    if on.is_none() {
        let (keyword, word) = (node.name.lossy(), &node.args[0]);
        let message = format!("Invalid value '{}' for global {keyword} specified", word.lossy());
        diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
    }
    on
}

fn log_all_failures(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match read::boolean(node.args.first()) {
        Some(on) => config.checkers.log_all_failures = on,
        None => {
            let message = "Invalid value for checker_log_all_failures specified".to_owned();
            diagnostics.push(wrong(&node.args[0], message, "neither on nor off".to_owned()));
        }
    }
}

/// Without a name it is the namespace that the daemon was started in. The first one counts.
fn namespace(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let name = node.args.first().map(|word| word.lossy().into_owned()).unwrap_or_default();
    if config.checkers.ipvs.namespace.is_some() {
        let message = format!("Duplicate net_namespace_ipvs definition {name} - ignoring");
        return diagnostics.push(error(node, message));
    }
    config.checkers.ipvs.namespace = Some(name);
}

fn flush(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.checkers.ipvs.flush = true;
}

fn flush_on_stop(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    config.checkers.ipvs.flush_on_stop = match node.args.first() {
        None => FlushOnStop::Everything,
        Some(word) if word.is("VS") => FlushOnStop::OwnServices,
        Some(word) => {
            let message = format!("Unknown lvs_flush_on_stop type {}", word.lossy());
            return diagnostics.push(wrong(word, message, "only `VS` may stand here".to_owned()));
        }
    };
}

fn timeouts(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if node.args.len() < 2 {
        return diagnostics.push(error(node, "lvs_timeouts requires at least one option"));
    }
    let ipvs = &mut config.checkers.ipvs;
    let mut words = node.args.iter();
    while let Some(word) = words.next() {
        let name = word.lossy();
        let field = match name.as_ref() {
            "tcp" => &mut ipvs.timeout_tcp,
            "tcpfin" => &mut ipvs.timeout_tcp_fin,
            "udp" => &mut ipvs.timeout_udp,
            _ => {
                let message = format!("Unknown option {name} specified for lvs_timeouts");
                diagnostics.push(wrong(word, message, "tcp, tcpfin or udp".to_owned()));
                continue;
            }
        };
        let Some(value) = words.next() else {
            let message = format!("No value specified for lvs_timeout {name} - ignoring");
            return diagnostics.push(error(node, message));
        };
        match read::number(value, 0..=LONGEST_TIMEOUT) {
            Ok(seconds) => *field = Some(seconds as u32),
            Err(reason) => {
                let text = value.lossy();
                let message = format!("Invalid lvs_timeout {name} ({text}) - ignoring");
                diagnostics.push(wrong(value, message, reason));
            }
        }
    }
}

fn sync_daemon(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(interface) = node.args.first() else {
        return diagnostics.push(error(node, "lvs_sync_daemon requires interface"));
    };
    if let Some(before) = &config.checkers.ipvs.sync {
        let instance = before.instance.as_deref().unwrap_or_default();
        let message = format!(
            "lvs_sync_daemon has already been specified as {} {instance} - ignoring",
            before.interface
        );
        return diagnostics.push(error(node, message));
    }
    let name = interface.lossy().into_owned();
    if interface.text.len() > LONGEST_NAME {
        let message = format!("lvs_sync_daemon interface name '{name}' too long - ignoring");
        let reason = format!("at most {LONGEST_NAME} bytes");
        return diagnostics.push(wrong(interface, message, reason));
    }
    let mut sync = SyncDaemon { interface: name, ..SyncDaemon::default() };
    let mut words = node.args[1..].iter().peekable();
    // Without `inst` it is an instance's name only where it is no option.
    let option =
        |word: &Word| ["id", "maxlen", "port", "ttl", "group", "inst"].iter().any(|it| word.is(it));
    if let Some(word) = words.next_if(|word| !option(word)) {
        sync.instance = Some(word.lossy().into_owned());
    }
    while let Some(word) = words.next() {
        if !option(word) {
            let text = word.lossy();
            let message = format!("Unknown option {text} specified for lvs_sync_daemon");
            let reason = "inst, id, maxlen, port, ttl or group".to_owned();
            diagnostics.push(wrong(word, message, reason));
            continue;
        }
        let name = word.lossy();
        let Some(value) = words.next() else {
            let message = match name.as_ref() {
                "inst" => {
                    return diagnostics.push(missing_parameter(
                        &node.name,
                        word,
                        node.args.len() + 2,
                    ));
                }
                "id" => "No value specified for lvs_sync_daemon id, defaulting to vrid".to_owned(),
                _ => format!("No value specified for lvs_sync_daemon {name} - ignoring"),
            };
            diagnostics.push(error(node, message));
            break;
        };
        if let Some(complaint) = sync_option(&mut sync, &name, value) {
            diagnostics.push(complaint);
        }
    }
    config.checkers.ipvs.sync = Some(sync);
}

fn sync_option(sync: &mut SyncDaemon, name: &str, value: &Word) -> Option<Diagnostic> {
    let text = value.lossy();
    let range = match name {
        "inst" => {
            sync.instance = Some(text.into_owned());
            return None;
        }
        "group" => {
            let reason = "not a multicast address".to_owned();
            let message = match read::address(value) {
                Some(group) if group.is_multicast() => {
                    sync.group = Some(group);
                    return None;
                }
                Some(IpAddr::V4(_) | IpAddr::V6(_)) => {
                    format!("lvs_sync_daemon group address {text} is not multicast - ignoring")
                }
                None => format!("Invalid lvs_sync_daemon group ({text}) - ignoring"),
            };
            return Some(wrong(value, message, reason));
        }
        "id" => 0..=255,
        "maxlen" => 1..=LONGEST_SYNC,
        "port" => 1..=65535,
        _ => 1..=255,
    };
    match (read::number(value, range), name) {
        (Ok(number), "id") => sync.id = Some(number as u8),
        (Ok(number), "maxlen") => sync.longest = Some(number as u16),
        (Ok(number), "port") => sync.port = Some(number as u16),
        (Ok(number), _) => sync.ttl = Some(number as u8),
        (Err(reason), name) => {
            let message = match name {
                "id" => format!("Invalid syncid ({text}) - defaulting to vrid"),
                _ => format!("Invalid lvs_sync_daemon {name} ({text}) - ignoring"),
            };
            return Some(wrong(value, message, reason));
        }
    }
    None
}

fn own_nftables(config: &mut KeepalivedConfig) -> &mut Nftables {
    config.checkers.nftables.get_or_insert_with(|| Nftables {
        table: TABLE_NAME.to_owned(),
        priority: CHAIN_PRIORITY,
        first_mark: FIRST_MARK,
    })
}

fn nftables(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if config.checkers.wants_nftables {
        return diagnostics.push(error(node, "ipvs nftables already specified - ignoring"));
    }
    config.checkers.wants_nftables = true;
    let nftables = own_nftables(config);
    if let Some(word) = node.args.first() {
        nftables.table = word.lossy().into_owned();
    }
}

fn nftables_priority(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match read::signed(word, i64::from(i32::MIN)..=i64::from(i32::MAX)) {
        Ok(priority) => own_nftables(config).priority = priority as i32,
        Err(reason) => {
            let message = format!("invalid ipvs nftables chain priority '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn nftables_mark(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match read::number(word, 1..=u64::from(u32::MAX)) {
        Ok(mark) => own_nftables(config).first_mark = mark as u32,
        Err(reason) => {
            let message = format!("invalid ipvs nftables start_fwmark priority '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}
