//! A name server of a case: what it knows, what it was asked, and how it misbehaves.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::program::until;

/// Looked at so often whether it is over.
const GLANCE: Duration = Duration::from_millis(10);
/// What an answer needs to be in force, once it is sent.
const SETTLING: Duration = Duration::from_millis(150);

/// Ends when dropped.
pub(super) struct Dns {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By name and type; `*` for every type.
    zone: BTreeMap<(String, String), Rule>,
    /// `NAME TYPE`, with ` tcp`.
    asked: Vec<String>,
    /// How many there were when the zone was last changed.
    before: usize,
}

#[derive(Clone, Default)]
struct Rule {
    records: Vec<Vec<u8>>,
    /// `None`: no answer at all.
    code: Option<u8>,
    delay: Duration,
    truncated: bool,
    /// An answer with another number and this address goes ahead.
    forged: Option<IpAddr>,
}

impl Dns {
    /// `words`: `ADDRESS [RULE [then RULE]…]`
    pub(super) fn start(words: &[&str]) -> Result<Dns, String> {
        let [address, rules @ ..] = words else {
            return Err("a name server needs an address".into());
        };
        let shared: Arc<Shared> = Arc::default();
        let failed = |error: std::io::Error| format!("{address}: {error}");
        let socket = UdpSocket::bind(address).map_err(failed)?;
        let listener = TcpListener::bind(address).map_err(failed)?;
        socket.set_read_timeout(Some(GLANCE)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let socket = Arc::new(socket);
        let by_datagram = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || answer_datagrams(&shared, &socket))
        };
        let by_stream = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || answer_streams(&shared, &listener))
        };
        let dns = Dns { shared, threads: vec![by_datagram, by_stream] };
        dns.change(rules)?;
        Ok(dns)
    }

    /// More rules, or others for the same names.
    pub(super) fn change(&self, words: &[&str]) -> Result<(), String> {
        let rules = words.split(|word| *word == "then").filter(|rule| !rule.is_empty());
        let rules: Vec<_> = rules.map(parse).collect::<Result<_, _>>()?;
        let mut state = self.shared.state();
        for (key, _) in &rules {
            // `*` and a type exclude each other.
            state.zone.retain(|(name, kind), _| *name != key.0 || (kind != "*" && key.1 != "*"));
        }
        state.zone.extend(rules);
        state.before = state.asked.len();
        Ok(())
    }

    /// Everything, once so many questions have come.
    pub(super) fn asked(&self, count: usize) -> Result<Vec<String>, String> {
        until("it wasn't asked so often", || self.shared.state().asked.len() >= count)?;
        Ok(self.shared.state().asked.clone())
    }

    /// Waits until it has been asked for a name since the last change.
    pub(super) fn renewed(&self, name: &str) -> Result<(), String> {
        let wanted = format!("{name} ");
        until(&format!("it isn't asked for {name} again"), || {
            let state = self.shared.state();
            state.asked[state.before..].iter().any(|asked| asked.starts_with(&wanted))
        })?;
        std::thread::sleep(SETTLING);
        Ok(())
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    /// What to answer to a question. A name that has only other types has nothing of this one.
    fn rule(&self, question: &Question, tcp: bool) -> Rule {
        let mut state = self.state();
        let way = if tcp { " tcp" } else { "" };
        state.asked.push(format!("{} {}{way}", question.name, question.kind));
        let of = |kind: &str| state.zone.get(&(question.name.clone(), kind.to_owned())).cloned();
        of(&question.kind).or_else(|| of("*")).unwrap_or_else(|| {
            let known = state.zone.keys().any(|(name, _)| *name == question.name);
            Rule { code: Some(if known { 0 } else { 3 }), ..Rule::default() }
        })
    }
}

fn answer_datagrams(shared: &Arc<Shared>, socket: &Arc<UdpSocket>) {
    let mut bytes = [0; 1500];
    let mut late = Vec::new();
    while shared.goes_on() {
        let Ok((count, from)) = socket.recv_from(&mut bytes) else { continue };
        let Some(question) = Question::read(&bytes[..count]) else { continue };
        let rule = shared.rule(&question, false);
        if rule.delay.is_zero() {
            answer(socket, from, &question, &rule);
            continue;
        }
        let socket = Arc::clone(socket);
        late.push(std::thread::spawn(move || {
            std::thread::sleep(rule.delay);
            answer(&socket, from, &question, &rule);
        }));
    }
    late.into_iter().for_each(|thread| drop(thread.join()));
}

fn answer(socket: &UdpSocket, to: SocketAddr, question: &Question, rule: &Rule) {
    let Some(code) = rule.code else { return };
    if let Some(address) = rule.forged {
        let forged = [record(&question.name, 60, &[&address.to_string()])];
        let forged = forged.into_iter().flatten().collect::<Vec<_>>();
        let mut bytes = question.reply(0, false, &forged);
        bytes[0] ^= 0xff;
        let _ = socket.send_to(&bytes, to);
        let _ = socket.send_to(b"not even a header", to);
    }
    let records = if rule.truncated { &[] } else { &rule.records[..] };
    let _ = socket.send_to(&question.reply(code, rule.truncated, records), to);
}

fn answer_streams(shared: &Arc<Shared>, listener: &TcpListener) {
    while shared.goes_on() {
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(GLANCE);
            continue;
        };
        let _ = stream.set_nonblocking(false);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
        let mut length = [0; 2];
        let Ok(()) = stream.read_exact(&mut length) else { continue };
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
        let Ok(()) = stream.read_exact(&mut bytes) else { continue };
        let Some(question) = Question::read(&bytes) else { continue };
        let rule = shared.rule(&question, true);
        let Some(code) = rule.code else { continue };
        let reply = question.reply(code, false, &rule.records);
        let length = (reply.len() as u16).to_be_bytes();
        let _ = stream.write_all(&[&length, &reply[..]].concat());
    }
}

struct Question {
    head: [u8; 2],
    /// As it stands in the message.
    bytes: Vec<u8>,
    name: String,
    kind: String,
}

impl Question {
    fn read(message: &[u8]) -> Option<Question> {
        let (mut at, mut labels) = (12, Vec::new());
        while let length @ 1.. = usize::from(*message.get(at)?) {
            labels.push(
                String::from_utf8_lossy(message.get(at + 1..at + 1 + length)?).to_lowercase(),
            );
            at += 1 + length;
        }
        let kind = match message.get(at + 1..at + 3)? {
            [0, 1] => "A".to_owned(),
            [0, 28] => "AAAA".to_owned(),
            [0, 33] => "SRV".to_owned(),
            other => format!("{other:?}"),
        };
        let (head, bytes) = ([message[0], message[1]], message.get(12..at + 5)?.to_vec());
        Some(Question { head, bytes, name: labels.join("."), kind })
    }

    fn reply(&self, code: u8, truncated: bool, records: &[Vec<u8>]) -> Vec<u8> {
        let mut reply = self.head.to_vec();
        reply.extend([0x81 | u8::from(truncated) << 1, 0x80 | code, 0, 1]);
        reply.extend((records.len() as u16).to_be_bytes());
        reply.extend([0; 4]);
        reply.extend(&self.bytes);
        reply.extend(records.iter().flatten());
        reply
    }
}

/// `NAME TYPE [ttl=S] [delay=MS] [truncated] [forged=ADDRESS] DATA…|nxdomain|servfail|…|silent`, where
/// `*` is every type; data of another type than the rule's says so: `alias=NAME`, `of=NAME=ADDRESS`.
fn parse(words: &[&str]) -> Result<((String, String), Rule), String> {
    let [name, kind, words @ ..] = words else { return Err("NAME TYPE DATA…".into()) };
    let mut rule = Rule { code: Some(0), ..Rule::default() };
    let mut ttl = 0;
    for word in words {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("not a number: {text}"));
        match word.split_once('=').unwrap_or((word, "")) {
            ("ttl", value) => ttl = number(value)?,
            ("delay", value) => rule.delay = Duration::from_millis(number(value)?.into()),
            ("forged", value) => {
                rule.forged = Some(value.parse().map_err(|_| format!("no address: {value}"))?);
            }
            ("truncated", _) => rule.truncated = true,
            ("nxdomain", _) => rule.code = Some(3),
            ("servfail", _) => rule.code = Some(2),
            ("formerr", _) => rule.code = Some(1),
            ("notimp", _) => rule.code = Some(4),
            ("refused", _) => rule.code = Some(5),
            ("silent", _) => rule.code = None,
            ("alias", to) => rule.records.push(raw(name, 5, ttl, &encoded(to))),
            ("of", data) => {
                let (owner, address) = data.split_once('=').ok_or("of=NAME=ADDRESS")?;
                rule.records.extend(record(owner, ttl, &[address]));
            }
            _ if kind.eq_ignore_ascii_case("SRV") => {
                let parts: Vec<&str> = word.split(',').collect();
                let [priority, weight, port, target] = parts[..] else {
                    return Err("PRIORITY,WEIGHT,PORT,TARGET".into());
                };
                let mut data = Vec::new();
                for part in [priority, weight, port] {
                    data.extend((number(part)? as u16).to_be_bytes());
                }
                data.extend(encoded(target));
                rule.records.push(raw(name, 33, ttl, &data));
            }
            _ => rule.records.extend(record(name, ttl, &[word])),
        }
    }
    Ok((((*name).to_owned(), (*kind).to_owned()), rule))
}

fn record(owner: &str, ttl: u32, addresses: &[&str]) -> Vec<Vec<u8>> {
    let addresses = addresses.iter().filter_map(|text| text.parse().ok());
    addresses
        .map(|address| match address {
            IpAddr::V4(address) => raw(owner, 1, ttl, &address.octets()),
            IpAddr::V6(address) => raw(owner, 28, ttl, &address.octets()),
        })
        .collect()
}

fn raw(owner: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = encoded(owner);
    record.extend(kind.to_be_bytes());
    record.extend([0, 1]);
    record.extend(ttl.to_be_bytes());
    record.extend((data.len() as u16).to_be_bytes());
    record.extend(data);
    record
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
