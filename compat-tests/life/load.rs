//! Clients that go on for as long as something is done to the proxy: short connections at a fixed
//! rate and long ones that speak now and then. Whatever goes wrong with any of them is told.
//!
//! The normal suite runs a short form; `EVENKEEL_FULL_LOAD=1` the one that issue 4 asks for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, sleep_until, timeout};

/// How much is asked of the proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Short connections a second.
    pub(super) rate: u32,
    /// Long ones.
    pub(super) held: usize,
    pub(super) reloads: u32,
    /// Time for the reloads.
    pub(super) span: Duration,
}

impl Size {
    pub(super) fn wanted() -> Size {
        if std::env::var_os("EVENKEEL_FULL_LOAD").is_some() {
            return Size { rate: 1000, held: 1000, reloads: 50, span: Duration::from_secs(60) };
        }
        Size { rate: 200, held: 150, reloads: 8, span: Duration::from_secs(8) }
    }
}

/// A second without an answer is slow; this is too long.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Tally {
    short: AtomicU64,
    spoken: AtomicU64,
    held: AtomicU64,
    over: AtomicBool,
    failures: Mutex<Vec<String>>,
}

impl Tally {
    fn fails(&self, what: String) {
        self.failures.lock().unwrap().push(what);
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) short: u64,
    /// What the long connections have said, and was answered.
    pub(super) spoken: u64,
    pub(super) failures: Vec<String>,
}

pub(super) struct Load {
    tally: Arc<Tally>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// Clients of `front`; returns when the long ones are all connected.
    pub(super) fn start(front: &str, size: Size) -> Load {
        let (front, tally) = (front.parse().unwrap(), Arc::<Tally>::default());
        let own = Arc::clone(&tally);
        let thread = std::thread::spawn(move || in_reactor(clients(front, size, own)));
        let load = Load { tally, thread: Some(thread) };
        let until = Instant::now() + Duration::from_secs(30);
        while load.tally.held.load(Ordering::SeqCst) < size.held as u64 {
            assert!(Instant::now() < until, "{:?}", load.tally);
            std::thread::sleep(Duration::from_millis(5));
        }
        load
    }

    /// Lets so many more short connections come.
    pub(super) fn goes_on(&self, more: u64) {
        let enough = self.tally.short.load(Ordering::SeqCst) + more;
        let until = Instant::now() + Duration::from_secs(60);
        while self.tally.short.load(Ordering::SeqCst) < enough {
            assert!(Instant::now() < until, "{:?}", self.tally);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Every long connection speaks once more, and then it is over.
    pub(super) fn end(mut self) -> Outcome {
        self.tally.over.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
        Outcome {
            short: self.tally.short.load(Ordering::SeqCst),
            spoken: self.tally.spoken.load(Ordering::SeqCst),
            failures: std::mem::take(&mut self.tally.failures.lock().unwrap()),
        }
    }
}

/// A server that sends back what it gets, for as long as the test runs.
pub(super) fn echo(address: &str) {
    let listener = std::net::TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        in_reactor(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 256];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        if stream.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
}

fn in_reactor(run: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
}

async fn clients(front: SocketAddr, size: Size, tally: Arc<Tally>) {
    let mut tasks = Vec::new();
    for number in 0..size.held {
        tasks.push(tokio::spawn(long(front, number, Arc::clone(&tally))));
        if number % 20 == 19 {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let (begun, mut number) = (tokio::time::Instant::now(), 0);
    while !tally.over.load(Ordering::SeqCst) {
        tasks.push(tokio::spawn(short(front, number, Arc::clone(&tally))));
        number += 1;
        sleep_until(begun + Duration::from_secs(1) * number / size.rate).await;
        if number % 1000 == 0 {
            tasks.retain(|task| !task.is_finished());
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn short(front: SocketAddr, number: u32, tally: Arc<Tally>) {
    let begun = Instant::now();
    let one = async {
        let mut stream = connect(front).await?;
        speak(&mut stream, number).await
    };
    match timeout(PATIENCE, one).await {
        Ok(Ok(())) => _ = tally.short.fetch_add(1, Ordering::SeqCst),
        Ok(Err(error)) => {
            tally.fails(format!("short {number} after {:?}: {error}", begun.elapsed()))
        }
        Err(_) => tally.fails(format!("short {number}: no answer")),
    }
}

async fn long(front: SocketAddr, number: usize, tally: Arc<Tally>) {
    let life = async {
        let mut stream = connect(front).await?;
        speak(&mut stream, number as u32).await?;
        tally.held.fetch_add(1, Ordering::SeqCst);
        loop {
            let over = tally.over.load(Ordering::SeqCst);
            timeout(PATIENCE, speak(&mut stream, number as u32))
                .await
                .map_err(|_| std::io::Error::other("no answer"))??;
            tally.spoken.fetch_add(1, Ordering::SeqCst);
            if over {
                return Ok::<_, std::io::Error>(());
            }
            for _ in 0..10 {
                if !tally.over.load(Ordering::SeqCst) {
                    sleep(Duration::from_millis(50 + number as u64 % 50)).await;
                }
            }
        }
    };
    if let Err(error) = life.await {
        tally.fails(format!("long {number}: {error}"));
    }
}

async fn connect(front: SocketAddr) -> std::io::Result<TcpStream> {
    TcpSocket::new_v4()?.connect(front).await
}

async fn speak(stream: &mut TcpStream, number: u32) -> std::io::Result<()> {
    let mut answer = [0; 4];
    stream.write_all(&number.to_be_bytes()).await?;
    stream.read_exact(&mut answer).await?;
    match answer == number.to_be_bytes() {
        true => Ok(()),
        false => Err(std::io::Error::other(format!("answered {answer:?}"))),
    }
}
