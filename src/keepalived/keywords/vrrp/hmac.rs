//! Setters of `auth_hmac` (keepalived 2.4).

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::super::config::wire::Hmac;
use super::super::super::config::{At, KeepalivedConfig};
use super::super::read::{self, wrong};
use super::set::current;
use crate::plan::Secret;
use crate::plan::wire::HmacMode;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

/// In bytes.
const SHORTEST: usize = 32;
const LONGEST: usize = 64;
/// A key file is no larger, in hex with some white space.
const LARGEST_FILE: u64 = 1024;

pub(super) fn begin(config: &mut KeepalivedConfig, node: &Node, _: &mut Diagnostics) {
    current(config).wire.hmac = Some(Hmac {
        keys: BTreeMap::new(),
        active: None,
        monotonic: false,
        window: None,
        mode: HmacMode::default(),
        span: node.name.span,
    });
}

fn block(config: &mut KeepalivedConfig) -> Option<(String, &mut Hmac)> {
    let instance = current(config);
    Some((instance.name.value.clone(), instance.wire.hmac.as_mut()?))
}

/// `key ID VALUE`. No message shows the value.
pub(super) fn key(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some((name, hmac)) = block(config) else { return };
    let mut refuse = |message: String, reason: &str| {
        let diagnostic = Diagnostic::error("keepalived/value", format!("({name}) {message}"));
        diagnostics.push(diagnostic.label(node.name.span, reason));
    };
    let [id, value, ..] = node.args.as_slice() else {
        return refuse(
            "auth_hmac key needs an id and a key - ignoring".to_owned(),
            "write `key ID KEY`",
        );
    };
    let Ok(id) = read::number(id, 1..=255) else {
        let message = format!("auth_hmac key id '{}' not valid - ignoring", id.lossy());
        return refuse(message, "1 to 255");
    };
    match bytes_of(value) {
        Err(reason) => refuse(format!("auth_hmac key {id} cannot be read - ignoring"), &reason),
        Ok(bytes) if !(SHORTEST..=LONGEST).contains(&bytes.len()) => {
            let message = format!("auth_hmac key {id} must have 32 to 64 bytes - ignoring");
            refuse(message, &format!("it has {}", bytes.len()));
        }
        Ok(bytes) => {
            if hmac.keys.insert(id as u8, Secret::new(bytes)).is_some() {
                let message = format!("auth_hmac key {id} given more than once - using the last");
                refuse(message, "the same id as above");
            }
        }
    }
}

/// ASCII, `hex:` with digits, or `file:` with the path of a file that has either.
fn bytes_of(value: &Word) -> Result<Vec<u8>, String> {
    let Some(path) = value.text.strip_prefix(b"file:") else { return literal(&value.text) };
    let path = String::from_utf8_lossy(path);
    let problem = |error: std::io::Error| format!("{path}: {error}");
    let large = std::fs::metadata(&*path).map_err(problem)?.len() > LARGEST_FILE;
    if large {
        return Err(format!("{path}: too large for a key"));
    }
    literal(std::fs::read(&*path).map_err(problem)?.trim_ascii())
}

fn literal(text: &[u8]) -> Result<Vec<u8>, String> {
    let Some(hex) = text.strip_prefix(b"hex:") else { return Ok(text.to_vec()) };
    let digit = |byte: &u8| (*byte as char).to_digit(16).map(|it| it as u8);
    let digits: Option<Vec<u8>> = hex.iter().map(digit).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        Some(_) => Err("an odd number of hex digits".to_owned()),
        None => Err("not only hex digits behind `hex:`".to_owned()),
    }
}

pub(super) fn active_key(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (Some((name, hmac)), word) = (block(config), &node.args[0]) else { return };
    match read::number(word, 1..=255) {
        Ok(id) => hmac.active = Some(At::new(id as u8, word.span)),
        Err(reason) => {
            let message =
                format!("({name}) auth_hmac active_key '{}' not valid - ignoring", word.lossy());
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn anti_replay(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (Some((name, hmac)), word) = (block(config), &node.args[0]) else { return };
    match word.text.as_slice() {
        b"time" => hmac.monotonic = false,
        b"monotonic" => hmac.monotonic = true,
        _ => {
            let text = word.lossy();
            let message = format!("({name}) unknown auth_hmac anti_replay '{text}' - ignoring");
            diagnostics.push(wrong(word, message, "neither time nor monotonic".to_owned()));
        }
    }
}

pub(super) fn time_window(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let (Some((name, hmac)), word) = (block(config), &node.args[0]) else { return };
    match read::number(word, 1..=300) {
        Ok(seconds) => hmac.window = Some(Duration::from_secs(seconds)),
        Err(reason) => {
            let text = word.lossy();
            let message = format!("({name}) auth_hmac time_window '{text}' not valid - ignoring");
            diagnostics.push(wrong(word, message, reason));
        }
    }
}

pub(super) fn mode(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (Some((name, hmac)), word) = (block(config), &node.args[0]) else { return };
    hmac.mode = match word.text.as_slice() {
        b"enforce" => HmacMode::Enforce,
        b"permissive" => HmacMode::Permissive,
        b"receive-only" => HmacMode::ReceiveOnly,
        _ => {
            let message = format!("({name}) unknown auth_hmac mode '{}' - ignoring", word.lossy());
            let reason = "neither enforce nor permissive nor receive-only".to_owned();
            diagnostics.push(wrong(word, message, reason));
            return;
        }
    };
}
