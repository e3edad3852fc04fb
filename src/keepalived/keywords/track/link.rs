//! `linkbeat_interfaces` and `linkbeat_use_polling`.

use crate::keepalived::config::KeepalivedConfig;
use crate::keepalived::keywords::read::{self, wrong};
use crate::plan::track::LinkQuery;
use crate::text::{Diagnostic, Diagnostics, Node};

/// Lines of `linkbeat_interfaces`.
pub(in crate::keepalived::keywords) fn interfaces(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    for line in node.body.iter().flatten() {
        let mut by = None;
        for word in &line.args {
            by = match word.text.as_slice() {
                _ if by.is_some() => None,
                b"MII" => Some(LinkQuery::Mii),
                b"ETHTOOL" => Some(LinkQuery::Ethtool),
                b"IOCTL" => Some(LinkQuery::Ioctl),
                _ => None,
            };
            if by.is_none() {
                let text = line.args[0].lossy();
                let message = format!("extra characters {text} in linkbeat interface");
                let reason = "`MII`, `ETHTOOL` or `IOCTL` may stand here".to_owned();
                diagnostics.push(wrong(word, message, reason));
                break;
            }
        }
        config.tracked.linkbeats.push((read::text(&line.name), by));
    }
}

/// In microseconds.
const DELAYS: std::ops::RangeInclusive<u64> = 0..=255_000_000;

/// `interface_up_down_delays`
pub(in crate::keepalived::keywords) fn delays(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    for line in node.body.iter().flatten() {
        let mut delay = |at: usize| {
            let word = line.args.get(at)?;
            // It says no more than that.
            let message = read::seconds(word, DELAYS).err().unwrap_or_default();
            read::timer(word, DELAYS, message, diagnostics)
        };
        let (down, up) = (delay(0), delay(1));
        if let Some(down) = down {
            // Where the second is wrong, there is none.
            let up = if line.args.len() > 1 { Some(up.unwrap_or_default()) } else { None };
            config.tracked.delays.push((read::text(&line.name), down, up));
        }
    }
}

/// `linkbeat_use_polling` for all interfaces.
pub(in crate::keepalived::keywords) fn all(
    config: &mut KeepalivedConfig,
    _: &Node,
    _: &mut Diagnostics,
) {
    config.tracked.linkbeat = true;
}

/// `linkbeat_use_polling` in an instance.
pub(in crate::keepalived::keywords) fn own(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(instance) = config.instances.last_mut() else { return };
    instance.tracking.linkbeat = true;
    let message = format!(
        "({}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block",
        instance.name.value
    );
    let diagnostic = Diagnostic::error("keepalived/deprecated", message).at(node.name.span);
    diagnostics.push(diagnostic);
}
