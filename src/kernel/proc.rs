//! What /proc says about the processes of this PID namespace (proc(5)), and the end of one
//! (pidfd_open(2)).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tokio::io::unix::AsyncFd;

use super::ready::when_readable;

/// One process as `/proc/PID/stat` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// At most 15 bytes; any but NUL.
    pub comm: Vec<u8>,
    /// `R`, `S`, `D`, `T`, `Z`, …
    pub state: u8,
    /// The process that waits for its end.
    pub parent: i32,
    /// Threads that still run: 1 for the zombie of a process that ended as a whole.
    pub threads: u32,
    /// Clock ticks after boot: with the pid, the process's identity.
    pub started: u64,
}

/// The user and group ids of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub real_uid: u32,
    pub effective_uid: u32,
    pub saved_uid: u32,
    pub real_gid: u32,
    pub effective_gid: u32,
    pub saved_gid: u32,
}

/// All processes, by ascending pid; those that end meanwhile may be missing.
pub fn processes() -> io::Result<Vec<Process>> {
    Ok(pids()?.into_iter().filter_map(process).collect())
}

/// The pids of all processes, ascending.
pub fn pids() -> io::Result<Vec<i32>> {
    let mut pids: Vec<i32> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

/// One process, if it is there.
pub fn process(pid: i32) -> Option<Process> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

impl Process {
    /// It has ended and only waits for its parent to notice.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }

    /// Its arguments, or what it has written over them; none for kernel threads and zombies.
    pub fn arguments(&self) -> Vec<Vec<u8>> {
        let mut bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        if bytes.last() == Some(&0) {
            bytes.pop();
        } else if bytes.is_empty() {
            return Vec::new();
        }
        bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }

    /// The program it runs, by path; ` (deleted)` removed. `None` for kernel threads and zombies,
    /// and where this process may not look.
    pub fn program(&self) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/{}/exe", self.pid)).ok()?;
        let mut bytes = path.into_os_string().into_vec();
        if let Some(kept) = bytes.strip_suffix(b" (deleted)") {
            bytes.truncate(kept.len());
        }
        Some(OsString::from_vec(bytes).into())
    }

    /// Device and inode of the program it runs.
    pub fn program_file(&self) -> Option<(u64, u64)> {
        device_and_inode(Path::new(&format!("/proc/{}/exe", self.pid)))
    }

    pub fn ids(&self) -> Option<Ids> {
        let status = fs::read(format!("/proc/{}/status", self.pid)).ok()?;
        let status = String::from_utf8_lossy(&status);
        let line = |name: &str| -> Option<[u32; 4]> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let numbers: Vec<u32> =
                line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            numbers.try_into().ok()
        };
        let [real_uid, effective_uid, saved_uid, _] = line("Uid:")?;
        let [real_gid, effective_gid, saved_gid, _] = line("Gid:")?;
        Some(Ids { real_uid, effective_uid, saved_uid, real_gid, effective_gid, saved_gid })
    }
}

/// Device and inode of a file, links followed.
pub fn device_and_inode(path: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

/// Waits for one process to end.
#[derive(Debug)]
pub struct ProcessEnd {
    pidfd: AsyncFd<OwnedFd>,
}

impl ProcessEnd {
    /// Of exactly the process that was seen: `NotFound` where it ended since, even if its pid was
    /// given to another. Must be called inside a tokio runtime.
    pub fn watch(seen: &Process) -> io::Result<Self> {
        // SAFETY: pidfd_open(2) takes two integers; its result is checked before it is owned.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, seen.pid, libc::PIDFD_NONBLOCK) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            let gone = error.raw_os_error() == Some(libc::ESRCH);
            return Err(if gone { io::ErrorKind::NotFound.into() } else { error });
        }
        // SAFETY: `fd` is open and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        if process(seen.pid).is_none_or(|now| now.started != seen.started) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(ProcessEnd { pidfd: when_readable(fd)? })
    }

    /// Returns once the process has ended, reaped or not.
    pub async fn ended(&self) {
        // An error would mean that the runtime ends; there is nothing to wait for then either.
        let _ = self.pidfd.readable().await;
    }
}

/// `PID (COMM) STATE …`: the name may hold spaces and parentheses.
fn parse_stat(bytes: &[u8]) -> Option<Process> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(&bytes[..open]).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    // The fields behind the name, from field 3 on.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Process {
        pid,
        comm: bytes.get(open + 1..close)?.to_vec(),
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let line = b"42 (a) R 1 (b) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 3 0 777 0 0 0\n";
        let process = parse_stat(line).unwrap();
        assert_eq!(process.comm, b"a) R 1 (b");
        assert_eq!((process.pid, process.state), (42, b'S'));
        assert_eq!((process.parent, process.threads, process.started), (1, 3, 777));
        for length in 0..line.len() - 12 {
            assert_eq!(parse_stat(&line[..length]), None);
        }
    }
}
