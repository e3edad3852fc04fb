//! Where names are resolved: one desk for the whole stream role, on the thread that follows the
//! supervisor's instructions, which has nothing else to do. So a name is asked for once, not once
//! per worker as in nginx, every worker sees the same peers at the same time, and no worker's
//! sessions wait for it.
//!
//! [`Names`] is the counter: workers (and whoever else needs an address) ask there and are called
//! back. [`Desk`] is behind it: it drives the pure machines of [`crate::proxy::resolver`], and
//! keeps the peers of upstreams with `resolve` up to date. [`line`] has the sockets.

mod line;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::counters::Counters;
use super::log::Log;
use super::pool::Pool;
use crate::plan::process::LogLevel;
use crate::plan::stream::Resolver as Settings;
use crate::proxy::resolver::{Action, Answer, Failure, Found, Places, Ticket};
use line::{Heard, Line, LineId, News};

/// When to look at the clock though nothing is due.
const HORIZON: Duration = Duration::from_secs(3600);

/// Called with the answer, on the desk's thread: it must not wait.
type Reply = Box<dyn FnOnce(Answer) + Send>;

enum Errand {
    Host {
        settings: Box<Settings>,
        host: String,
        reply: Reply,
    },
    /// From now on, these pools' names are followed, and no others.
    Follow {
        pools: Vec<Arc<Pool>>,
        log: Log,
    },
}

/// Asks for names. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Names {
    errands: mpsc::UnboundedSender<Errand>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// The addresses of a host, by the name servers of `settings`. `reply` is called once, on
    /// another thread, at the latest when `resolver_timeout` has passed.
    pub(super) fn ask(&self, settings: &Settings, host: &str, reply: Reply) {
        let settings = Box::new(settings.clone());
        let errand = Errand::Host { settings, host: host.to_owned(), reply };
        if let Err(mpsc::error::SendError(Errand::Host { reply, .. })) = self.errands.send(errand) {
            reply(failed(Failure::TimedOut));
        }
    }

    /// The same for async code, on any runtime. An error prints as nginx has it:
    /// `3: Host not found`.
    #[allow(dead_code, reason = "for OCSP responders")]
    pub(crate) async fn resolve(&self, settings: &Settings, host: &str) -> Answer {
        let (tell, told) = oneshot::channel();
        let reply = move |answer| {
            let _ = tell.send(answer);
        };
        self.ask(settings, host, Box::new(reply));
        told.await.unwrap_or_else(|_| failed(Failure::TimedOut))
    }

    /// From now on, these pools' names are followed, and no others.
    pub(super) fn follow(&self, pools: &[Arc<Pool>], log: &Log) {
        let late = pools.iter().filter(|pool| pool.late.is_some());
        let pools = late.map(Arc::clone).collect();
        // A desk that has closed follows nobody.
        let _ = self.errands.send(Errand::Follow { pools, log: log.clone() });
    }
}

fn failed(failure: Failure) -> Answer {
    Found { what: Err(failure), until: Instant::now() }
}

/// Who is told of an answer.
enum Asker {
    Client(Reply),
    /// One of its names, by the roster's number.
    Pool(Arc<Pool>, usize),
}

pub(super) struct Desk {
    errands: mpsc::UnboundedReceiver<Errand>,
    hear: mpsc::UnboundedSender<News>,
    heard: mpsc::UnboundedReceiver<News>,
    lines: HashMap<LineId, Line>,
    next_line: LineId,
    pools: Vec<Arc<Pool>>,
    askers: HashMap<Ticket, Asker>,
    next_ticket: Ticket,
    log: Option<Log>,
    counters: Arc<Counters>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    pub(super) fn open(counters: Arc<Counters>) -> (Names, Desk) {
        let (errands, inbox) = mpsc::unbounded_channel();
        let (hear, heard) = mpsc::unbounded_channel();
        let desk = Desk {
            errands: inbox,
            hear,
            heard,
            lines: HashMap::new(),
            next_line: 0,
            pools: Vec::new(),
            askers: HashMap::new(),
            next_ticket: 0,
            log: None,
            counters,
        };
        (Names { errands }, desk)
    }

    /// Serves until nobody can ask any more. On any tokio runtime.
    pub(super) async fn serve(mut self) {
        loop {
            let now = Instant::now();
            let deadline = self.deadline().unwrap_or(now + HORIZON);
            tokio::select! {
                errand = self.errands.recv() => match errand {
                    Some(errand) => self.run(Instant::now(), errand),
                    None => return,
                },
                Some(news) = self.heard.recv() => self.hear(Instant::now(), news),
                () = tokio::time::sleep_until(deadline.into()) => self.expire(Instant::now()),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let lines = self.lines.values().filter_map(|line| line.resolver.deadline());
        let pools = self.pools.iter().filter_map(|pool| pool.late.as_ref()?.roster().deadline());
        lines.chain(pools).min()
    }

    fn run(&mut self, now: Instant, errand: Errand) {
        match errand {
            Errand::Host { settings, host, reply } => {
                let line = self.line(&settings);
                let ticket = self.ticket(Asker::Client(reply));
                self.counters.names_asked.fetch_add(1, Relaxed);
                let mut out = Vec::new();
                if let Some(line) = self.lines.get_mut(&line) {
                    line.resolver.ask(now, ticket, &host, &mut out);
                }
                self.act(now, line, out);
            }
            Errand::Follow { pools, log } => {
                self.log = Some(log);
                self.pools = pools;
                self.askers.retain(|_, asker| match asker {
                    Asker::Client(_) => true,
                    Asker::Pool(pool, _) => self.pools.iter().any(|it| Arc::ptr_eq(it, pool)),
                });
                // What a plan that is gone asked of other servers.
                self.lines.retain(|_, line| !line.resolver.is_idle());
                self.call(now);
            }
        }
    }

    /// Asks for the names of pools whose time has come.
    fn call(&mut self, now: Instant) {
        for pool in self.pools.clone() {
            let Some(late) = &pool.late else { continue };
            let (due, settings) = {
                let mut roster = late.roster();
                (roster.due(now), roster.resolver().clone())
            };
            for question in due {
                let line = self.line(&settings);
                let ticket = self.ticket(Asker::Pool(Arc::clone(&pool), question.index));
                self.counters.names_asked.fetch_add(1, Relaxed);
                let mut out = Vec::new();
                if let Some(Line { resolver, .. }) = self.lines.get_mut(&line) {
                    match &question.service {
                        Some(service) => {
                            let name = (service.as_str(), question.host.as_str());
                            resolver.ask_service(now, ticket, name, &mut out);
                        }
                        None => resolver.ask(now, ticket, &question.host, &mut out),
                    }
                }
                self.act(now, line, out);
            }
        }
    }

    fn hear(&mut self, now: Instant, News { line: id, server, heard }: News) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let mut out = Vec::new();
        match heard {
            Heard::Datagram(bytes) => {
                line.resolver.receive(now, (server, false), &bytes, &mut out);
            }
            Heard::Stream(bytes) => line.resolver.receive(now, (server, true), &bytes, &mut out),
            Heard::Lost(what) => {
                let address = line.resolver.settings().servers[server];
                line.resolver.unreachable(now, server, &mut out);
                self.complain(&format!("{what} while resolving, resolver: {address}"));
            }
        }
        self.act(now, id, out);
    }

    fn expire(&mut self, now: Instant) {
        let lines: Vec<LineId> = self.lines.keys().copied().collect();
        for id in lines {
            let mut out = Vec::new();
            if let Some(line) = self.lines.get_mut(&id) {
                line.resolver.expire(now, &mut out);
            }
            self.act(now, id, out);
        }
        self.call(now);
    }

    fn act(&mut self, now: Instant, id: LineId, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { server, tcp, bytes } => {
                    if let Some(line) = self.lines.get_mut(&id) {
                        line.send(id, server, tcp, bytes, &self.hear);
                    }
                }
                Action::Answer { ticket, answer } => {
                    if answer.what.is_err() {
                        self.counters.names_failed.fetch_add(1, Relaxed);
                    }
                    match self.askers.remove(&ticket) {
                        Some(Asker::Client(reply)) => reply(answer),
                        Some(Asker::Pool(pool, index)) => {
                            let late = pool.late.as_ref();
                            let news = late.map(|it| it.roster().learn(now, index, &answer));
                            self.renew(&pool, news);
                        }
                        None => {}
                    }
                }
                Action::Service { ticket, places } => self.place(now, ticket, &places),
                Action::Complain(text) => self.complain(&text),
            }
        }
        let Some(line) = self.lines.get_mut(&id) else { return };
        self.counters.dns_ignored.fetch_add(line.ignored_since(), Relaxed);
        if line.resolver.is_idle() {
            line.hang_up();
        }
    }

    fn place(&mut self, now: Instant, ticket: Ticket, places: &Places) {
        if places.found.what.is_err() {
            self.counters.names_failed.fetch_add(1, Relaxed);
        }
        if let Some(Asker::Pool(pool, index)) = self.askers.remove(&ticket) {
            let late = pool.late.as_ref();
            let news = late.map(|it| it.roster().learn_service(now, index, places));
            self.renew(&pool, news);
        }
    }

    fn renew(&mut self, pool: &Arc<Pool>, news: Option<crate::proxy::resolver::roster::News>) {
        let Some(news) = news else { return };
        for complaint in &news.complaints {
            self.complain(complaint);
        }
        if news.changed
            && let Err(error) = pool.renew()
        {
            self.complain(&format!("upstream \"{}\": {error}", pool.upstream.name));
        }
    }

    fn complain(&self, text: &str) {
        if let Some(log) = &self.log {
            log.write(LogLevel::Error, None, format_args!("{text}"));
        }
    }

    /// The one for these settings.
    fn line(&mut self, settings: &Settings) -> LineId {
        let known = self.lines.iter().find(|(_, line)| line.resolver.settings() == settings);
        if let Some((id, _)) = known {
            return *id;
        }
        self.next_line += 1;
        self.lines.insert(self.next_line, Line::new(settings.clone()));
        self.next_line
    }

    fn ticket(&mut self, asker: Asker) -> Ticket {
        self.next_ticket += 1;
        self.askers.insert(self.next_ticket, asker);
        self.next_ticket
    }
}
