//! Datagrams: the server that answers them, and what they cost. haproxy passes none on.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::ends::{SERVER, duration, load};
use crate::proxy::{Program, Proxy};

const LENGTH: usize = 100;
/// Datagrams that begin with this byte get no answer.
const SILENT: u8 = b's';

/// Datagrams that have come to the server.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn serve() {
    let socket = UdpSocket::bind(SERVER).unwrap();
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    for _ in 0..2 {
        let socket = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                ARRIVED.fetch_add(1, Relaxed);
                if buffer[0] != SILENT {
                    let _ = socket.send_to(&buffer[..length], from);
                }
            }
        });
    }
}

fn client(to: &str) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.2.3:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
}

/// A question and its answer; one that is lost counts too, and costs a second.
fn ask(socket: &UdpSocket) {
    let mut buffer = [b'r'; LENGTH];
    socket.send(&buffer).unwrap();
    let _ = socket.recv(&mut buffer);
}

pub(crate) fn kept(proxy: &Proxy) -> Option<Vec<f64>> {
    if proxy.program == Program::Haproxy {
        return None;
    }
    let (address, before, begun) = (proxy.address(), proxy.cpu(), Instant::now());
    let count = load(16, |kept| ask(kept.get_or_insert_with(|| client(&address))));
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    Some(vec![(proxy.cpu() - before) / count as f64, rate])
}

pub(crate) fn short(proxy: &Proxy) -> Option<Vec<f64>> {
    if proxy.program == Program::Haproxy {
        return None;
    }
    let (address, before) = (proxy.bulk(), proxy.cpu());
    let count = load(4, |_: &mut Option<()>| ask(&client(&address)));
    Some(vec![(proxy.cpu() - before) / count as f64])
}

/// Two flows, each in bursts of 32 with a moment between them: what arrives is counted.
pub(crate) fn bursts(proxy: &Proxy) -> Option<Vec<f64>> {
    if proxy.program == Program::Haproxy {
        return None;
    }
    let address = proxy.address();
    let (before, arrived, begun) = (proxy.cpu(), ARRIVED.load(Relaxed), Instant::now());
    load(2, |kept| {
        let socket = kept.get_or_insert_with(|| client(&address));
        for _ in 0..32 {
            let _ = socket.send(&[SILENT; 1200]);
        }
        std::thread::sleep(Duration::from_micros(200));
    });
    std::thread::sleep(duration() / 10);
    let count = (ARRIVED.load(Relaxed) - arrived) as f64;
    Some(vec![(proxy.cpu() - before) / count, count / begun.elapsed().as_secs_f64()])
}
