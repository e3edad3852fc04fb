//! A pair of connected sockets that carry messages and descriptors between two processes.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

/// Linux takes at most 253 descriptors per message (`SCM_MAX_FD`).
pub const MOST_DESCRIPTORS: usize = 250;

/// A message longer than this has to travel in a [`memory_file`].
pub const LONGEST: usize = 64 * 1024;

/// One end of an AF_UNIX SOCK_SEQPACKET pair. Never blocks, is closed on exec.
#[derive(Debug)]
pub struct Channel(OwnedFd);

impl Channel {
    pub fn pair() -> io::Result<(Channel, Channel)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Channel(ours), Channel(theirs)))
    }

    /// Takes over the descriptor that the process was started with.
    ///
    /// Fails if `number` is no open descriptor or one of the standard three.
    pub fn inherit(number: RawFd) -> io::Result<Channel> {
        if number < 3 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        // SAFETY: borrowed only for the length of this call; a number that isn't open makes
        // fcntl fail with EBADF.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        fcntl(borrowed, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // SAFETY: it is open (fcntl succeeded), was passed to this process to be owned by it, and
        // the caller takes it over once, before anything else was opened.
        Ok(Channel(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// Lets the next program that this process executes inherit this end.
    pub fn keep_over_exec(&self) -> io::Result<()> {
        fcntl(&self.0, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(())
    }

    /// A second descriptor of this end.
    pub fn try_clone(&self) -> io::Result<Channel> {
        Ok(Channel(self.0.try_clone()?))
    }

    /// Sends one message of at most [`LONGEST`] bytes with at most [`MOST_DESCRIPTORS`].
    /// `WouldBlock`: the other side doesn't read.
    pub fn send(&self, message: &[u8], descriptors: &[BorrowedFd]) -> io::Result<()> {
        let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
        let flags = MsgFlags::MSG_NOSIGNAL;
        loop {
            match sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(message)], control, flags, None)
            {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The next message; `None`: the other end is closed. `WouldBlock`: nothing is there.
    pub fn receive(&self) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        let mut message = vec![0; LONGEST];
        let mut control = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
        let (length, raw, cut) = loop {
            let mut parts = [IoSliceMut::new(&mut message)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(received) => {
                    let mut raw = Vec::new();
                    for control in received.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(descriptors) = control {
                            raw.extend(descriptors);
                        }
                    }
                    let cut = received.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
                    break (received.bytes, raw, cut);
                }
                Err(Errno::EINTR) => {}
                // What a killed peer leaves behind when it hadn't read everything.
                Err(Errno::ECONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        };
        // SAFETY: the kernel has just made these descriptors for this process and nothing else
        // knows their numbers.
        let owned = raw.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }).collect();
        if cut {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut short"));
        }
        if length == 0 {
            return Ok(None);
        }
        message.truncate(length);
        Ok(Some((message, owned)))
    }

    /// Waits until a message (or the end) can be received.
    pub fn wait_readable(&self) -> io::Result<()> {
        self.wait(PollFlags::POLLIN, PollTimeout::NONE)
    }

    /// Waits until the other side has read something, at most `patience`.
    pub fn wait_writable(&self, patience: Duration) -> io::Result<()> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        self.wait(PollFlags::POLLOUT, timeout)
    }

    fn wait(&self, what: PollFlags, timeout: PollTimeout) -> io::Result<()> {
        loop {
            match poll(&mut [PollFd::new(self.0.as_fd(), what)], timeout) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> OwnedFd {
        channel.0
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Bytes in a file that has no name: nobody else can open it, and it goes with its last
/// descriptor.
pub fn memory_file(name: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = std::fs::File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// All bytes of such a file.
pub fn read_memory_file(descriptor: OwnedFd) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::from(descriptor);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_arrive_and_the_end_is_noticed() {
        let (ours, theirs) = Channel::pair().unwrap();
        let file = memory_file("test", b"secret").unwrap();
        ours.send(b"take this", &[file.as_fd()]).unwrap();
        let (message, mut descriptors) = theirs.receive().unwrap().unwrap();
        assert_eq!(message, b"take this");
        assert_eq!(read_memory_file(descriptors.pop().unwrap()).unwrap(), b"secret");
        assert_eq!(theirs.receive().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(ours);
        assert!(theirs.receive().unwrap().is_none());
    }

    #[test]
    fn a_reader_that_does_not_read_never_blocks_the_writer() {
        let (ours, _theirs) = Channel::pair().unwrap();
        let full = (0..10_000).find_map(|_| ours.send(&[7; 1024], &[]).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
