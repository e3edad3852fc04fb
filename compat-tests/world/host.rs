//! One host: its config, its daemon, what is on its interfaces.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use evenkeel::plan::track::TrackScript;
use evenkeel::plan::vrrp::{InitialState, VirtualRouter};
use evenkeel::vrrp::machine::{Received, State};

use super::random::Random;
use super::{MOST_NETWORKS, Mutation, Scenario};
use crate::node::{self, Behaviour, Node, track_script, tracked};

pub(super) struct Host {
    /// One router on each network.
    pub(super) configs: Vec<VirtualRouter>,
    pub(super) scripts: Vec<(TrackScript, Behaviour)>,
    /// On each network.
    pub(super) primaries: Vec<Ipv4Addr>,
    /// `None`: no daemon runs.
    pub(super) daemon: Option<Node>,
    /// Addresses on its interfaces, with the network.
    pub(super) held: BTreeSet<(usize, IpAddr)>,
    /// A killed daemon's addresses that its supervisor hasn't found yet.
    pub(super) orphaned: bool,
    /// A daemon was active and was killed, and none has begun since.
    pub(super) killed_at: Option<Instant>,
    /// A reload has added a member to its group, which hasn't caught up with the others yet.
    pub(super) joining: bool,
    pub(super) links_up: [bool; MOST_NETWORKS],
    pub(super) asleep_until: Instant,
    pub(super) inbox: Vec<(usize, Received)>,
}

impl Host {
    pub(super) fn new(
        index: usize,
        scenario: &Scenario,
        mutation: Option<Mutation>,
        zero: Instant,
        random: &mut Random,
    ) -> Host {
        let weight = [-20, 0, 30, -253][random.below(4) as usize];
        let mut script = track_script("chk");
        script.weight = weight;
        script.rise = 1 + random.below(2) as u32;
        script.fall = 1 + random.below(2) as u32;
        script.init_fail = random.chance(20);
        let preempt = scenario.all_preempt || random.chance(50);
        let delayed = random.chance(20);
        let preempt_delay = if delayed { random.millis(500, 3_000) } else { Duration::ZERO };
        let priority = if scenario.alike { 100 } else { 1 + random.below(254) as u8 };
        let states = [InitialState::Master, InitialState::Backup];
        let initial = states[random.below(2) as usize];
        let router = |network: usize, random: &mut Random| {
            let mut router = VirtualRouter {
                priority: if scenario.contradictory {
                    1 + random.below(254) as u8
                } else {
                    priority
                },
                initial,
                preempt,
                preempt_delay,
                ..node::router()
            };
            if scenario.scripted {
                router.scripts = vec![tracked(0, weight, false)];
            }
            if network > 0 {
                router.vrid += network as u8;
                router.interface = format!("eth{network}");
                router.addresses = vec![node::address(&format!("10.9.{network}.100/24"))];
            }
            router
        };
        let mut host = Host {
            configs: (0..scenario.networks).map(|network| router(network, random)).collect(),
            scripts: if scenario.scripted { vec![(script, healthy())] } else { vec![] },
            primaries: (0..scenario.networks)
                .map(|network| Ipv4Addr::new(10, 9, network as u8, 1 + index as u8))
                .collect(),
            daemon: None,
            held: BTreeSet::new(),
            orphaned: false,
            killed_at: None,
            joining: false,
            links_up: [true; MOST_NETWORKS],
            asleep_until: zero,
            inbox: vec![],
        };
        if index == 0 {
            mutation.into_iter().for_each(|mutation| mutation.apply(&mut host.configs));
        }
        host
    }

    /// The state of its routers; `None`: no daemon runs, or it hasn't this one in its config.
    pub(super) fn state(&self, network: usize) -> Option<State> {
        let daemon = self.daemon.as_ref().filter(|it| it.present[network])?;
        Some(daemon.machines[network].state())
    }

    pub(super) fn is_active(&self, network: usize) -> bool {
        self.state(network) == Some(State::Active)
    }

    pub(super) fn links(&self) -> Vec<(bool, IpAddr)> {
        let links = self.primaries.iter().zip(self.links_up);
        links.map(|(primary, up)| (up, IpAddr::V4(*primary))).collect()
    }
}

pub(super) fn healthy() -> Behaviour {
    Behaviour { takes: Duration::from_millis(20), exit: 0, signal: None, stubborn: false }
}
