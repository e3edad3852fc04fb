//! Scripts, FIFOs, mail and dumps.

use std::time::Duration;

use super::super::super::config::telling::{Fifo, FifoWithScript, SmtpServer, TimedScript};
use super::super::super::config::{At, KeepalivedConfig};
use super::super::Row;
use super::super::read::{self, wrong};
use super::set::{self, missing};
use super::{GLOBAL, NO_CHECKERS};
use crate::text::{Diagnostic, Diagnostics, Node};

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
    .full(priority_changes),
    Row::of(GLOBAL, "notification_email", "", "Whom mail goes to").lines().full(emails),
    Row::of(GLOBAL, "notification_email_from", "ADDRESS", "Whom mail is from")
        .bare()
        .default("the user's name at the host's")
        .full(from),
    Row::of(GLOBAL, "smtp_server", "HOST [PORT]", "Mail server; port 25").full(smtp_server),
    Row::of(GLOBAL, "smtp_helo_name", "[NAME]", "Name to greet the mail server with")
        .default("the host's name")
        .full(helo),
    Row::of(GLOBAL, "smtp_connect_timeout", "SECONDS", "How long connecting to it may take")
        .default("30")
        .full(smtp_timeout),
    Row::of(GLOBAL, "smtp_alert", "[BOOL]", "Mail on changes of state").full(mail),
    Row::of(GLOBAL, "smtp_alert_vrrp", "[BOOL]", "The same for instances")
        .default("smtp_alert")
        .full(vrrp_mail),
    Row::of(GLOBAL, "smtp_alert_checker", "[BOOL]", "The same for checkers")
        .ignored(NO_CHECKERS)
        .set(checker_mail),
    Row::of(GLOBAL, "no_email_faults", "", "No mail about faults").full(no_email_faults),
    Row::of(GLOBAL, "startup_script", "COMMAND [USER [GROUP]]", "Run before anything else")
        .bare()
        .full(startup_script),
    Row::of(GLOBAL, "startup_script_timeout", "SECONDS", "How long it may take")
        .bare()
        .default("10")
        .full(startup_timeout),
    Row::of(GLOBAL, "shutdown_script", "COMMAND [USER [GROUP]]", "Run after everything else")
        .bare()
        .full(shutdown_script),
    Row::of(GLOBAL, "shutdown_script_timeout", "SECONDS", "How long it may take")
        .bare()
        .default("10")
        .full(shutdown_timeout),
    Row::of(GLOBAL, "set_supplementary_groups", "", "Scripts get their user's other groups")
        .newer()
        .full(supplementary_groups),
    Row::of(GLOBAL, "use_symlink_paths", "[BOOL]", "Keep symbolic links in the paths of scripts")
        .newer()
        .ignored("paths are always used as they are written, as keepalived 2.2 does"),
    Row::of(GLOBAL, "notify_fifo", "PATH [USER [GROUP]]", "FIFO for all changes of state")
        .bare()
        .full(fifo::all),
    Row::of(GLOBAL, "notify_fifo_script", "COMMAND [USER [GROUP]]", "Reads it")
        .bare()
        .full(fifo_script::all),
    Row::of(GLOBAL, "vrrp_notify_fifo", "PATH [USER [GROUP]]", "FIFO for changes of instances")
        .bare()
        .full(fifo::vrrp),
    Row::of(GLOBAL, "vrrp_notify_fifo_script", "COMMAND [USER [GROUP]]", "Reads it")
        .bare()
        .full(fifo_script::vrrp),
    Row::of(GLOBAL, "lvs_notify_fifo", "PATH [USER [GROUP]]", "FIFO for changes of checkers")
        .bare()
        .ignored("real servers aren't checked, so there is nothing to write to it")
        .set(fifo::lvs),
    Row::of(GLOBAL, "lvs_notify_fifo_script", "COMMAND [USER [GROUP]]", "Reads it")
        .bare()
        .ignored("real servers aren't checked, so there is nothing to read for it")
        .set(fifo_script::lvs),
    Row::of(
        GLOBAL,
        "fifo_write_vrrp_states_on_reload",
        "",
        "Write all states to the FIFOs after a reload",
    )
    .full(states_on_reload),
    Row::of(GLOBAL, "data_use_instance", "[BOOL]", "The instance's name in names of dump files")
        .full(data_use_instance),
    Row::of(GLOBAL, "json_version", "1|2", "Form of the JSON dump")
        .newer()
        .default("1")
        .full(json_version),
    Row::of(GLOBAL, "json_dump_file", "PATH", "The JSON dump")
        .newer()
        .default("/tmp/keepalived.json")
        .full(json_file),
    Row::of(GLOBAL, "state_dump_file", "PATH", "The state dump")
        .newer()
        .default("/tmp/keepalived.data")
        .full(state_file),
    Row::of(GLOBAL, "stats_dump_file", "PATH", "The statistics dump")
        .newer()
        .default("/tmp/keepalived.stats")
        .full(stats_file),
];

/// Port of `smtp_server` where none is given.
const SMTP: u16 = 25;

fn switch(node: &Node, named: &str, diagnostics: &mut Diagnostics) -> Option<bool> {
    let value = read::boolean(node.args.first());
    if value.is_none() {
        let word = &node.args[0];
        let message = format!("Invalid value '{}' for global {named} specified", word.lossy());
        diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
    }
    value
}

fn priority_changes(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    let value = switch(node, "vrrp_notify_priority_changes", diagnostics);
    telling.priority_changes = value.unwrap_or(telling.priority_changes);
}

fn mail(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    telling.mail = switch(node, "smtp_alert", diagnostics).or(telling.mail);
}

fn vrrp_mail(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    telling.vrrp_mail = switch(node, "smtp_alert_vrrp", diagnostics).or(telling.vrrp_mail);
}

fn checker_mail(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    telling.checker_mail = switch(node, "smtp_alert_checker", diagnostics).or(telling.checker_mail);
}

fn no_email_faults(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.telling.no_email_faults = true;
}

fn states_on_reload(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.telling.states_on_reload = true;
}

fn supplementary_groups(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    config.globals.telling.supplementary_groups = true;
}

fn data_use_instance(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    // The misspelling is keepalived's.
    let value = switch(node, "date_use_instance", diagnostics);
    let telling = &mut config.globals.telling;
    telling.data_use_instance = value.unwrap_or(telling.data_use_instance);
}

/// Every word of every line is an address.
fn emails(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let lines = || node.body.iter().flatten();
    if lines().next().is_none() {
        return missing(node, "Warning - empty notification_email block", diagnostics);
    }
    let words = lines().flat_map(|line| std::iter::once(&line.name).chain(&line.args));
    config.globals.telling.emails.extend(words.map(read::text));
}

fn from(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    match node.args.first() {
        Some(word) => config.globals.telling.from = Some(read::text(word)),
        None => missing(node, "emailfrom missing - ignoring", diagnostics),
    }
}

fn smtp_server(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let host = read::text(&node.args[0]);
    let port = match node.args.get(1) {
        None => SMTP,
        Some(word) => match read::number(word, 1..=65535) {
            Ok(port) => port as u16,
            Err(reason) => {
                let message = format!("Invalid smtp server {} {}", host.value, word.lossy());
                diagnostics.push(wrong(word, message, reason));
                return;
            }
        },
    };
    let server = SmtpServer { host: host.value, port, span: host.span };
    config.globals.telling.servers.push(server);
}

fn helo(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    config.globals.telling.helo = node.args.first().map(read::text);
}

fn smtp_timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match read::number(word, 0..=4294) {
        Ok(0) => {
            // The misspelling is keepalived's.
            let message = "smtp_conect_timeout must be greater than 0, setting to 1".to_owned();
            diagnostics.push(wrong(word, message, "at least 1".to_owned()));
            config.globals.telling.timeout = Some(Duration::from_secs(1));
        }
        Ok(seconds) => config.globals.telling.timeout = Some(Duration::from_secs(seconds)),
        Err(reason) => {
            let text = word.lossy();
            let message = format!("smtp_connect_timeout '{text}' must be in [0, 4294] - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn startup_script(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    timed(&mut config.globals.telling.startup, "startup", node, diagnostics);
}

fn shutdown_script(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    timed(&mut config.globals.telling.shutdown, "shutdown", node, diagnostics);
}

fn timed(timed: &mut TimedScript, which: &str, node: &Node, diagnostics: &mut Diagnostics) {
    if node.args.is_empty() {
        return missing(node, &format!("{which} script missing"), diagnostics);
    }
    if timed.script.is_some() {
        let message = format!("{which} script already specified");
        let diagnostic = Diagnostic::error("keepalived/duplicate", message);
        diagnostics.push(diagnostic.at(read::args_span(node)).help("the first one counts"));
        return;
    }
    timed.script = read::command(node, true, diagnostics);
    if timed.script.is_none() {
        missing(node, &format!("Invalid {which} script"), diagnostics);
    }
}

fn startup_timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    script_timeout(&mut config.globals.telling.startup, node, diagnostics);
}

fn shutdown_timeout(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    script_timeout(&mut config.globals.telling.shutdown, node, diagnostics);
}

fn script_timeout(timed: &mut TimedScript, node: &Node, diagnostics: &mut Diagnostics) {
    let keyword = node.name.lossy();
    let Some(word) = node.args.first() else {
        return missing(node, &format!("{keyword} requires value"), diagnostics);
    };
    match read::number(word, 1..=1000) {
        Ok(seconds) => timed.timeout = Some(Duration::from_secs(seconds)),
        Err(reason) => {
            let text = word.lossy();
            let message = format!("{keyword} '{text}' must be in [1, 1000] - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

/// The setters of the three FIFOs, and of what reads them.
macro_rules! fifos {
    ($($name:ident $field:ident)*) => {
        mod fifo {
            use super::*;
            $(pub(super) fn $name(
                config: &mut KeepalivedConfig,
                node: &Node,
                diagnostics: &mut Diagnostics,
            ) {
                keep_fifo(&mut config.globals.telling.$field, node, diagnostics);
            })*
        }

        mod fifo_script {
            use super::*;
            $(pub(super) fn $name(
                config: &mut KeepalivedConfig,
                node: &Node,
                diagnostics: &mut Diagnostics,
            ) {
                keep_script(&mut config.globals.telling.$field, node, diagnostics);
            })*
        }
    };
}

fifos!(all fifo vrrp vrrp_fifo lvs lvs_fifo);

fn keep_fifo(slot: &mut FifoWithScript, node: &Node, diagnostics: &mut Diagnostics) {
    let keyword = node.name.lossy();
    let Some(word) = node.args.first() else {
        return missing(node, &format!("No {keyword} name specified"), diagnostics);
    };
    if slot.fifo.is_some() {
        return already(node, diagnostics);
    }
    slot.fifo = Some(Fifo { path: read::text(word), owner: read::user(&node.args[1..]) });
}

fn keep_script(slot: &mut FifoWithScript, node: &Node, diagnostics: &mut Diagnostics) {
    let keyword = node.name.lossy();
    if node.args.is_empty() {
        return missing(node, &format!("No {keyword} specified"), diagnostics);
    }
    if slot.script.is_some() {
        return already(node, diagnostics);
    }
    slot.script = read::command(node, true, diagnostics);
}

fn already(node: &Node, diagnostics: &mut Diagnostics) {
    let (keyword, text) = (node.name.lossy(), node.args[0].lossy());
    let message = format!("{keyword} already specified - ignoring {text}");
    let diagnostic = Diagnostic::error("keepalived/duplicate", message);
    diagnostics.push(diagnostic.at(read::args_span(node)));
}

fn json_version(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    match read::number(word, 1..=2) {
        Ok(version) => config.globals.telling.second_json = version == 2,
        Err(reason) => {
            let message = format!("json_version '{}' must be 1 or 2 - ignoring", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

fn path(node: &Node, diagnostics: &mut Diagnostics) -> Option<At<String>> {
    let path = read::text(&node.args[0]);
    if path.value.starts_with('/') {
        return Some(path);
    }
    let keyword = node.name.lossy();
    let message = format!("{keyword} '{}' must be an absolute path - ignoring", path.value);
    let reason = "has to begin with a slash".to_owned();
    diagnostics.push(wrong(&node.args[0], message, reason));
    None
}

fn json_file(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    telling.json_file = path(node, diagnostics).or(telling.json_file.take());
}

fn state_file(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    telling.state_file = path(node, diagnostics).or(telling.state_file.take());
}

fn stats_file(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let telling = &mut config.globals.telling;
    telling.stats_file = path(node, diagnostics).or(telling.stats_file.take());
}
