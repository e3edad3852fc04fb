//! SNMP: what keepalived's `enable_snmp_*` lend to the host's agent, and the traps.
//!
//! A master agent may hang or be away for hours, so it has a thread of its own, which there is only
//! where the config wants it: the loop tells it what happens ([`Word`]), without waiting, and gives
//! it a snapshot when it asks for one. Read [`thread`] next, then
//! [`agentx`](crate::agentx::session) and [`mib`](crate::status::mib).

mod thread;

use std::net::IpAddr;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::role::Role;
use super::router::is_protocol_fault;
use crate::plan::telling::Snmp;
use crate::plan::vrrp::Version;
use crate::status::mib::traps::{self, Trap};
use crate::status::notice::News;
use crate::status::snapshot::Snapshot;
use crate::vrrp::machine::Counter;

/// At the end: so long the master may take to hear of it.
const FAREWELL: Duration = Duration::from_millis(500);

/// What the loop tells the thread.
#[derive(Debug)]
enum Word {
    Trap(Trap),
    /// A snapshot that was taken before doesn't hold any more.
    Changed,
    Stop,
}

/// Where a snapshot is wanted.
pub(super) type Request = oneshot::Sender<Box<Snapshot>>;

/// The loop's end of it; empty where the config doesn't want it.
#[derive(Debug, Default)]
pub(super) struct Subagent(Option<Running>);

#[derive(Debug)]
struct Running {
    /// What it was started with.
    snmp: Snmp,
    /// The thread takes every word at once, whatever the master does: it doesn't fill up.
    words: mpsc::UnboundedSender<Word>,
    requests: mpsc::Receiver<Request>,
    /// Ends with the thread.
    over: std::sync::mpsc::Receiver<()>,
}

impl Subagent {
    /// As the config wants it.
    pub(super) fn adopt(&mut self, snmp: &Snmp) {
        self.say(Word::Changed);
        let wanted = snmp.is_wanted().then_some(snmp);
        // Whether there are traps is decided where they arise, and of checkers nothing is shown.
        let what = |it: &Snmp| (it.vrrp, it.rfc2, it.rfc3, it.socket().to_owned());
        if self.0.as_ref().map(|running| what(&running.snmp)) == wanted.map(what) {
            return;
        }
        self.say(Word::Stop);
        self.0 = wanted.and_then(|snmp| match Running::start(snmp) {
            Ok(running) => Some(running),
            Err(error) => {
                tracing::error!("Starting SNMP subagent: {error}");
                None
            }
        });
    }

    fn say(&self, word: Word) {
        if let Some(running) = &self.0
            && running.words.send(word).is_err()
        {
            tracing::debug!("SNMP: its thread has ended");
        }
    }

    /// What a manager sees is no longer what it was.
    pub(super) fn forget(&self) {
        self.say(Word::Changed);
    }

    /// Who wants a snapshot next; never, where there is no subagent. Cancel-safe.
    pub(super) async fn next(&mut self) -> Request {
        if let Some(running) = &mut self.0 {
            if let Some(request) = running.requests.recv().await {
                return request;
            }
            tracing::error!("SNMP: its thread has ended; a reload starts it again");
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
                tracing::debug!("SNMP: the master doesn't take the goodbye");
            }
        }
    }
}

impl Running {
    fn start(snmp: &Snmp) -> std::io::Result<Running> {
        tracing::info!("Starting SNMP subagent");
        let (words, inbox) = mpsc::unbounded_channel();
        // The thread asks for the next one when it has the last.
        let (outbox, requests) = mpsc::channel(1);
        let (end, over) = std::sync::mpsc::channel();
        let lent = snmp.clone();
        std::thread::Builder::new().name("snmp".to_owned()).spawn(move || {
            thread::run(&lent, inbox, outbox);
            drop(end);
        })?;
        Ok(Running { snmp: snmp.clone(), words, requests, over })
    }
}

impl Role {
    /// Gives a snapshot to whoever waits for it.
    pub(super) fn show_snapshot(&self, request: Request) {
        // Who has gone meanwhile doesn't want it any more.
        let _ = request.send(Box::new(self.snapshot()));
    }

    fn traps(&self) -> Option<&Snmp> {
        Some(&self.telling.snmp).filter(|snmp| snmp.traps && snmp.is_wanted())
    }

    fn router_id_shown(&self) -> String {
        let host = || nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        self.router_id.clone().unwrap_or_else(host)
    }

    /// A router's change of state, by all MIBs that are shown.
    pub(super) fn trap(&self, at: usize, news: News) {
        self.subagent.forget();
        let Some(snmp) = self.traps() else { return };
        let machine = &self.routers[at].machine;
        let config = machine.router();
        let name = &config.name;
        if snmp.vrrp
            && let Some(trap) = traps::instance(config, news, &self.router_id_shown())
        {
            tracing::info!("({name}) Sending SNMP notification");
            self.subagent.say(Word::Trap(trap));
        }
        let interface = self.network.index(&config.interface);
        let (News::Master, Some(interface)) = (news, interface) else { return };
        if snmp.rfc2 && config.version == Version::V2 {
            tracing::info!("({name}) Sending SNMP notification vrrpTrapNewMaster");
            let trap = traps::new_master(config, interface, machine.source());
            self.subagent.say(Word::Trap(trap));
        }
        if snmp.rfc3
            && let Some(reason) = machine.active_reason()
        {
            let number = reason as u8;
            tracing::info!(
                "({name}) Sending SNMP notification vrrpv3NotifyNewMaster, reason {number}"
            );
            let trap = traps::new_active(config, interface, machine.source(), reason);
            self.subagent.say(Word::Trap(trap));
        }
    }

    /// A group's.
    pub(super) fn trap_group(&self, name: &str, news: News) {
        self.subagent.forget();
        if self.traps().is_some_and(|snmp| snmp.vrrp)
            && let Some(trap) = traps::group(name, news, &self.router_id_shown())
        {
            tracing::info!("VRRP_Group({name}): Sending SNMP notification");
            self.subagent.say(Word::Trap(trap));
        }
    }

    /// A packet was wrong; a flood of such doesn't become a flood of traps.
    pub(super) fn trap_fault(
        &mut self,
        now: Instant,
        at: usize,
        fault: Counter,
        sender: Option<IpAddr>,
    ) {
        let Some(&Snmp { rfc2, rfc3, .. }) = self.traps() else { return };
        let config = self.routers[at].machine.router();
        let Some(interface) = self.network.index(&config.interface) else { return };
        let name = config.name.clone();
        let by_rfc2 = (rfc2 && config.version == Version::V2)
            .then(|| traps::authentication_failure(config, interface, fault, sender));
        let by_rfc3 = (rfc3 && is_protocol_fault(fault))
            .then(|| traps::protocol_error(config, interface, fault));
        for (trap, what) in
            [(by_rfc2.flatten(), "vrrpTrapAuthFailure"), (by_rfc3, "vrrpTrapProtoError")]
        {
            if let Some(trap) = trap
                && self.routers[at].valve.pass(now).is_some()
            {
                tracing::info!("({name}) Sending SNMP notification {what}");
                self.subagent.say(Word::Trap(trap));
            }
        }
    }
}
