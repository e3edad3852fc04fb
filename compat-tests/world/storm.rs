//! What goes wrong, and how it comes right again.

use std::cmp::Reverse;
use std::time::Duration;

use evenkeel::vrrp::machine::{Event, State};

use super::host::healthy;
use super::play::{What, World};
use super::{MOST_NETWORKS, Mutation, NODES, RESUMABLE};
use crate::node::Node;

impl World {
    pub(super) fn start(&mut self, index: usize) {
        let now = self.now;
        let networks = self.networks;
        let (grouped, alone) = (self.networks > 1, self.is(index, Mutation::Ungrouped));
        let host = &mut self.hosts[index];
        if host.daemon.is_some() {
            return;
        }
        let grouped = grouped && !alone;
        let mut daemon = Node::new(host.configs.clone(), grouped, host.scripts.clone());
        let mut out = Vec::new();
        let resumes =
            host.killed_at.is_some_and(|at| now - at < RESUMABLE) && host.held.len() == networks;
        let how = if resumes { Event::Resume } else { Event::Start };
        daemon.start(now, &how, &host.links(), &mut out);
        host.orphaned &= daemon.machines.iter().all(|it| it.state() == State::Initialize);
        host.daemon = Some(daemon);
        (host.killed_at, host.joining) = (None, false);
        host.inbox.clear();
        host.asleep_until = now;
        self.trace(&format!("node {index} starts"));
        self.carry_out(index, out);
    }

    pub(super) fn clean_up(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        // Its successor knows what to do with them.
        if host.orphaned && host.daemon.is_none() {
            host.orphaned = false;
            host.held.clear();
        }
    }

    pub(super) fn set_link(&mut self, index: usize, network: usize, up: bool) {
        self.trace(&format!("node {index} link {network} up: {up}"));
        let now = self.now;
        let host = &mut self.hosts[index];
        host.links_up[network] = up;
        let Some(daemon) = &mut host.daemon else { return };
        let mut out = Vec::new();
        let event = Event::Interface { up, primary: Some(host.primaries[network].into()) };
        daemon.handle(now, network, event, &mut out);
        self.carry_out(index, out);
    }

    /// One thing goes wrong, or right again.
    pub(super) fn disturb(&mut self) {
        if self.calm_since.is_some() {
            return;
        }
        let index = self.random.below(NODES as u64) as usize;
        let other = (index + 1 + self.random.below(NODES as u64 - 1) as usize) % NODES;
        let network = self.random.below(self.networks as u64) as usize;
        // What only groups know comes last.
        match self.random.below(if self.networks > 1 { 19 } else { 17 }) {
            0 => self.crash(index),
            1 => self.kill(index),
            2 => self.stop(index),
            3 | 4 => self.oversleep(index),
            5 => self.cut(network, index, other),
            6 => self.isolate(index),
            7 => self.heal(),
            8 => {
                self.set_link(index, network, false);
                let later = self.random.millis(200, 8_000);
                self.schedule(later, What::LinkUp(index, network));
            }
            9 => self.loss = [0, 0, 10, 30, 60][self.random.below(5) as usize],
            10 => self.longest_delay = [1, 5, 50, 900][self.random.below(4) as usize],
            11 => self.duplicates = [0, 20, 100][self.random.below(3) as usize],
            12 => self.flip_script(index),
            13 => self.change_priority(index),
            17 | 18 => self.change_members(index),
            14 => self.take_address_off(index, network),
            15 => self.send_garbage(index, network),
            _ => self.unplug(network, index),
        }
        let next = self.random.millis(100, 3_000);
        self.schedule(next, What::Disturb);
    }

    /// The host is gone, its addresses with it.
    fn crash(&mut self, index: usize) {
        self.trace(&format!("node {index} crashes"));
        let host = &mut self.hosts[index];
        host.daemon = None;
        host.held.clear();
        (host.orphaned, host.killed_at) = (false, None);
        let later = self.random.millis(500, 9_000);
        self.schedule(later, What::Start(index));
    }

    /// The daemon is killed; its supervisor cleans up and starts another.
    fn kill(&mut self, index: usize) {
        if self.hosts[index].daemon.is_none() {
            return;
        }
        self.trace(&format!("node {index} daemon killed"));
        let supervised = !self.is(index, Mutation::NoSupervisor);
        let host = &mut self.hosts[index];
        let was_active =
            host.daemon.take().is_some_and(|it| it.machines[0].state() == State::Active);
        host.orphaned = supervised && was_active;
        host.killed_at = Some(self.now).filter(|_| supervised && was_active);
        let (clean, restart) = (self.random.millis(1, 300), self.random.millis(10, 3_000));
        if supervised {
            self.schedule(clean, What::CleanUp(index));
        }
        self.schedule(restart, What::Start(index));
    }

    fn stop(&mut self, index: usize) {
        self.trace(&format!("node {index} is stopped"));
        let mut out = Vec::new();
        let now = self.now;
        if let Some(mut daemon) = self.hosts[index].daemon.take() {
            for network in 0..daemon.machines.len() {
                daemon.handle(now, network, Event::Shutdown, &mut out);
            }
        }
        self.carry_out(index, out);
        let later = self.random.millis(500, 9_000);
        self.schedule(later, What::Start(index));
    }

    fn oversleep(&mut self, index: usize) {
        let (long, short) = (self.random.millis(3_000, 15_000), self.random.millis(100, 3_000));
        let span = if self.random.chance(50) { long } else { short };
        self.trace(&format!("node {index} sleeps for {:.3} s", span.as_secs_f64()));
        self.hosts[index].asleep_until = self.now + span;
    }

    fn cut(&mut self, network: usize, from: usize, to: usize) {
        self.trace(&format!("node {to} no longer hears node {from} on network {network}"));
        self.reaches[network][from][to] = false;
        if self.random.chance(50) {
            self.reaches[network][to][from] = false;
        }
    }

    fn isolate(&mut self, index: usize) {
        for network in 0..self.networks {
            self.unplug(network, index);
        }
    }

    /// Cut off from one network, without noticing.
    fn unplug(&mut self, network: usize, index: usize) {
        self.trace(&format!("node {index} is cut off from network {network}"));
        for other in 0..NODES {
            self.reaches[network][index][other] = false;
            self.reaches[network][other][index] = false;
        }
    }

    fn heal(&mut self) {
        self.trace("all hear each other");
        self.reaches = [[[true; NODES]; NODES]; MOST_NETWORKS];
    }

    fn flip_script(&mut self, index: usize) {
        let now = self.now;
        let kind = self.random.below(4);
        let Some(daemon) = &mut self.hosts[index].daemon else { return };
        let Some(simulated) = daemon.scripts.first_mut() else { return };
        let behaviour = &mut simulated.behaviour;
        *behaviour = healthy();
        match kind {
            0 => behaviour.exit = 1,
            1 => behaviour.takes = Duration::from_secs(30),
            2 => {
                behaviour.takes = Duration::from_secs(30);
                behaviour.stubborn = true;
            }
            _ => {}
        }
        let mut out = Vec::new();
        daemon.tell_script(now, 0, evenkeel::vrrp::script::Event::ProcessGone, &mut out);
        self.carry_out(index, out);
    }

    fn change_priority(&mut self, index: usize) {
        let priority = 1 + self.random.below(254) as u8;
        self.trace(&format!("node {index} reloads with priority {priority}"));
        let meek = self.is(index, Mutation::Meek);
        for config in &mut self.hosts[index].configs {
            config.priority = if meek { 254 } else { priority };
        }
        self.reload(index, |daemon| daemon.present.clone());
    }

    /// A reload takes a member out of the group and out of the config, or puts it back.
    fn change_members(&mut self, index: usize) {
        self.trace(&format!("node {index} reloads with a member more or less"));
        self.reload(index, |daemon| {
            let mut present = daemon.present.clone();
            present[1] = !present[1];
            present
        });
    }

    /// With the config as it is, but for what isn't to be there.
    fn reload(&mut self, index: usize, present: impl Fn(&Node) -> Vec<bool>) {
        let now = self.now;
        let host = &mut self.hosts[index];
        let links = host.links();
        let Some(daemon) = &mut host.daemon else { return };
        let present = present(daemon);
        host.joining |= present.iter().zip(&daemon.present).any(|(new, old)| *new && !*old);
        let configs = host.configs.iter().zip(present);
        let configs: Vec<_> = configs.map(|(it, there)| there.then(|| it.clone())).collect();
        let mut out = Vec::new();
        daemon.reload(now, &configs, &links, &mut out);
        self.carry_out(index, out);
    }

    fn take_address_off(&mut self, index: usize, network: usize) {
        let now = self.now;
        let host = &mut self.hosts[index];
        let address = host.configs[network].addresses[0].clone();
        let held = (network, address.address);
        let Some(daemon) = host.daemon.as_mut().filter(|_| host.held.contains(&held)) else {
            return;
        };
        let mut out = Vec::new();
        host.held.remove(&held);
        daemon.handle(now, network, Event::AddressLost(address), &mut out);
        self.trace(&format!("node {index} is robbed of an address"));
        self.carry_out(index, out);
    }

    fn send_garbage(&mut self, to: usize, network: usize) {
        let from = (to + 1) % NODES;
        let length = self.random.below(48) as usize;
        let mut pdu: Vec<u8> = (0..length).map(|_| self.random.next() as u8).collect();
        for (byte, likely) in pdu.iter_mut().zip([0x21, 51 + network as u8, 255, 1, 1, 1]) {
            *byte = likely;
        }
        self.schedule(Duration::ZERO, What::Deliver { network, from, to, pdu });
    }

    /// The storm is over: everything works and everybody is there, perhaps but for one.
    pub(super) fn calm(&mut self) {
        self.trace("calm");
        self.heal();
        (self.loss, self.duplicates, self.longest_delay) = (0, 0, 3);
        self.calm_since = Some(self.now);
        let missing = self.random.below(2 * NODES as u64) as usize;
        for index in 0..NODES {
            self.hosts[index].asleep_until = self.now;
            for network in 0..self.networks {
                if !self.hosts[index].links_up[network] {
                    self.set_link(index, network, true);
                }
            }
            if let Some(daemon) = &mut self.hosts[index].daemon {
                for simulated in &mut daemon.scripts {
                    simulated.behaviour = healthy();
                }
                self.reload(index, |daemon| vec![true; daemon.present.len()]);
            } else if index != missing || self.mutation.is_some() {
                self.start(index);
            } else {
                // What was scheduled for it must not start it later.
                self.queue.retain(|Reverse(due)| due.what != What::Start(index));
                self.trace(&format!("node {index} stays away"));
            }
        }
    }
}
