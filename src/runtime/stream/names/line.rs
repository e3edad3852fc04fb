//! One `resolver` with its sockets. A datagram socket is connected to its server, so the kernel
//! drops what others send, and it lives only while questions are open: the next ones come from
//! another port, which who wants to answer in a server's name would have to guess, too.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::plan::stream::Resolver as Settings;
use crate::proxy::message::Errno;
use crate::proxy::resolver::Resolver;

pub(super) type LineId = u64;

/// Longer ones than this aren't asked for.
const DATAGRAM: usize = 4096;
/// What a question over TCP may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has come over a line.
#[derive(Debug)]
pub(super) struct News {
    pub(super) line: LineId,
    pub(super) server: usize,
    pub(super) heard: Heard,
}

#[derive(Debug)]
pub(super) enum Heard {
    Datagram(Vec<u8>),
    /// The answer over TCP.
    Stream(Vec<u8>),
    /// The server can't be reached: `recv() failed (111: Connection refused)`.
    Lost(String),
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) resolver: Resolver,
    servers: Vec<Option<Socket>>,
    /// As of the last look.
    ignored: u64,
}

#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    reader: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Line {
    pub(super) fn new(settings: Settings) -> Self {
        let servers = settings.servers.iter().map(|_| None).collect();
        Self { resolver: Resolver::new(settings, Box::new(dice)), servers, ignored: 0 }
    }

    /// Never waits; what comes of it is told to `hear`.
    pub(super) fn send(
        &mut self,
        line: LineId,
        server: usize,
        tcp: bool,
        bytes: Vec<u8>,
        hear: &mpsc::UnboundedSender<News>,
    ) {
        let address = self.resolver.settings().servers[server];
        let hear = hear.clone();
        let tell = move |heard| {
            // A desk that has closed needs no news.
            let _ = hear.send(News { line, server, heard });
        };
        if tcp {
            tokio::spawn(async move { tell(ask_by_stream(address, &bytes).await) });
            return;
        }
        let slot = &mut self.servers[server];
        let known = match slot {
            Some(known) => Ok(known),
            None => Socket::open(address, tell.clone()).map(|socket| slot.insert(socket)),
        };
        let sent = match known {
            Ok(socket) => retry(|| socket.socket.send(&bytes)),
            Err(error) => Err(error),
        };
        match sent {
            Ok(_) => {}
            // As any datagram that gets lost.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => tell(Heard::Lost(format!("send() failed {}", Errno(&error)))),
        }
    }

    /// Nothing is asked now.
    pub(super) fn hang_up(&mut self) {
        self.servers.fill_with(|| None);
    }

    /// Datagrams that answered nothing, since the last time this was asked.
    pub(super) fn ignored_since(&mut self) -> u64 {
        let now = self.resolver.counts().ignored;
        now - std::mem::replace(&mut self.ignored, now)
    }
}

impl Socket {
    fn open(server: SocketAddr, tell: impl Fn(Heard) + Send + 'static) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let ear = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
        let reader = tokio::spawn(async move {
            let mut bytes = [0; DATAGRAM];
            loop {
                match ear.recv(&mut bytes).await {
                    Ok(count) => tell(Heard::Datagram(bytes[..count].to_vec())),
                    Err(error) => {
                        tell(Heard::Lost(format!("recv() failed {}", Errno(&error))));
                        // Whatever it is, it doesn't become a loop that only fails.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
        });
        Ok(Self { socket, reader })
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

async fn ask_by_stream(server: SocketAddr, question: &[u8]) -> Heard {
    let exchange = async {
        let failed = |what: &str, error: io::Error| format!("{what}() failed {}", Errno(&error));
        let stream = TcpStream::connect(server).await;
        let mut stream = stream.map_err(|error| failed("connect", error))?;
        let length = u16::try_from(question.len()).unwrap_or(u16::MAX).to_be_bytes();
        let written = stream.write_all(&[&length, question].concat()).await;
        written.map_err(|error| failed("send", error))?;
        let length = stream.read_u16().await.map_err(|error| failed("recv", error))?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.map_err(|error| failed("recv", error))?;
        Ok(answer)
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(answer)) => Heard::Stream(answer),
        Ok(Err(what)) => Heard::Lost(what),
        Err(_) => Heard::Lost("recv() failed (110: Connection timed out)".to_owned()),
    }
}

/// Unpredictable: the kernel's randomness.
fn dice() -> u16 {
    let mut bytes = [0; 2];
    // OpenSSL's generator fails only where nothing works; a question then has a poor number.
    let _ = openssl::rand::rand_bytes(&mut bytes);
    u16::from_ne_bytes(bytes)
}
