//! `vrrp_instance` and `vrrp_sync_group` (keepalived.conf(5), "VRRP instance(s)", "VRRP
//! synchronization group(s)").

use std::net::IpAddr;
use std::time::Duration;

use super::super::config::{At, AuthType, Instance, KeepalivedConfig, SyncGroup};
use super::read::{self, wrong};
use super::{Row, address, nothing};
use crate::plan::Secret;
use crate::plan::vrrp::InitialState;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

const INSTANCE: &[&str] = &["vrrp_instance"];
const GROUP: &[&str] = &["vrrp_sync_group"];
const BOTH: &[&str] = &["vrrp_instance", "vrrp_sync_group"];
const AUTHENTICATION: &[&str] = &["vrrp_instance authentication"];
const HMAC: &[&str] = &["vrrp_instance auth_hmac"];

const NO_UNICAST: &str = "adverts go by multicast only; an instance with unicast peers isn't run";
const NO_VMAC: &str =
    "there are no virtual MAC interfaces; an instance that asks for one isn't run";
const NO_V3: &str = "VRRP version 3 isn't spoken; an instance that asks for it isn't run";
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
    .partial("VRRP version 2 over IPv4 multicast", instance),
    Row::of(INSTANCE, "state", "MASTER|BACKUP", "What to begin as").default("BACKUP").full(state),
    Row::of(
        INSTANCE,
        "interface",
        "INTERFACE",
        "Where adverts are sent and heard; addresses go here unless they say otherwise",
    )
    .full(interface),
    Row::of(
        INSTANCE,
        "virtual_router_id",
        "1..255",
        "Tells the virtual routers on one network apart; the same on all nodes",
    )
    .full(virtual_router_id),
    Row::of(INSTANCE, "priority", "1..255", "The highest becomes master; 255 owns the addresses")
        .default("100")
        .full(priority),
    Row::of(INSTANCE, "advert_int", "SECONDS", "Time between two adverts; the same on all nodes")
        .default("1")
        .full(advert_int),
    Row::of(INSTANCE, "version", "2|3", "VRRP version")
        .default("vrrp_version")
        .partial(NO_V3, version),
    Row::of(INSTANCE, "authentication", "", "Password in every advert")
        .block("vrrp_instance authentication")
        .partial("PASS only", nothing),
    Row::of(AUTHENTICATION, "auth_type", "PASS|AH", "How adverts are authenticated")
        .partial(NO_AH, auth_type),
    Row::of(AUTHENTICATION, "auth_pass", "PASSWORD", "At most 8 bytes; sent in clear")
        .full(auth_pass),
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
        .full(no_virtual_ipaddress),
    Row::of(INSTANCE, "mcast_src_ip", "ADDRESS", "Source address of adverts")
        .default("the interface's primary address")
        .full(mcast_src_ip),
    Row::of(INSTANCE, "mcast_dst_ip", "ADDRESS", "Multicast group of adverts")
        .default("vrrp_mcast_group4")
        .full(mcast_dst_ip),
    Row::of(INSTANCE, "nopreempt", "", "Don't take over from a master of lower priority")
        .full(nopreempt),
    Row::of(INSTANCE, "preempt", "", "Take over from a master of lower priority").full(preempt),
    Row::of(
        INSTANCE,
        "preempt_delay",
        "SECONDS",
        "Wait this long before taking over from a master of lower priority",
    )
    .default("0")
    .full(preempt_delay),
    Row::of(
        INSTANCE,
        "garp_master_delay",
        "SECONDS",
        "From becoming master to the second burst of gratuitous ARP; 0: none",
    )
    .default("5")
    .full(garp_delay),
    Row::of(
        INSTANCE,
        "garp_master_repeat",
        "COUNT",
        "Gratuitous ARP packets per address in a burst",
    )
    .default("5")
    .full(garp_repeat),
    Row::of(
        INSTANCE,
        "garp_master_refresh",
        "SECONDS",
        "Repeat gratuitous ARP while master; 0: don't",
    )
    .default("0")
    .full(garp_refresh),
    Row::of(INSTANCE, "garp_master_refresh_repeat", "COUNT", "Packets per address of a refresh")
        .default("1")
        .full(garp_refresh_repeat),
    Row::of(
        INSTANCE,
        "garp_lower_prio_delay",
        "SECONDS",
        "As garp_master_delay, after an advert of lower priority was heard",
    )
    .default("garp_master_delay")
    .full(garp_lower_delay),
    Row::of(
        INSTANCE,
        "garp_lower_prio_repeat",
        "COUNT",
        "As garp_master_repeat, after an advert of lower priority was heard",
    )
    .default("garp_master_repeat")
    .full(garp_lower_repeat),
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
        .full(notify_master),
    Row::of(INSTANCE, "notify_backup", "COMMAND [USER [GROUP]]", "Run on becoming backup")
        .full(notify_backup),
    Row::of(INSTANCE, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault")
        .full(notify_fault),
    Row::of(INSTANCE, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .full(notify_stop),
    Row::of(
        INSTANCE,
        "notify",
        "COMMAND [USER [GROUP]]",
        "Run on every change, with INSTANCE NAME STATE PRIORITY appended",
    )
    .full(notify),
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
    .full(track_script),
    Row::of(
        INSTANCE,
        "track_interface",
        "",
        "Interfaces whose loss moves the priority or faults the instance",
    )
    .lines()
    .refused(NO_TRACKING)
    .set(super::track::track_interface),
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
        .refused(NO_UNICAST)
        .set(unicast),
    Row::of(INSTANCE, "unicast_src_ip", "ADDRESS", "Source address of unicast adverts")
        .refused(NO_UNICAST),
    Row::of(INSTANCE, "unicast_ttl", "0..255", "TTL of unicast adverts").refused(NO_UNICAST),
    Row::of(
        INSTANCE,
        "unicast_fault_no_peer",
        "",
        "Fault instead of multicast where no peer is given",
    )
    .refused(NO_UNICAST)
    .set(unicast),
    Row::of(INSTANCE, "check_unicast_src", "", "Only hear configured peers")
        .ignored("there are no unicast peers"),
    Row::of(INSTANCE, "old_unicast_checksum", "[never]", "An old checksum of version 3")
        .ignored("it concerns version 3 with unicast, which isn't run"),
    Row::of(
        INSTANCE,
        "use_vmac",
        "[INTERFACE] [MAC]",
        "Hold the addresses on a virtual MAC interface",
    )
    .refused(NO_VMAC)
    .set(vmac),
    Row::of(
        INSTANCE,
        "use_vmac_addr",
        "",
        "Virtual MAC interfaces for addresses on other interfaces",
    )
    .refused(NO_VMAC)
    .set(vmac),
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
    .set(vmac),
    Row::of(INSTANCE, "native_ipv6", "", "Speak VRRP over IPv6").refused(NO_IPV6).set(ipv6),
    Row::of(INSTANCE, "vrf", "INTERFACE", "VRF to run in").refused(NO_VRF).set(vrf),
    Row::of(INSTANCE, "auth_hmac", "", "Authenticate adverts with HMAC-SHA256")
        .newer()
        .block("vrrp_instance auth_hmac")
        .refused(NO_HMAC)
        .set(hmac),
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
        .ignored("it concerns version 3, which isn't run"),
    Row::of(
        INSTANCE,
        "down_timer_adverts",
        "1..100",
        "Missed adverts until the master counts as dead",
    )
    .default("3")
    .refused("it is always 3, as the RFCs have it")
    .set(down_timer_adverts),
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
        .set(sync_group),
    Row::of(GROUP, "group", "", "The members").lines().refused(NO_GROUPS).set(sync_members),
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

/// The instance that the setters of its block work on.
fn current(config: &mut KeepalivedConfig) -> &mut Instance {
    let instances = &mut config.instances;
    if instances.is_empty() {
        instances.push(Instance::new(At::new(String::new(), Default::default())));
    }
    instances.last_mut().expect("one was just pushed")
}

fn instance(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(name) = node.args.first() {
        config.instances.push(Instance::new(read::text(name)));
    }
}

fn state(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let name = &instance.name.value;
    let state = match word.text.as_slice() {
        b"MASTER" => InitialState::Master,
        b"BACKUP" => InitialState::Backup,
        _ => {
            let message =
                format!("({name}) unknown state '{}', defaulting to BACKUP", word.lossy());
            let reason = "neither MASTER nor BACKUP, in capitals".to_owned();
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
    match &instance.state {
        Some(before) if before.value != state => {
            let show = |state| match state {
                InitialState::Master => "MASTER",
                InitialState::Backup => "BACKUP",
            };
            let (old, new) = (show(before.value), show(state));
            let message = format!("({name}) state previously set as {old} - ignoring {new}");
            let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(word.span);
            diagnostics.push(diagnostic.label(before.span, "set here"));
        }
        _ => instance.state = Some(At::new(state, word.span)),
    }
}

/// The kernel's names have at most this many bytes.
const LONGEST_INTERFACE: usize = 15;

fn interface(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    if word.text.len() > LONGEST_INTERFACE {
        let message = format!("Interface name '{}' too long - ignoring", word.lossy());
        diagnostics.push(wrong(word, message, format!("at most {LONGEST_INTERFACE} bytes")));
        return;
    }
    current(config).interface = Some(read::text(word));
}

fn virtual_router_id(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match read::number(word, 1..=255) {
        Ok(vrid) => instance.vrid = Some(At::new(vrid as u8, word.span)),
        Err(reason) => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = format!("({name}): VRID '{text}' not valid - must be between 1 & 255");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn priority(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let priority = read::number(word, 1..=255).unwrap_or_else(|reason| {
        let name = &instance.name.value;
        let message =
            format!("({name}) Priority not valid! must be between 1 & 255. Using default 100");
        diagnostics.push(wrong(word, message, reason));
        100
    });
    instance.priority = Some(At::new(priority as u8, word.span));
}

fn advert_int(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match read::seconds(word, 10_000..=255_000_000) {
        Ok(interval) => instance.advert_interval = Some(At::new(interval, word.span)),
        Err(reason) => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message =
                format!("({name}) Advert interval ({text}) not valid! Must be > 0 - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn version(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match read::number(word, 2..=3) {
        Ok(version) => {
            instance.version = Some(At::new(version as u8, word.span));
        }
        Err(reason) => {
            let message = format!("({}): Version must be either 2 or 3", instance.name.value);
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn auth_type(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match word.text.as_slice() {
        b"PASS" => instance.auth_type = Some(At::new(AuthType::Pass, word.span)),
        b"AH" => instance.auth_type = Some(At::new(AuthType::Ah, word.span)),
        _ => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = format!("({name}) unknown authentication type '{text}'");
            diagnostics.push(wrong(word, message, "neither PASS nor AH, in capitals".to_owned()));
        }
    }
}

/// RFC 2338: the authentication data has eight bytes.
const LONGEST_PASSWORD: usize = 8;

fn auth_pass(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let mut bytes = word.text.to_vec();
    if bytes.len() > LONGEST_PASSWORD {
        bytes.truncate(LONGEST_PASSWORD);
        let message = "Truncating auth_pass to 8 characters";
        let help = "only the first eight go on the wire, so that other nodes see no difference";
        // The keyword is pointed at, not the password.
        let diagnostic = Diagnostic::error("keepalived/value", message).at(node.name.span);
        diagnostics.push(diagnostic.help(help));
    }
    instance.auth_pass = (!bytes.is_empty()).then(|| At::new(Secret::new(bytes), word.span));
}

fn mcast_src_ip(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let (name, text) = (&instance.name.value, word.lossy());
    match read::address(word) {
        Some(IpAddr::V4(source)) => instance.source = Some(At::new(source, word.span)),
        Some(IpAddr::V6(_)) => {
            let message = format!(
                "Configuration error: VRRP instance[{name}] and src address[{text}] MUST be of the \
                 same family !!! Skipping..."
            );
            diagnostics.push(wrong(word, message, "an IPv6 address".to_owned()));
        }
        None => {
            let message = format!(
                "Configuration error: VRRP instance[{name}] malformed src address[{text}]. \
                 Skipping..."
            );
            diagnostics.push(wrong(word, message, "not an address".to_owned()));
        }
    }
}

fn mcast_dst_ip(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    let (name, text) = (&instance.name.value, word.lossy());
    match read::address(word) {
        Some(IpAddr::V4(group)) if group.is_multicast() => {
            instance.group = Some(At::new(group, word.span));
        }
        Some(IpAddr::V4(_)) => {
            let message = format!("({name}) mcast_dst_ip {text} not multicast. Skipping...");
            diagnostics.push(wrong(word, message, "outside of 224.0.0.0/4".to_owned()));
        }
        Some(IpAddr::V6(_)) => {
            let message = format!(
                "({name}) mcast dest address {text} MUST match VRRP instance family. Skipping..."
            );
            diagnostics.push(wrong(word, message, "an IPv6 address".to_owned()));
        }
        None => {
            let message = format!("({name}) malformed mcast_dst_ip address[{text}]. Skipping...");
            diagnostics.push(wrong(word, message, "not an address".to_owned()));
        }
    }
}

fn no_virtual_ipaddress(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).no_addresses = Some(node.name.span);
}

fn nopreempt(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).nopreempt = Some(node.name.span);
}

fn preempt(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    current(config).nopreempt = None;
}

fn preempt_delay(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    match read::seconds(word, 0..=1_000_000_000) {
        Ok(delay) => instance.preempt_delay = Some(At::new(delay, word.span)),
        Err(reason) => {
            let name = &instance.name.value;
            let message = format!("({name}) Preempt_delay not valid! must be between 0-1000");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

/// A number of seconds of one of the `garp_*` keywords.
fn garp_seconds(
    instance: &Instance,
    node: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<At<Duration>> {
    let word = &node.args[0];
    let keyword = node.name.lossy();
    match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(seconds) => Some(At::new(Duration::from_secs(seconds), word.span)),
        Err(reason) => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = match keyword.ends_with("refresh") {
                true => format!("({name}): Invalid {keyword} '{text}' - ignoring"),
                false => format!("({name}): {keyword} '{text}' invalid - ignoring"),
            };
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

/// A count of one of the `garp_*` keywords; at least `least`.
fn garp_count(
    instance: &Instance,
    node: &Node,
    least: u32,
    diagnostics: &mut Diagnostics,
) -> Option<At<u32>> {
    let word = &node.args[0];
    let (name, keyword) = (&instance.name.value, node.name.lossy());
    match read::number(word, 0..=u64::from(u32::MAX)) {
        Ok(count) if count < u64::from(least) => {
            let message = format!("({name}): {keyword} must be greater than 0, setting to 1");
            diagnostics.push(wrong(word, message, "at least 1".to_owned()));
            Some(At::new(1, word.span))
        }
        Ok(count) => Some(At::new(count as u32, word.span)),
        Err(reason) => {
            let text = word.lossy();
            let message = match keyword.contains("lower_prio") {
                true => format!("({name}): Invalid {keyword} '{text}'"),
                false => format!("({name}): {keyword} '{text}' invalid - ignoring"),
            };
            diagnostics.push(wrong(word, message, reason));
            None
        }
    }
}

fn garp_delay(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    instance.garp.delay = garp_seconds(instance, node, diagnostics).or(instance.garp.delay.take());
}

fn garp_repeat(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    instance.garp.repeat =
        garp_count(instance, node, 1, diagnostics).or(instance.garp.repeat.take());
}

fn garp_refresh(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    instance.garp.refresh =
        garp_seconds(instance, node, diagnostics).or(instance.garp.refresh.take());
}

fn garp_refresh_repeat(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    let count = garp_count(instance, node, 1, diagnostics);
    instance.garp.refresh_repeat = count.or(instance.garp.refresh_repeat.take());
}

fn garp_lower_delay(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    let delay = garp_seconds(instance, node, diagnostics);
    instance.garp.lower_priority_delay = delay.or(instance.garp.lower_priority_delay.take());
}

fn garp_lower_repeat(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    let count = garp_count(instance, node, 0, diagnostics);
    instance.garp.lower_priority_repeat = count.or(instance.garp.lower_priority_repeat.take());
}

/// Stores a notify script; the first of its kind stays, as in keepalived.
macro_rules! notify_setter {
    ($setter:ident, $field:ident) => {
        fn $setter(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
            let command = read::command(node, true, diagnostics);
            let instance = current(config);
            if instance.notify.$field.is_some() {
                let (name, keyword) = (&instance.name.value, node.name.lossy());
                let text = node.args[0].lossy();
                let message =
                    format!("({name}) {keyword} script already specified - ignoring {text}");
                let diagnostic = Diagnostic::error("keepalived/duplicate", message);
                diagnostics.push(diagnostic.at(read::args_span(node)));
                return;
            }
            instance.notify.$field = command;
        }
    };
}

notify_setter!(notify_master, master);
notify_setter!(notify_backup, backup);
notify_setter!(notify_fault, fault);
notify_setter!(notify_stop, stop);
notify_setter!(notify, any);

fn track_script(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    super::track::track_script(config, node, diagnostics);
}

fn unicast(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).refuse(&node.name, NO_UNICAST);
}

fn vmac(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).refuse(&node.name, NO_VMAC);
}

fn ipv6(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).refuse(&node.name, NO_IPV6);
}

fn vrf(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).refuse(&node.name, NO_VRF);
}

fn hmac(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).refuse(&node.name, NO_HMAC);
}

fn down_timer_adverts(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (instance, word) = (current(config), &node.args[0]);
    if let Err(reason) = read::number(word, 1..=100) {
        let (name, text) = (&instance.name.value, word.lossy());
        let message = format!("({name}): Invalid down_timer_adverts [1:100] '{text}'");
        diagnostics.push(wrong(word, message, reason));
    }
}

fn sync_group(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(name) = node.args.first() {
        config.groups.push(SyncGroup { name: read::text(name), members: Vec::new() });
    }
}

fn sync_members(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(group) = config.groups.last_mut() else { return };
    let words = |node: &Node| -> Vec<Word> {
        std::iter::once(&node.name).chain(&node.args).cloned().collect()
    };
    let members: Vec<Word> = node.body.iter().flatten().flat_map(words).collect();
    if members.is_empty() {
        let message = format!("Warning - sync group {} has empty group block", group.name.value);
        diagnostics.push(Diagnostic::error("keepalived/empty", message).at(node.name.span));
    }
    group.members.extend(members.iter().map(read::text));
}
