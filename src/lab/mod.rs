//! Rehearsal of a whole cluster in namespaces of this host.
//!
//! `evenkeel rehearse DIR` reads a small `cluster.toml`, builds the hosts it describes, runs this
//! same binary on the load balancers with the config files **unchanged**, plays scenarios while a
//! client asks every 10 ms, and prints who held the address when, what the client lost, and
//! whether that was as expected.
//!
//! Three processes deep: [`command`] (what the user started; it only waits) starts the [`stage`],
//! PID 1 of a process namespace in which everything else lives. The stage has a thread per
//! [`host`], and each load balancer has a PID 1 of its own, [`init`]. So whatever ends the
//! stage, the kernel removes all processes, networks and mounts with it.
//!
//! What is described: [`topology`] (read by [`cluster_file`]), [`scenario`]. What is built and done: [`switch`], [`host`], [`root`],
//! [`init`], [`systemctl`], [`web`], [`client`], [`deed`]. What is seen and judged: [`record`], [`verdict`],
//! [`timeline`]. Read [`topology`] next, then [`stage`].

mod client;
mod cluster_file;
mod command;
mod deed;
mod host;
mod init;
mod killall;
mod record;
mod root;
mod scenario;
mod stage;
mod switch;
mod systemctl;
mod timeline;
mod topology;
mod verdict;
mod web;

pub use command::{Options, rehearse};

use std::ffi::OsString;
use std::process::ExitCode;

/// What the processes inside a rehearsal run: the hidden subcommand `evenkeel lab ROLE ...`.
pub fn inside(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let role = args.next().unwrap_or_default();
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    match role.to_str() {
        Some("stage") => stage::main(),
        Some("node") => init::main(),
        Some("systemctl") => systemctl::main(&args),
        Some("killall") => killall::main(&args),
        _ => {
            eprintln!("evenkeel: `lab` is for processes inside a rehearsal; see `rehearse`");
            ExitCode::from(2)
        }
    }
}

/// Why a rehearsal couldn't go on, in words for the user.
#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

type Outcome<T> = Result<T, Failure>;

/// Says what was being done when it failed.
trait Doing<T> {
    fn doing(self, what: impl std::fmt::Display) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl std::fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}
