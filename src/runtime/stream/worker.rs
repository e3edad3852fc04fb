//! A worker: a thread with a tokio runtime of its own that drives one engine.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::counters::Counters;
use super::engine::Engine;
use super::placing::place_worker;
use super::service::Generation;
use crate::kernel::ready::when_readable;

/// How long a worker rests before it begins anew after a defect.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a worker under load stays away from its reactor.
const AWAY: Duration = Duration::from_millis(5);
/// When to look at the timers though nothing is due.
const HORIZON: Duration = Duration::from_secs(3600);

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
    orders: mpsc::UnboundedSender<Order>,
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
        let (orders, mut inbox) = mpsc::unbounded_channel();
        // Made here, so that a start that fails is told to whoever asked for it.
        let engine = Engine::new(index, Arc::clone(&generation), Arc::clone(&counters))?;
        let run = move || {
            let _alive = alive;
            let serving = Mutex::new(generation);
            let mut engine = Some(engine);
            place_worker(&current(&serving), index, false);
            loop {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    let engine = match engine.take() {
                        Some(engine) => engine,
                        None => Engine::new(index, current(&serving), Arc::clone(&counters))?,
                    };
                    run(engine, index, &mut inbox, &serving)
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
        Ok(Self { orders, thread: Some(thread) })
    }

    pub(super) fn order(&self, order: Order) {
        // A worker that has ended needs no orders.
        let _ = self.orders.send(order);
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

fn current(serving: &Mutex<Arc<Generation>>) -> Arc<Generation> {
    Arc::clone(&serving.lock().unwrap_or_else(PoisonError::into_inner))
}

fn remember(serving: &Mutex<Arc<Generation>>, generation: &Arc<Generation>) {
    *serving.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(generation);
}

fn run(
    engine: Engine,
    index: usize,
    inbox: &mut mpsc::UnboundedReceiver<Order>,
    serving: &Mutex<Arc<Generation>>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(drive(engine, index, inbox, serving))
}

async fn drive(
    mut engine: Engine,
    index: usize,
    inbox: &mut mpsc::UnboundedReceiver<Order>,
    serving: &Mutex<Arc<Generation>>,
) -> io::Result<()> {
    let events = when_readable(engine.descriptor()?)?;
    let mut alarm = pin!(tokio::time::sleep(HORIZON));
    let mut quitting = false;
    let mut idle = true;
    while !(quitting && engine.sessions() == 0) {
        if !idle {
            idle = engine.turn(Instant::now(), false)?.all;
            tokio::task::yield_now().await;
        }
        set(alarm.as_mut(), engine.deadline());
        tokio::select! {
            biased;
            order = inbox.recv() => match order {
                Some(Order::Switch(generation, _done)) => {
                    if current(serving).process.placement != generation.process.placement {
                        place_worker(&generation, index, true);
                    }
                    *serving.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&generation);
                    engine.switch(Instant::now(), generation)?;
                }
                Some(Order::Quit(closed)) => {
                    quitting = true;
                    remember(serving, &closed);
                    engine.quit(Instant::now(), closed);
                }
                Some(Order::Stop) | None => return Ok(()),
            },
            ready = events.readable(), if idle => {
                let mut ready = ready?;
                idle = linger(&mut engine)?;
                if idle {
                    // What came since the kernel was asked has set it anew.
                    ready.clear_ready();
                }
            }
            () = alarm.as_mut(), if idle => {
                engine.expire(Instant::now());
                // It may have ended a rest: the queues then wait for no event to tell of them.
                idle = false;
            }
            () = std::future::ready(()), if !idle => {}
        }
    }
    Ok(())
}

/// Takes turns for as long as they follow each other closely, without a detour over the reactor
/// for each, but not so long that anything else in this worker would notice. Returns whether
/// there is nothing more to do for now.
fn linger(engine: &mut Engine) -> io::Result<bool> {
    let begun = Instant::now();
    let mut turn = engine.turn(begun, false)?;
    while turn.events > 0 {
        let now = Instant::now();
        if now.duration_since(begun) > AWAY {
            return Ok(false);
        }
        turn = engine.turn(now, true)?;
    }
    Ok(turn.all)
}

/// Sets the alarm if it would ring too late. Ringing early costs a look at the timers; setting it
/// for every session would cost more.
fn set(alarm: Pin<&mut Sleep>, deadline: Option<Instant>) {
    let deadline = deadline.unwrap_or_else(|| Instant::now() + HORIZON).into();
    if deadline < alarm.deadline() || alarm.is_elapsed() {
        alarm.reset(deadline);
    }
}
