//! `sorry_server`: where clients go while the quorum is lost.

use super::super::super::config::KeepalivedConfig;
use super::super::super::config::checker::Sorry;
use super::super::Row;
use super::super::read::{self, wrong};
use super::{NOT_RUN, VS, complaint, forwarding};
use crate::text::{Diagnostics, Node};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(VS, "sorry_server", "ADDRESS [PORT]", "Server for when the quorum is lost")
        .partial(NOT_RUN, sorry_server),
    Row::of(VS, "sorry_server_inhibit", "", "inhibit_on_failure for the sorry server")
        .partial(NOT_RUN, sorry_inhibit),
    Row::of(
        VS,
        "sorry_server_lvs_method",
        "NAT|DR|TUN [OPTION...]",
        "lvs_method of the sorry server",
    )
    .bare()
    .partial(NOT_RUN, sorry_method),
];

fn sorry_server(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let address = read::loose_address(word, diagnostics);
    let port = node.args.get(1).map_or(Ok(0), read::port);
    let Some(service) = super::service(config) else { return };
    match (address, port) {
        (Some(address), Ok(port)) => {
            service.sorry = Some(Sorry { address, port, forwarding: None, inhibit: false });
        }
        (_, port) => {
            let message = format!("Invalid sorry server IP address {} - skipping", word.lossy());
            let reason = port.err().unwrap_or_else(|| "not an address".to_owned());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn sorry_inhibit(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(service) = super::service(config) else { return };
    match &mut service.sorry {
        Some(sorry) => sorry.inhibit = true,
        None => {
            let message = "Ignoring sorry_server inhibit used before or without sorry_server";
            diagnostics.push(complaint(node, message));
        }
    }
}

fn sorry_method(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(service) = super::service(config) else { return };
    match &mut service.sorry {
        Some(_) if node.args.is_empty() => {
            diagnostics.push(super::super::missing_parameter(&node.name, &node.name, 2));
        }
        Some(sorry) => {
            let forwarding = forwarding::read(node, "sorry server", diagnostics);
            sorry.forwarding = forwarding.or(sorry.forwarding);
        }
        None => {
            let message = "sorry_server forwarding used without sorry_server";
            diagnostics.push(complaint(node, message));
        }
    }
}
