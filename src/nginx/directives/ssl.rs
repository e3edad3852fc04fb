//! TLS on both sides: not there yet. What only prepares it is accepted without effect and with a
//! warning; `listen … ssl` and `proxy_ssl on`, which would change what is sent, are refused.

use super::slot;
use super::{Arity, BOTH, Directive, ONE, Repeat, Row, SOME, Support, TAKE12, TAKE123, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::text::{Diagnostic, Diagnostics, Node};

const NO_TLS: Support = Support::Refused("TLS is neither ended nor begun here yet");
const VERSIONS: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

pub(super) static ROWS: &[Row] = &[
    Directive {
        default: Some("off"),
        support: NO_TLS,
        ..row("proxy_ssl", BOTH, Flag, "on|off", "TLS towards peers.", proxy_ssl)
    },
    Directive {
        default: Some("on"),
        support: NO_TLS,
        ..row("proxy_ssl_session_reuse", BOTH, Flag, "on|off", "Resume TLS sessions.", flag)
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("TLSv1.2 TLSv1.3"),
        support: NO_TLS,
        ..row("proxy_ssl_protocols", BOTH, SOME, "PROTOCOL…", "TLS versions.", protocols)
    },
    Directive {
        default: Some("DEFAULT"),
        support: NO_TLS,
        ..row("proxy_ssl_ciphers", BOTH, ONE, "CIPHERS", "Ciphers offered.", value)
    },
    Directive {
        default: Some("the host of proxy_pass"),
        support: NO_TLS,
        ..row("proxy_ssl_name", BOTH, ONE, "NAME", "The name expected in a certificate.", value)
    },
    Directive {
        default: Some("off"),
        support: NO_TLS,
        ..row("proxy_ssl_server_name", BOTH, Flag, "on|off", "Send that name.", flag)
    },
    Directive {
        since: Some("1.31"),
        support: NO_TLS,
        ..row("proxy_ssl_alpn", BOTH, SOME, "PROTOCOL…", "Protocols offered.", value)
    },
    Directive {
        default: Some("off"),
        support: NO_TLS,
        ..row("proxy_ssl_verify", BOTH, Flag, "on|off", "Check certificates.", flag)
    },
    Directive {
        default: Some("1"),
        support: NO_TLS,
        ..row("proxy_ssl_verify_depth", BOTH, ONE, "NUMBER", "Longest chain.", number)
    },
    Directive {
        support: NO_TLS,
        ..row("proxy_ssl_trusted_certificate", BOTH, ONE, "FILE", "Who may sign.", value)
    },
    Directive {
        support: NO_TLS,
        ..row("proxy_ssl_crl", BOTH, ONE, "FILE", "Revoked certificates.", value)
    },
    Directive {
        support: NO_TLS,
        ..row("proxy_ssl_certificate", BOTH, ONE, "FILE", "Our certificate.", value)
    },
    Directive {
        support: NO_TLS,
        ..row("proxy_ssl_certificate_key", BOTH, ONE, "FILE", "Its key.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.4"),
        support: NO_TLS,
        ..row(
            "proxy_ssl_certificate_cache",
            BOTH,
            TAKE123,
            "off|max=N …",
            "Certificates kept.",
            value,
        )
    },
    Directive {
        support: NO_TLS,
        ..row("proxy_ssl_password_file", BOTH, ONE, "FILE", "Passwords of keys.", value)
    },
    Directive {
        repeat: Repeat::Adds,
        support: NO_TLS,
        ..row(
            "proxy_ssl_conf_command",
            BOTH,
            Arity::TWO,
            "NAME VALUE",
            "Settings of OpenSSL.",
            value,
        )
    },
    Directive {
        default: Some("60s"),
        support: NO_TLS,
        ..row("ssl_handshake_timeout", BOTH, ONE, "TIME", "Wait for the handshake.", time)
    },
    Directive {
        repeat: Repeat::Adds,
        support: NO_TLS,
        ..row("ssl_certificate", BOTH, ONE, "FILE", "The certificate.", value)
    },
    Directive {
        repeat: Repeat::Adds,
        support: NO_TLS,
        ..row("ssl_certificate_key", BOTH, ONE, "FILE", "Its key.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.4"),
        support: NO_TLS,
        ..row("ssl_certificate_cache", BOTH, TAKE123, "off|max=N …", "Certificates kept.", value)
    },
    Directive {
        since: Some("1.31"),
        support: NO_TLS,
        ..row("ssl_ech_file", BOTH, ONE, "FILE", "Encrypted greetings.", value)
    },
    Directive {
        support: NO_TLS,
        ..row("ssl_password_file", BOTH, ONE, "FILE", "Passwords of keys.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.29.1"),
        support: NO_TLS,
        ..row("ssl_certificate_compression", BOTH, Flag, "on|off", "Compress certificates.", flag)
    },
    Directive {
        support: NO_TLS,
        ..row("ssl_dhparam", BOTH, ONE, "FILE", "Diffie-Hellman parameters.", value)
    },
    Directive {
        default: Some("auto"),
        support: NO_TLS,
        ..row("ssl_ecdh_curve", BOTH, ONE, "CURVE", "Curves.", value)
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("TLSv1.2 TLSv1.3"),
        support: NO_TLS,
        ..row("ssl_protocols", BOTH, SOME, "PROTOCOL…", "TLS versions.", protocols)
    },
    Directive {
        default: Some("HIGH:!aNULL:!MD5"),
        support: NO_TLS,
        ..row("ssl_ciphers", BOTH, ONE, "CIPHERS", "Ciphers accepted.", value)
    },
    Directive {
        default: Some("off"),
        support: NO_TLS,
        ..row(
            "ssl_verify_client",
            BOTH,
            ONE,
            "on|off|optional|optional_no_ca",
            "Ask for a certificate.",
            verify_client,
        )
    },
    Directive {
        default: Some("1"),
        support: NO_TLS,
        ..row("ssl_verify_depth", BOTH, ONE, "NUMBER", "Longest chain.", number)
    },
    Directive {
        support: NO_TLS,
        ..row("ssl_client_certificate", BOTH, ONE, "FILE", "Who may sign clients.", value)
    },
    Directive {
        support: NO_TLS,
        ..row("ssl_trusted_certificate", BOTH, ONE, "FILE", "The same, not sent.", value)
    },
    Directive {
        default: Some("off"),
        support: NO_TLS,
        ..row("ssl_prefer_server_ciphers", BOTH, Flag, "on|off", "Our order of ciphers.", flag)
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("none"),
        support: NO_TLS,
        ..row(
            "ssl_session_cache",
            BOTH,
            TAKE12,
            "off|none|builtin|shared:…",
            "Sessions kept.",
            value,
        )
    },
    Directive {
        default: Some("on"),
        support: NO_TLS,
        ..row("ssl_session_tickets", BOTH, Flag, "on|off", "Tickets.", flag)
    },
    Directive {
        repeat: Repeat::Adds,
        support: NO_TLS,
        ..row("ssl_session_ticket_key", BOTH, ONE, "FILE", "Key of tickets.", value)
    },
    Directive {
        default: Some("5m"),
        support: NO_TLS,
        ..row("ssl_session_timeout", BOTH, ONE, "TIME", "Life of a session.", seconds)
    },
    Directive {
        support: NO_TLS,
        ..row("ssl_crl", BOTH, ONE, "FILE", "Revoked certificates.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_ocsp", BOTH, ONE, "on|off|leaf", "Ask who revoked.", value)
    },
    Directive {
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_ocsp_responder", BOTH, ONE, "URL", "Whom to ask.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_ocsp_cache", BOTH, ONE, "off|shared:…", "Answers kept.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_stapling", BOTH, Flag, "on|off", "Send OCSP answers.", flag)
    },
    Directive {
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_stapling_file", BOTH, ONE, "FILE", "A ready answer.", value)
    },
    Directive {
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_stapling_responder", BOTH, ONE, "URL", "Whom to ask.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        support: NO_TLS,
        ..row("ssl_stapling_verify", BOTH, Flag, "on|off", "Check answers.", flag)
    },
    Directive {
        repeat: Repeat::Adds,
        support: NO_TLS,
        ..row("ssl_conf_command", BOTH, Arity::TWO, "NAME VALUE", "Settings of OpenSSL.", value)
    },
    Directive {
        default: Some("off"),
        since: Some("1.25.5"),
        support: NO_TLS,
        ..row("ssl_reject_handshake", BOTH, Flag, "on|off", "Refuse all handshakes.", reject)
    },
    Directive {
        since: Some("1.21.4"),
        support: NO_TLS,
        ..row("ssl_alpn", BOTH, SOME, "PROTOCOL…", "Protocols accepted.", value)
    },
];

/// Of use only together with what is refused elsewhere.
fn value(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::lose(&node.name, "TLS isn't supported yet", out)
}

fn flag(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::flag(&mut None, node, out);
    value(config, node, out);
}

fn number(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::number(&mut None, node, out);
    value(config, node, out);
}

fn time(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::time(&mut None, node, out);
    value(config, node, out);
}

fn seconds(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::time_in_seconds(&mut None, node, out);
    value(config, node, out);
}

fn protocols(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    for word in &node.args {
        slot::one_of(&VERSIONS, word, out);
        let version = word.text.to_ascii_lowercase().into();
        if !config.settings().ssl_protocols.insert((node.name.text.clone(), version)) {
            let message = format!("duplicate value \"{}\"", word.lossy());
            out.push(Diagnostic::warning("nginx/duplicate", message).at(word.span));
        }
    }
    value(config, node, out);
}

fn verify_client(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::one_of(&["off", "on", "optional", "optional_no_ca"], slot::first(node), out);
    value(config, node, out);
}

fn proxy_ssl(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::flag(&mut None, node, out);
    super::proxy::unless_off(node, "connections to peers are in the clear", out);
}

fn reject(_: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    slot::flag(&mut None, node, out);
    super::proxy::unless_off(node, "TLS isn't supported yet", out);
}
