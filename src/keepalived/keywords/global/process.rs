//! The processes themselves: names, priorities, namespaces, reloads.

use super::super::Row;
use super::{
    BUFFERS, GLOBAL, MAIN, NO_BFD, NO_CHECKERS, NO_IPVS, NO_NAMESPACE, NO_RELOADING, NO_SCHEDULING,
    OWN_NAMES, set,
};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
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
];
