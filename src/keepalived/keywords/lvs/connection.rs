//! Whither a check connects, and from where.

use std::net::IpAddr;

use super::super::super::config::KeepalivedConfig;
use super::super::read::{self, wrong};
use crate::text::{Diagnostics, Node};

/// An interface's name: 15 bytes and a zero.
const LONGEST_NAME: usize = 15;

pub(super) fn connect_ip(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(connection) = super::connection(config) else { return };
    let other = ("bindto", connection.source);
    if let Some(address) = address(node, "connect_ip", other, diagnostics) {
        connection.address = Some(address);
    }
}

pub(super) fn bindto(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(connection) = super::connection(config) else { return };
    let other = ("connect_ip", connection.address);
    if let Some(address) = address(node, "bindto", other, diagnostics) {
        connection.source = Some(address);
    }
}

/// An address of the same family as the other end's.
fn address(
    node: &Node,
    what: &str,
    (other, is): (&str, Option<IpAddr>),
    diagnostics: &mut Diagnostics,
) -> Option<IpAddr> {
    let word = &node.args[0];
    let text = word.lossy();
    let Some(address) = read::loose_address(word, diagnostics) else {
        let message = format!("Invalid {what} address {text} - ignoring");
        diagnostics.push(wrong(word, message, "not an address".to_owned()));
        return None;
    };
    if is.is_some_and(|is| is.is_ipv4() != address.is_ipv4()) {
        let message =
            format!("{what} address {text} does not match address family of {other} - skipping");
        diagnostics.push(wrong(word, message, "of the other family".to_owned()));
        return None;
    }
    Some(address)
}

pub(super) fn connect_port(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let port = port(node, "connect_port", diagnostics);
    if let Some(connection) = super::connection(config) {
        connection.port = port.or(connection.port);
    }
}

pub(super) fn bind_port(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let port = port(node, "bind_port", diagnostics);
    if let Some(connection) = super::connection(config) {
        connection.source_port = port.or(connection.source_port);
    }
}

fn port(node: &Node, what: &str, diagnostics: &mut Diagnostics) -> Option<u16> {
    let word = &node.args[0];
    match read::number(word, 1..=65535) {
        Ok(port) => Some(port as u16),
        Err(reason) => {
            let message = format!("Invalid checker {what} '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

pub(super) fn bind_if(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    let name = word.lossy();
    if word.text.len() > LONGEST_NAME {
        let message = format!("Interface name {name} is too long - ignoring");
        return diagnostics.push(wrong(word, message, format!("at most {LONGEST_NAME} bytes")));
    }
    if let Some(connection) = super::connection(config) {
        connection.interface = Some(name.into_owned());
    }
}

pub(super) fn fwmark(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match (read::number(word, 0..=u64::from(u32::MAX)), super::connection(config)) {
        (Ok(mark), Some(connection)) => connection.mark = mark as u32,
        (Err(reason), _) => {
            let message = format!("Invalid fwmark connection value '{}'", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
        _ => {}
    }
}
