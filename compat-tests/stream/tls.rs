//! TLS clients and peers. Keys and certificates are those of `fixtures/stream/pki`, by name:
//! `NAME.pem` and `NAME.key`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspResponse, OcspResponseStatus};
use openssl::ssl::{
    AlpnError, HandshakeError, NameType, SslAcceptor, SslConnector, SslContextBuilder, SslFiletype,
    SslMethod, SslRef, SslSession, SslSessionCacheMode, SslVerifyMode, SslVersion, StatusType,
    select_next_proto,
};
use openssl::x509::X509;

use super::client::{Client, Wire, name};

/// Sessions that clients were given, by the names that a case has for them.
pub(super) type Kept = Arc<Mutex<BTreeMap<String, SslSession>>>;

/// A client's handshake: `sni=NAME alpn=a,b cert=NAME max=1.2 min=1.3 ciphers=… groups=… keep=NAME
/// resume=NAME status=yes`. The stream, and what came of it.
pub(super) fn connect(
    wire: Wire,
    words: &[String],
    kept: &Kept,
) -> Result<(Client, String), String> {
    let begin = || -> Result<_, io::Error> {
        let options = options(words)?;
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        configure(&mut builder, &options)?;
        builder.set_verify(SslVerifyMode::NONE);
        if let Some(name) = options.get("keep") {
            keep(&mut builder, name, kept);
        }
        if options.contains_key("status") {
            // Whatever it is; that it came is looked at afterwards.
            builder.set_status_callback(|_| Ok(true))?;
        }
        let mut connection = builder.build().configure()?;
        if options.contains_key("status") {
            connection.set_status_type(StatusType::OCSP)?;
        }
        if let Some(name) = options.get("resume") {
            let kept = kept.lock().unwrap();
            let session = kept.get(*name).ok_or_else(|| io::Error::other("no such session"))?;
            evenkeel::kernel::openssl::resume(&mut connection, session)?;
        }
        let name = options.get("sni").copied();
        let connection = connection.use_server_name_indication(name.is_some());
        Ok((connection.verify_hostname(false), name.unwrap_or_default().to_owned()))
    };
    let (connection, name) = begin().map_err(|error| error.to_string())?;
    Ok(match connection.connect(&name, wire) {
        Ok(stream) => {
            let mut said = describe(stream.ssl());
            if words.iter().any(|word| word == "status=yes") {
                said += &format!(" {}", staple(stream.ssl()));
            }
            (Client::Tls(Box::new(stream)), said)
        }
        Err(error) => (Client::Closed, failure(&error)),
    })
}

/// Keeps the last session that comes as it is then: one that ends without a good-bye spoils it.
fn keep(builder: &mut SslContextBuilder, name: &str, kept: &Kept) {
    let (kept, name) = (Arc::clone(kept), name.to_owned());
    builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
    builder.set_new_session_callback(move |_, session| {
        let copy = session.to_der().and_then(|bytes| SslSession::from_der(&bytes));
        kept.lock().unwrap().extend(copy.map(|copy| (name.clone(), copy)));
    });
}

/// What the server says of its certificate: `staple=good`.
fn staple(ssl: &SslRef) -> String {
    let Some(response) = ssl.ocsp_status() else { return "no staple".to_owned() };
    let Ok(response) = OcspResponse::from_der(response) else { return "bad staple".to_owned() };
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return format!("staple={}", response.status().as_raw());
    }
    let status = || {
        let certificate = ssl.peer_certificate()?;
        let mut issuer = None;
        for name in ["ca.pem", "intermediate.pem"] {
            let ca = X509::from_pem(&std::fs::read(pki(name)).ok()?).ok()?;
            if certificate.verify(&*ca.public_key().ok()?).ok()? {
                issuer = Some(ca);
            }
        }
        let id =
            OcspCertId::from_cert(MessageDigest::sha1(), &certificate, issuer.as_ref()?).ok()?;
        let basic = response.basic().ok()?;
        Some(basic.find_status(&id)?.status.as_raw())
    };
    let words = ["good", "revoked", "unknown"];
    let word = status().and_then(|status| words.get(status as usize).copied());
    format!("staple={}", word.unwrap_or("of another"))
}

/// A peer's handshake: `cert=NAME alpn=a,b verify=NAME min=… max=… ciphers=…`.
pub(super) fn accept(wire: Wire, words: &[String]) -> io::Result<(Client, String)> {
    let options = options(words)?;
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    if let Some(protocols) = options.get("alpn") {
        let ours = protocol_list(protocols);
        builder.set_alpn_select_callback(move |_, theirs| {
            // Our list doesn't live long enough to be returned; the same bytes of the client's do.
            select_next_proto(&ours, theirs)
                .and_then(|chosen| theirs.windows(chosen.len()).find(|it| *it == chosen))
                .ok_or(AlpnError::NOACK)
        });
    }
    configure(&mut builder, &options)?;
    if options.contains_key("verify") {
        builder.set_verify(SslVerifyMode::PEER);
    }
    match builder.build().accept(wire) {
        Ok(stream) => {
            let mut said = describe(stream.ssl());
            if let Some(name) = stream.ssl().servername(NameType::HOST_NAME) {
                said += &format!(" sni={name}");
            }
            Ok((Client::Tls(Box::new(stream)), format!("({said})")))
        }
        Err(error) => Ok((Client::Closed, format!("({})", failure(&error)))),
    }
}

fn configure(
    builder: &mut SslContextBuilder,
    options: &BTreeMap<&str, &str>,
) -> Result<(), io::Error> {
    builder.set_security_level(0);
    for (option, value) in options {
        match *option {
            "cert" => {
                builder.set_certificate_chain_file(pki(&format!("{value}.pem")))?;
                builder.set_private_key_file(pki(&format!("{value}.key")), SslFiletype::PEM)?;
            }
            "ca" | "verify" => builder.set_ca_file(pki(&format!("{value}.pem")))?,
            "min" => builder.set_min_proto_version(Some(version(value)?))?,
            "max" => builder.set_max_proto_version(Some(version(value)?))?,
            "ciphers" => builder.set_cipher_list(value)?,
            "suites" => builder.set_ciphersuites(value)?,
            "groups" => builder.set_groups_list(value)?,
            "sigalgs" => builder.set_sigalgs_list(value)?,
            "alpn" => builder.set_alpn_protos(&protocol_list(value))?,
            "sni" | "keep" | "resume" | "status" => {}
            other => return Err(io::Error::other(format!("no option of TLS: {other}"))),
        }
    }
    Ok(())
}

fn version(text: &str) -> Result<SslVersion, io::Error> {
    Ok(match text {
        "1.0" => SslVersion::TLS1,
        "1.1" => SslVersion::TLS1_1,
        "1.2" => SslVersion::TLS1_2,
        "1.3" => SslVersion::TLS1_3,
        other => return Err(io::Error::other(format!("no version of TLS: {other}"))),
    })
}

fn protocol_list(names: &str) -> Vec<u8> {
    let names = names.split(',');
    names.flat_map(|name| [&[name.len() as u8], name.as_bytes()].concat()).collect()
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384 CN=server alpn=h2 reused`
fn describe(ssl: &SslRef) -> String {
    let cipher = ssl.current_cipher().map_or("no cipher", |cipher| cipher.name());
    let mut text = format!("{} {cipher}", ssl.version_str());
    if let Some(certificate) = ssl.peer_certificate() {
        let subject = certificate.subject_name().entries();
        let common: Vec<String> =
            subject.filter_map(|entry| entry.data().to_string().ok()).collect();
        text += &format!(" CN={}", common.join("/"));
    }
    if let Some(protocol) = ssl.selected_alpn_protocol() {
        text += &format!(" alpn={}", String::from_utf8_lossy(protocol));
    }
    if ssl.session_reused() {
        text += " reused";
    }
    text
}

fn failure(error: &HandshakeError<Wire>) -> String {
    let HandshakeError::Failure(stream) = error else { return "no handshake".into() };
    let error = stream.error();
    if let Some(stack) = error.ssl_error().filter(|it| !it.errors().is_empty()) {
        let reasons = stack.errors().iter().filter_map(|error| error.reason());
        return format!("no handshake: {}", reasons.collect::<Vec<_>>().join(", "));
    }
    match error.io_error() {
        Some(error) => format!("no handshake: {}", name(error)),
        None => "no handshake: EOF".into(),
    }
}

/// `NAME=VALUE` words.
fn options(words: &[String]) -> io::Result<BTreeMap<&str, &str>> {
    let pairs = words.iter().map(|word| {
        word.split_once('=').ok_or_else(|| io::Error::other(format!("not NAME=VALUE: {word}")))
    });
    pairs.collect()
}

fn pki(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(super::CASES).join("pki").join(file)
}
