//! The role's own signals.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::kernel::process;
use crate::runtime::supervisor::signals::{JSON, STATS_CLEAR, outlive_others};

/// Signals that mean something, or must not end the process.
pub(super) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        let numbers = [
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGHUP,
            libc::SIGUSR1,
            libc::SIGUSR2,
            libc::SIGXCPU,
            JSON,
            STATS_CLEAR,
        ];
        let catch = |number| Ok((number, signal(SignalKind::from_raw(number))?));
        let signals = numbers.into_iter().map(catch).collect::<io::Result<_>>()?;
        // Exporters send signals to whatever pid they find in /run/keepalived.pid.
        outlive_others()?;
        process::unblock_signals();
        Ok(Signals(signals))
    }

    /// The number of the next signal. Cancel-safe.
    pub(super) async fn next(&mut self) -> i32 {
        poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}
