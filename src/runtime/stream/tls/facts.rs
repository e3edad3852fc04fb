//! `$ssl_*`: what a client's channel is, asked when somebody wants to know.

use std::io::Write;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::ssl::{NameType, SslRef};
use openssl::x509::{X509, X509VerifyResult};

use super::inquiry::refusal;
use crate::kernel::openssl as native;
use crate::plan::fact::Fact;

/// Appends a fact's value; `false`: there is none.
pub(in crate::runtime::stream) fn fact(ssl: &SslRef, fact: &Fact, out: &mut Vec<u8>) -> bool {
    let Some(value) = value(ssl, fact) else { return false };
    out.extend_from_slice(&value);
    true
}

fn value(ssl: &SslRef, fact: &Fact) -> Option<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let list = |names: Vec<String>| (!names.is_empty()).then(|| names.join(":").into_bytes());
    match fact {
        Fact::SslProtocol => text(ssl.version_str()),
        Fact::SslCipher => text(ssl.current_cipher()?.name()),
        Fact::SslCiphers => list(native::offered_ciphers(ssl)),
        Fact::SslCurve => native::group(ssl).map(String::into_bytes),
        Fact::SslCurves => list(native::groups(ssl)),
        Fact::SslSessionReused => text(if ssl.session_reused() { "r" } else { "." }),
        Fact::SslSessionId => {
            let id = ssl.session()?.id().iter().map(|byte| format!("{byte:02x}"));
            let id: String = id.collect();
            (!id.is_empty()).then(|| id.into_bytes())
        }
        Fact::SslServerName => ssl.servername_raw(NameType::HOST_NAME).map(<[u8]>::to_vec),
        Fact::SslAlpnProtocol => ssl.selected_alpn_protocol().map(<[u8]>::to_vec),
        Fact::SslClientVerify => Some(verdict(ssl)),
        Fact::SslSigalg => native::signature(ssl, native::Role::Server).map(String::into_bytes),
        Fact::SslClientSigalg => {
            native::signature(ssl, native::Role::Client).map(String::into_bytes)
        }
        Fact::SslSigalgs => list(native::offered_signatures(ssl)),
        _ => of_certificate(&ssl.peer_certificate()?, fact),
    }
}

fn verdict(ssl: &SslRef) -> Vec<u8> {
    match (ssl.peer_certificate(), ssl.verify_result()) {
        (None, _) => b"NONE".to_vec(),
        (Some(_), X509VerifyResult::OK) => match refusal(ssl) {
            Some(why) => format!("FAILED:{why}").into_bytes(),
            None => b"SUCCESS".to_vec(),
        },
        (Some(_), error) => format!("FAILED:{}", error.error_string()).into_bytes(),
    }
}

fn of_certificate(certificate: &X509, fact: &Fact) -> Option<Vec<u8>> {
    match fact {
        Fact::SslClientRawCert => certificate.to_pem().ok(),
        Fact::SslClientCert => {
            // A tab before every line but the first, and no end of the last.
            let pem = certificate.to_pem().ok()?;
            let pem = pem.strip_suffix(b"\n").unwrap_or(&pem);
            let tabbed = pem.split_inclusive(|byte| *byte == b'\n');
            Some(tabbed.collect::<Vec<_>>().join(&b"\t"[..]))
        }
        Fact::SslClientEscapedCert => {
            let mut escaped = Vec::new();
            for byte in certificate.to_pem().ok()? {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    escaped.push(byte);
                } else {
                    write!(escaped, "%{byte:02X}").ok()?;
                }
            }
            Some(escaped)
        }
        Fact::SslClientSDn => Some(native::name_text(certificate.subject_name()).into_bytes()),
        Fact::SslClientIDn => Some(native::name_text(certificate.issuer_name()).into_bytes()),
        Fact::SslClientSerial => {
            let number = certificate.serial_number().to_bn().ok()?.to_hex_str().ok()?;
            Some(number.as_bytes().to_vec())
        }
        Fact::SslClientFingerprint => {
            let digest = certificate.digest(MessageDigest::sha1()).ok()?;
            let digits = digest.iter().map(|byte| format!("{byte:02x}"));
            Some(digits.collect::<String>().into_bytes())
        }
        Fact::SslClientVStart => Some(certificate.not_before().to_string().into_bytes()),
        Fact::SslClientVEnd => Some(certificate.not_after().to_string().into_bytes()),
        Fact::SslClientVRemain => {
            let left = Asn1Time::days_from_now(0).ok()?.diff(certificate.not_after()).ok()?;
            Some(left.days.max(0).to_string().into_bytes())
        }
        _ => None,
    }
}
