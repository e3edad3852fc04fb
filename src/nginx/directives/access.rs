//! Who may connect, and how often.

use super::slot;
use super::{Arity, BOTH, Directive, ONE, Repeat, Row, STREAM, Support, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const NO_ACCESS: &str = "clients aren't told apart by address yet";
const NO_LIMITS: &str = "connections aren't counted per key yet";

pub(super) static ROWS: &[Row] = &[
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(NO_ACCESS),
        ..row("allow", BOTH, ONE, "ADDRESS|CIDR|unix:|all", "Lets clients in.", access)
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(NO_ACCESS),
        ..row("deny", BOTH, ONE, "ADDRESS|CIDR|unix:|all", "Keeps clients out.", access)
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused("without the PROXY protocol there is only one client address"),
        ..row(
            "set_real_ip_from",
            BOTH,
            ONE,
            "ADDRESS|CIDR|unix:",
            "Whose PROXY headers are believed.",
            |_, n, out| {
                slot::lose(&n.name, "without the PROXY protocol there is one address only", out)
            },
        )
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(NO_LIMITS),
        ..row("limit_conn_zone", STREAM, Arity::TWO, "KEY zone=NAME:SIZE", "Counts.", |_, n, o| {
            slot::lose(&n.name, NO_LIMITS, o)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: Support::Refused(NO_LIMITS),
        ..row("limit_conn", BOTH, Arity::TWO, "NAME NUMBER", "Most per key.", |_, n, out| {
            slot::refuse(&n.name, NO_LIMITS, out)
        })
    },
    Directive {
        default: Some("error"),
        support: Support::Ignored("limit_conn is refused"),
        ..row(
            "limit_conn_log_level",
            BOTH,
            ONE,
            "info|notice|warn|error",
            "How loud it is.",
            |_, n, out| slot::one_of(&["info", "notice", "warn", "error"], slot::first(n), out),
        )
    },
    Directive {
        default: Some("off"),
        support: Support::Ignored("limit_conn is refused"),
        ..row("limit_conn_dry_run", BOTH, Flag, "on|off", "Count only.", |_, n, out| {
            slot::flag(&mut None, n, out)
        })
    },
];

fn access(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let known = word.is("all") || word.is("unix:") || network(word, out);
    if !known {
        return slot::invalid_parameter(word, out);
    }
    slot::refuse(&node.name, NO_ACCESS, out);
}

/// An address, or a network of which nginx says so when its low bits aren't zero.
fn network(word: &Word, out: &mut Diagnostics) -> bool {
    let Some((address, prefix)) = word.as_str().and_then(crate::text::value::address_with_prefix)
    else {
        return false;
    };
    let (bits, width) = match address {
        std::net::IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        std::net::IpAddr::V6(address) => (u128::from(address), 128),
    };
    let low_bits = width - u32::from(prefix.unwrap_or(width as u8));
    if low_bits > 0 && bits.trailing_zeros() < low_bits.min(128) {
        let message = format!("low address bits of {} are meaningless", word.lossy());
        out.push(Diagnostic::warning("nginx/low-bits", message).at(word.span));
    }
    true
}
