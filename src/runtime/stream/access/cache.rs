//! Files with variables in their names: opened for each line, or kept open by
//! `open_log_file_cache`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Complaint;
use super::file::{append, whole};
use crate::plan::access_log::OpenFiles;
use crate::plan::process::LogLevel;
use crate::runtime::log::reason;

#[derive(Debug)]
pub(super) struct Cache {
    files: Option<OpenFiles>,
    entries: Mutex<HashMap<PathBuf, Entry>>,
    unwritten: Complaint,
}

/// A line that isn't there: how bad that is, and what to say of it, if it is time to say it.
pub(super) type Lost = (LogLevel, Option<String>);

#[derive(Debug)]
struct Entry {
    /// `None`: it isn't used often enough to stay open.
    file: Option<File>,
    checked: Instant,
    used: Instant,
    uses: u32,
}

impl Cache {
    pub(super) fn new(files: Option<OpenFiles>) -> Self {
        Self { files, entries: Mutex::default(), unwritten: Complaint::default() }
    }

    /// # Errors
    /// What to say of a file that can't be opened or written.
    pub(super) fn write(&self, path: &[u8], line: &[u8]) -> Result<(), Lost> {
        let path = Path::new(OsStr::from_bytes(path));
        let failed = |error: std::io::Error| {
            let text = format!("write() to \"{}\" failed ({})", path.display(), reason(&error));
            (LogLevel::Alert, self.unwritten.is_due().then_some(text))
        };
        let open = || append(path).map_err(|error| (LogLevel::Crit, Some(error.to_string())));
        let Some(files) = self.files else { return whole(&open()?, line).map_err(failed) };
        let now = Instant::now();
        let mut entries = self.entries();
        entries.retain(|_, entry| now.duration_since(entry.used) < files.inactive);
        if !entries.contains_key(path) {
            if entries.len() >= files.most {
                let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
                if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                    entries.remove(&oldest);
                }
            }
            let entry = Entry { file: None, checked: now, used: now, uses: 0 };
            entries.insert(path.to_owned(), entry);
        }
        let Some(entry) = entries.get_mut(path) else { return Ok(()) };
        (entry.used, entry.uses) = (now, entry.uses.saturating_add(1));
        if now.duration_since(entry.checked) >= files.valid {
            entry.checked = now;
            entry.file = entry.file.take().filter(|file| is_still(path, file));
        }
        if entry.file.is_none() && entry.uses >= files.min_uses {
            (entry.file, entry.checked) = (Some(open()?), now);
        }
        let opened;
        let file = match &entry.file {
            Some(file) => file,
            None => {
                opened = open()?;
                &opened
            }
        };
        whole(file, line).map_err(failed)
    }

    /// Closes all, so that they are opened anew.
    pub(super) fn clear(&self) {
        self.entries().clear();
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is the file at the path this one?
fn is_still(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(open)) = (path.metadata(), file.metadata()) else { return false };
    (there.dev(), there.ino()) == (open.dev(), open.ino())
}
