//! Whom instances and groups tell of their changes.

use super::super::super::config::telling::Deleted;
use super::super::super::config::{Command, KeepalivedConfig};
use super::super::Row;
use super::super::read::{self, wrong};
use super::set::current;
use super::{GROUP, INSTANCE};
use crate::text::{Diagnostic, Diagnostics, Node};

pub(in crate::keepalived::keywords) const TABLE: &[Row] = &[
    Row::of(INSTANCE, "notify_master", "COMMAND [USER [GROUP]]", "Run on becoming master")
        .full(instance::master),
    Row::of(INSTANCE, "notify_backup", "COMMAND [USER [GROUP]]", "Run on becoming backup")
        .full(instance::backup),
    Row::of(INSTANCE, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault")
        .full(instance::fault),
    Row::of(INSTANCE, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .full(instance::stop),
    Row::of(
        INSTANCE,
        "notify",
        "COMMAND [USER [GROUP]]",
        "Run on every change, with INSTANCE NAME STATE PRIORITY appended",
    )
    .full(instance::any),
    Row::of(
        INSTANCE,
        "notify_deleted",
        "[COMMAND [USER [GROUP]]]",
        "A removed instance is told of as DELETED, not as FAULT; run then",
    )
    .full(deleted),
    Row::of(
        INSTANCE,
        "notify_master_rx_lower_pri",
        "COMMAND [USER [GROUP]]",
        "Run when the master hears a lower priority",
    )
    .full(lower_priority_heard),
    Row::of(
        INSTANCE,
        "notify_priority_changes",
        "[BOOL]",
        "Tell the notify FIFOs about priorities",
    )
    .default("vrrp_notify_priority_changes")
    .full(instance_priority_changes),
    Row::of(INSTANCE, "smtp_alert", "[BOOL]", "Mail on a change of state")
        .default("smtp_alert_vrrp")
        .full(instance_mail),
    Row::of(GROUP, "notify_master", "COMMAND [USER [GROUP]]", "Run when the group becomes master")
        .full(group::master),
    Row::of(GROUP, "notify_backup", "COMMAND [USER [GROUP]]", "Run when the group becomes backup")
        .full(group::backup),
    Row::of(GROUP, "notify_fault", "COMMAND [USER [GROUP]]", "Run on a fault").full(group::fault),
    Row::of(GROUP, "notify_stop", "COMMAND [USER [GROUP]]", "Run when VRRP stops")
        .full(group::stop),
    Row::of(
        GROUP,
        "notify",
        "COMMAND [USER [GROUP]]",
        "Run on every change, with GROUP NAME STATE 0 appended",
    )
    .full(group::any),
    Row::of(GROUP, "notify_priority_changes", "[BOOL]", "Tell the notify FIFOs about priorities")
        .default("vrrp_notify_priority_changes")
        .full(group_priority_changes),
    Row::of(GROUP, "smtp_alert", "[BOOL]", "Mail on a change of state")
        .default("smtp_alert_vrrp")
        .full(group_mail),
];

/// Reads a command, and keeps it unless there is one already: the first of its kind stays.
fn keep(
    slot: &mut Option<Command>,
    owner: &str,
    what: &str,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    if slot.is_some() {
        return already(&format!("{owner} {what}"), node, diagnostics);
    }
    *slot = read::command(node, true, diagnostics);
}

fn already(what: &str, node: &Node, diagnostics: &mut Diagnostics) {
    let text = node.args.first().map(|word| word.lossy()).unwrap_or_default();
    let message = format!("{what} already specified - ignoring {text}");
    let diagnostic = Diagnostic::error("keepalived/duplicate", message);
    diagnostics.push(diagnostic.at(read::args_span(node)));
}

/// The setters of one kind of script, for instances and for groups.
macro_rules! notify {
    ($($setter:ident)*) => {
        mod instance {
            use super::*;
            $(pub(super) fn $setter(
                config: &mut KeepalivedConfig,
                node: &Node,
                diagnostics: &mut Diagnostics,
            ) {
                let instance = current(config);
                let owner = format!("({})", instance.name.value);
                let what = format!("{} script", node.name.lossy());
                keep(&mut instance.notify.$setter, &owner, &what, node, diagnostics);
            })*
        }

        mod group {
            use super::*;
            $(pub(super) fn $setter(
                config: &mut KeepalivedConfig,
                node: &Node,
                diagnostics: &mut Diagnostics,
            ) {
                let Some(group) = config.groups.last_mut() else { return };
                let owner = format!("vrrp group {}:", group.name.value);
                let what = format!("{} script", node.name.lossy());
                keep(&mut group.notify.$setter, &owner, &what, node, diagnostics);
            })*
        }
    };
}

notify!(master backup fault stop any);

fn lower_priority_heard(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    let owner = format!("({})", instance.name.value);
    let what = format!("{} script", node.name.lossy());
    keep(&mut instance.telling.lower_priority_heard, &owner, &what, node, diagnostics);
}

fn deleted(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let instance = current(config);
    if instance.telling.deleted.is_some() {
        let what = format!("({}) notify_deleted", instance.name.value);
        return already(&what, node, diagnostics);
    }
    instance.telling.deleted = Some(Deleted(read::command(node, true, diagnostics)));
}

fn instance_priority_changes(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    let name = &instance.name.value;
    let message = |text: &str| {
        format!("({name}) Invalid value '{text}' for notify_priority_changes specified")
    };
    let value = switch(node, message, diagnostics);
    instance.telling.priority_changes = value.or(instance.telling.priority_changes);
}

fn group_priority_changes(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(group) = config.groups.last_mut() else { return };
    let name = &group.name.value;
    let message = |text: &str| {
        format!("({name}) Invalid value '{text}' for sync group notify_priority_changes specified")
    };
    let value = switch(node, message, diagnostics);
    group.telling.priority_changes = value.or(group.telling.priority_changes);
}

fn instance_mail(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let message = |text: &str| format!("Invalid vrrp_instance smtp_alert parameter {text}");
    let value = switch(node, message, diagnostics);
    let telling = &mut current(config).telling;
    telling.mail = value.or(telling.mail);
}

fn group_mail(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let message = |text: &str| format!("Invalid vrrp_group smtp_alert parameter {text}");
    let value = switch(node, message, diagnostics);
    let Some(group) = config.groups.last_mut() else { return };
    group.telling.mail = value.or(group.telling.mail);
}

fn switch(
    node: &Node,
    message: impl Fn(&str) -> String,
    diagnostics: &mut Diagnostics,
) -> Option<bool> {
    let value = read::boolean(node.args.first());
    if value.is_none() {
        let word = &node.args[0];
        let reason = "neither on nor off".to_owned();
        diagnostics.push(wrong(word, message(&word.lossy()), reason));
    }
    value
}
