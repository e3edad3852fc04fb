//! A syslog server that nginx's `syslog:server=…` names: datagrams as RFC 3164 has them, by UDP or
//! a Unix socket. Nobody waits for it: what it doesn't take at once is lost.

use std::io;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError};

use super::syslog_level;
use crate::kernel::local_time::LocalTime;
use crate::plan::process::{LogLevel, Syslog, SyslogServer};

#[derive(Debug)]
pub struct Remote {
    pub syslog: Syslog,
    hostname: String,
    socket: Mutex<Option<Socket>>,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Remote {
    pub fn new(syslog: Syslog) -> Self {
        let hostname = nix::unistd::gethostname().unwrap_or_default();
        let hostname = hostname.to_string_lossy().to_ascii_lowercase();
        Self { syslog, hostname, socket: Mutex::new(None) }
    }

    /// Sends a line, without its end.
    ///
    /// # Errors
    /// The server isn't there, or doesn't keep up. The next line tries anew.
    pub fn send(&self, level: LogLevel, line: &[u8]) -> io::Result<()> {
        let Syslog { facility, tag, nohostname, .. } = &self.syslog;
        let number = u32::from(*facility) * 8 + syslog_level(level);
        let time = LocalTime::now().syslog();
        let (host, blank) = match nohostname {
            true => ("", ""),
            false => (self.hostname.as_str(), " "),
        };
        let mut message = format!("<{number}>{time} {host}{blank}{tag}: ").into_bytes();
        message.extend_from_slice(line);
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = &*socket
            && socket.send(&message).is_ok()
        {
            return Ok(());
        }
        // It may have been restarted, or its socket made anew.
        *socket = None;
        socket.insert(Socket::connect(&self.syslog.server)?).send(&message)
    }
}

impl Socket {
    fn connect(server: &SyslogServer) -> io::Result<Self> {
        match server {
            SyslogServer::Udp(address) => {
                let from = match address.is_ipv4() {
                    true => "0.0.0.0:0",
                    false => "[::]:0",
                };
                let socket = UdpSocket::bind(from)?;
                socket.connect(address)?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Udp(socket))
            }
            SyslogServer::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Unix(socket))
            }
        }
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Socket::Udp(socket) => socket.send(message),
            Socket::Unix(socket) => socket.send(message),
        }
        .map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_go_out_as_nginx_sends_them() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let syslog = |nohostname| Syslog {
            server: SyslogServer::Udp(server.local_addr().unwrap()),
            facility: 16,
            severity: LogLevel::Info,
            tag: "abc".to_owned(),
            nohostname,
        };
        let received = || {
            let mut buffer = [0; 256];
            let length = server.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        Remote::new(syslog(true)).send(LogLevel::Warn, b"ab c").unwrap();
        let line = received();
        assert!(line.starts_with("<132>") && line.ends_with(" abc: ab c"), "{line}");
        assert_eq!(line.len(), "<132>Nov 23 12:07:34 abc: ab c".len());
        let named = Remote::new(syslog(false));
        named.send(LogLevel::Info, b"x").unwrap();
        let line = received();
        assert!(line.ends_with(&format!(" {} abc: x", named.hostname)), "{line}");
    }

    #[test]
    fn a_server_that_is_away_costs_lines_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let remote = Remote::new(Syslog {
            server: SyslogServer::Unix(path.clone()),
            facility: 23,
            severity: LogLevel::Info,
            tag: "nginx".to_owned(),
            nohostname: false,
        });
        assert!(remote.send(LogLevel::Info, b"lost").is_err());
        let server = UnixDatagram::bind(&path).unwrap();
        remote.send(LogLevel::Info, b"there").unwrap();
        assert!(server.recv(&mut [0; 99]).unwrap() > 10);
        drop(server);
        std::fs::remove_file(&path).unwrap();
        assert!(remote.send(LogLevel::Info, b"lost").is_err());
        let server = UnixDatagram::bind(&path).unwrap();
        remote.send(LogLevel::Info, b"there again").unwrap();
        assert!(server.recv(&mut [0; 99]).unwrap() > 10);
    }
}
