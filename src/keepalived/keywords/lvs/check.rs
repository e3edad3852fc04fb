//! The checkers, besides those for HTTP (keepalived.conf(5), "Virtual server(s)", from
//! CHECKER_TYPE on).

use std::time::Duration;

use super::super::super::config::KeepalivedConfig;
use super::super::super::config::checker::{Check, Host, Kind, Level, Misc};
use super::super::Row;
use super::super::read::{self, wrong};
use super::{CONNECTING, NOT_RUN, RS, complaint, complaint_at, connection, end, payload};
use crate::plan::checker::{UdpCheck, UdpReply};
use crate::text::{Diagnostics, Node};

const DNS: &[&str] = &["virtual_server real_server DNS_CHECK"];
const SMTP: &[&str] = &["virtual_server real_server SMTP_CHECK"];
const UDP: &[&str] = &["virtual_server real_server UDP_CHECK"];
const MISC: &[&str] = &["virtual_server real_server MISC_CHECK"];
const FILE: &[&str] = &["virtual_server real_server FILE_CHECK"];
const BFD: &[&str] = &["virtual_server real_server BFD_CHECK"];

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(RS, "BFD_CHECK", "", "Down while a BFD session is down")
        .block("virtual_server real_server BFD_CHECK")
        .partial(NOT_RUN, |c, n, _| open(c, n, Kind::Bfd { session: None })),
    Row::of(RS, "DNS_CHECK", "", "Ask a DNS server")
        .block("virtual_server real_server DNS_CHECK")
        .partial(NOT_RUN, |c, n, _| open(c, n, Kind::Dns { query: None, name: None })),
    Row::of(RS, "FILE_CHECK", "", "Weight from a file")
        .block("virtual_server real_server FILE_CHECK")
        .partial(NOT_RUN, |c, n, _| {
            open(c, n, Kind::File { file: None, weight: 1, reverse: false });
        }),
    Row::of(RS, "MISC_CHECK", "", "Run a command")
        .block("virtual_server real_server MISC_CHECK")
        .partial(NOT_RUN, |c, n, _| open(c, n, Kind::Misc(Misc::default()))),
    Row::of(RS, "PING_CHECK", "", "Ping")
        .block("virtual_server real_server PING_CHECK")
        .partial(NOT_RUN, |c, n, _| open(c, n, Kind::Ping)),
    Row::of(RS, "SMTP_CHECK", "", "Greet a mail server")
        .block("virtual_server real_server SMTP_CHECK")
        .partial(NOT_RUN, |c, n, _| open(c, n, Kind::Smtp { helo: None })),
    Row::of(RS, "TCP_CHECK", "", "Connect")
        .block("virtual_server real_server TCP_CHECK")
        .partial(NOT_RUN, |c, n, _| open(c, n, Kind::Tcp)),
    Row::of(RS, "UDP_CHECK", "", "Send a datagram")
        .block("virtual_server real_server UDP_CHECK")
        .partial(NOT_RUN, |c, n, _| {
            open(c, n, Kind::Udp { check: UdpCheck::default(), least: 0, most: LONGEST_REPLY });
        }),
    Row::of(CONNECTING, "connect_ip", "ADDRESS", "Check this address instead")
        .default("the real server's")
        .partial(NOT_RUN, connection::connect_ip),
    Row::of(CONNECTING, "connect_port", "PORT", "Check this port instead")
        .default("the real server's")
        .partial(NOT_RUN, connection::connect_port),
    Row::of(CONNECTING, "bindto", "ADDRESS", "Source address of checks")
        .partial(NOT_RUN, connection::bindto),
    Row::of(CONNECTING, "bind_if", "INTERFACE", "Interface of checks")
        .partial(NOT_RUN, connection::bind_if),
    Row::of(CONNECTING, "bind_port", "PORT", "Source port of checks")
        .partial(NOT_RUN, connection::bind_port),
    Row::of(CONNECTING, "fwmark", "MARK", "Firewall mark of checks")
        .partial(NOT_RUN, connection::fwmark),
    Row::of(SMTP, "helo_name", "NAME", "Name to greet with").bare().partial(NOT_RUN, helo_name),
    Row::of(SMTP, "host", "", "Another host to check (old)")
        .block("virtual_server real_server SMTP_CHECK host")
        .partial(NOT_RUN, host),
    Row::of(DNS, "type", "A|NS|CNAME|SOA|MX|TXT|AAAA", "Kind of query")
        .default("SOA")
        .partial(NOT_RUN, dns_type),
    Row::of(DNS, "name", "NAME", "The name to ask for").default(".").partial(NOT_RUN, dns_name),
    Row::of(BFD, "name", "NAME", "The session").bare().partial(NOT_RUN, bfd_name),
    Row::of(MISC, "misc_path", "COMMAND", "What is run").bare().partial(NOT_RUN, misc_path),
    Row::of(MISC, "misc_timeout", "0..4294", "How long it may take, in seconds")
        .default("delay_loop")
        .partial(NOT_RUN, misc_timeout),
    Row::of(MISC, "misc_dynamic", "", "Weight from the exit status").partial(NOT_RUN, misc_dynamic),
    Row::of(MISC, "user", "USER [GROUP]", "Whom it runs as")
        .bare()
        .default("script_user")
        .partial(NOT_RUN, misc_user),
    Row::of(UDP, "payload", "HEX", "What is sent").bare().partial(NOT_RUN, udp_payload),
    Row::of(UDP, "require_reply", "[HEX]", "An answer has to come").partial(NOT_RUN, udp_reply),
    Row::of(UDP, "min_reply_length", "0..65535", "Least length of the answer")
        .default("0")
        .partial(NOT_RUN, |c, n, d| {
            udp_length(c, n, "min", d, |kind, length| {
                if let Kind::Udp { least, .. } = kind {
                    *least = length;
                }
            });
        }),
    Row::of(UDP, "max_reply_length", "0..65535", "Greatest length of the answer")
        .default("255")
        .partial(NOT_RUN, |c, n, d| {
            udp_length(c, n, "max", d, |kind, length| {
                if let Kind::Udp { most, .. } = kind {
                    *most = length;
                }
            });
        }),
    Row::of(FILE, "track_file", "NAME", "The file").partial(NOT_RUN, track_file),
    Row::of(FILE, "weight", "INTEGER [reverse]", "What the value of the file is multiplied by")
        .bare()
        .default("1")
        .partial(NOT_RUN, file_weight),
];

const LONGEST_REPLY: u16 = 255;
/// 2^32 microseconds, in whole seconds.
const LONGEST_TIMEOUT: u64 = 4294;

/// The setter of every checker's block.
pub(super) fn open(config: &mut KeepalivedConfig, node: &Node, kind: Kind) {
    if let Some(server) = super::server(config) {
        server.checks.push(Check::new(kind, node.name.span));
        config.checkers.level = Level::Check;
    }
}

/// A check without what it needs is none.
pub(super) fn closed(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let secure = config.globals.script_security.is_some();
    let default_user = !config.globals.script_users.is_empty();
    let Some(service) = super::service(config) else { return };
    let name = service.servers.last().map(|server| super::server_name(service, server));
    let Some(check) = service.servers.last_mut().and_then(|server| server.checks.last_mut()) else {
        return;
    };
    if check.dropped {
        service.servers.last_mut().and_then(|server| server.checks.pop());
        return;
    }
    let message = match &check.kind {
        Kind::Misc(Misc { command: None, .. }) => {
            "No script path has been specified for MISC_CHECKER - skipping".to_owned()
        }
        Kind::Misc(Misc { command: Some(command), users, .. })
            if users.is_empty() && secure && !default_user =>
        {
            let words: Vec<_> = command.argv.iter().map(|word| format!("'{word}'")).collect();
            let words = words.join(" ");
            format!("Unable to set default user for misc script {words} - removing")
        }
        Kind::File { file: None, .. } => {
            "FILE_CHECK has no track_file specified - ignoring".to_owned()
        }
        Kind::Bfd { session: None } => {
            let name = name.unwrap_or_default();
            format!("({name}) No name has been specified for BFD_CHECKER - skipping")
        }
        Kind::Http(http) if http.urls.is_empty() => {
            "HTTP/SSL_GET checker has no urls specified - ignoring".to_owned()
        }
        Kind::Udp { least, most, .. } if least > most => {
            let message = format!(
                "UDP_CHECK min_reply length {least} > max_reply_length {most} - will always fail"
            );
            return diagnostics.push(complaint_at(end(node), message));
        }
        _ => return,
    };
    diagnostics.push(complaint_at(end(node), message));
    service.servers.last_mut().and_then(|server| server.checks.pop());
}

fn host(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(check) = super::check(config) {
        check.hosts.push(Host::default());
        config.checkers.level = Level::Host;
    }
}

fn helo_name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match (node.args.first(), super::kind(config)) {
        (Some(word), Some(Kind::Smtp { helo })) => *helo = Some(word.lossy().into_owned()),
        _ => diagnostics.push(complaint(node, "SMTP_CHECK helo name missing")),
    }
}

fn dns_type(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let text = word.lossy();
    let upper = text.to_ascii_uppercase();
    if !["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"].contains(&upper.as_str()) {
        let message = format!("Unknown DNS check type {text} - ignoring");
        let reason = "one of A, NS, CNAME, SOA, MX, TXT, AAAA".to_owned();
        return diagnostics.push(wrong(word, message, reason));
    }
    if let Some(Kind::Dns { query, .. }) = super::kind(config) {
        *query = Some(upper);
    }
}

fn dns_name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let text = word.lossy();
    let Some(Kind::Dns { name, .. }) = super::kind(config) else { return };
    if name.is_some() {
        let message = "DNS_CHECK name already specified - ignoring";
        return diagnostics.push(complaint(node, message));
    }
    let labels = text.strip_suffix('.').unwrap_or(&text);
    if !labels.is_empty() && labels.split('.').any(str::is_empty) {
        let message = format!("DNS_CHECK name '{text}' has empty label - ignoring");
        return diagnostics.push(wrong(word, message, "two dots in a row".to_owned()));
    }
    *name = Some(text.into_owned());
}

/// A check that already failed over its name takes no other.
fn bfd_name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let known = |name: &str| {
        let sessions = &config.checkers.sessions;
        sessions.iter().any(|it| it.value.name == name && it.value.tell_checkers)
    };
    let found = node.args.first().map(|word| (word.lossy().into_owned(), known(&word.lossy())));
    let Some(service) = super::service(config) else { return };
    let Some(server) = service.servers.last() else { return };
    if server.checks.last().is_none_or(|check| check.dropped) {
        return;
    }
    let name = super::server_name(service, server);
    let monitored = |session: &str| {
        server.checks.iter().rev().skip(1).any(|check| match &check.kind {
            Kind::Bfd { session: Some(other) } => other.value == session,
            _ => false,
        })
    };
    let complaint = match found {
        Some((session, known)) if node.args.len() == 1 => match (known, monitored(&session)) {
            (false, _) => Some(format!("BFD {session} not configured")),
            (true, true) => Some(format!("RS already monitoring {session}")),
            (true, false) => None,
        },
        _ => Some("No or too many names specified - skipping checker".to_owned()),
    };
    let check = service.servers.last_mut().and_then(|server| server.checks.last_mut());
    let Some(check) = check else { return };
    match complaint {
        Some(complaint) => {
            check.dropped = true;
            let message = format!("({name}) BFD_CHECK - {complaint}");
            diagnostics.push(super::complaint(node, message));
        }
        None => check.kind = Kind::Bfd { session: Some(read::text(&node.args[0])) },
    }
}

fn misc(config: &mut KeepalivedConfig) -> Option<&mut Misc> {
    match super::kind(config)? {
        Kind::Misc(misc) => Some(misc),
        _ => None,
    }
}

fn misc_path(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let command = read::command(node, false, diagnostics);
    if let (Some(command), Some(misc)) = (command, misc(config)) {
        misc.command = Some(command);
    }
}

fn misc_timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match (read::number(word, 0..=LONGEST_TIMEOUT), misc(config)) {
        (Ok(seconds), Some(misc)) => misc.timeout = Some(Duration::from_secs(seconds)),
        (Err(reason), _) => {
            let message = format!("Invalid misc_timeout value '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}

fn misc_dynamic(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    if let Some(misc) = misc(config) {
        misc.dynamic = true;
    }
}

/// Whether there is such a user is looked up later, with all the others.
fn misc_user(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(misc) = misc(config) else { return };
    match read::user(&node.args) {
        Some(user) => misc.users.push(user),
        None => {
            let argv = misc.command.iter().flat_map(|command| &command.argv);
            let words: Vec<_> = argv.map(|word| format!("'{word}'")).collect();
            let words = words.join(" ");
            let message = format!("No user specified for misc checker script {words}");
            diagnostics.push(complaint(node, message));
        }
    }
}

fn udp_payload(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if node.args.is_empty() {
        return diagnostics.push(complaint(node, "UDP_CHECK payload requires a payload"));
    }
    match (payload::bytes(&node.args), super::kind(config)) {
        (Some(bytes), Some(Kind::Udp { check, .. })) => check.payload = Some(bytes),
        (None, _) => {
            diagnostics.push(complaint(node, "Invalid hex string for UDP_CHECK payload"));
        }
        _ => {}
    }
}

fn udp_reply(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match (payload::pattern(&node.args), super::kind(config)) {
        (Some(bytes), Some(Kind::Udp { check, .. })) => {
            check.reply = Some(UdpReply { bytes, ..UdpReply::default() });
        }
        (None, _) => diagnostics.push(complaint(node, "Invalid hex string for UDP_CHECK reply")),
        _ => {}
    }
}

fn udp_length(
    config: &mut KeepalivedConfig,
    node: &Node,
    which: &str,
    diagnostics: &mut Diagnostics,
    store: fn(&mut Kind, u16),
) {
    let word = &node.args[0];
    match (read::number(word, 0..=65535), super::kind(config)) {
        (Ok(length), Some(kind)) => store(kind, length as u16),
        (Err(reason), _) => {
            let text = word.lossy();
            let message =
                format!("UDP_CHECK {which} length {text} not valid - must be between 0 & 65535");
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}

fn track_file(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let name = read::text(&node.args[0]);
    if !config.checkers.files.contains(&name.value) {
        let message = format!("track_file {} not found", name.value);
        let help = "its `track_file` block has to stand above the virtual server";
        return diagnostics.push(complaint(node, message).help(help));
    }
    if let Some(Kind::File { file, .. }) = super::kind(config) {
        *file = Some(name);
    }
}

fn file_weight(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(word) = node.args.first() else {
        return diagnostics.push(complaint(node, "track file weight missing"));
    };
    let value = match read::signed(word, -2_147_483_647..=2_147_483_647) {
        Ok(value) => value as i32,
        Err(reason) => {
            let message = "weight for track file must be in [-2147483647..2147483647] inclusive. \
                           Ignoring...";
            return diagnostics.push(wrong(word, message.to_owned(), reason));
        }
    };
    let turned = node.args.get(1);
    if let Some(word) = turned.filter(|word| !word.is("reverse") && !word.is("noreverse")) {
        let message = format!("unknown track file weight option {} - ignoring", word.lossy());
        return diagnostics.push(wrong(word, message, "only `reverse` may stand here".to_owned()));
    }
    if let Some(Kind::File { weight, reverse, .. }) = super::kind(config) {
        *weight = value;
        *reverse = turned.is_some_and(|word| word.is("reverse"));
    }
}
