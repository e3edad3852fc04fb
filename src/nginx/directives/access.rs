//! Who may connect, and how often.

use bstr::ByteSlice;

use super::slot;
use super::{Arity, BOTH, Directive, ONE, Repeat, Row, STREAM, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::nginx::config::{Limit, LimitZone, Question};
use crate::plan::process::LogLevel;
use crate::plan::stream::{Network, Rule};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

/// nginx's, of a page of shared memory; a zone has eight at least.
const SMALLEST_ZONE: usize = 8 * 4096;
/// Most connections that `limit_conn` can allow.
const MOST_CONNECTIONS: u64 = 65535;

pub(super) static ROWS: &[Row] = &[
    Directive {
        repeat: Repeat::Adds,
        ..row("allow", BOTH, ONE, "ADDRESS|CIDR|unix:|all", "Lets clients in.", access)
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("deny", BOTH, ONE, "ADDRESS|CIDR|unix:|all", "Keeps clients out.", access)
    },
    Directive {
        repeat: Repeat::Adds,
        ..row(
            "set_real_ip_from",
            BOTH,
            ONE,
            "ADDRESS|CIDR|NAME|unix:",
            "Whose PROXY headers are believed.",
            trust,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("limit_conn_zone", STREAM, Arity::TWO, "KEY zone=NAME:SIZE", "Counts.", zone)
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("limit_conn", BOTH, Arity::TWO, "ZONE NUMBER", "Most per key.", limit)
    },
    Directive {
        default: Some("error"),
        ..row(
            "limit_conn_log_level",
            BOTH,
            ONE,
            "info|notice|warn|error",
            "How loud it is.",
            |c, n, out| {
                let levels = [
                    ("info", LogLevel::Info),
                    ("notice", LogLevel::Notice),
                    ("warn", LogLevel::Warn),
                    ("error", LogLevel::Error),
                ];
                let word = slot::first(n);
                slot::one_of(&levels.map(|(name, _)| name), word, out);
                let level =
                    levels.iter().find(|(name, _)| word.text.eq_ignore_ascii_case(name.as_bytes()));
                c.settings().doors.limit_level = level.map(|(_, level)| *level);
            },
        )
    },
    Directive {
        default: Some("off"),
        ..row("limit_conn_dry_run", BOTH, Flag, "on|off", "Count only.", |c, n, out| {
            slot::flag(&mut c.settings().doors.limit_dry_run, n, out)
        })
    },
];

fn access(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let network = match word.text.as_slice() {
        b"all" => Some(Network::All),
        b"unix:" => Some(Network::Unix),
        _ => network(word, out),
    };
    match network {
        Some(network) => {
            config.settings().doors.rules.push(Rule { allow: node.name.is("allow"), network })
        }
        None => slot::invalid_parameter(word, out),
    }
}

fn trust(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let network = match word.text.as_slice() {
        b"unix:" => Some(Network::Unix),
        _ => network(word, out),
    };
    match network {
        Some(network) => config.settings().doors.trusted.push(network),
        None => {
            let name = word.lossy().into_owned();
            config.questions.push(Question::Trusted { name, span: word.span });
        }
    }
}

/// An address, or a network of which nginx says so when its low bits aren't zero.
fn network(word: &Word, out: &mut Diagnostics) -> Option<Network> {
    let (address, prefix) = word.as_str().and_then(crate::text::value::address_with_prefix)?;
    let (bits, width) = match address {
        std::net::IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        std::net::IpAddr::V6(address) => (u128::from(address), 128),
    };
    let prefix = prefix.unwrap_or(width);
    let low_bits = u32::from(width - prefix);
    if low_bits > 0 && bits.trailing_zeros() < low_bits.min(128) {
        let message = format!("low address bits of {} are meaningless", word.lossy());
        out.push(Diagnostic::warning("nginx/low-bits", message).at(word.span));
    }
    Some(Network::Ip { address, prefix })
}

fn zone(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let [key, word] = &node.args[..] else { return };
    let error = |message: String| Diagnostic::error("nginx/bad-zone", message).at(word.span);
    let Some(definition) = word.text.strip_prefix(b"zone=") else {
        return slot::invalid_parameter(word, out);
    };
    let Some((name, size)) = definition.split_once_str(":") else {
        return out.push(error(format!("invalid zone size \"{}\"", word.lossy())));
    };
    let Some(size) = std::str::from_utf8(size).ok().and_then(slot::bytes) else {
        return out.push(error(format!("invalid zone size \"{}\"", word.lossy())));
    };
    if size < SMALLEST_ZONE {
        return out.push(error(format!("zone \"{}\" is too small", word.lossy())));
    }
    if name.is_empty() {
        return out.push(error("\"limit_conn_zone\" must have \"zone\" parameter".to_owned()));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    let size = size as u64;
    let known = config.stream().limit_zones.iter().find(|zone| zone.name == name);
    if let Some(LimitZone { key, size: declared, .. }) = known {
        let message = if *declared == size {
            format!("limit_conn_zone \"{name}\" is already bound to key \"{key}\"")
        } else {
            format!(
                "the size {size} of shared memory zone \"{name}\" conflicts with already declared \
                 size {declared}"
            )
        };
        return out.push(error(message));
    }
    config.stream().limit_zones.push(LimitZone { name, size, key: key.text.clone() });
}

fn limit(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let [zone, number] = &node.args[..] else { return };
    let name = zone.lossy().into_owned();
    let limits = &mut config.settings().doors.limits;
    if limits.iter().any(|known| known.zone == name) {
        let message = "\"limit_conn\" directive is duplicate";
        return out.push(Diagnostic::error("nginx/duplicate", message).at(zone.span));
    }
    let invalid = |message: String| Diagnostic::error("nginx/invalid-value", message);
    match number.as_str().and_then(slot::count) {
        None | Some(0) => {
            let message = format!("invalid number of connections \"{}\"", number.lossy());
            out.push(invalid(message).at(number.span));
        }
        Some(most) if most > MOST_CONNECTIONS => {
            let message = format!("connection limit must be less {}", MOST_CONNECTIONS + 1);
            out.push(invalid(message).at(number.span));
        }
        Some(most) => limits.push(Limit { zone: name, most: most as u32, span: zone.span }),
    }
}
