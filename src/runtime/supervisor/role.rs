//! One role as the supervisor sees it: its process, and what it left behind.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use super::Event;
use super::back_off::BackOff;
use super::face::{Face, RoleKind};
use super::fork::Waiting;
use super::leftovers::Leftovers;
use super::pid_file::PidFile;
use super::signals::Signal;
use super::systemd;
use crate::kernel::memory;
use crate::kernel::process::{self, Program};
use crate::runtime::handoff::{CONTROL, Control, Leash, Order};
use crate::runtime::{log, stream, vrrp};

/// The environment variable that makes this program a role.
pub const ROLE: &str = "EVENKEEL_ROLE";

#[derive(Debug)]
pub(super) struct Role {
    pub(super) kind: RoleKind,
    pub(super) state: State,
    /// What goes if the process dies.
    pub(super) held: Leftovers,
    pub(super) back_off: BackOff,
    pub(super) pid_file: Option<PidFile>,
    /// It has been ready at least once.
    pub(super) proven: bool,
    /// What it said when it failed.
    pub(super) failure: Option<String>,
    /// It was told to end, and a newer plan has it again: another follows.
    pub(super) again: bool,
    /// Its first process.
    pub(super) waiting: Option<Waiting>,
}

#[derive(Debug)]
pub(super) enum State {
    /// Not wanted, or ended by somebody who wanted it so.
    Stopped,
    /// It died, and is started again then.
    Waiting(Instant),
    Running(Running),
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: i32,
    pub(super) leash: Arc<Leash>,
    pub(super) since: Instant,
    /// Orders to run by a plan that it hasn't answered yet.
    pub(super) unanswered: u32,
    /// It has been ready.
    pub(super) proven: bool,
    /// It was told to end; killed if it hasn't by then.
    pub(super) ending: Option<Ending>,
    /// All its reports have been read.
    pub(super) silent: bool,
    /// It has ended. With `silent`, nothing more comes.
    pub(super) ended: Option<(ExitStatus, Instant)>,
}

/// So long a dead process's last reports are waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    /// `None`: it may take as long as its sessions do.
    pub(super) until: Option<Instant>,
}

impl Role {
    pub(super) fn new(kind: RoleKind) -> Self {
        Role {
            kind,
            state: State::Stopped,
            held: Leftovers::default(),
            back_off: BackOff::default(),
            pid_file: None,
            proven: false,
            failure: None,
            again: false,
            waiting: None,
        }
    }

    pub(super) fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            _ => None,
        }
    }

    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        match &mut self.state {
            State::Running(running) => Some(running),
            _ => None,
        }
    }

    /// Starts the process in `environment` (or ours), hands it `plan` and `listeners`, and lets its reports come to `events`.
    pub(super) fn start<P: Serialize>(
        &mut self,
        face: &Face,
        environment: Option<&[(OsString, OsString)]>,
        plan: &P,
        listeners: &[BorrowedFd],
        events: &UnboundedSender<Event>,
    ) -> io::Result<i32> {
        let (pid, leash) = match self.waiting.take().filter(Waiting::lives) {
            Some(Waiting { pid, channel }) => (pid, Leash::over(channel)?),
            None => self.execute(face, environment)?,
        };
        let leash = Arc::new(leash);
        tokio::spawn(listen(self.kind, pid, Arc::clone(&leash), events.clone()));
        self.failure = None;
        let ended = leash.assign(&Order::Start, plan, listeners);
        self.state = State::Running(Running {
            pid,
            leash,
            since: Instant::now(),
            unanswered: 1,
            proven: false,
            ending: None,
            silent: false,
            ended: None,
        });
        // A process that doesn't even take its first order is on its way out: reaping tells.
        if let Err(error) = ended {
            tracing::warn!("{} role {pid} takes no orders: {error}", self.kind.word());
        }
        Ok(pid)
    }

    fn execute(
        &self,
        face: &Face,
        environment: Option<&[(OsString, OsString)]>,
    ) -> io::Result<(i32, Leash)> {
        let appearance = face.appearance(self.kind);
        let (leash, theirs) = Leash::new()?;
        let pid = process::spawn(&Program {
            name: &appearance.title,
            arguments: &appearance.arguments,
            base: environment,
            environment: &[
                (ROLE, self.kind.word().to_owned()),
                (log::SETTINGS, serde_json::to_string(&appearance.log)?),
            ],
            without: &[systemd::SOCKET],
            mute: face.mute,
            control: (CONTROL, &theirs),
        })?;
        Ok((pid, leash))
    }

    /// Hands the process another plan. One that can't be told is replaced by one that starts
    /// with it.
    pub(super) fn reassign<P: Serialize>(&mut self, plan: &P, listeners: &[BorrowedFd]) {
        let kind = self.kind;
        let Some(running) = self.running_mut().filter(|running| running.ending.is_none()) else {
            return;
        };
        running.unanswered += 1;
        if let Err(error) = running.leash.assign(&Order::Reload, plan, listeners) {
            tracing::error!("{} role {}: {error}", kind.word(), running.pid);
            // Gone already: reaping tells.
            let _ = process::signal(running.pid, 9);
        }
    }

    /// Sends the process a signal that it answers by itself. One that doesn't listen yet would
    /// die of it, and has nothing to tell anyway.
    pub(super) fn pass_on(&self, signal: Signal) {
        if let Some(running) = self.running().filter(|running| running.proven) {
            // Gone already: reaping tells.
            let _ = process::signal(running.pid, signal.number());
        }
    }

    /// Tells the process to end.
    pub(super) fn end(&mut self, order: &Order, patience: Option<Duration>) {
        match &mut self.state {
            State::Running(running) => running.end(order, patience),
            State::Waiting(_) => self.state = State::Stopped,
            State::Stopped => {}
        }
    }

    /// When this role needs a look, whatever else happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::Running(running) => running.deadline(),
            State::Stopped => None,
        }
    }
}

impl Running {
    pub(super) fn is_ready(&self) -> bool {
        self.unanswered == 0
    }

    pub(super) fn end(&mut self, order: &Order, patience: Option<Duration>) {
        self.ending = Some(Ending { until: patience.map(|patience| Instant::now() + patience) });
        if self.leash.order(order).is_err() {
            self.kill();
        }
    }

    /// When it needs a look.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.ended {
            Some((_, at)) => Some(at + LAST_WORDS),
            None => self.ending.and_then(|ending| ending.until),
        }
    }

    /// How it ended, once nothing more can come from it.
    pub(super) fn gone(&self, now: Instant) -> Option<ExitStatus> {
        let (status, at) = self.ended?;
        (self.silent || now >= at + LAST_WORDS).then_some(status)
    }

    /// One that was told to end and hasn't in time.
    pub(super) fn kill_if_due(&mut self, kind: RoleKind, now: Instant) {
        let due = self.ending.and_then(|ending| ending.until);
        if self.ended.is_none() && due.is_some_and(|until| until <= now) {
            tracing::error!(
                level = "alert",
                "{} role {} doesn't end: killed",
                kind.word(),
                self.pid
            );
            self.kill();
        }
    }

    /// Ends a process that doesn't end by itself. Reaping does the rest.
    pub(super) fn kill(&mut self) {
        self.ending = Some(Ending { until: None });
        // Gone already: reaping tells.
        let _ = process::signal(self.pid, 9);
    }
}

/// What the process of a role does, from its name to its end.
pub fn run(kind: RoleKind, control: Control, settings: &log::Settings) -> ExitCode {
    process::set_name(kind.process_name());
    if let Err(error) = log::configure(settings) {
        eprintln!("{}: {error}", kind.process_name());
    }
    let code = match kind {
        RoleKind::Vrrp => {
            memory::share_memory_between_threads();
            // A log that hangs must not make an advert late.
            log::detach();
            vrrp::run(control)
        }
        RoleKind::Stream => stream::run(control),
    };
    log::flush();
    code
}

async fn listen(role: RoleKind, pid: i32, leash: Arc<Leash>, events: UnboundedSender<Event>) {
    loop {
        match leash.report().await {
            Ok(Some(report)) => {
                if events.send(Event::Report { role, pid, report }).is_err() {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => {
                tracing::error!("{} role {pid}: {error}", role.word());
                break;
            }
        }
    }
    // Where nobody listens any more, nobody misses it.
    let _ = events.send(Event::Silent { role, pid });
}
