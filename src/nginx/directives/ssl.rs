//! TLS on both sides: `ssl_*` towards clients, `proxy_ssl_*` towards peers.

use std::time::Duration;

use super::slot;
use super::{Arity, BOTH, Directive, ONE, Repeat, Row, SOME, Support, TAKE12, TAKE123, row};
use crate::directive::Arity::Flag;
use crate::nginx::NginxConfig;
use crate::nginx::config::Question;
use crate::nginx::tls::{self, Ocsp, PasswordFile};
use crate::plan::tls::{CertificateCache, SessionCache, Verify, Version};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const PEM_ONLY: Support = Support::Partial("not from engines or stores of OpenSSL");
/// What a zone of sessions is for.
const SESSIONS: &str = "ssl_session_cache";
const NAMED_RESPONDERS: &str =
    "responders that clients' certificates name are asked if their URLs have addresses, not names";
const FOUND_ONCE: &str = "a responder's addresses are found when the config is read, not anew";

pub(super) static ROWS: &[Row] = &[
    Directive {
        default: Some("off"),
        ..row("proxy_ssl", BOTH, Flag, "on|off", "TLS towards peers.", |c, n, out| {
            slot::flag(&mut c.settings().proxy_ssl.enabled, n, out)
        })
    },
    Directive {
        default: Some("on"),
        ..row(
            "proxy_ssl_session_reuse",
            BOTH,
            Flag,
            "on|off",
            "Resume TLS sessions.",
            |c, n, out| slot::flag(&mut c.settings().proxy_ssl.reuse_sessions, n, out),
        )
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("TLSv1.2 TLSv1.3"),
        ..row("proxy_ssl_protocols", BOTH, SOME, "PROTOCOL…", "TLS versions.", protocols)
    },
    Directive {
        default: Some("DEFAULT"),
        ..row("proxy_ssl_ciphers", BOTH, ONE, "CIPHERS", "Ciphers offered.", |c, n, _| {
            set(&mut c.settings().proxy_ssl.common.ciphers, n)
        })
    },
    Directive {
        default: Some("the host of proxy_pass"),
        ..row(
            "proxy_ssl_name",
            BOTH,
            ONE,
            "NAME",
            "The name expected in a certificate.",
            |c, n, _| c.settings().proxy_ssl.name = Some(slot::first(n).text.clone()),
        )
    },
    Directive {
        default: Some("off"),
        ..row("proxy_ssl_server_name", BOTH, Flag, "on|off", "Send that name.", |c, n, out| {
            slot::flag(&mut c.settings().proxy_ssl.send_name, n, out)
        })
    },
    Directive {
        since: Some("1.31"),
        ..row("proxy_ssl_alpn", BOTH, SOME, "PROTOCOL…", "Protocols offered.", alpn)
    },
    Directive {
        default: Some("off"),
        ..row("proxy_ssl_verify", BOTH, Flag, "on|off", "Check certificates.", |c, n, out| {
            slot::flag(&mut c.settings().proxy_ssl.verify, n, out)
        })
    },
    Directive {
        default: Some("1"),
        ..row("proxy_ssl_verify_depth", BOTH, ONE, "NUMBER", "Longest chain.", |c, n, out| {
            slot::number(&mut c.settings().proxy_ssl.common.verify_depth, n, out)
        })
    },
    Directive {
        ..row("proxy_ssl_trusted_certificate", BOTH, ONE, "FILE", "Who may sign.", |c, n, _| {
            set(&mut c.settings().proxy_ssl.common.trusted, n)
        })
    },
    Directive {
        ..row("proxy_ssl_crl", BOTH, ONE, "FILE", "Revoked certificates.", |c, n, _| {
            set(&mut c.settings().proxy_ssl.common.revoked, n)
        })
    },
    Directive {
        ..row("proxy_ssl_certificate", BOTH, ONE, "FILE", "Our certificate.", |c, n, _| {
            add(&mut c.settings().proxy_ssl.common.certificates, n)
        })
    },
    Directive {
        support: PEM_ONLY,
        ..row("proxy_ssl_certificate_key", BOTH, ONE, "FILE", "Its key.", |c, n, _| {
            add(&mut c.settings().proxy_ssl.common.keys, n)
        })
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.4"),
        ..row(
            "proxy_ssl_certificate_cache",
            BOTH,
            TAKE123,
            "off|max=N …",
            "Certificates kept.",
            certificate_cache,
        )
    },
    Directive {
        ..row("proxy_ssl_password_file", BOTH, ONE, "FILE", "Passwords of keys.", passwords)
    },
    Directive {
        repeat: Repeat::Adds,
        ..row(
            "proxy_ssl_conf_command",
            BOTH,
            Arity::TWO,
            "NAME VALUE",
            "Settings of OpenSSL.",
            |c, n, _| command(&mut c.settings().proxy_ssl.common, n),
        )
    },
    Directive {
        default: Some("60s"),
        ..row("ssl_handshake_timeout", BOTH, ONE, "TIME", "Wait for the handshake.", |c, n, out| {
            slot::time(&mut c.settings().ssl.handshake_timeout, n, out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("ssl_certificate", BOTH, ONE, "FILE", "The certificate.", |c, n, _| {
            add(&mut c.settings().ssl.common.certificates, n)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        support: PEM_ONLY,
        ..row("ssl_certificate_key", BOTH, ONE, "FILE", "Its key.", |c, n, _| {
            add(&mut c.settings().ssl.common.keys, n)
        })
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.4"),
        ..row(
            "ssl_certificate_cache",
            BOTH,
            TAKE123,
            "off|max=N …",
            "Certificates kept.",
            certificate_cache,
        )
    },
    Directive {
        since: Some("1.31"),
        repeat: Repeat::Adds,
        support: Support::Ignored(
            "needs OpenSSL 4; with the system's, nginx says that it is ignored, too",
        ),
        ..row("ssl_ech_file", BOTH, ONE, "FILE", "Encrypted greetings.", |c, _, _| {
            c.settings().ssl.ech = Some(true);
        })
    },
    Directive { ..row("ssl_password_file", BOTH, ONE, "FILE", "Passwords of keys.", passwords) },
    Directive {
        default: Some("off"),
        since: Some("1.29.1"),
        support: Support::Ignored(
            "certificates are sent as they are, as to clients that know no compression",
        ),
        ..row(
            "ssl_certificate_compression",
            BOTH,
            Flag,
            "on|off",
            "Compress certificates.",
            |_, n, out| slot::flag(&mut None, n, out),
        )
    },
    Directive {
        ..row("ssl_dhparam", BOTH, ONE, "FILE", "Diffie-Hellman parameters.", |c, n, _| {
            set(&mut c.settings().ssl.dhparam, n)
        })
    },
    Directive {
        default: Some("auto"),
        ..row("ssl_ecdh_curve", BOTH, ONE, "CURVE", "Curves.", |c, n, _| {
            set(&mut c.settings().ssl.curves, n)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("TLSv1.2 TLSv1.3"),
        ..row("ssl_protocols", BOTH, SOME, "PROTOCOL…", "TLS versions.", protocols)
    },
    Directive {
        default: Some("HIGH:!aNULL:!MD5"),
        ..row("ssl_ciphers", BOTH, ONE, "CIPHERS", "Ciphers accepted.", |c, n, _| {
            set(&mut c.settings().ssl.common.ciphers, n)
        })
    },
    Directive {
        default: Some("off"),
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
        ..row("ssl_verify_depth", BOTH, ONE, "NUMBER", "Longest chain.", |c, n, out| {
            slot::number(&mut c.settings().ssl.common.verify_depth, n, out)
        })
    },
    Directive {
        ..row("ssl_client_certificate", BOTH, ONE, "FILE", "Who may sign clients.", |c, n, _| {
            set(&mut c.settings().ssl.client_certificate, n)
        })
    },
    Directive {
        ..row("ssl_trusted_certificate", BOTH, ONE, "FILE", "The same, not sent.", |c, n, _| {
            set(&mut c.settings().ssl.common.trusted, n)
        })
    },
    Directive {
        default: Some("off"),
        ..row(
            "ssl_prefer_server_ciphers",
            BOTH,
            Flag,
            "on|off",
            "Our order of ciphers.",
            |c, n, out| slot::flag(&mut c.settings().ssl.prefer_server_ciphers, n, out),
        )
    },
    Directive {
        repeat: Repeat::Adds,
        default: Some("none"),
        ..row(
            "ssl_session_cache",
            BOTH,
            TAKE12,
            "off|none|builtin|shared:…",
            "Sessions kept.",
            session_cache,
        )
    },
    Directive {
        default: Some("on"),
        ..row("ssl_session_tickets", BOTH, Flag, "on|off", "Tickets.", |c, n, out| {
            slot::flag(&mut c.settings().ssl.tickets, n, out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        ..row("ssl_session_ticket_key", BOTH, ONE, "FILE", "Key of tickets.", |c, n, _| {
            c.settings()
                .ssl
                .ticket_keys
                .get_or_insert_default()
                .push(slot::first(n).lossy().into_owned())
        })
    },
    Directive {
        default: Some("5m"),
        ..row("ssl_session_timeout", BOTH, ONE, "TIME", "Life of a session.", |c, n, out| {
            slot::time_in_seconds(&mut c.settings().ssl.session_timeout, n, out)
        })
    },
    Directive {
        ..row("ssl_crl", BOTH, ONE, "FILE", "Revoked certificates.", |c, n, _| {
            set(&mut c.settings().ssl.common.revoked, n)
        })
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        support: Support::Partial(NAMED_RESPONDERS),
        ..row("ssl_ocsp", BOTH, ONE, "on|off|leaf", "Ask who revoked.", ocsp)
    },
    Directive {
        since: Some("1.27.2"),
        support: Support::Partial(FOUND_ONCE),
        ..row("ssl_ocsp_responder", BOTH, ONE, "URL", "Whom to ask.", |c, n, _| {
            set(&mut c.settings().ssl.ocsp_responder, n)
        })
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        ..row("ssl_ocsp_cache", BOTH, ONE, "off|shared:…", "Answers kept.", ocsp_cache)
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        support: Support::Partial(FOUND_ONCE),
        ..row("ssl_stapling", BOTH, Flag, "on|off", "Send OCSP answers.", |c, n, out| {
            slot::flag(&mut c.settings().ssl.stapling, n, out)
        })
    },
    Directive {
        since: Some("1.27.2"),
        ..row("ssl_stapling_file", BOTH, ONE, "FILE", "A ready answer.", |c, n, _| {
            set(&mut c.settings().ssl.staple, n)
        })
    },
    Directive {
        since: Some("1.27.2"),
        support: Support::Partial(FOUND_ONCE),
        ..row("ssl_stapling_responder", BOTH, ONE, "URL", "Whom to ask.", |c, n, _| {
            set(&mut c.settings().ssl.stapling_responder, n)
        })
    },
    Directive {
        default: Some("off"),
        since: Some("1.27.2"),
        ..row("ssl_stapling_verify", BOTH, Flag, "on|off", "Check answers.", |c, n, out| {
            slot::flag(&mut c.settings().ssl.stapling_verify, n, out)
        })
    },
    Directive {
        repeat: Repeat::Adds,
        ..row(
            "ssl_conf_command",
            BOTH,
            Arity::TWO,
            "NAME VALUE",
            "Settings of OpenSSL.",
            |c, n, _| command(&mut c.settings().ssl.common, n),
        )
    },
    Directive {
        default: Some("off"),
        since: Some("1.25.5"),
        ..row(
            "ssl_reject_handshake",
            BOTH,
            Flag,
            "on|off",
            "Refuse all handshakes.",
            |c, n, out| slot::flag(&mut c.settings().ssl.reject, n, out),
        )
    },
    Directive {
        since: Some("1.21.4"),
        ..row("ssl_alpn", BOTH, SOME, "PROTOCOL…", "Protocols accepted.", alpn)
    },
];

/// A text, with the place where it belongs.
fn set(slot: &mut Option<String>, node: &Node) {
    *slot = Some(slot::first(node).lossy().into_owned());
}

fn add(slot: &mut Option<Vec<bstr::BString>>, node: &Node) {
    slot.get_or_insert_default().push(slot::first(node).text.clone());
}

fn command(common: &mut tls::Common, node: &Node) {
    if let [name, value] = &node.args[..] {
        let command = (name.lossy().into_owned(), value.lossy().into_owned());
        common.commands.get_or_insert_default().push(command);
    }
}

fn towards_peers(node: &Node) -> bool {
    node.name.text.starts_with(b"proxy_")
}

/// Which side a directive is about.
fn common<'c>(config: &'c mut NginxConfig, node: &Node) -> &'c mut tls::Common {
    let settings = config.settings();
    match towards_peers(node) {
        true => &mut settings.proxy_ssl.common,
        false => &mut settings.ssl.common,
    }
}

fn protocols(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let names = Version::ALL.map(|(name, _)| name);
    for word in &node.args {
        slot::one_of(&names, word, out);
        let known =
            Version::ALL.iter().find(|(name, _)| word.text.eq_ignore_ascii_case(name.as_bytes()));
        let Some((_, version)) = known else { continue };
        let versions = common(config, node).versions.get_or_insert_default();
        if versions.contains(version) {
            let message = format!("duplicate value \"{}\"", word.lossy());
            out.push(Diagnostic::warning("nginx/duplicate", message).at(word.span));
        } else {
            versions.push(*version);
        }
    }
}

fn alpn(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    if node.args.iter().any(|word| word.text.len() > 255) {
        let message = format!("\"{}\" directive too long", node.name.lossy());
        out.push(Diagnostic::error("nginx/invalid-value", message).at(slot::first(node).span));
        return;
    }
    let names = node.args.iter().map(|word| word.text.clone()).filter(|name| !name.is_empty());
    let names = names.collect();
    common(config, node).alpn = Some(names);
}

fn passwords(config: &mut NginxConfig, node: &Node, _: &mut Diagnostics) {
    let word = slot::first(node);
    config.questions.push(Question::Passwords(PasswordFile {
        towards_peers: towards_peers(node),
        name: word.lossy().into_owned(),
        span: word.span,
    }));
}

fn verify_client(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let words = [
        ("off", Verify::Off),
        ("on", Verify::On),
        ("optional", Verify::Optional),
        ("optional_no_ca", Verify::OptionalNoCa),
    ];
    let word = slot::first(node);
    slot::one_of(&words.map(|(name, _)| name), word, out);
    let known = |(name, _): &&(&str, Verify)| word.text.eq_ignore_ascii_case(name.as_bytes());
    config.settings().ssl.verify = words.iter().find(known).map(|(_, verify)| *verify);
}

fn certificate_cache(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let (mut most, mut off) = (None, false);
    let (mut inactive, mut valid) = (Duration::from_secs(10), Duration::from_secs(60));
    for word in &node.args {
        let text = word.lossy();
        let (name, value) = text.split_once('=').unwrap_or((&*text, ""));
        let time = slot::seconds(value);
        let good = match name {
            "off" if *text == *name => {
                off = true;
                true
            }
            "max" => {
                most = slot::count(value).and_then(|most| usize::try_from(most).ok());
                most.is_some_and(|most| most > 0)
            }
            "inactive" => time.map(|time| inactive = time).is_some(),
            "valid" => time.map(|time| valid = time).is_some(),
            _ => false,
        };
        if !good {
            let message = format!("invalid parameter \"{text}\"");
            return out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        }
    }
    if most.is_none() && !off {
        let message = format!("\"{}\" must have the \"max\" parameter", node.name.lossy());
        return out.push(Diagnostic::error("nginx/invalid-value", message).at(node.name.span));
    }
    let most = most.filter(|_| !off);
    let cache = most.map(|most| CertificateCache { most, inactive, valid });
    common(config, node).certificate_cache = Some(cache);
}

fn session_cache(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let texts: Vec<_> = node.args.iter().map(Word::lossy).collect();
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    let cache = tls::load::session_cache(&texts, slot::bytes).and_then(|cache| {
        if let SessionCache::Shared { name, size } = &cache {
            config.stream().declare_zone(
                name.as_bytes(),
                slot::first(node).span,
                *size,
                SESSIONS,
            )?;
        }
        Ok(cache)
    });
    match cache {
        Ok(cache) => config.settings().ssl.cache = Some(cache),
        Err(message) => {
            let span = slot::first(node).span;
            out.push(Diagnostic::error("nginx/invalid-value", message).at(span));
        }
    }
}

fn ocsp(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let words = [("off", Ocsp::Off), ("on", Ocsp::On), ("leaf", Ocsp::Leaf)];
    let word = slot::first(node);
    slot::one_of(&words.map(|(name, _)| name), word, out);
    let known = |(name, _): &&(&str, Ocsp)| word.text.eq_ignore_ascii_case(name.as_bytes());
    config.settings().ssl.ocsp = words.iter().find(known).map(|(_, ocsp)| *ocsp);
}

fn ocsp_cache(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let word = slot::first(node);
    let declared = tls::load::ocsp_cache(&word.lossy(), slot::bytes).and_then(|cache| {
        if let Some((name, size)) = &cache {
            config.stream().declare_zone(name.as_bytes(), word.span, *size, "ssl_ocsp_cache")?;
        }
        Ok(cache)
    });
    match declared {
        Ok(cache) => config.settings().ssl.ocsp_cache = Some(cache),
        Err(message) => {
            out.push(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        }
    }
}
