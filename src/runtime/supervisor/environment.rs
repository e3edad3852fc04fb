//! What nginx's `env` leaves of the environment, for workers and the next executable.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::plan::process::StreamProcess;

/// What the loader and the libraries read when a program starts. nginx's workers are copies of a
/// process that has read it; ours are started anew.
const READ_EARLY: [&str; 4] = ["LD_", "OPENSSL_", "GLIBC_TUNABLES", "MALLOC_"];

/// nginx keeps `TZ` and what `env` names.
pub(super) fn environment(process: &StreamProcess) -> Vec<(OsString, OsString)> {
    let named = |name: &OsStr| process.environment.iter().find(|it| OsStr::new(&it.name) == name);
    let stays = |name: &OsStr| {
        let early = READ_EARLY.iter().any(|it| name.as_bytes().starts_with(it.as_bytes()));
        match named(name) {
            Some(variable) => variable.value.is_none(),
            None => name == "TZ" || early,
        }
    };
    let kept = std::env::vars_os().filter(|(name, _)| stays(name));
    let set = process
        .environment
        .iter()
        .filter_map(|it| Some((OsString::from(&it.name), OsString::from(it.value.as_ref()?))));
    kept.chain(set).collect()
}
