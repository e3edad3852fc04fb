//! What goes over the wire: versions, sources and destinations, authentication, checksums.

use super::super::{Row, nothing};
use super::{AUTHENTICATION, HMAC, INSTANCE, NO_AH, NO_HMAC, NO_IPV6, set, unicast};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(INSTANCE, "version", "2|3", "VRRP version").default("vrrp_version").full(set::version),
    Row::of(INSTANCE, "authentication", "", "Password in every advert")
        .block("vrrp_instance authentication")
        .partial("PASS only", nothing),
    Row::of(AUTHENTICATION, "auth_type", "PASS|AH", "How adverts are authenticated")
        .partial(NO_AH, set::auth_type),
    Row::of(AUTHENTICATION, "auth_pass", "PASSWORD", "At most 8 bytes; sent in clear")
        .full(set::auth_pass),
    Row::of(INSTANCE, "mcast_src_ip", "ADDRESS", "Source address of adverts")
        .default("the interface's primary address")
        .full(set::mcast_src_ip),
    Row::of(INSTANCE, "mcast_dst_ip", "ADDRESS", "Multicast group of adverts")
        .default("vrrp_mcast_group4")
        .full(set::mcast_dst_ip),
    Row::of(INSTANCE, "unicast_peer", "", "Send adverts to these addresses instead of the group")
        .lines()
        .partial("IPv4", unicast::peers),
    Row::of(INSTANCE, "unicast_src_ip", "ADDRESS", "Source address of unicast adverts")
        .default("the interface's primary address")
        .full(unicast::source),
    Row::of(INSTANCE, "unicast_ttl", "0..255", "TTL of unicast adverts")
        .default("255")
        .full(unicast::ttl),
    Row::of(
        INSTANCE,
        "unicast_fault_no_peer",
        "",
        "Fault instead of multicast where no peer is given",
    )
    .partial("where there is none, the instance isn't run at all", unicast::fault_without_peer),
    Row::of(INSTANCE, "check_unicast_src", "", "Only hear configured peers")
        .full(unicast::check_source),
    Row::of(INSTANCE, "old_unicast_checksum", "[never]", "An old checksum of version 3")
        .refused("the checksum is always that of RFC 5798"),
    Row::of(INSTANCE, "native_ipv6", "", "Speak VRRP over IPv6").refused(NO_IPV6).set(set::ipv6),
    Row::of(INSTANCE, "auth_hmac", "", "Authenticate adverts with HMAC-SHA256")
        .newer()
        .block("vrrp_instance auth_hmac")
        .refused(NO_HMAC)
        .set(set::hmac),
    Row::of(HMAC, "key", "ID KEY", "A key").newer().adds().refused(NO_HMAC),
    Row::of(HMAC, "active_key", "ID", "The key that signs").newer().refused(NO_HMAC),
    Row::of(HMAC, "anti_replay", "time|monotonic", "How old adverts are told")
        .newer()
        .refused(NO_HMAC),
    Row::of(HMAC, "time_window", "SECONDS", "How far clocks may differ").newer().refused(NO_HMAC),
    Row::of(HMAC, "mode", "enforce|permissive|receive-only", "What unsigned adverts are worth")
        .newer()
        .refused(NO_HMAC),
    Row::of(INSTANCE, "v3_checksum_as_v2", "[BOOL]", "Checksum of version 3 without pseudo header")
        .newer()
        .refused("the checksum always covers the pseudo header"),
    Row::of(INSTANCE, "owner_ignore_adverts", "", "The owner of the addresses ignores adverts")
        .newer()
        .full(super::conduct::owner_ignores_adverts),
    Row::of(
        INSTANCE,
        "skip_check_adv_addr",
        "[BOOL]",
        "Don't compare the addresses in every advert",
    )
    .ignored("comparing them costs next to nothing"),
    Row::of(INSTANCE, "kernel_rx_buf_size", "BYTES", "Receive buffer of the VRRP socket")
        .bare()
        .ignored("the kernel's default holds thousands of adverts"),
];
