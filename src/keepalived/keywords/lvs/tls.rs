//! `SSL`: what `SSL_GET` checks show and trust.

use super::super::super::config::{At, KeepalivedConfig};
use super::super::Row;
use super::{NOT_RUN, complaint};
use crate::plan::Secret;
use crate::plan::checker::TlsFiles;
use crate::text::{Diagnostic, Diagnostics, Node};

const SSL: &[&str] = &["SSL"];

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(&["main"], "SSL", "", "Certificates for SSL_GET").block("SSL").partial(NOT_RUN, ssl),
    Row::of(SSL, "password", "STRING", "Password of the key").bare().partial(NOT_RUN, password),
    Row::of(SSL, "ca", "FILE", "CA file").bare().partial(NOT_RUN, |c, n, d| {
        file(c, n, "SSL cafile missing", d, |it| &mut it.ca);
    }),
    Row::of(SSL, "certificate", "FILE", "Certificate file").bare().partial(NOT_RUN, |c, n, d| {
        file(c, n, "SSL certfile missing", d, |it| &mut it.certificate);
    }),
    Row::of(SSL, "key", "FILE", "Key file").bare().partial(NOT_RUN, |c, n, d| {
        file(c, n, "SSL keyfile missing", d, |it| &mut it.key);
    }),
];

fn ssl(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if let Some(before) = &config.checkers.tls {
        let message = "SSL context already specified - replacing";
        let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(node.name.span);
        diagnostics.push(diagnostic.label(before.span, "here"));
    }
    config.checkers.tls = Some(At::new(TlsFiles::default(), node.name.span));
}

fn password(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(tls) = &mut config.checkers.tls else { return };
    match node.args.first() {
        Some(word) => tls.value.password = Some(Secret::new(word.text.to_vec())),
        None => diagnostics.push(complaint(node, "SSL password missing")),
    }
}

fn file(
    config: &mut KeepalivedConfig,
    node: &Node,
    missing: &str,
    diagnostics: &mut Diagnostics,
    field: fn(&mut TlsFiles) -> &mut Option<std::path::PathBuf>,
) {
    let Some(tls) = &mut config.checkers.tls else { return };
    match node.args.first() {
        Some(word) => *field(&mut tls.value) = Some(word.lossy().into_owned().into()),
        None => diagnostics.push(complaint(node, missing)),
    }
}
