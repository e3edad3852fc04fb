//! BFD sessions (keepalived.conf(5), "BFD configuration"; RFC 5880): read, checked and shown; what
//! will speak it comes later.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{is_default, seconds};
use crate::text::Span;

/// All `bfd_instance` blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BfdPlan {
    pub sessions: Vec<BfdSession>,
}

/// One `bfd_instance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdSession {
    /// At most 31 bytes; unique.
    pub name: String,
    pub neighbor: IpAddr,
    /// Of the neighbour's family.
    pub source: Option<IpAddr>,
    /// `min_rx`, RFC 5880's RequiredMinRxInterval.
    #[serde(with = "seconds")]
    pub least_receive: Duration,
    /// `min_tx`, DesiredMinTxInterval while up.
    #[serde(with = "seconds")]
    pub send: Duration,
    /// `idle_tx`, while down; at least a second.
    #[serde(with = "seconds")]
    pub send_idle: Duration,
    /// 1..=255
    pub multiplier: u8,
    pub passive: bool,
    /// TTL or hop limit of what is sent.
    pub ttl: u8,
    /// How many hops what is received may have made; 255: not checked.
    pub most_hops: u8,
    /// Port 4784 (RFC 5883) instead of 3784.
    #[serde(default, skip_serializing_if = "is_default")]
    pub multihop: bool,
    /// `weight N [reverse]`: what `track_bfd` lines without a weight use.
    pub weight: i16,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// Whom changes are told.
    pub tell_vrrp: bool,
    pub tell_checkers: bool,
    pub span: Span,
}
