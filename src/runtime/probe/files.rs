//! Tracked files: their folders are watched, and what is in them is read.
//!
//! The folder, not the file: it may be deleted, renamed, or another one put in its place. Where the
//! file is a link, both the folder of the link and that of what it points to are watched.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use super::CheckKey;
use crate::kernel::inotify::{Folder, FolderWatch, Stir};
use crate::plan::track::InitFile;
use crate::vrrp::file::{LOOKED_AT, value};

/// The value of a file now; `Ok(0)` where there is none. Error: what keepalived's log says.
pub fn read(path: &Path) -> Result<i32, String> {
    let mut bytes = Vec::new();
    // Neither a pipe without a writer nor a terminal keeps anybody waiting.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let read = file.and_then(|file| file.take(LOOKED_AT as u64).read_to_end(&mut bytes));
    if read.is_err() {
        bytes.clear();
    }
    value(&bytes).map_err(|number| {
        format!("Invalid number {number} read from {} - ignoring", path.display())
    })
}

/// Is the folder there that a file of this path is or would be in?
pub fn can_be_tracked(path: &Path) -> bool {
    folder_of(path).is_dir()
}

/// Creates the file, as `init_file` has it: always a new one, so that nobody's link is followed and
/// nobody reads half a number. Error: also where something other than a file is there.
pub fn init(path: &Path, init: InitFile) -> io::Result<()> {
    match path.metadata() {
        Ok(meta) if !meta.is_file() => return Err(io::ErrorKind::InvalidInput.into()),
        Ok(_) if !init.overwrite => return Ok(()),
        _ => {}
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_value(&mut File::create_new(path)?, init.value);
    if written.is_err() {
        // An empty one would be taken for a value when the disk isn't full any more.
        let _ = fs::remove_file(path);
    }
    written
}

fn write_value(file: &mut File, value: i32) -> io::Result<()> {
    file.write_all(format!("{value}\n").as_bytes())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The probe's side.
#[derive(Default)]
pub(super) struct Files {
    /// Opened for the first file.
    watch: Option<FolderWatch>,
    files: HashMap<CheckKey, Tracked>,
}

struct Tracked {
    path: PathBuf,
    places: Vec<Place>,
}

/// A name in a folder.
struct Place {
    folder: Folder,
    path: PathBuf,
}

impl Files {
    pub(super) fn add(&mut self, key: CheckKey, path: PathBuf) -> io::Result<()> {
        if self.watch.is_none() {
            self.watch = Some(FolderWatch::open()?);
        }
        self.files.insert(key, Tracked { path, places: Vec::new() });
        self.settle(key)
    }

    pub(super) fn remove(&mut self, key: CheckKey) {
        if let Some(gone) = self.files.remove(&key) {
            self.leave(gone.places);
        }
    }

    /// Watches where the file is now.
    fn settle(&mut self, key: CheckKey) -> io::Result<()> {
        let (Some(watch), Some(tracked)) = (&self.watch, self.files.get_mut(&key)) else {
            return Ok(());
        };
        let real = fs::canonicalize(&tracked.path).ok().filter(|real| *real != tracked.path);
        let paths: Vec<PathBuf> = std::iter::once(tracked.path.clone()).chain(real).collect();
        if tracked.places.iter().map(|place| &place.path).eq(&paths) {
            return Ok(());
        }
        let mut places = Vec::new();
        for path in paths {
            places.push(Place { folder: watch.add(folder_of(&path))?, path });
        }
        let left = std::mem::replace(&mut tracked.places, places);
        self.leave(left);
        Ok(())
    }

    fn leave(&self, places: Vec<Place>) {
        let mut used = self.files.values().flat_map(|tracked| &tracked.places);
        for Place { folder, .. } in places {
            if !used.any(|place| place.folder == folder)
                && let Some(watch) = &self.watch
            {
                watch.remove(folder);
            }
        }
    }

    /// Files that may have another value now.
    pub(super) fn poll(&mut self, context: &mut Context) -> Poll<Vec<(CheckKey, PathBuf)>> {
        let Some(watch) = &mut self.watch else { return Poll::Pending };
        let stir = match watch.poll_next(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(stir)) => stir,
            Poll::Ready(Err(error)) => {
                tracing::error!("tracked files are no longer watched: {error}");
                self.watch = None;
                return Poll::Ready(Vec::new());
            }
        };
        let concerns = |place: &Place| match &stir {
            Stir::File(folder, name) => {
                place.folder == *folder && place.path.file_name() == Some(OsStr::new(name))
            }
            Stir::FolderGone(folder) => place.folder == *folder,
            Stir::Lost => true,
        };
        let concerned = |(_, tracked): &(&CheckKey, &Tracked)| tracked.places.iter().any(concerns);
        let keys: Vec<CheckKey> =
            self.files.iter().filter(concerned).map(|(key, _)| *key).collect();
        for key in &keys {
            if let Stir::FolderGone(gone) = &stir
                && let Some(tracked) = self.files.get_mut(key)
            {
                tracked.places.retain(|place| place.folder != *gone);
                tracing::warn!(
                    "{}: its folder has gone, and nobody watches it any more",
                    tracked.path.display()
                );
                continue;
            }
            if let Err(error) = self.settle(*key) {
                tracing::debug!("{}: {error}", self.files[key].path.display());
            }
        }
        let path = |key: CheckKey| (key, self.files[&key].path.clone());
        Poll::Ready(keys.into_iter().map(path).collect())
    }
}
