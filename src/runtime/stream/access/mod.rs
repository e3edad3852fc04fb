//! The access logs of the stream role: what is written when a session ends, and where to.
//!
//! A worker formats the line ([`access_line`](crate::proxy::access_line)) and writes it, as nginx
//! does: a line is one write to a file opened for appending. A log that takes none costs an alert a
//! second at most and is counted; the session ends as it would have. [`file`] has plain and
//! buffered files, [`flush`] empties buffers in time, [`cache`] has files with variables in their
//! names. Read [`file`] next.

mod cache;
mod file;
mod flush;

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Instant;

use self::cache::Cache;
use self::file::LogFile;
use self::flush::Flusher;
use super::counters::Counters;
use super::record::Seen;
use super::session::{Phase, Session};
use crate::plan::access_log::{AccessLog, Buffer, Format, OpenFiles, Target};
use crate::plan::process::LogLevel;
use crate::plan::template::Template;
use crate::proxy::access_line;
use crate::proxy::message::Doing;
use crate::proxy::session::Status;
use crate::proxy::variable::Evaluator;
use crate::runtime::log::reason;
use crate::runtime::log::remote::Remote;

/// One log of one server.
#[derive(Debug)]
pub(super) struct Access {
    to: To,
    format: Arc<Format>,
    condition: Option<Template>,
}

#[derive(Debug)]
enum To {
    File(Arc<LogFile>),
    /// A name with variables.
    Named(Template, Arc<Cache>),
    Remote(Arc<Remote>, Arc<Complaint>),
}

/// When something was last said about what doesn't take lines.
#[derive(Debug, Default)]
struct Complaint(std::sync::Mutex<Option<Instant>>);

impl Complaint {
    /// Is it time to say it again? Once a second, as in nginx.
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed().as_secs() >= 1);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

/// All access logs of the role: each file is open once, however many servers write to it.
#[derive(Debug, Default)]
pub(super) struct AccessLogs {
    files: HashMap<(PathBuf, Option<Buffer>), Weak<LogFile>>,
    caches: Vec<Weak<Cache>>,
    flusher: Arc<Flusher>,
}

impl AccessLogs {
    /// Opens the logs of one server.
    ///
    /// # Errors
    /// A file that can't be opened, with its name in the message.
    pub(super) fn open(
        &mut self,
        logs: &[AccessLog],
        formats: &[Arc<Format>],
        open_files: Option<OpenFiles>,
    ) -> io::Result<Vec<Access>> {
        let mut cache = None;
        let opened = logs.iter().map(|log| {
            let to = match &log.target {
                Target::File { path, buffer } => To::File(self.file(path, *buffer)?),
                Target::Path(template) => {
                    let cache = cache.get_or_insert_with(|| Arc::new(Cache::new(open_files)));
                    To::Named(template.clone(), Arc::clone(cache))
                }
                Target::Syslog(syslog) => {
                    To::Remote(Arc::new(Remote::new(syslog.clone())), Arc::default())
                }
            };
            let format = Arc::clone(&formats[log.format]);
            Ok(Access { to, format, condition: log.condition.clone() })
        });
        let opened = opened.collect::<io::Result<Vec<_>>>()?;
        self.caches.extend(cache.as_ref().map(Arc::downgrade));
        Ok(opened)
    }

    fn file(&mut self, path: &Path, buffer: Option<Buffer>) -> io::Result<Arc<LogFile>> {
        let key = (path.to_owned(), buffer);
        if let Some(file) = self.files.get(&key).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let flusher = buffer.and_then(|it| it.flush).map(|_| Arc::clone(&self.flusher));
        let file = Arc::new(LogFile::open(path, buffer, flusher)?);
        self.files.insert(key, Arc::downgrade(&file));
        Ok(file)
    }

    /// Opens every file anew, after somebody has moved them away. One that can't be opened goes on
    /// where it was.
    pub(super) fn reopen(&mut self) {
        for file in self.files.values().filter_map(Weak::upgrade) {
            if let Err(error) = file.reopen() {
                tracing::error!(level = "emerg", "{error}");
            }
        }
        self.caches.iter().filter_map(Weak::upgrade).for_each(|cache| cache.clear());
    }

    /// Forgets what no session of any plan uses any more.
    pub(super) fn tidy(&mut self) {
        self.files.retain(|_, file| file.strong_count() > 0);
        self.caches.retain(|cache| cache.strong_count() > 0);
    }
}

/// Writes what is to be written about a session that is over.
pub(super) fn write(session: &mut Session, now: Instant, status: Status, counters: &Counters) {
    if session.entrance.access.is_empty() {
        return;
    }
    let Some(mut record) = session.record.take() else { return };
    let mut values = std::mem::take(&mut record.values);
    let entrance = Arc::clone(&session.entrance);
    let seen = Seen { session: &*session, record: &record, now, status: Some(status) };
    let mut evaluator = Evaluator::new(&entrance.variables, &seen, &mut values);
    for access in &entrance.access {
        let condition = access.condition.as_ref();
        if !condition.is_none_or(|text| access_line::wanted(&mut evaluator, text)) {
            continue;
        }
        let line = access_line::line(&mut evaluator, &access.format);
        let (level, complaint) = match &access.to {
            To::File(file) => match file.write(&line) {
                Err(error) => (LogLevel::Alert, file.complaint(&error)),
                Ok(()) => continue,
            },
            To::Remote(remote, complaint) => {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                match remote.send(remote.syslog.severity, text) {
                    Err(error) => (LogLevel::Warn, complaint.is_due().then(|| unsent(&error))),
                    Ok(()) => continue,
                }
            }
            To::Named(template, cache) => {
                let path = evaluator.render(template);
                match cache.write(&path, &line) {
                    Err(lost) => lost,
                    Ok(()) => continue,
                }
            }
        };
        counters.access_log_failures.fetch_add(1, Relaxed);
        if let Some(complaint) = complaint {
            let tail = tail(&*session);
            entrance.log.write(level, Some(session.number), format_args!("{complaint}{tail}"));
        }
    }
    record.values = values;
    session.record = Some(record);
}

fn unsent(error: &io::Error) -> String {
    format!("send() to syslog failed ({})", reason(error))
}

/// What a line about the session ends with.
fn tail(session: &Session) -> impl Display {
    let doing = match session.phase {
        Phase::Relaying(_) | Phase::Exchanging => Doing::Proxying,
        Phase::Dialing(_) | Phase::Turning if session.pool.is_some() => Doing::Connecting,
        _ => {
            let answering = matches!(session.phase, Phase::Answering(_));
            let doing = if answering { " while returning text" } else { "" };
            return format!("{doing}, client: {}, server: {}", session.from, session.entrance.name);
        }
    };
    session.context(doing).to_string()
}
