//! The subagent's thread: gets to the master, stays with it, and comes back when it was lost.
//!
//! It always takes what the loop says at once. What goes out has a buffer; a master that doesn't
//! read until that is full is left and tried again, as one that doesn't answer is.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{FAREWELL, Request, Word};
use crate::agentx::Pdu;
use crate::agentx::pdu::announced;
use crate::agentx::session::{Action, Event, INTERVAL, PATIENCE, Session, error_text};
use crate::agentx::tree::Tree;
use crate::kernel::memory::give_back_memory;
use crate::plan::snmp::{Master, Snmp};
use crate::runtime::version;
use crate::status::mib::{self, Moment};
use crate::status::snapshot::Snapshot;

/// A manager that walks asks for one object after the other: they come from one moment.
const FRESH: Duration = Duration::from_secs(1);
/// Bytes that may wait for a master to read them.
const OUTGOING: usize = 4 << 20;
/// Questions that may wait for the loop.
const QUESTIONS: usize = 256;

/// Until it is told to stop, or the loop has gone.
pub(super) fn run(
    snmp: &Snmp,
    words: mpsc::UnboundedReceiver<Word>,
    requests: mpsc::Sender<Request>,
) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            runtime.block_on(Thread::new(snmp, words, requests).run());
            // A name that is still looked up isn't waited for.
            runtime.shutdown_background();
        }
        Err(error) => tracing::error!("Starting SNMP subagent: {error}"),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connecting = Pin<Box<dyn Future<Output = std::io::Result<Box<dyn Stream>>>>>;

/// A connection, with what has come in and what is to go out.
struct Link {
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

enum Way {
    None,
    Connecting(Connecting),
    There(Link),
}

struct Thread<'a> {
    snmp: &'a Snmp,
    words: mpsc::UnboundedReceiver<Word>,
    requests: mpsc::Sender<Request>,
    session: Session,
    actions: Vec<Action>,
    way: Way,
    /// What was seen last, and when.
    tree: Option<(Instant, Tree)>,
    /// A snapshot that was asked for, and until when it is waited for.
    waiting: Option<(Instant, oneshot::Receiver<Box<Snapshot>>)>,
    questions: VecDeque<Pdu>,
    /// It was said that there is no master.
    complained: bool,
    over: bool,
}

impl<'a> Thread<'a> {
    fn new(
        snmp: &'a Snmp,
        words: mpsc::UnboundedReceiver<Word>,
        requests: mpsc::Sender<Request>,
    ) -> Thread<'a> {
        let mut actions = Vec::new();
        let name = version::KEEPALIVED.to_owned();
        let session = Session::new(mib::own_id(), name, mib::subtrees(snmp), &mut actions);
        Thread {
            snmp,
            words,
            requests,
            session,
            actions,
            way: Way::None,
            tree: None,
            waiting: None,
            questions: VecDeque::new(),
            complained: false,
            over: false,
        }
    }

    async fn run(mut self) {
        self.act();
        while !self.over {
            let deadlines = [
                self.session.deadline(),
                self.waiting.as_ref().map(|(until, _)| *until),
                self.tree.as_ref().map(|(at, _)| *at + INTERVAL),
            ];
            let deadline = deadlines.into_iter().flatten().min();
            let sleep = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => pending().await,
                }
            };
            let snapshot = async {
                match &mut self.waiting {
                    Some((_, snapshot)) => snapshot.await.ok(),
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                word = self.words.recv() => self.hear_loop(word.unwrap_or(Word::Stop)),
                snapshot = snapshot => self.look(snapshot),
                event = self.way.next() => self.hear_way(event),
                () = sleep => self.time_out(),
            }
            self.act();
        }
        if let Way::There(link) = &mut self.way {
            let _ = timeout(FAREWELL, link.writer.write_all(&link.outgoing)).await;
        }
    }

    fn tell(&mut self, event: Event) {
        self.session.handle(Instant::now(), event, &mut self.actions);
    }

    fn hear_loop(&mut self, word: Word) {
        // Whoever sees a trap and asks then doesn't get what was before.
        self.tree = None;
        match word {
            Word::Trap((kind, binds)) => self.tell(Event::Notify(kind, binds)),
            Word::Changed => {}
            Word::Stop => {
                self.over = true;
                self.tell(Event::Stop);
            }
        }
    }

    fn hear_way(&mut self, event: WayEvent) {
        match event {
            WayEvent::Connected => self.tell(Event::Connected),
            WayEvent::Lost(why) => self.tell(Event::Lost(why)),
            WayEvent::Moved => {
                while let Way::There(link) = &mut self.way
                    && let Some(read) = link.take()
                {
                    match read {
                        Ok(pdu) => self.tell(Event::Received(pdu)),
                        Err(why) => self.tell(Event::Lost(why)),
                    }
                    self.act();
                }
            }
        }
    }

    fn time_out(&mut self) {
        let now = Instant::now();
        if self.waiting.as_ref().is_some_and(|(until, _)| *until <= now) {
            self.look(None);
        }
        // Memory for managers that have gone.
        if self.tree.take_if(|(at, _)| *at + INTERVAL <= now).is_some() {
            give_back_memory();
        }
        self.tell(Event::Timeout);
    }

    fn act(&mut self) {
        while !self.actions.is_empty() {
            for action in std::mem::take(&mut self.actions) {
                self.do_one(action);
            }
        }
    }

    fn do_one(&mut self, action: Action) {
        let socket = self.snmp.socket();
        match action {
            Action::Connect => self.way = Way::Connecting(connect(socket)),
            Action::Send(pdu) => self.send(&pdu),
            Action::Disconnect if self.over => {}
            Action::Disconnect => {
                self.way = Way::None;
                self.questions.clear();
            }
            Action::Answer(pdu) => self.answer(pdu),
            Action::Opened => {
                self.complained = false;
                tracing::info!("{} AgentX subagent connected", version::KEEPALIVED);
            }
            Action::Failed(why) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(
                        "Warning: Failed to connect to the agentx master agent ({socket}): {why}; \
                         it is tried again and again"
                    );
                }
            }
            Action::Lost(why) => {
                let seconds = INTERVAL.as_secs();
                tracing::warn!("AgentX master disconnected us, reconnecting in {seconds} ({why})");
            }
            Action::Refused(subtree, error) => {
                let why = error_text(error);
                tracing::warn!("The agentx master agent doesn't take {subtree}: {why}");
            }
        }
    }

    fn send(&mut self, pdu: &Pdu) {
        let Way::There(link) = &mut self.way else { return };
        link.outgoing.extend(pdu.write());
        if link.outgoing.len() > OUTGOING {
            self.tell(Event::Lost("it doesn't read".to_owned()));
        }
    }

    /// From what was seen a moment ago, or from what the loop shows soon.
    fn answer(&mut self, asked: Pdu) {
        let now = Instant::now();
        if let Some((at, tree)) = &self.tree
            && now < *at + FRESH
        {
            let answer = self.session.answer(now, &asked, Some(tree.answer(&asked.body)));
            return self.send(&answer);
        }
        if self.questions.len() >= QUESTIONS {
            let answer = self.session.answer(now, &asked, None);
            return self.send(&answer);
        }
        self.questions.push_back(asked);
        if self.waiting.is_none() {
            let (request, snapshot) = oneshot::channel();
            self.waiting = Some((now + PATIENCE, snapshot));
            // A loop that has gone says so by dropping it.
            let _ = self.requests.try_send(request);
        }
    }

    /// The loop has shown what there is, or doesn't.
    fn look(&mut self, snapshot: Option<Box<Snapshot>>) {
        let now = Instant::now();
        self.waiting = None;
        let uptime = self.session.uptime(now);
        let moment = Moment { version: version::KEEPALIVED, now: SystemTime::now(), uptime };
        let tree = snapshot.map(|snapshot| mib::tree(&snapshot, moment));
        for asked in std::mem::take(&mut self.questions) {
            let binds = tree.as_ref().map(|tree| tree.answer(&asked.body));
            let answer = self.session.answer(now, &asked, binds);
            self.send(&answer);
        }
        self.tree = tree.map(|tree| (now, tree));
    }
}

enum WayEvent {
    Connected,
    /// Something has come in, or gone out.
    Moved,
    Lost(String),
}

impl Way {
    /// Cancel-safe.
    async fn next(&mut self) -> WayEvent {
        match self {
            Way::None => pending().await,
            Way::Connecting(connecting) => match connecting.await {
                Ok(stream) => {
                    let (reader, writer) = tokio::io::split(stream);
                    let (incoming, outgoing) = (Vec::new(), Vec::new());
                    *self = Way::There(Link { reader, writer, incoming, outgoing });
                    WayEvent::Connected
                }
                Err(error) => {
                    *self = Way::None;
                    WayEvent::Lost(error.to_string())
                }
            },
            Way::There(link) => link.next().await,
        }
    }
}

impl Link {
    async fn next(&mut self) -> WayEvent {
        let Link { reader, writer, incoming, outgoing } = self;
        let write = async {
            match outgoing.is_empty() {
                true => pending().await,
                false => writer.write(outgoing).await,
            }
        };
        tokio::select! {
            read = reader.read_buf(incoming) => match read {
                Ok(0) => WayEvent::Lost("it has closed the connection".to_owned()),
                Ok(_) => WayEvent::Moved,
                Err(error) => WayEvent::Lost(error.to_string()),
            },
            written = write => match written {
                Ok(count) => {
                    outgoing.drain(..count);
                    WayEvent::Moved
                }
                Err(error) => WayEvent::Lost(error.to_string()),
            },
        }
    }

    /// The next PDU of what has come in, if it is whole; or why it can't be one.
    fn take(&mut self) -> Option<Result<Pdu, String>> {
        let length = match announced(&self.incoming)? {
            Ok(length) => length,
            Err(fault) => return Some(Err(format!("it sends {fault}"))),
        };
        if self.incoming.len() < length {
            return None;
        }
        let bytes: Vec<u8> = self.incoming.drain(..length).collect();
        Some(Pdu::read(&bytes).map_err(|fault| format!("it sends {fault}")))
    }
}

fn connect(socket: &str) -> Connecting {
    let master = Master::parse(socket);
    Box::pin(async move {
        let stream = timeout(PATIENCE, async {
            Ok::<Box<dyn Stream>, std::io::Error>(match master {
                Ok(Master::Unix(path)) => Box::new(UnixStream::connect(path).await?),
                Ok(Master::Tcp(host, port)) => {
                    let stream = TcpStream::connect((host, port)).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream)
                }
                Err(why) => return Err(std::io::Error::other(why)),
            })
        });
        stream.await.unwrap_or_else(|_| Err(std::io::Error::other("it doesn't answer")))
    })
}
