//! What `virtual_server` and `real_server` are about.

use std::net::{IpAddr, Ipv4Addr};

use super::super::super::config::checker::Target;
use super::super::read::{self, wrong};
use crate::text::{Diagnostics, Word};

/// What follows `virtual_server`.
pub(super) fn target(words: &[Word], diagnostics: &mut Diagnostics) -> Option<Target> {
    let first = words.get(1)?;
    let text = first.lossy();
    match (first.text.as_slice(), words.get(2)) {
        (b"group" | b"fwmark", None) => {
            // keepalived dies of this.
            let message = format!("virtual_server {text} without a value - ignoring");
            diagnostics.push(wrong(first, message, "its name or number is missing".to_owned()));
            None
        }
        (b"group", Some(name)) => Some(Target::Group(name.lossy().into_owned())),
        (b"fwmark", Some(word)) => match read::number(word, 0..=u64::from(u32::MAX)) {
            Ok(mark) => Some(Target::Mark(mark as u32)),
            Err(reason) => {
                let message = format!(
                    "virtual server fwmark '{}' must be in [0, 4294967295] - ignoring",
                    word.lossy()
                );
                diagnostics.push(wrong(word, message, reason));
                None
            }
        },
        _ => {
            let (address, port) = endpoint(words, "virtual server IP", diagnostics)?;
            Some(Target::Address { address, port })
        }
    }
}

/// What follows `real_server`.
pub(super) fn server_address(
    words: &[Word],
    diagnostics: &mut Diagnostics,
) -> Option<(IpAddr, u16)> {
    endpoint(words, "real server ip", diagnostics)
}

/// `ADDRESS [PORT]` behind a block's keyword.
fn endpoint(words: &[Word], what: &str, diagnostics: &mut Diagnostics) -> Option<(IpAddr, u16)> {
    let first = words.get(1)?;
    let (text, port) = (first.lossy(), words.get(2));
    let address = read::loose_address(first, diagnostics);
    let number = port.map(read::port);
    if let (Some(address), None | Some(Ok(_))) = (address, &number) {
        return Some((address, number.and_then(Result::ok).unwrap_or(0)));
    }
    let message = match port {
        Some(port) => format!("Invalid {what} address/port {text}/{} - skipping", port.lossy()),
        None => format!("Invalid {what} address {text} - skipping"),
    };
    let (word, reason) = match (number, port) {
        (Some(Err(reason)), Some(port)) if address.is_some() => (port, reason),
        _ => (first, "not an address".to_owned()),
    };
    let mut diagnostic = wrong(word, message, reason);
    if text.rsplit_once(':').is_some_and(|(host, _)| host.parse::<Ipv4Addr>().is_ok()) {
        diagnostic = diagnostic.help("the port is a word of its own: `10.0.0.1 80`");
    }
    diagnostics.push(diagnostic);
    None
}
