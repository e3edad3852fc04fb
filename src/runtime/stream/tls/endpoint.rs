//! What a server ends TLS with, and what it begins it with.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bstr::ByteSlice;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContext, SslRef, SslSession};
use openssl::x509::X509VerifyResult;

use super::inquiry::{self, Cache, Inquirer, Inquiry};
use super::pairs::{Named, Pairs};
use super::stapler::Stapler;
use super::zone::Zone;
use crate::kernel::openssl as native;
use crate::plan::ocsp;
use crate::plan::tls::{ClientTls, ServerTls, SessionCache, Verify};
use crate::runtime::stream::log::Log;
use crate::tls::{context, words};

/// Sessions kept of one server's peers; more are forgotten in no order.
const MOST_SESSIONS: usize = 1000;

/// Towards clients.
pub(in crate::runtime::stream) struct Acceptor {
    context: SslContext,
    pub(in crate::runtime::stream) plan: Box<ServerTls>,
    /// `ssl_session_cache shared:…`
    zone: Option<Arc<Zone>>,
    /// `ssl_ocsp`
    inquirer: Option<Arc<Inquirer>>,
    pairs: Pairs,
}

/// Towards peers.
pub(in crate::runtime::stream) struct Connector {
    context: SslContext,
    pub(in crate::runtime::stream) plan: Box<ClientTls>,
    sessions: Sessions,
    pairs: Pairs,
}

/// The last session of each peer, by its address and the name asked for.
type Sessions = Arc<Mutex<HashMap<String, SslSession>>>;

impl Acceptor {
    /// A zone that it names is that of one of the others, if one of them names it too.
    pub(in crate::runtime::stream) fn new<'a>(
        plan: Box<ServerTls>,
        mut others: impl Iterator<Item = &'a Self> + Clone,
        log: &Log,
    ) -> io::Result<Self> {
        let caches = others.clone().filter_map(|other| other.inquirer.as_ref()?.cache.as_ref());
        let inquirer = plan.ocsp.clone().map(|ocsp| Arc::new(inquirer(ocsp, caches)));
        let zone = match &plan.cache {
            SessionCache::Shared { name, size } => {
                let same = |zone: &&Arc<Zone>| zone.name == *name && zone.size == *size;
                let known = others.find_map(|other| other.zone.as_ref().filter(same));
                Some(known.map_or_else(|| Arc::new(Zone::new(name, *size)), Arc::clone))
            }
            _ => None,
        };
        let shared = zone.clone().map(|zone| zone as Arc<dyn context::Sessions>);
        let staples = match &plan.stapling {
            Some(stapling) => {
                let stapler = Stapler::new(&plan, stapling, log).map_err(io::Error::other)?;
                Some(Box::new(move |ssl: &SslRef| stapler.answer(ssl)) as context::Staples)
            }
            None => None,
        };
        let context = context::server(&plan, shared, staples).map_err(io::Error::other)?;
        let pairs = Pairs::new(plan.tls.certificate_cache.clone());
        Ok(Self { context, plan, zone, inquirer, pairs })
    }

    /// After a reload, files are what they are now.
    pub(in crate::runtime::stream) fn refresh(&self) {
        self.pairs.forget();
    }

    /// What has to be asked about a client that is as it should be otherwise.
    pub(in crate::runtime::stream) fn inquire(&self, ssl: &SslRef) -> Option<Inquiry> {
        Inquiry::begin(self.inquirer.as_ref()?, ssl)
    }

    pub(in crate::runtime::stream) fn begin(&self, named: &[Named<'_>]) -> Result<Ssl, String> {
        let mut ssl = fresh(&self.context)?;
        named.iter().try_for_each(|named| self.pairs.present(&mut ssl, named))?;
        if self.inquirer.is_some() {
            inquiry::prepare(&mut ssl);
        }
        ssl.set_accept_state();
        Ok(ssl)
    }
}

/// What is wrong with the client that the handshake was done with, in the log's words.
pub(in crate::runtime::stream) fn judge(verify: Verify, ssl: &SslRef) -> Result<(), String> {
    let verdict = ssl.verify_result();
    let excused = verify == Verify::OptionalNoCa && is_about_signer(verdict);
    if verify != Verify::Off && verdict != X509VerifyResult::OK && !excused {
        return Err(format!("client SSL certificate verify error: {}", Verdict(verdict)));
    }
    if verify == Verify::On && ssl.peer_certificate().is_none() {
        return Err("client sent no required SSL certificate".to_owned());
    }
    Ok(())
}

fn inquirer<'a>(plan: ocsp::Inquiry, mut caches: impl Iterator<Item = &'a Arc<Cache>>) -> Inquirer {
    let cache = plan.cache.as_ref().map(|(name, size)| {
        let known = caches.find(|cache| cache.name == *name && cache.size == *size);
        known.map_or_else(|| Arc::new(Cache::new(name, *size)), Arc::clone)
    });
    Inquirer { plan, cache }
}

impl Connector {
    pub(in crate::runtime::stream) fn new(plan: Box<ClientTls>) -> io::Result<Self> {
        let sessions = Sessions::default();
        let kept = Arc::clone(&sessions);
        let remember = move |ssl: &mut SslRef, session: SslSession| {
            let Some(peer) = ssl.ex_data(peer_index()) else { return };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MOST_SESSIONS && !kept.contains_key(peer) {
                kept.clear();
            }
            kept.insert(peer.clone(), session);
        };
        let context = context::client(&plan, Some(Box::new(remember))).map_err(io::Error::other)?;
        let pairs = Pairs::new(plan.tls.certificate_cache.clone());
        Ok(Self { context, plan, sessions, pairs })
    }

    /// After a reload, files are what they are now.
    pub(in crate::runtime::stream) fn refresh(&self) {
        self.pairs.forget();
    }

    /// A connection to the peer at `address`, which has to be `name`.
    pub(in crate::runtime::stream) fn begin(
        &self,
        address: &str,
        name: &[u8],
        named: &[Named<'_>],
        offers: &[Vec<u8>],
    ) -> Result<Ssl, String> {
        let mut ssl = fresh(&self.context)?;
        named.iter().try_for_each(|named| self.pairs.present(&mut ssl, named))?;
        let failed = |call: &str, error| format!("{call} failed ({})", words::all(&error));
        if let (true, Ok(host)) = (self.plan.send_name, name.to_str())
            && !host.is_empty()
            && host.parse::<IpAddr>().is_err()
        {
            ssl.set_hostname(host).map_err(|error| failed("SSL_set_tlsext_host_name()", error))?;
        }
        let offers = context::wire_format(offers);
        if !offers.is_empty() {
            ssl.set_alpn_protos(&offers).map_err(|error| failed("SSL_set_alpn_protos()", error))?;
        }
        if self.plan.reuse_sessions {
            let peer = format!("{address} {}", name.as_bstr());
            let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(session) = sessions.get(&peer) {
                // It then shakes hands in full.
                let _ = native::resume(&mut ssl, session);
            }
            drop(sessions);
            ssl.set_ex_data(peer_index(), peer);
        }
        ssl.set_connect_state();
        Ok(ssl)
    }

    /// What is wrong with the peer that the handshake was done with, in the log's words.
    pub(in crate::runtime::stream) fn judge(
        &self,
        ssl: &SslRef,
        name: &[u8],
    ) -> Result<(), String> {
        if !self.plan.verify {
            return Ok(());
        }
        let verdict = ssl.verify_result();
        if verdict != X509VerifyResult::OK {
            return Err(format!("upstream SSL certificate verify error: {}", Verdict(verdict)));
        }
        let fits = ssl.peer_certificate().is_some_and(|it| native::is_for_host(&it, name));
        match fits {
            true => Ok(()),
            false => Err(format!("upstream SSL certificate does not match \"{}\"", name.as_bstr())),
        }
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("plan", &self.plan).finish_non_exhaustive()
    }
}

fn fresh(context: &SslContext) -> Result<Ssl, String> {
    Ssl::new(context).map_err(|error| format!("SSL_new() failed ({})", words::all(&error)))
}

fn peer_index() -> Index<Ssl, String> {
    static INDEX: OnceLock<Index<Ssl, String>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL has room for an index"))
}

/// Whether nothing is wrong but that nobody known has signed: what `optional_no_ca` doesn't mind.
fn is_about_signer(verdict: X509VerifyResult) -> bool {
    const SELF_SIGNED: i32 = 18;
    const SELF_SIGNED_IN_CHAIN: i32 = 19;
    const NO_LOCAL_ISSUER: i32 = 20;
    const NO_SIGNATURE_CHECKED: i32 = 21;
    const UNTRUSTED: i32 = 27;
    [SELF_SIGNED, SELF_SIGNED_IN_CHAIN, NO_LOCAL_ISSUER, NO_SIGNATURE_CHECKED, UNTRUSTED]
        .contains(&verdict.as_raw())
}

/// `(18:self-signed certificate)`
struct Verdict(X509VerifyResult);

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}:{})", self.0.as_raw(), self.0.error_string())
    }
}
