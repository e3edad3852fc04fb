//! Whole Ethernet frames out of a packet socket (packet(7)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Sends frames out of any interface, and receives nothing.
#[derive(Debug)]
pub(super) struct FrameSender {
    socket: OwnedFd,
}

impl FrameSender {
    /// Needs CAP_NET_RAW.
    pub(super) fn open() -> io::Result<Self> {
        // Protocol 0: this socket receives nothing, so nothing piles up in it.
        // SAFETY: socket(2) takes no pointers; its result is checked before it is owned.
        let fd = unsafe {
            libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
                0,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is open and nobody else's.
        Ok(FrameSender { socket: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// The frame begins with its Ethernet header, which is at least that long.
    pub(super) fn send(&self, index: u32, frame: &[u8]) -> io::Result<()> {
        let Some((header, _)) = frame.split_first_chunk::<14>() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut sll_addr = [0; 8];
        sll_addr[..6].copy_from_slice(&header[..6]);
        let target = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: u16::from_ne_bytes([header[12], header[13]]),
            sll_ifindex: index as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr,
        };
        // SAFETY: both pointers are to live values of the lengths given, and the kernel only reads
        // them.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const target).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
