//! Questions about certificates, and what responders' answers say of them: RFC 6960 by OpenSSL.

use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::ocsp::{
    OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse, OcspResponseStatus,
};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreRef;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::words;
use crate::kernel::openssl as native;

/// How far clocks may differ.
const SLACK: u32 = 300;

/// A question about one certificate.
#[allow(missing_debug_implementations)]
pub struct Question {
    id: OcspCertId,
    /// In DER.
    pub der: Vec<u8>,
    /// What no other certificate has.
    pub name: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Revoked,
    Unknown,
}

/// What an answer says, and how long that holds; `None`: nobody says.
pub type Said = (Verdict, Option<Duration>);

/// Who may have signed answers.
#[allow(missing_debug_implementations)]
pub struct Trust<'a> {
    pub store: &'a X509StoreRef,
    /// Certificates that came along, one of which may be the signer's.
    pub chain: &'a [X509],
    pub signer: Signer,
}

/// Whose signature under an answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// That of who has signed the certificate, or has been named by them.
    Issuer,
    /// The same, and that of whoever came along.
    Companion,
    Anybody,
}

impl Question {
    pub fn about(certificate: &X509Ref, issuer: &X509Ref) -> Result<Self, ErrorStack> {
        let id = || OcspCertId::from_cert(MessageDigest::sha1(), certificate, issuer);
        let mut request = OcspRequest::new()?;
        request.add_id(id()?)?;
        let both = [certificate.to_der()?, issuer.to_der()?].concat();
        let name = hash(MessageDigest::sha256(), &both)?;
        let name = name.as_ref().try_into().unwrap_or_default();
        Ok(Self { id: id()?, der: request.to_der()?, name })
    }

    /// # Errors
    /// What is wrong with the answer, in the log's words.
    pub fn judge(&self, answer: &[u8], trust: &Trust<'_>) -> Result<Said, String> {
        let failed =
            |call: &str, error: &ErrorStack| format!("{call}() failed ({})", words::all(error));
        let response =
            OcspResponse::from_der(answer).map_err(|error| failed("d2i_OCSP_RESPONSE", &error))?;
        let status = response.status();
        if status != OcspResponseStatus::SUCCESSFUL {
            let status = status.as_raw();
            return Err(format!("OCSP response not successful ({status}: {})", refusal(status)));
        }
        let basic = response.basic().map_err(|error| failed("OCSP_response_get1_basic", &error))?;
        let mut chain = Stack::new().map_err(|error| failed("sk_X509_new", &error))?;
        for certificate in trust.chain {
            let pushed = chain.push(certificate.clone());
            pushed.map_err(|error| failed("sk_X509_push", &error))?;
        }
        let flags = match trust.signer {
            Signer::Issuer => OcspFlag::empty(),
            Signer::Companion => OcspFlag::TRUST_OTHER,
            Signer::Anybody => OcspFlag::NO_VERIFY,
        };
        basic
            .verify(&chain, trust.store, flags)
            .map_err(|error| failed("OCSP_basic_verify", &error))?;
        let found = basic
            .find_status(&self.id)
            .ok_or("certificate status not found in the OCSP response")?;
        found.check_validity(SLACK, None).map_err(|error| failed("OCSP_check_validity", &error))?;
        let verdict = match found.status {
            OcspCertStatus::GOOD => Verdict::Good,
            OcspCertStatus::REVOKED => Verdict::Revoked,
            _ => Verdict::Unknown,
        };
        Ok((verdict, found.next_update().and_then(native::time_until)))
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Good => "good",
            Verdict::Revoked => "revoked",
            Verdict::Unknown => "unknown",
        })
    }
}

/// Who has signed it, of those who may have.
pub fn issuer<'a>(
    certificate: &X509Ref,
    mut candidates: impl Iterator<Item = &'a X509Ref>,
) -> Option<&'a X509Ref> {
    candidates.find(|candidate| candidate.issued(certificate) == X509VerifyResult::OK)
}

/// The first responder that a certificate names.
pub fn responder(certificate: &X509Ref) -> Option<String> {
    let named = certificate.ocsp_responders().ok()?;
    named.iter().next().map(|url| url.to_string())
}

/// OpenSSL's words for an answer that says nothing of certificates.
fn refusal(status: i32) -> &'static str {
    match status {
        1 => "malformedrequest",
        2 => "internalerror",
        3 => "trylater",
        5 => "sigrequired",
        6 => "unauthorized",
        _ => "(UNKNOWN)",
    }
}
