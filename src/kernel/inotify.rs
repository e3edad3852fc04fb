//! What happens to the files of a folder (inotify(7)).

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::task::{Context, Poll};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use super::ready::{Descriptor, when_readable};

/// One folder that is watched.
pub type Folder = WatchDescriptor;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stir {
    /// A file of this name in the folder was written and closed, moved or deleted.
    File(Folder, OsString),
    /// The folder itself went, and nobody watches it any more.
    FolderGone(Folder),
    /// Some happenings were lost.
    Lost,
}

/// Watches folders.
#[derive(Debug)]
pub struct FolderWatch {
    inotify: AsyncFd<Descriptor<Inotify>>,
    waiting: Vec<Stir>,
}

impl FolderWatch {
    /// Must be called inside a tokio runtime.
    pub fn open() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let inotify = when_readable(Descriptor(inotify))?;
        Ok(FolderWatch { inotify, waiting: Vec::new() })
    }

    /// Watching a folder a second time gives the same one.
    pub fn add(&self, folder: &Path) -> io::Result<Folder> {
        let events = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ONLYDIR;
        Ok(self.inotify.get_ref().0.add_watch(folder, events)?)
    }

    /// No longer watched; gone already: fine.
    pub fn remove(&self, folder: Folder) {
        let _ = self.inotify.get_ref().0.rm_watch(folder);
    }

    pub fn poll_next(&mut self, context: &mut Context) -> Poll<io::Result<Stir>> {
        loop {
            if let Some(stir) = self.waiting.pop() {
                return Poll::Ready(Ok(stir));
            }
            let mut ready = match self.inotify.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            };
            let events = ready.try_io(|inotify| Ok(inotify.get_ref().0.read_events()?));
            let Ok(events) = events else { continue };
            // The latest first, since they are taken from the end.
            self.waiting.extend(events?.into_iter().rev().filter_map(|event| {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    Some(Stir::Lost)
                } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    Some(Stir::FolderGone(event.wd))
                } else {
                    event.name.map(|name| Stir::File(event.wd, name))
                }
            }));
        }
    }
}
