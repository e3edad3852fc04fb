//! Three faces: `evenkeel`, `keepalived`, `nginx`.
//!
//! [`main`] decides by what the supervisor has put into the environment (then this process is a
//! role), else by the name that the program was called by. The faces share [`loading`]: files to
//! Plan, with diagnostics in the face's voice. Read [`evenkeel`] next.

mod check;
mod evenkeel;
mod inspect;
mod keepalived;
mod loading;
mod nginx;
mod options;
mod services;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use crate::kernel::process;
use crate::runtime::handoff::{CONTROL, Control};
use crate::runtime::log;
use crate::runtime::supervisor::RoleKind;
use crate::runtime::supervisor::role::{self, ROLE};

/// Picks the face by the name that the program was called by.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(role) = std::env::var_os(ROLE) {
        return run_role(&role);
    }
    process::unblock_signals();
    let (name, arguments) = match arguments.split_first() {
        Some((name, arguments)) => (name.clone(), arguments),
        None => (OsString::from("evenkeel"), &arguments[..]),
    };
    match Path::new(&name).file_name().map(OsStr::as_bytes) {
        Some(b"nginx") => nginx::main(&name, arguments),
        Some(b"keepalived") => keepalived::main(&name, arguments),
        _ => evenkeel::main(arguments),
    }
}

/// This process was started by a supervisor.
fn run_role(role: &OsStr) -> ExitCode {
    let Some(kind) = role.to_str().and_then(RoleKind::named) else {
        eprintln!("evenkeel: {ROLE} names no role");
        return ExitCode::from(2);
    };
    let settings = std::env::var(log::SETTINGS).unwrap_or_default();
    let control = Control::inherit();
    for variable in [ROLE, CONTROL, log::SETTINGS] {
        process::forget_variable(variable);
    }
    let control = match control {
        Ok(control) => control,
        Err(error) => {
            eprintln!("{}: no supervisor: {error}", kind.process_name());
            return ExitCode::from(2);
        }
    };
    match serde_json::from_str::<log::Settings>(&settings) {
        Ok(settings) => role::run(kind, control, &settings),
        Err(error) => {
            eprintln!("{}: {}: {error}", kind.process_name(), log::SETTINGS);
            ExitCode::from(2)
        }
    }
}
