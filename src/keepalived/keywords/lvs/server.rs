//! Real servers, and what a virtual server says for all of its own (keepalived.conf(5), "Real
//! server(s)").

use super::super::super::config::checker::{Common, Level, Server};
use super::super::super::config::{Command, KeepalivedConfig};
use super::super::Row;
use super::super::read::{self, wrong};
use super::service::script;
use super::target::server_address;
use super::{NOT_RUN, RS, SERVERS, VS, complaint, end, forwarding};
use crate::plan::checker::{Family, Forwarding};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(VS, "real_server", "ADDRESS [PORT]", "A server behind the virtual service")
        .block("virtual_server real_server")
        .partial(NOT_RUN, real_server),
    Row::of(SERVERS, "lvs_method", "NAT|DR|TUN [OPTION...]", "How packets get to the real server")
        .default("NAT")
        .partial(NOT_RUN, method),
    Row::of(VS, "lb_kind", "NAT|DR|TUN [OPTION...]", "Old name of lvs_method")
        .partial(NOT_RUN, method),
    Row::of(RS, "notify_up", "COMMAND [USER [GROUP]]", "Run when the server comes up")
        .partial(NOT_RUN, |c, n, d| server_script(c, n, d, |it| &mut it.notify_up)),
    Row::of(RS, "notify_down", "COMMAND [USER [GROUP]]", "Run when the server goes down")
        .partial(NOT_RUN, |c, n, d| server_script(c, n, d, |it| &mut it.notify_down)),
    Row::of(RS, "uthreshold", "COUNT", "Most connections")
        .partial(NOT_RUN, |c, n, d| threshold(c, n, d, |it| &mut it.most_connections)),
    Row::of(RS, "lthreshold", "COUNT", "Connections below which it is used again")
        .partial(NOT_RUN, |c, n, d| threshold(c, n, d, |it| &mut it.least_connections)),
    Row::of(SERVERS, "inhibit_on_failure", "[BOOL]", "Weight 0 instead of removal on failure")
        .partial(NOT_RUN, inhibit),
    Row::of(SERVERS, "smtp_alert", "[BOOL]", "Mail on a change of state")
        .partial(NOT_RUN, smtp_alert),
    Row::of(SERVERS, "snmp_name", "NAME", "Name for SNMP").bare().partial(NOT_RUN, snmp_name),
    Row::of(SERVERS, "virtualhost", "NAME", "Host header of HTTP checks")
        .bare()
        .partial(NOT_RUN, virtual_host),
    Row::of(SERVERS, "weight", "0..2147483647", "Weight").default("1").partial(NOT_RUN, weight),
];

fn real_server(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    let words: Vec<Word> = std::iter::once(&node.name).chain(&node.args).cloned().collect();
    let Some((address, port)) = server_address(&words, &mut Diagnostics::default()) else { return };
    let span = node.name.span.to(read::args_span(node));
    if let Some(service) = super::service(config) {
        service.servers.push(Server::new(address, port, span));
        config.checkers.level = Level::Server;
    }
}

/// A real server is of its service's family, unless packets are tunnelled to it.
pub(super) fn server_closed(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    config.checkers.level = Level::Service;
    let Some(service) = super::service(config) else { return };
    let Some(server) = service.servers.last() else { return };
    let forwarding = server.common.forwarding.or(service.common.forwarding).unwrap_or_default();
    if matches!(forwarding, Forwarding::Tunnel(_)) {
        return;
    }
    let (address, family) = (server.address, Family::of(server.address));
    if *service.family.get_or_insert(family) != family {
        let message = format!(
            "Address family of virtual server and real server {address} don't match - skipping \
             real server."
        );
        let diagnostic = Diagnostic::error("keepalived/checker", message).at(end(node));
        diagnostics.push(diagnostic.label(server.span, "this one"));
        service.servers.pop();
    }
}

fn method(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let whom = whose(config);
    if let (Some(forwarding), Some(common)) =
        (forwarding::read(node, whom, diagnostics), common(config))
    {
        common.forwarding = Some(forwarding);
    }
}

/// What the virtual or real server that is being read says.
fn common(config: &mut KeepalivedConfig) -> Option<&mut Common> {
    let level = config.checkers.level;
    let service = super::service(config)?;
    match level {
        Level::Service => Some(&mut service.common),
        _ => service.servers.last_mut().map(|server| &mut server.common),
    }
}

fn server_script(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    field: fn(&mut Server) -> &mut Option<Command>,
) {
    let command = read::command(node, true, diagnostics);
    if let Some(server) = super::server(config) {
        script(field(server), command, node, diagnostics);
    }
}

fn threshold(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
    field: fn(&mut Server) -> &mut u32,
) {
    let word = &node.args[0];
    match (read::number(word, 0..=u64::from(u32::MAX)), super::server(config)) {
        (Ok(count), Some(server)) => *field(server) = count as u32,
        (Err(reason), _) => {
            let (keyword, text) = (node.name.lossy(), word.lossy());
            let message = format!("Invalid real_server {keyword} '{text}' - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}

/// Of a virtual server it is a mere keyword.
fn inhibit(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let value = match config.checkers.level {
        Level::Service => Some(true),
        _ => read::boolean(node.args.first()),
    };
    match (value, common(config)) {
        (Some(on), Some(common)) => common.inhibit = Some(on),
        (None, _) => {
            let word = &node.args[0];
            let message = format!("Invalid inhibit_on_failure parameter {}", word.lossy());
            diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        }
        _ => {}
    }
}

fn smtp_alert(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let level = config.checkers.level;
    match (read::boolean(node.args.first()), common(config)) {
        (Some(on), Some(common)) => common.smtp_alert = Some(on),
        (None, _) => {
            let word = &node.args[0];
            let whose = if level == Level::Service { "virtual_server" } else { "real_server" };
            let message = format!("Invalid {whose} smtp_alert parameter {}", word.lossy());
            diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        }
        _ => {}
    }
}

/// `virtual server` or `real server`, as messages have it.
fn whose(config: &KeepalivedConfig) -> &'static str {
    match config.checkers.level {
        Level::Service => "virtual server",
        _ => "real server",
    }
}

fn snmp_name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let whose = whose(config);
    match (&node.args[..], common(config)) {
        ([name], Some(common)) => common.snmp_name = Some(name.lossy().into_owned()),
        _ => {
            let message = format!("{whose} snmp_name missing or extra parameters");
            diagnostics.push(complaint(node, message));
        }
    }
}

fn virtual_host(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let whose = whose(config);
    match (node.args.first(), common(config)) {
        (Some(name), Some(common)) => common.virtual_host = Some(name.lossy().into_owned()),
        _ => diagnostics.push(complaint(node, format!("{whose} virtualhost missing"))),
    }
}

fn weight(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let (least, whose) = match config.checkers.level {
        Level::Service => (1, "Virtual"),
        _ => (0, "Real"),
    };
    match (read::number(word, least..=2_147_483_647), common(config)) {
        (Ok(weight), Some(common)) => common.weight = Some(weight as u32),
        (Err(reason), _) => {
            let text = word.lossy();
            let message =
                format!("{whose} server weight {text} is outside range {least}-2147483647");
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}
