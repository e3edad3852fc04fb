//! `startup_script` and `shutdown_script`: run once, before the first role and after the last.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep_until, timeout};

use super::signals::Signal;
use super::{Event, Supervisor};
use crate::plan::telling::{Telling, TimedScript};
use crate::runtime::probe::FAREWELL;
use crate::runtime::probe::command::{Ending, Script, signal_group};
use crate::runtime::vrrp::UMASK;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Startup,
    Shutdown,
}

impl Which {
    fn word(self) -> &'static str {
        match self {
            Which::Startup => "startup",
            Which::Shutdown => "shutdown",
        }
    }

    fn of(self, telling: &Telling) -> Option<&TimedScript> {
        match self {
            Which::Startup => telling.startup.as_ref(),
            Which::Shutdown => telling.shutdown.as_ref(),
        }
    }
}

impl Supervisor {
    /// Runs it, if there is one, until it ends or its time is over. However it ends, the daemon
    /// goes on. Who wants the daemon to end doesn't have to wait for a startup script.
    pub(super) async fn run_outer(
        &self,
        which: Which,
        inbox: &mut UnboundedReceiver<Event>,
        events: &UnboundedSender<Event>,
    ) {
        let plan = self.plan.vrrp.as_ref();
        let Some(timed) = plan.and_then(|plan| which.of(&plan.telling)) else { return };
        let (word, argv) = (which.word(), &timed.script.argv);
        tracing::info!("Running {word} script {}", argv.first().map_or("", String::as_str));
        // As keepalived's: what scripts create is for their owner only.
        let umask = plan.and_then(|plan| plan.process.umask).unwrap_or(UMASK);
        let umask = nix::sys::stat::Mode::from_bits_truncate(umask);
        let before = nix::sys::stat::umask(umask);
        let started = Script::start(argv, timed.script.user.as_ref());
        nix::sys::stat::umask(before);
        let mut script = match started {
            Ok(script) => script,
            Err(error) => return tracing::error!("{word} script could not be started: {error}"),
        };
        let group = script.group();
        let until = Instant::now() + timed.timeout;
        let mut held_back = Vec::new();
        loop {
            tokio::select! {
                ending = script.ended() => {
                    match ending {
                        Ok(Ending::Exited(0)) => tracing::info!("{word} script script succeeded"),
                        Ok(Ending::Exited(code)) => {
                            tracing::info!("{word} script script failed, status {code}");
                        }
                        Ok(Ending::Signaled(signal)) => {
                            tracing::info!("{word} script ended by signal {signal}");
                        }
                        Err(error) => tracing::error!("{word} script: {error}"),
                    }
                    break;
                }
                () = sleep_until(until) => {
                    tracing::info!("{word} script timed out");
                    end(&mut script, group).await;
                    break;
                }
                Some(event) = inbox.recv() => {
                    let quits = matches!(
                        event,
                        Event::Signal(Signal::Terminate | Signal::Interrupt | Signal::Quit)
                    );
                    held_back.push(event);
                    if quits && which == Which::Startup {
                        tracing::info!("{word} script is ended: told to stop");
                        end(&mut script, group).await;
                        break;
                    }
                }
            }
        }
        for event in held_back {
            // The receiver is ours.
            let _ = events.send(event);
        }
    }
}

/// Terminates it, and kills what doesn't go.
async fn end(script: &mut Script, group: i32) {
    signal_group(group, libc::SIGTERM);
    let gone = timeout(FAREWELL * 2, script.ended()).await.is_ok();
    signal_group(group, libc::SIGKILL);
    if !gone {
        let _ = timeout(FAREWELL, script.ended()).await;
    }
}
