//! Who is let in, and by which address: what stands between accept and content.

use std::net::IpAddr;
use std::time::Duration;

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::super::{is_default, seconds, text};
use crate::plan::process::LogLevel;
use crate::plan::template::Template;

/// Of one server. The default lets everybody in and costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// `proxy_protocol_timeout`
    #[serde(with = "seconds")]
    pub header_timeout: Duration,
    /// `set_real_ip_from`: who is believed about the client's address.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trusted: Vec<Network>,
    /// `allow` and `deny`, in order: the first that holds the client decides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: Vec<Rule>,
    /// `limit_conn`, in order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Vec<Limit>,
    /// `limit_conn_log_level`
    pub limit_level: LogLevel,
    /// `limit_conn_dry_run`
    #[serde(default, skip_serializing_if = "is_default")]
    pub limit_dry_run: bool,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            trusted: Vec::new(),
            rules: Vec::new(),
            limits: Vec::new(),
            limit_level: LogLevel::Error,
            limit_dry_run: false,
        }
    }
}

/// Clients that a directive means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// `all`
    All,
    /// `unix:`
    Unix,
    Ip {
        address: IpAddr,
        /// Of the address's family.
        prefix: u8,
    },
}

impl Network {
    /// One address alone.
    pub fn of(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self::Ip { address, prefix }
    }
}

/// `allow` or `deny`
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    pub allow: bool,
    pub network: Network,
}

/// `limit_conn`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub zone: ZoneId,
    /// Most connections of one key.
    pub most: u32,
}

/// Index into [`StreamPlan::zones`](super::StreamPlan::zones).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ZoneId(pub usize);

/// `limit_conn_zone`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitZone {
    pub name: String,
    /// Bytes, which bound how many keys it holds.
    pub size: u64,
    /// A connection whose key is empty isn't counted.
    pub key: Template,
    /// The key as typed, for logs.
    #[serde(with = "text")]
    pub key_text: BString,
}
