//! What goes over the wire, besides what every config says: families, checksums, HMAC keys,
//! sockets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rare::Unsaid;
use super::secret::Secret;
use super::{is_default, seconds};

/// IANA's group for VRRP (RFC 3768 section 5.2.2).
pub const GROUP4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
/// The same for IPv6 (RFC 5798 section 5.1.2.2).
pub const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

/// What VRRP is spoken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// IANA's group.
    pub fn group(self) -> IpAddr {
        match self {
            Family::V4 => GROUP4,
            Family::V6 => GROUP6,
        }
    }
}

/// Of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wire {
    #[serde(default, skip_serializing_if = "is_default")]
    pub checksum: Checksum,
    /// `skip_check_adv_addr`: addresses are compared only when another router is heard.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trust_known_sender: bool,
    /// `auth_hmac`
    #[serde(default, skip_serializing_if = "is_default")]
    pub hmac: Option<Hmac>,
    /// `kernel_rx_buf_size`, in bytes
    #[serde(default, skip_serializing_if = "is_default")]
    pub receive_buffer: Option<u32>,
}

impl Unsaid for Wire {
    const UNSAID: &'static Self = &Wire {
        checksum: Checksum::Usual,
        trust_known_sender: false,
        hmac: None,
        receive_buffer: None,
    };
}

/// What the checksum of version 3 covers over IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checksum {
    /// The pseudo header of the packet as well (RFC 5798); a unicast peer that is heard to do it
    /// in the old way is answered in the old way.
    #[default]
    Usual,
    /// `old_unicast_checksum never`: nobody is answered in the old way.
    AlwaysNew,
    /// `old_unicast_checksum`: the pseudo header names the group though the packet is unicast.
    Old,
    /// `v3_checksum_as_v2`: only the PDU.
    WithoutPseudoHeader,
}

/// Of the whole role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sockets {
    /// `log_unknown_vrids`
    #[serde(default, skip_serializing_if = "is_default")]
    pub log_unknown_vrids: bool,
    /// `disable_local_igmp`
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_local_igmp: bool,
    /// `vrrp_rx_bufs_policy`
    #[serde(default, skip_serializing_if = "is_default")]
    pub buffers: Option<Buffers>,
}

/// How large a socket's receive buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Buffers {
    /// The interface's MTU, so often for each instance.
    Mtu(u32),
    /// The instance's advert, so often.
    Advert(u32),
    /// Bytes for each instance.
    Bytes(u32),
}

/// `auth_hmac`: a trailer behind every advert (keepalived 2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hmac {
    /// By id, 1..=255; at least one, each of 32 to 64 bytes.
    pub keys: BTreeMap<u8, Secret>,
    /// The one that signs; one of `keys`.
    pub active: u8,
    pub anti_replay: AntiReplay,
    pub mode: HmacMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AntiReplay {
    /// Newer than the last one, and sent at most so long ago (or ahead).
    Time {
        #[serde(with = "seconds")]
        window: Duration,
    },
    /// Newer than the last one.
    Monotonic,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacMode {
    /// Signs, and accepts only what is signed.
    #[default]
    Enforce,
    /// Signs, and also accepts what has no trailer.
    Permissive,
    /// Signs nothing; accepts what has no trailer, or a good one.
    ReceiveOnly,
}
