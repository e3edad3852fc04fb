//! Servers behind the proxy, and clients in front of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A server that runs `serve` for each connection, in a thread of its own. Closed when dropped.
pub(crate) struct Peer {
    /// Connects to it; whether that works.
    knock: Box<dyn Fn() -> bool + Send + Sync>,
    over: Arc<AtomicBool>,
}

impl Peer {
    pub(crate) fn start(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = address.to_owned();
        let knock = move || TcpStream::connect(&address).is_ok();
        Self::accept(move || listener.accept().map(|(stream, _)| stream), knock, serve)
    }

    /// On a unix socket that everybody may use.
    pub(crate) fn start_unix(
        path: &str,
        serve: impl Fn(UnixStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
        let path = path.to_owned();
        let knock = move || UnixStream::connect(&path).is_ok();
        Self::accept(move || listener.accept().map(|(stream, _)| stream), knock, serve)
    }

    fn accept<S: Send + 'static>(
        accept: impl Fn() -> std::io::Result<S> + Send + 'static,
        knock: impl Fn() -> bool + Send + Sync + 'static,
        serve: impl Fn(S) + Send + Sync + 'static,
    ) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (serve, until) = (Arc::new(serve), Arc::clone(&over));
        std::thread::spawn(move || {
            loop {
                let connection = accept();
                if until.load(Ordering::SeqCst) {
                    return;
                }
                let (connection, serve) = (connection.unwrap(), Arc::clone(&serve));
                let small = std::thread::Builder::new().stack_size(128 * 1024);
                small.spawn(move || serve(connection)).unwrap();
            }
        });
        Self { knock: Box::new(knock), over }
    }

    /// Says its name and closes.
    pub(crate) fn named(address: &str) -> Self {
        let name = address.rsplit(':').next().unwrap().to_owned();
        Self::start(address, move |mut stream| {
            let _ = stream.write_all(name.as_bytes());
        })
    }

    /// Sends back what it gets.
    pub(crate) fn echo(address: &str) -> Self {
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
        (self.knock)();
        let until = Instant::now() + Duration::from_secs(5);
        while (self.knock)() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A listener whose queue is full: connecting to it hangs.
pub(crate) struct Hanging {
    _queue: Vec<socket2::Socket>,
}

impl Hanging {
    pub(crate) fn start(address: &str) -> Self {
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

pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Everything until the end, and how that came: `EOF` or the kind of error.
pub(crate) fn rest(mut stream: impl Read) -> (Vec<u8>, String) {
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
pub(crate) fn ask(address: &str) -> String {
    let text = String::from_utf8(rest(&connect(address)).0).unwrap();
    if text.is_empty() { "-".into() } else { text }
}

/// Sends `request` and reads as many bytes back.
pub(crate) fn exchange(mut stream: &TcpStream, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut reply = vec![0; request.len()];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// Closes with a reset.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}
