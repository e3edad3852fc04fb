//! The loop: what may happen, and who hears of it.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::agenda::Agenda;
use super::announcing::{MANY, Pending};
use super::bearing::{Bearing, LATE};
use super::bus::{Bus, Request};
use super::devices::Devices;
use super::directory::Directory;
use super::groups::Synced;
use super::herald::Herald;
use super::inbox::{Inbox, Letter};
use super::life::inherits;
use super::network::{Arrival, Ear, Incident, Interface, Network};
use super::objects::{self, Objects};
use super::passing::Passing;
use super::router::{Router, Valve};
use super::scribe::Scribe;
use super::scripts::Scripts;
use super::snmp::{self, Subagent};
use super::startup;
use super::statics::Statics;
use crate::kernel::alarm::Alarm;
use crate::kernel::memory::give_back_memory;
use crate::kernel::netlink::Change;
use crate::kernel::raw::Packet;
use crate::plan::VrrpPlan;
use crate::plan::telling::Telling;
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::plan::vrrp_process::VrrpProcess;
use crate::plan::wire::Family;
use crate::runtime::handoff::{Control, Held, Instruction, Report, Succession};
use crate::runtime::probe::Probe;
use crate::vrrp::machine::{Action, Event, Received};
use crate::vrrp::pace::Pacer;
use crate::vrrp::packet::vrid_of;

/// So many timers fire in a row; then it is others' turn.
pub(super) const AT_ONCE: usize = 64;

/// Between two looks at the time where the alarm fails, which isn't known to happen.
const NO_ALARM: Duration = Duration::from_millis(5);

pub(super) struct Role {
    pub(super) control: Control,
    pub(super) inbox: Inbox,
    pub(super) network: Network,
    pub(super) router_id: Option<String>,
    pub(super) telling: Telling,
    pub(super) process: VrrpProcess,
    pub(super) routers: Vec<Router>,
    pub(super) groups: Vec<Synced>,
    pub(super) agenda: Agenda,
    pub(super) alarm: Alarm,
    pub(super) pacer: Pacer,
    pub(super) to_announce: Vec<Pending>,
    /// What a machine wants done is put here, so that an advert needs no new room.
    pub(super) actions: Vec<Action>,
    pub(super) directory: Directory,
    pub(super) scripts: Scripts,
    pub(super) statics: Statics,
    pub(super) objects: Objects,
    pub(super) devices: Devices,
    pub(super) passing: Passing,
    pub(super) probe: Probe,
    pub(super) herald: Herald,
    pub(super) scribe: Scribe,
    pub(super) bus: Bus,
    pub(super) subagent: Subagent,
    /// Until when routers only listen.
    pub(super) listen_until: Option<Instant>,
    /// When to try again to tell the supervisor what is held.
    pub(super) report_at: Option<Instant>,
    pub(super) bearing: Bearing,
    /// When to give back what a burst of changes took.
    pub(super) tidy_at: Option<Instant>,
    /// At the end; asked for on the command line.
    pub(super) leave_addresses: bool,
    /// It is the end, and they are left.
    pub(super) addresses_stay: bool,
    /// For lines that belong to no router.
    pub(super) valve: Valve,
}

/// What may happen next.
enum Occasion {
    Letter(Letter),
    Request(Request),
    Look(snmp::Request),
    Network(Arrival),
    Deadline(io::Result<()>),
}

impl Role {
    /// Must be called inside a tokio runtime.
    pub(super) fn start(control: Control, succession: Succession<VrrpPlan>) -> io::Result<Role> {
        let Succession { plan, first, held, possessions } = succession;
        let now = Instant::now();
        // First of all: what other threads start has the signals blocked that they have.
        let (inbox, slot) = Inbox::open()?;
        let (probe, findings) = Probe::start()?;
        slot.attach(control.listen()?, findings);
        let mut role = Role {
            inbox,
            control,
            network: Network::open()?,
            routers: Vec::new(),
            groups: Vec::new(),
            agenda: Agenda::default(),
            alarm: Alarm::new()?,
            pacer: Pacer::default(),
            to_announce: Vec::new(),
            actions: Vec::new(),
            directory: Directory::default(),
            scripts: Scripts::default(),
            herald: Herald::start(&plan, &probe),
            statics: Statics::default(),
            objects: Objects::default(),
            devices: Devices::default(),
            passing: Passing::default(),
            probe,
            scribe: Scribe::start()?,
            bus: Bus::default(),
            subagent: Subagent::default(),
            router_id: plan.router_id.clone(),
            telling: plan.telling.clone(),
            process: plan.process.clone(),
            listen_until: startup::listen_until(now, &plan.conduct),
            report_at: None,
            bearing: Bearing::new(now),
            tidy_at: None,
            leave_addresses: false,
            addresses_stay: false,
            valve: Valve::new(now),
        };
        role.network.adopt(&plan.sockets);
        role.pacer.replace(now, plan.paces.clone());
        role.network.size_buffers(&plan.process.buffers);
        role.leave_addresses = plan.process.leave_addresses;
        if plan.process.watch_addresses {
            role.network.watch();
        }
        role.bus.adopt(plan.telling.dbus.as_ref());
        role.subagent.adopt(&plan.telling.snmp);
        // The other threads are there already, and stay as they are.
        role.bearing.adopt(&plan.process.scheduling);
        role.network.holdings.claim(held.iter().copied());
        role.network.possessions.claim(possessions.iter().cloned());
        role.replace_settings(&plan);
        role.network.serve(plan.routers.iter());
        Network::mention_firewall(plan.firewall.as_ref());
        role.network.miss_interfaces(&plan.routers);
        role.network.introduce(&plan.routers);
        role.make_devices(&plan);
        role.remove_devices();
        role.network.introduce_devices(&plan.routers);
        role.network.serve(plan.routers.iter());
        role.network.ask_for(now, &plan.tracked.linkbeats);
        role.network.delays.replace(&plan.tracked.delays);
        objects::init_files(&plan, first);
        role.objects.replace(now, &plan, &role.probe);
        role.scripts.replace(now, &plan, &role.probe);
        role.replace_statics(plan.statics);
        let still_there: HashSet<Held> =
            held.iter().filter(|it| role.network.is_on(it)).copied().collect();
        let names: Vec<String> = plan.routers.iter().map(|it| it.name.clone()).collect();
        role.explain_faults(&plan.routers);
        let mut beginners = Vec::new();
        role.routers.reserve_exact(plan.routers.len());
        for router in plan.routers {
            let inherits = inherits(&role.network, &still_there, &router);
            let resumes = inherits && role.network.hears(&router);
            let first = if resumes { Event::Resume } else { Event::Start };
            beginners.push((role.admit(now, router), first));
        }
        // All are swept before one begins, as with keepalived.
        for (at, first) in &beginners {
            if matches!(first, Event::Start) {
                let there = role.network.exists(&role.routers[*at].machine.router().interface);
                role.tell(now, *at, Event::Sweep { there });
            }
        }
        role.group(plan.groups, &names);
        role.show(false);
        role.launch(now, beginners);
        role.directory = Directory::of(&role.routers);
        role.disown(now, &held);
        role.disown_possessions(&possessions);
        role.report(&Report::Ready);
        Ok(role)
    }

    /// Until it is told to end.
    pub(super) async fn run(mut self) {
        loop {
            if self.fire() {
                // More are due: whoever waits for the network is asked all the same.
                tokio::task::yield_now().await;
            }
            let occasion = self.next().await;
            let now = Instant::now();
            match occasion {
                Occasion::Deadline(Ok(())) => {}
                Occasion::Deadline(Err(error)) => {
                    tracing::error!("the clock doesn't wake this process: {error}");
                    std::thread::sleep(NO_ALARM);
                }
                Occasion::Network(arrival) => self.receive(now, arrival),
                Occasion::Request(request) => self.oblige(now, request),
                Occasion::Look(request) => self.show_snapshot(request),
                Occasion::Letter(letter) => {
                    if self.read(now, letter).is_break() {
                        break;
                    }
                }
            }
        }
        self.end();
    }

    /// `Break`: it is time to end.
    fn read(&mut self, now: Instant, letter: Letter) -> ControlFlow<()> {
        match letter {
            Letter::Finding(finding) => {
                if !self.herald.hear(&finding) {
                    self.find(now, finding);
                }
            }
            Letter::Signal(libc::SIGHUP) => self.report(&Report::WantReload),
            Letter::Signal(libc::SIGTERM | libc::SIGINT) => {
                return ControlFlow::Break(());
            }
            Letter::Signal(libc::SIGXCPU) => self.bearing.used_too_much(),
            Letter::Signal(number) => self.dump(number),
            Letter::Instruction(Ok(Some(instruction))) => match *instruction {
                Instruction::Reload(assignment) => self.reload(now, assignment.plan.plan),
                Instruction::Start(_) => tracing::warn!("told to start a second time"),
                Instruction::Quit | Instruction::Stop => return ControlFlow::Break(()),
                // The role has no log file of its own.
                Instruction::Reopen => {}
            },
            Letter::Instruction(Ok(None)) => {
                tracing::warn!("the supervisor has gone: ending");
                return ControlFlow::Break(());
            }
            Letter::Instruction(Err(error)) => {
                let message = format!("an order that cannot be read: {error}");
                tracing::error!("{message}");
                self.report(&Report::Failed { message });
            }
        }
        ControlFlow::Continue(())
    }

    /// Waits for whatever happens first. Orders come before packets, so that no flood keeps the
    /// role from being told to stop.
    async fn next(&mut self) -> Occasion {
        let deadline = self.deadline();
        let network = &mut self.network;
        tokio::select! {
            biased;
            letter = self.inbox.next() => Occasion::Letter(letter),
            arrival = poll_fn(|context| network.poll(context)) => Occasion::Network(arrival),
            request = self.bus.next() => Occasion::Request(request),
            request = self.subagent.next() => Occasion::Look(request),
            waited = self.alarm.wait(deadline) => Occasion::Deadline(waited),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let others = [
            self.tidy_at,
            self.scripts.deadline(),
            self.objects.deadline(),
            self.network.beats.deadline(),
            self.network.delays.deadline(),
            self.report_at,
            self.network.sockets_deadline(),
            self.pacer.deadline(),
        ];
        self.agenda.next().into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Serves timers whose time has come; whether there are more.
    pub(super) fn fire(&mut self) -> bool {
        let now = Instant::now();
        if let Some(worst) = self.agenda.next()
            && worst + LATE <= now
        {
            // What was said while this process slept decides whether a timer still has a point.
            for _ in 0..4096 {
                let Some((ear, packet)) = self.network.waiting_packet() else { break };
                self.hear(now, &ear, packet);
            }
        }
        for _ in 0..AT_ONCE {
            let Some(at) = self.agenda.due(now) else { break };
            let machine = &self.routers[at].machine;
            if let Some(due) = machine.deadline() {
                self.bearing.note(now, now - due, machine.router().advert_interval);
            }
            let event = self.expiry(at);
            self.tell(now, at, event);
        }
        if self.pacer.deadline().is_some_and(|deadline| deadline <= now) {
            self.announce_what_waited(now);
        }
        let due = self.scripts.deadline().is_some_and(|deadline| deadline <= now);
        if due && self.scripts.time_out(now, &self.probe) {
            self.weigh(now);
        }
        if self.objects.deadline().is_some_and(|deadline| deadline <= now) {
            self.objects.time_out(now);
            self.weigh(now);
        }
        if self.network.beats.deadline().is_some_and(|deadline| deadline <= now) {
            let incidents = self.network.ask(now);
            self.act_on(now, incidents);
        }
        if self.network.delays.deadline().is_some_and(|deadline| deadline <= now) {
            let incidents = self.network.act_on_delayed(now);
            self.act_on(now, incidents);
        }
        if self.network.sockets_deadline().is_some_and(|at| at <= now) {
            self.open_missing_sockets(now);
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_held();
        }
        if self.tidy_at.is_some_and(|at| at <= now) {
            self.tidy_at = None;
            give_back_memory();
        }
        let busy = self.agenda.due(now).is_some();
        if !busy || self.to_announce.len() > MANY {
            self.announce_all();
        }
        busy
    }

    fn receive(&mut self, now: Instant, arrival: Arrival) {
        match arrival {
            Arrival::Packet(ear, Ok(packet)) => self.hear(now, &ear, packet),
            Arrival::Packet(ear, Err(error)) => {
                tracing::debug!("receiving on {}: {error}", ear.interface);
            }
            Arrival::Changes(Ok(changes)) => self.follow(now, changes),
            Arrival::Changes(Err(error)) => {
                tracing::error!("netlink: {error}");
                self.follow(now, vec![Change::Lost]);
            }
        }
    }

    fn hear(&mut self, now: Instant, ear: &Ear, packet: Packet) {
        let Ear { interface, address, protocol } = ear;
        // A socket that joined a group gets what is for the host as well. Routers with unicast peers
        // have sockets of their own for that; to the others it means nothing, as to keepalived's.
        if packet.destination != *address {
            return;
        }
        let vrid = match vrid_of(*protocol, &packet.payload, Family::of(*address)) {
            Ok(vrid) => vrid,
            Err(line) => {
                if self.valve.pass(now).is_some() {
                    tracing::info!("{line}");
                }
                return;
            }
        };
        let is_its = |at: &usize| {
            self.network.hearing(self.routers[*at].machine.router()) == Some((*address, *protocol))
        };
        let at = self.directory.candidates(interface, vrid).find(is_its);
        let Some(at) = at else {
            if self.network.sockets.log_unknown_vrids && self.valve.pass(now).is_some() {
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
                source: packet.source,
                destination: packet.destination,
                ttl: packet.ttl,
                identification: packet.identification,
                pdu: packet.payload,
            }),
        );
    }

    fn follow(&mut self, now: Instant, changes: Vec<Change>) {
        self.limit_delays();
        let incidents = self.network.absorb(changes);
        self.act_on(now, incidents);
    }

    fn act_on(&mut self, now: Instant, incidents: Vec<Incident>) {
        let mut served = false;
        for incident in incidents {
            match incident {
                Incident::Interface(name) => {
                    // All changes have been taken in: once is enough.
                    if !std::mem::replace(&mut served, true) {
                        self.network.serve(self.routers.iter().map(|it| it.machine.router()));
                    }
                    for at in 0..self.routers.len() {
                        let config = self.routers[at].machine.router();
                        // A source address for unicast may be on another one.
                        if config.interface == name
                            || config.unicast.is_some()
                            || config.tracking.track_source
                            || config.other_interfaces().any(|other| other == name)
                        {
                            let event = self.interface_event(config);
                            self.tell(now, at, event);
                        }
                        self.follow_interface(now, at, &name);
                    }
                    if self.look_after_devices(&name) {
                        self.network.serve(self.routers.iter().map(|it| it.machine.router()));
                        for at in 0..self.routers.len() {
                            let event = self.interface_event(self.routers[at].machine.router());
                            self.tell(now, at, event);
                        }
                    }
                    self.look_after_statics(now, &name);
                }
                Incident::AddressLost(lost) => {
                    if let Some((at, address)) = self.owner(&lost) {
                        self.tell(now, at, Event::AddressLost(address));
                    } else {
                        self.restore_address(now, &lost);
                    }
                    self.report_soon();
                }
                Incident::PossessionLost(lost) => self.miss(now, &lost),
            }
        }
    }

    /// The router that an address on an interface belongs to.
    fn owner(&self, held: &Held) -> Option<(usize, VirtualAddress)> {
        self.routers.iter().enumerate().find_map(|(at, router)| {
            let config = router.machine.router();
            let is_it = |it: &&VirtualAddress| {
                (it.address, it.prefix) == (held.address, held.prefix)
                    && self.network.place(config.address_interface(), it) == Some(*held)
            };
            Some((at, config.all_addresses().find(is_it)?.clone()))
        })
    }

    pub(super) fn interface_event(&self, router: &VirtualRouter) -> Event {
        let interface = self.network.interface(router);
        let Interface { up, primary } = interface.unwrap_or(Interface { up: false, primary: None });
        let up = up && self.has_source(router) && !self.statics.hinder(&router.name);
        Event::Interface { up, primary }
    }
}
