//! Dump files: what is to be seen is copied on the loop, and written beside it.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Instant, SystemTime};

use super::UMASK;
use super::bus::{Asked, Done};
use super::groups::Synced;
use super::network::Network;
use super::role::Role;
use super::router::Router;
use crate::kernel::{file, local_time};
use crate::plan::vrrp::VirtualAddress;
use crate::plan::vrrp_process::VrrpProcess;
use crate::runtime::supervisor::signals::{JSON, STATS_CLEAR};
use crate::status::dump;
use crate::status::snapshot::{GroupView, RouterView, Snapshot};

/// Dumps that may wait for the disk; whoever asks for more is told so.
const WAITING: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Data,
    Stats,
    Json,
}

impl Kind {
    fn path(self, snapshot: &Snapshot) -> PathBuf {
        let dumps = &snapshot.telling.dumps;
        let named = match self {
            Kind::Data => &dumps.data,
            Kind::Stats => &dumps.stats,
            Kind::Json => &dumps.json,
        };
        let usual = || match self {
            Kind::Data if dumps.use_instance => {
                let VrrpProcess { net_namespace, instance, .. } = &snapshot.process;
                let names: Vec<&str> =
                    [net_namespace, instance].into_iter().flatten().map(String::as_str).collect();
                let dot = if names.is_empty() { "" } else { "." };
                format!("/tmp/keepalived{dot}{}.data", names.join("_")).into()
            }
            Kind::Data => "/tmp/keepalived.data".into(),
            Kind::Stats => "/tmp/keepalived.stats".into(),
            Kind::Json => "/tmp/keepalived.json".into(),
        };
        named.clone().unwrap_or_else(usual)
    }

    fn render(self, snapshot: &Snapshot) -> String {
        match self {
            Kind::Data => dump::data::render(snapshot, &local_time::precise),
            Kind::Stats => dump::stats::render(snapshot),
            Kind::Json => dump::json::render(snapshot),
        }
    }
}

/// Writes dumps, one after the other, on a thread of its own. It ends with this.
#[derive(Debug)]
pub(super) struct Scribe(SyncSender<Order>);

/// Who waits for it hears when `Done` is dropped.
type Order = (Kind, Snapshot, Option<Done>);

impl Scribe {
    pub(super) fn start() -> io::Result<Scribe> {
        let (sender, inbox) = sync_channel(WAITING);
        std::thread::Builder::new().name("dump".to_owned()).spawn(move || write(&inbox))?;
        Ok(Scribe(sender))
    }

    fn order(&self, kind: Kind, snapshot: Snapshot, done: Option<Done>) {
        let path = kind.path(&snapshot);
        match self.0.try_send((kind, snapshot, done)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!("{}: earlier dumps still wait to be written", path.display());
            }
            Err(TrySendError::Disconnected(_)) => {
                tracing::error!("{}: nobody writes it any more", path.display());
            }
        }
    }
}

fn write(inbox: &Receiver<Order>) {
    while let Ok((kind, snapshot, _done)) = inbox.recv() {
        let path = kind.path(&snapshot);
        // As open(2) would make it.
        let mode = 0o666 & !snapshot.process.umask.unwrap_or(UMASK);
        if let Err(error) = file::replace(&path, kind.render(&snapshot).as_bytes(), mode) {
            tracing::error!("Can't open dump file {} ({error})", path.display());
        }
    }
}

impl Role {
    /// Does what the signal of this number asks for.
    pub(super) fn dump(&mut self, number: i32) {
        let pid = std::process::id();
        match number {
            libc::SIGUSR1 => {
                tracing::info!("Printing VRRP data for process({pid}) on signal");
                self.scribe.order(Kind::Data, self.snapshot(), None);
            }
            libc::SIGUSR2 => {
                tracing::info!("Printing VRRP stats for process({pid}) on signal");
                self.scribe.order(Kind::Stats, self.snapshot(), None);
            }
            STATS_CLEAR => {
                tracing::info!("Printing and clearing VRRP stats for process({pid}) on signal");
                self.scribe.order(Kind::Stats, self.snapshot(), None);
                self.clear_counters();
            }
            JSON => {
                tracing::info!("Printing VRRP as json for process({pid}) on signal");
                self.scribe.order(Kind::Json, self.snapshot(), None);
            }
            _ => {}
        }
    }

    /// The same for somebody on the bus.
    pub(super) fn print(&mut self, asked: &Asked, done: Done) {
        match asked {
            Asked::Data => {
                tracing::info!("Printing VRRP data on DBus request");
                self.scribe.order(Kind::Data, self.snapshot(), Some(done));
            }
            Asked::Stats => {
                tracing::info!("Printing VRRP stats on DBus request");
                self.scribe.order(Kind::Stats, self.snapshot(), Some(done));
            }
            Asked::StatsClear => {
                tracing::info!("Printing and clearing VRRP stats on DBus request");
                self.scribe.order(Kind::Stats, self.snapshot(), Some(done));
                self.clear_counters();
            }
            Asked::Garp(_) | Asked::Reload => {}
        }
    }

    fn clear_counters(&mut self) {
        for router in &mut self.routers {
            router.counters.clear();
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let statics = self.statics.plan();
        let held_statics = statics.addresses.iter().map(|it| self.has_address(&it.item)).collect();
        let may_change =
            self.telling.definitions.get("Allow interface changes").is_some_and(|it| it == "true");
        let mut interfaces = self.network.views();
        for it in interfaces.iter_mut().filter(|it| !it.loopback) {
            it.may_change = may_change;
        }
        let host = nix::unistd::gethostname().unwrap_or_default();
        let up = |router: &Router| {
            self.network.interface(router.machine.router()).is_some_and(|it| it.up)
        };
        Snapshot {
            host: host.to_string_lossy().into_owned(),
            router_id: self.router_id.clone(),
            telling: self.telling.clone(),
            process: self.process.clone(),
            routers: self
                .routers
                .iter()
                .map(|router| view(router, up(router), &self.network))
                .collect(),
            scripts: self.scripts.views(),
            groups: self.groups.iter().map(group_view).collect(),
            files: self.objects.file_views(),
            processes: self.objects.process_views(),
            statics: statics.clone(),
            held_statics,
            interfaces,
        }
    }
}

fn group_view(group: &Synced) -> GroupView {
    GroupView {
        config: group.config.clone(),
        state: group.machine.state(),
        members: group.members.clone(),
    }
}

fn view(router: &Router, interface_up: bool, network: &Network) -> RouterView {
    let machine = &router.machine;
    let config = machine.router();
    let is_held = |address: &VirtualAddress| {
        let place = network.place(config.address_interface(), address);
        place.is_some_and(|place| network.holdings.contains(&place))
    };
    let left = |at: Instant| at.saturating_duration_since(Instant::now());
    RouterView {
        interface_up,
        advert_interface: network.index(config.advert_interface()),
        next_timer: machine.deadline().map(|at| SystemTime::now() + left(at)),
        down_interval: machine.down_interval(),
        state: machine.state(),
        priority: machine.priority(),
        source: machine.source(),
        held: config.addresses.iter().map(is_held).collect(),
        held_excluded: config.belongings.excluded.iter().map(is_held).collect(),
        active: machine.active(),
        active_address: machine.active_address(),
        last_sender: machine.last_sender(),
        active_reason: machine.active_reason(),
        last_fault: router.last_fault,
        up_since: router.up_since,
        last_transition: router.last_transition,
        counters: router.counters.iter().copied().collect(),
        config: config.clone(),
    }
}
