//! The world's clock: what is due next happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use evenkeel::vrrp::machine::{Action, Event, Received, State};

use super::host::Host;
use super::random::Random;
use super::{CONVERGENCE, MOST_NETWORKS, Mutation, NODES, OBSERVATION, STORM, Scenario};
use crate::node::Wish;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at: Instant,
    /// Order among what is due at once.
    number: u64,
    pub(super) what: What,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Deliver {
        network: usize,
        from: usize,
        to: usize,
        pdu: Vec<u8>,
    },
    Start(usize),
    CleanUp(usize),
    LinkUp(usize, usize),
    Disturb,
    Calm,
    /// Nothing: an occasion to check.
    Look,
    End,
}

pub(super) struct World {
    pub(super) random: Random,
    zero: Instant,
    pub(super) now: Instant,
    pub(super) hosts: Vec<Host>,
    pub(super) queue: BinaryHeap<Reverse<Due>>,
    number: u64,
    /// How many; more than one: each host has a sync group over all.
    pub(super) networks: usize,
    /// `reaches[network][from][to]`
    pub(super) reaches: [[[bool; NODES]; NODES]; MOST_NETWORKS],
    pub(super) loss: u64,
    pub(super) duplicates: u64,
    pub(super) longest_delay: u64,
    pub(super) calm_since: Option<Instant>,
    /// Since when these two are active on a network and hear each other.
    pub(super) rivals_since: [[[Option<Instant>; NODES]; NODES]; MOST_NETWORKS],
    pub(super) elected: Option<usize>,
    pub(super) scenario: Scenario,
    pub(super) mutation: Option<Mutation>,
    pub(super) tracing: bool,
    pub(super) recording: Option<String>,
}

impl World {
    pub(super) fn new(seed: u64, mutation: Option<Mutation>) -> World {
        let mut random = Random(seed);
        let zero = Instant::now();
        let scenario = Scenario::draw(mutation, &mut random);
        let hosts = (0..NODES)
            .map(|index| Host::new(index, &scenario, mutation, zero, &mut random))
            .collect();
        let mut world = World {
            random,
            zero,
            now: zero,
            hosts,
            queue: BinaryHeap::new(),
            number: 0,
            networks: scenario.networks,
            reaches: [[[true; NODES]; NODES]; MOST_NETWORKS],
            loss: 0,
            duplicates: 0,
            longest_delay: 3,
            calm_since: None,
            rivals_since: Default::default(),
            elected: None,
            scenario,
            mutation,
            tracing: false,
            recording: None,
        };
        for index in 0..NODES {
            let delay = world.random.millis(0, 6_000);
            world.schedule(delay, What::Start(index));
        }
        world.schedule(Duration::from_secs(1), What::Disturb);
        world.schedule(STORM, What::Calm);
        world.schedule(STORM + CONVERGENCE, What::Look);
        world.schedule(STORM + CONVERGENCE + OBSERVATION, What::End);
        world
    }

    pub(super) fn schedule(&mut self, after: Duration, what: What) {
        self.number += 1;
        let due = Due { at: self.now + after, number: self.number, what };
        self.queue.push(Reverse(due));
    }

    pub(super) fn play(&mut self) -> Result<(), String> {
        loop {
            let event = self.queue.peek().map(|Reverse(due)| due.at);
            let timer = (0..NODES).filter_map(|index| Some((self.wakes_at(index)?, index))).min();
            match (event, timer) {
                (Some(event), Some((at, index))) if at < event => {
                    self.now = self.now.max(at);
                    self.wake(index);
                }
                _ => {
                    let Some(Reverse(due)) = self.queue.pop() else { return Ok(()) };
                    self.now = self.now.max(due.at);
                    if due.what == What::End {
                        return Ok(());
                    }
                    self.happen(due.what);
                }
            }
            self.check().map_err(|why| format!("at {:.3} s {why}", self.seconds()))?;
        }
    }

    fn seconds(&self) -> f64 {
        (self.now - self.zero).as_secs_f64()
    }

    /// When the daemon on this host does something by itself.
    fn wakes_at(&self, index: usize) -> Option<Instant> {
        let host = &self.hosts[index];
        let deadline = host.daemon.as_ref()?.deadline();
        let mail = (!host.inbox.is_empty()).then_some(host.asleep_until);
        [deadline.map(|at| at.max(host.asleep_until)), mail].into_iter().flatten().min()
    }

    /// Timers and waiting packets, in either order, as in a loop that was held up.
    fn wake(&mut self, index: usize) {
        let mail_first = self.random.chance(50);
        let mut out = Vec::new();
        let (now, deaf) = (self.now, self.is(index, Mutation::Deaf));
        let never = self.mutation == Some(Mutation::NeverStepsIn);
        let host = &mut self.hosts[index];
        let inbox = std::mem::take(&mut host.inbox);
        let Some(daemon) = &mut host.daemon else { return };
        if !mail_first {
            daemon.time_out(now, &mut out);
        }
        for (network, packet) in inbox.into_iter().filter(|_| !deaf) {
            daemon.handle(now, network, Event::Packet(packet), &mut out);
        }
        if mail_first {
            daemon.time_out(now, &mut out);
        }
        if never && daemon.machines.iter().any(|it| it.state() == State::Active) {
            // As if the machine had not reacted to its deadline.
            host.daemon = None;
            return;
        }
        self.carry_out(index, out);
    }

    pub(super) fn is(&self, index: usize, mutation: Mutation) -> bool {
        index == 0 && self.mutation == Some(mutation)
    }

    pub(super) fn carry_out(&mut self, index: usize, actions: Vec<Wish>) {
        let keeps = self.is(index, Mutation::KeepsAddresses);
        for (network, action) in actions {
            if self.tracing || self.recording.is_some() {
                let shown = match &action {
                    Action::Log(_, line) if line.contains("gratuitous") => None,
                    Action::Log(_, line) => Some(line.clone()),
                    Action::Transition { to, priority, .. } => {
                        Some(format!("{network} => {} {priority}", to.word()))
                    }
                    _ => None,
                };
                if let Some(line) = shown {
                    self.trace(&format!("node {index}: {line}"));
                }
            }
            let host = &mut self.hosts[index];
            if matches!(action, Action::AddAddresses(_) | Action::RemoveAddresses(_)) {
                host.orphaned = false;
            }
            match action {
                Action::Send(packet) => self.send(network, index, &packet.payload),
                Action::AddAddresses(these) => {
                    let these = these.iter().map(|it| (network, it.address));
                    self.hosts[index].held.extend(these);
                }
                Action::RemoveAddresses(these) if !keeps => {
                    for address in these {
                        self.hosts[index].held.remove(&(network, address.address));
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn trace(&mut self, line: &str) {
        let seconds = self.seconds();
        if self.tracing {
            eprintln!("{seconds:9.3} {line}");
        }
        if let Some(recording) = &mut self.recording {
            recording.push_str(&format!("{seconds:9.3} {line}\n"));
        }
    }

    fn send(&mut self, network: usize, from: usize, pdu: &[u8]) {
        for to in (0..NODES).filter(|to| *to != from) {
            if !self.hears(network, to, from) || self.random.chance(self.loss) {
                continue;
            }
            let copies = if self.random.chance(self.duplicates) { 2 } else { 1 };
            for _ in 0..copies {
                let delay = self.random.millis(0, self.longest_delay);
                self.schedule(delay, What::Deliver { network, from, to, pdu: pdu.to_vec() });
            }
        }
    }

    pub(super) fn hears(&self, network: usize, to: usize, from: usize) -> bool {
        let up = |index: usize| self.hosts[index].links_up[network];
        self.reaches[network][from][to] && up(to) && up(from)
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Deliver { network, from, to, pdu } => {
                let packet = Received {
                    source: IpAddr::V4(self.hosts[from].primaries[network]),
                    destination: self.hosts[to].configs[network].group,
                    ttl: 255,
                    identification: 1,
                    pdu,
                };
                let host = &mut self.hosts[to];
                if host.daemon.is_some() && host.links_up[network] {
                    host.inbox.push((network, packet));
                    if host.asleep_until <= self.now {
                        self.wake(to);
                    }
                }
            }
            What::Start(index) => self.start(index),
            What::CleanUp(index) => self.clean_up(index),
            What::LinkUp(index, network) => self.set_link(index, network, true),
            What::Disturb => self.disturb(),
            What::Calm => self.calm(),
            What::Look => self.schedule(Duration::from_millis(500), What::Look),
            What::End => {}
        }
    }
}
