//! Contexts for both sides. Complaints are nginx's messages (watched: 1.22 with OpenSSL 3.0).

use std::sync::Arc;
use std::time::Duration;

use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::ssl::{
    AlpnError, SslAlert, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef,
    SslSession, SslSessionCacheMode, SslVerifyMode, SslVersion, select_next_proto,
};
use openssl::stack::Stack;
use openssl::x509::verify::X509VerifyFlags;

use super::{material, words};
use crate::kernel::openssl::{self as native, Role, TicketKey};
use crate::plan::tls::{ClientTls, File, ServerTls, SessionCache, Tls, Verify, Version};

/// What nginx would say.
type Complaint = String;

/// Told of each session that a peer lets a client resume.
pub type Remember = Box<dyn Fn(&mut SslRef, SslSession) + Send + Sync>;

/// Where the sessions of several contexts are, and the keys of their tickets.
pub trait Sessions: Send + Sync {
    fn keep(&self, id: &[u8], session: Vec<u8>, life: Duration);
    fn find(&self, id: &[u8]) -> Option<Vec<u8>>;
    fn forget(&self, id: &[u8]);
    /// Newest first; each is for tickets of this `life`.
    fn ticket_keys(&self, life: Duration) -> Arc<[TicketKey]>;
}

/// What is said of the certificate of a connection.
pub type Staples = Box<dyn Fn(&SslRef) -> Option<Arc<[u8]>> + Send + Sync>;

/// A context for clients' connections. Its sessions are in `shared`, and what is said of its
/// certificates comes from `staples`, where its plan says so.
///
/// # Errors
/// What nginx would say.
pub fn server(
    plan: &ServerTls,
    shared: Option<Arc<dyn Sessions>>,
    staples: Option<Staples>,
) -> Result<SslContext, Complaint> {
    let mut context = common(&plan.tls, Role::Server)?;
    if plan.prefer_server_ciphers {
        context.set_options(SslOptions::CIPHER_SERVER_PREFERENCE);
    }
    if plan.verify != Verify::Off {
        // Whether it counts is decided after the handshake, as in nginx.
        context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        announce(&mut context, &plan.tls.trusted[..plan.announced.min(plan.tls.trusted.len())])?;
    }
    if !plan.tls.trusted.is_empty() {
        trust(&mut context, &plan.tls)?;
    }
    if let Some(file) = &plan.dhparam {
        let parameters = Dh::params_from_pem(file.bytes.expose()).map_err(|error| {
            failed(&format!("PEM_read_bio_DHparams(\"{}\")", file.name), &error)
        })?;
        context
            .set_tmp_dh(&parameters)
            .map_err(|error| failed("SSL_CTX_set0_tmp_dh_pkey()", &error))?;
    }
    if let Some(curves) = &plan.curves {
        context
            .set_groups_list(curves)
            .map_err(|error| failed(&format!("SSL_CTX_set1_curves_list(\"{curves}\")"), &error))?;
    }
    remember_sessions(&mut context, plan, shared)?;
    if !plan.tls.alpn.is_empty() {
        let ours = wire_format(&plan.tls.alpn);
        context.set_alpn_select_callback(move |_, theirs| {
            match select_next_proto(&ours, theirs) {
                // It is one of theirs; only theirs live long enough.
                Some(chosen) => theirs
                    .windows(chosen.len())
                    .find(|window| *window == chosen)
                    .ok_or(AlpnError::ALERT_FATAL),
                None => Err(AlpnError::ALERT_FATAL),
            }
        });
    }
    if plan.reject {
        context.set_client_hello_callback(|_, alert| {
            *alert = SslAlert::UNRECOGNIZED_NAME;
            Err(ErrorStack::get())
        });
    }
    if let Some(staples) = staples {
        context
            .set_status_callback(move |ssl| match staples(ssl) {
                Some(response) => ssl.set_ocsp_status(&response).map(|()| true),
                None => Ok(false),
            })
            .map_err(|error| failed("SSL_CTX_set_tlsext_status_cb()", &error))?;
    }
    if let Some(staple) = &plan.staple {
        let response = staple.bytes.expose().to_vec();
        context
            .set_status_callback(move |ssl| ssl.set_ocsp_status(&response).map(|()| true))
            .map_err(|error| failed("SSL_CTX_set_tlsext_status_cb()", &error))?;
    }
    finish(context, &plan.tls, Role::Server)
}

/// A context for connections to peers. `remember` is told of sessions to resume.
///
/// # Errors
/// What nginx would say.
pub fn client(plan: &ClientTls, remember: Option<Remember>) -> Result<SslContext, Complaint> {
    let mut context = common(&plan.tls, Role::Client)?;
    // The chain is looked at during the handshake; what counts is decided afterwards.
    context.set_verify(SslVerifyMode::NONE);
    if plan.verify {
        context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        trust(&mut context, &plan.tls)?;
    }
    if plan.reuse_sessions {
        let kept = SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL;
        context.set_session_cache_mode(kept);
        if let Some(remember) = remember {
            context.set_new_session_callback(remember);
        }
    }
    finish(context, &plan.tls, Role::Client)
}

/// Protocols as ALPN sends them.
pub fn wire_format(names: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names.iter().map(AsRef::as_ref).filter(|name| name.len() < 256) {
        bytes.push(name.len() as u8);
        bytes.extend_from_slice(name);
    }
    bytes
}

fn failed(call: &str, error: &ErrorStack) -> Complaint {
    format!("{call} failed ({})", words::all(error))
}

fn common(plan: &Tls, role: Role) -> Result<SslContextBuilder, Complaint> {
    let method =
        if role == Role::Server { SslMethod::tls_server() } else { SslMethod::tls_client() };
    let mut context =
        SslContext::builder(method).map_err(|error| failed("SSL_CTX_new()", &error))?;
    let mode = SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER;
    context.set_mode(mode | SslMode::RELEASE_BUFFERS);
    // A record comes with one call instead of two.
    context.set_read_ahead(true);
    speak(&mut context, &plan.versions)?;
    for pair in &plan.certificates {
        let (name, bytes) = (&pair.certificate.name, pair.certificate.bytes.expose());
        let chain = material::chain(name, bytes)?;
        let using = |call: &str, name: &str| format!("{call}(\"{name}\")");
        context
            .set_certificate(&chain.certificate)
            .map_err(|error| failed(&using("SSL_CTX_use_certificate", name), &error))?;
        for certificate in chain.rest {
            native::add_chain_certificate(&mut context, certificate)
                .map_err(|error| failed(&using("SSL_CTX_add0_chain_cert", name), &error))?;
        }
        let name = &pair.key.name;
        let key = material::key(name, pair.key.bytes.expose(), &[])?;
        context
            .set_private_key(&key)
            .map_err(|error| failed(&using("SSL_CTX_use_PrivateKey", name), &error))?;
    }
    context.set_cipher_list(&plan.ciphers).map_err(|error| {
        failed(&format!("SSL_CTX_set_cipher_list(\"{}\")", plan.ciphers), &error)
    })?;
    context.set_verify_depth(plan.verify_depth);
    Ok(context)
}

/// Only these versions; what the system's OpenSSL was configured with doesn't count, as in nginx.
fn speak(context: &mut SslContextBuilder, versions: &[Version]) -> Result<(), Complaint> {
    let any = |error: ErrorStack| failed("SSL_CTX_set_min_proto_version()", &error);
    context.set_min_proto_version(None).map_err(any)?;
    context.set_max_proto_version(None).map_err(any)?;
    let switches = [
        (Version::Ssl3, SslOptions::NO_SSLV3),
        (Version::Tls1, SslOptions::NO_TLSV1),
        (Version::Tls11, SslOptions::NO_TLSV1_1),
        (Version::Tls12, SslOptions::NO_TLSV1_2),
        (Version::Tls13, SslOptions::NO_TLSV1_3),
    ];
    for (version, switch) in switches {
        if versions.contains(&version) {
            context.clear_options(switch);
        } else {
            context.set_options(switch);
        }
    }
    context.set_options(
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::IGNORE_UNEXPECTED_EOF
            | SslOptions::SINGLE_DH_USE,
    );
    Ok(())
}

fn trust(context: &mut SslContextBuilder, plan: &Tls) -> Result<(), Complaint> {
    for file in &plan.trusted {
        load(context, file, "SSL_CTX_load_verify_locations")?;
    }
    if let Some(file) = &plan.revoked {
        load(context, file, "X509_LOOKUP_load_file")?;
        let flags = X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL;
        context
            .cert_store_mut()
            .set_flags(flags)
            .map_err(|error| failed("X509_STORE_set_flags()", &error))?;
    }
    Ok(())
}

fn load(context: &mut SslContextBuilder, file: &File, call: &str) -> Result<(), Complaint> {
    let complaint = |said: String| format!("{call}(\"{}\") failed ({said})", file.name);
    let (certificates, lists) = material::authorities(file.bytes.expose()).map_err(complaint)?;
    let store = context.cert_store_mut();
    for certificate in certificates {
        store.add_cert(certificate).map_err(|error| complaint(words::all(&error)))?;
    }
    for list in lists {
        native::add_revocations(store, &list).map_err(|error| complaint(words::all(&error)))?;
    }
    Ok(())
}

/// Tells clients whose signatures count.
fn announce(context: &mut SslContextBuilder, files: &[File]) -> Result<(), Complaint> {
    let mut names = Stack::new().map_err(|error| failed("SSL_load_client_CA_file()", &error))?;
    for file in files {
        let (certificates, _) = material::authorities(file.bytes.expose()).map_err(|said| {
            format!("SSL_load_client_CA_file(\"{}\") failed ({said})", file.name)
        })?;
        for certificate in certificates {
            let name = certificate.subject_name().to_owned();
            let pushed = name.and_then(|name| names.push(name));
            pushed.map_err(|error| failed("SSL_load_client_CA_file()", &error))?;
        }
    }
    context.set_client_ca_list(names);
    Ok(())
}

fn remember_sessions(
    context: &mut SslContextBuilder,
    plan: &ServerTls,
    shared: Option<Arc<dyn Sessions>>,
) -> Result<(), Complaint> {
    // Sessions may be resumed by whoever shows the same certificates and asks for the same.
    let mut identity = format!("{:?} {:?}", plan.verify, plan.tls.late).into_bytes();
    for pair in &plan.tls.certificates {
        identity.extend_from_slice(pair.certificate.bytes.expose());
    }
    for file in &plan.tls.trusted {
        identity.extend_from_slice(file.bytes.expose());
    }
    let identity = hash(MessageDigest::sha256(), &identity)
        .and_then(|digest| context.set_session_id_context(&digest));
    identity.map_err(|error| failed("SSL_CTX_set_session_id_context()", &error))?;
    native::set_session_timeout(context, plan.session_timeout.as_secs());
    match &plan.cache {
        SessionCache::Off => {
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
        }
        SessionCache::None | SessionCache::Shared { .. } => {
            let mode = SslSessionCacheMode::SERVER
                | SslSessionCacheMode::NO_INTERNAL
                | SslSessionCacheMode::NO_AUTO_CLEAR;
            context.set_session_cache_mode(mode);
        }
        SessionCache::Builtin(sessions) => {
            context.set_session_cache_mode(SslSessionCacheMode::SERVER);
            if *sessions > 0 {
                context.set_session_cache_size(i32::try_from(*sessions).unwrap_or(i32::MAX));
            }
        }
    }
    if let Some(shared) = &shared {
        share_sessions(context, plan, shared);
    }
    if !plan.tickets {
        context.set_options(SslOptions::NO_TICKET);
    }
    let keys = plan.ticket_keys.iter().filter_map(|key| TicketKey::read(key.expose()));
    let keys: Arc<[TicketKey]> = keys.collect();
    let life = plan.session_timeout;
    match shared {
        _ if !keys.is_empty() => {
            native::set_ticket_keys(context, Box::new(move || Arc::clone(&keys)));
        }
        Some(shared) => {
            native::set_ticket_keys(context, Box::new(move || shared.ticket_keys(life)));
        }
        // OpenSSL's own, which only this context knows.
        None => {}
    }
    Ok(())
}

fn share_sessions(context: &mut SslContextBuilder, plan: &ServerTls, shared: &Arc<dyn Sessions>) {
    let (life, tickets) = (plan.session_timeout, plan.tickets);
    let [keeper, source, forgetter] = [shared, shared, shared].map(Arc::clone);
    context.set_new_session_callback(move |ssl, session| {
        // With tickets, sessions of TLS 1.3 are nowhere but in them.
        if tickets && ssl.version2() == Some(SslVersion::TLS1_3) {
            return;
        }
        if let Ok(bytes) = session.to_der() {
            keeper.keep(session.id(), bytes, life);
        }
    });
    native::set_session_source(context, move |id| source.find(id));
    context.set_remove_session_callback(move |_, session| forgetter.forget(session.id()));
}

/// Commands come last, so that they win.
fn finish(mut context: SslContextBuilder, plan: &Tls, role: Role) -> Result<SslContext, Complaint> {
    native::configure(&mut context, role, &plan.commands).map_err(|(at, error)| {
        let (name, value) = &plan.commands[at];
        failed(&format!("SSL_CONF_cmd(\"{name}\", \"{value}\")"), &error)
    })?;
    Ok(context.build())
}
