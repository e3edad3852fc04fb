//! FIFOs that others read from: fifo(7).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::Mode;

/// The writing end. One that was made here is removed when this is dropped.
#[derive(Debug)]
pub struct Fifo {
    file: File,
    path: PathBuf,
    /// Its inode, if it was made here.
    made: Option<u64>,
}

impl Fifo {
    /// Makes it, for `owner` (uid, gid) alone; one that is there already is taken as it is. A link
    /// is never followed.
    ///
    /// It is open for reading, too, so that it can be opened and written to while nobody reads.
    pub fn open(path: &Path, owner: Option<(u32, u32)>) -> io::Result<Fifo> {
        let made = match nix::unistd::mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(errno.into()),
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.file_type().is_fifo() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "is no FIFO"));
        }
        let fifo = Fifo { file, path: path.to_owned(), made: made.then_some(metadata.ino()) };
        if let Some((uid, gid)) = owner.filter(|_| made) {
            fchown(&fifo.file, Some(uid), Some(gid))?;
        }
        Ok(fifo)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line of at most 4096 bytes, the whole of it or nothing, and never waits.
    ///
    /// # Errors
    /// `WouldBlock`: it is full, nobody reads.
    pub fn write(&self, line: &[u8]) -> io::Result<()> {
        (&self.file).write_all(line)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let Some(inode) = self.made else { return };
        if std::fs::symlink_metadata(&self.path).is_ok_and(|it| it.ino() == inode) {
            // Nothing more can be done about it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn nobody_reading_costs_lines_and_never_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let fifo = Fifo::open(&path, None).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        let line = [b'x'; 64];
        let written = (0..100_000).take_while(|_| fifo.write(&line).is_ok()).count();
        assert!((100..100_000).contains(&written), "{written}");
        let error = fifo.write(&line).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(fifo);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_there_already_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o644)).unwrap();
        drop(Fifo::open(&path, Some((0, 0))).unwrap());
        assert!(path.exists());
        let file = folder.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert!(Fifo::open(&file, None).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Fifo::open(&link, None).is_err());
    }
}
