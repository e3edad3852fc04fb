//! `global_defs` and the keywords outside of any block (keepalived.conf(5), "Global
//! configuration").
//!
//! The rows, a file for each topic (here what is left); [`set`] has what they do.

pub(super) mod conduct;
pub(super) mod network;
pub(super) mod process;
mod set;
mod speech;
pub(super) mod telling;
pub(super) mod wire;

use super::{Row, nothing};

const MAIN: &[&str] = &["main"];
const GLOBAL: &[&str] = &["global_defs"];
const GARP: &[&str] = &["garp_group"];

const NO_BFD: &str = "BFD isn't spoken";
const NO_CHECKERS: &str = "real servers aren't checked";
const NO_DBUS: &str = "there is no D-Bus interface";
const NO_FIREWALL: &str = "the firewall isn't touched";
const NO_GROUPING: &str = "gratuitous ARP isn't slowed down by groups of interfaces";
const NO_IPVS: &str = "IPVS isn't set up";
const NO_SNMP: &str = "SNMP isn't spoken";
const NO_NAMES: &str = "iproute2's names are read from its usual folders";
const BUFFERS: &str = "the kernel's default is enough, and overruns are handled";
const VMAC_ONLY: &str = "it concerns virtual MAC interfaces, which aren't made";

pub(super) const TABLE: &[Row] = &[
    Row::of(MAIN, "global_defs", "", "Settings for all").block("global_defs").full(nothing),
    Row::of(GLOBAL, "router_id", "NAME", "How this node names itself to people")
        .bare()
        .default("the host's name")
        .full(set::router_id),
    Row::of(GLOBAL, "include_check", "[CHECK...]", "Which misses of `include` are errors")
        .default("none")
        .full(nothing),
    Row::of(GLOBAL, "random_seed", "NUMBER", "Seed of ${_RANDOM}").full(nothing),
    Row::of(GLOBAL, "checker_log_all_failures", "[BOOL]", "Log every failed check")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "rs_init_notifies", "", "Notify about real servers at start")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "nftables_ipvs", "[TABLE]", "nftables for virtual server groups")
        .refused(NO_IPVS),
    Row::of(GLOBAL, "nftables_ipvs_priority", "PRIORITY", "Priority of the chains")
        .refused(NO_IPVS),
    Row::of(GLOBAL, "nftables_ipvs_start_fwmark", "MARK", "First firewall mark")
        .default("1000")
        .refused(NO_IPVS),
    Row::of(GLOBAL, "snmp_socket", "SOCKET", "SNMP master agent").bare().refused(NO_SNMP),
    Row::of(GLOBAL, "enable_snmp_vrrp", "", "SNMP for instances").refused(NO_SNMP),
    Row::of(GLOBAL, "enable_snmp_keepalived", "", "Old name of enable_snmp_vrrp").refused(NO_SNMP),
    Row::of(GLOBAL, "enable_snmp_checker", "", "SNMP for checkers").refused(NO_SNMP),
    Row::of(GLOBAL, "enable_snmp_rfc", "", "The RFCs' VRRP MIBs").refused(NO_SNMP),
    Row::of(GLOBAL, "enable_snmp_rfcv2", "", "RFC 2787's MIB").refused(NO_SNMP),
    Row::of(GLOBAL, "enable_snmp_rfcv3", "", "RFC 6527's MIB").refused(NO_SNMP),
    Row::of(GLOBAL, "enable_traps", "", "SNMP traps").refused(NO_SNMP),
    Row::of(GLOBAL, "snmp_vs_stats_update_interval", "SECONDS", "Age of SNMP's figures")
        .newer()
        .refused(NO_SNMP),
    Row::of(GLOBAL, "snmp_rs_stats_update_interval", "SECONDS", "Age of SNMP's figures")
        .newer()
        .refused(NO_SNMP),
    Row::of(
        GLOBAL,
        "lvs_sync_daemon",
        "INTERFACE [inst NAME] [OPTION...]",
        "IPVS connection synchronisation",
    )
    .bare()
    .refused(NO_IPVS),
    Row::of(
        GLOBAL,
        "lvs_timeouts",
        "[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]",
        "IPVS time-outs",
    )
    .refused(NO_IPVS),
    Row::of(GLOBAL, "lvs_flush", "", "Empty IPVS at start").refused(NO_IPVS),
    Row::of(GLOBAL, "lvs_flush_on_stop", "[VS]", "Empty IPVS at the end").refused(NO_IPVS),
    Row::of(GLOBAL, "lvs_flush_onstop", "[VS]", "Old name of lvs_flush_on_stop").refused(NO_IPVS),
    Row::of(GLOBAL, "iproute_usr_dir", "PATH", "Where iproute2's names are")
        .newer()
        .ignored(NO_NAMES),
    Row::of(GLOBAL, "iproute_etc_dir", "PATH", "Where iproute2's names are")
        .newer()
        .ignored(NO_NAMES),
];
