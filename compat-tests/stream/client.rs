//! A named client of a case: TCP, TLS, a unix socket, UDP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use openssl::ssl::SslStream;
use socket2::{Domain, Socket, Type};

use crate::proxy::peer;

use super::program::PATIENCE;
use super::words::quote;

pub(super) enum Client {
    Plain(Wire),
    Tls(Box<SslStream<Wire>>),
    Udp(UdpSocket),
    Closed,
}

/// A stream of bytes.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    /// To `IP:PORT` or `unix:PATH`, perhaps from an address, with port 0 for any.
    pub(super) fn connect(to: &str, from: Option<&str>) -> io::Result<Client> {
        if let Some(path) = to.strip_prefix("unix:") {
            let wire = Wire::Unix(UnixStream::connect(path)?);
            wire.patience(PATIENCE)?;
            return Ok(Client::Plain(wire));
        }
        let socket = bound(to, from, Type::STREAM)?;
        socket.connect(&address(to)?.into())?;
        let wire = Wire::Tcp(socket.into());
        wire.patience(PATIENCE)?;
        Ok(Client::Plain(wire))
    }

    pub(super) fn udp(to: &str, from: Option<&str>) -> io::Result<Client> {
        let socket = bound(to, from, Type::DGRAM)?;
        socket.connect(&address(to)?.into())?;
        let socket: UdpSocket = socket.into();
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Client::Udp(socket))
    }

    /// The port that it has, if it has one.
    pub(super) fn port(&self) -> Option<u16> {
        let address = match self {
            Client::Plain(Wire::Tcp(stream)) => stream.local_addr(),
            Client::Udp(socket) => socket.local_addr(),
            _ => return None,
        };
        address.ok().map(|address| address.port())
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Client::Udp(socket) => socket.send(bytes).map(|_| ()),
            stream => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Past TLS, where there is TLS.
    pub(super) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Client::Tls(stream) => stream.get_mut().write_all(bytes),
            other => other.send(bytes),
        }
    }

    /// Reads until there are `count` bytes, or the end; a datagram if it is UDP.
    pub(super) fn receive(&mut self, count: usize) -> String {
        let mut bytes = vec![0; count];
        let mut length = 0;
        while length < count {
            match self.read(&mut bytes[length..]) {
                Ok(0) if !matches!(self, Client::Udp(_)) => return said(&bytes[..length], "EOF"),
                Ok(more) => length += more,
                Err(error) => return said(&bytes[..length], &name(&error)),
            }
            if matches!(self, Client::Udp(_)) {
                break;
            }
        }
        quote(&bytes[..length])
    }

    /// Everything until the end, and how that came.
    pub(super) fn rest(&mut self) -> String {
        let mut end = None;
        let (bytes, kind) = peer::rest(Noting { stream: self, end: &mut end });
        said(&bytes, end.as_deref().unwrap_or(&kind))
    }

    /// What comes within a time in which nothing should.
    pub(super) fn quiet(&mut self, time: Duration) -> io::Result<String> {
        self.patience(time)?;
        let begun = Instant::now();
        let mut buffer = vec![0; 65536];
        let came = match self.read(&mut buffer) {
            Ok(0) if !matches!(self, Client::Udp(_)) => "EOF".to_owned(),
            Ok(count) => quote(&buffer[..count]),
            Err(error) if waited_in_vain(&error) => "quiet".to_owned(),
            Err(error) => name(&error),
        };
        self.patience(PATIENCE)?;
        if came == "quiet" && begun.elapsed() < time / 2 {
            return Err(io::Error::other("it didn't wait"));
        }
        Ok(came)
    }

    pub(super) fn half_close(&mut self) -> io::Result<()> {
        match self {
            Client::Plain(wire) => wire.shutdown(Shutdown::Write),
            Client::Tls(stream) => stream.shutdown().map(|_| ()).map_err(io::Error::other),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn reset(&mut self) {
        if let Client::Plain(Wire::Tcp(stream)) = std::mem::replace(self, Client::Closed) {
            peer::reset(stream);
        }
    }

    /// Goes without a word to the other side, as a host does that loses its power. What is sent
    /// to it then is answered by a reset, as when the host is up again.
    pub(super) fn vanish(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Client::Closed) {
            Client::Plain(Wire::Tcp(stream)) => {
                setsockopt(&stream, sockopt::TcpRepair, &1).map_err(Into::into)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn patience(&self, time: Duration) -> io::Result<()> {
        match self {
            Client::Plain(wire) => wire.patience(time),
            Client::Tls(stream) => stream.get_ref().patience(time),
            Client::Udp(socket) => socket.set_read_timeout(Some(time)),
            Client::Closed => Ok(()),
        }
    }
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Client::Plain(wire) => wire.read(buffer),
            Client::Tls(stream) => stream.read(buffer),
            Client::Udp(socket) => socket.recv(buffer),
            Client::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Client::Plain(wire) => wire.write(bytes),
            Client::Tls(stream) => stream.write(bytes),
            Client::Udp(socket) => socket.send(bytes),
            Client::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Client::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }
}

impl Wire {
    pub(super) fn patience(&self, time: Duration) -> io::Result<()> {
        match self {
            Wire::Tcp(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(PATIENCE))
            }
            Wire::Unix(stream) => {
                stream.set_read_timeout(Some(time))?;
                stream.set_write_timeout(Some(PATIENCE))
            }
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Wire::Tcp(stream) => stream.shutdown(how),
            Wire::Unix(stream) => stream.shutdown(how),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(stream) => stream.read(buffer),
            Wire::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Tcp(stream) => stream.write(bytes),
            Wire::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Remembers an error in the words of [`name`].
struct Noting<'a> {
    stream: &'a mut Client,
    end: &'a mut Option<String>,
}

impl Read for Noting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer).inspect_err(|error| *self.end = Some(name(error)))
    }
}

fn waited_in_vain(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// How an error is recorded.
pub(super) fn name(error: &io::Error) -> String {
    if waited_in_vain(error) {
        return "nothing comes".into();
    }
    match error.raw_os_error() {
        Some(_) => format!("{:?}", error.kind()),
        None => match error.get_ref() {
            Some(inner) => inner.to_string(),
            None => format!("{:?}", error.kind()),
        },
    }
}

fn said(bytes: &[u8], end: &str) -> String {
    if bytes.is_empty() { end.to_owned() } else { format!("{} {end}", quote(bytes)) }
}

fn address(text: &str) -> io::Result<SocketAddr> {
    text.parse().map_err(|_| io::Error::other(format!("not an address and port: {text}")))
}

fn bound(to: &str, from: Option<&str>, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address(to)?), kind, None)?;
    if let Some(from) = from {
        if kind == Type::STREAM {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address(from)?.into())?;
    }
    Ok(socket)
}
