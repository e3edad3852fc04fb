//! Datagrams, many per system call: recvmmsg(2) and sendmmsg(2), and which of this host's addresses
//! a datagram was sent to (ip(7) IP_PKTINFO, ipv6(7) IPV6_PKTINFO).
//!
//! A [`Batch`] has room for [`SLOTS`] datagrams of any length. Its memory is taken from the kernel
//! only as far as datagrams have filled it.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::tcp::{self, Connect, Departure};
use socket2::{SockAddr, Socket, Type};

/// Datagrams of one batch.
pub const SLOTS: usize = 32;

/// Bytes: no datagram is longer.
pub const LONGEST: usize = 65_535;

/// The two ends of a datagram, as the one who received it sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    pub remote: SocketAddr,
    /// Where the socket tells it: see [`tell_local`].
    pub local: Option<Local>,
}

/// An address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    pub address: IpAddr,
    /// The interface that gives a link-local address its meaning; else 0.
    pub interface: u32,
}

/// From now on received datagrams tell where they were sent to.
pub fn tell_local(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    match ipv6 {
        true => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        false => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
    }
    Ok(())
}

/// A socket that sends to this address and receives from it only.
pub fn connect(address: &SockAddr, departure: &Departure) -> Connect {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = match Socket::new_raw(address.domain(), kind, None) {
        Ok(socket) => socket,
        Err(error) => return Connect::NoSocket(error),
    };
    if let Err(failed) = tcp::depart(&socket, departure) {
        return failed;
    }
    match socket.connect(address) {
        Ok(()) => Connect::Begun(socket.into()),
        Err(error) => Connect::Failed(error),
    }
}

/// Datagrams on their way.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
}

/// One datagram of a batch.
#[derive(Clone, Copy, Debug)]
struct Slot {
    length: usize,
    ends: Option<Ends>,
    /// Whatever the owner of the batch wants to know of it.
    tag: u64,
}

/// Space for one control message of either family.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

const CONTROL: usize = 64;

impl Batch {
    pub fn new() -> Self {
        Self { bytes: Vec::new(), slots: Vec::with_capacity(SLOTS) }
    }

    /// One datagram on its way, with no room for others: a whole batch's memory for each would
    /// cost more than all the rest of a short session (measured).
    pub fn one(bytes: &[u8]) -> Self {
        let bytes = bytes[..bytes.len().min(LONGEST)].to_vec();
        let slot = Slot { length: bytes.len(), ends: None, tag: 0 };
        Self { bytes, slots: vec![slot] }
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.slots.len() == SLOTS
    }

    pub fn clear(&mut self) {
        self.slots.clear();
    }

    /// # Panics
    /// Where there is no such datagram; the others too.
    pub fn bytes(&self, at: usize) -> &[u8] {
        &self.bytes[at * LONGEST..][..self.slots[at].length]
    }

    pub fn ends(&self, at: usize) -> Option<Ends> {
        self.slots[at].ends
    }

    pub fn tag(&self, at: usize) -> u64 {
        self.slots[at].tag
    }

    /// Puts a datagram in. It must not be full.
    pub fn push(&mut self, bytes: &[u8], ends: Option<Ends>, tag: u64) {
        self.reserve();
        let length = bytes.len().min(LONGEST);
        let at = self.slots.len() * LONGEST;
        self.bytes[at..at + length].copy_from_slice(&bytes[..length]);
        self.slots.push(Slot { length, ends, tag });
    }

    fn reserve(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = vec![0; SLOTS * LONGEST];
        }
    }

    /// Receives what is there from anybody, in place of what the batch had, and returns how many
    /// datagrams that was. Fewer than [`SLOTS`]: there are no more for now.
    ///
    /// # Errors
    /// recvmmsg's; `WouldBlock` where there is nothing.
    pub fn receive_from(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.clear();
        self.reserve();
        // SAFETY: all zeroes is a value of these types.
        let mut names: [libc::sockaddr_storage; SLOTS] =
            unsafe { MaybeUninit::zeroed().assume_init() };
        let mut controls = [Control([0; CONTROL]); SLOTS];
        let mut parts = self.parts(0, LONGEST);
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; SLOTS] = unsafe { MaybeUninit::zeroed().assume_init() };
        for (at, header) in headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut controls[at]).cast();
            header.msg_controllen = CONTROL;
        }
        let count = receive(socket, &mut headers)?;
        for (at, header) in headers[..count].iter().enumerate() {
            let local = local(&header.msg_hdr);
            let ends = remote(&names[at]).map(|remote| Ends { remote, local });
            self.slots.push(Slot { length: header.msg_len as usize, ends, tag: 0 });
        }
        Ok(count)
    }

    /// Receives from the peer of a connected socket into the slots that are free, of each datagram
    /// at most `size` bytes; the rest of a longer one is lost. No more than `most` are taken.
    /// Returns how many came, and whether there may be more.
    ///
    /// # Errors
    /// recvmmsg's; `WouldBlock` where there is nothing.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        size: usize,
        most: usize,
        ends: Ends,
        tag: u64,
    ) -> io::Result<(usize, bool)> {
        self.reserve();
        let first = self.slots.len();
        let room = (SLOTS - first).min(FEW).min(most);
        let mut parts = self.parts(first, size.clamp(1, LONGEST));
        // SAFETY: all zeroes is a value of this type.
        let mut headers: [libc::mmsghdr; FEW] = unsafe { MaybeUninit::zeroed().assume_init() };
        for (header, part) in headers.iter_mut().zip(&mut parts) {
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
        }
        let count = receive(socket, &mut headers[..room])?;
        for header in &headers[..count] {
            let slot = Slot { length: header.msg_len as usize, ends: Some(ends), tag };
            self.slots.push(slot);
        }
        Ok((count, count == room))
    }

    /// Where the slots from `first` on are.
    fn parts(&mut self, first: usize, size: usize) -> [libc::iovec; SLOTS] {
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; SLOTS];
        for (part, bytes) in parts.iter_mut().zip(self.bytes.chunks_mut(LONGEST).skip(first)) {
            *part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: size };
        }
        parts
    }

    /// Sends some of them through a connected socket. Returns how many went.
    ///
    /// # Errors
    /// sendmmsg's, where the first of them can't be sent.
    pub fn send(&mut self, socket: BorrowedFd<'_>, from: usize, count: usize) -> io::Result<usize> {
        if count == 1 {
            let bytes = self.bytes(from);
            // SAFETY: the pointer and the length are those of one slice, which send only reads.
            let sent = unsafe {
                libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), FLAGS)
            };
            return if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(1) };
        }
        self.send_some(socket, from, count, false)
    }

    /// Sends some of them to where they came from, from the address they were sent to. Returns how
    /// many went.
    ///
    /// # Errors
    /// sendmmsg's, where the first of them can't be sent.
    pub fn answer(
        &mut self,
        socket: BorrowedFd<'_>,
        from: usize,
        count: usize,
    ) -> io::Result<usize> {
        self.send_some(socket, from, count, true)
    }

    fn send_some(
        &mut self,
        socket: BorrowedFd<'_>,
        from: usize,
        count: usize,
        back: bool,
    ) -> io::Result<usize> {
        let count = count.min(self.slots.len() - from);
        let mut parts = self.parts(from, LONGEST);
        let slots = &self.slots[from..from + count];
        let mut names: [MaybeUninit<Name>; SLOTS] = [const { MaybeUninit::uninit() }; SLOTS];
        let mut controls = [Control([0; CONTROL]); SLOTS];
        // SAFETY: all zeroes is a value of this type.
        let mut headers: [libc::mmsghdr; SLOTS] = unsafe { MaybeUninit::zeroed().assume_init() };
        for (at, slot) in slots.iter().enumerate() {
            parts[at].iov_len = slot.length;
            let header = &mut headers[at].msg_hdr;
            header.msg_iov = &raw mut parts[at];
            header.msg_iovlen = 1;
            if let (true, Some(ends)) = (back, slot.ends) {
                let (name, length) = Name::of(ends.remote);
                header.msg_name = (&raw mut *names[at].write(name)).cast();
                header.msg_namelen = length;
                if let Some(local) = ends.local {
                    header.msg_control = (&raw mut controls[at]).cast();
                    header.msg_controllen = controls[at].say(local);
                }
            }
        }
        // SAFETY: every header points to one part, and at most a name and a control message, of
        // the lengths it says; all of them live until the call returns, which only reads them.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                FLAGS as _,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// Datagrams read at once from a socket that has one peer.
const FEW: usize = 8;

const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

fn receive(socket: BorrowedFd<'_>, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    loop {
        // SAFETY: every header points to one part, and at most a name and a control message, of
        // the lengths it says; all of them belong to the caller, who waits for this to return.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// A socket address as the kernel reads it.
#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    fn of(address: SocketAddr) -> (Self, libc::socklen_t) {
        match address {
            SocketAddr::V4(address) => {
                let name = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: v4(*address.ip()),
                    sin_zero: [0; 8],
                };
                (Name { v4: name }, size_of::<libc::sockaddr_in>() as libc::socklen_t)
            }
            SocketAddr::V6(address) => {
                let name = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: v6(*address.ip()),
                    sin6_scope_id: address.scope_id(),
                };
                (Name { v6: name }, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
            }
        }
    }
}

fn v4(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) }
}

fn v6(address: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr { s6_addr: address.octets() }
}

fn remote(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the kernel has put an address of this family there, and a sockaddr_storage
            // is at least as large and as aligned as any.
            let name = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(name.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(address, u16::from_be(name.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            // The flow label is of this datagram only.
            Some(SocketAddrV6::new(address, port, 0, name.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Where a received datagram was sent to.
fn local(header: &libc::msghdr) -> Option<Local> {
    // SAFETY: the kernel has set the header's control length to what it has written there, and the
    // CMSG functions stay within that.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: it isn't null, so it points to a whole control message header.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        // SAFETY: a message of this kind has this content, at whatever alignment.
        let data = unsafe { libc::CMSG_DATA(message) };
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: see above.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                let address = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
                return Some(Local { address: address.into(), interface: 0 });
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: see above.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                let link = address.is_unicast_link_local();
                let interface = if link { info.ipi6_ifindex as u32 } else { 0 };
                return Some(Local { address: address.into(), interface });
            }
            _ => {}
        }
        // SAFETY: as for the first one.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}

impl Control {
    /// Asks for this address as the source. Returns the control message's length.
    fn say(&mut self, local: Local) -> usize {
        match local.address {
            IpAddr::V4(address) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: v4(address),
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.put(libc::IPPROTO_IP, libc::IP_PKTINFO, info)
            }
            IpAddr::V6(address) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: v6(address),
                    ipi6_ifindex: local.interface as _,
                };
                self.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
            }
        }
    }

    fn put<T>(&mut self, level: libc::c_int, kind: libc::c_int, info: T) -> usize {
        const { assert!(size_of::<T>() + size_of::<libc::cmsghdr>() <= CONTROL) };
        // SAFETY: these two only calculate.
        let (space, length) = unsafe {
            (libc::CMSG_SPACE(size_of::<T>() as u32), libc::CMSG_LEN(size_of::<T>() as u32))
        };
        let header = libc::cmsghdr { cmsg_len: length as _, cmsg_level: level, cmsg_type: kind };
        let at = self.0.as_mut_ptr();
        // SAFETY: the space is large enough, as asserted above, and aligned for a header; the
        // content begins behind the header.
        unsafe {
            at.cast::<libc::cmsghdr>().write(header);
            libc::CMSG_DATA(at.cast::<libc::cmsghdr>()).cast::<T>().write_unaligned(info);
        }
        space as usize
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    /// Two datagrams to two addresses of a wildcard socket; each answer comes from the address that
    /// was asked.
    fn answers_come_from_where_they_were_asked(any: &str, addresses: [&str; 2], from: &str) {
        let server = UdpSocket::bind(any).unwrap();
        let port = server.local_addr().unwrap().port();
        tell_local(server.as_fd(), any.starts_with('[')).unwrap();
        let client = UdpSocket::bind(from).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let asked: Vec<SocketAddr> =
            addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
        client.send_to(b"", asked[0]).unwrap();
        client.send_to(b"second", asked[1]).unwrap();
        let mut batch = Batch::new();
        assert_eq!(batch.receive_from(server.as_fd()).unwrap(), 2);
        assert_eq!((batch.bytes(0), batch.bytes(1)), (&b""[..], &b"second"[..]));
        for (at, asked) in asked.iter().enumerate() {
            let ends = batch.ends(at).unwrap();
            assert_eq!(ends.remote, client.local_addr().unwrap());
            assert_eq!(ends.local.unwrap().address, asked.ip());
        }
        assert_eq!(batch.answer(server.as_fd(), 0, 2).unwrap(), 2);
        for asked in asked {
            let (_, from) = client.recv_from(&mut [0; 10]).unwrap();
            assert_eq!(from, asked);
        }
        let nothing = batch.receive_from(server.as_fd()).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn answers_come_from_the_address_that_was_asked() {
        answers_come_from_where_they_were_asked(
            "0.0.0.0:0",
            ["127.3.2.1", "127.3.2.2"],
            "127.0.0.1:0",
        );
        answers_come_from_where_they_were_asked("[::]:0", ["::1", "::1"], "[::1]:0");
    }

    #[test]
    fn a_datagram_longer_than_wanted_is_cut() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let from = Departure::default();
        let Connect::Begun(client) = connect(&address.into(), &from) else { panic!() };
        let mut batch = Batch::new();
        batch.push(&[7; 100], None, 0);
        batch.push(&[8; 3], None, 0);
        assert_eq!(batch.send(client.as_fd(), 0, 2).unwrap(), 2);
        let ends = Ends { remote: address, local: None };
        let mut inbox = Batch::new();
        assert_eq!(inbox.receive(server.as_fd(), 10, 9, ends, 5).unwrap(), (2, false));
        assert_eq!((inbox.bytes(0), inbox.bytes(1)), (&[7; 10][..], &[8; 3][..]));
        assert_eq!((inbox.tag(1), inbox.ends(1)), (5, Some(ends)));
    }
}
