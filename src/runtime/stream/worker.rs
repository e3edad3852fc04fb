//! A worker: a thread that drives one engine, and takes orders from the other threads.
//!
//! It waits in its engine's epoll instance, where its bell hangs beside the sockets, and not in
//! tokio's: hosting the instance there, even with turns that follow each other inside, took a tenth
//! more CPU per request. What a short wait there costs is the clock's timer, set anew each time.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::mpsc;

use super::counters::Counters;
use super::engine::{Engine, Turn};
use super::placing::place_worker;
use super::service::Generation;

/// How long a worker rests before it begins anew after a defect.
const PAUSE: Duration = Duration::from_millis(100);

/// What a worker is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Serve this generation from now on; the sender goes when that is done.
    Switch(Arc<Generation>, std::sync::mpsc::Sender<()>),
    /// Accept no more, and end with the last session. The generation has no doors.
    Quit(Arc<Generation>),
    /// End now.
    Stop,
}

/// The other threads' hold on a worker.
#[derive(Debug)]
pub(super) struct Worker {
    orders: Sender<Order>,
    /// Rung after an order.
    bell: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a worker with a number from 0 that serves `generation`. `alive` is dropped when it
    /// has ended.
    pub(super) fn spawn(
        index: usize,
        generation: Arc<Generation>,
        counters: Arc<Counters>,
        alive: mpsc::Sender<()>,
    ) -> io::Result<Self> {
        let (orders, inbox) = channel();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = Arc::new(EventFd::from_flags(flags)?);
        let hung = Arc::clone(&bell);
        // Made here, so that a start that fails is told to whoever asked for it.
        let counted = Arc::clone(&counters);
        let begin = move |generation| {
            Engine::new(index, generation, Arc::clone(&counted), Arc::clone(&hung))
        };
        let engine = begin(Arc::clone(&generation))?;
        let run = move || {
            let _alive = alive;
            let serving = Mutex::new(generation);
            let mut engine = Some(engine);
            let mut quitting = false;
            place_worker(&current(&serving), index, false);
            loop {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    let engine = match engine.take() {
                        Some(engine) => engine,
                        None => begin(current(&serving))?,
                    };
                    run(engine, index, &inbox, &serving, &mut quitting)
                }));
                match result {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => tracing::error!("stream worker: {error}; it begins anew"),
                    Err(_) => tracing::error!("stream worker: a defect; it begins anew"),
                }
                counters.worker_restarts.fetch_add(1, Relaxed);
                std::thread::sleep(PAUSE);
            }
        };
        let thread = std::thread::Builder::new().name("nginx".into()).spawn(run)?;
        Ok(Self { orders, bell, thread: Some(thread) })
    }

    pub(super) fn order(&self, order: Order) {
        // A worker that has ended needs no orders.
        let _ = self.orders.send(order);
        let _ = self.bell.write(1);
    }

    pub(super) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Worker {
    /// Without a bell it would not notice that nobody can give it orders any more.
    fn drop(&mut self) {
        self.order(Order::Stop);
    }
}

fn current(serving: &Mutex<Arc<Generation>>) -> Arc<Generation> {
    Arc::clone(&serving.lock().unwrap_or_else(PoisonError::into_inner))
}

fn remember(serving: &Mutex<Arc<Generation>>, generation: &Arc<Generation>) {
    *serving.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(generation);
}

/// Serves until it is told to end, or until its last session has ended after it was told to quit:
/// `quitting`, which outlives a defect.
fn run(
    mut engine: Engine,
    index: usize,
    inbox: &Receiver<Order>,
    serving: &Mutex<Arc<Generation>>,
    quitting: &mut bool,
) -> io::Result<()> {
    let mut turn = Turn { now: Instant::now(), all: false, rung: true };
    while !(*quitting && engine.sessions() == 0) {
        while turn.rung {
            match inbox.try_recv() {
                Ok(Order::Switch(generation, _done)) => {
                    if current(serving).process.placement != generation.process.placement {
                        place_worker(&generation, index, true);
                    }
                    remember(serving, &generation);
                    engine.switch(Instant::now(), generation)?;
                }
                Ok(Order::Quit(closed)) => {
                    *quitting = true;
                    remember(serving, &closed);
                    engine.quit(Instant::now(), closed);
                }
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => break,
            }
            turn.all = false;
        }
        let deadline = engine.deadline();
        if deadline.is_some_and(|deadline| deadline <= turn.now) {
            engine.expire(turn.now);
            turn.all = false;
        }
        let patience = match turn.all {
            true => deadline.map(|deadline| deadline.saturating_duration_since(turn.now)),
            false => Some(Duration::ZERO),
        };
        turn = engine.turn(patience)?;
    }
    Ok(())
}
