//! The loop.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use super::network::{Arrival, Incident, Interface, Network};
use super::router::{Router, Valve};
use super::scripts::Scripts;
use crate::kernel::netlink::Change;
use crate::kernel::raw::Packet;
use crate::plan::VrrpPlan;
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::runtime::handoff::{Control, Held, Instruction, Instructions, Report, Succession};
use crate::runtime::probe::{Finding, Probe};
use crate::vrrp::machine::{Action, Event, LogLevel, Received, State};

/// A timer later than this lets waiting packets be heard first.
const LATE: Duration = Duration::from_millis(20);
/// What is no longer held is reported within this time.
const REPORT_SOON: Duration = Duration::from_millis(50);
/// After this time a report that the supervisor didn't take is tried again.
const REPORT_AGAIN: Duration = Duration::from_millis(200);
/// keepalived looks at nothing shorter (the header without addresses and authentication).
const SHORTEST: usize = 8;

pub(super) struct Role {
    control: Control,
    instructions: Instructions,
    network: Network,
    routers: Vec<Router>,
    scripts: Scripts,
    probe: Probe,
    findings: UnboundedReceiver<Finding>,
    signals: Signals,
    /// When to try again to tell the supervisor what is held.
    report_at: Option<Instant>,
    punctuality: Punctuality,
    /// For lines that belong to no router.
    valve: Valve,
}

/// How late timers were.
#[derive(Clone, Copy, Debug, Default)]
struct Punctuality {
    timers: u64,
    late: u64,
    worst: Duration,
}

/// What may happen next.
enum Occasion {
    Instruction(io::Result<Option<Instruction<Succession<VrrpPlan>>>>),
    Signal(i32),
    Finding(Finding),
    Network(Arrival),
    Deadline,
}

impl Role {
    /// Must be called inside a tokio runtime.
    pub(super) fn start(control: Control, succession: Succession<VrrpPlan>) -> io::Result<Role> {
        let Succession { plan, held } = succession;
        let now = Instant::now();
        let (probe, findings) = Probe::start()?;
        let mut role = Role {
            instructions: control.listen()?,
            control,
            network: Network::open()?,
            routers: Vec::new(),
            scripts: Scripts::default(),
            probe,
            findings,
            signals: Signals::catch()?,
            report_at: None,
            punctuality: Punctuality::default(),
            valve: Valve::new(now),
        };
        role.network.serve(plan.routers.iter());
        role.scripts.replace(now, &plan, &role.probe);
        for it in &held {
            role.network.claim(&it.interface, std::slice::from_ref(&it.address));
        }
        for router in plan.routers {
            let still_there: Vec<&Held> = held.iter().filter(|it| role.network.is_on(it)).collect();
            let first = if inherits(&still_there, &router) { Event::Resume } else { Event::Start };
            role.begin(now, router, first);
        }
        role.disown(now, &held);
        role.report(&Report::Ready);
        Ok(role)
    }

    /// Until it is told to end.
    pub(super) async fn run(mut self) {
        loop {
            self.fire();
            let occasion = self.next().await;
            let now = Instant::now();
            match occasion {
                Occasion::Deadline => {}
                Occasion::Network(arrival) => self.receive(now, arrival),
                Occasion::Finding(finding) => {
                    self.scripts.hear(now, finding, &self.probe);
                    self.weigh(now);
                }
                Occasion::Signal(libc::SIGHUP) => self.report(&Report::WantReload),
                Occasion::Signal(libc::SIGTERM | libc::SIGINT | libc::SIGQUIT) => break,
                Occasion::Signal(number) => {
                    tracing::warn!("signal {number}: dumps are not written yet");
                }
                Occasion::Instruction(Ok(Some(instruction))) => match instruction {
                    Instruction::Reload(assignment) => self.reload(now, assignment.plan.plan),
                    Instruction::Start(_) => tracing::warn!("told to start a second time"),
                    Instruction::Quit | Instruction::Stop => break,
                    // The role has no log file of its own.
                    Instruction::Reopen => {}
                },
                Occasion::Instruction(Ok(None)) => {
                    tracing::warn!("the supervisor has gone: ending");
                    break;
                }
                Occasion::Instruction(Err(error)) => {
                    let message = format!("an order that cannot be read: {error}");
                    tracing::error!("{message}");
                    self.report(&Report::Failed { message });
                }
            }
        }
        self.end();
    }

    /// Waits for whatever happens first. Orders come before packets, so that no flood keeps the
    /// role from being told to stop.
    async fn next(&mut self) -> Occasion {
        let deadline = self.deadline();
        let sleep = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let network = &mut self.network;
        tokio::select! {
            biased;
            instruction = self.instructions.next::<Succession<VrrpPlan>>() => Occasion::Instruction(instruction),
            number = self.signals.next() => Occasion::Signal(number),
            Some(finding) = self.findings.recv() => Occasion::Finding(finding),
            arrival = poll_fn(|context| network.poll(context)) => Occasion::Network(arrival),
            () = sleep => Occasion::Deadline,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let routers = self.routers.iter().filter_map(|router| router.machine.deadline());
        routers.chain(self.scripts.deadline()).chain(self.report_at).min()
    }

    /// Serves every timer whose time has come.
    fn fire(&mut self) {
        let now = Instant::now();
        let due = |router: &Router| router.machine.deadline().is_some_and(|it| it <= now);
        if let Some(worst) = self.routers.iter().filter_map(|it| it.machine.deadline()).min()
            && worst + LATE <= now
        {
            self.punctuality.late += 1;
            let late = now - worst;
            if late > self.punctuality.worst {
                self.punctuality.worst = late;
                tracing::debug!("a timer fired {:.3} s late", late.as_secs_f64());
            }
            // What was said while this process slept decides whether a timer still has a point.
            for _ in 0..4096 {
                let Some((interface, packet)) = self.network.waiting_packet() else { break };
                self.hear(now, &interface, packet);
            }
        }
        for at in 0..self.routers.len() {
            if due(&self.routers[at]) {
                self.punctuality.timers += 1;
                self.tell(now, at, Event::Timeout);
            }
        }
        if self.scripts.deadline().is_some_and(|deadline| deadline <= now) {
            self.scripts.time_out(now, &self.probe);
            self.weigh(now);
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_at = None;
            self.report_held();
        }
    }

    fn receive(&mut self, now: Instant, arrival: Arrival) {
        match arrival {
            Arrival::Packet(interface, Ok(packet)) => self.hear(now, &interface, packet),
            Arrival::Packet(interface, Err(error)) => {
                tracing::debug!("receiving on {interface}: {error}");
            }
            Arrival::Changes(Ok(changes)) => self.follow(now, changes),
            Arrival::Changes(Err(error)) => {
                tracing::error!("netlink: {error}");
                self.follow(now, vec![Change::Lost]);
            }
        }
    }

    fn hear(&mut self, now: Instant, interface: &str, packet: Packet) {
        if packet.payload.len() < SHORTEST {
            let length = packet.payload.len() + 20;
            if self.valve.pass(now).is_some() {
                tracing::info!("IPv4 VRRP packet too short - {length} bytes");
            }
            return;
        }
        let vrid = packet.payload[1];
        let wanted = |router: &Router| {
            let config = router.machine.router();
            config.interface == interface
                && config.vrid == vrid
                && (!packet.destination.is_multicast() || packet.destination == config.group)
        };
        let at = self.routers.iter().position(wanted);
        let Some(at) = at else {
            if self.valve.pass(now).is_some() {
                tracing::info!(
                    "Unknown VRID({vrid}) received on interface({interface}). ignoring..."
                );
            }
            return;
        };
        self.tell(
            now,
            at,
            Event::Packet(Received {
                source: IpAddr::V4(packet.source),
                destination: IpAddr::V4(packet.destination),
                ttl: packet.ttl,
                pdu: packet.payload,
            }),
        );
    }

    fn follow(&mut self, now: Instant, changes: Vec<Change>) {
        for incident in self.network.absorb(changes) {
            match incident {
                Incident::Interface(name) => {
                    self.network.serve(self.routers.iter().map(|it| it.machine.router()));
                    for at in 0..self.routers.len() {
                        if self.routers[at].machine.router().interface == name {
                            let event = self.interface_event(&name);
                            self.tell(now, at, event);
                        }
                    }
                }
                Incident::AddressLost { interface, address } => {
                    let holds = |router: &Router| {
                        let config = router.machine.router();
                        config.addresses.contains(&address)
                            && *address.interface.as_ref().unwrap_or(&config.interface) == interface
                    };
                    if let Some(at) = self.routers.iter().position(holds) {
                        self.tell(now, at, Event::AddressLost(address));
                    }
                    self.report_held();
                }
            }
        }
    }

    fn interface_event(&self, name: &str) -> Event {
        let interface = self.network.interface(name);
        let Interface { up, primary } = interface.unwrap_or(Interface { up: false, primary: None });
        Event::Interface { up, primary }
    }

    /// Tells every router what its scripts make of it now.
    fn weigh(&mut self, now: Instant) {
        for at in 0..self.routers.len() {
            let verdict = self.scripts.weigh(self.routers[at].machine.router());
            if self.routers[at].verdict != Some(verdict) {
                self.routers[at].verdict = Some(verdict);
                self.tell(now, at, Event::Tracking(verdict));
            }
        }
    }

    /// Starts one router, by [`Event::Start`] or [`Event::Resume`].
    fn begin(&mut self, now: Instant, config: VirtualRouter, first: Event) {
        let interface = self.interface_event(&config.interface);
        let verdict = self.scripts.weigh(&config);
        self.routers.push(Router::new(config, now));
        let at = self.routers.len() - 1;
        self.routers[at].verdict = Some(verdict);
        self.tell(now, at, interface);
        self.tell(now, at, Event::Tracking(verdict));
        self.tell(now, at, first);
    }

    /// Takes off what a predecessor left and no router of this plan has any more.
    fn disown(&mut self, now: Instant, left: &[Held]) {
        for it in left {
            let has = |router: &Router| belongs(router.machine.router(), it);
            if self.routers.iter().any(has) {
                continue;
            }
            if let Err(error) = self.network.remove(&it.interface, &it.address)
                && self.valve.pass(now).is_some()
            {
                tracing::error!("{} stays on {}: {error}", it.address.address, it.interface);
            }
        }
        self.report_held();
    }

    /// By the new plan: routers of the same name go on, only differences are acted on.
    fn reload(&mut self, now: Instant, plan: VrrpPlan) {
        let gone = |router: &Router| !plan.routers.iter().any(|new| new.name == router.name());
        while let Some(at) = self.routers.iter().position(gone) {
            self.tell(now, at, Event::Shutdown);
            self.routers.remove(at);
        }
        let old = self.routers.iter().map(|router| router.machine.router());
        // Old and new sockets are there while routers change over.
        self.network.serve(old.chain(&plan.routers));
        self.scripts.replace(now, &plan, &self.probe);
        for new in plan.routers {
            match self.routers.iter().position(|router| router.name() == new.name) {
                Some(at) => self.reconfigure(now, at, new),
                None => self.begin(now, new, Event::Start),
            }
        }
        self.network.serve(self.routers.iter().map(|router| router.machine.router()));
        self.report_held();
        self.report(&Report::Ready);
    }

    fn reconfigure(&mut self, now: Instant, at: usize, new: VirtualRouter) {
        let interface_before = self.routers[at].machine.router().interface.clone();
        let moves = interface_before != new.interface;
        let verdict = self.scripts.weigh(&new);
        let tracked = !new.scripts.is_empty();
        let interface = self.interface_event(&new.interface);
        // What is done now still concerns the old interface.
        self.tell_on(now, at, Event::Reconfigure(Box::new(new)), &interface_before);
        if moves {
            self.tell(now, at, interface);
        }
        self.routers[at].verdict = Some(verdict);
        if tracked {
            self.tell(now, at, Event::Tracking(verdict));
        }
    }

    /// Leaves in an orderly way.
    fn end(mut self) {
        tracing::info!("Stopping");
        let now = Instant::now();
        for at in 0..self.routers.len() {
            self.tell(now, at, Event::Shutdown);
        }
        // Belt and braces: whatever a machine may have forgotten.
        for held in self.network.held().to_vec() {
            let Err(error) = self.network.remove(&held.interface, &held.address) else { continue };
            tracing::error!("{} stays on {}: {error}", held.address.address, held.interface);
        }
        self.report_held();
        self.probe.finish();
        let Punctuality { timers, late, worst } = self.punctuality;
        tracing::debug!("{timers} timers, {late} late, worst {:.3} s", worst.as_secs_f64());
        tracing::info!("Stopped");
    }

    fn tell(&mut self, now: Instant, at: usize, event: Event) {
        let interface = self.routers[at].machine.router().interface.clone();
        self.tell_on(now, at, event, &interface);
    }

    /// Hands an event to a machine and does what it wants done, on the interface given.
    fn tell_on(&mut self, now: Instant, at: usize, event: Event, interface: &str) {
        let by_others = matches!(event, Event::Packet(_));
        let mut actions = Vec::new();
        self.routers[at].machine.handle(now, event, &mut actions);
        let settled = !actions.iter().any(|action| matches!(action, Action::Transition { .. }));
        for action in actions {
            match action {
                Action::Send { source, destination, pdu } => {
                    let sent = self.network.send(interface, source, destination, &pdu);
                    self.complain(now, at, "sending an advert", sent);
                }
                Action::AddAddresses(addresses) => self.add(now, at, interface, &addresses),
                Action::RemoveAddresses(addresses) => {
                    for address in &addresses {
                        let removed = self.network.remove(interface, address).map(drop);
                        let what = format!("removing {}", address.address);
                        self.complain(now, at, &what, removed);
                    }
                    self.report_soon();
                }
                Action::Announce(address) => {
                    let on = address.interface.as_deref().unwrap_or(interface);
                    tracing::trace!("Sending gratuitous ARP on {on} for {}", address.address);
                    let sent = self.network.announce(on, address.address);
                    self.complain(now, at, "announcing", sent);
                }
                Action::Transition { to, priority, .. } => self.notify(at, to, priority),
                Action::Log(level, line) => {
                    if by_others && settled {
                        match self.routers[at].valve.pass(now) {
                            None => continue,
                            Some(0) => {}
                            Some(n) => tracing::info!("{n} lines like the following left out"),
                        }
                    }
                    log(level, &line);
                }
                Action::Count(counter) => self.routers[at].count(counter),
            }
        }
    }

    fn add(&mut self, now: Instant, at: usize, interface: &str, addresses: &[VirtualAddress]) {
        let claimed = self.network.claim(interface, addresses);
        if !claimed.is_empty() && self.control.report(&Report::Claiming(claimed)).is_err() {
            self.report_soon();
        }
        for address in addresses {
            let added = self.network.add(interface, address);
            self.complain(now, at, &format!("adding {}", address.address), added);
        }
    }

    fn notify(&mut self, at: usize, to: State, priority: u8) {
        for script in self.routers[at].notifications(to, priority) {
            self.probe.notify(script.argv, script.user.as_ref());
        }
    }

    /// Says what the kernel refused; the daemon goes on.
    fn complain(&mut self, now: Instant, at: usize, what: &str, result: io::Result<()>) {
        let Err(error) = result else { return };
        let router = &mut self.routers[at];
        if let Some(left_out) = router.valve.pass(now) {
            let more = if left_out > 0 { format!(" ({left_out} more)") } else { String::new() };
            tracing::warn!("({}) {what}: {error}{more}", router.name());
        }
    }

    /// That something is no longer held has time: taking it off once more does no harm. So what
    /// many routers let go is one report.
    fn report_soon(&mut self) {
        self.report_at.get_or_insert(Instant::now() + REPORT_SOON);
    }

    fn report_held(&mut self) {
        let report = Report::Holding(self.network.held().to_vec());
        self.report_at = match self.control.report(&report) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Some(Instant::now() + REPORT_AGAIN)
            }
            // A supervisor that has gone is noticed where orders are read.
            _ => None,
        };
    }

    fn report(&self, report: &Report) {
        if let Err(error) = self.control.report(report) {
            tracing::debug!("the supervisor doesn't hear: {error}");
        }
    }
}

/// Was the predecessor active for this router? It takes addresses off before it says so: what
/// counts is what is there.
fn inherits(held: &[&Held], router: &VirtualRouter) -> bool {
    let all = |address: &VirtualAddress| {
        held.iter().any(|it| it.address == *address && belongs(router, it))
    };
    !router.addresses.is_empty() && router.addresses.iter().all(all)
}

fn belongs(router: &VirtualRouter, held: &Held) -> bool {
    router.addresses.iter().any(|address| {
        *address == held.address
            && *address.interface.as_ref().unwrap_or(&router.interface) == held.interface
    })
}

pub(super) fn log(level: LogLevel, line: &str) {
    match level {
        LogLevel::Debug => tracing::debug!("{line}"),
        LogLevel::Info => tracing::info!("{line}"),
        LogLevel::Warning => tracing::warn!("{line}"),
        LogLevel::Error => tracing::error!("{line}"),
    }
}

/// Signals that mean something, or must not end the process.
struct Signals(Vec<(i32, Signal)>);

impl Signals {
    fn catch() -> io::Result<Self> {
        let numbers = [
            libc::SIGTERM,
            libc::SIGINT,
            libc::SIGQUIT,
            libc::SIGHUP,
            libc::SIGUSR1,
            libc::SIGUSR2,
        ];
        let catch = |number| Ok((number, signal(SignalKind::from_raw(number))?));
        Ok(Signals(numbers.into_iter().map(catch).collect::<io::Result<_>>()?))
    }

    /// The number of the next signal. Cancel-safe.
    async fn next(&mut self) -> i32 {
        poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}
