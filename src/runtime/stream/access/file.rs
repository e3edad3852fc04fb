//! A log file, with or without a buffer before it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Complaint;
use super::flush::Flusher;
use crate::plan::access_log::Buffer;
use crate::runtime::log::reason;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    buffer: Option<Buffer>,
    state: Mutex<State>,
    complained: Complaint,
    /// Where there is a `flush=`.
    flusher: Option<Arc<Flusher>>,
}

#[derive(Debug)]
struct State {
    file: File,
    waiting: Vec<u8>,
    /// When the first line of those that wait came.
    since: Option<Instant>,
}

impl LogFile {
    /// # Errors
    /// The file can't be opened; its name is in the message.
    pub(super) fn open(
        path: &Path,
        buffer: Option<Buffer>,
        flusher: Option<Arc<Flusher>>,
    ) -> io::Result<Self> {
        let state = State { file: append(path)?, waiting: Vec::new(), since: None };
        let (path, state) = (path.to_owned(), Mutex::new(state));
        Ok(Self { path, buffer, state, complained: Complaint::default(), flusher })
    }

    /// Writes a line, or puts it to those that wait.
    ///
    /// # Errors
    /// The file doesn't take it, or doesn't take what waited: then that is lost.
    pub(super) fn write(self: &Arc<Self>, line: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let Some(buffer) = self.buffer else { return whole(&state.file, line) };
        let mut result = Ok(());
        if state.waiting.len() + line.len() > buffer.size {
            result = state.flush(buffer.gzip);
        }
        if line.len() > buffer.size {
            return result.and(state.put(line, buffer.gzip));
        }
        state.waiting.extend_from_slice(line);
        if state.since.is_none() {
            state.since = Some(Instant::now());
            if let (Some(flusher), Some(after)) = (&self.flusher, buffer.flush) {
                flusher.remind(Instant::now() + after, self);
            }
        }
        result
    }

    /// What to say about an error, if it is time to say it.
    pub(super) fn complaint(&self, error: &io::Error) -> Option<String> {
        let text = || format!("write() to \"{}\" failed ({})", self.path.display(), reason(error));
        self.complained.is_due().then(text)
    }

    /// Writes what has waited for as long as it may. Returns when to look again.
    pub(super) fn expire(&self, now: Instant) -> Option<Instant> {
        let buffer = self.buffer?;
        let mut state = self.state();
        let due = state.since? + buffer.flush?;
        if due > now {
            return Some(due);
        }
        let result = state.flush(buffer.gzip);
        drop(state);
        self.tell(result);
        None
    }

    /// # Errors
    /// It can't be opened anew, and goes on as it was.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let mut state = self.state();
        let flushed = state.flush(self.buffer.and_then(|buffer| buffer.gzip));
        let opened = append(&self.path).map(|file| state.file = file);
        drop(state);
        self.tell(flushed);
        opened
    }

    fn tell(&self, result: io::Result<()>) {
        if let Err(error) = result
            && let Some(text) = self.complaint(&error)
        {
            tracing::error!(level = "alert", "{text}");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LogFile {
    /// No session writes to it any more.
    fn drop(&mut self) {
        let gzip = self.buffer.and_then(|buffer| buffer.gzip);
        let result = self.state().flush(gzip);
        self.tell(result);
    }
}

impl State {
    fn flush(&mut self, gzip: Option<u32>) -> io::Result<()> {
        self.since = None;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let result = self.put(&waiting, gzip);
        self.waiting = waiting;
        self.waiting.clear();
        result
    }

    /// Each part is a gzip member of its own, so that the file can be read at any time.
    fn put(&mut self, bytes: &[u8], gzip: Option<u32>) -> io::Result<()> {
        let Some(level) = gzip else { return whole(&self.file, bytes) };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes)?;
        whole(&self.file, &encoder.finish()?)
    }
}

/// In one write, so that lines of several processes don't mix.
pub(super) fn whole(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Ok(count) if count == bytes.len() => return Ok(()),
            Ok(_) => return Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
        let text = format!("open() \"{}\" failed ({})", path.display(), reason(&error));
        io::Error::new(error.kind(), text)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn log(path: &Path, size: Option<usize>, gzip: Option<u32>) -> Arc<LogFile> {
        let buffer = size.map(|size| Buffer { size, flush: None, gzip });
        Arc::new(LogFile::open(path, buffer, None).unwrap())
    }

    #[test]
    fn a_full_disk_is_told_once_a_second() {
        for size in [None, Some(3)] {
            let log = log(Path::new("/dev/full"), size, None);
            let error = log.write(b"line\n").unwrap_err();
            let said = "write() to \"/dev/full\" failed (28: No space left on device)";
            assert_eq!(log.complaint(&error).as_deref(), Some(said));
            let error = log.write(b"line\n").unwrap_err();
            assert_eq!(log.complaint(&error), None);
        }
    }

    #[test]
    fn lines_wait_for_the_buffer_the_clock_or_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let there = || std::fs::read_to_string(&path).unwrap();
        let buffered = log(&path, Some(10), None);
        buffered.write(b"one\n").unwrap();
        buffered.write(b"two\n").unwrap();
        assert_eq!(there(), "");
        buffered.write(b"three\n").unwrap();
        assert_eq!(there(), "one\ntwo\n");
        buffered.write(b"longer than the buffer\n").unwrap();
        assert_eq!(there(), "one\ntwo\nthree\nlonger than the buffer\n");
        buffered.write(b"four\n").unwrap();
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        buffered.reopen().unwrap();
        assert_eq!(there(), "");
        buffered.write(b"five\n").unwrap();
        drop(buffered);
        assert_eq!(there(), "five\n");
        let old = std::fs::read_to_string(folder.path().join("old")).unwrap();
        assert!(old.ends_with("four\n"), "{old}");
    }

    #[test]
    fn no_line_waits_longer_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let flush = Some(Duration::from_millis(50));
        let buffer = Buffer { size: 4096, flush, gzip: Some(6) };
        let flusher = Some(Arc::new(Flusher::default()));
        let log = Arc::new(LogFile::open(&path, Some(buffer), flusher).unwrap());
        for line in ["one\n", "two\n"] {
            let before = std::fs::metadata(&path).unwrap().len();
            log.write(line.as_bytes()).unwrap();
            let until = Instant::now() + Duration::from_secs(10);
            while std::fs::metadata(&path).unwrap().len() == before {
                assert!(Instant::now() < until, "{line} is still waiting");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let mut text = String::new();
        let file = File::open(&path).unwrap();
        io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(file), &mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }
}
