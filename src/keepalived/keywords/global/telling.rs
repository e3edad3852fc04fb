//! Scripts, FIFOs, mail and dumps.

use super::super::Row;
use super::{GLOBAL, NO_CHECKERS, NO_DBUS, NO_DUMPS, NO_FIFO, NO_MAIL, NO_SCRIPTS, set};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(GLOBAL, "script_user", "USER [GROUP]", "Whom scripts run as")
        .bare()
        .default("keepalived_script if there is such a user, else root")
        .full(set::script_user),
    Row::of(GLOBAL, "enable_script_security", "", "Don't run as root what others may write to")
        .full(set::script_security),
    Row::of(
        GLOBAL,
        "vrrp_notify_priority_changes",
        "[BOOL]",
        "Tell the notify FIFOs about priorities",
    )
    .refused(NO_FIFO),
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
    Row::of(GLOBAL, "enable_dbus", "", "D-Bus interface").refused(NO_DBUS),
    Row::of(GLOBAL, "dbus_service_name", "NAME", "Its name")
        .bare()
        .default("org.keepalived.Vrrp1")
        .refused(NO_DBUS),
    Row::of(GLOBAL, "dbus_no_interface_name", "", "Its paths without interfaces")
        .newer()
        .refused(NO_DBUS),
    Row::of(GLOBAL, "data_use_instance", "[BOOL]", "The instance's name in names of dump files")
        .refused(NO_DUMPS),
    Row::of(GLOBAL, "json_version", "1|2", "Form of the JSON dump")
        .newer()
        .default("1")
        .refused(NO_DUMPS),
    Row::of(GLOBAL, "json_dump_file", "PATH", "The JSON dump").newer().refused(NO_DUMPS),
    Row::of(GLOBAL, "state_dump_file", "PATH", "The state dump").newer().refused(NO_DUMPS),
    Row::of(GLOBAL, "stats_dump_file", "PATH", "The statistics dump").newer().refused(NO_DUMPS),
];
