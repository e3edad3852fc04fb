//! `track_file` (keepalived.conf(5), "Track files").

use crate::keepalived::config::tracking::TrackFile;
use crate::keepalived::config::{KeepalivedConfig, Weight};
use crate::keepalived::keywords::read::{self, wrong};
use crate::plan::track::InitFile;
use crate::text::{Diagnostic, Diagnostics, Node};

pub(super) fn begin(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let name = read::text(&node.args[0]);
    if !node.body.iter().flatten().any(|line| line.name.is("file") && !line.args.is_empty()) {
        let message = format!("No file set for track_file {} - ignoring", name.value);
        let diagnostic = Diagnostic::error("keepalived/track-file", message);
        diagnostics.push(diagnostic.at(read::end(node)).label(name.span, "this one"));
    }
    config.tracked.add_file(TrackFile::new(name));
}

fn current(config: &mut KeepalivedConfig) -> Option<&mut TrackFile> {
    config.tracked.files.last_mut()
}

pub(super) fn path(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (Some(file), Some(word)) = (current(config), node.args.first()) else { return };
    if let Some(before) = &file.path {
        let (name, text) = (&file.name.value, word.lossy());
        let message = format!("File already set for track file {name} - ignoring {text}");
        let diagnostic = Diagnostic::error("keepalived/duplicate", message).at(word.span);
        diagnostics.push(diagnostic.label(before.span, "set here"));
        return;
    }
    file.path = Some(read::text(word));
}

pub(super) fn weight(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let (Some(file), Some(word)) = (current(config), node.args.first()) else { return };
    let name = &file.name.value;
    let value = match read::signed(word, -254..=254) {
        Ok(value) => value,
        Err(reason) => {
            let text = word.lossy();
            let message = format!(
                "Weight ({text}) for track_file {name} must be between [-254..254] inclusive. \
                 Ignoring..."
            );
            diagnostics.push(wrong(word, message, reason));
            match read::leading_number(&text) {
                Some(value) if value.abs() <= 254 => value,
                _ => return,
            }
        }
    };
    let option = node.args.get(1);
    if let Some(word) = option.filter(|word| !word.is("reverse")) {
        let message = format!("track_file {name} unknown weight option {}", word.lossy());
        diagnostics.push(wrong(word, message, "only `reverse` may stand here".to_owned()));
    }
    let reverse = option.is_some_and(|word| word.is("reverse"));
    file.weight = Some(Weight { value: value as i16, reverse });
}

pub(super) fn init(config: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    let Some(file) = current(config) else { return };
    let mut init = InitFile::default();
    for word in &node.args {
        let text = word.lossy();
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if word.is("overwrite") {
            init.overwrite = true;
        } else if digits.starts_with(|c: char| c.is_ascii_digit()) {
            match text.parse() {
                Ok(value) => init.value = value,
                Err(_) => {
                    let name = &file.name.value;
                    let message = format!("Track file {name} init value {text} is invalid");
                    let reason = format!("number '{text}' outside integer range");
                    diagnostics.push(wrong(word, message, reason));
                }
            }
        } else {
            let message = format!("Unknown track file init option {text}");
            let reason = "a number and `overwrite` may stand here".to_owned();
            diagnostics.push(wrong(word, message, reason));
        }
    }
    file.init = Some(init);
}
