//! How it is found out whether a real server is there.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::track::RunAs;
use crate::plan::{is_default, seconds};
use crate::text::Span;

/// One checker of a real server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub kind: CheckKind,
    /// `None` for checks that follow something that is watched elsewhere (a file, a BFD session).
    #[serde(default, skip_serializing_if = "is_default")]
    pub timing: Option<Timing>,
    /// `None` for checks that connect to nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub connection: Option<Connection>,
    /// `alpha`: down until the first success.
    pub alpha: bool,
    pub span: Span,
}

/// When a check runs, and how often it may fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// `delay_loop`
    #[serde(with = "seconds")]
    pub interval: Duration,
    /// Tries after the first failure.
    pub retries: u32,
    #[serde(with = "seconds")]
    pub delay_before_retry: Duration,
    /// `warmup`: the first check comes after a random wait up to this.
    #[serde(with = "seconds")]
    pub warmup: Duration,
    pub log_all_failures: bool,
}

/// Whither a check connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// `connect_ip`; the real server's address where that isn't given.
    pub address: IpAddr,
    pub port: u16,
    #[serde(with = "seconds")]
    pub timeout: Duration,
    /// `bindto`
    #[serde(default, skip_serializing_if = "is_default")]
    pub source: Option<IpAddr>,
    /// `bind_port`
    #[serde(default, skip_serializing_if = "is_default")]
    pub source_port: Option<u16>,
    /// `bind_if`
    #[serde(default, skip_serializing_if = "is_default")]
    pub interface: Option<String>,
    /// `fwmark`; 0: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mark: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    Tcp,
    Ping,
    Http(HttpCheck),
    Smtp {
        helo: Option<String>,
    },
    Dns {
        query: String,
        name: String,
    },
    Udp(UdpCheck),
    Misc(MiscCheck),
    /// The value of a `track_file` is added to the weight.
    File {
        file: String,
        weight: i32,
        reverse: bool,
    },
    Bfd {
        session: String,
    },
}

impl CheckKind {
    /// The keyword of its block.
    pub fn keyword(&self) -> &'static str {
        match self {
            CheckKind::Tcp => "TCP_CHECK",
            CheckKind::Ping => "PING_CHECK",
            CheckKind::Http(http) if http.tls.is_some() => "SSL_GET",
            CheckKind::Http(_) => "HTTP_GET",
            CheckKind::Smtp { .. } => "SMTP_CHECK",
            CheckKind::Dns { .. } => "DNS_CHECK",
            CheckKind::Udp(_) => "UDP_CHECK",
            CheckKind::Misc(_) => "MISC_CHECK",
            CheckKind::File { .. } => "FILE_CHECK",
            CheckKind::Bfd { .. } => "BFD_CHECK",
        }
    }
}

/// `HTTP_GET` and `SSL_GET`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpCheck {
    /// `SSL_GET`
    #[serde(skip_serializing_if = "is_default")]
    pub tls: Option<TlsCheck>,
    /// `1.0`, `1.0C` or `1.1`.
    pub protocol: HttpProtocol,
    #[serde(skip_serializing_if = "is_default")]
    pub fast_recovery: bool,
    pub urls: Vec<Url>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsCheck {
    /// `enable_sni`
    pub sni: bool,
    /// `sni_name`; the virtual host where that isn't given.
    #[serde(skip_serializing_if = "is_default")]
    pub sni_name: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpProtocol {
    #[default]
    #[serde(rename = "1.0")]
    V10,
    /// 1.0 with `Connection: close`.
    #[serde(rename = "1.0C")]
    V10Close,
    #[serde(rename = "1.1")]
    V11,
}

/// `url`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Url {
    pub path: String,
    #[serde(skip_serializing_if = "is_default")]
    pub virtual_host: Option<String>,
    /// First and last of each range; each in 100..=599.
    pub statuses: Vec<(u16, u16)>,
    /// MD5 of the page, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "is_default")]
    pub digest: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub regex: Option<PageRegex>,
    /// `tls_compliant`
    #[serde(skip_serializing_if = "is_default")]
    pub tls_compliant: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageRegex {
    pub pattern: String,
    /// `regex_no_match`: finding it is the failure.
    pub negated: bool,
    pub options: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub least_offset: Option<u64>,
    #[serde(skip_serializing_if = "is_default")]
    pub most_offset: Option<u64>,
    /// Start and most, in bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub stack: Option<(u64, u64)>,
}

/// `UDP_CHECK`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpCheck {
    /// `None`: random bytes are sent.
    #[serde(skip_serializing_if = "is_default")]
    pub payload: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "is_default")]
    pub reply: Option<UdpReply>,
}

/// `require_reply`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpReply {
    /// Each byte's value and which of its bits count; the shorter of this and the answer.
    pub bytes: Vec<(u8, u8)>,
    pub least: u16,
    pub most: u16,
}

/// `MISC_CHECK`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiscCheck {
    pub argv: Vec<String>,
    /// `None`: as long as `delay_loop`.
    #[serde(default, with = "seconds::option")]
    pub timeout: Option<Duration>,
    /// `misc_dynamic`: the exit status changes the weight.
    pub dynamic: bool,
    pub user: Option<RunAs>,
}
