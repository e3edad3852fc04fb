//! The kernel's process connector (`cn_proc`): which processes begin to run a program, take
//! another name, or end.
//!
//! It answers in the host's first network and PID namespace only; pidfds
//! ([`ProcessEnd`](super::proc::ProcessEnd)) work everywhere. So whoever uses it must be able to
//! do without.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::task::{Context, Poll};

use nix::sys::socket::{MsgFlags, recv};
use rtnetlink::sys::{Socket, SocketAddr};
use tokio::io::unix::AsyncFd;

use super::ready::when_readable;

const NETLINK_CONNECTOR: isize = 11;
/// `CN_IDX_PROC` and `CN_VAL_PROC` (linux/connector.h).
const PROCESSES: [u32; 2] = [1, 1];
const LISTEN: u32 = 1;
const HEADER: usize = 16;
const ENVELOPE: usize = 20;

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It executed a program or took another name: it may match now what it did not before.
    Named(i32),
    /// It has a child, still the same program.
    Forked { parent: i32, child: i32 },
    /// Its first thread has ended.
    Ended(i32),
    /// Some happenings were lost: the buffer ran over.
    Lost,
}

/// A subscription.
#[derive(Debug)]
pub struct Connector {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl Connector {
    /// Must be called inside a tokio runtime. Refused outside the first network namespace, and
    /// without CAP_NET_ADMIN.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.bind(&SocketAddr::new(0, PROCESSES[0]))?;
        socket.set_non_blocking(true)?;
        socket.send_to(&subscription(), &SocketAddr::new(0, 0), 0)?;
        // SAFETY: `into_raw_fd` gave this open descriptor up.
        let socket = unsafe { OwnedFd::from_raw_fd(socket.into_raw_fd()) };
        Ok(Connector { socket: when_readable(socket)?, buffer: vec![0; 4096] })
    }

    /// The next happening.
    pub fn poll_next(&mut self, context: &mut Context) -> Poll<io::Result<Happening>> {
        loop {
            let mut ready = match self.socket.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            };
            let received = ready.try_io(|socket| {
                recv(socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty())
                    .map_err(io::Error::from)
            });
            match received {
                Ok(Ok(length)) => {
                    if let Some(happening) = parse(&self.buffer[..length]) {
                        return Poll::Ready(Ok(happening));
                    }
                }
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Poll::Ready(Ok(Happening::Lost));
                }
                Ok(Err(error)) if error.raw_os_error() == Some(libc::EINTR) => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

/// `nlmsghdr`, `cn_msg`, `enum proc_cn_mcast_op`.
fn subscription() -> Vec<u8> {
    let length = HEADER + ENVELOPE + 4;
    let mut message = Vec::with_capacity(length);
    message.extend((length as u32).to_ne_bytes());
    message.extend((libc::NLMSG_DONE as u16).to_ne_bytes());
    message.extend([0; 10]);
    message.extend(PROCESSES.iter().flat_map(|word| word.to_ne_bytes()));
    message.extend([0; 8]);
    message.extend(4_u16.to_ne_bytes());
    message.extend([0; 2]);
    message.extend(LISTEN.to_ne_bytes());
    message
}

/// `struct proc_event` behind the two headers: what (4), CPU (4), time (8), pid (4), tgid (4); of a
/// fork the parent's two, then the child's.
fn parse(datagram: &[u8]) -> Option<Happening> {
    let word = |at: usize| -> Option<u32> {
        let bytes = datagram.get(at..at + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    if [word(HEADER)?, word(HEADER + 4)?] != PROCESSES {
        return None;
    }
    let event = HEADER + ENVELOPE;
    let what = word(event)?;
    let (thread, process) = (word(event + 16)?, word(event + 20)?);
    // Any thread may fork.
    if thread != process && what != libc::PROC_EVENT_FORK {
        return None;
    }
    let pid = i32::try_from(process).ok()?;
    if what == libc::PROC_EVENT_FORK {
        let child = word(event + 28)?;
        let child = i32::try_from(child).ok().filter(|_| word(event + 24) == Some(child))?;
        return Some(Happening::Forked { parent: pid, child });
    }
    if what == libc::PROC_EVENT_EXEC || what == libc::PROC_EVENT_COMM {
        Some(Happening::Named(pid))
    } else if what == libc::PROC_EVENT_EXIT {
        Some(Happening::Ended(pid))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_events_of_whole_processes_count() {
        let mut event = subscription();
        event.truncate(HEADER + ENVELOPE);
        event.extend(libc::PROC_EVENT_EXIT.to_ne_bytes());
        event.extend([0; 12]);
        event.extend(7_i32.to_ne_bytes());
        event.extend(7_i32.to_ne_bytes());
        assert_eq!(parse(&event), Some(Happening::Ended(7)));
        for length in 0..event.len() {
            assert_eq!(parse(&event[..length]), None);
        }
        let last = event.len() - 4;
        event[last] = 8;
        assert_eq!(parse(&event), None, "a thread, not the process");
    }
}
