//! Addresses that are put on interfaces, with what ip-address(8) can say of them.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::is_default;
use crate::text::Span;

/// One line of `virtual_ipaddress`, `virtual_ipaddress_excluded` or `static_ipaddress`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VirtualAddress {
    pub address: IpAddr,
    /// `/MASK`; 32 (128) where the config gives none.
    pub prefix: u8,
    /// `dev`, or an interface that is made for the address; else the instance's.
    pub interface: Option<String>,
    /// `label`, at most 15 bytes.
    pub label: Option<String>,
    pub broadcast: Option<Ipv4Addr>,
    pub scope: Scope,
    /// `peer`: the other end of a point-to-point link; of the address's family.
    #[serde(default, skip_serializing_if = "is_default")]
    pub peer: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub flags: Vec<AddressFlag>,
    /// `preferred_lft` in seconds, [`FOREVER`] for ever. `None`: for ever, but an IPv6 address of a
    /// single host is never preferred as a source.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preferred: Option<u32>,
    /// `no_track`: its loss is nobody's concern.
    #[serde(default, skip_serializing_if = "is_default")]
    pub untracked: bool,
    pub span: SpanKey,
}

/// Of a lifetime (IFA_CACHEINFO's INFINITY_LIFE_TIME).
pub const FOREVER: u32 = u32::MAX;

impl VirtualAddress {
    /// With nothing but the address.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        VirtualAddress {
            address,
            prefix,
            interface: None,
            label: None,
            broadcast: None,
            scope: Scope::default(),
            peer: None,
            flags: Vec::new(),
            preferred: None,
            untracked: false,
            span: SpanKey::default(),
        }
    }
}

/// What ip-address(8) calls CONFFLAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressFlag {
    Home,
    NoDad,
    MngTmpAddr,
    NoPrefixRoute,
    AutoJoin,
}

impl AddressFlag {
    /// The word of a config.
    pub const WORDS: [(&str, AddressFlag); 5] = [
        ("home", AddressFlag::Home),
        ("-nodad", AddressFlag::NoDad),
        ("mngtmpaddr", AddressFlag::MngTmpAddr),
        ("noprefixroute", AddressFlag::NoPrefixRoute),
        ("autojoin", AddressFlag::AutoJoin),
    ];

    /// Does it mean anything for IPv4?
    pub fn concerns_ipv4(self) -> bool {
        matches!(self, AddressFlag::NoPrefixRoute | AddressFlag::AutoJoin)
    }
}

/// A span inside a type that is compared and hashed: it takes no part in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpanKey(pub Span);

impl std::hash::Hash for SpanKey {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// `scope` of an address or route: the kernel's number (rtnetlink(7)). Written as its usual name
/// where it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(pub u8);

impl Scope {
    pub const NAMES: [(&str, Scope); 5] = [
        ("global", Scope(0)),
        ("site", Scope(200)),
        ("link", Scope(253)),
        ("host", Scope(254)),
        ("nowhere", Scope(255)),
    ];
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match Scope::NAMES.iter().find(|(_, scope)| scope == self) {
            Some((name, _)) => name.serialize(out),
            None => self.0.to_string().serialize(out),
        }
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let word = String::deserialize(input)?;
        match Scope::NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, scope)) => Ok(*scope),
            None => word.parse().map(Scope).map_err(serde::de::Error::custom),
        }
    }
}
