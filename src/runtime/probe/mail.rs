//! Mail to people, by plain SMTP as keepalived sends it.
//!
//! Two things are seen by the server only: we greet it by EHLO (keepalived: HELO), which every
//! server knows since 2001, and addresses in angle brackets aren't put into a second pair.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Dialogues that go on at the same time.
const AT_ONCE: usize = 32;
/// Mails that wait for one to end; more are dropped, which is logged.
const WAITING: usize = 4096;

/// One mail, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub server: SocketAddr,
    pub helo: String,
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, lines ended by CR LF.
    pub content: String,
    /// For each step.
    pub timeout: Duration,
}

/// Sends letters, some at a time.
#[derive(Debug)]
pub(super) struct Post {
    turns: Semaphore,
    waiting: Cell<usize>,
}

impl Post {
    pub(super) fn new() -> Self {
        Post { turns: Semaphore::new(AT_ONCE), waiting: Cell::new(0) }
    }

    /// Sends it, or says why not.
    pub(super) async fn send(&self, letter: Letter) {
        if self.waiting.get() >= WAITING {
            tracing::warn!("SMTP alert dropped: {WAITING} others wait to be sent");
            return;
        }
        self.waiting.set(self.waiting.get() + 1);
        let turn = self.turns.acquire().await;
        match deliver(&letter).await {
            Ok(()) => tracing::info!("SMTP alert successfully sent."),
            Err(Failure { what, status: Some(status) }) => {
                let server = shown(letter.server);
                tracing::info!(
                    "Error processing {what} cmd on SMTP server {server}. SMTP status code = {status}"
                );
            }
            Err(Failure { what, status: None }) => tracing::info!("{what}"),
        }
        drop(turn);
        self.waiting.set(self.waiting.get() - 1);
    }
}

fn shown(server: SocketAddr) -> String {
    format!("[{}]:{}", server.ip(), server.port())
}

/// Why a letter wasn't sent: the step that the server refused, or a sentence.
struct Failure {
    what: String,
    status: Option<u16>,
}

async fn deliver(letter: &Letter) -> Result<(), Failure> {
    let server = shown(letter.server);
    let failure = |what: String| Failure { what, status: None };
    let late = || failure(format!("Timeout reading data to remote SMTP server {server}."));
    let refused = |step: &'static str| {
        let server = server.clone();
        move |error: lettre::transport::smtp::Error| match error.status() {
            Some(code) => Failure { what: step.to_owned(), status: Some(code.into()) },
            None => failure(format!("Error in {step} with SMTP server {server}: {error}")),
        }
    };
    let stream = match timeout(letter.timeout, TcpStream::connect(letter.server)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return Err(failure(format!("Error connecting to SMTP server {server}: {error}")));
        }
        Err(_) => {
            let what = format!("Timeout opening connection to remote SMTP server {server}.");
            return Err(failure(what));
        }
    };
    tracing::info!("Remote SMTP server {server} connected.");
    let helo = ClientId::Domain(letter.helo.clone());
    let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &helo);
    let mut dialogue =
        timeout(letter.timeout, greeting).await.map_err(|_| late())?.map_err(refused("(E)SMTP"))?;
    let from = vec![("MAIL", format!("MAIL FROM:<{}>\r\n", bare(&letter.from)))];
    let to = letter.to.iter().map(|to| ("RCPT", format!("RCPT TO:<{}>\r\n", bare(to))));
    let data = [("DATA", "DATA\r\n".to_owned())];
    for (step, command) in from.into_iter().chain(to).chain(data) {
        let answer = timeout(letter.timeout, dialogue.command(command)).await;
        if let Err(failure) = answer.map_err(|_| late())?.map_err(refused(step)) {
            let _ = timeout(letter.timeout, dialogue.quit()).await;
            return Err(failure);
        }
    }
    let answer = timeout(letter.timeout, dialogue.message(letter.content.as_bytes())).await;
    let answer = answer.map_err(|_| late())?.map_err(refused("BODY"));
    // The letter is delivered or refused by now, whatever the server says to that.
    let _ = timeout(letter.timeout, dialogue.quit()).await;
    answer.map(drop)
}

/// An address for the envelope: a line break in it would begin another command.
fn bare(address: &str) -> String {
    let address = address.trim_start_matches('<').trim_end_matches('>');
    address.chars().filter(|c| !c.is_control()).collect()
}
