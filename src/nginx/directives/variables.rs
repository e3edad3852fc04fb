//! Where variables come from that nginx hasn't by itself.

use super::slot;
use super::{Arity, BOTH, Body, Directive, ONE, Repeat, Row, SERVER, STREAM, Support, TAKE12, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::nginx::variable::is_built_in;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const NO_GEOIP: &str =
    "MaxMind gave up these .dat files in 2022, and no well-kept library reads them: `geo` does";

pub(super) static ROWS: &[Row] = &[
    Directive {
        body: Body::Lines,
        repeat: Repeat::Adds,
        ..row("map", STREAM, Arity::TWO, "TEXT $NAME { … }", "From a table.", super::map::set)
    },
    Directive {
        support: Support::Ignored("tables grow by themselves"),
        default: Some("2048"),
        ..row("map_hash_max_size", STREAM, ONE, "NUMBER", "Table of map.", |_, n, out| {
            slot::number(&mut None, n, out)
        })
    },
    Directive {
        support: Support::Ignored("tables grow by themselves"),
        default: Some("32|64|128"),
        ..row("map_hash_bucket_size", STREAM, ONE, "NUMBER", "The same.", |_, n, out| {
            slot::number(&mut None, n, out)
        })
    },
    Directive {
        body: Body::Lines,
        repeat: Repeat::Adds,
        ..row("geo", STREAM, TAKE12, "[$ADDRESS] $NAME { … }", "By network.", super::geo::set)
    },
    Directive {
        body: Body::Lines,
        repeat: Repeat::Adds,
        ..row(
            "split_clients",
            STREAM,
            Arity::TWO,
            "TEXT $NAME { … }",
            "By share.",
            super::split::set,
        )
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("set", SERVER, Arity::TWO, "$NAME TEXT", "Sets a variable.", set)
    },
    Directive {
        support: Support::Refused(NO_GEOIP),
        ..row("geoip_country", STREAM, TAKE12, "FILE [utf8]", "Countries.", geoip)
    },
    Directive {
        support: Support::Refused(NO_GEOIP),
        ..row("geoip_org", STREAM, TAKE12, "FILE [utf8]", "Organisations.", geoip)
    },
    Directive {
        support: Support::Refused(NO_GEOIP),
        ..row("geoip_city", STREAM, TAKE12, "FILE [utf8]", "Cities.", geoip)
    },
    Directive {
        default: Some("off"),
        ..row("ssl_preread", BOTH, Flag, "on|off", "Reads the TLS greeting.", |c, n, out| {
            slot::flag(&mut c.settings().preread.enabled, n, out)
        })
    },
];

fn geoip(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::lose(&node.name, NO_GEOIP, out)
}

fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let [name, text] = &node.args[..] else { return };
    if let (Some(name), Some(server)) = (defined_name(name, out), config.server()) {
        server.sets.push((name, text.text.clone()));
    }
}

/// The name in `$NAME`, in lower case, or a complaint. nginx takes the whole word for the name,
/// whatever is in it.
pub(super) fn name_of(word: &Word, out: &mut Diagnostics) -> Option<String> {
    match word.text.strip_prefix(b"$") {
        Some(name) if !name.is_empty() => Some(String::from_utf8_lossy(name).to_ascii_lowercase()),
        _ => {
            let message = format!("invalid variable name \"{}\"", word.lossy());
            out.push(Diagnostic::error("nginx/invalid-variable", message).at(word.span));
            None
        }
    }
}

/// The same of a variable that a config may define.
pub(super) fn defined_name(word: &Word, out: &mut Diagnostics) -> Option<String> {
    let name = name_of(word, out)?;
    if taken(&name) {
        let message = format!("the duplicate \"{name}\" variable");
        out.push(Diagnostic::error("nginx/duplicate", message).at(word.span));
        return None;
    }
    Some(name)
}

/// Is it one of nginx's own? (Those of geoip are free where its module isn't loaded.)
pub(super) fn taken(name: &str) -> bool {
    is_built_in(name) && !name.starts_with("geoip_") && !name.starts_with("proxy_protocol_tlv_")
}

/// The lines of a table, up to a block, which may not be there: nginx stops at it.
pub(super) fn lines(node: &Node) -> impl Iterator<Item = &Node> {
    node.body.iter().flatten().take_while(|line| line.body.is_none())
}
