//! Servers behind the proxy, and clients in front of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A server that runs `serve` for each connection, in a thread of its own. Closed when dropped.
pub(super) struct Peer {
    address: String,
    over: Arc<AtomicBool>,
}

impl Peer {
    pub(super) fn start(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (serve, until) = (Arc::new(serve), Arc::clone(&over));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                let (connection, serve) = (connection.unwrap(), Arc::clone(&serve));
                let small = std::thread::Builder::new().stack_size(128 * 1024);
                small.spawn(move || serve(connection)).unwrap();
            }
        });
        Self { address: address.to_owned(), over }
    }

    /// Says its name and closes.
    pub(super) fn named(address: &str) -> Self {
        let name = address.rsplit(':').next().unwrap().to_owned();
        Self::start(address, move |mut stream| {
            let _ = stream.write_all(name.as_bytes());
        })
    }

    /// Sends back what it gets.
    pub(super) fn echo(address: &str) -> Self {
        Self::start(address, |mut stream| {
            let mut buffer = [0; 16384];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes it up to see that it is over; from then on the address refuses.
        drop(TcpStream::connect(&self.address));
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(&self.address).is_ok() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A listener whose queue is full: connecting to it hangs.
pub(super) struct Hanging {
    _queue: Vec<socket2::Socket>,
}

impl Hanging {
    pub(super) fn start(address: &str) -> Self {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = address.parse::<std::net::SocketAddr>().unwrap().into();
        listener.set_reuse_address(true).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(0).unwrap();
        let mut queue = vec![listener];
        for _ in 0..4 {
            let filler = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
            let _ = filler.connect(&address);
            queue.push(filler);
        }
        std::thread::sleep(Duration::from_millis(50));
        Self { _queue: queue }
    }
}

pub(super) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything until the end, and how that came: `EOF` or the kind of error.
pub(super) fn rest(mut stream: &TcpStream) -> (Vec<u8>, String) {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 65536]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, "EOF".into()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => return (bytes, format!("{:?}", error.kind())),
        }
    }
}

/// Connects and returns what it is told until the end; `-` where that is nothing.
pub(super) fn ask(address: &str) -> String {
    let text = String::from_utf8(rest(&connect(address)).0).unwrap();
    if text.is_empty() { "-".into() } else { text }
}

/// Sends `request` and reads as many bytes back.
pub(super) fn exchange(mut stream: &TcpStream, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut reply = vec![0; request.len()];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// Closes with a reset.
pub(super) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}
