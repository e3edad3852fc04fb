//! Stream sockets, non-blocking from their first moment: accept and connect in one system call
//! more than the work itself needs, none at all where Linux allows.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use socket2::{SockAddr, Socket, Type};

/// Accepts one connection; its descriptor doesn't block and isn't inherited by `exec`.
///
/// `socket2` needs a second system call for the former, and the standard library both of them.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    let mut socket = -1;
    // SAFETY: the closure gets storage of the length it is told, and accept4 writes no more than
    // that into it, and its true length into `length`.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            socket = libc::accept4(listener.as_raw_fd(), storage.cast(), length, flags);
            if socket < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        })
    }?;
    // SAFETY: accept4 has just made this descriptor, and nobody else knows it.
    Ok((unsafe { OwnedFd::from_raw_fd(socket) }, address.as_socket()))
}

/// What a [`connect`] has come to.
#[derive(Debug)]
pub enum Connect {
    /// Under way, or done already: the socket becomes writable.
    Begun(OwnedFd),
    /// There is no socket to be had.
    NoSocket(io::Error),
    /// It failed at once.
    Failed(io::Error),
}

/// Begins to connect without waiting.
pub fn connect(address: &SockAddr, keepalive: bool) -> Connect {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = match Socket::new_raw(address.domain(), kind, None) {
        Ok(socket) => socket,
        Err(error) => return Connect::NoSocket(error),
    };
    if keepalive && let Err(error) = socket.set_keepalive(true) {
        return Connect::NoSocket(error);
    }
    match socket.connect(address) {
        Ok(()) => Connect::Begun(socket.into()),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            Connect::Begun(socket.into())
        }
        Err(error) => Connect::Failed(error),
    }
}
