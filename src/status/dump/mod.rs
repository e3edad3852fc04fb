//! The files that keepalived writes on a signal, in its layout: [`stats`] (`SIGUSR2`), [`data`]
//! (`SIGUSR1`) and [`json`] (`keepalived --signum=JSON`).
//!
//! Layout and words are those of Debian's keepalived 2.2.7 as watched; `compat-tests/status.rs`
//! holds both to each other. One thing differs on purpose: passwords are masked.

pub mod data;
mod definitions;
mod interfaces;
pub mod json;
mod placed;
mod statics;
pub mod stats;
mod tracked;
pub(super) mod words;
