//! A named peer of a case: what it does with each connection or datagram, and what it saw.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::proxy::peer::{Hanging, Peer};

use super::client::{self, Client, Wire};
use super::program::{PATIENCE, until};
use super::words::quote;
use super::{preface, tls};

/// Ends when dropped.
pub(super) struct Server {
    seen: Arc<Mutex<Vec<Session>>>,
    over: Arc<AtomicBool>,
    _peer: Option<Peer>,
    _hanging: Option<Hanging>,
    _thread: Option<Thread>,
}

/// What one connection, or all datagrams, showed.
#[derive(Default)]
struct Session {
    events: Vec<Event>,
    /// Nothing more will be seen.
    done: bool,
}

enum Event {
    Data(Vec<u8>),
    Note(String),
}

/// What a peer does.
#[derive(Clone)]
enum Action {
    Echo,
    Send(Vec<u8>),
    /// Sends its own name.
    Name,
    /// Sends the client's address, without the port.
    Who,
    Receive(usize),
    Line,
    /// Reads until the end.
    Read,
    Header,
    Tls(Vec<String>),
    Wait(Duration),
    HalfClose,
    Reset,
    Vanish,
    Hang,
}

impl Server {
    /// `words`: `tcp|udp|unix|full ADDRESS ACTION [then ACTION]…`
    pub(super) fn start(name: &str, words: &[Vec<u8>]) -> Result<Server, String> {
        let mut server = Server {
            seen: Arc::default(),
            over: Arc::default(),
            _peer: None,
            _hanging: None,
            _thread: None,
        };
        let [kind, address, rest @ ..] = words else {
            return Err("a peer needs a kind and an address".into());
        };
        let (kind, address) = (String::from_utf8_lossy(kind), String::from_utf8_lossy(address));
        let actions = actions(rest)?;
        let serve = {
            let (seen, over) = (Arc::clone(&server.seen), Arc::clone(&server.over));
            let (name, actions) = (name.to_owned(), actions.clone());
            move |wire: Wire| {
                let at = begin(&seen);
                let mut serving = Serving {
                    client: Client::Plain(wire),
                    name: &name,
                    seen: &seen,
                    at,
                    over: &over,
                };
                let end = serving.run(&actions).err();
                let session = &mut lock(&seen)[at];
                session.events.extend(end.map(|error| Event::Note(client::name(&error))));
                session.done = true;
            }
        };
        match &*kind {
            "tcp" => server._peer = Some(Peer::start(&address, move |it| serve(Wire::Tcp(it)))),
            "unix" => {
                server._peer = Some(Peer::start_unix(&address, move |it| serve(Wire::Unix(it))));
            }
            "full" => server._hanging = Some(Hanging::start(&address)),
            "udp" => server._thread = Some(server.answer_datagrams(name, &address, actions)?),
            other => return Err(format!("no kind of peer: {other}")),
        }
        Ok(server)
    }

    /// A line for each connection, when all of them are through.
    pub(super) fn saw(&self) -> Result<Vec<String>, String> {
        until("its connections aren't over", || lock(&self.seen).iter().all(|it| it.done))?;
        Ok(lock(&self.seen).iter().enumerate().map(|(at, it)| it.line(at + 1)).collect())
    }

    /// Waits until so many connections, or datagrams, have come.
    pub(super) fn has(&self, count: usize) -> Result<(), String> {
        until(&format!("it hasn't seen {count}"), || lock(&self.seen).len() >= count)
    }

    fn answer_datagrams(
        &self,
        name: &str,
        address: &str,
        actions: Vec<Action>,
    ) -> Result<Thread, String> {
        let socket = UdpSocket::bind(address).map_err(|error| format!("{address}: {error}"))?;
        let (seen, over) = (Arc::clone(&self.seen), Arc::clone(&self.over));
        let name = name.to_owned();
        socket.set_read_timeout(Some(Duration::from_millis(20))).map_err(|it| it.to_string())?;
        let thread = std::thread::spawn(move || {
            let mut sources: HashMap<SocketAddr, String> = HashMap::new();
            let mut buffer = vec![0; 65536];
            while !over.load(Ordering::SeqCst) {
                let Ok((count, from)) = socket.recv_from(&mut buffer) else { continue };
                let next = format!("from {}", char::from(b'A' + sources.len() as u8 % 26));
                let source = sources.entry(from).or_insert(next).clone();
                let at = begin(&seen);
                let events = vec![Event::Note(source), Event::Data(buffer[..count].to_vec())];
                lock(&seen)[at] = Session { events, done: true };
                for action in &actions {
                    let reply = match action {
                        Action::Echo => buffer[..count].to_vec(),
                        Action::Send(bytes) => bytes.clone(),
                        Action::Name => name.clone().into_bytes(),
                        Action::Who => from.ip().to_string().into_bytes(),
                        Action::Wait(time) => {
                            std::thread::sleep(*time);
                            continue;
                        }
                        _ => continue,
                    };
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Ok(Thread { over: Arc::clone(&self.over), handle: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// Joined when dropped, so that its socket is closed then.
struct Thread {
    over: Arc<AtomicBool>,
    handle: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.handle.take().map(std::thread::JoinHandle::join);
    }
}

/// One connection being served.
struct Serving<'a> {
    client: Client,
    name: &'a str,
    seen: &'a Mutex<Vec<Session>>,
    at: usize,
    over: &'a AtomicBool,
}

impl Serving<'_> {
    fn run(&mut self, actions: &[Action]) -> io::Result<()> {
        let who = match &self.client {
            Client::Plain(Wire::Tcp(stream)) => stream.peer_addr()?.ip().to_string(),
            _ => "unix:".to_owned(),
        };
        if let Client::Plain(wire) = &self.client {
            wire.patience(PATIENCE)?;
        }
        for action in actions {
            match action {
                Action::Echo => {
                    while let Some(bytes) = self.read(16384)? {
                        self.client.send(&bytes)?;
                    }
                }
                Action::Send(bytes) => self.client.send(bytes)?,
                Action::Name => self.client.send(self.name.as_bytes())?,
                Action::Who => self.client.send(who.as_bytes())?,
                Action::Receive(count) => {
                    let mut left = *count;
                    while left > 0 {
                        let Some(bytes) = self.read(left)? else { break };
                        left -= bytes.len();
                    }
                }
                Action::Line => while self.read(1)?.is_some_and(|byte| byte != *b"\n") {},
                Action::Read => while self.read(65536)?.is_some() {},
                Action::Header => {
                    let header = preface::read(&mut self.client)?;
                    self.note(header);
                }
                Action::Tls(options) => self.handshake(options)?,
                Action::Wait(time) => std::thread::sleep(*time),
                Action::HalfClose => self.client.half_close()?,
                Action::Reset => self.client.reset(),
                Action::Vanish => self.client.vanish()?,
                Action::Hang => {
                    lock(self.seen)[self.at].done = true;
                    let end = Instant::now() + 3 * PATIENCE;
                    while !self.over.load(Ordering::SeqCst) && Instant::now() < end {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
        }
        Ok(())
    }

    fn handshake(&mut self, options: &[String]) -> io::Result<()> {
        let Client::Plain(wire) = std::mem::replace(&mut self.client, Client::Closed) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let (stream, note) = tls::accept(wire, options)?;
        self.client = stream;
        self.note(note);
        Ok(())
    }

    fn note(&self, note: String) {
        lock(self.seen)[self.at].events.push(Event::Note(note));
    }

    /// Nothing at the end, which is noted.
    fn read(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; most];
        let count = self.client.read(&mut buffer)?;
        buffer.truncate(count);
        let events = &mut lock(self.seen)[self.at].events;
        match (count, events.last_mut()) {
            (0, _) => events.push(Event::Note("EOF".into())),
            (_, Some(Event::Data(data))) => data.extend_from_slice(&buffer),
            _ => events.push(Event::Data(buffer.clone())),
        }
        Ok((count > 0).then_some(buffer))
    }
}

impl Session {
    fn line(&self, number: usize) -> String {
        let events = self.events.iter().map(|event| match event {
            Event::Data(bytes) => quote(bytes),
            Event::Note(note) => note.clone(),
        });
        format!("{number}: {}", events.collect::<Vec<_>>().join(" "))
    }
}

fn begin(seen: &Mutex<Vec<Session>>) -> usize {
    let mut seen = lock(seen);
    seen.push(Session::default());
    seen.len() - 1
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn actions(words: &[Vec<u8>]) -> Result<Vec<Action>, String> {
    let parts = words.split(|word| word == b"then").filter(|part| !part.is_empty());
    parts.map(action).collect()
}

fn action(words: &[Vec<u8>]) -> Result<Action, String> {
    let texts: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("not a number: {text}"));
    Ok(match &texts[..] {
        ["echo"] => Action::Echo,
        ["send", _] => Action::Send(words[1].clone()),
        ["name"] => Action::Name,
        ["who"] => Action::Who,
        ["recv", count] => Action::Receive(number(count)?),
        ["line"] => Action::Line,
        ["read"] => Action::Read,
        ["header"] => Action::Header,
        ["tls", options @ ..] => Action::Tls(options.iter().map(|it| (*it).to_owned()).collect()),
        ["wait", time] => Action::Wait(Duration::from_millis(number(time)? as u64)),
        ["half-close"] => Action::HalfClose,
        ["reset"] => Action::Reset,
        ["vanish"] => Action::Vanish,
        ["hang"] => Action::Hang,
        // What happens at the end anyway.
        ["close"] => Action::Wait(Duration::ZERO),
        other => return Err(format!("a peer can't do that: {}", other.join(" "))),
    })
}
