//! What goes over the wire: versions, sources and destinations, authentication, checksums.

use super::super::{Row, nothing};
use super::{AUTHENTICATION, HMAC, INSTANCE, authentication, hmac, speech, unicast};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(INSTANCE, "version", "2|3", "VRRP version")
        .default("vrrp_version")
        .full(speech::version),
    Row::of(INSTANCE, "authentication", "", "Password in every advert")
        .block("vrrp_instance authentication")
        .full(nothing),
    Row::of(AUTHENTICATION, "auth_type", "PASS|AH", "How adverts are authenticated")
        .full(authentication::auth_type),
    Row::of(
        AUTHENTICATION,
        "auth_pass",
        "PASSWORD",
        "At most 8 bytes; sent in clear by PASS, a key with AH",
    )
    .full(authentication::auth_pass),
    Row::of(INSTANCE, "mcast_src_ip", "ADDRESS", "Source address of adverts")
        .default("the interface's primary address")
        .full(speech::mcast_src_ip),
    Row::of(INSTANCE, "mcast_dst_ip", "ADDRESS", "Multicast group of adverts")
        .default("vrrp_mcast_group4 or vrrp_mcast_group6")
        .full(speech::mcast_dst_ip),
    Row::of(INSTANCE, "unicast_peer", "", "Send adverts to these addresses instead of the group")
        .lines()
        .full(unicast::peers),
    Row::of(INSTANCE, "unicast_src_ip", "ADDRESS", "Source address of unicast adverts")
        .default("the interface's primary address")
        .full(unicast::source),
    Row::of(INSTANCE, "unicast_ttl", "0..255", "TTL of unicast adverts")
        .default("255; 64 over IPv6")
        .full(unicast::ttl),
    Row::of(
        INSTANCE,
        "unicast_fault_no_peer",
        "",
        "Fault instead of multicast where no peer is given",
    )
    .full(unicast::fault_without_peer),
    Row::of(INSTANCE, "check_unicast_src", "", "Only hear configured peers")
        .full(unicast::check_source),
    Row::of(INSTANCE, "old_unicast_checksum", "[never]", "An old checksum of version 3")
        .full(speech::old_unicast_checksum),
    Row::of(INSTANCE, "native_ipv6", "", "Speak VRRP over IPv6").full(speech::native_ipv6),
    Row::of(INSTANCE, "auth_hmac", "", "Authenticate adverts with HMAC-SHA256")
        .newer()
        .block("vrrp_instance auth_hmac")
        .full(hmac::begin),
    Row::of(HMAC, "key", "ID KEY", "A key of 32 to 64 bytes: text, `hex:` or `file:`")
        .newer()
        .adds()
        .full(hmac::key),
    Row::of(HMAC, "active_key", "ID", "The key that signs").newer().full(hmac::active_key),
    Row::of(HMAC, "anti_replay", "time|monotonic", "How old adverts are told")
        .newer()
        .default("time")
        .full(hmac::anti_replay),
    Row::of(HMAC, "time_window", "1..300", "How many seconds clocks may differ")
        .newer()
        .default("3 × advert_int, at least 5")
        .full(hmac::time_window),
    Row::of(HMAC, "mode", "enforce|permissive|receive-only", "What unsigned adverts are worth")
        .newer()
        .default("enforce")
        .full(hmac::mode),
    Row::of(INSTANCE, "v3_checksum_as_v2", "[BOOL]", "Checksum of version 3 without pseudo header")
        .newer()
        .full(speech::checksum_as_v2),
    Row::of(INSTANCE, "owner_ignore_adverts", "", "The owner of the addresses ignores adverts")
        .newer()
        .full(super::conduct::owner_ignores_adverts),
    Row::of(
        INSTANCE,
        "skip_check_adv_addr",
        "[BOOL]",
        "Don't compare the addresses in every advert",
    )
    .full(speech::skip_check_adv_addr),
    Row::of(INSTANCE, "kernel_rx_buf_size", "BYTES", "Receive buffer of the VRRP socket")
        .bare()
        .full(speech::kernel_rx_buf_size),
];
