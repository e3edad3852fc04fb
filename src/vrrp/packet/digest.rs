//! Keyed digests by OpenSSL.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

use crate::plan::Secret;

/// HMAC (RFC 2104). Empty where OpenSSL refuses the digest (MD5 in FIPS mode): nothing is equal to
/// that, so nothing is accepted then.
pub(super) fn hmac(digest: MessageDigest, key: &Secret, bytes: &[u8]) -> Vec<u8> {
    let signed = || {
        let key = PKey::hmac(key.expose())?;
        Signer::new(digest, &key)?.sign_oneshot_to_vec(bytes)
    };
    signed().unwrap_or_default()
}

/// Takes the same time wherever the difference is.
pub(super) fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && !one.is_empty() && openssl::memcmp::eq(one, other)
}
