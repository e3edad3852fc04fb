//! Processes of a node by name; and the stand-in for psmisc's `killall` on hosts that lack it, so
//! that a check script can run in a rehearsal.

use std::process::ExitCode;
use std::str::FromStr;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::kernel::proc::{Process, processes};
use crate::kernel::process;

/// Which processes of a name are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Choice {
    All,
    /// Those that somebody on the node watches over: their parent isn't PID 1.
    Watched,
}

/// Sends a signal (or none, as `-0` does) to the processes of these names. How many there were.
pub(super) fn send(names: &[&str], signal: Option<Signal>, choice: Choice) -> usize {
    let all = processes().unwrap_or_default().into_iter();
    let named = |one: &Process| names.iter().any(|name| one.comm == name.as_bytes());
    let chosen = all.filter(named).filter(|one| match choice {
        Choice::All => true,
        Choice::Watched => one.parent != 1,
    });
    let number = signal.map_or(0, |signal| signal as i32);
    chosen.filter(|one| process::signal(one.pid, number).is_ok()).count()
}

/// `killall [-SIGNAL] NAME...`: 0 if every name was found.
pub(super) fn main(args: &[String]) -> ExitCode {
    let mut signal = Some(Signal::SIGTERM);
    let mut quiet = false;
    let mut names = Vec::new();
    for arg in args {
        match arg.strip_prefix('-') {
            Some("0") => signal = None,
            Some("q" | "-quiet") => quiet = true,
            Some(word) => match parse_signal(word) {
                Some(parsed) => signal = Some(parsed),
                None => {
                    eprintln!("killall (stand-in of the rehearsal): unknown option -{word}");
                    return ExitCode::FAILURE;
                }
            },
            None => names.push(arg),
        }
    }
    let mut code = ExitCode::SUCCESS;
    for name in names {
        if send(&[name], signal, Choice::All) == 0 {
            code = ExitCode::FAILURE;
            if !quiet {
                eprintln!("{name}: no process found");
            }
        }
    }
    code
}

fn parse_signal(word: &str) -> Option<Signal> {
    match word.parse::<i32>() {
        Ok(number) => Signal::try_from(number).ok(),
        Err(_) => Signal::from_str(&format!("SIG{}", word.trim_start_matches("SIG"))).ok(),
    }
}
