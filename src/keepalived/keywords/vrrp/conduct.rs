//! Setters of how an instance behaves.

use super::super::super::config::{At, KeepalivedConfig};
use super::super::global::conduct::{deprecated, extra_words};
use super::super::read::{self, wrong};
use super::set::current;
use crate::text::{Diagnostics, Node};

/// Priorities that another node may have without owning the addresses.
const HIGHEST_OF_OTHERS: u8 = 254;

pub(super) fn down_timer_adverts(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (instance, word) = (current(config), &node.args[0]);
    match read::number(word, 1..=100) {
        Ok(adverts) => {
            instance.conduct.down_timer_adverts = Some(At::new(adverts as u8, word.span));
        }
        Err(reason) => {
            let (name, text) = (&instance.name.value, word.lossy());
            let message = format!("({name}): Invalid down_timer_adverts [1:100] '{text}'");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

/// `[BOOL]` behind a keyword; nothing means on.
fn switch(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<At<bool>> {
    let Some(on) = read::boolean(node.args.first()) else {
        let (word, name) = (&node.args[0], &current(config).name.value);
        let message = format!("({name}) invalid {} {} specified", node.name.lossy(), word.lossy());
        diagnostics.push(wrong(word, message, "neither on nor off".to_owned()));
        return None;
    };
    Some(At::new(on, node.name.span))
}

pub(super) fn lower_priority_no_advert(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    if let Some(on) = switch(config, node, diagnostics) {
        current(config).conduct.lower_priority_no_advert = Some(on);
    }
}

pub(super) fn higher_priority_send_advert(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    if let Some(on) = switch(config, node, diagnostics) {
        current(config).conduct.higher_priority_send_advert = Some(on);
    }
}

pub(super) fn strict(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    if let Some(on) = switch(config, node, diagnostics) {
        current(config).conduct.strict = Some(on);
    }
}

pub(super) fn owner_ignores_adverts(config: &mut KeepalivedConfig, _: &Node, _: &mut Diagnostics) {
    current(config).conduct.owner_ignores_adverts = true;
}

pub(super) fn step_back_when_late(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let instance = current(config);
    let highest = match node.args.first() {
        None => u64::from(HIGHEST_OF_OTHERS),
        Some(word) => match read::number(word, 1..=255) {
            Ok(highest) => highest,
            Err(reason) => {
                let (name, keyword, text) = (&instance.name.value, node.name.lossy(), word.lossy());
                let message = format!("({name}) invalid {keyword} priority '{text}' - ignoring");
                diagnostics.push(wrong(word, message, reason));
                return;
            }
        },
    };
    instance.conduct.step_back_when_late = Some(At::new(highest as u8, node.name.span));
}

pub(super) fn extra(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let prefix = format!("({}): ", current(config).name.value);
    if let Some(extra) = extra_words(node, &prefix, 0, diagnostics) {
        current(config).conduct.extra = Some(extra);
    }
}

pub(super) fn old_extra(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    deprecated(node, "garp_extra_if", diagnostics);
    extra(config, node, diagnostics);
}
