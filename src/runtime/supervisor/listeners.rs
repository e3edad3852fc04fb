//! The listening sockets, which outlive every process that accepts on them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::kernel::{tcp, udp};
use crate::plan::stream::{Address, KeepaliveTimes, ListenOptions, Listener, Transport};
use crate::runtime::log::reason;

/// nginx's: so often it tries to bind, so long it waits between two tries.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Sockets by what listeners are known by.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: HashMap<Name, OwnedFd>,
}

type Name = (Transport, Address);

fn name(listener: &Listener) -> Name {
    (listener.transport, listener.address.clone())
}

impl Listeners {
    /// Opens what `wanted` has and isn't open yet, blocking for up to two and a half seconds while
    /// an address is in use. Nothing has changed where it fails; sockets of addresses that aren't
    /// wanted stay until [`close_others`](Self::close_others).
    ///
    /// # Errors
    /// The lines for the log, worded as nginx words them.
    pub(super) fn open(&mut self, wanted: &[Listener]) -> Result<(), Vec<String>> {
        let mut new: HashMap<Name, OwnedFd> = HashMap::new();
        let mut complaints = Vec::new();
        for attempt in 1..=TRIES {
            let mut in_use = false;
            // Those of all addresses come last, as in nginx.
            let (wide, narrow): (Vec<_>, Vec<_>) = own_sockets(wanted).partition(|it| is_wide(it));
            for listener in narrow.into_iter().chain(wide) {
                let (name, address) = (name(listener), &listener.address);
                if self.open.contains_key(&name) || new.contains_key(&name) {
                    continue;
                }
                match bind(listener, Sharing::Allowed) {
                    Ok(socket) => _ = new.insert(name, socket),
                    Err((call, error)) => {
                        let reason = reason(&error);
                        complaints.push(format!("{call}() to {address} failed ({reason})"));
                        if error.kind() != io::ErrorKind::AddrInUse {
                            return Err(complaints);
                        }
                        in_use = true;
                    }
                }
            }
            if !in_use {
                break;
            }
            std::thread::sleep(PAUSE);
            if attempt == TRIES {
                complaints.push("still could not bind()".to_owned());
                return Err(complaints);
            }
        }
        for listener in own_sockets(wanted) {
            if let Some(socket) = self.open.get(&name(listener)) {
                // A reload may have changed these; the socket stays as it is where it can't.
                let socket = SockRef::from(socket);
                if listener.transport == Transport::Tcp {
                    let _ = socket.listen(backlog(listener));
                    let _ = socket.set_keepalive(listener.keepalive);
                    let _ = set_options(&socket, &listener.options);
                }
                let _ = set_buffers(&socket, listener);
            }
        }
        self.open.extend(new);
        Ok(())
    }

    /// In the order of `wanted`; those that are not open are left out.
    pub(super) fn descriptors(&self, wanted: &[Listener]) -> Vec<BorrowedFd<'_>> {
        own_sockets(wanted).filter_map(|one| self.open.get(&name(one))).map(AsFd::as_fd).collect()
    }

    /// Sockets that were opened by somebody else. What can't listen is closed, and so is the second
    /// one for an address (nginx has one per worker with `reuseport`): whoever opened it serves it
    /// to its end.
    pub(super) fn adopt(&mut self, sockets: Vec<OwnedFd>) {
        for socket in sockets {
            let named = SockRef::from(&socket);
            let transport = match named.r#type() {
                Ok(Type::DGRAM) => Transport::Udp,
                _ if named.is_listener().unwrap_or(false) => Transport::Tcp,
                _ => continue,
            };
            let Ok(name) = named.local_addr() else { continue };
            let path = || name.as_pathname().map(|path| Address::Unix(path.to_owned()));
            let Some(address) = name.as_socket().map(Address::Tcp).or_else(path) else { continue };
            self.open.entry((transport, address)).or_insert(socket);
        }
    }

    pub(super) fn all(&self) -> Vec<BorrowedFd<'_>> {
        self.open.values().map(AsFd::as_fd).collect()
    }

    /// Closes what `wanted` hasn't; `shared`: another process listens there too.
    pub(super) fn close_others(&mut self, wanted: &[Listener], shared: bool) {
        self.open.retain(|(transport, address), _| {
            let stays = own_sockets(wanted).any(|it| it.name() == (*transport, address));
            if !stays && !shared {
                remove_path(address);
            }
            stays
        });
    }
}

/// What would fail for good if these sockets were opened. An address that is in use doesn't count:
/// its owner may be this daemon, running.
pub fn probe_listeners(wanted: &[Listener]) -> Vec<String> {
    let mut complaints = Vec::new();
    for listener in own_sockets(wanted) {
        if let Address::Unix(path) = &listener.address
            && path.exists()
        {
            continue;
        }
        match bind(listener, Sharing::Refused) {
            Ok(_) => remove_path(&listener.address),
            Err((_, error)) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err((call, error)) => {
                let (address, reason) = (&listener.address, reason(&error));
                complaints.push(format!("{call}() to {address} failed ({reason})"));
                return complaints;
            }
        }
    }
    complaints
}

/// One for all addresses.
fn is_wide(listener: &Listener) -> bool {
    matches!(listener.address, Address::Tcp(address) if address.ip().is_unspecified())
}

/// Without those that share another's.
fn own_sockets(listeners: &[Listener]) -> impl Iterator<Item = &Listener> {
    listeners.iter().filter(|listener| listener.shares.is_none())
}

fn remove_path(address: &Address) {
    if let Address::Unix(path) = address {
        // Somebody else may have removed it already.
        let _ = std::fs::remove_file(path);
    }
}

fn backlog(listener: &Listener) -> i32 {
    i32::try_from(listener.backlog).unwrap_or(i32::MAX)
}

fn set_buffers(socket: &Socket, listener: &Listener) -> io::Result<()> {
    if let Some(size) = listener.receive_buffer {
        socket.set_recv_buffer_size(size)?;
    }
    match listener.send_buffer {
        Some(size) => socket.set_send_buffer_size(size),
        None => Ok(()),
    }
}

/// Whether two sockets for datagrams may have one address, of which the later gets the datagrams:
/// so nginx binds them, and so somebody who only tries must not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Allowed,
    Refused,
}

/// Parameters of `listen` that accepted sockets inherit, or that delay accepting.
fn set_options(socket: &SockRef<'_>, options: &ListenOptions) -> io::Result<()> {
    let KeepaliveTimes { idle, interval, count } = options.keepalive;
    let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
    if let Some(idle) = idle {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(seconds(idle)))?;
    }
    if let Some(interval) = interval {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_interval(seconds(interval)))?;
    }
    if let Some(count) = count {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(count))?;
    }
    if options.deferred {
        tcp::defer_accept(socket.as_fd())?;
    }
    if let Some(queue) = options.fast_open {
        tcp::fast_open(socket.as_fd(), queue)?;
    }
    Ok(())
}

/// The system call that failed is named with its error.
fn bind(listener: &Listener, sharing: Sharing) -> Result<OwnedFd, (&'static str, io::Error)> {
    let udp = listener.transport == Transport::Udp;
    let (kind, protocol) =
        if udp { (Type::DGRAM, Protocol::UDP) } else { (Type::STREAM, Protocol::TCP) };
    let (domain, protocol, address) = match &listener.address {
        Address::Tcp(address @ SocketAddr::V4(_)) => {
            (Domain::IPV4, Some(protocol), SockAddr::from(*address))
        }
        Address::Tcp(address @ SocketAddr::V6(_)) => {
            (Domain::IPV6, Some(protocol), SockAddr::from(*address))
        }
        Address::Unix(path) => {
            let path: &PathBuf = path;
            (Domain::UNIX, None, SockAddr::unix(path).map_err(|error| ("bind", error))?)
        }
    };
    // nginx opens them non-blocking, and so does this: roles accept until there is nothing more.
    let socket = Socket::new(domain, kind.nonblocking().cloexec(), protocol)
        .map_err(|error| ("socket", error))?;
    let call = |name: &'static str| move |error: io::Error| (name, error);
    if domain != Domain::UNIX {
        let reuse = !udp || sharing == Sharing::Allowed;
        socket.set_reuse_address(reuse).map_err(call("setsockopt"))?;
        if !udp {
            socket.set_keepalive(listener.keepalive).map_err(call("setsockopt"))?;
        }
    }
    set_buffers(&socket, listener).map_err(call("setsockopt"))?;
    if !udp && let Err(error) = set_options(&SockRef::from(&socket), &listener.options) {
        // As nginx, which says so and goes on.
        tracing::error!("setsockopt() {} failed, ignored ({})", listener.address, reason(&error));
    }
    // A Unix socket has no port; newer kernels refuse what older ones overlooked.
    if listener.reuse_port && domain != Domain::UNIX {
        socket.set_reuse_port(true).map_err(call("setsockopt"))?;
    }
    if domain == Domain::IPV6 {
        socket.set_only_v6(listener.ipv6_only).map_err(call("setsockopt"))?;
    }
    socket.bind(&address).map_err(call("bind"))?;
    if let Address::Unix(path) = &listener.address {
        use std::os::unix::fs::PermissionsExt;
        // As nginx: everybody who reaches the folder may connect.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666));
    }
    match &listener.address {
        Address::Tcp(address) if udp => {
            if address.ip().is_unspecified() {
                // Answers must come from the address that was asked.
                let told = udp::tell_local(socket.as_fd(), address.is_ipv6());
                told.map_err(call("setsockopt"))?;
            }
        }
        _ => socket.listen(backlog(listener)).map_err(call("listen"))?,
    }
    Ok(socket.into())
}
