//! `reload_time_file`: a file whose first line says when to reload (keepalived.conf(5)).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::kernel::local_time;
use crate::plan::vrrp_process::Reload;

/// How often the file is looked at. (keepalived has the kernel watch its folder, and sees nothing
/// any more once that was replaced.)
const PACE: Duration = Duration::from_millis(500);

/// What is known of the file.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    file: Option<PathBuf>,
    repeat: bool,
    /// Its first line when it was last looked at.
    seen: Option<String>,
    at: Option<SystemTime>,
    look_at: Option<Instant>,
}

impl Schedule {
    /// By the plan in force. A reload leaves an unchanged file's time as it is.
    pub(super) fn adopt(&mut self, reload: &Reload) {
        self.repeat = reload.repeat;
        if self.file != reload.time_file {
            *self = Schedule {
                file: reload.time_file.clone(),
                repeat: reload.repeat,
                look_at: reload.time_file.is_some().then(Instant::now),
                ..Schedule::default()
            };
        }
    }

    /// When to call [`is_due`](Self::is_due) next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let left = self.at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
        let at = left.map(|left| Instant::now() + left);
        self.look_at.into_iter().chain(at).min()
    }

    /// Looks at the file; is it time to reload? The file then goes, unless it is for every day.
    pub(super) fn is_due(&mut self) -> bool {
        let Some(file) = self.file.clone() else { return false };
        let now = Instant::now();
        let due = self.at.is_some_and(|at| at <= SystemTime::now());
        if due {
            self.at = None;
            if self.repeat {
                // The same line again: for tomorrow, if it has no date.
                self.seen = None;
            } else if let Err(error) = std::fs::remove_file(&file) {
                tracing::warn!("{}: {error}", file.display());
            }
        }
        if due || self.look_at.is_some_and(|at| at <= now) {
            self.look_at = Some(now + PACE);
            self.look(&file);
        }
        due
    }

    fn look(&mut self, file: &Path) {
        let line = std::fs::read_to_string(file).ok();
        let line = line.map(|text| text.lines().next().unwrap_or_default().to_owned());
        if line == self.seen {
            return;
        }
        self.seen = line.clone();
        let before = self.at.take();
        let Some(line) = line else {
            if before.is_some() {
                tracing::info!("Cancelling timed reload: {} has gone", file.display());
            }
            return;
        };
        let now = SystemTime::now();
        match local_time::next(&line, now) {
            Some(at) if at > now => {
                tracing::info!("Scheduling reload for {}", local_time::plain(at));
                self.at = Some(at);
            }
            Some(_) => tracing::info!("Reload time {line} is in the past: ignored"),
            None => {
                let file = file.display();
                tracing::warn!("{file}: '{line}' is no time; [[YY]YY-MM-DD ]HH:MM:SS[Z] is");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_once_and_is_cancelled_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("when");
        let reload = Reload { time_file: Some(file.clone()), ..Reload::default() };
        let mut schedule = Schedule::default();
        schedule.adopt(&reload);
        assert!(!schedule.is_due() && schedule.at.is_none());
        let soon = SystemTime::now() + Duration::from_secs(2);
        std::fs::write(&file, format!("{}\n", local_time::plain(soon))).unwrap();
        schedule.look_at = Some(Instant::now());
        assert!(!schedule.is_due() && schedule.at.is_some());
        let written = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        schedule.look_at = Some(Instant::now());
        assert!(!schedule.is_due() && schedule.at.is_none(), "cancelled");
        std::fs::write(&file, written).unwrap();
        schedule.look_at = Some(Instant::now());
        assert!(!schedule.is_due());
        schedule.at = Some(SystemTime::now());
        assert!(schedule.is_due() && !file.exists());
        assert!(!schedule.is_due());
    }

    #[test]
    fn a_daily_time_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("when");
        std::fs::write(&file, "03:00:00Z").unwrap();
        let mut schedule = Schedule::default();
        schedule.adopt(&Reload {
            time_file: Some(file.clone()),
            repeat: true,
            ..Reload::default()
        });
        assert!(!schedule.is_due());
        schedule.at = Some(SystemTime::now());
        assert!(schedule.is_due() && file.exists());
        assert!(schedule.at.is_some_and(|at| at > SystemTime::now()));
    }
}
