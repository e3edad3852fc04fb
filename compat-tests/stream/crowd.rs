//! Many clients at once: what floods are made of.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Socket, Type};

use super::client::name;
use super::program::PATIENCE;
use super::words::quote;

/// All of one step's clients; they stay until the play ends.
pub(super) enum Crowd {
    Tcp(Vec<TcpStream>),
    Udp(Vec<UdpSocket>),
}

impl Crowd {
    /// Begins all connections before it waits for any, then has each send its bytes. Who couldn't
    /// connect in time is no part of it.
    pub(super) fn connect(to: &str, count: usize, bytes: &[u8]) -> Result<Crowd, String> {
        let address = address(to)?;
        let begin = |_| -> io::Result<TcpStream> {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            match socket.connect(&address.into()) {
                Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
                _ => Ok(socket.into()),
            }
        };
        let streams: io::Result<Vec<TcpStream>> = (0..count).map(begin).collect();
        let streams = streams.map_err(|error| error.to_string())?;
        let end = Instant::now() + PATIENCE;
        let mut connected = Vec::new();
        for stream in streams {
            let left = end.saturating_duration_since(Instant::now());
            wait(&stream, PollFlags::POLLOUT, left);
            if stream.peer_addr().is_ok() {
                // Its connection may be over again, which is seen when it reads.
                let _ = (&stream).write(bytes);
                connected.push(stream);
            }
        }
        Ok(Crowd::Tcp(connected))
    }

    /// Each has a socket, and so a port, of its own, and sends one datagram.
    pub(super) fn send(to: &str, count: usize, bytes: &[u8]) -> Result<Crowd, String> {
        let address = address(to)?;
        let send = |_| -> io::Result<UdpSocket> {
            let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
            socket.connect(&address.into())?;
            let socket: UdpSocket = socket.into();
            // A flood that leaves no time would only fill the listener's buffer.
            while let Err(error) = socket.send(bytes) {
                if error.kind() != ErrorKind::WouldBlock {
                    return Err(error);
                }
            }
            Ok(socket)
        };
        let sockets: io::Result<Vec<UdpSocket>> = (0..count).map(send).collect();
        Ok(Crowd::Udp(sockets.map_err(|error| error.to_string())?))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Crowd::Tcp(streams) => streams.len(),
            Crowd::Udp(sockets) => sockets.len(),
        }
    }

    /// What they were told until the end, or in their one datagram: `1000 x "hi" EOF`. Who isn't
    /// told within `patience` all in all: `nothing comes`.
    pub(super) fn ends(&mut self, patience: Duration) -> Vec<String> {
        let end = Instant::now() + patience;
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        let mut note = |text: String| *told.entry(text).or_default() += 1;
        match self {
            Crowd::Tcp(streams) => streams.iter().for_each(|stream| note(rest(stream, end))),
            Crowd::Udp(sockets) => sockets.iter().for_each(|socket| note(datagram(socket, end))),
        }
        told.into_iter().map(|(text, count)| format!("{count} x {text}")).collect()
    }
}

fn rest(mut stream: &TcpStream, end: Instant) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 65536]);
    let how = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break "EOF".to_owned(),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let left = end.saturating_duration_since(Instant::now());
                if !wait(stream, PollFlags::POLLIN, left) {
                    break "nothing comes".to_owned();
                }
            }
            Err(error) => break name(&error),
        }
    };
    if bytes.is_empty() { how } else { format!("{} {how}", quote(&bytes)) }
}

fn datagram(socket: &UdpSocket, end: Instant) -> String {
    let left = end.saturating_duration_since(Instant::now());
    if !wait(socket, PollFlags::POLLIN, left) {
        return "nothing comes".to_owned();
    }
    let mut buffer = vec![0; 65536];
    socket.recv(&mut buffer).map_or_else(|error| name(&error), |count| quote(&buffer[..count]))
}

/// Whether it came to that in time.
fn wait(socket: &impl AsFd, what: PollFlags, time: Duration) -> bool {
    let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(socket.as_fd(), what)];
    poll(&mut fds, time).is_ok_and(|ready| ready > 0)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("not an address and port: {text}"))
}
