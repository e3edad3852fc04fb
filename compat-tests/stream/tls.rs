//! TLS clients and peers. Keys and certificates are those of `fixtures/stream/pki`, by name:
//! `NAME.pem` and `NAME.key`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use openssl::ssl::{
    AlpnError, HandshakeError, NameType, SslAcceptor, SslConnector, SslContextBuilder, SslFiletype,
    SslMethod, SslRef, SslVerifyMode, SslVersion, select_next_proto,
};

use super::client::{Client, Wire, name};

/// A client's handshake: `sni=NAME alpn=a,b cert=NAME max=1.2 min=1.3 ciphers=… groups=…`. The
/// stream, and what came of it.
pub(super) fn connect(wire: Wire, words: &[String]) -> Result<(Client, String), String> {
    let begin = || -> Result<_, io::Error> {
        let options = options(words)?;
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        configure(&mut builder, &options)?;
        builder.set_verify(SslVerifyMode::NONE);
        let connection = builder.build().configure()?;
        let name = options.get("sni").copied();
        let connection = connection.use_server_name_indication(name.is_some());
        Ok((connection.verify_hostname(false), name.unwrap_or_default().to_owned()))
    };
    let (connection, name) = begin().map_err(|error| error.to_string())?;
    Ok(match connection.connect(&name, wire) {
        Ok(stream) => {
            let said = describe(stream.ssl());
            (Client::Tls(Box::new(stream)), said)
        }
        Err(error) => (Client::Closed, failure(&error)),
    })
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
            "sni" => {}
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
