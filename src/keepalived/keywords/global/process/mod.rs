//! The processes themselves: names, priorities, namespaces, reloads.

mod set;

use super::super::Row;
use super::{BUFFERS, GLOBAL, MAIN, NO_BFD, NO_CHECKERS};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(GLOBAL, "config_save_dir", "PATH", "Keep copies of the configuration").partial("secrets in the copies are asterisks", set::save),
    Row::of(GLOBAL, "tmp_config_directory", "PATH", "Where the read configuration is kept")
        .bare().set(set::temporary).ignored("what is read is kept in memory, whatever its size, and only until the processes have it"),
    Row::of(GLOBAL, "reload_check_config", "[LOGFILE]", "Check the configuration before a reload").full(set::check),
    Row::of(GLOBAL, "reload_time_file", "PATH", "When to reload").bare().full(set::time_file),
    Row::of(GLOBAL, "reload_repeat", "", "Reload at that time every day").full(set::repeat),
    Row::of(
        GLOBAL,
        "reload_file",
        "[PATH]",
        "A file that is there while the configuration is read",
    ).full(set::marker),
    Row::of(GLOBAL, "umask", "MASK", "umask of files that are made").full(set::umask),
    Row::of(GLOBAL, "process_names", "", "Name the processes apart").full(set::own_names),
    Row::of(GLOBAL, "process_name", "NAME", "Name of the parent process").full(set::name),
    Row::of(GLOBAL, "vrrp_process_name", "NAME", "Name of the VRRP process").full(set::name),
    Row::of(GLOBAL, "checker_process_name", "NAME", "Name of the checker process").set(set::name).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_process_name", "NAME", "Old name of checker_process_name").set(set::name).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "bfd_process_name", "NAME", "Name of the BFD process").set(set::name).ignored(NO_BFD),
    Row::of(
        GLOBAL,
        "max_auto_priority",
        "[PRIORITY]",
        "How far a late process may raise its priority",
    ).full(set::most_automatic),
    Row::of(GLOBAL, "min_auto_priority_delay", "MICROSECONDS", "How late it has to be")
        .bare().full(set::automatic_after),
    Row::of(GLOBAL, "vrrp_priority", "-20..19", "Nice value of the VRRP process")
        .bare().full(set::nice),
    Row::of(GLOBAL, "vrrp_rt_priority", "1..99", "Real-time priority of the VRRP process")
        .bare().full(set::realtime),
    Row::of(GLOBAL, "vrrp_rlimit_rttime", "MICROSECONDS", "CPU time between two waits").full(set::realtime_limit),
    Row::of(GLOBAL, "vrrp_rlimit_rtime", "MICROSECONDS", "Old name of vrrp_rlimit_rttime").full(set::realtime_limit),
    Row::of(GLOBAL, "vrrp_no_swap", "", "Lock the VRRP process in memory").full(set::no_swap),
    Row::of(GLOBAL, "vrrp_cpu_affinity", "CPU...", "CPUs of the VRRP process")
        .bare().full(set::cpus),
    Row::of(GLOBAL, "checker_priority", "-20..19", "Nice value of the checker process")
        .bare().set(set::nice).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_rt_priority", "1..99", "Real-time priority of the checker process")
        .bare().set(set::realtime).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_rlimit_rttime", "MICROSECONDS", "CPU time between two waits").set(set::realtime_limit).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_rlimit_rtime", "MICROSECONDS", "Old name of checker_rlimit_rttime").set(set::realtime_limit).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_no_swap", "", "Lock the checker process in memory")
        .ignored(NO_CHECKERS),
    Row::of(GLOBAL, "checker_cpu_affinity", "CPU...", "CPUs of the checker process")
        .bare().set(set::cpus).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "bfd_priority", "-20..19", "Nice value of the BFD process")
        .bare().set(set::nice).ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_rt_priority", "1..99", "Real-time priority of the BFD process")
        .bare().set(set::realtime).ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_rlimit_rttime", "MICROSECONDS", "CPU time between two waits").set(set::realtime_limit).ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_rlimit_rtime", "MICROSECONDS", "Old name of bfd_rlimit_rttime").set(set::realtime_limit).ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_no_swap", "", "Lock the BFD process in memory").ignored(NO_BFD),
    Row::of(GLOBAL, "bfd_cpu_affinity", "CPU...", "CPUs of the BFD process").bare().set(set::cpus).ignored(NO_BFD),
    Row::of(GLOBAL, "vrrp_netlink_cmd_rcv_bufs", "BYTES", "Netlink receive buffer")
        .bare().full(set::buffer),
    Row::of(GLOBAL, "vrrp_netlink_cmd_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit").full(set::force),
    Row::of(GLOBAL, "vrrp_netlink_monitor_rcv_bufs", "BYTES", "Netlink receive buffer")
        .bare().full(set::buffer),
    Row::of(GLOBAL, "vrrp_netlink_monitor_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit").full(set::force),
    Row::of(GLOBAL, "lvs_netlink_cmd_rcv_bufs", "BYTES", "Netlink receive buffer of the checkers")
        .bare().set(set::buffer).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_netlink_cmd_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit").set(set::force).ignored(NO_CHECKERS),
    Row::of(
        GLOBAL,
        "lvs_netlink_monitor_rcv_bufs",
        "BYTES",
        "Netlink receive buffer of the checkers",
    )
    .bare().set(set::buffer).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "lvs_netlink_monitor_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit").set(set::force).ignored(NO_CHECKERS),
    Row::of(GLOBAL, "process_monitor_rcv_bufs", "BYTES", "Process connector's receive buffer")
        .bare().set(set::buffer).ignored(BUFFERS),
    Row::of(GLOBAL, "process_monitor_rcv_bufs_force", "[BOOL]", "Beyond the kernel's limit").set(set::force).ignored(BUFFERS),
    Row::of(MAIN, "net_namespace", "NAME", "Network namespace to run in")
        .bare().full(set::namespace),
    Row::of(MAIN, "namespace_with_ipsets", "", "ipsets on kernels before 3.13")
        .ignored("no kernel that Evenkeel runs on is so old"),
    Row::of(MAIN, "instance", "NAME", "Name of this daemon among several")
        .bare().full(set::instance),
    Row::of(MAIN, "use_pid_dir", "", "Pid files in a folder of their own").full(set::pid_dir),
    Row::of(MAIN, "child_wait_time", "SECONDS", "How long child processes may take to end")
        .default("5").full(set::child_wait),
];
