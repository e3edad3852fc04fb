//! D-Bus: what keepalived's `enable_dbus` offers on the system bus. Clients read the instances'
//! names and states there, hear of changes, and ask for dumps, gratuitous ARPs and reloads.
//!
//! A bus may hang or be away for hours, so it has a thread of its own, which there is only where
//! the config wants it: the loop tells it what happens ([`Word`]), without waiting, and hears what
//! is asked for ([`Request`]). Who may ask is the bus's own policy. Names, paths, answers and the
//! order of signals are those of Debian's keepalived 2.2.7 as watched. Read [`objects`] (what is
//! there, and what is answered; pure), then [`session`] (the thread).

mod objects;
mod session;

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub(super) use self::objects::{Asked, Standing};
use self::objects::{Object, path_of};
use super::role::Role;
use super::router::Router;
use crate::plan::telling::Dbus;
use crate::plan::vrrp::VirtualRouter;
use crate::runtime::handoff::Report;
use crate::status::notice::News;
use crate::vrrp::machine::{Event, State};

/// Requests that may wait for the loop; whoever asks for more is told so.
const WAITING: usize = 16;
/// At the end: so long the bus may take to hear of it.
const FAREWELL: Duration = Duration::from_millis(500);

/// What the loop tells the bus's thread.
#[derive(Debug)]
enum Word {
    /// What is there; the first one begins it all.
    Objects(Vec<Object>),
    /// A reload; what is there now.
    Reloaded(Vec<Object>),
    State {
        path: String,
        standing: Standing,
    },
    Stop,
}

/// Somebody on the bus asks for something.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) asked: Asked,
    /// Dropped when it is done: the answer waits for that.
    pub(super) done: Done,
}

pub(super) type Done = oneshot::Sender<()>;

/// The loop's end of it; empty where the config doesn't want it.
#[derive(Debug, Default)]
pub(super) struct Bus(Option<Running>);

#[derive(Debug)]
struct Running {
    name: String,
    /// The thread takes every word at once, whatever the bus does: it doesn't fill up.
    words: mpsc::UnboundedSender<Word>,
    requests: mpsc::Receiver<Request>,
    /// Ends with the thread.
    over: std::sync::mpsc::Receiver<()>,
}

impl Bus {
    /// As the config wants it. What there is on the bus has to be told by [`Role::show`].
    pub(super) fn adopt(&mut self, dbus: Option<&Dbus>) {
        let name = dbus.map(|dbus| &dbus.name);
        if self.0.as_ref().map(|running| &running.name) == name {
            return;
        }
        self.say(Word::Stop);
        self.0 = name.and_then(|name| match Running::start(name) {
            Ok(running) => Some(running),
            Err(error) => {
                tracing::error!("Failed to initialise DBus: {error}");
                None
            }
        });
    }

    fn say(&self, word: Word) {
        if let Some(running) = &self.0
            && running.words.send(word).is_err()
        {
            tracing::debug!("DBus: its thread has ended");
        }
    }

    /// A router's change of state.
    pub(super) fn tell(&self, router: &VirtualRouter, news: News) {
        let Some(standing) = Standing::of_news(news).filter(|_| self.0.is_some()) else { return };
        self.say(Word::State { path: path_of(router), standing });
    }

    /// What somebody asks for next; never, where there is no bus. Cancel-safe.
    pub(super) async fn next(&mut self) -> Request {
        if let Some(running) = &mut self.0 {
            if let Some(request) = running.requests.recv().await {
                return request;
            }
            tracing::error!("DBus: its thread has ended; a reload starts it again");
            self.0 = None;
        }
        std::future::pending().await
    }

    /// Says goodbye, and waits a while for its being said.
    pub(super) fn finish(&mut self) {
        self.say(Word::Stop);
        if let Some(Running { over, words, requests, .. }) = self.0.take() {
            drop((words, requests));
            if over.recv_timeout(FAREWELL) == Err(RecvTimeoutError::Timeout) {
                tracing::debug!("DBus: the bus doesn't take the goodbye");
            }
        }
    }
}

impl Running {
    fn start(name: &str) -> std::io::Result<Running> {
        let (words, inbox) = mpsc::unbounded_channel();
        let (outbox, requests) = mpsc::channel(WAITING);
        let (end, over) = std::sync::mpsc::channel();
        let service = name.to_owned();
        std::thread::Builder::new().name("dbus".to_owned()).spawn(move || {
            session::run(&service, inbox, outbox);
            drop(end);
        })?;
        Ok(Running { name: name.to_owned(), words, requests, over })
    }
}

impl Role {
    /// Shows the bus what there is; `reloaded`: because of a new config.
    pub(super) fn show(&self, reloaded: bool) {
        if self.bus.0.is_none() {
            return;
        }
        let object = |router: &Router| {
            let (config, state) = (router.machine.router(), router.machine.state());
            Object {
                path: path_of(config),
                name: config.name.clone(),
                standing: Standing::of_state(state),
            }
        };
        let objects = self.routers.iter().map(object).collect();
        self.bus.say(if reloaded { Word::Reloaded(objects) } else { Word::Objects(objects) });
    }

    /// Does what somebody on the bus asked for.
    pub(super) fn oblige(&mut self, now: Instant, Request { asked, done }: Request) {
        match asked {
            Asked::Garp(path) => {
                let is_it = |router: &Router| path_of(router.machine.router()) == path;
                let Some(at) = self.routers.iter().position(is_it) else {
                    return tracing::info!("Unable to find DBus requested instance {path}");
                };
                tracing::info!("Sending garps on {} on DBus request", self.routers[at].name());
                self.tell(now, at, Event::Announce);
            }
            Asked::Data | Asked::Stats | Asked::StatsClear => self.print(&asked, done),
            Asked::Reload => self.report(&Report::WantReload),
        }
    }
}

impl Standing {
    fn of_state(state: State) -> Standing {
        match state {
            State::Initialize => Standing::Init,
            State::Backup => Standing::Backup,
            State::Active => Standing::Master,
            State::Fault => Standing::Fault,
        }
    }

    /// `None`: no change of state.
    fn of_news(news: News) -> Option<Standing> {
        Some(match news {
            News::Master => Standing::Master,
            News::Backup => Standing::Backup,
            News::Fault => Standing::Fault,
            News::Stop => Standing::Stop,
            News::Deleted => Standing::Deleted,
            News::MasterPriority | News::BackupPriority | News::MasterRxLowerPriority => {
                return None;
            }
        })
    }
}
