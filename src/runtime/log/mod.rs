//! Where a process's own lines go, and in whose layout: tracing events to standard error, files
//! and syslog.
//!
//! A process that must never wait [`detach`]es its log: lines are then written by a thread, and
//! lost, with a line that says how many, where it can't keep up.
//!
//! A line's level is nginx's where an event has a field `level` (`level = "notice"`), else
//! tracing's own. Where lines go, and what happens when one doesn't get there, is in [`sink`].

mod logger;
pub mod remote;
mod sink;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SendError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::unistd::{Pid, gettid};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use self::sink::Sink;
use crate::kernel::local_time::LocalTime;
use crate::plan::process::{self, ErrorLog, LogLevel, LogTarget};

/// Whose layout a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voice {
    /// `2026-11-22T23:14:39Z INFO vrrp: …`; without time and level where the journal adds them.
    Evenkeel,
    /// `Sun Nov 22 23:14:39 2026: …`
    Keepalived,
    /// `2026/11/22 23:14:39 [notice] 31#31: …`
    Nginx,
}

/// One place that lines go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    Stderr,
    File(PathBuf),
    /// syslog(3)'s facility, unshifted.
    Syslog {
        facility: u8,
    },
    /// nginx's `syslog:server=…`
    Remote(process::Syslog),
}

/// How a process logs. Roles get it from the supervisor in the environment variable [`SETTINGS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub voice: Voice,
    /// Lines below this level are left out.
    pub outputs: Vec<(Output, LogLevel)>,
    /// What the process calls itself: syslog's tag, Evenkeel's prefix.
    pub name: String,
}

/// The environment variable with a role's [`Settings`].
pub const SETTINGS: &str = "EVENKEEL_LOG";

/// syslog(3)'s LOG_DAEMON.
pub const DAEMON: u8 = 3;

/// nginx's logs as outputs.
pub fn outputs(logs: &[ErrorLog]) -> Vec<(Output, LogLevel)> {
    let output = |target: &LogTarget| match target {
        LogTarget::Stderr => Output::Stderr,
        LogTarget::File(path) => Output::File(path.clone()),
        LogTarget::Syslog(syslog) => Output::Remote(syslog.clone()),
    };
    logs.iter().map(|log| (output(&log.target), log.level)).collect()
}

/// Sends this process's events to `settings.outputs` from now on; may be called again.
///
/// # Errors
/// A file that can't be opened; everything goes on as before then. One that keepalived's `-g` names
/// and only a full disk keeps from being opened is no error: its lines are counted until there is
/// room.
pub fn configure(settings: &Settings) -> io::Result<()> {
    let opened = Opened::open(settings)?;
    let journal = JOURNAL.get_or_init(|| {
        let journal = Journal(Arc::new(Shared::default()));
        let subscriber = tracing_subscriber::registry().with(journal.clone());
        // It fails where a test has installed one already: lines go there then.
        let _ = tracing::subscriber::set_global_default(subscriber);
        journal
    });
    journal.0.least.store(opened.least as u8, Ordering::Relaxed);
    *journal.lock() = Some(opened);
    Ok(())
}

/// From now on lines are written by a thread: a terminal, disk or logger that hangs keeps nobody
/// waiting. The process may not fork afterwards (executing other programs is fine).
pub fn detach() {
    let Some(journal) = JOURNAL.get() else { return };
    let (sender, lines) = channel();
    if journal.0.writer.set(sender).is_err() {
        return;
    }
    let shared = Arc::clone(&journal.0);
    let thread = std::thread::Builder::new().name("log".to_owned());
    // Without a thread the channel is closed, and lines are written where they arise.
    let _ = thread.spawn(move || write_all(&shared, &lines));
}

/// Waits until what was said so far is written; not longer than a second.
pub fn flush() {
    let Some(writer) = JOURNAL.get().and_then(|journal| journal.0.writer.get()) else { return };
    let (done, written) = sync_channel(1);
    if writer.send(Message::Flush(done)).is_ok() {
        // A log that hangs must not keep the process here.
        let _ = written.recv_timeout(Duration::from_secs(1));
    }
}

/// So many lines wait for the thread at most.
const BACKLOG: usize = 16_384;

enum Message {
    /// With the thread that said it.
    Line(LogLevel, Pid, String),
    Flush(SyncSender<()>),
    Reopen,
}

fn write_all(shared: &Shared, lines: &Receiver<Message>) {
    for message in lines {
        match message {
            Message::Line(level, thread, text) => {
                shared.waiting.fetch_sub(1, Ordering::Relaxed);
                if let Some(opened) = shared.lock().as_mut() {
                    let lost = shared.lost.swap(0, Ordering::Relaxed);
                    if lost > 0 {
                        let text = format!("{lost} log lines lost: the log can't keep up");
                        opened.write(LogLevel::Warn, thread, &text);
                    }
                    opened.write(level, thread, &text);
                }
            }
            // Whoever asked has given up waiting.
            Message::Flush(done) => _ = done.try_send(()),
            Message::Reopen => open_anew(shared),
        }
    }
}

/// Opens all files anew, after somebody has moved them away. One that can't be opened stays. What
/// was said before still goes to the old ones.
pub fn reopen() {
    let Some(journal) = JOURNAL.get() else { return };
    let queued = journal.0.writer.get().is_some_and(|it| it.send(Message::Reopen).is_ok());
    if !queued {
        open_anew(&journal.0);
    }
}

fn open_anew(shared: &Shared) {
    let mut failures = Vec::new();
    if let Some(opened) = shared.lock().as_mut() {
        for (sink, _) in &mut opened.sinks {
            failures.extend(sink.open_anew().err());
        }
    }
    for failure in failures {
        tracing::error!(level = "emerg", "{failure}");
    }
}

static JOURNAL: OnceLock<Journal> = OnceLock::new();

#[derive(Clone)]
struct Journal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    opened: Mutex<Option<Opened>>,
    /// The least level that goes anywhere: known without waiting for the lock.
    least: AtomicU8,
    /// Set once the log is detached.
    writer: OnceLock<Sender<Message>>,
    /// Lines that the thread hasn't written yet. (A channel with this bound would take the memory
    /// for all of them at once, in every process.)
    waiting: AtomicUsize,
    lost: AtomicU64,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Opened>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Opened>> {
        self.0.lock()
    }
}

struct Opened {
    voice: Voice,
    name: String,
    /// Standard error is systemd's journal, which knows the time.
    to_journald: bool,
    sinks: Vec<(Sink, LogLevel)>,
    least: LogLevel,
}

impl Opened {
    fn open(settings: &Settings) -> io::Result<Opened> {
        let patient = settings.voice == Voice::Keepalived;
        let sinks =
            settings.outputs.iter().map(|(it, level)| Ok((Sink::open(it, patient)?, *level)));
        let sinks = sinks.collect::<io::Result<Vec<_>>>()?;
        let least = sinks.iter().map(|(_, level)| *level).min().unwrap_or(LogLevel::Emerg);
        Ok(Opened {
            voice: settings.voice,
            name: settings.name.clone(),
            to_journald: std::env::var_os("JOURNAL_STREAM").is_some(),
            sinks,
            least,
        })
    }

    fn line(&self, level: LogLevel, thread: Pid, text: &str) -> String {
        match self.voice {
            Voice::Evenkeel if self.to_journald => {
                format!("<{}>{}: {text}\n", syslog_level(level), self.name)
            }
            Voice::Evenkeel => {
                let name = word(level).to_uppercase();
                format!("{} {name:<6} {}: {text}\n", utc_now(), self.name)
            }
            Voice::Keepalived => format!("{}: {text}\n", LocalTime::now().ctime()),
            Voice::Nginx => {
                let process = std::process::id();
                format!("{} [{}] {process}#{thread}: {text}\n", LocalTime::now(), word(level))
            }
        }
    }

    /// A log that can't be written must not stop what it tells about: such lines are counted, and the
    /// others told.
    fn write(&mut self, level: LogLevel, thread: Pid, text: &str) {
        for failure in self.write_to_sinks(level, thread, text) {
            // One that fails with this, too, has its own count.
            self.write_to_sinks(LogLevel::Error, thread, &failure);
        }
    }

    /// What is to be said about sinks that take nothing any more.
    fn write_to_sinks(&mut self, level: LogLevel, thread: Pid, text: &str) -> Vec<String> {
        let line = self.line(level, thread, text);
        let mut sinks = std::mem::take(&mut self.sinks);
        let mut failures = Vec::new();
        for (sink, least) in &mut sinks {
            if level < *least {
                continue;
            }
            if let Sink::Syslog(syslog) = sink {
                let tag = match self.voice {
                    Voice::Nginx => "nginx",
                    _ => self.name.as_str(),
                };
                let level = match (self.voice, level) {
                    // All that keepalived tells is "info".
                    (Voice::Keepalived, LogLevel::Notice) => LogLevel::Info,
                    _ => level,
                };
                syslog.send(syslog_level(level), tag, text);
                continue;
            }
            if let Sink::Remote(remote) = sink {
                // One that is away costs its lines.
                let _ = remote.send(level, line.trim_end_matches('\n').as_bytes());
                continue;
            }
            let gap =
                |lost| self.line(LogLevel::Warn, thread, &format!("{lost} log lines lost here"));
            failures.extend(sink.write(&line, gap).err());
        }
        self.sinks = sinks;
        failures
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line { level: tracing_level(event.metadata().level()), text: String::new() };
        // What libraries say below a warning is of no use to people who run this.
        let ours = event.metadata().target().starts_with("evenkeel");
        if !ours && line.level < LogLevel::Warn {
            return;
        }
        event.record(&mut line);
        if (line.level as u8) < self.0.least.load(Ordering::Relaxed) {
            return;
        }
        let Line { level, text } = line;
        let back = match self.0.writer.get() {
            None => Some(text),
            Some(_) if self.0.waiting.load(Ordering::Relaxed) >= BACKLOG => {
                self.0.lost.fetch_add(1, Ordering::Relaxed);
                None
            }
            Some(writer) => {
                self.0.waiting.fetch_add(1, Ordering::Relaxed);
                match writer.send(Message::Line(level, gettid(), text)) {
                    Err(SendError(Message::Line(.., text))) => Some(text),
                    Ok(()) | Err(SendError(Message::Flush(_) | Message::Reopen)) => None,
                }
            }
        };
        // The lock is the writing thread's, and may be held for long: nobody else takes it.
        if let Some(text) = back
            && let Some(opened) = self.lock().as_mut()
        {
            opened.write(level, gettid(), &text);
        }
    }
}

struct Line {
    level: LogLevel,
    text: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => {
                let rest = std::mem::take(&mut self.text);
                write!(self.text, "{value:?}{rest}")
            }
            name => write!(self.text, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match (field.name(), level_named(value)) {
            ("level", Some(level)) => self.level = level,
            ("message", _) => self.text.insert_str(0, value),
            (name, _) => _ = write!(self.text, " {name}={value}"),
        }
    }
}

fn tracing_level(level: &Level) -> LogLevel {
    match *level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Notice,
        Level::DEBUG => LogLevel::Info,
        Level::TRACE => LogLevel::Debug,
    }
}

const LEVELS: [(LogLevel, &str, u32); 8] = [
    (LogLevel::Debug, "debug", 7),
    (LogLevel::Info, "info", 6),
    (LogLevel::Notice, "notice", 5),
    (LogLevel::Warn, "warn", 4),
    (LogLevel::Error, "error", 3),
    (LogLevel::Crit, "crit", 2),
    (LogLevel::Alert, "alert", 1),
    (LogLevel::Emerg, "emerg", 0),
];

fn level_named(name: &str) -> Option<LogLevel> {
    LEVELS.iter().find(|(_, word, _)| *word == name).map(|(level, _, _)| *level)
}

/// nginx's word for a level.
pub fn word(level: LogLevel) -> &'static str {
    LEVELS[level as usize].1
}

fn syslog_level(level: LogLevel) -> u32 {
    LEVELS[level as usize].2
}

/// An error of the system as nginx writes it: `2: No such file or directory`.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!("{number}: {text}")
        }
        None => error.to_string(),
    }
}

/// `2026-11-22T23:14:39Z`
fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Howard Hinnant's "days from civil", the other way round: years begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
