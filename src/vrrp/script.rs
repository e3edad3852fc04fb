//! One `vrrp_script`: when it runs, when it is killed, and what its results amount to.
//!
//! keepalived.conf(5), "VRRP script(s)", and keepalived 2.2.7 as watched: the first result decides
//! alone, later ones by `rise` and `fall`; runs begin every `interval`, whatever they take. Three
//! things differ on purpose. While a run goes on no other is begun (2.2.7 says so in its log and
//! begins one all the same). A run that reaches its `timeout` has failed then and there, even if it
//! then exits with 0 or can't be killed. And where the shell notices that a watched process has
//! ended, the check runs at once.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine::LogLevel;
use super::track::ScriptStatus;
use crate::plan::track::TrackScript;

/// From SIGTERM to SIGKILL (measured).
const PATIENCE: Duration = Duration::from_secs(2);
/// Below it a script would do nothing but run.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Begin: the first run is now.
    Start,
    /// The deadline has come.
    Timeout,
    /// The run that was ordered last has ended, killed or not.
    Ended(Outcome),
    /// A process that the last run had found is gone. Counts as one run at this moment.
    ProcessGone,
    /// A new config for the script of this name.
    Reconfigure(Box<TrackScript>),
    /// It is not tracked any more.
    Stop,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It never ran: why.
    NotStarted(String),
}

/// What the shell has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the check, and tell its end.
    Run,
    /// SIGTERM to the run's process group.
    Terminate,
    /// SIGKILL to the run's process group.
    Kill,
    /// What the runs amount to has changed: weigh the routers that track it anew.
    Status(ScriptStatus),
    /// A line for the log, worded as keepalived words it.
    Log(LogLevel, String),
}

/// One script. See the module's documentation.
#[derive(Debug)]
pub struct Script {
    plan: TrackScript,
    status: ScriptStatus,
    /// No result yet: the next one decides alone.
    first: bool,
    /// Results in a row that speak against `status`.
    against: u32,
    /// What the last result was.
    last_failed: bool,
    last_exit: i32,
    next_run_at: Option<Instant>,
    run: Option<Run>,
}

/// A run that goes on.
#[derive(Debug)]
struct Run {
    stage: Stage,
    /// Something happened meanwhile that it may have missed.
    again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Until the timeout.
    Running(Instant),
    /// Told to end, failed; killed at the time given.
    Terminated(Instant),
    Killed,
}

impl Script {
    pub fn new(plan: TrackScript) -> Self {
        let status =
            if plan.init_fail { ScriptStatus::PresumedDown } else { ScriptStatus::Unknown };
        Script {
            plan,
            status,
            first: true,
            against: 0,
            last_failed: false,
            last_exit: 0,
            next_run_at: None,
            run: None,
        }
    }

    pub fn plan(&self) -> &TrackScript {
        &self.plan
    }

    pub fn status(&self) -> ScriptStatus {
        self.status
    }

    /// Results in a row that speak against the status.
    pub fn against(&self) -> u32 {
        self.against
    }

    /// A run goes on.
    pub fn is_running(&self) -> bool {
        self.run.is_some()
    }

    /// When to call with [`Event::Timeout`].
    pub fn deadline(&self) -> Option<Instant> {
        let stage = match self.run.as_ref().map(|run| run.stage) {
            Some(Stage::Running(until) | Stage::Terminated(until)) => Some(until),
            Some(Stage::Killed) | None => None,
        };
        [self.next_run_at, stage].into_iter().flatten().min()
    }

    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Start => {
                if self.next_run_at.is_none() {
                    self.next_run_at = Some(now + self.interval());
                    // One that was killed by a stop may not have ended yet.
                    if self.run.is_none() {
                        self.begin_run(now, out);
                    }
                }
            }
            Event::Timeout => self.time_out(now, out),
            Event::Ended(outcome) => self.end_run(now, outcome, out),
            Event::ProcessGone => self.process_gone(now, out),
            Event::Reconfigure(plan) => self.reconfigure(now, *plan, out),
            Event::Stop => {
                self.next_run_at = None;
                if let Some(run) = &mut self.run
                    && run.stage != Stage::Killed
                {
                    run.stage = Stage::Killed;
                    out.push(Action::Kill);
                }
            }
        }
    }

    fn interval(&self) -> Duration {
        self.plan.interval.max(SHORTEST_INTERVAL)
    }

    fn begin_run(&mut self, now: Instant, out: &mut Vec<Action>) {
        // Without `timeout` a run may take one interval (measured; the manual doesn't say).
        let timeout = self.plan.timeout.unwrap_or(self.interval());
        self.run = Some(Run { stage: Stage::Running(now + timeout), again: false });
        out.push(Action::Run);
    }

    fn time_out(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.keep_interval(now, out);
        self.press_on(now, out);
    }

    fn keep_interval(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(due) = self.next_run_at.filter(|due| *due <= now) else { return };
        let next = due + self.interval();
        // Runs that were slept through are not made up for.
        self.next_run_at = Some(if next > now { next } else { now + self.interval() });
        match &self.run {
            None => self.begin_run(now, out),
            Some(run) => {
                let doing = match run.stage {
                    Stage::Running(_) => "already running",
                    Stage::Terminated(_) | Stage::Killed => "being timed out",
                };
                let name = &self.plan.name;
                out.push(Action::Log(
                    LogLevel::Info,
                    format!("Track script {name} is {doing}, expect idle - skipping run"),
                ));
            }
        }
    }

    /// Ends a run that takes too long, first kindly.
    fn press_on(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(run) = &mut self.run else { return };
        match run.stage {
            Stage::Running(until) if until <= now => {
                run.stage = Stage::Terminated(now + PATIENCE);
                out.push(Action::Terminate);
                self.count(false, "timed_out", out);
            }
            Stage::Terminated(until) if until <= now => {
                run.stage = Stage::Killed;
                out.push(Action::Kill);
            }
            Stage::Running(_) | Stage::Terminated(_) | Stage::Killed => {}
        }
    }

    fn end_run(&mut self, now: Instant, outcome: Outcome, out: &mut Vec<Action>) {
        let Some(run) = self.run.take() else { return };
        if matches!(run.stage, Stage::Running(_)) {
            self.judge(outcome, out);
        }
        if run.again {
            self.process_gone(now, out);
        }
    }

    fn judge(&mut self, outcome: Outcome, out: &mut Vec<Action>) {
        match outcome {
            Outcome::Exited(code) => {
                if code != self.last_exit {
                    self.last_exit = code;
                    let name = &self.plan.name;
                    out.push(Action::Log(
                        LogLevel::Info,
                        format!("Script `{name}` now returning {code}"),
                    ));
                }
                if code == 0 {
                    self.count(true, "succeeded", out);
                } else {
                    self.count(false, &format!("failed (exited with status {code})"), out);
                }
            }
            Outcome::Signalled(signal) => {
                self.count(false, &format!("failed (due to signal {signal})"), out);
            }
            Outcome::NotStarted(why) => {
                self.count(false, &format!("failed (could not be started: {why})"), out);
            }
        }
    }

    /// One result; `what` is the line's end, should it be the one that decides.
    fn count(&mut self, success: bool, what: &str, out: &mut Vec<Action>) {
        self.last_failed = !success;
        let (status, needed) = if success {
            (ScriptStatus::Up, self.plan.rise)
        } else {
            (ScriptStatus::Down, self.plan.fall)
        };
        if self.status == status && !self.first {
            self.against = 0;
            return;
        }
        self.against += 1;
        if !self.first && self.against < needed {
            return;
        }
        self.first = false;
        self.against = 0;
        out.push(Action::Log(LogLevel::Info, format!("VRRP_Script({}) {what}", self.plan.name)));
        if self.status != status {
            self.status = status;
            out.push(Action::Status(status));
        }
    }

    fn process_gone(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.next_run_at.is_none() {
            return;
        }
        match &mut self.run {
            Some(run) => run.again = true,
            // The last run found nothing, so this is an echo of what it already counted: several
            // processes that die together are one failure.
            None if self.last_failed => {}
            None => self.begin_run(now, out),
        }
    }

    fn reconfigure(&mut self, now: Instant, plan: TrackScript, out: &mut Vec<Action>) {
        let interval_differs = self.plan.interval != plan.interval;
        self.plan = plan;
        let word = if self.status == ScriptStatus::Up { "successful" } else { "unsuccessful" };
        if !self.first {
            let name = &self.plan.name;
            out.push(Action::Log(
                LogLevel::Info,
                format!("VRRP_Script({name}) considered {word} on reload"),
            ));
        }
        if interval_differs && let Some(at) = self.next_run_at {
            self.next_run_at = Some(at.min(now + self.interval()));
        }
    }
}
