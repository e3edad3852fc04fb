//! Stream sockets, non-blocking from their first moment: accept and connect in one system call
//! more than the work itself needs, none at all where Linux allows.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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

/// How a connection to a peer begins, besides where it goes. The default costs no system call.
#[derive(Clone, Debug, Default)]
pub struct Departure {
    /// `SO_KEEPALIVE`
    pub keepalive: bool,
    /// `SO_RCVBUF`, bytes.
    pub receive_buffer: Option<u32>,
    /// `SO_SNDBUF`, bytes.
    pub send_buffer: Option<u32>,
    /// Where it leaves from.
    pub bind: Option<SockAddr>,
    /// `IP_TRANSPARENT`: that address need not be this host's. Needs CAP_NET_RAW.
    pub transparent: bool,
}

/// What a [`connect`] has come to.
#[derive(Debug)]
pub enum Connect {
    /// Under way, or done already: the socket becomes writable.
    Begun(OwnedFd),
    /// There is no socket to be had.
    NoSocket(io::Error),
    /// An option of it can't be set.
    NoOption(&'static str, io::Error),
    /// It can't leave from that address.
    NoBind(io::Error),
    /// It failed at once.
    Failed(io::Error),
}

/// Begins to connect without waiting.
pub fn connect(address: &SockAddr, departure: &Departure) -> Connect {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = match Socket::new_raw(address.domain(), kind, None) {
        Ok(socket) => socket,
        Err(error) => return Connect::NoSocket(error),
    };
    if let Err(failed) = depart(&socket, departure) {
        return failed;
    }
    match socket.connect(address) {
        Ok(()) => Connect::Begun(socket.into()),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            Connect::Begun(socket.into())
        }
        Err(error) => Connect::Failed(error),
    }
}

/// What comes before a socket connects.
pub(super) fn depart(socket: &Socket, departure: &Departure) -> Result<(), Connect> {
    if departure.keepalive
        && let Err(error) = socket.set_keepalive(true)
    {
        return Err(Connect::NoOption("SO_KEEPALIVE", error));
    }
    if let Some(size) = departure.receive_buffer
        && let Err(error) = socket.set_recv_buffer_size(size as usize)
    {
        return Err(Connect::NoOption("SO_RCVBUF", error));
    }
    if let Some(size) = departure.send_buffer
        && let Err(error) = socket.set_send_buffer_size(size as usize)
    {
        return Err(Connect::NoOption("SO_SNDBUF", error));
    }
    if let Some(source) = &departure.bind {
        if departure.transparent
            && let Err(error) = transparent(socket.as_fd(), source)
        {
            return Err(Connect::NoOption("IP_TRANSPARENT", error));
        }
        if source.as_socket().is_some_and(|source| source.port() == 0) {
            // So that one source port serves connections to different peers; old kernels lack it.
            let _ = set(socket.as_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
        }
        if let Err(error) = socket.bind(source) {
            return Err(Connect::NoBind(error));
        }
    }
    Ok(())
}

fn transparent(socket: BorrowedFd<'_>, source: &SockAddr) -> io::Result<()> {
    let (level, option) = match source.as_socket() {
        Some(SocketAddr::V6(_)) => (libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT),
        _ => (libc::IPPROTO_IP, libc::IP_TRANSPARENT),
    };
    set(socket, level, option, 1)
}

/// `TCP_DEFER_ACCEPT` of tcp(7) for a listening socket, for a second, as nginx sets it: whoever
/// connects and says nothing so long is accepted all the same.
pub fn defer_accept(listener: BorrowedFd<'_>) -> io::Result<()> {
    set(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 1)
}

/// `TCP_FASTOPEN` of tcp(7) for a listening socket: data may come with the first packet of so many
/// connections at a time.
pub fn fast_open(listener: BorrowedFd<'_>, queue: u32) -> io::Result<()> {
    set(listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, i32::try_from(queue).unwrap_or(i32::MAX))
}

fn set(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    let size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes at the value, which lives through the call.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
