//! `vrrp_instance` and `vrrp_sync_group` (keepalived.conf(5), "VRRP instance(s)", "VRRP
//! synchronization group(s)").
//!
//! The rows; [`set`] has what they do, [`unicast`] those about peers.

mod set;
mod unicast;

use super::{Row, address, nothing, track};

const INSTANCE: &[&str] = &["vrrp_instance"];
const GROUP: &[&str] = &["vrrp_sync_group"];
const BOTH: &[&str] = &["vrrp_instance", "vrrp_sync_group"];
const AUTHENTICATION: &[&str] = &["vrrp_instance authentication"];
const HMAC: &[&str] = &["vrrp_instance auth_hmac"];

pub(super) const NO_VMAC: &str =
    "there are no virtual MAC interfaces; an instance that asks for one isn't run";
const NO_IPV6: &str = "IPv6 isn't spoken; an instance that asks for it isn't run";
const NO_AH: &str = "AH authentication isn't done; an instance that asks for it isn't run";
const NO_HMAC: &str = "HMAC authentication isn't done; an instance that asks for it isn't run";
const NO_GROUPS: &str =
    "instances can't yet change state together; the members of a sync group aren't run";
const NO_VRF: &str = "VRFs aren't known; an instance that asks for one isn't run";
const NO_TRACKING: &str = "only scripts are tracked; the priority stays as if all were well";
const NO_MAIL: &str = "no mail is sent";
const NO_ROUTES: &str = "routes and rules aren't moved with the addresses";
const STRICTNESS: &str = "the checks of strict mode aren't made";

pub(super) const TABLE: &[Row] = &[
    Row::of(
        &["main"],
        "vrrp_instance",
        "NAME",
        "One virtual router: what it announces, where, and what it tracks",
    )
    .bare()
    .block("vrrp_instance")
    .partial("IPv4", set::instance),
    Row::of(INSTANCE, "state", "MASTER|BACKUP", "What to begin as")
        .default("BACKUP")
        .full(set::state),
    Row::of(
        INSTANCE,
        "interface",
        "INTERFACE",
        "Where adverts are sent and heard; addresses go here unless they say otherwise",
    )
    .full(set::interface),
    Row::of(
        INSTANCE,
        "virtual_router_id",
        "1..255",
        "Tells the virtual routers on one network apart; the same on all nodes",
    )
    .full(set::virtual_router_id),
    Row::of(INSTANCE, "priority", "1..255", "The highest becomes master; 255 owns the addresses")
        .default("100; 255 with `state MASTER`")
        .full(set::priority),
    Row::of(INSTANCE, "advert_int", "SECONDS", "Time between two adverts; the same on all nodes")
        .default("1")
        .full(set::advert_int),
    Row::of(INSTANCE, "version", "2|3", "VRRP version").default("vrrp_version").full(set::version),
    Row::of(INSTANCE, "authentication", "", "Password in every advert")
        .block("vrrp_instance authentication")
        .partial("PASS only", nothing),
    Row::of(AUTHENTICATION, "auth_type", "PASS|AH", "How adverts are authenticated")
        .partial(NO_AH, set::auth_type),
    Row::of(AUTHENTICATION, "auth_pass", "PASSWORD", "At most 8 bytes; sent in clear")
        .full(set::auth_pass),
    Row::of(INSTANCE, "virtual_ipaddress", "", "Addresses that the master holds and announces")
        .lines()
        .partial(
            "IPv4; of the options ADDRESS[/PREFIX], dev, label, brd and scope",
            address::virtual_ipaddress,
        ),
    Row::of(
        INSTANCE,
        "virtual_ipaddress_excluded",
        "",
        "Addresses that the master holds without announcing them",
    )
    .lines()
    .refused("these addresses aren't added")
    .set(address::check),
    Row::of(INSTANCE, "no_virtual_ipaddress", "", "An instance without addresses is intended")
        .newer()
        .full(set::no_virtual_ipaddress),
    Row::of(INSTANCE, "mcast_src_ip", "ADDRESS", "Source address of adverts")
        .default("the interface's primary address")
        .full(set::mcast_src_ip),
    Row::of(INSTANCE, "mcast_dst_ip", "ADDRESS", "Multicast group of adverts")
        .default("vrrp_mcast_group4")
        .full(set::mcast_dst_ip),
    Row::of(INSTANCE, "nopreempt", "", "Don't take over from a master of lower priority")
        .full(set::nopreempt),
    Row::of(INSTANCE, "preempt", "", "Take over from a master of lower priority")
        .full(set::preempt),
    Row::of(
        INSTANCE,
        "preempt_delay",
        "SECONDS",
        "Wait this long before taking over from a master of lower priority",
    )
    .default("0")
    .full(set::preempt_delay),
    Row::of(
        INSTANCE,
        "garp_master_delay",
        "SECONDS",
        "From becoming master to the second burst of gratuitous ARP; 0: none",
    )
    .default("5")
    .full(set::garp_delay),
    Row::of(
        INSTANCE,
        "garp_master_repeat",
        "COUNT",
        "Gratuitous ARP packets per address in a burst",
    )
    .default("5")
    .full(set::garp_repeat),
    Row::of(
        INSTANCE,
        "garp_master_refresh",
        "SECONDS",
        "Repeat gratuitous ARP while master; 0: don't",
    )
    .default("0")
    .full(set::garp_refresh),
    Row::of(INSTANCE, "garp_master_refresh_repeat", "COUNT", "Packets per address of a refresh")
        .default("1")
        .full(set::garp_refresh_repeat),
    Row::of(
        INSTANCE,
        "garp_lower_prio_delay",
        "SECONDS",
        "As garp_master_delay, after an advert of lower priority was heard",
    )
    .default("garp_master_delay")
    .full(set::garp_lower_delay),
    Row::of(
        INSTANCE,
        "garp_lower_prio_repeat",
        "COUNT",
        "As garp_master_repeat, after an advert of lower priority was heard",
    )
    .default("garp_master_repeat")
    .full(set::garp_lower_repeat),
    Row::of(
        INSTANCE,
        "garp_extra_if",
        "[all] SECONDS",
        "Gratuitous ARP on the other interfaces of the addresses",
    )
    .bare()
    .refused("no extra gratuitous ARP is sent"),
    Row::of(INSTANCE, "vmac_garp_intvl", "[all] SECONDS", "Old name of garp_extra_if")
        .bare()
        .refused("no extra gratuitous ARP is sent"),
    Row::of(INSTANCE, "notify_master", "COMMAND [USER [GROUP]]", "Run on becoming master")
        .full(set::notify_master),
    Row::of(INSTANCE, "notify_backup", "COMMAND [USER [GROUP]]", "Run on becoming backup")
        .full(set::notify_backup),
    Row::of(INSTANCE, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault")
        .full(set::notify_fault),
    Row::of(INSTANCE, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .full(set::notify_stop),
    Row::of(
        INSTANCE,
        "notify",
        "COMMAND [USER [GROUP]]",
        "Run on every change, with INSTANCE NAME STATE PRIORITY appended",
    )
    .full(set::notify),
    Row::of(
        INSTANCE,
        "notify_deleted",
        "[COMMAND [USER [GROUP]]]",
        "Run when a reload drops the instance",
    )
    .refused("it isn't run; `notify_stop` is"),
    Row::of(
        INSTANCE,
        "notify_master_rx_lower_pri",
        "COMMAND [USER [GROUP]]",
        "Run when the master hears a lower priority",
    )
    .refused("it isn't run"),
    Row::of(BOTH, "notify_priority_changes", "[BOOL]", "Tell the notify FIFOs about priorities")
        .refused("there are no notify FIFOs"),
    Row::of(BOTH, "smtp_alert", "[BOOL]", "Mail on a change of state").refused(NO_MAIL),
    Row::of(
        INSTANCE,
        "track_script",
        "",
        "Scripts whose result moves the priority or faults the instance",
    )
    .lines()
    .full(set::track_script),
    Row::of(
        INSTANCE,
        "track_interface",
        "",
        "Interfaces whose loss moves the priority or faults the instance",
    )
    .lines()
    .refused(NO_TRACKING)
    .set(track::track_interface),
    Row::of(
        GROUP,
        "track_interface",
        "",
        "Interfaces whose loss moves the priority or faults the instance",
    )
    .lines()
    .refused(NO_GROUPS),
    Row::of(BOTH, "track_file", "", "Files whose value moves the priority")
        .lines()
        .refused(NO_TRACKING),
    Row::of(BOTH, "track_process", "", "Processes whose presence moves the priority")
        .lines()
        .refused(NO_TRACKING),
    Row::of(BOTH, "track_bfd", "", "BFD sessions whose state moves the priority")
        .lines()
        .refused(NO_TRACKING),
    Row::of(INSTANCE, "track_src_ip", "", "Fault while the source address isn't there")
        .refused(NO_TRACKING),
    Row::of(INSTANCE, "dont_track_primary", "", "Go on while the instance's own interface is down")
        .refused("a lost interface is always a fault"),
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
    Row::of(
        INSTANCE,
        "use_vmac",
        "[INTERFACE] [MAC]",
        "Hold the addresses on a virtual MAC interface",
    )
    .refused(NO_VMAC)
    .set(set::vmac),
    Row::of(
        INSTANCE,
        "use_vmac_addr",
        "",
        "Virtual MAC interfaces for addresses on other interfaces",
    )
    .refused(NO_VMAC)
    .set(set::vmac),
    Row::of(
        INSTANCE,
        "vmac_xmit_base",
        "",
        "Send from the interface below the virtual MAC interface",
    )
    .ignored("it concerns use_vmac, which isn't run"),
    Row::of(
        INSTANCE,
        "use_ipvlan",
        "[INTERFACE] [ADDRESS] [MODE]",
        "Hold the addresses on an ipvlan interface",
    )
    .refused(NO_VMAC)
    .set(set::vmac),
    Row::of(INSTANCE, "native_ipv6", "", "Speak VRRP over IPv6").refused(NO_IPV6).set(set::ipv6),
    Row::of(INSTANCE, "vrf", "INTERFACE", "VRF to run in").refused(NO_VRF).set(set::vrf),
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
    Row::of(
        INSTANCE,
        "down_timer_adverts",
        "1..100",
        "Missed adverts until the master counts as dead",
    )
    .default("3")
    .refused("it is always 3, as the RFCs have it")
    .set(set::down_timer_adverts),
    Row::of(INSTANCE, "accept", "", "Take packets for the addresses though not their owner")
        .ignored("they are always taken"),
    Row::of(INSTANCE, "no_accept", "", "Drop packets for the addresses unless their owner")
        .refused("they are always taken"),
    Row::of(INSTANCE, "lower_prio_no_advert", "[BOOL]", "Don't answer an advert of lower priority")
        .refused("such an advert is always answered"),
    Row::of(
        INSTANCE,
        "higher_prio_send_advert",
        "[BOOL]",
        "Send one more advert before giving way",
    )
    .refused("no such advert is sent"),
    Row::of(INSTANCE, "owner_ignore_adverts", "", "The owner of the addresses ignores adverts")
        .newer()
        .refused("they aren't ignored"),
    Row::of(
        INSTANCE,
        "skip_check_adv_addr",
        "[BOOL]",
        "Don't compare the addresses in every advert",
    )
    .ignored("comparing them costs next to nothing"),
    Row::of(INSTANCE, "strict_mode", "[BOOL]", "Hold to the letter of the RFCs")
        .refused(STRICTNESS),
    Row::of(
        INSTANCE,
        "timer_expired_backup",
        "[PRIORITY]",
        "With nopreempt, become backup after having been stalled",
    )
    .newer()
    .refused("a stall isn't acted on"),
    Row::of(INSTANCE, "thread_timer_expired", "[PRIORITY]", "Old name of timer_expired_backup")
        .newer()
        .refused("a stall isn't acted on"),
    Row::of(INSTANCE, "promote_secondaries", "", "Set the interface's promote_secondaries")
        .refused("the sysctl isn't touched"),
    Row::of(INSTANCE, "virtual_routes", "", "Routes that the master holds")
        .lines()
        .refused(NO_ROUTES),
    Row::of(INSTANCE, "virtual_rules", "", "Routing rules that the master holds")
        .lines()
        .refused(NO_ROUTES),
    Row::of(
        INSTANCE,
        "lvs_sync_daemon_interface",
        "INTERFACE",
        "IPVS connection synchronisation (old)",
    )
    .refused("IPVS isn't set up"),
    Row::of(INSTANCE, "debug", "0..4", "Debug level")
        .ignored("keepalived does nothing with it either"),
    Row::of(INSTANCE, "kernel_rx_buf_size", "BYTES", "Receive buffer of the VRRP socket")
        .bare()
        .ignored("the kernel's default holds thousands of adverts"),
    Row::of(INSTANCE, "linkbeat_use_polling", "", "Poll the interface's link")
        .ignored("the kernel tells about the link at once"),
    Row::of(&["main"], "vrrp_sync_group", "NAME", "Instances that change state together")
        .bare()
        .block("vrrp_sync_group")
        .refused(NO_GROUPS)
        .set(set::sync_group),
    Row::of(GROUP, "group", "", "The members").lines().refused(NO_GROUPS).set(set::sync_members),
    Row::of(GROUP, "notify_master", "COMMAND [USER [GROUP]]", "Run when the group becomes master")
        .refused(NO_GROUPS),
    Row::of(GROUP, "notify_backup", "COMMAND [USER [GROUP]]", "Run when the group becomes backup")
        .refused(NO_GROUPS),
    Row::of(GROUP, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault").refused(NO_GROUPS),
    Row::of(GROUP, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .refused(NO_GROUPS),
    Row::of(GROUP, "notify", "COMMAND [USER [GROUP]]", "Run on every change").refused(NO_GROUPS),
    Row::of(GROUP, "track_script", "", "Scripts tracked for all members")
        .lines()
        .refused(NO_GROUPS),
    Row::of(GROUP, "global_tracking", "", "Members share what they track (old)").refused(NO_GROUPS),
    Row::of(GROUP, "sync_group_tracking_weight", "", "Members may track with weights of their own")
        .refused(NO_GROUPS),
];
