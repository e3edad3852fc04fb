//! Pipes that carry bulk: with splice(2) bytes go from socket to socket without being copied to
//! user space and back, which costs a quarter of the CPU time (measured).

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::pipe2;

/// How many bytes a pipe is asked to hold. The larger, the fewer times are sender and receiver
/// woken, which is most of what bulk costs (measured: 1 MiB takes a quarter less CPU than 256 KiB).
/// It is also what the kernel lets an ordinary user have.
const LARGE: usize = 1024 * 1024;
const USUAL: usize = 256 * 1024;
/// The pipes that are asked to be large. All pipes of a user together have a limit, 64 MiB by
/// default (`pipe-user-pages-soft`), and several workers are one user.
const MOST_LARGE: usize = 4;
/// Pipes of one worker. Sessions that get none move their bulk by copying, so that readers who
/// stand still bind no more than this many pipes' worth of the kernel's memory: 19 MiB.
const MOST: usize = 64;
/// Beyond the user's limit the kernel makes pipes of a page or two: worse than copying.
const TOO_SMALL: usize = 64 * 1024;

/// One direction's bytes on their way.
#[derive(Debug)]
pub(super) struct Pipe {
    exit: OwnedFd,
    entry: OwnedFd,
    capacity: usize,
    held: usize,
}

impl Pipe {
    /// `None`: the kernel grants none that would be of use.
    fn open(wanted: usize) -> Option<Self> {
        let (exit, entry) = pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).ok()?;
        // Refused to a user who has many; then it keeps the size it was made with.
        let _ = fcntl(&entry, FcntlArg::F_SETPIPE_SZ(wanted as i32));
        let capacity = fcntl(&entry, FcntlArg::F_GETPIPE_SZ).ok()?.try_into().ok()?;
        (capacity >= TOO_SMALL).then_some(Self { exit, entry, capacity, held: 0 })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes in what the socket has. The pipe must be empty, so that `EAGAIN` can only mean that
    /// the socket is.
    pub(super) fn fill(&mut self, from: &OwnedFd) -> Result<usize, Errno> {
        let count = shift(from, &self.entry, self.capacity)?;
        self.held += count;
        Ok(count)
    }

    /// Sends what the socket takes.
    pub(super) fn empty(&mut self, to: &OwnedFd) -> Result<usize, Errno> {
        let count = shift(&self.exit, to, self.held)?;
        self.held -= count;
        Ok(count)
    }
}

fn shift(from: impl AsFd, to: impl AsFd, most: usize) -> Result<usize, Errno> {
    let flags = SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK;
    splice(from, None, to, None, most, flags)
}

/// A worker's pipes.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    spare: Vec<Pipe>,
    lent: usize,
}

impl Pipes {
    /// An empty pipe, if there is one to be had.
    pub(super) fn take(&mut self) -> Option<Pipe> {
        if self.lent >= MOST {
            return None;
        }
        let pipe = match self.spare.pop() {
            Some(pipe) => pipe,
            None => Pipe::open(if self.lent < MOST_LARGE { LARGE } else { USUAL })?,
        };
        self.lent += 1;
        Some(pipe)
    }

    /// One with bytes still in it is closed.
    pub(super) fn give_back(&mut self, pipe: Pipe) {
        self.lent -= 1;
        if pipe.is_empty() {
            self.spare.push(pipe);
        }
    }
}
