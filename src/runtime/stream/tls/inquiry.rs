//! `ssl_ocsp`: whether a client's certificate, and those that it is signed by, are revoked. One
//! question after the other, on a socket that the session owns while it waits.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef};
use openssl::x509::X509;
use socket2::{Domain, Socket, Type};

use crate::plan::ocsp::{Inquiry as Plan, Responder, Url};
use crate::proxy::message;
use crate::proxy::ocsp::{Answer, Heard, request};
use crate::proxy::shelf::Shelf;
use crate::tls::ocsp::{Question, Signer, Trust, Verdict, issuer, responder};

/// `ssl_ocsp_cache shared:NAME:SIZE`
pub(super) struct Cache {
    pub(super) name: String,
    pub(super) size: usize,
    shelf: Mutex<Shelf<Verdict>>,
}

/// What a server asks, of whom.
pub(super) struct Inquirer {
    pub(super) plan: Plan,
    pub(super) cache: Option<Arc<Cache>>,
}

/// What is being asked about one client.
pub(in crate::runtime::stream) struct Inquiry {
    inquirer: Arc<Inquirer>,
    /// The client's certificate first, its root last.
    chain: Vec<X509>,
    /// Whose turn it is.
    at: usize,
    ask: Option<Ask>,
}

/// A question on its way.
struct Ask {
    question: Question,
    responder: Responder,
    /// Whose turn it is of the responder's addresses.
    address: usize,
    socket: Option<OwnedFd>,
    request: Vec<u8>,
    sent: usize,
    answer: Answer,
}

/// How far it has come.
pub(in crate::runtime::stream) enum Asked {
    /// Nothing speaks against the client.
    Passed,
    /// With what nginx says of the certificate.
    Refused(&'static str),
    /// The next event goes on with it; `true`: on a socket that is new and has to be watched.
    Wait(bool),
}

/// For the log.
pub(in crate::runtime::stream) type Lines = Vec<String>;

const FAILED: &str = "certificate status request failed";

impl Cache {
    pub(super) fn new(name: &str, size: usize) -> Self {
        Self { name: name.to_owned(), size, shelf: Mutex::new(Shelf::new(size)) }
    }

    fn find(&self, name: &[u8]) -> Option<Verdict> {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.find(Instant::now(), name).copied()
    }

    fn keep(&self, name: &[u8], verdict: Verdict, life: Duration) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.put(Instant::now(), name, verdict, size_of::<Verdict>(), life);
    }
}

impl Inquiry {
    /// `None`: there is nobody to ask about.
    pub(super) fn begin(inquirer: &Arc<Inquirer>, ssl: &SslRef) -> Option<Self> {
        let certificate = ssl.peer_certificate()?;
        let mut chain: Vec<X509> = match ssl.verified_chain() {
            Some(chain) => chain.iter().map(|certificate| certificate.to_owned()).collect(),
            // A session that was resumed brings no more than the certificate.
            None => vec![certificate],
        };
        if chain.len() == 1 {
            let trusted = ssl.ssl_context().cert_store().all_certificates();
            let issuer = issuer(&chain[0], trusted.iter())?.to_owned();
            chain.push(issuer);
        }
        Some(Self { inquirer: Arc::clone(inquirer), chain, at: 0, ask: None })
    }

    /// Where answers come in.
    pub(in crate::runtime::stream) fn socket(&self) -> Option<&OwnedFd> {
        self.ask.as_ref()?.socket.as_ref()
    }

    /// Goes on until it has to wait.
    pub(in crate::runtime::stream) fn go(&mut self, ssl: &SslRef, lines: &mut Lines) -> Asked {
        loop {
            let pairs = match self.inquirer.plan.leaf {
                true => 1,
                false => self.chain.len() - 1,
            };
            if self.at >= pairs {
                return Asked::Passed;
            }
            let verdict = match &mut self.ask {
                None => match self.turn_to_next(lines) {
                    Ok(verdict) => verdict,
                    Err(why) => return refused(ssl, why),
                },
                Some(ask) => match ask.go(ssl, &self.chain, lines) {
                    Going::Wait(new) => return Asked::Wait(new),
                    Going::Failed => return refused(ssl, FAILED),
                    Going::Said(verdict, life) => {
                        if let (Some(cache), Some(life)) = (&self.inquirer.cache, life) {
                            cache.keep(&ask.question.name, verdict, life);
                        }
                        Some(verdict)
                    }
                },
            };
            match verdict {
                None => {}
                Some(Verdict::Good) => (self.at, self.ask) = (self.at + 1, None),
                Some(Verdict::Revoked) => return refused(ssl, "certificate revoked"),
                Some(Verdict::Unknown) => return refused(ssl, "certificate status unknown"),
            }
        }
    }

    /// What is known already of the next certificate; `None`: it has to be asked.
    fn turn_to_next(&mut self, lines: &mut Lines) -> Result<Option<Verdict>, &'static str> {
        let (certificate, issuer) = (&self.chain[self.at], &self.chain[self.at + 1]);
        let question = Question::about(certificate, issuer).map_err(|_| FAILED)?;
        let cache = &self.inquirer.cache;
        if let Some(verdict) = cache.as_ref().and_then(|cache| cache.find(&question.name)) {
            return Ok(Some(verdict));
        }
        let responder = match &self.inquirer.plan.responder {
            Some(responder) => responder.clone(),
            None => named(certificate, lines).ok_or(FAILED)?,
        };
        let base64 = openssl::base64::encode_block(&question.der);
        let request = request(&responder.host, &responder.path, &base64);
        let (socket, answer) = (None, Answer::default());
        self.ask = Some(Ask { question, responder, address: 0, socket, request, sent: 0, answer });
        Ok(None)
    }
}

/// The responder that a certificate names by an address: names aren't looked up in sessions.
fn named(certificate: &X509, lines: &mut Lines) -> Option<Responder> {
    let Some(text) = responder(certificate) else {
        lines.push("no OCSP responder URL in certificate".to_owned());
        return None;
    };
    let Some(url) = Url::parse(&text) else {
        lines.push(format!("invalid URL prefix in OCSP responder \"{text}\" in certificate"));
        return None;
    };
    let Some(address) = url.address() else {
        let host = url.host;
        lines.push(format!(
            "no resolver defined to resolve {host} while requesting certificate status, \
             responder: {host}"
        ));
        return None;
    };
    Some(url.at(vec![address]))
}

enum Going {
    Wait(bool),
    Said(Verdict, Option<Duration>),
    Failed,
}

impl Ask {
    fn go(&mut self, ssl: &SslRef, chain: &[X509], lines: &mut Lines) -> Going {
        let mut new = false;
        loop {
            let Some(peer) = self.responder.addresses.get(self.address).copied() else {
                return Going::Failed;
            };
            let heard = match self.exchange(peer, &mut new) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Going::Wait(new),
                Ok(Heard::More) => continue,
                Ok(heard) => heard,
                Err(error) => {
                    self.say(
                        peer,
                        &format_args!("recv() failed {}", message::Errno(&error)),
                        lines,
                    );
                    let closed = "OCSP responder prematurely closed connection";
                    Heard::Failed(Some(closed.to_owned()))
                }
            };
            let said = match heard {
                Heard::Answer(answer) => {
                    let store = ssl.ssl_context().cert_store();
                    let trust = Trust { store, chain, signer: Signer::Issuer };
                    self.question.judge(&answer, &trust).map_err(Some)
                }
                Heard::Failed(complaint) => Err(complaint),
                Heard::More => Err(None),
            };
            match said {
                Ok((verdict, life)) => return Going::Said(verdict, life),
                Err(complaint) => {
                    if let Some(complaint) = complaint {
                        self.say(peer, &complaint, lines);
                    }
                    self.address += 1;
                    (self.socket, new, self.sent) = (None, false, 0);
                    self.answer = Answer::default();
                }
            }
        }
    }

    fn exchange(&mut self, peer: SocketAddr, new: &mut bool) -> io::Result<Heard> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let socket = Socket::new(Domain::for_address(peer), Type::STREAM, None)?;
                socket.set_nonblocking(true)?;
                match socket.connect(&peer.into()) {
                    Ok(()) => {}
                    Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
                    Err(error) => return Err(error),
                }
                *new = true;
                self.socket.insert(socket.into())
            }
        };
        let socket = socket.as_raw_fd();
        while self.sent < self.request.len() {
            match send(socket, &self.request[self.sent..], MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::EINTR) => {}
                Err(Errno::ENOTCONN) => return Err(Errno::EAGAIN.into()),
                Err(error) => return Err(error.into()),
            }
        }
        let mut bytes = [0; 4096];
        loop {
            match recv(socket, &mut bytes, MsgFlags::empty()) {
                Ok(count) => return Ok(self.answer.hear(&bytes[..count])),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn say(&self, peer: SocketAddr, text: &dyn std::fmt::Display, lines: &mut Lines) {
        let host = &self.responder.host;
        lines.push(format!(
            "{text} while requesting certificate status, responder: {host}, peer: {peer}"
        ));
    }
}

impl std::fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inquiry").field("at", &self.at).finish_non_exhaustive()
    }
}

/// `$ssl_client_verify` says so, too.
fn refused(ssl: &SslRef, why: &'static str) -> Asked {
    if let Some(place) = ssl.ex_data(refusal_index()) {
        // Nobody is refused twice.
        let _ = place.set(why);
    }
    Asked::Refused(why)
}

/// Makes room for that.
pub(super) fn prepare(ssl: &mut Ssl) {
    ssl.set_ex_data(refusal_index(), OnceLock::new());
}

/// Why a client's certificate isn't good though its signatures are.
pub(super) fn refusal(ssl: &SslRef) -> Option<&'static str> {
    ssl.ex_data(refusal_index())?.get().copied()
}

fn refusal_index() -> Index<Ssl, OnceLock<&'static str>> {
    static INDEX: OnceLock<Index<Ssl, OnceLock<&'static str>>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL has room for an index"))
}
