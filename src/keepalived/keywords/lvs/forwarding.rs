//! `lvs_method`: how packets get to a real server.

use super::super::read;
use crate::plan::checker::{Checksum, Forwarding, Tunnel, TunnelKind};
use crate::text::{Diagnostic, Diagnostics, Node};

/// `NAT`, `DR` or `TUN [type {ipip|gue port PORT|gre}] [nocsum|csum|remcsum]`; `whom` it is for.
pub(super) fn read(node: &Node, whom: &str, diagnostics: &mut Diagnostics) -> Option<Forwarding> {
    match forwarding(node, whom) {
        Ok(forwarding) => Some(forwarding),
        Err(message) => {
            let diagnostic = Diagnostic::error("keepalived/value", message);
            let help = "NAT, DR or TUN [type ipip|gue port PORT|gre] [nocsum|csum|remcsum]";
            diagnostics.push(diagnostic.at(read::args_span(node)).help(help));
            None
        }
    }
}

fn forwarding(node: &Node, whom: &str) -> Result<Forwarding, String> {
    let mut words = node.args.iter();
    let method = words.next().ok_or_else(String::new)?;
    let forwarding = match method.text.as_slice() {
        b"NAT" => Forwarding::Nat,
        b"DR" => Forwarding::Direct,
        b"TUN" => return tunnel(words, whom).map(Forwarding::Tunnel),
        _ => {
            let text = method.lossy();
            return Err(format!("PARSER : unknown [{text}] routing method for {whom}."));
        }
    };
    match words.next() {
        None => Ok(forwarding),
        Some(word) => Err(format!("Invalid tunnel option {} for {whom}.", word.lossy())),
    }
}

fn tunnel<'a>(
    mut words: impl Iterator<Item = &'a crate::text::Word>,
    whom: &str,
) -> Result<Tunnel, String> {
    let (mut kind, mut port) = ("ipip".to_owned(), None);
    let mut checksum = Checksum::None;
    while let Some(word) = words.next() {
        match word.text.as_slice() {
            b"type" => {
                let name = words.next().ok_or(format!("Missing tunnel type for {whom}."))?.lossy();
                if !["ipip", "gue", "gre"].contains(&name.as_ref()) {
                    return Err(format!("Unknown tunnel type {name} for {whom}."));
                }
                kind = name.into_owned();
            }
            b"port" => {
                let missing = || format!("Missing port for {whom} {kind} tunnel.");
                let word = words.next().ok_or_else(missing)?;
                let number = read::number(word, 1..=65535).map_err(|reason| {
                    let text = word.lossy();
                    format!("Invalid gue tunnel port {text} for {whom}. ({reason})")
                })?;
                port = Some(number as u16);
            }
            b"nocsum" => checksum = Checksum::None,
            b"csum" => checksum = Checksum::Full,
            b"remcsum" => checksum = Checksum::Remote,
            _ => return Err(format!("Invalid tunnel option {} for {whom}.", word.lossy())),
        }
    }
    let kind = match (kind.as_str(), port, checksum) {
        ("gue", Some(port), _) => TunnelKind::Gue { port },
        ("gue", None, _) | (_, Some(_), _) => {
            return Err("gue tunnels require port, otherwise cannot have port.".to_owned());
        }
        ("ipip", _, Checksum::None) => TunnelKind::Ipip,
        ("ipip", ..) => return Err("ipip tunnels do not support checksum option.".to_owned()),
        (_, _, Checksum::Remote) => {
            return Err("gre tunnels do not support remote checksum option.".to_owned());
        }
        _ => TunnelKind::Gre,
    };
    Ok(Tunnel { kind, checksum })
}
