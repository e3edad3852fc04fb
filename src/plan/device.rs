//! Interfaces that a virtual router makes for itself: virtual MAC (macvlan), ipvlan.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::is_default;

/// A virtual MAC interface: `use_vmac` of an instance or of an address; or an ipvlan interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    /// The interface below it.
    pub base: String,
    pub mac: Mac,
    pub ipv6: bool,
    /// `vmac_xmit_base`: adverts go over the interface below.
    #[serde(default, skip_serializing_if = "is_default")]
    pub transmit_base: bool,
    /// It is one of ipvlan: with the hardware address of the interface below.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ipvlan: Option<Ipvlan>,
}

impl Device {
    pub fn is_macvlan(&self) -> bool {
        self.ipvlan.is_none()
    }
}

/// `use_ipvlan`
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Ipvlan {
    /// Its own address and the prefix, which adverts come from.
    #[serde(skip_serializing_if = "is_default")]
    pub address: Option<(IpAddr, u8)>,
    pub mode: IpvlanMode,
}

/// Who may speak to whom on one interface below (ip-link(8)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpvlanMode {
    #[default]
    Bridge,
    Private,
    Vepa,
}

/// The nftables table that keeps packets from virtual addresses and interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// `nftables`: its name.
    pub table: String,
    /// Nobody asked for it, but it is needed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub implied: bool,
    /// `nftables_priority`
    pub priority: i32,
    /// `nftables_counters`
    #[serde(default, skip_serializing_if = "is_default")]
    pub counters: bool,
}

/// A hardware address, written `00:00:5e:00:01:33`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Of a virtual router (RFC 9568 section 7.3).
    pub fn of_router(vrid: u8, ipv6: bool) -> Self {
        Mac([0x00, 0x00, 0x5e, 0x00, if ipv6 { 2 } else { 1 }, vrid])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.to_string().serialize(out)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let bytes: Result<Vec<u8>, _> =
            text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect();
        let bytes = bytes.map_err(serde::de::Error::custom)?;
        let bytes = bytes.try_into().map_err(|_| serde::de::Error::custom("not six bytes"))?;
        Ok(Mac(bytes))
    }
}
