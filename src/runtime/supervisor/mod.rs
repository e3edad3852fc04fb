//! The supervisor: starts the roles of a Plan, hands each its slice and its listening sockets,
//! keeps them running, reloads, and ends them in order.
//!
//! [`Supervisor::prepare`] does what can fail while people still watch (is it running already, are
//! the addresses free); [`Supervisor::run`] is the loop. What a face changes is in [`face`]; one
//! role's process is in [`role`]; read that next.

mod back_off;
mod environment;
pub mod face;
mod fork;
mod kept;
mod leftovers;
mod listeners;
mod outer;
mod pid_file;
mod reading;
mod reload;
pub mod role;
mod schedule;
pub mod signals;
mod systemd;
pub mod upgrade;
mod upkeep;
mod words;

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use face::{Appearance, Face, Kind, RoleKind};
use kept::Kept;
use listeners::Listeners;
pub use listeners::probe_listeners;
use outer::Which;
use pid_file::PidFile;
pub use reading::save;
use role::{Role, Running, State};
use schedule::Schedule;
use signals::Signal;
use systemd::Systemd;
use upgrade::{Inherited, Upgrade};

use super::handoff::{Order, Report};
use super::log;
use crate::kernel::memory;
use crate::kernel::process::{self, Launch};
use crate::kernel::sender;
use crate::plan::Plan;
use crate::plan::process::LogLevel;
use crate::plan::stream::Listener;
use crate::plan::vrrp_process::VrrpProcess;

/// What came of reading the config files again.
#[derive(Clone, Debug, Default)]
pub struct Fresh {
    /// `None`: it has errors, and what runs stays.
    pub plan: Option<Plan>,
    /// What to say about them, worded for the log.
    pub messages: Vec<(LogLevel, String)>,
    /// `keepalived -t` would find nothing wrong.
    pub sound: bool,
    /// The files as they were read, for the plan that wants a copy kept.
    pub copy: Vec<u8>,
}

/// Reads the config files. Runs beside the supervisor's loop: it may take its time.
pub type Load = Arc<dyn Fn() -> Fresh + Send + Sync>;

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The same daemon, or the real one, runs already; its pid and who says so.
    Running { name: &'static str, pid: i32, file: PathBuf },
    /// A listening socket can't be opened: one line per try.
    Listen(Vec<String>),
}

#[derive(Debug)]
enum Event {
    Signal(Signal),
    Report {
        role: RoleKind,
        pid: i32,
        report: Report,
    },
    /// The role's channel has come to its end.
    Silent {
        role: RoleKind,
        pid: i32,
    },
    Loaded(Box<Fresh>),
}

/// How long a role may take to end when it was told to end at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a start may take before whoever waits for it is told that it goes on.
const START: Duration = Duration::from_secs(15);

/// All roles of this host, or of one face.
pub struct Supervisor {
    face: Face,
    plan: Kept,
    /// The plan before this one, while the roles have not all taken this one over.
    previous: Option<Kept>,
    load: Load,
    listeners: Listeners,
    roles: [Role; 2],
    systemd: Systemd,
    upgrade: Upgrade,
    /// Stream roles that finish their sessions while another one may be at work.
    draining: Vec<Running>,
    /// People don't wait for the end of this process.
    in_background: bool,
    pid_file: Option<PidFile>,
    missing: pid_file::Missing,
    phase: Phase,
    loading: Loading,
    schedule: Schedule,
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor").field("face", &self.face).field("roles", &self.roles).finish()
    }
}

#[derive(Debug)]
enum Phase {
    /// Somebody waits to hear how the start went.
    Starting {
        launch: Launch,
        until: Instant,
    },
    Running,
    Stopping {
        graceful: bool,
        code: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loading {
    Idle,
    Busy,
    /// Asked for again meanwhile.
    Again,
}

impl Supervisor {
    /// Opens the listening sockets of `plan`, those that it hasn't `inherited`.
    ///
    /// # Errors
    /// Nothing was changed on this host then.
    pub fn prepare(
        face: Face,
        plan: Plan,
        load: Load,
        inherited: Option<Inherited>,
    ) -> Result<Supervisor, Refusal> {
        pid_file::refuse_second(&face, &plan)?;
        // Whoever sees a socket may take the daemon for started.
        process::hold_requests();
        let mut listeners = Listeners::default();
        let upgrade = Upgrade::new(inherited.is_some());
        listeners.adopt(inherited.unwrap_or_default().sockets);
        listeners.open(wanted(&plan)).map_err(Refusal::Listen)?;
        listeners.close_others(wanted(&plan), upgrade.shares_sockets());
        Ok(Supervisor {
            face,
            plan: Kept::new(plan),
            previous: None,
            load,
            listeners,
            roles: [Role::new(RoleKind::Vrrp), Role::new(RoleKind::Stream)],
            systemd: Systemd::from_environment(),
            upgrade,
            draining: Vec::new(),
            in_background: false,
            pid_file: None,
            missing: pid_file::Missing::default(),
            phase: Phase::Running,
            loading: Loading::Idle,
            schedule: Schedule::default(),
        })
    }

    /// Starts the roles and stays until they have ended. `launch` hears how the start went.
    pub fn run(mut self, launch: Launch) -> ExitCode {
        memory::share_memory_between_threads();
        self.face.mute = !launch.keeps_stderr();
        self.upgrade.note_parent();
        self.in_background = launch.is_in_background() || self.upgrade.was_inherited();
        memory::give_back_memory();
        let mut launch = Some(launch);
        match self.fork_role(&mut launch) {
            Ok(waiting) => self.role(RoleKind::Vrrp).waiting = waiting,
            // Executing the program may work all the same, and is tried when its time has come.
            Err(error) => tracing::warn!("fork: {error}"),
        }
        let launch = launch.unwrap_or_else(Launch::foreground);
        log::detach();
        let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let reactor = match reactor {
            Ok(reactor) => reactor,
            Err(error) => {
                tracing::error!(level = "emerg", "no reactor: {error}");
                launch.finish(1);
                return ExitCode::FAILURE;
            }
        };
        let code = reactor.block_on(self.supervise(launch));
        self.pid_file = None;
        for role in &mut self.roles {
            role.pid_file = None;
        }
        self.close_listeners();
        words::ended(&self.face);
        log::flush();
        // A load that hangs (a name server, say) must not keep an ended daemon here.
        reactor.shutdown_background();
        ExitCode::from(code)
    }

    async fn supervise(&mut self, launch: Launch) -> u8 {
        let (events, mut inbox) = unbounded_channel();
        let others = match self.face.kind {
            // nginx's master ends by them.
            Kind::Nginx => Ok(()),
            _ => signals::outlive_others(),
        };
        if let Err(error) = others.and_then(|()| signals::listen(&events)) {
            tracing::error!(level = "emerg", "signals can't be caught: {error}");
            launch.finish(1);
            return 1;
        }
        process::unblock_signals();
        if let Err(error) = self.write_first_pid_file() {
            tracing::error!(level = "emerg", "{error}");
            launch.finish(1);
            return 1;
        }
        self.phase = Phase::Starting { launch, until: Instant::now() + START };
        words::starting(&self.face);
        self.run_outer(Which::Startup, &mut inbox, &events).await;
        let reload = self.process().reload.clone();
        self.schedule.adopt(&reload);
        for kind in RoleKind::ALL {
            self.start_role(kind, &events);
        }
        self.go_on();
        loop {
            if let Some(code) = self.finished() {
                self.run_outer(Which::Shutdown, &mut inbox, &events).await;
                return code;
            }
            if let Some(event) = self.next_event(&mut inbox).await {
                self.handle(event, &events);
            }
            self.look_after_roles(&events);
            self.write_missing_pid_files();
            if self.schedule.is_due() {
                self.reload(&events);
            }
        }
    }

    /// Waits for what happens next; `None`: a deadline came first.
    async fn next_event(&self, inbox: &mut UnboundedReceiver<Event>) -> Option<Event> {
        let roles = self.roles.iter().filter_map(Role::deadline);
        let roles = roles.chain(self.draining.iter().filter_map(Running::deadline));
        let others = [self.schedule.deadline(), self.missing.deadline()];
        let mut deadline = roles.chain(others.into_iter().flatten()).min();
        if let Phase::Starting { until, .. } = &self.phase {
            deadline = Some(deadline.map_or(*until, |deadline| deadline.min(*until)));
        }
        let sleep = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = inbox.recv() => event,
            () = sleep => None,
        }
    }

    fn handle(&mut self, event: Event, events: &UnboundedSender<Event>) {
        match event {
            Event::Signal(signal) => self.signal(signal, events),
            Event::Report { role, pid, report } => self.report(role, pid, report, events),
            Event::Silent { role, pid } => {
                let Self { roles, draining, .. } = self;
                let roles = roles.iter_mut().filter(|it| it.kind == role);
                let all = roles.filter_map(Role::running_mut).chain(draining);
                all.filter(|it| it.pid == pid).for_each(|it| it.silent = true);
            }
            Event::Loaded(fresh) => self.loaded(*fresh, events),
        }
    }

    fn signal(&mut self, signal: Signal, events: &UnboundedSender<Event>) {
        if signal != Signal::Child {
            let sender = sender::last(signal.number());
            words::signal(&self.face, signal, sender, self.effect(signal));
        }
        match signal {
            Signal::Child => self.reap(events),
            // Two masters: this one is the past, and goes on as it was.
            Signal::Hangup if self.upgrade.has_successor() => self.come_back(events),
            Signal::Hangup => self.reload(events),
            Signal::Terminate | Signal::Interrupt => self.stop(false, 0),
            Signal::Quit if self.face.kind != Kind::Keepalived => self.stop(true, 0),
            Signal::User1 if self.face.kind != Kind::Keepalived => self.reopen(),
            Signal::Window if self.face.kind == Kind::Nginx => {
                if self.in_background {
                    self.retire_stream();
                }
            }
            Signal::User2 if self.face.kind == Kind::Nginx => self.change_executable(),
            Signal::User1 | Signal::User2 | Signal::Other(_) if self.face.kind != Kind::Nginx => {
                self.role(RoleKind::Vrrp).pass_on(signal);
            }
            Signal::Quit | Signal::User1 | Signal::User2 | Signal::Window | Signal::Other(_) => {}
        }
    }

    fn report(
        &mut self,
        kind: RoleKind,
        pid: i32,
        report: Report,
        events: &UnboundedSender<Event>,
    ) {
        let role = self.role(kind);
        let Some(running) = role.running_mut().filter(|running| running.pid == pid) else { return };
        match report {
            Report::Ready => {
                running.unanswered = running.unanswered.saturating_sub(1);
                running.proven = true;
                role.proven = true;
                self.settle();
                self.go_on();
            }
            Report::Failed { message } => {
                running.unanswered = running.unanswered.saturating_sub(1);
                if running.proven {
                    // The old plan runs on there, so it does here.
                    tracing::error!("{message}");
                    self.step_back(events);
                } else {
                    role.failure = Some(message);
                }
            }
            Report::WantReload => self.reload(events),
            held => role.held.note(held),
        }
    }

    /// What the config says of processes; the defaults where it has no VRRP.
    fn process(&self) -> Cow<'_, VrrpProcess> {
        match &self.plan.vrrp {
            Some(plan) => Cow::Borrowed(&plan.process),
            None => Cow::Owned(VrrpProcess::default()),
        }
    }

    /// `child_wait_time`, if it is longer than usual.
    fn patience(&self) -> Duration {
        self.process().child_wait.unwrap_or_default().max(PATIENCE)
    }

    fn close_listeners(&mut self) {
        self.listeners.close_others(&[], self.upgrade.shares_sockets());
    }

    fn role(&mut self, kind: RoleKind) -> &mut Role {
        match kind {
            RoleKind::Vrrp => &mut self.roles[0],
            RoleKind::Stream => &mut self.roles[1],
        }
    }

    fn runs(&self, kind: RoleKind) -> bool {
        self.roles.iter().any(|role| role.kind == kind && role.running().is_some())
    }

    /// Does the plan in force have it?
    fn wants(&self, kind: RoleKind) -> bool {
        match kind {
            RoleKind::Vrrp => self.plan.vrrp.is_some(),
            RoleKind::Stream => self.plan.stream.is_some(),
        }
    }

    /// The start is over when every role is ready.
    fn go_on(&mut self) {
        let all = self.roles.iter().all(|role| match &role.state {
            State::Running(running) => running.is_ready(),
            State::Waiting(_) => false,
            State::Stopped => true,
        });
        if all {
            // Plans have been handed out, old ones are gone.
            memory::give_back_memory();
        }
        if all && matches!(self.phase, Phase::Starting { .. }) {
            words::started(&self.face);
            self.launched(0);
        } else if all && matches!(self.phase, Phase::Running) {
            self.systemd.status(&self.status());
        }
    }

    fn launched(&mut self, code: u8) {
        if let Phase::Starting { launch, .. } = std::mem::replace(&mut self.phase, Phase::Running) {
            if code == 0 {
                self.systemd.ready(&self.status());
            }
            launch.finish(code);
        }
    }

    fn status(&self) -> String {
        let state = |role: &Role| match &role.state {
            State::Running(running) => format!("{} role {}", role.kind.word(), running.pid),
            State::Waiting(_) => format!("{} role waits to be restarted", role.kind.word()),
            State::Stopped => format!("{} role stopped", role.kind.word()),
        };
        let wanted = self.roles.iter().filter(|role| self.wants(role.kind));
        wanted.map(state).collect::<Vec<_>>().join(", ")
    }

    /// Ends the vrrp role first, so that the virtual addresses move while sessions still run.
    fn stop(&mut self, graceful: bool, code: u8) {
        self.launched(code);
        let code = match self.phase {
            Phase::Stopping { code: earlier, .. } => earlier,
            _ => code,
        };
        self.phase = Phase::Stopping { graceful, code };
        let patience = self.patience();
        self.systemd.stopping();
        words::stopping(&self.face);
        if !graceful {
            self.draining.iter_mut().for_each(|one| one.end(&Order::Stop, Some(patience)));
        }
        for role in &mut self.roles {
            if let State::Waiting(_) = role.state {
                role.state = State::Stopped;
            }
            // Told to end gracefully before, and now at once.
            if !graceful
                && let Some(running) = role.running_mut()
                && running.ending.is_some_and(|ending| ending.until.is_none())
            {
                role.end(&Order::Stop, Some(patience));
            }
        }
        self.stop_next();
    }

    fn stop_next(&mut self) {
        let Phase::Stopping { graceful, .. } = self.phase else { return };
        let patience = self.patience();
        for role in &mut self.roles {
            let Some(running) = role.running() else { continue };
            if running.ending.is_none() {
                match (role.kind, graceful) {
                    (RoleKind::Stream, true) => {
                        role.end(&Order::Quit, None);
                        // Nobody accepts any more, so new clients must be refused, not queued.
                        self.listeners.close_others(&[], self.upgrade.shares_sockets());
                    }
                    _ => role.end(&Order::Stop, Some(patience)),
                }
            }
            // The next one follows when this one has ended.
            return;
        }
    }

    /// The exit code, when there is nothing left to supervise.
    fn finished(&self) -> Option<u8> {
        let none = self.roles.iter().all(|role| matches!(role.state, State::Stopped))
            && self.draining.is_empty();
        match self.phase {
            Phase::Stopping { code, .. } => none.then_some(code),
            // Everybody was stopped by hand. The real masters stay, whatever their children do.
            _ if self.face.kind == Kind::Evenkeel => none.then_some(0),
            _ => None,
        }
    }
}

fn wanted(plan: &Plan) -> &[Listener] {
    plan.stream.as_ref().map_or(&[], |stream| &stream.listeners)
}
