//! What is typed about letting clients in and going out to peers.

use std::time::Duration;

use bstr::BString;

use crate::plan::process::LogLevel;
use crate::plan::stream::{HeaderVersion, Network, Rule};
use crate::text::Span;

/// `limit_conn_zone`
#[derive(Clone, Debug)]
pub struct LimitZone {
    pub name: String,
    pub size: u64,
    /// As typed.
    pub key: BString,
}

/// In `stream {}` or `server {}`.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    pub header_timeout: Option<Duration>,
    pub trusted: Vec<Network>,
    pub rules: Vec<Rule>,
    pub limits: Vec<Limit>,
    pub limit_level: Option<LogLevel>,
    pub limit_dry_run: Option<bool>,
    /// `proxy_protocol`; inner `None`: off.
    pub header: Option<Option<HeaderVersion>>,
    /// `proxy_bind`; inner `None`: off.
    pub bind: Option<Option<Bind>>,
    pub upload_rate: Option<BString>,
    pub download_rate: Option<BString>,
    pub receive_buffer: Option<usize>,
    pub send_buffer: Option<usize>,
}

/// `limit_conn`
#[derive(Clone, Debug)]
pub struct Limit {
    pub zone: String,
    pub most: u32,
    pub span: Span,
}

/// `proxy_bind`
#[derive(Clone, Debug)]
pub struct Bind {
    /// As typed.
    pub address: BString,
    pub transparent: bool,
}

impl Doors {
    /// A server's with what it inherits: lists as a whole.
    pub(in crate::nginx) fn over(&self, outer: &Self) -> Self {
        fn list<T: Clone>(own: &[T], outer: &[T]) -> Vec<T> {
            if own.is_empty() { outer.to_vec() } else { own.to_vec() }
        }
        Self {
            header_timeout: self.header_timeout.or(outer.header_timeout),
            trusted: list(&self.trusted, &outer.trusted),
            rules: list(&self.rules, &outer.rules),
            limits: list(&self.limits, &outer.limits),
            limit_level: self.limit_level.or(outer.limit_level),
            limit_dry_run: self.limit_dry_run.or(outer.limit_dry_run),
            header: self.header.or(outer.header),
            bind: self.bind.clone().or_else(|| outer.bind.clone()),
            upload_rate: self.upload_rate.clone().or_else(|| outer.upload_rate.clone()),
            download_rate: self.download_rate.clone().or_else(|| outer.download_rate.clone()),
            receive_buffer: self.receive_buffer.or(outer.receive_buffer),
            send_buffer: self.send_buffer.or(outer.send_buffer),
        }
    }
}
