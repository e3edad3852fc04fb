//! Setters of `vrrp_instance` and `vrrp_sync_group`: from words to values, with keepalived's complaints.

use super::super::super::config::{At, Instance, KeepalivedConfig, SyncGroup};
use super::super::read::{self, wrong};
use crate::plan::vrrp::InitialState;
use crate::text::{Diagnostic, Diagnostics, Node, Word};
use std::time::Duration;

/// The instance that the setters of its block work on.
pub(super) fn current(config: &mut KeepalivedConfig) -> &mut Instance {
    let instances = &mut config.instances;
    if instances.is_empty() {
        instances.push(Instance::new(At::new(String::new(), Default::default())));
    }
    instances.last_mut().expect("one was just pushed")
}

pub(super) fn instance(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(name) = node.args.first() {
        config.instances.push(Instance::new(read::text(name)));
    }
}

pub(super) fn state(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
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

pub(super) fn interface(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let word = &node.args[0];
    if word.text.len() > LONGEST_INTERFACE {
        let message = format!("Interface name '{}' too long - ignoring", word.lossy());
        diagnostics.push(wrong(word, message, format!("at most {LONGEST_INTERFACE} bytes")));
        return;
    }
    current(config).interface = Some(read::text(word));
}

pub(super) fn virtual_router_id(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
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

pub(super) fn priority(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
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

pub(super) fn advert_int(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
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

pub(super) fn no_virtual_ipaddress(
    config: &mut KeepalivedConfig,
    node: &Node,
    _: &mut Diagnostics,
) {
    current(config).no_addresses = Some(node.name.span);
}

pub(super) fn nopreempt(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).nopreempt = Some(node.name.span);
}

pub(super) fn preempt(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    current(config).nopreempt = None;
}

pub(super) fn preempt_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
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

pub(super) fn garp_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    instance.garp.delay = garp_seconds(instance, node, diagnostics).or(instance.garp.delay.take());
}

pub(super) fn garp_repeat(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    instance.garp.repeat =
        garp_count(instance, node, 1, diagnostics).or(instance.garp.repeat.take());
}

pub(super) fn garp_refresh(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    instance.garp.refresh =
        garp_seconds(instance, node, diagnostics).or(instance.garp.refresh.take());
}

pub(super) fn garp_refresh_repeat(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    let count = garp_count(instance, node, 1, diagnostics);
    instance.garp.refresh_repeat = count.or(instance.garp.refresh_repeat.take());
}

pub(super) fn garp_lower_delay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    let delay = garp_seconds(instance, node, diagnostics);
    instance.garp.lower_priority_delay = delay.or(instance.garp.lower_priority_delay.take());
}

pub(super) fn garp_lower_repeat(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    let count = garp_count(instance, node, 0, diagnostics);
    instance.garp.lower_priority_repeat = count.or(instance.garp.lower_priority_repeat.take());
}

pub(super) fn sync_group(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    if let Some(name) = node.args.first() {
        config.groups.push(SyncGroup::new(read::text(name)));
    }
}

pub(super) fn sync_members(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
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
