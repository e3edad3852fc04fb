//! What comes rarely: orders, signals, findings of scripts and files.
//!
//! Each source has a task of its own that sleeps until something comes, and all of them put it into
//! one queue. So an advert that is due wakes a loop that has three things to look at, instead of
//! one for each signal and source: with an advert every 10 ms, looking was most of the work.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::kernel::process;
use crate::plan::VrrpPlan;
use crate::runtime::handoff::{Instruction, Instructions, Succession};
use crate::runtime::probe::Finding;
use crate::runtime::supervisor::signals::{JSON, STATS_CLEAR, outlive_others};

pub(super) enum Letter {
    /// `None`: the supervisor has gone. A plan is large, and other things happen far more often.
    Instruction(io::Result<Option<Box<Instruction<Succession<VrrpPlan>>>>>),
    Signal(i32),
    Finding(Finding),
}

#[derive(Debug)]
pub(super) struct Inbox(UnboundedReceiver<Letter>);

/// Those that mean something.
const SIGNALS: [i32; 8] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGXCPU,
    JSON,
    STATS_CLEAR,
];

impl Inbox {
    /// Open for signals only. Must be called inside a tokio runtime.
    pub(super) fn open() -> io::Result<(Inbox, Slot)> {
        let (slot, letters) = unbounded_channel();
        for number in SIGNALS {
            let (mut signal, slot) = (signal(SignalKind::from_raw(number))?, slot.clone());
            tokio::spawn(async move {
                while signal.recv().await.is_some() && slot.send(Letter::Signal(number)).is_ok() {}
            });
        }
        // Exporters send signals to whatever pid they find in /run/keepalived.pid.
        outlive_others()?;
        process::unblock_signals();
        Ok((Inbox(letters), Slot(slot)))
    }

    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Letter {
        match self.0.recv().await {
            Some(letter) => letter,
            // Signals come for as long as the runtime is there.
            None => std::future::pending().await,
        }
    }
}

/// Where letters are put in.
pub(super) struct Slot(UnboundedSender<Letter>);

impl Slot {
    pub(super) fn attach(
        self,
        mut instructions: Instructions,
        mut findings: UnboundedReceiver<Finding>,
    ) {
        let slot = self.0.clone();
        tokio::spawn(async move {
            while let Some(finding) = findings.recv().await {
                if slot.send(Letter::Finding(finding)).is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let instruction = instructions.next().await.map(|it| it.map(Box::new));
                let over = matches!(instruction, Ok(None));
                if self.0.send(Letter::Instruction(instruction)).is_err() || over {
                    return;
                }
            }
        });
    }
}
