//! What goes over the wire.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{At, Instance};
use crate::plan::Secret;
use crate::plan::wire::{Family, HmacMode};
use crate::text::Span;

/// Of one instance, besides what [`Instance`] has.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    /// Of the first address, or `native_ipv6`.
    pub family: Option<Family>,
    /// `old_unicast_checksum`
    pub old_checksum: Option<OldChecksum>,
    /// `v3_checksum_as_v2`
    pub checksum_as_v2: Option<bool>,
    /// `skip_check_adv_addr`
    pub trust_known_sender: Option<bool>,
    /// `kernel_rx_buf_size`
    pub receive_buffer: Option<u32>,
    /// `auth_hmac`
    pub hmac: Option<Hmac>,
}

/// `old_unicast_checksum [never]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldChecksum {
    Always,
    Never,
}

/// `auth_hmac`
#[derive(Clone, Debug)]
pub struct Hmac {
    pub keys: BTreeMap<u8, Secret>,
    pub active: Option<At<u8>>,
    /// `anti_replay monotonic`
    pub monotonic: bool,
    pub window: Option<Duration>,
    pub mode: HmacMode,
    pub span: Span,
}

/// Of all that don't say.
#[derive(Clone, Debug, Default)]
pub struct GlobalWire {
    /// `vrrp_mcast_group6`
    pub group6: Option<At<IpAddr>>,
    pub checksum_as_v2: bool,
    pub trust_known_sender: bool,
    /// `vrrp_gna_interval`
    pub neighbour_interval: Option<Duration>,
    pub log_unknown_vrids: bool,
    pub no_local_igmp: bool,
    pub buffers: Option<BufferPolicy>,
    /// `vrrp_rx_bufs_multiplier`
    pub buffer_multiplier: Option<u32>,
}

/// `vrrp_rx_bufs_policy`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferPolicy {
    Mtu,
    Advert,
    Bytes(u32),
}

impl Instance {
    /// Is this address of the instance's family? The first one decides which that is.
    pub fn claims(&mut self, address: IpAddr) -> bool {
        let family = Family::of(address);
        *self.wire.family.get_or_insert(family) == family
    }
}
