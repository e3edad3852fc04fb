//! Where variables come from that nginx hasn't by itself.

use super::slot;
use super::{Arity, BOTH, Body, Directive, ONE, Repeat, Row, SERVER, STREAM, Support, TAKE12, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::plan::fact::Fact;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const NO_VARIABLES: &str = "variables aren't evaluated yet";
const NO_GEOIP: &str = "MaxMind's databases aren't read";

pub(super) static ROWS: &[Row] = &[
    Directive {
        body: Body::Lines,
        repeat: Repeat::Adds,
        support: Support::Refused(NO_VARIABLES),
        ..row("map", STREAM, Arity::TWO, "TEXT $NAME { … }", "From a table.", map)
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
        support: Support::Refused(NO_VARIABLES),
        ..row("geo", STREAM, TAKE12, "[$ADDRESS] $NAME { … }", "By network.", geo)
    },
    Directive {
        body: Body::Lines,
        repeat: Repeat::Adds,
        support: Support::Refused(NO_VARIABLES),
        ..row("split_clients", STREAM, Arity::TWO, "TEXT $NAME { … }", "By share.", split)
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
    if !variable(name, out) {
        return;
    }
    // nginx takes the whole word for the name, whatever is in it.
    let name = String::from_utf8_lossy(&name.text[1..]).to_ascii_lowercase();
    if Fact::named(&name).is_some() {
        let message = format!("the duplicate \"{name}\" variable");
        out.push(Diagnostic::error("nginx/duplicate", message).at(node.name.span));
    } else if let Some(server) = config.server() {
        server.sets.push((name, text.text.clone()));
    }
}

/// `$NAME`, or a complaint.
fn variable(word: &Word, out: &mut Diagnostics) -> bool {
    let named = word.text.starts_with(b"$") && word.text.len() > 1;
    if !named {
        let message = format!("invalid variable name \"{}\"", word.lossy());
        out.push(Diagnostic::error("nginx/invalid-variable", message).at(word.span));
    }
    named
}

fn map(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let Some(name) = node.args.last() else { return };
    if !variable(name, out) {
        return;
    }
    let mut keys: Vec<&Word> = Vec::new();
    for line in node.body.iter().flatten() {
        let alone = line.args.is_empty() && (line.name.is("hostnames") || line.name.is("volatile"));
        if alone {
            continue;
        }
        if line.args.len() != 1 {
            let message = "invalid number of the map parameters";
            out.push(Diagnostic::error("nginx/arity", message).at(line.name.span));
            return;
        }
        keys.push(&line.name);
    }
    keys.sort_by(|a, b| a.text.cmp(&b.text).then(a.span.start.cmp(&b.span.start)));
    if let Some(pair) = keys.windows(2).find(|pair| pair[0].text == pair[1].text) {
        let (first, second) = (pair[0], pair[1]);
        let message = if first.is("default") {
            "duplicate default map parameter".to_owned()
        } else {
            format!("conflicting parameter \"{}\"", second.lossy())
        };
        let diagnostic = Diagnostic::error("nginx/duplicate", message);
        out.push(diagnostic.at(second.span).label(first.span, "the first one"));
        return;
    }
    slot::lose(&node.name, NO_VARIABLES, out);
}

fn geo(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    if !node.args.iter().all(|word| variable(word, out)) {
        return;
    }
    let ranges = node.body.iter().flatten().any(|line| line.name.is("ranges"));
    for line in node.body.iter().flatten() {
        let key = match line.name.text.as_slice() {
            b"ranges" | b"proxy_recursive" | b"default" => continue,
            b"proxy" | b"delete" => slot::first(line),
            _ => &line.name,
        };
        let good = key.as_str().is_some_and(|text| {
            let mut parts = text.splitn(2, '-');
            match ranges {
                true => parts.all(|part| part.parse::<std::net::IpAddr>().is_ok()),
                false => crate::text::value::address_with_prefix(text).is_some(),
            }
        });
        if !good {
            let what = if ranges { "range" } else { "network" };
            let message = format!("invalid {what} \"{}\"", key.lossy());
            out.push(Diagnostic::error("nginx/bad-address", message).at(key.span));
            return;
        }
    }
    slot::lose(&node.name, NO_VARIABLES, out);
}

fn split(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let Some(name) = node.args.last() else { return };
    if !variable(name, out) {
        return;
    }
    let mut hundredths = 0;
    for line in node.body.iter().flatten().filter(|line| !line.name.is("*")) {
        let Some(share) = percent(&line.name) else {
            let message = format!("invalid percent value \"{}\"", line.name.lossy());
            out.push(Diagnostic::error("nginx/invalid-value", message).at(line.name.span));
            return;
        };
        hundredths += share;
        if hundredths > 10_000 {
            let message = "percent total is greater than 100%";
            out.push(Diagnostic::error("nginx/invalid-value", message).at(line.name.span));
            return;
        }
    }
    slot::lose(&node.name, NO_VARIABLES, out);
}

/// `12.5%` → 1250
fn percent(word: &Word) -> Option<u64> {
    let text = word.as_str()?.strip_suffix('%')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 2 {
        return None;
    }
    let fraction = crate::text::value::whole(&format!("{fraction:0<2}"))?;
    slot::count(whole)?.checked_mul(100)?.checked_add(fraction)
}
