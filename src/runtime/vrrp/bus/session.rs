//! The bus's thread: gets on the bus, stays there, and comes back when it was lost.
//!
//! It always takes what the loop says at once. What goes out to the bus has a queue of its own, so
//! that a bus which doesn't read costs signals (counted and said), nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use zbus::message::{Flags, Header, Message, Type};
use zbus::zvariant::DynamicType;
use zbus::{Connection, MessageStream, connection};

use super::objects::{
    Answer, Asked, Call, INSTANCE_INTERFACE, Object, Objects, VRRP, VRRP_INTERFACE,
};
use super::{FAREWELL, Request, Standing, Word};

const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// A bus that takes longer than this to say hello hangs.
const HELLO: Duration = Duration::from_secs(20);
/// Between tries: doubles from the one to the other.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Messages that may wait for the bus to read them: the beginning of thousands of instances fits.
const OUTGOING: usize = 16 * 1024;
/// What was asked for takes no longer, or the one who asked is told so.
const PATIENCE: Duration = Duration::from_secs(10);

const LIMITS_EXCEEDED: &str = "org.freedesktop.DBus.Error.LimitsExceeded";
const TIMED_OUT: &str = "org.freedesktop.DBus.Error.Timeout";
const FAILED: &str = "org.freedesktop.DBus.Error.Failed";

/// Until it is told to stop, or the loop has gone. `name`: what it is called on the bus.
pub(super) fn run(
    name: &str,
    words: mpsc::UnboundedReceiver<Word>,
    requests: mpsc::Sender<Request>,
) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let session = Session { name, words, requests, objects: Objects::default() };
            runtime.block_on(session.run());
        }
        Err(error) => tracing::error!("Failed to initialise DBus: {error}"),
    }
}

struct Session<'a> {
    name: &'a str,
    words: mpsc::UnboundedReceiver<Word>,
    requests: mpsc::Sender<Request>,
    objects: Objects,
}

/// Why a link has ended.
enum End {
    /// It was told to stop.
    Over,
    Lost(String),
}

impl Session<'_> {
    async fn run(mut self) {
        let (mut pause, mut complained) = (FIRST_PAUSE, false);
        if !self.hear_of_objects().await {
            return;
        }
        loop {
            let name = self.name;
            let linked = tokio::select! {
                linked = timeout(HELLO, Link::open(name)) => linked,
                () = self.keep_up() => return,
            };
            let lost = match linked {
                Err(_) => "the system bus doesn't answer".to_owned(),
                Ok(Err(error)) => format!("no system bus: {error}"),
                Ok(Ok(link)) => {
                    let begun = Instant::now();
                    let End::Lost(why) = link.serve(&mut self).await else { return };
                    complained = false;
                    // One that is lost at once, again and again, isn't worth trying every second.
                    if begun.elapsed() > LONGEST_PAUSE {
                        pause = FIRST_PAUSE;
                    }
                    format!("the system bus has gone: {why}")
                }
            };
            if !complained {
                complained = true;
                tracing::warn!("Lost the name {name} on the session bus");
                tracing::warn!("DBus: {lost}; it is tried again and again");
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.keep_up() => return,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The loop has said what there is; `false`: it has gone.
    async fn hear_of_objects(&mut self) -> bool {
        while let Some(word) = self.words.recv().await {
            match word {
                Word::Objects(objects) | Word::Reloaded(objects) => {
                    self.objects.replace(objects);
                    return true;
                }
                Word::State { .. } => {}
                Word::Stop => return false,
            }
        }
        false
    }

    /// Takes what is said while there is no bus, until it is to stop. Cancel-safe.
    async fn keep_up(&mut self) {
        while let Some(word) = self.words.recv().await {
            match word {
                Word::Objects(objects) | Word::Reloaded(objects) => {
                    self.objects.replace(objects);
                }
                Word::State { path, standing } => self.objects.set(&path, standing),
                Word::Stop => return,
            }
        }
    }
}

/// What goes out, in order, written by a task of its own.
#[derive(Clone)]
struct Outbox {
    queue: mpsc::Sender<Message>,
    lost: Arc<AtomicU64>,
}

impl Outbox {
    fn put(&self, message: zbus::Result<Message>) {
        match message.map(|message| self.queue.try_send(message)) {
            Ok(Ok(())) => match self.lost.swap(0, Ordering::Relaxed) {
                0 => {}
                lost => tracing::warn!("DBus: the bus reads again; {lost} messages were lost"),
            },
            Ok(Err(TrySendError::Full(_))) => {
                if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!("DBus: the bus doesn't read; messages are lost");
                }
            }
            // It is noticed where messages are read.
            Ok(Err(TrySendError::Closed(_))) => {}
            Err(error) => tracing::error!("DBus: {error}"),
        }
    }

    fn signal(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl serde::Serialize + DynamicType),
    ) {
        let message = Message::signal(path, interface, member).and_then(|it| it.build(body));
        self.put(message);
    }

    fn vrrp(&self, member: &str) {
        self.signal(VRRP, VRRP_INTERFACE, member, &());
    }

    fn status(&self, path: &str, standing: Standing) {
        self.signal(path, INSTANCE_INTERFACE, "VrrpStatusChange", &(standing as u32));
    }

    fn reply(&self, to: &Header, body: &(impl serde::Serialize + DynamicType)) {
        self.put(Message::method_return(to).and_then(|it| it.build(body)));
    }

    fn refuse(&self, to: &Header, error: &str, text: &str) {
        self.put(Message::error(to, error).and_then(|it| it.build(&text)));
    }
}

/// A connection to a bus.
struct Link<'a> {
    name: &'a str,
    stream: MessageStream,
    outbox: Outbox,
    writer: tokio::task::JoinHandle<()>,
    /// The call that asks for the name.
    asking: u32,
    /// The bus didn't give it.
    refused: bool,
    /// [`VRRP`] has said that it is there.
    greeted: bool,
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl<'a> Link<'a> {
    async fn open(name: &'a str) -> zbus::Result<Link<'a>> {
        let connection = connection::Builder::system()?.build().await?;
        let stream = MessageStream::from(&connection);
        let (queue, mut queued) = mpsc::channel::<Message>(OUTGOING);
        let writer = tokio::spawn(write(connection, async move || queued.recv().await));
        let outbox = Outbox { queue, lost: Arc::default() };
        tracing::info!("Acquired DBus bus {name}");
        let mut link =
            Link { name, stream, outbox, writer, asking: 0, refused: false, greeted: false };
        link.ask_for_name();
        Ok(link)
    }

    /// Without flags: who comes second waits until the first one has gone.
    fn ask_for_name(&mut self) {
        self.refused = false;
        let call = to_bus("RequestName", &(self.name, 0u32));
        if let Ok(call) = &call {
            self.asking = call.primary_header().serial_num().get();
        }
        self.outbox.put(call);
    }

    async fn serve(mut self, session: &mut Session<'_>) -> End {
        loop {
            tokio::select! {
                biased;
                word = session.words.recv() => match word {
                    Some(Word::Stop) | None => {
                        self.say_goodbye().await;
                        return End::Over;
                    }
                    Some(word) => self.pass_on(word, &mut session.objects),
                },
                message = self.stream.next() => match message {
                    None => return End::Lost("it has closed the connection".to_owned()),
                    Some(Err(error)) => return End::Lost(error.to_string()),
                    Some(Ok(message)) => self.hear(&message, session),
                },
            }
        }
    }

    /// What the loop says, to everybody on the bus.
    fn pass_on(&mut self, word: Word, objects: &mut Objects) {
        match word {
            Word::Objects(new) => drop(objects.replace(new)),
            Word::Reloaded(new) => {
                // The bus's policy may be another one by now.
                if self.refused {
                    self.ask_for_name();
                }
                if self.greeted {
                    self.outbox.vrrp("VrrpReloaded");
                }
                for name in objects.replace(new) {
                    tracing::info!("Deleted DBus object for instance {name}");
                }
            }
            Word::State { path, standing } => {
                objects.set(&path, standing);
                if self.greeted {
                    self.outbox.status(&path, standing);
                }
            }
            Word::Stop => {}
        }
    }

    fn hear(&mut self, message: &Message, session: &Session<'_>) {
        let header = message.header();
        match message.message_type() {
            Type::MethodCall => self.answer(message, &header, session),
            // Only the bus itself can be this sender.
            _ if header.sender().is_none_or(|sender| sender.as_str() != BUS) => {}
            Type::MethodReturn | Type::Error
                if header.reply_serial().is_some_and(|it| it.get() == self.asking) =>
            {
                if message.message_type() == Type::Error {
                    self.refused = true;
                    let text: String = message.body().deserialize().unwrap_or_default();
                    tracing::warn!("Lost the name {} on the session bus", self.name);
                    tracing::warn!("DBus: {text}; a reload asks for it again");
                } else if !matches!(message.body().deserialize(), Ok(1u32 | 4)) {
                    tracing::warn!("Lost the name {} on the session bus", self.name);
                }
                self.greet(&session.objects);
            }
            Type::Signal => {
                let body = message.body();
                let ours = body.deserialize::<&str>().is_ok_and(|name| name == self.name);
                match header.member().map(|member| member.as_str()) {
                    Some("NameAcquired") if ours => {
                        tracing::info!("Acquired the name {} on the session bus", self.name);
                    }
                    Some("NameLost") if ours => {
                        tracing::warn!("Lost the name {} on the session bus", self.name);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Everybody hears that this daemon is there, and how its instances are.
    fn greet(&mut self, objects: &Objects) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        self.outbox.vrrp("VrrpStarted");
        for Object { path, standing, .. } in objects.iter() {
            self.outbox.status(path, *standing);
        }
    }

    fn answer(&self, message: &Message, header: &Header, session: &Session<'_>) {
        let (Some(path), Some(member)) = (header.path(), header.member()) else { return };
        let body = message.body();
        let signature = header.signature().to_string_no_parens();
        let words = match signature.as_str() {
            "s" => [body.deserialize().unwrap_or_default(), ""],
            "ss" => body.deserialize::<(&str, &str)>().unwrap_or_default().into(),
            "ssv" => {
                let three = body.deserialize::<(&str, &str, zbus::zvariant::Value)>();
                three.map(|(one, two, _)| [one, two]).unwrap_or_default()
            }
            _ => Default::default(),
        };
        let answer = session.objects.answer(Call {
            path: path.as_str(),
            interface: header.interface().map(|interface| interface.as_str()),
            member: member.as_str(),
            signature: &signature,
            words,
        });
        let expected = !message.primary_header().flags().contains(Flags::NoReplyExpected);
        if let Answer::Ask(asked) = answer {
            self.ask(asked, message, expected, session);
            return;
        }
        if !expected {
            return;
        }
        match answer {
            Answer::Done | Answer::Ask(_) => self.outbox.reply(header, &()),
            Answer::Text(text) => self.outbox.reply(header, &text),
            Answer::Value(value) => self.outbox.reply(header, &value),
            Answer::Values(values) => self.outbox.reply(header, &values),
            Answer::MachineId => match machine_id() {
                Ok(id) => self.outbox.reply(header, &id),
                Err(error) => self.outbox.refuse(header, FAILED, &error.to_string()),
            },
            Answer::Error(name, text) => self.outbox.refuse(header, name, &text),
        }
    }

    /// Lets the loop do it; the answer comes when it is done.
    fn ask(&self, asked: Asked, message: &Message, expected: bool, session: &Session<'_>) {
        let (done, is_done) = oneshot::channel();
        let header = message.header();
        if session.requests.try_send(Request { asked, done }).is_err() {
            if expected {
                let text = "too much is asked for at once";
                self.outbox.refuse(&header, LIMITS_EXCEEDED, text);
            }
            return;
        }
        if !expected {
            return;
        }
        let (outbox, message) = (self.outbox.clone(), message.clone());
        tokio::spawn(async move {
            let header = message.header();
            match timeout(PATIENCE, is_done).await {
                Ok(_) => outbox.reply(&header, &()),
                Err(_) => outbox.refuse(&header, TIMED_OUT, "it takes too long"),
            }
        });
    }

    /// Tells everybody, gives the name back, and waits a while for the bus to read that.
    async fn say_goodbye(mut self) {
        if self.greeted {
            self.outbox.vrrp("VrrpStopped");
        }
        self.outbox.put(to_bus("ReleaseName", &self.name));
        // The writer ends when nothing more can come.
        let (queue, _) = mpsc::channel(1);
        self.outbox = Outbox { queue, lost: Arc::default() };
        let _ = timeout(FAREWELL, &mut self.writer).await;
        tracing::info!("Released DBus");
    }
}

/// Writes what comes until nothing more can come. A bus that has gone is noticed where messages
/// are read.
async fn write(connection: Connection, mut next: impl AsyncFnMut() -> Option<Message>) {
    while let Some(message) = next().await {
        if let Err(error) = connection.send(&message).await {
            tracing::debug!("DBus: {error}");
            return;
        }
    }
}

/// A call of the bus's own.
fn to_bus(member: &str, body: &(impl serde::Serialize + DynamicType)) -> zbus::Result<Message> {
    Message::method_call(BUS_PATH, member)?.destination(BUS)?.interface(BUS)?.build(body)
}

/// The D-Bus specification's `org.freedesktop.DBus.Peer.GetMachineId`.
fn machine_id() -> std::io::Result<String> {
    let read = |path| std::fs::read_to_string(path).map(|id| id.trim().to_owned());
    read("/var/lib/dbus/machine-id").or_else(|_| read("/etc/machine-id"))
}
