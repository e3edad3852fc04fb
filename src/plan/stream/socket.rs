//! How sockets are set: listening ones, and those to peers.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::super::is_default;
use crate::plan::template::Template;

/// Parameters of `listen` beyond the usual ones; `None` and `false`: the kernel's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenOptions {
    /// `fastopen`: most connections whose handshake isn't complete yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fast_open: Option<u32>,
    /// `deferred`: accepted only when the client has sent something.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deferred: bool,
    /// `so_keepalive=IDLE:INTERVAL:COUNT`, seconds; what isn't given is the kernel's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keepalive: KeepaliveTimes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepaliveTimes {
    #[serde(default, skip_serializing_if = "is_default")]
    pub idle: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub count: Option<u32>,
}

/// What a server does with connections to peers beyond making them. The default costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outward {
    /// `proxy_protocol`
    #[serde(default, skip_serializing_if = "is_default")]
    pub header: Option<HeaderVersion>,
    /// `proxy_bind`
    #[serde(default, skip_serializing_if = "is_default")]
    pub bind: Option<Bind>,
    /// `proxy_upload_rate`, bytes per second; 0, or what isn't a size: no limit.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upload_rate: Option<Template>,
    /// `proxy_download_rate`
    #[serde(default, skip_serializing_if = "is_default")]
    pub download_rate: Option<Template>,
    /// `proxy_socket_rcvbuf`, bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub receive_buffer: Option<u32>,
    /// `proxy_socket_sndbuf`, bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub send_buffer: Option<u32>,
}

impl Outward {
    /// Whether there are texts to be filled in for each session.
    pub fn is_rendered(&self) -> bool {
        let rate = |rate: &Option<Template>| rate.as_ref().is_some_and(|it| it.literal().is_none());
        let bind = self.bind.as_ref().map(|bind| &bind.source);
        rate(&self.upload_rate)
            || rate(&self.download_rate)
            || matches!(bind, Some(BindSource::Template(_)))
    }
}

/// Of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderVersion {
    V1,
    V2,
}

/// `proxy_bind`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    pub source: BindSource,
    /// The address need not be this host's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub transparent: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindSource {
    /// Port 0: any.
    Address(SocketAddr),
    /// ADDRESS or ADDRESS:PORT; nothing where it is empty.
    Template(Template),
}
