//! Certificates with variables in their names: read when a session knows which, and kept where
//! there is an `ssl_certificate_cache` or `proxy_ssl_certificate_cache`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bstr::ByteSlice;
use openssl::pkey::{PKey, Private};
use openssl::ssl::Ssl;

use crate::plan::Secret;
use crate::plan::tls::CertificateCache;
use crate::tls::material::{self, Chain};
use crate::tls::words;

/// A certificate and key by the names that a session has found out.
pub(in crate::runtime::stream) struct Named<'a> {
    pub(in crate::runtime::stream) certificate: Vec<u8>,
    pub(in crate::runtime::stream) key: Vec<u8>,
    pub(in crate::runtime::stream) folder: &'a Path,
    pub(in crate::runtime::stream) passwords: &'a [Secret],
}

/// Those of one server.
pub(super) struct Pairs {
    plan: Option<CertificateCache>,
    kept: Mutex<HashMap<Names, Kept>>,
}

/// Of certificate and key.
type Names = (Vec<u8>, Vec<u8>);

struct Kept {
    pair: Pair,
    read: Instant,
    used: Instant,
}

#[derive(Clone)]
struct Pair {
    chain: Chain,
    key: PKey<Private>,
}

impl Pairs {
    pub(super) fn new(plan: Option<CertificateCache>) -> Self {
        Self { plan, kept: Mutex::default() }
    }

    /// Shows a certificate in this connection; an empty name is none.
    pub(super) fn present(&self, ssl: &mut Ssl, named: &Named<'_>) -> Result<(), String> {
        if named.certificate.is_empty() {
            return Ok(());
        }
        let pair = self.find(named)?;
        let failed = |call: &str, name: &[u8], error| {
            format!("{call}(\"{}\") failed ({})", name.as_bstr(), words::all(&error))
        };
        let name = &named.certificate;
        ssl.set_certificate(&pair.chain.certificate)
            .map_err(|error| failed("SSL_use_certificate", name, error))?;
        for certificate in pair.chain.rest {
            ssl.add_chain_cert(certificate)
                .map_err(|error| failed("SSL_add0_chain_cert", name, error))?;
        }
        ssl.set_private_key(&pair.key)
            .map_err(|error| failed("SSL_use_PrivateKey", &named.key, error))
    }

    /// What is on disk counts from now on.
    pub(super) fn forget(&self) {
        self.kept().clear();
    }

    fn find(&self, named: &Named<'_>) -> Result<Pair, String> {
        let Some(plan) = &self.plan else { return read(named) };
        let (names, now) = ((named.certificate.clone(), named.key.clone()), Instant::now());
        if let Some(kept) = self.kept().get_mut(&names)
            && now.duration_since(kept.read) <= plan.valid
            && now.duration_since(kept.used) <= plan.inactive
        {
            kept.used = now;
            return Ok(kept.pair.clone());
        }
        let pair = read(named)?;
        let mut kept = self.kept();
        kept.retain(|_, kept| now.duration_since(kept.used) <= plan.inactive);
        if kept.len() >= plan.most && !kept.contains_key(&names) {
            let oldest =
                kept.iter().min_by_key(|(_, kept)| kept.used).map(|(names, _)| names.clone());
            oldest.map(|oldest| kept.remove(&oldest));
        }
        kept.insert(names, Kept { pair: pair.clone(), read: now, used: now });
        Ok(pair)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Names, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(named: &Named<'_>) -> Result<Pair, String> {
    let read = |name: &[u8], what: &str| -> Result<(String, Vec<u8>), String> {
        if let Some(data) = name.strip_prefix(b"data:") {
            return Ok(("data:".to_owned(), data.to_vec()));
        }
        let path = named.folder.join(name.to_path_lossy());
        let bytes = std::fs::read(&path).map_err(|error| {
            let said = words::unreadable(&path, &error);
            format!("cannot load {what} \"{}\": BIO_new_file() failed ({said})", path.display())
        })?;
        Ok((path.display().to_string(), bytes))
    };
    let (name, pem) = read(&named.certificate, "certificate")?;
    let chain = material::chain(&name, &pem)?;
    let (name, pem) = read(&named.key, "certificate key")?;
    let key = material::key(&name, &pem, named.passwords)?;
    Ok(Pair { chain, key })
}
