//! `ssl_*` and `proxy_ssl_*` as typed, and what a server inherits. [`load`] reads the files that
//! they name and makes the Plan of it; what can be wrong with them is found there.

pub(super) mod load;
mod revocation;

use std::path::Path;
use std::time::Duration;

use bstr::BString;

use super::template::Names;
use crate::plan::tls::{
    CertificateCache, ClientTls, LatePair, ServerTls, SessionCache, Verify, Version,
};
use crate::plan::{Secret, stream};
use crate::text::Span;

/// What both sides have.
#[derive(Clone, Debug, Default)]
pub struct Common {
    pub certificates: Option<Vec<BString>>,
    pub keys: Option<Vec<BString>>,
    pub passwords: Option<Vec<Secret>>,
    pub versions: Option<Vec<Version>>,
    pub ciphers: Option<String>,
    pub verify_depth: Option<u64>,
    pub trusted: Option<String>,
    pub revoked: Option<String>,
    pub commands: Option<Vec<(String, String)>>,
    pub alpn: Option<Vec<BString>>,
    /// `*_certificate_cache`; `Some(None)`: `off`.
    pub certificate_cache: Option<Option<CertificateCache>>,
}

/// Towards clients.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub common: Common,
    pub handshake_timeout: Option<Duration>,
    pub prefer_server_ciphers: Option<bool>,
    pub curves: Option<String>,
    pub dhparam: Option<String>,
    pub verify: Option<Verify>,
    pub client_certificate: Option<String>,
    pub cache: Option<SessionCache>,
    pub session_timeout: Option<Duration>,
    pub tickets: Option<bool>,
    pub ticket_keys: Option<Vec<String>>,
    pub reject: Option<bool>,
    pub stapling: Option<bool>,
    pub staple: Option<String>,
    pub stapling_verify: Option<bool>,
    pub stapling_responder: Option<String>,
    pub ocsp: Option<Ocsp>,
    pub ocsp_responder: Option<String>,
    /// `None`: `off`.
    pub ocsp_cache: Option<Option<(String, usize)>>,
    /// `ssl_ech_file`
    pub ech: Option<bool>,
}

/// `ssl_ocsp`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ocsp {
    Off,
    On,
    Leaf,
}

/// Towards peers.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub enabled: Option<bool>,
    pub common: Common,
    pub reuse_sessions: Option<bool>,
    pub verify: Option<bool>,
    pub send_name: Option<bool>,
    pub name: Option<BString>,
}

/// What came of it for one server, and its certificates with variables, as typed.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub clients: Option<Box<ServerTls>>,
    pub late_of_clients: load::Late,
    pub peers: Option<Box<ClientTls>>,
    pub late_of_peers: load::Late,
}

/// What a setter wants to have read: nginx reads passwords at once.
#[derive(Clone, Debug)]
pub struct PasswordFile {
    pub towards_peers: bool,
    pub name: String,
    pub span: Span,
}

macro_rules! inherit {
    ($inner:expr, $outer:expr; $($field:ident)*; $($rest:tt)*) => {
        Self { $($field: $inner.$field.clone().or_else(|| $outer.$field.clone()),)* $($rest)* }
    };
}

impl Common {
    fn over(&self, outer: &Self) -> Self {
        inherit!(self, outer;
            certificates keys passwords versions ciphers verify_depth trusted revoked commands alpn
            certificate_cache;
        )
    }
}

impl Server {
    pub(super) fn over(&self, outer: &Self) -> Self {
        inherit!(self, outer;
            handshake_timeout prefer_server_ciphers curves dhparam verify client_certificate cache
            session_timeout tickets ticket_keys reject stapling staple stapling_verify
            stapling_responder ocsp ocsp_responder ocsp_cache ech;
            common: self.common.over(&outer.common),
        )
    }
}

impl Client {
    pub(super) fn over(&self, outer: &Self) -> Self {
        inherit!(self, outer; enabled reuse_sessions verify send_name name;
            common: self.common.over(&outer.common),
        )
    }
}

/// Puts what was found into the Plan, with the texts that have variables in them.
pub(super) fn lower(
    server: &super::config::Server,
    lowered: &mut stream::Server,
    names: &mut Names<'_>,
    outer: &super::config::Settings,
    folder: &Path,
) {
    let mut late = |pairs: &load::Late, passwords: &Option<Vec<Secret>>| -> Vec<LatePair> {
        let pair = |(certificate, key): &(BString, BString)| LatePair {
            certificate: names.template(certificate),
            key: names.template(key),
            folder: folder.to_owned(),
            passwords: passwords.clone().unwrap_or_default(),
        };
        pairs.iter().map(pair).collect()
    };
    if let Some(found) = &server.tls.clients {
        let typed = server.settings.ssl.over(&outer.ssl);
        let mut plan = found.clone();
        plan.tls.late = late(&server.tls.late_of_clients, &typed.common.passwords);
        lowered.tls = Some(plan);
    }
    if let Some(found) = &server.tls.peers {
        let typed = server.settings.proxy_ssl.over(&outer.proxy_ssl);
        let mut plan = found.clone();
        plan.tls.late = late(&server.tls.late_of_peers, &typed.common.passwords);
        plan.name = typed.name.as_ref().map(|name| names.template(name));
        let offers = typed.common.alpn.iter().flatten();
        plan.offers = offers.map(|offer| names.template(offer)).collect();
        lowered.peer_tls = Some(plan);
    }
}
