//! The loop: what may happen, and who hears of it.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedReceiver;

use super::agenda::Agenda;
use super::bearing::{Bearing, LATE};
use super::bus::{Bus, Request};
use super::devices::Devices;
use super::directory::Directory;
use super::groups::Synced;
use super::herald::Herald;
use super::life::inherits;
use super::network::{Arrival, Ear, Incident, Interface, Network};
use super::objects::{self, Objects};
use super::passing::Passing;
use super::router::{Router, Valve};
use super::scribe::Scribe;
use super::scripts::Scripts;
use super::signals::Signals;
use super::snmp::{self, Subagent};
use super::startup;
use super::statics::Statics;
use crate::kernel::memory::give_back_memory;
use crate::kernel::netlink::Change;
use crate::kernel::raw::Packet;
use crate::plan::VrrpPlan;
use crate::plan::telling::Telling;
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::plan::vrrp_process::VrrpProcess;
use crate::plan::wire::Family;
use crate::runtime::handoff::{Control, Held, Instruction, Instructions, Report, Succession};
use crate::runtime::probe::{Finding, Probe};
use crate::vrrp::machine::{Event, Received};
use crate::vrrp::pace::Pacer;
use crate::vrrp::packet::vrid_of;

/// So many timers fire in a row; then it is others' turn.
pub(super) const AT_ONCE: usize = 64;

pub(super) struct Role {
    pub(super) control: Control,
    pub(super) instructions: Instructions,
    pub(super) network: Network,
    pub(super) router_id: Option<String>,
    pub(super) telling: Telling,
    pub(super) process: VrrpProcess,
    pub(super) routers: Vec<Router>,
    pub(super) groups: Vec<Synced>,
    pub(super) agenda: Agenda,
    pub(super) pacer: Pacer,
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
    pub(super) findings: UnboundedReceiver<Finding>,
    pub(super) signals: Signals,
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
    /// A plan is large, and other things happen far more often.
    Instruction(io::Result<Option<Box<Instruction<Succession<VrrpPlan>>>>>),
    Signal(i32),
    Finding(Finding),
    Request(Request),
    Look(snmp::Request),
    Network(Arrival),
    Deadline,
}

impl Role {
    /// Must be called inside a tokio runtime.
    pub(super) fn start(control: Control, succession: Succession<VrrpPlan>) -> io::Result<Role> {
        let Succession { plan, first, held, possessions } = succession;
        let now = Instant::now();
        // First of all: what other threads start has the signals blocked that they have.
        let signals = Signals::catch()?;
        let (probe, findings) = Probe::start()?;
        let mut role = Role {
            instructions: control.listen()?,
            control,
            network: Network::open()?,
            routers: Vec::new(),
            groups: Vec::new(),
            agenda: Agenda::default(),
            pacer: Pacer::default(),
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
            findings,
            signals,
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
                Occasion::Deadline => {}
                Occasion::Network(arrival) => self.receive(now, arrival),
                Occasion::Finding(finding) => {
                    if !self.herald.hear(&finding) {
                        self.find(now, finding);
                    }
                }
                Occasion::Request(request) => self.oblige(now, request),
                Occasion::Look(request) => self.show_snapshot(request),
                Occasion::Signal(libc::SIGHUP) => self.report(&Report::WantReload),
                Occasion::Signal(libc::SIGTERM | libc::SIGINT) => break,
                Occasion::Signal(libc::SIGXCPU) => self.bearing.used_too_much(),
                Occasion::Signal(number) => self.dump(number),
                Occasion::Instruction(Ok(Some(instruction))) => match *instruction {
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
            instruction = self.instructions.next::<Succession<VrrpPlan>>() => {
                Occasion::Instruction(instruction.map(|it| it.map(Box::new)))
            }
            number = self.signals.next() => Occasion::Signal(number),
            Some(finding) = self.findings.recv() => Occasion::Finding(finding),
            arrival = poll_fn(|context| network.poll(context)) => Occasion::Network(arrival),
            request = self.bus.next() => Occasion::Request(request),
            request = self.subagent.next() => Occasion::Look(request),
            () = sleep => Occasion::Deadline,
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
        self.agenda.due(now).is_some()
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
        let hears =
            |at: &usize| self.network.ear(self.routers[*at].machine.router()).as_ref() == Some(ear);
        let at = self.directory.candidates(interface, vrid).find(hears);
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
