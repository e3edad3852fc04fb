//! TLS on either side of a session, by what OpenSSL is told.
//!
//! Files are read where the config is read, by whoever may read them, and travel here with their
//! bytes: a worker has given up its privileges by the time of a reload, and whether a certificate
//! has changed is then a question of whether two plans are equal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ocsp::{Inquiry, Stapling};
use super::secret::Secret;
use super::template::Template;
use super::{is_default, seconds};

/// What both sides have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    pub certificates: Vec<Pair>,
    /// `*_certificate` with variables: read anew for each handshake.
    #[serde(default, skip_serializing_if = "is_default")]
    pub late: Vec<LatePair>,
    /// Those spoken, of [`Version::ALL`].
    pub versions: Vec<Version>,
    /// In OpenSSL's words.
    pub ciphers: String,
    /// `*_verify_depth`
    pub verify_depth: u32,
    /// Whose signatures count.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trusted: Vec<File>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub revoked: Option<File>,
    /// `*_conf_command`
    #[serde(default, skip_serializing_if = "is_default")]
    pub commands: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub alpn: Vec<String>,
    /// `*_certificate_cache`, for those that are read in sessions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub certificate_cache: Option<CertificateCache>,
}

/// How long certificates that were read are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateCache {
    pub most: usize,
    /// Those that nobody has used for so long are dropped.
    #[serde(with = "seconds")]
    pub inactive: Duration,
    /// Those that are older are read again.
    #[serde(with = "seconds")]
    pub valid: Duration,
}

/// Towards clients: `listen … ssl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTls {
    #[serde(flatten)]
    pub tls: Tls,
    #[serde(with = "seconds")]
    pub handshake_timeout: Duration,
    pub prefer_server_ciphers: bool,
    /// `ssl_ecdh_curve`; `None`: OpenSSL's own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub curves: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub dhparam: Option<File>,
    pub verify: Verify,
    /// How many of [`Tls::trusted`] are told to clients: `ssl_client_certificate`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub announced: usize,
    pub cache: SessionCache,
    #[serde(with = "seconds")]
    pub session_timeout: Duration,
    pub tickets: bool,
    /// 48 or 80 bytes each; the first one is for new tickets.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ticket_keys: Vec<Secret>,
    /// `ssl_reject_handshake`
    #[serde(default, skip_serializing_if = "is_default")]
    pub reject: bool,
    /// `ssl_stapling_file`: an OCSP response, DER.
    #[serde(default, skip_serializing_if = "is_default")]
    pub staple: Option<File>,
    /// `ssl_stapling` without a file.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stapling: Option<Stapling>,
    /// `ssl_ocsp`
    #[serde(default, skip_serializing_if = "is_default")]
    pub ocsp: Option<Inquiry>,
}

impl ServerTls {
    /// Whether handshakes can be done with it: it has a certificate, or rejects them all. Another
    /// server of the same address has to have one otherwise.
    pub fn has_context(&self) -> bool {
        self.reject || !self.tls.certificates.is_empty() || !self.tls.late.is_empty()
    }
}

/// Towards peers: `proxy_ssl on`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTls {
    #[serde(flatten)]
    pub tls: Tls,
    pub reuse_sessions: bool,
    pub verify: bool,
    /// `proxy_ssl_server_name`: whether the name is sent.
    pub send_name: bool,
    /// `proxy_ssl_name`; `None`: the host of `proxy_pass`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<Template>,
    /// `proxy_ssl_alpn`, which may have variables.
    #[serde(default, skip_serializing_if = "is_default")]
    pub offers: Vec<Template>,
}

/// A certificate with its chain, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// PEM.
    pub certificate: File,
    /// PEM, not encrypted any more.
    pub key: File,
}

/// The same by names that only a session knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatePair {
    pub certificate: Template,
    pub key: Template,
    /// Relative names start here.
    pub folder: std::path::PathBuf,
    /// `*_password_file`
    #[serde(default, skip_serializing_if = "is_default")]
    pub passwords: Vec<Secret>,
}

/// A file's name, as messages have it, and what was in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub bytes: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "SSLv2")]
    Ssl2,
    #[serde(rename = "SSLv3")]
    Ssl3,
    #[serde(rename = "TLSv1")]
    Tls1,
    #[serde(rename = "TLSv1.1")]
    Tls11,
    #[serde(rename = "TLSv1.2")]
    Tls12,
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

impl Version {
    pub const ALL: [(&str, Version); 6] = [
        ("SSLv2", Version::Ssl2),
        ("SSLv3", Version::Ssl3),
        ("TLSv1", Version::Tls1),
        ("TLSv1.1", Version::Tls11),
        ("TLSv1.2", Version::Tls12),
        ("TLSv1.3", Version::Tls13),
    ];
}

/// `ssl_verify_client`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    #[default]
    Off,
    On,
    Optional,
    OptionalNoCa,
}

/// `ssl_session_cache`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionCache {
    /// Clients are told that sessions can't be resumed.
    Off,
    /// Clients may keep sessions, nobody here does.
    #[default]
    None,
    /// `builtin`, with the number of sessions (OpenSSL's default where 0).
    Builtin(u32),
    /// `shared:NAME:SIZE`, in bytes.
    Shared { name: String, size: usize },
}
