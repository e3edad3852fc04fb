//! The stream role: workers that accept connections on the sockets they are handed, find a peer
//! for each and move bytes.
//!
//! [`run`] is the process; [`Stream`] is what it does, to its caller. A [`worker`] is a thread; its [`engine`] holds the
//! sessions and does what the pure machines of [`crate::proxy`] say; [`relay`] moves the bytes.
//! Read [`engine`] next.

mod access;
mod admission;
mod bulk;
mod choice;
mod conversation;
mod counters;
mod engine;
mod log;
mod names;
mod placing;
mod pool;
mod record;
mod relay;
mod role;
mod service;
mod session;
mod timers;
mod tls;
mod worker;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use counters::Counters;
pub use role::run;

use crate::plan::StreamPlan;
use crate::plan::process::LogLevel;
use access::AccessLogs;
use log::Logbook;
use names::{Desk, Names};
use service::Generation;
use worker::{Order, Worker};

/// How long a reload waits for workers that have a lot to do.
const SWITCH: Duration = Duration::from_secs(1);

/// A running stream role.
#[derive(Debug)]
pub struct Stream {
    generation: Arc<Generation>,
    logbook: Logbook,
    access_logs: AccessLogs,
    workers: Vec<Worker>,
    /// Workers of which a reload had one too many; they finish their sessions.
    retired: Vec<Worker>,
    counters: Arc<Counters>,
    names: Names,
    /// Where names are resolved, until that has begun.
    desk: Option<Desk>,
    /// Given to every worker; when all are gone, `ended` hears it.
    alive: Option<mpsc::Sender<()>>,
    ended: mpsc::Receiver<()>,
}

impl Stream {
    /// Everything but the workers, whom [`Stream::staff`] starts. The sockets are those of
    /// `plan.sockets()`, in that order, bound and listening. Sets limits and priority.
    ///
    /// # Errors
    /// A log file that can't be opened, descriptors that don't fit the plan, or a kernel that
    /// refuses threads or descriptors.
    pub fn prepare(plan: StreamPlan, sockets: Vec<OwnedFd>) -> io::Result<Self> {
        let (mut logbook, mut access_logs) = (Logbook::default(), AccessLogs::default());
        let mut generation =
            Generation::build(plan, sockets, &mut logbook, &mut access_logs, None)?;
        let counters: Arc<Counters> = Arc::default();
        let (names, desk) = Desk::open(Arc::clone(&counters));
        generation.names = Some(names.clone());
        names.follow(&generation.pools, &generation.log);
        let generation = Arc::new(generation);
        placing::place_process(&generation);
        let (alive, ended) = mpsc::channel(1);
        Ok(Self {
            generation,
            logbook,
            access_logs,
            workers: Vec::new(),
            retired: Vec::new(),
            counters,
            names,
            desk: Some(desk),
            alive: Some(alive),
            ended,
        })
    }

    /// Serves another plan: new sessions go by it, running ones keep what they have until they end
    /// or the old plan's `worker_shutdown_timeout` has passed. Connections waiting at a socket that
    /// is in both plans wait on; those at one that is gone are accepted under the old plan first.
    ///
    /// # Errors
    /// As [`Stream::prepare`]; the old plan then runs on.
    pub fn reload(&mut self, plan: StreamPlan, sockets: Vec<OwnedFd>) -> io::Result<()> {
        let old = Some(&*self.generation);
        let (logbook, access_logs) = (&mut self.logbook, &mut self.access_logs);
        let generation = Generation::build(plan, sockets, logbook, access_logs, old)?;
        let generation = Arc::new(generation);
        placing::place_process(&generation);
        let wanted = generation.workers();
        self.generation = generation;
        self.names.follow(&self.generation.pools, &self.generation.log);
        let closed = Arc::new(self.generation.closed());
        for worker in self.workers.drain(wanted.min(self.workers.len())..) {
            worker.order(Order::Quit(Arc::clone(&closed)));
            self.retired.push(worker);
        }
        self.retired.retain(Worker::is_running);
        let (done, all_done) = std::sync::mpsc::channel();
        for worker in &self.workers {
            worker.order(Order::Switch(Arc::clone(&self.generation), done.clone()));
        }
        drop(done);
        // Whoever asked may close the sockets that are gone as soon as this returns.
        let _ = all_done.recv_timeout(SWITCH);
        self.logbook.tidy();
        self.access_logs.tidy();
        self.staff()?;
        let text = format_args!("new sessions go by the new configuration");
        self.generation.log.write(LogLevel::Notice, None, text);
        Ok(())
    }

    /// Starts the workers that are missing; when this returns, they accept.
    pub fn staff(&mut self) -> io::Result<()> {
        while self.workers.len() < self.generation.workers() {
            let Some(alive) = self.alive.clone() else { break };
            let (generation, counters) = (Arc::clone(&self.generation), Arc::clone(&self.counters));
            let index = self.workers.len();
            self.workers.push(Worker::spawn(index, generation, counters, alive)?);
        }
        Ok(())
    }

    /// Opens the log files anew.
    pub fn reopen(&mut self) {
        self.note("reopening logs");
        self.logbook.reopen();
        self.access_logs.reopen();
    }

    /// Accepts no more and lets the sessions finish; `worker_shutdown_timeout` bounds that.
    pub fn quit(&mut self) {
        tracing::info!("gracefully shutting down");
        self.generation = Arc::new(self.generation.closed());
        let closed = Arc::clone(&self.generation);
        self.end(|| Order::Quit(Arc::clone(&closed)));
    }

    /// Closes everything now.
    pub fn stop(&mut self) {
        self.end(|| Order::Stop);
    }

    fn end(&mut self, order: impl Fn() -> Order) {
        self.alive = None;
        for worker in self.workers.iter().chain(&self.retired) {
            worker.order(order());
        }
    }

    /// Waits until every worker has ended, which takes a [`Stream::quit`] or [`Stream::stop`].
    /// On any tokio runtime; may be dropped and called again.
    pub async fn ended(&mut self) {
        let _ = self.ended.recv().await;
    }

    /// The same for a thread without tokio.
    pub fn join(mut self) {
        for worker in self.workers.iter_mut().chain(&mut self.retired) {
            worker.join();
        }
    }

    /// Says that the workers have ended, in the words that scripts wait for.
    pub fn leave(&self) {
        self.note("exiting");
        self.note("exit");
    }

    fn note(&self, text: &str) {
        self.generation.log.write(LogLevel::Notice, None, format_args!("{text}"));
    }

    /// Begins to resolve names, on the tokio runtime of the caller. Without it, nobody gets an
    /// answer.
    pub fn resolve_names(&mut self) {
        if let Some(desk) = self.desk.take() {
            tokio::spawn(desk.serve());
        }
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for Stream {
    /// Nobody is left to tell the workers anything.
    fn drop(&mut self) {
        self.stop();
    }
}
