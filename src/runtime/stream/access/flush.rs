//! A thread that empties buffers whose lines have waited long enough. It is there from the first
//! such line on, and sleeps while nothing waits.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::file::LogFile;

#[derive(Debug, Default)]
pub(super) struct Flusher {
    thread: Mutex<Option<Sender<Reminder>>>,
}

type Reminder = (Instant, Weak<LogFile>);

impl Flusher {
    /// At that time the file is to be looked at.
    pub(super) fn remind(&self, at: Instant, file: &Arc<LogFile>) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*thread {
            Some(sender) => sender,
            None => match start() {
                Ok(sender) => thread.insert(sender),
                Err(error) => {
                    // The buffer is written when it is full.
                    tracing::error!("access log: no thread for flush=: {error}");
                    return;
                }
            },
        };
        // It lives as long as its sender.
        let _ = sender.send((at, Arc::downgrade(file)));
    }
}

fn start() -> std::io::Result<Sender<Reminder>> {
    let (sender, reminders) = channel::<Reminder>();
    let run = move || {
        let mut pending: Vec<Reminder> = Vec::new();
        loop {
            let first = pending.iter().map(|(at, _)| *at).min();
            let next = match first {
                Some(at) => reminders.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => reminders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(reminder) => pending.push(reminder),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            for (at, file) in pending.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
                let Some(again) = file.upgrade().and_then(|file| file.expire(now)) else {
                    continue;
                };
                pending.push((again.max(at), file));
            }
        }
    };
    std::thread::Builder::new().name("access log".to_owned()).spawn(run)?;
    Ok(sender)
}
