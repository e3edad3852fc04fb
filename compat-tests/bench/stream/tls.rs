//! TLS towards clients: what handshakes and bytes cost. The certificate is the test suite's with an
//! elliptic curve, so that the arithmetic doesn't hide what is around it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use openssl::ssl::{
    Ssl, SslContext, SslMethod, SslSession, SslSessionCacheMode, SslStream, SslVerifyMode,
    SslVersion,
};

use crate::ends::{SOURCED, exchange, load};
use crate::proxy::Proxy;

const BULK: usize = 1 << 29;
const IDLE: usize = 500;

/// The file of that ending in the test suite's folder of keys.
pub(crate) fn pki(ending: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/stream/pki");
    folder.join("server-ec").with_extension(ending)
}

pub(crate) fn full(proxy: &Proxy) -> Option<Vec<f64>> {
    let (address, context) = (proxy.tls(), context(SslVersion::TLS1_3, None));
    handshakes(proxy, || part(shake(&address, &context, None)))
}

pub(crate) fn resumed(proxy: &Proxy) -> Option<Vec<f64>> {
    resume(proxy, SslVersion::TLS1_3)
}

pub(crate) fn resumed_older(proxy: &Proxy) -> Option<Vec<f64>> {
    resume(proxy, SslVersion::TLS1_2)
}

fn resume(proxy: &Proxy, version: SslVersion) -> Option<Vec<f64>> {
    let kept = Arc::new(Mutex::new(None));
    let (address, first) = (proxy.tls(), context(version, Some(Arc::clone(&kept))));
    let mut stream = shake(&address, &first, None);
    // With 1.3 the session comes after the handshake.
    exchange(&mut stream);
    part(stream);
    let session = kept.lock().unwrap().take().expect("a session");
    let context = context(version, None);
    handshakes(proxy, || {
        let stream = shake(&address, &context, Some(&session));
        assert!(stream.ssl().session_reused(), "{:?} doesn't resume", proxy.program);
        part(stream);
    })
}

/// CPU time of each, and how many there are in a second.
fn handshakes(proxy: &Proxy, shake: impl Fn() + Sync) -> Option<Vec<f64>> {
    let (before, begun) = (proxy.cpu(), Instant::now());
    let count = load(4, |_: &mut Option<()>| shake());
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    Some(vec![(proxy.cpu() - before) / count as f64, rate])
}

pub(crate) fn kept_alive(proxy: &Proxy) -> Option<Vec<f64>> {
    let (address, context) = (proxy.tls(), context(SslVersion::TLS1_3, None));
    // Their handshakes come before what is measured.
    let open: Vec<_> = (0..16).map(|_| shake(&address, &context, None)).collect();
    let (open, before) = (Mutex::new(open), proxy.cpu());
    let count =
        load(16, |kept| exchange(kept.get_or_insert_with(|| open.lock().unwrap().pop().unwrap())));
    Some(vec![(proxy.cpu() - before) / count as f64])
}

pub(crate) fn upload(proxy: &Proxy) -> Option<Vec<f64>> {
    let mut stream = shake(&proxy.tls_sink(), &context(SslVersion::TLS1_3, None), None);
    let (before, chunk) = (proxy.cpu(), vec![7; 1 << 18]);
    for _ in 0..BULK / chunk.len() {
        stream.write_all(&chunk).unwrap();
    }
    stream.shutdown().unwrap();
    stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    while let Ok(1..) = stream.get_ref().read(&mut [0; 64]) {}
    Some(vec![(proxy.cpu() - before) / 1e6 * (1e9 / BULK as f64)])
}

pub(crate) fn download(proxy: &Proxy) -> Option<Vec<f64>> {
    let mut stream = shake(&proxy.tls_source(), &context(SslVersion::TLS1_3, None), None);
    let (before, mut room) = (proxy.cpu(), vec![0; 1 << 18]);
    let mut got = 0;
    while let Ok(count @ 1..) = stream.read(&mut room) {
        got += count;
    }
    assert_eq!(got, SOURCED, "{:?}", proxy.program);
    Some(vec![(proxy.cpu() - before) / 1e6 * (1e9 / got as f64)])
}

pub(crate) fn idle(proxy: &Proxy) -> Option<Vec<f64>> {
    let (address, context) = (proxy.tls(), context(SslVersion::TLS1_3, None));
    exchange(&mut shake(&address, &context, None));
    let before = proxy.memory();
    let mut streams: Vec<_> = (0..IDLE).map(|_| shake(&address, &context, None)).collect();
    streams.iter_mut().for_each(exchange);
    std::thread::sleep(std::time::Duration::from_millis(200));
    Some(vec![(proxy.memory() - before) / IDLE as f64])
}

/// A client's settings; the last session that it may resume goes to `kept`.
fn context(version: SslVersion, kept: Option<Arc<Mutex<Option<SslSession>>>>) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_verify(SslVerifyMode::NONE);
    context.set_max_proto_version(Some(version)).unwrap();
    if let Some(kept) = kept {
        context.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        context.set_new_session_callback(move |_, session| *kept.lock().unwrap() = Some(session));
    }
    context.build()
}

fn shake(
    address: &str,
    context: &SslContext,
    session: Option<&SslSession>,
) -> SslStream<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut ssl = Ssl::new(context).unwrap();
    if let Some(session) = session {
        evenkeel::kernel::openssl::resume(&mut ssl, session).unwrap();
    }
    ssl.connect(stream).unwrap()
}

/// A session that doesn't end properly can't be resumed any more.
fn part(mut stream: SslStream<TcpStream>) {
    let _ = stream.shutdown();
}
