//! What the workers of one generation serve: doors (listening sockets), the entrance behind each
//! (a server with its log), and the pools (upstreams with their balancers) they lead to.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use socket2::SockRef;

use super::access::{Access, AccessLogs};
use super::admission::{self, Guard, Guards, Zone};
use super::choice::Choice;
use super::engine;
use super::log::{Log, Logbook};
use super::names::Names;
use super::pool::Pool;
use super::tls::{Acceptor, Connector, Contexts};
use crate::kernel::tcp::Departure;
use crate::plan::StreamPlan;
use crate::plan::access_log::Format;
use crate::plan::process::StreamProcess;
use crate::plan::stream::{Address, Content, Listener, Server, ServerId, Transport};
use crate::proxy::variable::Variables;

/// Upstreams of one plan, by name in lower case.
type Upstreams = Arc<HashMap<String, Arc<Pool>>>;

/// By the address that clients come in at.
type Entrances = HashMap<(Transport, Address), Arc<Entrance>>;

/// A plan with its sockets and state. Workers share it; a reload makes the next one.
#[derive(Debug)]
pub(super) struct Generation {
    /// Counts up from 0.
    pub(super) number: u32,
    pub(super) process: StreamProcess,
    pub(super) doors: Vec<Door>,
    pub(super) pools: Vec<Arc<Pool>>,
    /// `limit_conn_zone`
    pub(super) zones: Vec<Arc<Zone>>,
    /// Where `pass` leads.
    entrances: Entrances,
    contexts: Contexts,
    pub(super) log: Log,
    /// Where sessions ask for names.
    pub(super) names: Option<Names>,
}

/// A listening socket and what lies behind it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) address: Address,
    pub(super) transport: Transport,
    /// UDP: the worker that it belongs to.
    pub(super) worker: Option<usize>,
    pub(super) socket: Arc<OwnedFd>,
    pub(super) entrance: Arc<Entrance>,
    /// Behind addresses that share this socket, see [`Listener::shares`].
    shared: HashMap<SocketAddr, Arc<Entrance>>,
}

/// What a session needs to know about where it came in. Sessions keep it for their life, the
/// socket they don't: it can close while they go on.
#[derive(Debug)]
pub(super) struct Entrance {
    /// The listening address, as logs have it.
    pub(super) name: String,
    pub(super) server: Server,
    /// Where its one upstream is; `None`: it has none, or a session finds it out.
    pub(super) pool: Option<Arc<Pool>>,
    /// By name in lower case: where a `proxy_pass` with variables may lead.
    pub(super) upstreams: Upstreams,
    pub(super) guard: Guard,
    /// How connections to peers begin, but for what is filled in.
    pub(super) departure: Departure,
    /// Bytes per second, by the side that is read from; 0: no limit.
    pub(super) rates: [u64; 2],
    /// For `listen … ssl`.
    pub(super) acceptor: Option<Arc<Acceptor>>,
    /// For `proxy_ssl on`.
    pub(super) connector: Option<Arc<Connector>>,
    /// Where other servers share the address: how one is chosen.
    pub(super) choice: Option<Choice>,
    /// What a session goes through before its content.
    pub(super) stages: Vec<Stage>,
    /// Sessions remember what variables and logs need.
    pub(super) keeps_records: bool,
    /// Those of its plan.
    pub(super) variables: Arc<Variables>,
    pub(super) log: Log,
    /// What is written when a session is over.
    pub(super) access: Vec<Access>,
}

/// What a session goes through, in this order, between accept and content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// `listen … proxy_protocol`
    Header,
    /// `set_real_ip_from`
    RealIp,
    /// `set`
    Set,
    /// `limit_conn`
    Limit,
    /// `allow`, `deny`
    Access,
    /// `listen … ssl`
    Tls,
    /// `ssl_preread`
    Preread,
}

impl Stage {
    fn of(listener: &Listener, server: &Server, guard: &Guard) -> Vec<Stage> {
        let (mut stages, after) = admission::stages(listener, guard);
        if !server.sets.is_empty() {
            stages.push(Stage::Set);
        }
        stages.extend(after);
        if listener.ssl {
            stages.push(Stage::Tls);
        }
        if server.preread.is_some() {
            stages.push(Stage::Preread);
        }
        stages
    }
}

impl Generation {
    /// # Errors
    /// A log file that can't be opened, a peer's address that can't be connected to, or
    /// descriptors that don't fit the plan. Nothing has changed then.
    pub(super) fn build(
        mut plan: StreamPlan,
        sockets: Vec<OwnedFd>,
        logbook: &mut Logbook,
        access_logs: &mut AccessLogs,
        old: Option<&Self>,
    ) -> io::Result<Self> {
        if sockets.len() != plan.sockets().count() {
            let (got, want) = (sockets.len(), plan.sockets().count());
            return Err(io::Error::other(format!("{got} listening sockets for {want} listeners")));
        }
        let pools: Vec<Arc<Pool>> = plan
            .upstreams
            .drain(..)
            .map(|upstream| Pool::build(upstream, old.map_or(&[], |old| &old.pools)))
            .collect::<io::Result<_>>()?;
        let named =
            pools.iter().map(|pool| (pool.upstream.name.to_ascii_lowercase(), Arc::clone(pool)));
        let upstreams: Upstreams = Arc::new(named.collect());
        let log = logbook.open(&plan.process.error_logs)?;
        let variables = std::mem::take(&mut plan.variables);
        let variables = Arc::new(Variables::new(variables).map_err(io::Error::other)?);
        let zones = Zone::build(&plan.zones, old)?;
        let formats = std::mem::take(&mut plan.log_formats);
        let formats: Vec<Arc<Format>> = formats.into_iter().map(Arc::new).collect();
        let mut guards = Guards::default();
        let known = old.map(|old| &old.contexts);
        let mut contexts = Contexts::default();
        let mut entrance = |listener: &Listener, id: ServerId, choice: Option<Choice>| {
            let server = &plan.servers[id.0];
            let logs = &server.access_logs;
            let log = match &server.error_logs[..] {
                [] => log.clone(),
                logs => logbook.open(logs)?,
            };
            let pool = match &server.content {
                Content::Upstream(upstream) => Some(Arc::clone(&pools[upstream.0])),
                Content::Proxy(_) | Content::Return(_) | Content::Pass(_) => None,
            };
            let guard = guards.guard(server, &zones, &plan.zones);
            let stages = Stage::of(listener, server, &guard);
            let access = access_logs.open(logs, &formats, server.open_log_files)?;
            let rendered =
                server.outward.is_rendered() || server.peer_tls.is_some() || !access.is_empty();
            let acceptor = match (&server.tls, listener.ssl) {
                (Some(tls), true) if tls.has_context() => {
                    Some(contexts.acceptor(tls, id, (listener, &log), known)?)
                }
                _ => None,
            };
            let connector = match &server.peer_tls {
                Some(tls) => Some(contexts.connector(tls, known)?),
                None => None,
            };
            io::Result::Ok(Arc::new(Entrance {
                name: listener.address.to_string(),
                keeps_records: !stages.is_empty()
                    || pool.as_ref().is_none_or(|pool| pool.needs_records())
                    || rendered,
                upstreams: match &server.content {
                    Content::Proxy(_) => Arc::clone(&upstreams),
                    _ => Upstreams::default(),
                },
                acceptor,
                connector,
                variables: Arc::clone(&variables),
                departure: engine::departure(server),
                rates: engine::rates(server),
                server: server.clone(),
                pool,
                guard,
                choice,
                stages,
                log,
                access,
            }))
        };
        let mut entrances = Entrances::with_capacity(plan.listeners.len());
        for listener in &plan.listeners {
            let choice =
                Choice::build(listener, &plan.servers, |server| entrance(listener, server, None))?;
            let front = entrance(listener, listener.server, choice)?;
            entrances.insert((listener.transport, listener.address.clone()), front);
        }
        let mut doors = Vec::with_capacity(sockets.len());
        for (listener, socket) in plan.sockets().zip(sockets) {
            let entrance = Arc::clone(&entrances[&(listener.transport, listener.address.clone())]);
            prepare(&socket, listener, &entrance.server)?;
            let address = listener.address.clone();
            let sharing = |other: &&Listener| other.shares.as_ref() == Some(&address);
            let shared = plan.listeners.iter().filter(sharing).filter_map(|other| {
                let Address::Tcp(address) = other.address else { return None };
                Some((address, Arc::clone(&entrances[&(other.transport, other.address.clone())])))
            });
            let shared = shared.collect();
            let (worker, socket) = (None, Arc::new(socket));
            let transport = listener.transport;
            doors.push(Door { address, transport, worker, socket, entrance, shared });
        }
        let number = old.map_or(0, |old| old.number + 1);
        assign(&mut doors, workers(&plan.process), old);
        let names = old.and_then(|old| old.names.clone());
        let process = plan.process;
        Ok(Self { number, process, doors, pools, zones, entrances, contexts, log, names })
    }

    /// The same without its listening sockets, for workers that are to finish: a socket that
    /// nobody accepts from must not stay open.
    pub(super) fn closed(&self) -> Self {
        Self {
            number: self.number,
            process: self.process.clone(),
            doors: Vec::new(),
            pools: self.pools.clone(),
            zones: self.zones.clone(),
            entrances: Entrances::new(),
            contexts: self.contexts.clone(),
            log: self.log.clone(),
            names: self.names.clone(),
        }
    }

    /// Where clients of this address come in: an address with its port, or a Unix socket's path.
    pub(super) fn entrance_at(&self, address: &[u8]) -> Option<(&Address, &Arc<Entrance>)> {
        let text = std::str::from_utf8(address).ok()?;
        let at = |address: Address| {
            let found = self.entrances.get_key_value(&(Transport::Tcp, address));
            found.map(|((_, address), entrance)| (address, entrance))
        };
        match (text.strip_prefix("unix:"), text.parse::<SocketAddr>()) {
            (Some(path), _) => at(Address::Unix(path.into())),
            (None, Ok(address)) => at(Address::Tcp(address)).or_else(|| {
                let everywhere = match address {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                at(Address::Tcp(SocketAddr::new(everywhere, address.port())))
            }),
            (None, Err(_)) => None,
        }
    }

    pub(super) fn workers(&self) -> usize {
        workers(&self.process)
    }
}

fn workers(process: &StreamProcess) -> usize {
    match process.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    }
}

/// Gives each door for datagrams to one worker: to the one that has it already, so that its flows
/// stay together, or to one of those that have fewest.
fn assign(doors: &mut [Door], workers: usize, old: Option<&Generation>) {
    let mut loads = vec![0_usize; workers.max(1)];
    let udp = |door: &&mut Door| door.transport == Transport::Udp;
    for door in doors.iter_mut().filter(udp) {
        let known = old.and_then(|old| old.doors.iter().find(|known| known.is(door)));
        door.worker = known.and_then(|known| known.worker).filter(|worker| *worker < loads.len());
        if let Some(worker) = door.worker {
            loads[worker] += 1;
        }
    }
    for door in doors.iter_mut().filter(udp).filter(|door| door.worker.is_none()) {
        let least = loads.iter().enumerate().min_by_key(|(_, load)| **load);
        let worker = least.map_or(0, |(worker, _)| worker);
        loads[worker] += 1;
        door.worker = Some(worker);
    }
}

impl Door {
    /// Whether it is the same door in another generation.
    pub(super) fn is(&self, other: &Door) -> bool {
        self.transport == other.transport && self.address == other.address
    }
}

impl Door {
    /// Where a connection on this socket comes in: mostly there is one place only, which costs no
    /// look at the address that was asked for.
    pub(super) fn entrance(&self, client: &OwnedFd) -> &Arc<Entrance> {
        if self.shared.is_empty() {
            return &self.entrance;
        }
        let local = SockRef::from(client).local_addr().ok().and_then(|local| local.as_socket());
        let Some(entrance) = local.and_then(|local| self.shared.get(&local)) else {
            return &self.entrance;
        };
        entrance.adopt(client, &self.entrance);
        entrance
    }
}

impl Entrance {
    /// A client that came in by another entrance goes by this one's options.
    pub(super) fn adopt(&self, client: &OwnedFd, before: &Entrance) {
        let delay = self.server.tcp_nodelay;
        if delay != before.server.tcp_nodelay {
            // What can't be set costs speed, not the connection.
            let _ = SockRef::from(client).set_tcp_nodelay(delay);
        }
    }
}

/// Sets what accepted sockets inherit from the listening one.
fn prepare(socket: &OwnedFd, listener: &Listener, server: &Server) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    if let (Address::Tcp(_), Transport::Tcp) = (&listener.address, listener.transport) {
        SockRef::from(socket).set_tcp_nodelay(server.tcp_nodelay)?;
    }
    Ok(())
}
