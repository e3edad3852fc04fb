//! The stream role's error log, in nginx's layout:
//! `2026/11/22 23:14:35 [error] 1234#1234: *7 connect() failed …`.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::kernel::local_time::LocalTime;
use crate::plan::process::{ErrorLog, LogLevel, LogTarget};
use crate::runtime::log::reason;
use crate::runtime::log::remote::Remote;

/// Where the lines of one server, or of the process, go.
#[derive(Clone, Debug)]
pub(super) struct Log {
    sinks: Vec<(LogLevel, Arc<Sink>)>,
}

#[derive(Debug)]
enum Sink {
    Stderr,
    File {
        path: PathBuf,
        file: Mutex<File>,
    },
    Remote(Remote),
    /// Wherever this process's events go: no `error_log` is configured.
    Events,
}

impl Log {
    /// Whether a line of this level goes anywhere.
    pub(super) fn wants(&self, level: LogLevel) -> bool {
        self.sinks.iter().any(|(least, _)| level >= *least)
    }

    /// Writes one line; `connection` is the number that the lines of one session share.
    pub(super) fn write(&self, level: LogLevel, connection: Option<u64>, text: fmt::Arguments<'_>) {
        if !self.wants(level) {
            return;
        }
        let message = match connection {
            Some(number) => format!("*{number} {text}"),
            None => text.to_string(),
        };
        let (process, thread) = (std::process::id(), nix::unistd::gettid());
        let name = name(level);
        let line = format!("{} [{name}] {process}#{thread}: {message}\n", LocalTime::now());
        for (_, sink) in self.sinks.iter().filter(|(least, _)| level >= *least) {
            // A log that can't be written must not stop the sessions it tells about.
            let _ = match &**sink {
                Sink::Stderr => io::stderr().write_all(line.as_bytes()),
                Sink::File { file, .. } => lock(file).write_all(line.as_bytes()),
                Sink::Remote(remote) => remote.send(level, line.trim_end_matches('\n').as_bytes()),
                Sink::Events => {
                    emit(level, &message);
                    Ok(())
                }
            };
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn emit(level: LogLevel, message: &str) {
    let name = name(level);
    match level {
        LogLevel::Debug => tracing::debug!(level = name, "{message}"),
        LogLevel::Info | LogLevel::Notice => tracing::info!(level = name, "{message}"),
        LogLevel::Warn => tracing::warn!(level = name, "{message}"),
        LogLevel::Error | LogLevel::Crit | LogLevel::Alert | LogLevel::Emerg => {
            tracing::error!(level = name, "{message}");
        }
    }
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Notice => "notice",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
        LogLevel::Crit => "crit",
        LogLevel::Alert => "alert",
        LogLevel::Emerg => "emerg",
    }
}

/// All log files of the role, each opened once however many servers write to it.
#[derive(Debug, Default)]
pub(super) struct Logbook {
    files: HashMap<PathBuf, Arc<Sink>>,
}

impl Logbook {
    /// Opens what `logs` names; an empty list is the built-in default, this process's events.
    ///
    /// # Errors
    /// A file that can't be opened, with its name in the message.
    pub(super) fn open(&mut self, logs: &[ErrorLog]) -> io::Result<Log> {
        let sinks = logs.iter().map(|log| {
            let sink = match &log.target {
                LogTarget::Stderr => Arc::new(Sink::Stderr),
                LogTarget::File(path) => self.file(path)?,
                LogTarget::Syslog(syslog) => Arc::new(Sink::Remote(Remote::new(syslog.clone()))),
            };
            Ok((log.level, sink))
        });
        let mut sinks: Vec<_> = sinks.collect::<io::Result<_>>()?;
        if sinks.is_empty() {
            sinks.push((LogLevel::default(), Arc::new(Sink::Events)));
        }
        Ok(Log { sinks })
    }

    fn file(&mut self, path: &Path) -> io::Result<Arc<Sink>> {
        if let Some(sink) = self.files.get(path) {
            return Ok(Arc::clone(sink));
        }
        let file = Mutex::new(append(path)?);
        let sink = Arc::new(Sink::File { path: path.to_owned(), file });
        self.files.insert(path.to_owned(), Arc::clone(&sink));
        Ok(sink)
    }

    /// Opens every file anew, after somebody has moved them away. One that can't be opened goes on
    /// where it was.
    pub(super) fn reopen(&self) {
        for sink in self.files.values() {
            let Sink::File { path, file } = &**sink else { continue };
            match append(path) {
                Ok(opened) => *lock(file) = opened,
                Err(error) => tracing::error!("{error}"),
            }
        }
    }

    /// Forgets files that no server of the running plan, and no session of an older one, uses.
    pub(super) fn tidy(&mut self) {
        self.files.retain(|_, sink| Arc::strong_count(sink) > 1);
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
        let text = format!("open() \"{}\" failed ({})", path.display(), reason(&error));
        io::Error::new(error.kind(), text)
    })
}
