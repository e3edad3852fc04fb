//! Certificates and keys out of PEM, with nginx's words for what can't be read.

use std::io::IsTerminal;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};

use super::words;
use crate::plan::Secret;

/// A certificate, and those that it is signed by.
#[derive(Clone, Debug)]
pub struct Chain {
    pub certificate: X509,
    pub rest: Vec<X509>,
}

/// # Errors
/// nginx's message.
pub fn chain(name: &str, pem: &[u8]) -> Result<Chain, String> {
    let failed = |call: &str, error: &ErrorStack| {
        format!("cannot load certificate \"{name}\": {call}() failed ({})", words::all(error))
    };
    let certificate = X509::from_pem(pem).map_err(|error| {
        // nginx reads it in a way that takes trusted certificates, too.
        failed("PEM_read_bio_X509_AUX", &error)
            .replace(":Expecting: CERTIFICATE", ":Expecting: TRUSTED CERTIFICATE")
    })?;
    let all = X509::stack_from_pem(pem).map_err(|error| failed("PEM_read_bio_X509", &error))?;
    Ok(Chain { certificate, rest: all.into_iter().skip(1).collect() })
}

/// A key, tried with each password in turn. Without any, somebody at a terminal is asked.
///
/// # Errors
/// nginx's message.
pub fn key(name: &str, pem: &[u8], passwords: &[Secret]) -> Result<PKey<Private>, String> {
    // nginx tells of the last try.
    let mut said = String::new();
    let mut try_it = |result: Result<PKey<Private>, ErrorStack>| match result {
        Ok(key) => Some(key),
        Err(error) => {
            said = words::all(&error);
            None
        }
    };
    let key = match passwords {
        [] if std::io::stdin().is_terminal() => try_it(PKey::private_key_from_pem(pem)),
        [] => try_it(PKey::private_key_from_pem_callback(pem, |_| Ok(0))),
        passwords => passwords.iter().find_map(|password| {
            try_it(PKey::private_key_from_pem_passphrase(pem, password.expose()))
        }),
    };
    key.ok_or_else(|| {
        format!("cannot load certificate key \"{name}\": PEM_read_bio_PrivateKey() failed ({said})")
    })
}

/// Certificates and lists of revoked ones of a file that has to have some of either.
pub fn authorities(pem: &[u8]) -> Result<(Vec<X509>, Vec<X509Crl>), String> {
    const LIST: &[u8] = b"-----BEGIN X509 CRL-----";
    let certificates = X509::stack_from_pem(pem).map_err(|error| words::all(&error))?;
    let mut lists = Vec::new();
    let mut rest = pem;
    while let Some(at) = rest.windows(LIST.len()).position(|window| window == LIST) {
        lists.push(X509Crl::from_pem(&rest[at..]).map_err(|error| words::all(&error))?);
        rest = &rest[at + LIST.len()..];
    }
    if certificates.is_empty() && lists.is_empty() {
        let said = "SSL: error:05800088:x509 certificate routines::no certificate or crl found";
        return Err(said.to_owned());
    }
    Ok((certificates, lists))
}
