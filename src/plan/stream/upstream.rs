//! Upstreams: their peers, how one of them is chosen, and names that are resolved at run time.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Address;
use crate::plan::template::Template;
use crate::plan::{is_default, seconds};
use crate::text::Span;

/// A group of peers: an `upstream` block, or what a literal `proxy_pass` address makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The block's name, or the address as `proxy_pass` has it.
    pub name: String,
    pub balance: Balance,
    /// Servers of the config in order; a name with several addresses makes several peers.
    pub peers: Vec<Peer>,
    /// Servers with `resolve`, whose addresses come and go at run time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub names: Vec<Name>,
    /// Whom those are asked of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resolver: Option<Box<Resolver>>,
    /// `zone NAME`: a name of the memory that nginx's workers share.
    #[serde(default, skip_serializing_if = "is_default")]
    pub zone: Option<String>,
    pub span: Span,
}

impl Upstream {
    /// What addresses make that stand in `proxy_pass` themselves: one peer each.
    pub fn of_addresses(name: &str, addresses: &[Address], span: Span) -> Self {
        let peer = |address: &Address| Peer {
            name: name.to_owned(),
            address: address.clone(),
            weight: 1,
            max_fails: 1,
            fail_timeout: Duration::from_secs(10),
            max_conns: 0,
            backup: false,
            down: false,
            span,
        };
        Upstream {
            name: name.to_owned(),
            balance: Balance::RoundRobin,
            peers: addresses.iter().map(peer).collect(),
            names: Vec::new(),
            resolver: None,
            zone: None,
            span,
        }
    }
}

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// As in the config, for logs.
    pub name: String,
    pub address: Address,
    pub weight: u32,
    /// 0: never counted as failed.
    pub max_fails: u32,
    #[serde(with = "seconds")]
    pub fail_timeout: Duration,
    /// 0: no limit.
    pub max_conns: u32,
    pub backup: bool,
    pub down: bool,
    pub span: Span,
}

/// How a peer is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Smooth, by weight.
    #[default]
    RoundRobin,
    LeastConn,
    /// `least_time`
    LeastTime {
        until: Timed,
        inflight: bool,
    },
    /// `hash`
    Hash {
        key: Template,
        consistent: bool,
    },
    /// `random`, with what is known of the better of two.
    Random {
        two: Option<Second>,
    },
}

/// How `random two` chooses among the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Second {
    LeastConn,
    LeastTime(Timed),
}

/// What `least_time` counts until.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timed {
    Connect,
    FirstByte,
    LastByte,
}

/// A server with `resolve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub host: String,
    /// 0 with `service`, whose records bring ports.
    pub port: u16,
    /// `service=`: SRV records are asked for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub service: Option<String>,
    /// Its addresses stand before the peer of this index in [`Upstream::peers`].
    pub before: usize,
    /// What each address becomes; its own address means nothing.
    pub peer: Peer,
}

/// `resolver`
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resolver {
    pub servers: Vec<SocketAddr>,
    /// `valid=`, instead of the answers' own TTL.
    #[serde(default, skip_serializing_if = "is_default", with = "seconds::option")]
    pub valid: Option<Duration>,
    pub ipv4: bool,
    pub ipv6: bool,
    /// `resolver_timeout`
    #[serde(with = "seconds")]
    pub timeout: Duration,
}

impl fmt::Display for Balance {
    /// `, least_conn`; nothing for round robin.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Balance::RoundRobin => Ok(()),
            Balance::LeastConn => f.write_str(", least_conn"),
            Balance::LeastTime { until, inflight } => {
                write!(f, ", least_time {until}{}", if *inflight { " inflight" } else { "" })
            }
            Balance::Hash { consistent: false, .. } => f.write_str(", hash"),
            Balance::Hash { consistent: true, .. } => f.write_str(", hash … consistent"),
            Balance::Random { two: None } => f.write_str(", random"),
            Balance::Random { two: Some(Second::LeastConn) } => {
                f.write_str(", random two least_conn")
            }
            Balance::Random { two: Some(Second::LeastTime(until)) } => {
                write!(f, ", random two least_time={until}")
            }
        }
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Timed::Connect => "connect",
            Timed::FirstByte => "first_byte",
            Timed::LastByte => "last_byte",
        })
    }
}
