//! Other people's scripts as processes: as keepalived runs them.
//!
//! Each is the leader of a process group of its own, with `/dev/null` as standard input, output
//! and error, the daemon's environment and folder, and the user that the config names.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::spare;
use crate::kernel::process::{die_with_this_thread, run_as};
use crate::plan::track::RunAs;

/// What only roles understand; a script may start daemons of its own.
const PRIVATE: [&str; 2] = ["EVENKEEL_ROLE", "EVENKEEL_CONTROL"];

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exited(i32),
    /// Number of the signal.
    Signaled(i32),
}

/// A script that runs.
#[derive(Debug)]
pub struct Script {
    child: Child,
    group: Pid,
}

impl Script {
    /// Starts it. Must be called inside a tokio runtime.
    pub fn start(argv: &[String], user: Option<&RunAs>) -> io::Result<Self> {
        Self::launch(argv, user, false)
    }

    /// The same; it gets SIGTERM should this thread end before it, however it ends.
    pub fn start_bound(argv: &[String], user: Option<&RunAs>) -> io::Result<Self> {
        Self::launch(argv, user, true)
    }

    fn launch(argv: &[String], user: Option<&RunAs>, bound: bool) -> io::Result<Self> {
        let (program, arguments) =
            argv.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut command = Command::new(program);
        command.args(arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for variable in PRIVATE {
            command.env_remove(variable);
        }
        if let Some(user) = user {
            // Who already is this user needs no right to become it.
            if !user.groups.is_empty() {
                run_as(command.as_std_mut(), user.uid, user.gid, &user.groups);
            } else {
                if nix::unistd::geteuid().as_raw() != user.uid {
                    command.uid(user.uid);
                }
                if nix::unistd::getegid().as_raw() != user.gid {
                    command.gid(user.gid);
                }
            }
        }
        if bound {
            die_with_this_thread(command.as_std_mut());
        }
        let child = spare::with_enough(|| command.spawn())?;
        let group = child.id().map_or(0, |pid| pid as i32);
        Ok(Script { child, group: Pid::from_raw(group) })
    }

    /// The process group, to be signalled by [`signal_group`].
    pub fn group(&self) -> i32 {
        self.group.as_raw()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> io::Result<Ending> {
        let status = self.child.wait().await?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, Some(signal)) => Ending::Signaled(signal),
            (None, None) => Ending::Exited(1),
        })
    }
}

/// Signals a script and what it started; gone already: fine.
pub fn signal_group(group: i32, signal: i32) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    if group > 1 {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}
