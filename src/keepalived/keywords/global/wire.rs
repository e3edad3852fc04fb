//! What goes over the wire, for instances that don't say.

use super::super::Row;
use super::{GLOBAL, set, speech};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(GLOBAL, "vrrp_version", "2|3", "VRRP version of instances that don't say")
        .default("2")
        .full(set::vrrp_version),
    Row::of(GLOBAL, "vrrp_mcast_group4", "ADDRESS", "Multicast group of adverts over IPv4")
        .default("224.0.0.18")
        .full(set::mcast_group4),
    Row::of(GLOBAL, "vrrp_mcast_group6", "ADDRESS", "Multicast group of adverts over IPv6")
        .default("ff02::12")
        .full(speech::mcast_group6),
    Row::of(
        GLOBAL,
        "vrrp_skip_check_adv_addr",
        "[BOOL]",
        "Don't compare the addresses in every advert",
    )
    .full(speech::skip_check_adv_addr),
    Row::of(GLOBAL, "vrrp_check_unicast_src", "", "Only hear configured peers")
        .full(set::check_unicast_src),
    Row::of(GLOBAL, "vrrp_owner_ignore_adverts", "", "The owner of the addresses ignores adverts")
        .newer()
        .full(super::conduct::owner_ignores_adverts),
    Row::of(GLOBAL, "v3_checksum_as_v2", "[BOOL]", "Checksum of version 3 without pseudo header")
        .newer()
        .full(speech::checksum_as_v2),
    Row::of(GLOBAL, "log_unknown_vrids", "", "Log adverts for VRIDs that aren't configured")
        .full(speech::log_unknown_vrids),
    Row::of(GLOBAL, "vrrp_rx_bufs_policy", "MTU|ADVERT|BYTES", "VRRP sockets' receive buffers")
        .bare()
        .full(speech::buffer_policy),
    Row::of(GLOBAL, "vrrp_rx_bufs_multiplier", "NUMBER", "How many adverts they hold")
        .bare()
        .default("3")
        .full(speech::buffer_multiplier),
];
