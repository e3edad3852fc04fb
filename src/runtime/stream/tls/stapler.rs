//! `ssl_stapling`: what is said of a server's own certificates, asked for in the background when
//! the first client wants to know, and again before it is too old.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use openssl::ssl::{SslContext, SslRef};
use openssl::x509::X509;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::plan::ocsp::{Responder, Stapling};
use crate::plan::process::LogLevel;
use crate::plan::tls::ServerTls;
use crate::proxy::message::Errno;
use crate::proxy::ocsp::{Answer, Heard, request};
use crate::runtime::stream::log::Log;
use crate::tls::material;
use crate::tls::ocsp::{Question, Signer, Trust, Verdict, issuer};

/// For connecting, and for each piece of an answer, as in nginx.
const PATIENCE: Duration = Duration::from_secs(60);
/// An answer is renewed so long before its end, and a failed try repeated after as long.
const AHEAD: Duration = Duration::from_secs(300);
/// An answer isn't older than this, and one without an end is good for as long.
const OLDEST: Duration = Duration::from_secs(3600);

/// All staples of one server.
pub(super) struct Stapler {
    staples: Vec<Arc<Staple>>,
}

struct Staple {
    /// Its file, as messages have it.
    name: String,
    certificate: X509,
    issuer: X509,
    chain: Vec<X509>,
    responder: Responder,
    verify: bool,
    log: Log,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    response: Option<Arc<[u8]>>,
    until: Option<Instant>,
    /// Nobody needs to ask before.
    renew: Option<Instant>,
    asking: bool,
}

impl Stapler {
    pub(super) fn new(plan: &ServerTls, stapling: &Stapling, log: &Log) -> Result<Self, String> {
        let mut trusted = Vec::new();
        for file in &plan.tls.trusted {
            trusted.extend(material::authorities(file.bytes.expose())?.0);
        }
        let mut staples = Vec::new();
        for (at, responder) in &stapling.responders {
            let Some(pair) = plan.tls.certificates.get(*at) else { continue };
            let file = &pair.certificate;
            let chain = material::chain(&file.name, file.bytes.expose())?;
            let candidates = chain.rest.iter().chain(&trusted).map(|it| &**it);
            let Some(issuer) = issuer(&chain.certificate, candidates) else { continue };
            let issuer = issuer.to_owned();
            staples.push(Arc::new(Staple {
                name: file.name.clone(),
                issuer,
                certificate: chain.certificate,
                chain: chain.rest,
                responder: responder.clone(),
                verify: stapling.verify,
                log: log.clone(),
                state: Mutex::default(),
            }));
        }
        Ok(Self { staples })
    }

    /// What there is to say of the certificate of this connection.
    pub(super) fn answer(&self, ssl: &SslRef) -> Option<Arc<[u8]>> {
        let shown = ssl.certificate()?.to_der().ok()?;
        let same = |staple: &&Arc<Staple>| staple.certificate.to_der().is_ok_and(|it| it == shown);
        let staple = self.staples.iter().find(same)?;
        staple.answer(Instant::now(), ssl)
    }
}

impl Staple {
    fn answer(self: &Arc<Self>, now: Instant, ssl: &SslRef) -> Option<Arc<[u8]>> {
        let mut state = self.state();
        if !state.asking && state.renew.is_none_or(|at| at <= now) {
            state.asking = true;
            let asking = Asking(Arc::clone(self));
            let context = ssl.ssl_context().to_owned();
            let job = async move { asking.0.ask(&context).await };
            // A job that nobody takes says so when it is dropped, after this lock is.
            let refused = errands().and_then(|errands| errands.send(Box::pin(job)).err());
            drop(state);
            drop(refused);
            state = self.state();
        }
        let good = state.until.is_some_and(|until| until > now);
        state.response.as_ref().filter(|_| good).map(Arc::clone)
    }

    async fn ask(&self, context: &SslContext) {
        let question = match Question::about(&self.certificate, &self.issuer) {
            Ok(question) => question,
            Err(error) => return self.say(None, &error),
        };
        let base64 = openssl::base64::encode_block(&question.der);
        let request = request(&self.responder.host, &self.responder.path, &base64);
        for peer in &self.responder.addresses {
            let answer = match exchange(*peer, &request).await {
                Ok(Heard::Answer(answer)) => answer,
                Ok(Heard::Failed(complaint)) => {
                    if let Some(complaint) = complaint {
                        self.say(Some(*peer), &complaint);
                    }
                    continue;
                }
                Ok(Heard::More) => continue,
                Err(error) => {
                    self.say(Some(*peer), &format_args!("recv() failed {}", Errno(&error)));
                    let closed = "OCSP responder prematurely closed connection";
                    self.say(Some(*peer), &closed);
                    continue;
                }
            };
            match self.judge(context, &question, &answer) {
                Ok(life) => return self.keep(answer, life),
                Err(complaint) => self.say(Some(*peer), &complaint),
            }
        }
    }

    fn judge(
        &self,
        context: &SslContext,
        question: &Question,
        answer: &[u8],
    ) -> Result<Option<Duration>, String> {
        let signer = if self.verify { Signer::Companion } else { Signer::Anybody };
        let trust = Trust { store: context.cert_store(), chain: &self.chain, signer };
        match question.judge(answer, &trust)? {
            (Verdict::Good, life) => Ok(life),
            (verdict, _) => Err(format!("certificate status \"{verdict}\" in the OCSP response")),
        }
    }

    fn keep(&self, answer: Vec<u8>, life: Option<Duration>) {
        let now = Instant::now();
        let life = life.unwrap_or(OLDEST);
        let mut state = self.state();
        state.response = Some(answer.into());
        state.until = now.checked_add(life);
        let renew = life.saturating_sub(AHEAD).min(OLDEST).max(AHEAD);
        state.renew = Some(now + renew);
    }

    fn say(&self, peer: Option<SocketAddr>, text: &dyn std::fmt::Display) {
        let (host, name) = (&self.responder.host, &self.name);
        let peer = peer.map(|peer| format!(", peer: {peer}")).unwrap_or_default();
        let text = format_args!(
            "{text} while requesting certificate status, responder: {host}{peer}, certificate: \
             \"{name}\""
        );
        self.log.write(LogLevel::Error, None, text);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody asks, until this is dropped.
struct Asking(Arc<Staple>);

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.asking = false;
        // What was asked in vain keeps its time; only later is it asked again.
        let now = Instant::now();
        if state.renew.is_none_or(|at| at <= now) {
            state.renew = Some(now + AHEAD);
        }
    }
}

type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The thread that runs errands for all workers, started with the first one; `None`: it can't be.
fn errands() -> Option<&'static UnboundedSender<Errand>> {
    static ERRANDS: OnceLock<Option<UnboundedSender<Errand>>> = OnceLock::new();
    let start = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let (sender, mut inbox) = unbounded_channel::<Errand>();
        let run = async move {
            while let Some(errand) = inbox.recv().await {
                tokio::spawn(errand);
            }
        };
        let thread = std::thread::Builder::new().name("nginx".into());
        thread.spawn(move || runtime.block_on(run)).ok()?;
        Some(sender)
    };
    ERRANDS.get_or_init(start).as_ref()
}

async fn exchange(peer: SocketAddr, request: &[u8]) -> io::Result<Heard> {
    let late = |_| io::Error::from_raw_os_error(libc::ETIMEDOUT);
    let mut stream = timeout(PATIENCE, TcpStream::connect(peer)).await.map_err(late)??;
    timeout(PATIENCE, stream.write_all(request)).await.map_err(late)??;
    let (mut answer, mut bytes) = (Answer::default(), [0; 4096]);
    loop {
        let count = timeout(PATIENCE, stream.read(&mut bytes)).await.map_err(late)??;
        match answer.hear(&bytes[..count]) {
            Heard::More => {}
            heard => return Ok(heard),
        }
    }
}
