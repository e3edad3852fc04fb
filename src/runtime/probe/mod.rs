//! What is slow or forks, off the VRRP loop: check scripts, checks for processes, tracked files and
//! processes, notify scripts, readers of FIFOs, mail.
//!
//! [`Probe::start`] starts one thread with a tokio runtime of its own. The loop orders by
//! [`Probe`]'s methods, none of which waits, and hears [`Finding`]s. Read [`tool`] for the checks
//! that need no process, [`command`] for those that do, [`files`] and [`census`] for what is tracked
//! without a check, [`mail`] for letters.

pub mod census;
pub mod command;
pub mod files;
pub mod mail;
mod spare;
pub mod tool;

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle, LocalSet, spawn_local};

use crate::kernel::connector::{Connector, Happening};
use crate::kernel::proc::{Process, ProcessEnd, process};
use crate::plan::track::{Check, ProcessTool, RunAs, TrackProcess};
use crate::vrrp::process::Cause;
use census::Census;
use command::{Ending, Script, signal_group};
use files::Files;
use mail::{Letter, Post};

/// How long somebody who was dismissed may take to end.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// The caller's name for one check; a new one for each generation of the config.
pub type CheckKey = u64;

/// What the thread has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A run ordered by [`Probe::run`] has ended.
    Ended { check: CheckKey, ending: Ending },
    /// A run could not be started.
    NotStarted { check: CheckKey, message: String },
    /// A process that the last run had found has ended: the check should run now.
    ProcessGone { check: CheckKey },
    /// A tracked file may have changed; what is in it now.
    File { file: CheckKey, value: Result<i32, String> },
    /// So many of a tracked process run now.
    Counted { check: CheckKey, count: usize, cause: Cause },
}

/// The thread's handle. Dropping it lets the thread end; running scripts are left alone.
#[derive(Debug)]
pub struct Probe {
    orders: UnboundedSender<Order>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
enum Order {
    Run { check: CheckKey, what: Check, user: Option<RunAs> },
    Signal { check: CheckKey, signal: i32 },
    Forget { check: CheckKey },
    Notify { argv: Vec<String>, user: Option<RunAs> },
    Dismiss { check: CheckKey },
    Mail(Box<Letter>),
    TrackFile { file: CheckKey, path: PathBuf },
    TrackProcess { check: CheckKey, plan: Box<TrackProcess> },
}

impl Probe {
    pub fn start() -> io::Result<(Probe, UnboundedReceiver<Finding>)> {
        let (orders, ordered) = unbounded_channel();
        let (findings, found) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("probe".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, Worker::new(findings).work(ordered));
        })?;
        Ok((Probe { orders, thread: Some(thread) }, found))
    }

    /// Runs a check once. Its previous run must have ended.
    pub fn run(&self, check: CheckKey, what: &Check, user: Option<&RunAs>) {
        self.order(Order::Run { check, what: what.clone(), user: user.cloned() });
    }

    /// Signals the process group of a check's run, if it still runs.
    pub fn signal(&self, check: CheckKey, signal: i32) {
        self.order(Order::Signal { check, signal });
    }

    /// From now on tells what is in a file, each time it may have changed.
    pub fn track_file(&self, file: CheckKey, path: PathBuf) {
        self.order(Order::TrackFile { file, path });
    }

    /// From now on tells how many of a process run, each time that changes.
    pub fn track_process(&self, check: CheckKey, plan: TrackProcess) {
        self.order(Order::TrackProcess { check, plan: Box::new(plan) });
    }

    /// The check is no more: a run is killed, its processes or its file are no longer watched.
    pub fn forget(&self, check: CheckKey) {
        self.order(Order::Forget { check });
    }

    /// Starts a script that nobody waits for. Scripts start in the order of these calls.
    pub fn notify(&self, argv: Vec<String>, user: Option<&RunAs>) {
        self.order(Order::Notify { argv, user: user.cloned() });
    }

    /// Ends a run that goes on as long as the role does: it may take [`FAREWELL`] to end.
    pub fn dismiss(&self, check: CheckKey) {
        self.order(Order::Dismiss { check });
    }

    /// Sends a mail. What hasn't gone out when the role ends is lost, as with keepalived.
    pub fn mail(&self, letter: Letter) {
        self.order(Order::Mail(Box::new(letter)));
    }

    /// Returns when everything that was ordered has been started, who was dismissed is gone, and
    /// notify scripts have had [`FAREWELL`] to end: what ends a service or a container takes them
    /// with it as soon as the daemon has gone.
    pub fn finish(mut self) {
        let thread = self.thread.take();
        drop(self);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn order(&self, order: Order) {
        // The thread ends only after this handle does.
        let _ = self.orders.send(order);
    }
}

/// The thread's side.
struct Worker {
    findings: UnboundedSender<Finding>,
    checks: HashMap<CheckKey, Watched>,
    connector: Subscription,
    post: Rc<Post>,
    dismissed: Vec<JoinHandle<()>>,
    /// Notify scripts that may still run.
    telling: Vec<JoinHandle<()>>,
    files: Files,
    census: Census,
}

/// To the kernel's process connector: beside the pidfds, it sees processes that began after the
/// last run.
enum Subscription {
    /// No check asks for processes yet.
    Unneeded,
    Open(Connector),
    /// The kernel has none for us.
    Refused,
}

impl Subscription {
    fn want(&mut self) {
        if matches!(self, Subscription::Unneeded) {
            *self = match Connector::open() {
                Ok(connector) => Subscription::Open(connector),
                Err(error) => {
                    tracing::debug!("no process connector here ({error}), pidfds have to do");
                    Subscription::Refused
                }
            };
        }
    }

    async fn next(&mut self) -> Happening {
        loop {
            let Subscription::Open(connector) = self else { return std::future::pending().await };
            match poll_fn(|context| connector.poll_next(context)).await {
                Ok(happening) => return happening,
                Err(error) => {
                    tracing::debug!("the process connector has failed: {error}");
                    *self = Subscription::Refused;
                }
            }
        }
    }
}

/// What is known of one check.
#[derive(Default)]
struct Watched {
    running: Option<Running>,
    /// What is asked, if it is about processes.
    question: Option<(ProcessTool, String, Option<RunAs>)>,
    /// Processes found last, by pid and start. Without a guard it is for the connector to tell.
    processes: HashMap<(i32, u64), Option<Guard>>,
}

/// A run that may still be going on.
struct Running {
    group: i32,
    /// A run that was told to end takes what it started with it.
    signalled: Rc<Cell<bool>>,
    task: AbortHandle,
}

impl Running {
    fn signal(&self, signal: i32) {
        self.signalled.set(true);
        signal_group(self.group, signal);
    }
}

/// Ends a task when dropped.
struct Guard(AbortHandle);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worker {
    fn new(findings: UnboundedSender<Finding>) -> Self {
        Worker {
            findings,
            checks: HashMap::new(),
            connector: Subscription::Unneeded,
            post: Rc::new(Post::new()),
            dismissed: Vec::new(),
            telling: Vec::new(),
            files: Files::default(),
            census: Census::new(),
        }
    }

    async fn work(mut self, mut orders: UnboundedReceiver<Order>) {
        loop {
            if self.census.is_needed() && matches!(self.connector, Subscription::Refused) {
                self.census.rely_on_looks();
            }
            let look = sleep_until(self.census.next_look());
            let order = tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => order,
                    None => break,
                },
                happening = self.connector.next() => {
                    self.follow(happening);
                    let counted = self.census.follow(happening);
                    self.tell_all(counted);
                    continue;
                }
                changed = poll_fn(|context| self.files.poll(context)) => {
                    for (file, path) in changed {
                        self.tell(Finding::File { file, value: files::read(&path) });
                    }
                    continue;
                }
                pid = self.census.next_end() => {
                    let counted = self.census.end(pid);
                    self.tell_all(counted);
                    continue;
                }
                () = look => {
                    let counted = self.census.look(Instant::now());
                    self.tell_all(counted);
                    continue;
                }
            };
            match order {
                Order::Run { check, what, user } => self.run(check, &what, user.as_ref()),
                Order::Signal { check, signal } => {
                    if let Some(running) = self.running(check) {
                        running.signal(signal);
                    }
                }
                Order::Forget { check } => {
                    if let Some(running) = self.running(check) {
                        running.signal(libc::SIGKILL);
                    }
                    self.checks.remove(&check);
                    self.files.remove(check);
                    self.census.forget(check);
                }
                Order::TrackFile { file, path } => {
                    if let Err(error) = self.files.add(file, path.clone()) {
                        tracing::error!("{} can't be watched: {error}", path.display());
                    }
                    // It may have changed since it was last looked at.
                    self.tell(Finding::File { file, value: files::read(&path) });
                }
                Order::TrackProcess { check, plan } => {
                    self.connector.want();
                    let counted = self.census.track(check, *plan);
                    self.tell_all(counted);
                }
                Order::Notify { argv, user } => self.notify(&argv, user.as_ref()),
                Order::Dismiss { check } => self.dismiss(check),
                Order::Mail(letter) => {
                    let post = Rc::clone(&self.post);
                    spawn_local(async move { post.send(*letter).await });
                }
            }
        }
        // The role ends: a check that hangs must not outlive it.
        for watched in self.checks.values() {
            if let Some(running) = &watched.running
                && !running.task.is_finished()
            {
                running.signal(libc::SIGKILL);
            }
        }
        let begun = tokio::time::Instant::now();
        for farewell in self.dismissed {
            let _ = farewell.await;
        }
        for script in self.telling {
            let _ = tokio::time::timeout_at(begun + FAREWELL, script).await;
        }
    }

    fn notify(&mut self, argv: &[String], user: Option<&RunAs>) {
        match Script::start(argv, user) {
            Ok(mut script) => {
                self.telling.retain(|script| !script.is_finished());
                self.telling.push(spawn_local(async move {
                    let _ = script.ended().await;
                }));
            }
            Err(error) => {
                let program = argv.first().map_or("", String::as_str);
                tracing::warn!("notify script {program} could not be started: {error}");
            }
        }
    }

    fn dismiss(&mut self, check: CheckKey) {
        let Some(running) = self.checks.remove(&check).and_then(|watched| watched.running) else {
            return;
        };
        if running.task.is_finished() {
            return;
        }
        running.signal(libc::SIGTERM);
        self.dismissed.retain(|farewell| !farewell.is_finished());
        self.dismissed.push(spawn_local(async move {
            let begun = tokio::time::Instant::now();
            while !running.task.is_finished() && begun.elapsed() < FAREWELL {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if !running.task.is_finished() {
                running.signal(libc::SIGKILL);
            }
        }));
    }

    /// The run that goes on now, if any.
    fn running(&self, check: CheckKey) -> Option<&Running> {
        self.checks.get(&check)?.running.as_ref().filter(|running| !running.task.is_finished())
    }

    fn run(&mut self, check: CheckKey, what: &Check, user: Option<&RunAs>) {
        match what {
            Check::Process { tool, name, .. } if tool::answers(*tool, name) => {
                self.connector.want();
                let found = tool::find(*tool, name, user);
                let watched = self.checks.entry(check).or_default();
                watched.question = Some((*tool, name.clone(), user.cloned()));
                let code = i32::from(found.is_empty());
                self.watch(check, found);
                self.tell(Finding::Ended { check, ending: Ending::Exited(code) });
            }
            _ => self.run_command(check, what.argv(), user),
        }
    }

    fn run_command(&mut self, check: CheckKey, argv: &[String], user: Option<&RunAs>) {
        // Nobody would wait for its result should this process be killed.
        let mut script = match Script::start_bound(argv, user) {
            Ok(script) => script,
            Err(error) => {
                self.tell(Finding::NotStarted { check, message: error.to_string() });
                return;
            }
        };
        let group = script.group();
        let findings = self.findings.clone();
        let signalled = Rc::new(Cell::new(false));
        let was_signalled = signalled.clone();
        let task = spawn_local(async move {
            let ending = script.ended().await.unwrap_or(Ending::Exited(1));
            if was_signalled.get() {
                signal_group(group, libc::SIGKILL);
            }
            let _ = findings.send(Finding::Ended { check, ending });
        });
        let watched = self.checks.entry(check).or_default();
        watched.running = Some(Running { group, signalled, task: task.abort_handle() });
        watched.question = None;
        watched.processes.clear();
    }

    /// From now on watches exactly these processes for the check.
    fn watch(&mut self, check: CheckKey, found: Vec<Process>) {
        let mut before = match self.checks.get_mut(&check) {
            Some(watched) => std::mem::take(&mut watched.processes),
            None => HashMap::new(),
        };
        let mut now = HashMap::new();
        for process in found {
            let key = (process.pid, process.started);
            let guard = match before.remove(&key) {
                Some(Some(guard)) => Some(guard),
                _ => self.guard(check, &process),
            };
            now.insert(key, guard);
        }
        self.checks.entry(check).or_default().processes = now;
    }

    /// `None`: it has ended, or there is no descriptor to be had.
    fn guard(&self, check: CheckKey, process: &Process) -> Option<Guard> {
        let findings = self.findings.clone();
        let end = match ProcessEnd::watch(process) {
            Ok(end) => end,
            Err(error) => {
                if error.kind() == io::ErrorKind::NotFound {
                    self.tell(Finding::ProcessGone { check });
                }
                return None;
            }
        };
        let task = spawn_local(async move {
            end.ended().await;
            let _ = findings.send(Finding::ProcessGone { check });
        });
        Some(Guard(task.abort_handle()))
    }

    /// What the connector tells.
    fn follow(&mut self, happening: Happening) {
        match happening {
            Happening::Named(pid) => {
                let Some(process) = process(pid) else { return };
                let key = (process.pid, process.started);
                let asks = |watched: &Watched| {
                    watched.question.as_ref().is_some_and(|(tool, name, user)| {
                        tool::finds(*tool, name, user.as_ref(), &process)
                    }) && !watched.processes.contains_key(&key)
                };
                let checks: Vec<CheckKey> = self
                    .checks
                    .iter()
                    .filter(|(_, watched)| asks(watched))
                    .map(|(check, _)| *check)
                    .collect();
                for check in checks {
                    let guard = self.guard(check, &process);
                    self.checks.entry(check).or_default().processes.insert(key, guard);
                }
            }
            Happening::Ended(pid) => {
                for (check, watched) in &mut self.checks {
                    let unguarded =
                        |key: &(i32, u64), guard: &Option<Guard>| key.0 == pid && guard.is_none();
                    let before = watched.processes.len();
                    watched.processes.retain(|key, guard| !unguarded(key, guard));
                    if watched.processes.len() < before {
                        let _ = self.findings.send(Finding::ProcessGone { check: *check });
                    }
                }
            }
            Happening::Forked { .. } | Happening::Lost => {}
        }
    }

    fn tell_all(&self, findings: Vec<Finding>) {
        findings.into_iter().for_each(|finding| self.tell(finding));
    }

    fn tell(&self, finding: Finding) {
        // Nobody listens any more: the role ends.
        let _ = self.findings.send(finding);
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
