//! The signals that a supervisor listens to.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use super::Event;
use crate::kernel::sender;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Interrupt,
    Terminate,
    Quit,
    User1,
    User2,
    Window,
    Child,
    /// keepalived's real-time signals.
    Other(i32),
}

/// `keepalived --signum=JSON`, and `=STATS_CLEAR`.
pub const JSON: i32 = 36;
pub const STATS_CLEAR: i32 = 63;

impl Signal {
    pub(super) fn number(self) -> i32 {
        match self {
            Signal::Hangup => libc::SIGHUP,
            Signal::Interrupt => libc::SIGINT,
            Signal::Terminate => libc::SIGTERM,
            Signal::Quit => libc::SIGQUIT,
            Signal::User1 => libc::SIGUSR1,
            Signal::User2 => libc::SIGUSR2,
            Signal::Window => libc::SIGWINCH,
            Signal::Child => libc::SIGCHLD,
            Signal::Other(number) => number,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::Quit => "SIGQUIT",
            Signal::User1 => "SIGUSR1",
            Signal::User2 => "SIGUSR2",
            Signal::Window => "SIGWINCH",
            Signal::Child => "SIGCHLD",
            Signal::Other(JSON) => "SIGJSON",
            Signal::Other(_) => "SIGSTATS_CLEAR",
        }
    }
}

/// Catches what would end or stop a process and means nothing to it; keepalived's outlive all but
/// TERM, INT and KILL, STOP and the signals of faults, as was seen. (Caught, not ignored: scripts that
/// are started are as they were.)
pub fn outlive_others() -> io::Result<()> {
    let named = [
        libc::SIGQUIT,
        libc::SIGABRT,
        libc::SIGALRM,
        libc::SIGSTKFLT,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGXCPU,
        // A log that grows beyond RLIMIT_FSIZE.
        libc::SIGXFSZ,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
        libc::SIGSYS,
    ];
    for number in named.into_iter().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
        // The handler stays when its stream is dropped.
        drop(signal(SignalKind::from_raw(number))?);
    }
    Ok(())
}

const ALL: [Signal; 10] = [
    Signal::Hangup,
    Signal::Interrupt,
    Signal::Terminate,
    Signal::Quit,
    Signal::User1,
    Signal::User2,
    Signal::Window,
    Signal::Child,
    Signal::Other(JSON),
    Signal::Other(STATS_CLEAR),
];

/// From now on they come as events and have no other effect.
pub(super) fn listen(events: &UnboundedSender<Event>) -> io::Result<()> {
    sender::note(ALL.iter().map(|it| it.number()).filter(|number| *number != libc::SIGCHLD))?;
    for which in ALL {
        let mut signals = signal(SignalKind::from_raw(which.number()))?;
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if events.send(Event::Signal(which)).is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}
