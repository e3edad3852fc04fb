//! `evenkeel check`: is anything wrong with these files?

use std::process::ExitCode;

use serde_json::json;

use super::loading;
use crate::load::{Inputs, Loaded};
use crate::text::{Severity, render};

/// Nothing is wrong.
pub(super) const CLEAN: u8 = 0;
/// There are errors (or warnings, if they count).
pub(super) const ERRORS: u8 = 1;
/// A file can't be read.
pub(super) const UNREADABLE: u8 = 2;

pub(super) fn run(inputs: &Inputs, as_json: bool, strict: bool) -> ExitCode {
    let loaded = loading::to_look_at(inputs);
    let code = verdict(&loaded, strict);
    if as_json {
        let each = loaded.diagnostics.iter();
        let diagnostics: Vec<_> = each.map(|one| render::json(&loaded.sources, one)).collect();
        println!("{}", json!({ "clean": code == CLEAN, "diagnostics": diagnostics }));
        return ExitCode::from(code);
    }
    loading::complain(&loaded);
    let count = |least: Severity, most: Severity| {
        let within = |severity| (least..=most).contains(&severity);
        loaded.diagnostics.iter().filter(|one| within(one.severity)).count()
    };
    let errors = count(Severity::Error, Severity::Fatal);
    let warnings = count(Severity::Warning, Severity::Warning);
    match (errors, warnings) {
        (0, 0) => println!("clean"),
        (errors, warnings) => println!("errors: {errors}, warnings: {warnings}"),
    }
    ExitCode::from(code)
}

fn verdict(loaded: &Loaded, strict: bool) -> u8 {
    match loaded.diagnostics.worst() {
        Some(Severity::Error | Severity::Fatal) => ERRORS,
        Some(Severity::Warning) if strict => ERRORS,
        _ => CLEAN,
    }
}
