//! Listening sockets that go from one program to the next over an exec, by their numbers: how nginx
//! hands them to a new executable of its own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{SockaddrStorage, getsockname};

/// Executes `path` as a child that inherits `sockets` under the numbers that they have here, and of
/// the environment only `environment`. Returns its pid.
///
/// # Errors
/// It can't be executed; nothing runs then.
pub fn execute(
    path: &Path,
    name: &OsStr,
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
    sockets: &[BorrowedFd],
) -> io::Result<i32> {
    let numbers: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let mut command = Command::new(path);
    command.arg0(name).args(arguments).env_clear();
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let keep = move || {
        for number in &numbers {
            // SAFETY: the descriptors are borrowed by the caller until this child has been started,
            // so they are open in it.
            let socket = unsafe { BorrowedFd::borrow_raw(*number) };
            fcntl(socket, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec there are only calls of fcntl(2), on memory that was allocated
    // before.
    unsafe { command.pre_exec(keep) };
    Ok(command.spawn()?.id() as i32)
}

/// Takes over a socket that this process was started with.
///
/// # Errors
/// There is no such descriptor, or it is no socket; and one that this process has opened itself is
/// none that it was started with.
pub fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number < 3 {
        return Err(Errno::EBADF.into());
    }
    getsockname::<SockaddrStorage>(number)?;
    // SAFETY: borrowed for the length of this call, and open: it has just been asked for its name.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = FdFlag::from_bits_retain(fcntl(borrowed, FcntlArg::F_GETFD)?);
    if flags.contains(FdFlag::FD_CLOEXEC) {
        // All that is opened here is closed on exec, so it can't have come over one.
        return Err(Errno::EBADF.into());
    }
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open and came over an exec, so that nothing in this process owns it yet; the
    // flag that was set above keeps it from being taken twice.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
