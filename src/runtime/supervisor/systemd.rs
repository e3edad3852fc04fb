//! Tells systemd how things stand: sd_notify(3)'s datagrams.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The environment variable with the address; roles and scripts don't get it.
pub(super) const SOCKET: &str = "NOTIFY_SOCKET";

/// Where systemd listens; without systemd, messages go nowhere.
#[derive(Debug)]
pub(super) struct Systemd(Option<(UnixDatagram, SocketAddr)>);

impl Systemd {
    /// For who has nothing to tell.
    pub(super) fn none() -> Self {
        Systemd(None)
    }

    pub(super) fn from_environment() -> Self {
        let connect = || -> io::Result<_> {
            let name = std::env::var_os(SOCKET).ok_or(io::ErrorKind::NotFound)?;
            let address = match name.as_bytes() {
                [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
                _ => SocketAddr::from_pathname(&name)?,
            };
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok((socket, address))
        };
        Systemd(connect().ok())
    }

    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nMAINPID={}\nSTATUS={status}", std::process::id()));
    }

    pub(super) fn reloading(&self) {
        let now = nix::time::ClockId::CLOCK_MONOTONIC.now();
        let now = now.map_or(0, |now| now.tv_sec() * 1_000_000 + now.tv_nsec() / 1_000);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=Reloading"));
    }

    pub(super) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Stopping");
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.0 {
            // systemd that doesn't listen is no reason not to run.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }
}
