//! How workers get the machine. Wording observed on nginx 1.22.

use super::slot;
use super::{Directive, MAIN, ONE, Row, SOME, Support, row};
use crate::nginx::config::NginxConfig;
use crate::plan::placement::Affinity;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) static ROWS: &[Row] = &[
    Directive {
        default: Some("0"),
        support: Support::Partial(
            "workers that run already have no right to a better one: that takes a restart",
        ),
        ..row("worker_priority", MAIN, ONE, "NUMBER", "Workers' nice value.", priority)
    },
    row("worker_cpu_affinity", MAIN, SOME, "auto [MASK]|MASK…", "Each worker's CPUs.", affinity),
    row("worker_rlimit_core", MAIN, ONE, "SIZE", "Largest core dump.", |c, n, out| {
        let mut size = None;
        slot::size(&mut size, n, out);
        c.main.placement.core_limit = size.map(|size| size as u64);
    }),
    row("working_directory", MAIN, ONE, "FOLDER", "Workers' folder: for core dumps.", |c, n, _| {
        c.main.placement.folder = Some(slot::first(n).lossy().into_owned().into());
    }),
];

fn priority(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let text = slot::first(node).lossy();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    match slot::count(digits) {
        // The kernel takes what is beyond its range as the nearest value in it.
        Some(number) => {
            config.main.placement.nice = Some((number.min(20) as i8 * sign).clamp(-20, 19));
        }
        None => slot::invalid(node, "number", out),
    }
}

fn affinity(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let auto = slot::first(node).is("auto");
    if auto && node.args.len() > 2 {
        let message = "invalid number of arguments in \"worker_cpu_affinity\" directive";
        out.push(Diagnostic::error("nginx/invalid-value", message).at(node.name.span));
        return;
    }
    let masks = &node.args[usize::from(auto)..];
    let masks: Option<Vec<Vec<u16>>> = masks.iter().map(|mask| cpus(mask, out)).collect();
    let Some(mut masks) = masks else { return };
    config.main.placement.affinity = Some(match auto {
        true => Affinity::Auto(masks.pop().unwrap_or_default()),
        false => Affinity::Masks(masks),
    });
}

/// A mask's last digit is the first CPU.
fn cpus(mask: &Word, out: &mut Diagnostics) -> Option<Vec<u16>> {
    let digits: Vec<u8> = mask.text.iter().copied().filter(|byte| *byte != b' ').collect();
    let complaint = match digits.iter().find(|byte| !matches!(byte, b'0' | b'1')) {
        Some(bad) => format!(
            "invalid character \"{}\" in \"worker_cpu_affinity\"",
            String::from_utf8_lossy(&[*bad])
        ),
        None if digits.len() > 1024 => {
            "\"worker_cpu_affinity\" supports up to 1024 CPUs only".to_owned()
        }
        None => {
            let set = digits.iter().rev().zip(0..).filter(|(digit, _)| **digit == b'1');
            return Some(set.map(|(_, cpu)| cpu).collect());
        }
    };
    out.push(Diagnostic::error("nginx/invalid-value", complaint).at(mask.span));
    None
}
