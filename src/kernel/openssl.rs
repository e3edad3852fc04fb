//! What OpenSSL has and its Rust binding doesn't wrap: chains for several certificates, its
//! configuration commands, keys for session tickets, what was negotiated.
//!
//! Everything else goes through the `openssl` crate.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uchar, c_uint, c_void};
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::asn1::Asn1GeneralizedTimeRef;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{SslContext, SslContextBuilder, SslContextRef, SslRef, SslSession};
use openssl::x509::store::X509StoreBuilderRef;
use openssl::x509::{X509, X509CrlRef, X509NameRef, X509Ref};
use openssl_sys as ffi;

/// Which side a context is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

/// Adds to the chain of the certificate that was set last.
pub fn add_chain_certificate(
    context: &mut SslContextBuilder,
    certificate: X509,
) -> Result<(), ErrorStack> {
    const CHAIN_CERTIFICATE: c_int = 89;
    const TAKE_REFERENCE: c_long = 1;
    // SAFETY: both pointers are live; the call takes a reference of its own to the certificate.
    let done = unsafe {
        let certificate = certificate.as_ptr().cast();
        ffi::SSL_CTX_ctrl(context.as_ptr(), CHAIN_CERTIFICATE, TAKE_REFERENCE, certificate)
    };
    if done > 0 { Ok(()) } else { Err(ErrorStack::get()) }
}

/// Runs commands of SSL_CONF_cmd(3) on a context. An error says which command it was.
pub fn configure(
    context: &mut SslContextBuilder,
    role: Role,
    commands: &[(String, String)],
) -> Result<(), (usize, ErrorStack)> {
    if commands.is_empty() {
        return Ok(());
    }
    const FILE: c_uint = 0x2;
    const CLIENT: c_uint = 0x4;
    const SERVER: c_uint = 0x8;
    const SHOW_ERRORS: c_uint = 0x10;
    const CERTIFICATE: c_uint = 0x20;
    // SAFETY: the configuration context is freed once below, whatever happens between; the TLS
    // context outlives it; the strings are live and end with a zero.
    unsafe {
        let configuration = SSL_CONF_CTX_new();
        if configuration.is_null() {
            return Err((0, ErrorStack::get()));
        }
        let side = if role == Role::Server { SERVER } else { CLIENT };
        SSL_CONF_CTX_set_flags(configuration, FILE | SHOW_ERRORS | CERTIFICATE | side);
        SSL_CONF_CTX_set_ssl_ctx(configuration, context.as_ptr());
        let mut result = Ok(());
        for (at, (name, value)) in commands.iter().enumerate() {
            // The parser of configs takes no zeros into words.
            let name = CString::new(name.as_str()).unwrap_or_default();
            let value = CString::new(value.as_str()).unwrap_or_default();
            if SSL_CONF_cmd(configuration, name.as_ptr(), value.as_ptr()) <= 0 {
                result = Err((at, ErrorStack::get()));
                break;
            }
        }
        if result.is_ok() && SSL_CONF_CTX_finish(configuration) != 1 {
            result = Err((commands.len() - 1, ErrorStack::get()));
        }
        SSL_CONF_CTX_free(configuration);
        result
    }
}

/// A key that session tickets are sealed with.
#[derive(Clone)]
pub struct TicketKey {
    name: [u8; 16],
    authentication: Vec<u8>,
    encryption: Vec<u8>,
}

impl TicketKey {
    /// From a file of nginx's `ssl_session_ticket_key`: 80 bytes (AES-256) or 48 (AES-128).
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (name, rest) = bytes.split_first_chunk::<16>()?;
        let (first, second) = match rest.len() {
            64 | 32 => rest.split_at(rest.len() / 2),
            _ => return None,
        };
        // The long form has the key of the HMAC first, the short one that of AES.
        let (authentication, encryption) =
            if rest.len() == 64 { (first, second) } else { (second, first) };
        Some(Self {
            name: *name,
            authentication: authentication.to_vec(),
            encryption: encryption.to_vec(),
        })
    }

    /// One that nobody has had before; `None` without a source of chance.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; 80];
        openssl::rand::rand_bytes(&mut bytes).ok()?;
        Self::read(&bytes)
    }

    fn cipher(&self) -> *const ffi::EVP_CIPHER {
        // SAFETY: these return pointers to static tables.
        unsafe {
            if self.encryption.len() == 32 {
                ffi::EVP_aes_256_cbc()
            } else {
                ffi::EVP_aes_128_cbc()
            }
        }
    }
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketKey(********)")
    }
}

/// Where sessions are found by their names.
pub fn set_session_source(
    context: &mut SslContextBuilder,
    find: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) {
    // SAFETY: each session is made for the connection that asks, and belongs to no context yet.
    unsafe {
        context.set_get_session_callback(move |_, id| SslSession::from_der(&find(id)?).ok());
    }
}

/// The keys of now. Where there are none, tickets are neither made nor opened.
pub type TicketKeys = Box<dyn Fn() -> Arc<[TicketKey]> + Send + Sync>;

/// Seals session tickets with the first key, and opens those of any.
pub fn set_ticket_keys(context: &mut SslContextBuilder, keys: TicketKeys) {
    const SET_TICKET_KEY_CALLBACK: c_int = 72;
    context.set_ex_data(ticket_keys(), keys);
    // SAFETY: the command takes a function of the type that `seal_ticket` has.
    unsafe {
        let callback = std::mem::transmute::<TicketCallback, unsafe extern "C" fn()>(seal_ticket);
        ffi::SSL_CTX_callback_ctrl__fixed_rust(
            context.as_ptr(),
            SET_TICKET_KEY_CALLBACK,
            Some(callback),
        );
    }
}

type TicketCallback = unsafe extern "C" fn(
    *mut ffi::SSL,
    *mut c_uchar,
    *mut c_uchar,
    *mut ffi::EVP_CIPHER_CTX,
    *mut ffi::HMAC_CTX,
    c_int,
) -> c_int;

fn ticket_keys() -> Index<SslContext, TicketKeys> {
    static INDEX: OnceLock<Index<SslContext, TicketKeys>> = OnceLock::new();
    *INDEX.get_or_init(|| SslContext::new_ex_index().expect("OpenSSL has room for an index"))
}

/// SAFETY: OpenSSL calls it with live contexts, 16 bytes of name and room for an initialisation
/// vector of EVP_MAX_IV_LENGTH (16) bytes.
unsafe extern "C" fn seal_ticket(
    ssl: *mut ffi::SSL,
    name: *mut c_uchar,
    vector: *mut c_uchar,
    cipher: *mut ffi::EVP_CIPHER_CTX,
    authentication: *mut ffi::HMAC_CTX,
    sealing: c_int,
) -> c_int {
    const FAILED: c_int = -1;
    const UNKNOWN: c_int = 0;
    const DONE: c_int = 1;
    const RENEW: c_int = 2;
    // SAFETY: as above; the keys live as long as the context they belong to.
    unsafe {
        let context = SslContextRef::from_ptr(ffi::SSL_get_SSL_CTX(ssl));
        let Some(keys) = context.ex_data(ticket_keys()) else { return FAILED };
        let keys = keys();
        if keys.is_empty() {
            return UNKNOWN;
        }
        let name = std::slice::from_raw_parts_mut(name, 16);
        let (key, answer) = if sealing == 1 {
            let key = &keys[0];
            name.copy_from_slice(&key.name);
            let random = std::slice::from_raw_parts_mut(vector, 16);
            if openssl::rand::rand_bytes(random).is_err() {
                return FAILED;
            }
            (key, DONE)
        } else {
            match keys.iter().position(|key| key.name == name) {
                None => return UNKNOWN,
                Some(0) => (&keys[0], DONE),
                Some(at) => (&keys[at], RENEW),
            }
        };
        let (engine, secret) = (ptr::null_mut(), key.encryption.as_ptr());
        let begun = if sealing == 1 {
            ffi::EVP_EncryptInit_ex(cipher, key.cipher(), engine, secret, vector)
        } else {
            ffi::EVP_DecryptInit_ex(cipher, key.cipher(), engine, secret, vector)
        };
        let length = key.authentication.len() as c_int;
        let signer = key.authentication.as_ptr().cast();
        let digest = ffi::EVP_sha256();
        if begun != 1
            || ffi::HMAC_Init_ex(authentication, signer, length, digest, ptr::null_mut()) != 1
        {
            return FAILED;
        }
        // A session of TLS 1.3 is used once, so that it is always renewed.
        let always = (*ssl_version(ssl)).to_bytes() == b"TLSv1.3" && sealing == 0;
        if always { RENEW } else { answer }
    }
}

/// SAFETY: `ssl` is live; the string is static.
unsafe fn ssl_version<'a>(ssl: *mut ffi::SSL) -> &'a CStr {
    // SAFETY: as above.
    unsafe { CStr::from_ptr(ffi::SSL_get_version(ssl)) }
}

/// The group that keys were exchanged in, by its short name; unknown ones as `0x001d`.
pub fn group(ssl: &SslRef) -> Option<String> {
    const NEGOTIATED_GROUP: c_int = 134;
    // SAFETY: the command takes no argument and returns a number.
    let group =
        unsafe { ffi::SSL_ctrl(ssl.as_ptr(), NEGOTIATED_GROUP, 0, ptr::null_mut()) } as c_int;
    (group > 0).then(|| group_name(group))
}

/// The groups that the client offers.
pub fn groups(ssl: &SslRef) -> Vec<String> {
    const GROUPS: c_int = 90;
    // SAFETY: without room the command returns how many there are, with room it fills it.
    let numbers = unsafe {
        let count = ffi::SSL_ctrl(ssl.as_ptr(), GROUPS, 0, ptr::null_mut());
        let mut numbers: Vec<c_int> = vec![0; usize::try_from(count).unwrap_or(0)];
        if !numbers.is_empty() {
            ffi::SSL_ctrl(ssl.as_ptr(), GROUPS, 0, numbers.as_mut_ptr().cast());
        }
        numbers
    };
    numbers.into_iter().map(group_name).collect()
}

/// How one side has signed in the handshake; `None`: it hasn't.
pub fn signature(ssl: &SslRef, of: Role) -> Option<String> {
    const PEER_DIGEST: c_int = 108;
    const OWN_DIGEST: c_int = 132;
    let (mut kind, mut digest) = (0, 0);
    // SAFETY: each call fills in one number.
    let done = unsafe {
        let place: *mut c_void = (&raw mut digest).cast();
        let (command, known) = match of {
            Role::Server => (OWN_DIGEST, SSL_get_signature_type_nid(ssl.as_ptr(), &raw mut kind)),
            Role::Client => {
                (PEER_DIGEST, SSL_get_peer_signature_type_nid(ssl.as_ptr(), &raw mut kind))
            }
        };
        known == 1 && ffi::SSL_ctrl(ssl.as_ptr(), command, 0, place) == 1
    };
    let code = SIGNATURES.iter().find(|(_, _, key, hash)| (*key, *hash) == (kind, digest));
    code.filter(|_| done).map(|(_, name, ..)| (*name).to_owned())
}

/// How the client would take what the server signs; unknown ways as `0x0809`.
pub fn offered_signatures(ssl: &SslRef) -> Vec<String> {
    let null = ptr::null_mut();
    // SAFETY: without places the call returns how many there are, and with them fills them in.
    let code = |at: c_int| unsafe {
        let (mut low, mut high) = (0, 0);
        let (low_at, high_at) = (&raw mut low, &raw mut high);
        SSL_get_sigalgs(ssl.as_ptr(), at, null, null, null, low_at, high_at);
        u16::from_be_bytes([high, low])
    };
    // SAFETY: as above.
    let count = unsafe {
        let none = ptr::null_mut();
        SSL_get_sigalgs(ssl.as_ptr(), 0, null, null, null, none, none)
    };
    let name = |code: u16| {
        let known = SIGNATURES.iter().find(|(number, ..)| *number == code);
        known.map_or_else(|| format!("0x{code:04x}"), |(_, name, ..)| (*name).to_owned())
    };
    (0..count).map(|at| name(code(at))).collect()
}

/// RFC 8446's ways to sign: number, name, and OpenSSL's numbers for the key's kind and the digest.
const SIGNATURES: &[(u16, &str, c_int, c_int)] = &[
    (0x0401, "rsa_pkcs1_sha256", 6, 672),
    (0x0501, "rsa_pkcs1_sha384", 6, 673),
    (0x0601, "rsa_pkcs1_sha512", 6, 674),
    (0x0301, "rsa_pkcs1_sha224", 6, 675),
    (0x0201, "rsa_pkcs1_sha1", 6, 64),
    (0x0403, "ecdsa_secp256r1_sha256", 408, 672),
    (0x0503, "ecdsa_secp384r1_sha384", 408, 673),
    (0x0603, "ecdsa_secp521r1_sha512", 408, 674),
    (0x0303, "ecdsa_sha224", 408, 675),
    (0x0203, "ecdsa_sha1", 408, 64),
    (0x0804, "rsa_pss_rsae_sha256", 912, 672),
    (0x0805, "rsa_pss_rsae_sha384", 912, 673),
    (0x0806, "rsa_pss_rsae_sha512", 912, 674),
    (0x0809, "rsa_pss_pss_sha256", -1, 672),
    (0x080a, "rsa_pss_pss_sha384", -1, 673),
    (0x080b, "rsa_pss_pss_sha512", -1, 674),
    (0x0807, "ed25519", 1087, 0),
    (0x0808, "ed448", 1088, 0),
];

fn group_name(number: c_int) -> String {
    const UNKNOWN: c_int = 0x0100_0000;
    if number & UNKNOWN == 0 {
        // SAFETY: the names are static strings, or null for a number that has none.
        let name = unsafe { ffi::OBJ_nid2sn(number) };
        if !name.is_null() {
            // SAFETY: as above.
            return unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        }
    }
    format!("0x{:04x}", number & 0xffff)
}

/// The ciphers that the client offers; unknown ones as `0x1301`.
pub fn offered_ciphers(ssl: &SslRef) -> Vec<String> {
    const RAW_CIPHERS: c_int = 110;
    let mut list: *const c_uchar = ptr::null();
    // SAFETY: with a place for the list the command returns its length in bytes and where it is,
    // which is good as long as the connection; without one, the length of an entry.
    let (list, width) = unsafe {
        let width = ffi::SSL_ctrl(ssl.as_ptr(), RAW_CIPHERS, 0, ptr::null_mut());
        let place: *mut c_void = (&raw mut list).cast();
        let length = ffi::SSL_ctrl(ssl.as_ptr(), RAW_CIPHERS, 0, place);
        let (Ok(length), Ok(width)) = (usize::try_from(length), usize::try_from(width)) else {
            return Vec::new();
        };
        if list.is_null() || width == 0 {
            return Vec::new();
        }
        (std::slice::from_raw_parts(list, length), width)
    };
    let name = |number: &[u8]| {
        // SAFETY: the number has as many bytes as the connection's ciphers have; ciphers and their
        // names are static.
        unsafe {
            let cipher = SSL_CIPHER_find(ssl.as_ptr(), number.as_ptr());
            if cipher.is_null() {
                let digits: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("0x{digits}")
            } else {
                CStr::from_ptr(ffi::SSL_CIPHER_get_name(cipher)).to_string_lossy().into_owned()
            }
        }
    };
    list.chunks_exact(width).map(name).collect()
}

/// How long it is until then; `None`: it is past.
pub fn time_until(time: &Asn1GeneralizedTimeRef) -> Option<Duration> {
    let (mut days, mut seconds) = (0, 0);
    // SAFETY: a generalized time is one of the two kinds that the call takes; it only fills in
    // numbers. Without a first time it takes the one of now.
    let done = unsafe {
        let time = time.as_ptr().cast::<ffi::ASN1_TIME>();
        ffi::ASN1_TIME_diff(&raw mut days, &raw mut seconds, ptr::null(), time)
    };
    let all = i64::from(days) * 86_400 + i64::from(seconds);
    u64::try_from(all).ok().filter(|_| done == 1).map(Duration::from_secs)
}

/// Whether bytes have been read that nobody has asked for yet.
pub fn has_pending(ssl: &SslRef) -> bool {
    // SAFETY: the connection is live.
    unsafe { SSL_has_pending(ssl.as_ptr()) == 1 }
}

/// Makes a connection resume this session, if the peer still knows it.
pub fn resume(ssl: &mut SslRef, session: &openssl::ssl::SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: callers keep a session with the context that it was made with.
    unsafe { ssl.set_session(session) }
}

/// Adds a list of revoked certificates to those that a store knows.
pub fn add_revocations(store: &X509StoreBuilderRef, list: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both pointers are live; the store takes a reference of its own.
    let done = unsafe { X509_STORE_add_crl(store.as_ptr(), list.as_ptr()) };
    if done == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}

/// How long a session may be resumed.
pub fn set_session_timeout(context: &mut SslContextBuilder, seconds: u64) {
    // SAFETY: the context is live.
    unsafe {
        SSL_CTX_set_timeout(context.as_ptr(), c_long::try_from(seconds).unwrap_or(c_long::MAX))
    };
}

/// Whether a certificate is for a host of this name.
pub fn is_for_host(certificate: &X509Ref, name: &[u8]) -> bool {
    // SAFETY: the name is read up to its length; nothing is returned but the verdict.
    unsafe {
        let (name, length) = (name.as_ptr().cast(), name.len());
        X509_check_host(certificate.as_ptr(), name, length, 0, ptr::null_mut()) == 1
    }
}

/// A name as RFC 2253 writes it.
pub fn name_text(name: &X509NameRef) -> String {
    const RFC_2253: std::ffi::c_ulong = 0x0111_0317 & !0x4;
    // SAFETY: the memory is OpenSSL's, live until the buffer is freed below.
    unsafe {
        let buffer = ffi::BIO_new(ffi::BIO_s_mem());
        if buffer.is_null() {
            return String::new();
        }
        X509_NAME_print_ex(buffer, name.as_ptr(), 0, RFC_2253);
        let mut text: *mut c_char = ptr::null_mut();
        let length = ffi::BIO_get_mem_data(buffer, &raw mut text);
        let bytes = match usize::try_from(length) {
            Ok(length) if !text.is_null() => std::slice::from_raw_parts(text.cast::<u8>(), length),
            _ => &[],
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        ffi::BIO_free_all(buffer);
        text
    }
}

#[repr(C)]
struct Configuration {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn SSL_CONF_CTX_new() -> *mut Configuration;
    fn SSL_get_signature_type_nid(ssl: *const ffi::SSL, kind: *mut c_int) -> c_int;
    fn SSL_get_peer_signature_type_nid(ssl: *const ffi::SSL, kind: *mut c_int) -> c_int;
    fn SSL_get_sigalgs(
        ssl: *mut ffi::SSL,
        at: c_int,
        signature: *mut c_int,
        digest: *mut c_int,
        both: *mut c_int,
        low: *mut c_uchar,
        high: *mut c_uchar,
    ) -> c_int;
    fn SSL_has_pending(ssl: *const ffi::SSL) -> c_int;
    fn SSL_CONF_CTX_free(configuration: *mut Configuration);
    fn SSL_CONF_CTX_finish(configuration: *mut Configuration) -> c_int;
    fn SSL_CONF_CTX_set_flags(configuration: *mut Configuration, flags: c_uint) -> c_uint;
    fn SSL_CONF_CTX_set_ssl_ctx(configuration: *mut Configuration, context: *mut ffi::SSL_CTX);
    fn SSL_CONF_cmd(
        configuration: *mut Configuration,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    fn SSL_CTX_set_timeout(context: *mut ffi::SSL_CTX, seconds: c_long) -> c_long;
    fn X509_STORE_add_crl(store: *mut ffi::X509_STORE, list: *mut ffi::X509_CRL) -> c_int;
    fn X509_check_host(
        certificate: *mut ffi::X509,
        name: *const c_char,
        length: usize,
        flags: c_uint,
        found: *mut *mut c_char,
    ) -> c_int;
    fn X509_NAME_print_ex(
        out: *mut ffi::BIO,
        name: *const ffi::X509_NAME,
        indent: c_int,
        flags: std::ffi::c_ulong,
    ) -> c_int;
    fn SSL_CIPHER_find(ssl: *mut ffi::SSL, number: *const c_uchar) -> *const ffi::SSL_CIPHER;
}
