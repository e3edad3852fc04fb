//! SNMP and D-Bus: what others offer on behalf of the daemon.

use super::super::Row;
use super::super::read;
use super::GLOBAL;
use crate::keepalived::config::KeepalivedConfig;
use crate::text::{Diagnostic, Diagnostics, Node};

const READ_ONLY: &str = "instances, groups, addresses, routes, rules and all that is tracked can be \
                         read, and traps are sent; setting vrrpInstanceBasePriority or \
                         vrrpInstancePreempt is refused (change the config and reload), and there \
                         is nothing of BFD";
const NO_CHECKERS: &str = "virtual and real servers aren't run, so there are none to show";
const MASTERS: &str = "unix: and tcp: are spoken, which RFC 2741 has; udp: isn't, over which \
                       net-snmp's master agent answers nobody either";
const NO_INTERFACE: &str =
    "every instance here has an interface, and with it a name in D-Bus paths";

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(GLOBAL, "snmp_socket", "SOCKET", "SNMP master agent")
        .bare()
        .default("unix:/var/agentx/master")
        .partial(MASTERS, snmp_socket),
    Row::of(GLOBAL, "enable_snmp_vrrp", "", "SNMP for instances").partial(READ_ONLY, snmp_vrrp),
    Row::of(GLOBAL, "enable_snmp_keepalived", "", "Old name of enable_snmp_vrrp")
        .partial(READ_ONLY, snmp_vrrp),
    Row::of(GLOBAL, "enable_snmp_checker", "", "SNMP for checkers")
        .ignored(NO_CHECKERS)
        .set(snmp_checker),
    Row::of(GLOBAL, "enable_snmp_rfc", "", "The RFCs' VRRP MIBs").full(snmp_rfc),
    Row::of(GLOBAL, "enable_snmp_rfcv2", "", "RFC 2787's MIB").full(snmp_rfc2),
    Row::of(GLOBAL, "enable_snmp_rfcv3", "", "RFC 6527's MIB").full(snmp_rfc3),
    Row::of(GLOBAL, "enable_traps", "", "SNMP traps").full(traps),
    Row::of(GLOBAL, "snmp_vs_stats_update_interval", "SECONDS", "Age of SNMP's figures")
        .newer()
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "snmp_rs_stats_update_interval", "SECONDS", "Age of SNMP's figures")
        .newer()
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "enable_dbus", "", "D-Bus interface").full(enable_dbus),
    Row::of(GLOBAL, "dbus_service_name", "NAME", "Its name on the system bus")
        .bare()
        .default("org.keepalived.Vrrp1")
        .full(dbus_service_name),
    Row::of(GLOBAL, "dbus_no_interface_name", "[NAME]", "Stands for an interface in D-Bus paths")
        .newer()
        .ignored(NO_INTERFACE),
];

fn complain(node: &Node, message: String, diagnostics: &mut Diagnostics) {
    let diagnostic = Diagnostic::error("keepalived/value", message);
    diagnostics.push(diagnostic.at(read::line_span(node)));
}

/// The first one counts.
fn snmp_socket(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let socket = &mut config.globals.snmp_socket;
    match (node.args.first(), socket.as_ref()) {
        (Some(_), _) if node.args.len() > 1 => {
            let message = "Too many parameters specified for snmp_socket - ignoring".to_owned();
            complain(node, message, diagnostics);
        }
        (None, _) => {
            complain(node, "SNMP error : snmp socket name missing".to_owned(), diagnostics);
        }
        (Some(_), Some(before)) => {
            let message = format!("SNMP socket already set to {} - ignoring", before.value);
            complain(node, message, diagnostics);
        }
        (Some(word), None) => *socket = Some(read::text(word)),
    }
}

/// The setters of what is a matter of being there.
macro_rules! switches {
    ($($name:ident: $($field:ident)*;)*) => {
        $(fn $name(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
            $(config.globals.telling.$field = true;)*
        })*
    };
}

switches! {
    snmp_vrrp: snmp_vrrp;
    snmp_checker: snmp_checker;
    snmp_rfc: snmp_rfc2 snmp_rfc3;
    snmp_rfc2: snmp_rfc2;
    snmp_rfc3: snmp_rfc3;
    traps: traps;
}

fn enable_dbus(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.telling.dbus = true;
}

fn dbus_service_name(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match node.args.first() {
        Some(word) => config.globals.telling.dbus_name = Some(read::text(word)),
        None => complain(node, "dbus_service_name missing - ignoring".to_owned(), diagnostics),
    }
}
