//! Three faces: `evenkeel`, `keepalived`, `nginx`.

use std::process::ExitCode;

use clap::Parser;

/// `evenkeel`'s own subcommands.
#[derive(Parser)]
#[command(name = "evenkeel", version)]
enum Evenkeel {
    /// Play what can go wrong with a cluster, in namespaces of this host
    Rehearse(crate::lab::Options),
}

/// Picks the face by the name that the program was called by.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == "lab") {
        return crate::lab::inside(args);
    }
    match Evenkeel::parse() {
        Evenkeel::Rehearse(options) => crate::lab::rehearse(&options),
    }
}
