//! `global_defs` and the keywords outside of any block (keepalived.conf(5), "Global
//! configuration").
//!
//! The rows, a file for each topic (here what is left); [`set`] has what they do.

pub(super) mod conduct;
pub(super) mod foreign;
pub(super) mod lvs;
pub(super) mod network;
pub(super) mod process;
mod set;
mod speech;
pub(super) mod telling;
pub(super) mod wire;

use super::{Row, nothing};

const MAIN: &[&str] = &["main"];
const GLOBAL: &[&str] = &["global_defs"];
const GARP: &[&str] = &["garp_group"];

const NO_BFD: &str = "BFD isn't spoken";
const NO_CHECKERS: &str = "real servers aren't checked";
const NO_NAMES: &str = "iproute2's names are read from its usual folders";
const BUFFERS: &str = "the kernel's default is enough, and overruns are handled";

pub(super) const TABLE: &[Row] = &[
    Row::of(MAIN, "global_defs", "", "Settings for all").block("global_defs").full(nothing),
    Row::of(GLOBAL, "router_id", "NAME", "How this node names itself to people")
        .bare()
        .default("the host's name")
        .full(set::router_id),
    Row::of(GLOBAL, "include_check", "[CHECK...]", "Which misses of `include` are errors")
        .default("none")
        .full(nothing),
    Row::of(GLOBAL, "random_seed", "NUMBER", "Seed of ${_RANDOM}").full(nothing),
    Row::of(GLOBAL, "iproute_usr_dir", "PATH", "Where iproute2's names are")
        .newer()
        .ignored(NO_NAMES),
    Row::of(GLOBAL, "iproute_etc_dir", "PATH", "Where iproute2's names are")
        .newer()
        .ignored(NO_NAMES),
];
