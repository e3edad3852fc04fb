//! `global_defs` and the keywords outside of any block (keepalived.conf(5), "Global
//! configuration").
//!
//! The rows; [`set`] has what they do.

mod set;

use super::{Row, address, nothing};

const MAIN: &[&str] = &["main"];
const GLOBAL: &[&str] = &["global_defs"];
const GARP: &[&str] = &["garp_group"];

const NO_BFD: &str = "BFD isn't spoken";
const NO_CHECKERS: &str = "real servers aren't checked";
const NO_DBUS: &str = "there is no D-Bus interface";
const NO_DUMPS: &str = "the dump files aren't written yet";
const NO_FIFO: &str = "there are no notify FIFOs; notify scripts are run";
const NO_FIREWALL: &str = "the firewall isn't touched";
const NO_GROUPING: &str = "gratuitous ARP isn't slowed down by groups of interfaces";
const NO_IPVS: &str = "IPVS isn't set up";
const NO_MAIL: &str = "no mail is sent";
const NO_NAMESPACE: &str = "nothing is run rather than in the wrong network namespace";
const NO_RELOADING: &str = "reloads happen on SIGHUP only";
const NO_SCRIPTS: &str = "startup and shutdown scripts aren't run";
const NO_SNMP: &str = "SNMP isn't spoken";
const NO_STATIC: &str = "static addresses, routes and rules aren't set up";
const NO_STRICTNESS: &str = "the checks of strict mode aren't made";
const NO_SCHEDULING: &str = "priorities and scheduling of the processes stay as they were at start";
const OWN_NAMES: &str = "the process is named as keepalived's, which is what scripts look for";
const BUFFERS: &str = "the kernel's default is enough, and overruns are handled";
const VMAC_ONLY: &str = "it concerns virtual MAC interfaces, which aren't made";

pub(super) const TABLE: &[Row] = &[
    Row::of(MAIN, "global_defs", "", "Settings for all").block("global_defs").full(nothing),
    Row::of(GLOBAL, "router_id", "NAME", "How this node names itself to people")
        .bare()
        .default("the host's name")
        .full(set::router_id),
    Row::of(GLOBAL, "script_user", "USER [GROUP]", "Whom scripts run as")
        .bare()
        .default("keepalived_script if there is such a user, else root")
        .full(set::script_user),
    Row::of(GLOBAL, "enable_script_security", "", "Don't run as root what others may write to")
        .full(set::script_security),
    Row::of(GLOBAL, "dynamic_interfaces", "[allow_if_changes]", "Interfaces may come later")
        .partial(
            "an instance whose interface is missing at start waits in FAULT state",
            set::dynamic_interfaces,
        ),
    Row::of(GLOBAL, "vrrp_version", "2|3", "VRRP version of instances that don't say")
        .default("2")
        .full(set::vrrp_version),
    Row::of(GLOBAL, "vrrp_mcast_group4", "ADDRESS", "Multicast group of adverts over IPv4")
        .default("224.0.0.18")
        .full(set::mcast_group4),
    Row::of(GLOBAL, "vrrp_mcast_group6", "ADDRESS", "Multicast group of adverts over IPv6")
        .default("ff02::12")
        .ignored("IPv6 instances aren't run"),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_delay",
        "SECONDS",
        "garp_master_delay of instances that don't say",
    )
    .default("5")
    .full(set::garp_delay),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_repeat",
        "COUNT",
        "garp_master_repeat of instances that don't say",
    )
    .default("5")
    .full(set::garp_repeat),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_refresh",
        "SECONDS",
        "garp_master_refresh of instances that don't say",
    )
    .default("0")
    .full(set::garp_refresh),
    Row::of(
        GLOBAL,
        "vrrp_garp_master_refresh_repeat",
        "COUNT",
        "garp_master_refresh_repeat of instances that don't say",
    )
    .default("1")
    .full(set::garp_refresh_repeat),
    Row::of(
        GLOBAL,
        "vrrp_garp_lower_prio_delay",
        "SECONDS",
        "garp_lower_prio_delay of instances that don't say",
    )
    .default("vrrp_garp_master_delay")
    .full(set::garp_lower_delay),
    Row::of(
        GLOBAL,
        "vrrp_garp_lower_prio_repeat",
        "COUNT",
        "garp_lower_prio_repeat of instances that don't say",
    )
    .default("vrrp_garp_master_repeat")
    .full(set::garp_lower_repeat),
    Row::of(
        GLOBAL,
        "vrrp_garp_interval",
        "SECONDS",
        "Least time between two gratuitous ARP packets on an interface",
    )
    .default("0")
    .partial(
        "Counted per instance, not per interface; all packets of a burst are sent, where \
         keepalived 2.2.7 sends one per address",
        set::garp_interval,
    ),
    Row::of(GLOBAL, "vrrp_gna_interval", "SECONDS", "The same for IPv6 neighbour advertisements")
        .default("0")
        .ignored("IPv6 instances aren't run"),
    Row::of(
        GLOBAL,
        "vrrp_min_garp",
        "[BOOL]",
        "One gratuitous ARP packet per address, no second burst",
    )
    .full(set::min_garp),
    Row::of(
        GLOBAL,
        "vrrp_garp_extra_if",
        "[all] SECONDS",
        "garp_extra_if of instances that don't say",
    )
    .bare()
    .refused("no extra gratuitous ARP is sent"),
    Row::of(GLOBAL, "vrrp_vmac_garp_intvl", "[all] SECONDS", "Old name of vrrp_garp_extra_if")
        .bare()
        .refused("no extra gratuitous ARP is sent"),
    Row::of(
        GLOBAL,
        "vrrp_lower_prio_no_advert",
        "[BOOL]",
        "lower_prio_no_advert of instances that don't say",
    )
    .refused("such an advert is always answered"),
    Row::of(
        GLOBAL,
        "vrrp_higher_prio_send_advert",
        "[BOOL]",
        "higher_prio_send_advert of instances that don't say",
    )
    .refused("no such advert is sent"),
    Row::of(
        GLOBAL,
        "vrrp_down_timer_adverts",
        "1..100",
        "down_timer_adverts of instances that don't say",
    )
    .default("3")
    .refused("it is always 3, as the RFCs have it"),
    Row::of(GLOBAL, "vrrp_strict", "[BOOL]", "Hold to the letter of the RFCs")
        .refused(NO_STRICTNESS),
    Row::of(
        GLOBAL,
        "vrrp_skip_check_adv_addr",
        "[BOOL]",
        "Don't compare the addresses in every advert",
    )
    .ignored("comparing them costs next to nothing"),
    Row::of(GLOBAL, "vrrp_check_unicast_src", "", "Only hear configured peers")
        .full(set::check_unicast_src),
    Row::of(GLOBAL, "vrrp_owner_ignore_adverts", "", "The owner of the addresses ignores adverts")
        .newer()
        .refused("they aren't ignored"),
    Row::of(GLOBAL, "vrrp_startup_delay", "SECONDS", "Wait before instances begin")
        .refused("instances begin at once"),
    Row::of(
        GLOBAL,
        "vrrp_delay_after_boot",
        "SECONDS",
        "Instances begin this long after the host's boot",
    )
    .newer()
    .refused("instances begin at once"),
    Row::of(
        GLOBAL,
        "vrrp_notify_priority_changes",
        "[BOOL]",
        "Tell the notify FIFOs about priorities",
    )
    .refused(NO_FIFO),
    Row::of(GLOBAL, "v3_checksum_as_v2", "[BOOL]", "Checksum of version 3 without pseudo header")
        .newer()
        .refused("the checksum always covers the pseudo header"),
    Row::of(GLOBAL, "log_unknown_vrids", "", "Log adverts for VRIDs that aren't configured")
        .refused("they aren't logged"),
    Row::of(GLOBAL, "default_interface", "INTERFACE", "Interface of static addresses")
        .bare()
        .default("eth0")
        .refused(NO_STATIC),
    Row::of(GLOBAL, "disable_local_igmp", "", "Stop IGMP reports for link-local groups")
        .refused("the sysctl isn't touched"),
    Row::of(GLOBAL, "notification_email", "", "Whom mail goes to").lines().refused(NO_MAIL),
    Row::of(GLOBAL, "notification_email_from", "ADDRESS", "Whom mail is from")
        .bare()
        .refused(NO_MAIL),
    Row::of(GLOBAL, "smtp_server", "HOST [PORT]", "Mail server").refused(NO_MAIL),
    Row::of(GLOBAL, "smtp_helo_name", "[NAME]", "Name to greet the mail server with")
        .refused(NO_MAIL),
    Row::of(GLOBAL, "smtp_connect_timeout", "SECONDS", "How long connecting to it may take")
        .default("30")
        .refused(NO_MAIL),
    Row::of(GLOBAL, "smtp_alert", "[BOOL]", "Mail on changes of state").refused(NO_MAIL),
    Row::of(GLOBAL, "smtp_alert_vrrp", "[BOOL]", "The same for instances").refused(NO_MAIL),
    Row::of(GLOBAL, "smtp_alert_checker", "[BOOL]", "The same for checkers").refused(NO_MAIL),
    Row::of(GLOBAL, "no_email_faults", "", "No mail about faults").ignored(NO_MAIL),
    Row::of(GLOBAL, "no_checker_emails", "", "No mail about single checks").ignored(NO_MAIL),
    Row::of(GLOBAL, "startup_script", "COMMAND [USER [GROUP]]", "Run before anything else")
        .bare()
        .refused(NO_SCRIPTS),
    Row::of(GLOBAL, "startup_script_timeout", "SECONDS", "How long it may take")
        .bare()
        .refused(NO_SCRIPTS),
    Row::of(GLOBAL, "shutdown_script", "COMMAND [USER [GROUP]]", "Run after everything else")
        .bare()
        .refused(NO_SCRIPTS),
    Row::of(GLOBAL, "shutdown_script_timeout", "SECONDS", "How long it may take")
        .bare()
        .refused(NO_SCRIPTS),
    Row::of(GLOBAL, "set_supplementary_groups", "", "Scripts get their user's other groups")
        .newer()
        .refused("scripts run without them"),
    Row::of(GLOBAL, "use_symlink_paths", "[BOOL]", "Keep symbolic links in the paths of scripts")
        .newer()
        .ignored("paths are used as they are written"),
    Row::of(GLOBAL, "notify_fifo", "PATH [USER [GROUP]]", "FIFO for all changes of state")
        .bare()
        .refused(NO_FIFO),
    Row::of(GLOBAL, "notify_fifo_script", "COMMAND [USER [GROUP]]", "Reads it")
        .bare()
        .refused(NO_FIFO),
    Row::of(GLOBAL, "vrrp_notify_fifo", "PATH [USER [GROUP]]", "FIFO for changes of instances")
        .bare()
        .refused(NO_FIFO),
    Row::of(GLOBAL, "vrrp_notify_fifo_script", "COMMAND [USER [GROUP]]", "Reads it")
        .bare()
        .refused(NO_FIFO),
    Row::of(GLOBAL, "lvs_notify_fifo", "PATH [USER [GROUP]]", "FIFO for changes of checkers")
        .bare()
        .refused(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_notify_fifo_script", "COMMAND [USER [GROUP]]", "Reads it")
        .bare()
        .refused(NO_CHECKERS),
    Row::of(
        GLOBAL,
        "fifo_write_vrrp_states_on_reload",
        "",
        "Write all states to the FIFOs after a reload",
    )
    .refused(NO_FIFO),
    Row::of(GLOBAL, "include_check", "[CHECK...]", "Which misses of `include` are errors")
        .default("none")
        .full(nothing),
    Row::of(GLOBAL, "random_seed", "NUMBER", "Seed of ${_RANDOM}").full(nothing),
    Row::of(GLOBAL, "config_save_dir", "PATH", "Keep copies of the configuration")
        .refused("no copies are kept"),
    Row::of(GLOBAL, "tmp_config_directory", "PATH", "Where the read configuration is kept")
        .bare()
        .ignored("it is kept in memory"),
    Row::of(GLOBAL, "reload_check_config", "[LOGFILE]", "Check the configuration before a reload")
        .ignored("that is always done"),
    Row::of(GLOBAL, "reload_time_file", "PATH", "When to reload").bare().refused(NO_RELOADING),
    Row::of(GLOBAL, "reload_repeat", "", "Reload at that time every day").refused(NO_RELOADING),
    Row::of(
        GLOBAL,
        "reload_file",
        "[PATH]",
        "A file that is there while the configuration is read",
    )
    .refused("no such file is made"),
    Row::of(GLOBAL, "umask", "MASK", "umask of files that are made")
        .refused("files are made for root alone"),
    Row::of(GLOBAL, "process_names", "", "Name the processes apart").ignored(OWN_NAMES),
    Row::of(GLOBAL, "process_name", "NAME", "Name of the parent process").ignored(OWN_NAMES),
    Row::of(GLOBAL, "vrrp_process_name", "NAME", "Name of the VRRP process").ignored(OWN_NAMES),
    Row::of(GLOBAL, "checker_process_name", "NAME", "Name of the checker process")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_process_name", "NAME", "Old name of checker_process_name")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "bfd_process_name", "NAME", "Name of the BFD process").ignored(NO_BFD),
    Row::of(
        GLOBAL,
        "max_auto_priority",
        "[PRIORITY]",
        "How far a late process may raise its priority",
    )
    .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "min_auto_priority_delay", "MICROSECONDS", "How late it has to be")
        .bare()
        .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "vrrp_priority", "-20..19", "Nice value of the VRRP process")
        .bare()
        .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "vrrp_rt_priority", "1..99", "Real-time priority of the VRRP process")
        .bare()
        .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "vrrp_rlimit_rttime", "MICROSECONDS", "CPU time between two waits")
        .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "vrrp_rlimit_rtime", "MICROSECONDS", "Old name of vrrp_rlimit_rttime")
        .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "vrrp_no_swap", "", "Lock the VRRP process in memory").refused(NO_SCHEDULING),
    Row::of(GLOBAL, "vrrp_cpu_affinity", "CPU...", "CPUs of the VRRP process")
        .bare()
        .refused(NO_SCHEDULING),
    Row::of(GLOBAL, "checker_priority", "-20..19", "Nice value of the checker process")
        .bare()
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_rt_priority", "1..99", "Real-time priority of the checker process")
        .bare()
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_rlimit_rttime", "MICROSECONDS", "CPU time between two waits")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_rlimit_rtime", "MICROSECONDS", "Old name of checker_rlimit_rttime")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_no_swap", "", "Lock the checker process in memory")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_cpu_affinity", "CPU...", "CPUs of the checker process")
        .bare()
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_log_all_failures", "[BOOL]", "Log every failed check")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "rs_init_notifies", "", "Notify about real servers at start")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "bfd_priority", "-20..19", "Nice value of the BFD process")
        .bare()
        .ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_rt_priority", "1..99", "Real-time priority of the BFD process")
        .bare()
        .ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_rlimit_rttime", "MICROSECONDS", "CPU time between two waits")
        .ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_rlimit_rtime", "MICROSECONDS", "Old name of bfd_rlimit_rttime")
        .ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_no_swap", "", "Lock the BFD process in memory").ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_cpu_affinity", "CPU...", "CPUs of the BFD process").bare().ignored(NO_BFD),
    Row::of(GLOBAL, "vrrp_netlink_cmd_rcv_bufs", "BYTES", "Netlink receive buffer")
        .bare()
        .ignored(BUFFERS),
    Row::of(GLOBAL, "vrrp_netlink_cmd_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit")
        .ignored(BUFFERS),
    Row::of(GLOBAL, "vrrp_netlink_monitor_rcv_bufs", "BYTES", "Netlink receive buffer")
        .bare()
        .ignored(BUFFERS),
    Row::of(GLOBAL, "vrrp_netlink_monitor_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit")
        .ignored(BUFFERS),
    Row::of(GLOBAL, "lvs_netlink_cmd_rcv_bufs", "BYTES", "Netlink receive buffer of the checkers")
        .bare()
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_netlink_cmd_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit")
        .ignored(NO_CHECKERS),
    Row::of(
        GLOBAL,
        "lvs_netlink_monitor_rcv_bufs",
        "BYTES",
        "Netlink receive buffer of the checkers",
    )
    .bare()
    .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_netlink_monitor_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "process_monitor_rcv_bufs", "BYTES", "Process connector's receive buffer")
        .bare()
        .ignored(BUFFERS),
    Row::of(GLOBAL, "process_monitor_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit")
        .ignored(BUFFERS),
    Row::of(GLOBAL, "vrrp_rx_bufs_policy", "MTU|ADVERT|BYTES", "VRRP sockets' receive buffers")
        .bare()
        .ignored(BUFFERS),
    Row::of(GLOBAL, "vrrp_rx_bufs_multiplier", "NUMBER", "How many adverts they hold")
        .bare()
        .default("3")
        .ignored(BUFFERS),
    Row::of(GLOBAL, "nftables", "[TABLE]", "Use nftables").refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_priority", "PRIORITY", "Priority of the chains")
        .default("-1")
        .refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_counters", "", "Count in the rules").refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_ifindex", "", "Interface numbers in the rules").refused(NO_FIREWALL),
    Row::of(GLOBAL, "nftables_ipvs", "[TABLE]", "nftables for virtual server groups")
        .refused(NO_IPVS),
    Row::of(GLOBAL, "nftables_ipvs_priority", "PRIORITY", "Priority of the chains")
        .refused(NO_IPVS),
    Row::of(GLOBAL, "nftables_ipvs_start_fwmark", "MARK", "First firewall mark")
        .default("1000")
        .refused(NO_IPVS),
    Row::of(GLOBAL, "vrrp_iptables", "[CHAIN [CHAIN]]", "Use iptables").refused(NO_FIREWALL),
    Row::of(GLOBAL, "vrrp_ipsets", "[SET...]", "Use ipsets").refused(NO_FIREWALL),
    Row::of(GLOBAL, "vmac_prefix", "PREFIX", "Names of virtual MAC interfaces")
        .default("vrrp")
        .ignored(VMAC_ONLY),
    Row::of(GLOBAL, "vmac_addr_prefix", "PREFIX", "Names of the addresses' virtual MAC interfaces")
        .default("vmac_prefix")
        .ignored(VMAC_ONLY),
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
    Row::of(GLOBAL, "enable_dbus", "", "D-Bus interface").refused(NO_DBUS),
    Row::of(GLOBAL, "dbus_service_name", "NAME", "Its name")
        .bare()
        .default("org.keepalived.Vrrp1")
        .refused(NO_DBUS),
    Row::of(GLOBAL, "dbus_no_interface_name", "", "Its paths without interfaces")
        .newer()
        .refused(NO_DBUS),
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
    Row::of(GLOBAL, "data_use_instance", "[BOOL]", "The instance's name in names of dump files")
        .refused(NO_DUMPS),
    Row::of(GLOBAL, "json_version", "1|2", "Form of the JSON dump")
        .newer()
        .default("1")
        .refused(NO_DUMPS),
    Row::of(GLOBAL, "json_dump_file", "PATH", "The JSON dump").newer().refused(NO_DUMPS),
    Row::of(GLOBAL, "state_dump_file", "PATH", "The state dump").newer().refused(NO_DUMPS),
    Row::of(GLOBAL, "stats_dump_file", "PATH", "The statistics dump").newer().refused(NO_DUMPS),
    Row::of(GLOBAL, "iproute_usr_dir", "PATH", "Where iproute2's names are")
        .newer()
        .ignored(NO_STATIC),
    Row::of(GLOBAL, "iproute_etc_dir", "PATH", "Where iproute2's names are")
        .newer()
        .ignored(NO_STATIC),
    Row::of(MAIN, "net_namespace", "NAME", "Network namespace to run in")
        .bare()
        .refused(NO_NAMESPACE)
        .set(set::net_namespace),
    Row::of(MAIN, "net_namespace_ipvs", "[NAME]", "Network namespace of IPVS").refused(NO_IPVS),
    Row::of(MAIN, "namespace_with_ipsets", "", "ipsets on kernels before 3.13")
        .ignored("no kernel that Evenkeel runs on is so old"),
    Row::of(MAIN, "instance", "NAME", "Name of this daemon among several")
        .bare()
        .ignored("run files are found by their options"),
    Row::of(MAIN, "use_pid_dir", "", "Pid files in a folder of their own")
        .ignored("run files are in a folder of their own"),
    Row::of(MAIN, "child_wait_time", "SECONDS", "How long child processes may take to end")
        .default("5")
        .ignored("they end in their own time"),
    Row::of(MAIN, "linkbeat_use_polling", "", "Poll the links of interfaces")
        .ignored("the kernel tells about links at once"),
    Row::of(MAIN, "linkbeat_interfaces", "", "Interfaces whose links are polled")
        .lines()
        .ignored("the kernel tells about links at once"),
    Row::of(MAIN, "interface_up_down_delays", "", "Wait before acting on a link")
        .lines()
        .refused("a link counts at once"),
    Row::of(MAIN, "static_ipaddress", "", "Addresses that are always held")
        .lines()
        .refused(NO_STATIC)
        .set(address::check),
    Row::of(MAIN, "static_routes", "", "Routes that are always held").lines().refused(NO_STATIC),
    Row::of(MAIN, "static_rules", "", "Routing rules that are always held")
        .lines()
        .refused(NO_STATIC),
    Row::of(MAIN, "garp_group", "", "Interfaces on which gratuitous ARP goes slowly")
        .block("garp_group")
        .refused(NO_GROUPING),
    Row::of(GARP, "garp_interval", "SECONDS", "Time between two packets").refused(NO_GROUPING),
    Row::of(GARP, "gna_interval", "SECONDS", "The same for IPv6").refused(NO_GROUPING),
    Row::of(GARP, "interface", "INTERFACE", "The interface").refused(NO_GROUPING),
    Row::of(GARP, "interfaces", "", "The interfaces").lines().refused(NO_GROUPING),
];
