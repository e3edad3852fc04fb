//! Gratuitous ARPs and neighbour advertisements one after the other, for switches that can't bear
//! many at once (keepalived.conf(5), `vrrp_garp_interval`, `vrrp_gna_interval`, `garp_group`).
//!
//! The delays are those of an interface, or of several that lead to one switch, whichever router
//! sends: so this stands beside the machines. They say what is to be announced and how often;
//! [`Pacer::offer`] says whether that may be now. What has to wait goes out by turns: every address
//! once before any of them a second time, so that the last of many routers isn't unreachable until
//! the first has said everything five times.
//!
//! keepalived 2.2.7 (watched) sends one packet of a burst at once and one per address after it,
//! whatever `garp_master_repeat` says. Here all are sent, as its manual has it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::plan::conduct::Paces;

/// One announcement that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Where it is sent: perhaps a virtual MAC interface.
    pub interface: String,
    pub address: IpAddr,
}

/// What the log says when an announcement goes out, worded as keepalived words it.
pub fn line(interface: &str, address: IpAddr) -> String {
    let what = match address {
        IpAddr::V4(_) => "gratuitous ARP",
        IpAddr::V6(_) => "unsolicited Neighbour Advert",
    };
    format!("Sending {what} on {interface} for {address}")
}

/// All interfaces' delays.
#[derive(Debug, Default)]
pub struct Pacer {
    paces: Paces,
    lanes: Vec<Lane>,
    /// How many have ever waited: their order.
    number: u64,
}

/// Interfaces that share a delay; of one family.
#[derive(Debug)]
struct Lane {
    /// The group's place, or an interface in none.
    key: Key,
    delay: Duration,
    next_at: Instant,
    /// By round, then by order.
    waiting: BTreeMap<(u32, u64), Announcement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    place: Place,
    ipv6: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Group(usize),
    Interface(String),
}

impl Pacer {
    /// By a new plan. What waits by an old one goes out at once, unless its delay is still there.
    pub fn replace(&mut self, now: Instant, paces: Paces) {
        if self.paces == paces {
            return;
        }
        self.paces = paces;
        for lane in &mut self.lanes {
            (lane.delay, lane.next_at) = (Duration::ZERO, now);
        }
    }

    /// May this go out now? Else it waits. `wire` is the interface that leads to the switch, `round`
    /// counts from 0 in each burst: with it, what still waits of the burst before is dropped.
    pub fn offer(
        &mut self,
        now: Instant,
        wire: &str,
        (interface, address): (&str, IpAddr),
        round: u32,
    ) -> bool {
        let group = self.group_of(wire);
        let pace = group.map_or(self.paces.usual, |at| self.paces.groups[at].pace);
        let ipv6 = address.is_ipv6();
        let delay = if ipv6 { pace.neighbour } else { pace.arp };
        if delay.is_zero() {
            return true;
        }
        let place = match group {
            Some(at) => Place::Group(at),
            None => Place::Interface(wire.to_owned()),
        };
        let key = Key { place, ipv6 };
        let at = self.lanes.iter().position(|it| it.key == key && it.delay == delay);
        let at = at.unwrap_or_else(|| {
            self.lanes.push(Lane { key, delay, next_at: now, waiting: BTreeMap::new() });
            self.lanes.len() - 1
        });
        let lane = &mut self.lanes[at];
        if round == 0 {
            lane.waiting
                .retain(|_, it| (it.interface.as_str(), it.address) != (interface, address));
        }
        if lane.waiting.is_empty() && lane.next_at <= now {
            lane.next_at = now + delay;
            return true;
        }
        self.number += 1;
        let announcement = Announcement { interface: interface.to_owned(), address };
        lane.waiting.insert((round, self.number), announcement);
        false
    }

    fn group_of(&self, wire: &str) -> Option<usize> {
        self.paces.groups.iter().position(|it| it.interfaces.iter().any(|it| it == wire))
    }

    /// When to call [`due`](Self::due).
    pub fn deadline(&self) -> Option<Instant> {
        let busy = self.lanes.iter().filter(|it| !it.waiting.is_empty());
        busy.map(|it| it.next_at).min()
    }

    /// What may go out now. `holds`: is it still to be announced? What isn't takes nobody's turn.
    pub fn due(
        &mut self,
        now: Instant,
        mut holds: impl FnMut(&Announcement) -> bool,
    ) -> Vec<Announcement> {
        let mut out = Vec::new();
        for lane in &mut self.lanes {
            while lane.next_at <= now {
                let Some((_, announcement)) = lane.waiting.pop_first() else { break };
                if holds(&announcement) {
                    lane.next_at = now + lane.delay;
                    out.push(announcement);
                }
            }
        }
        // One that nobody waits in and whose delay has passed is as good as a new one.
        self.lanes.retain(|it| !it.waiting.is_empty() || it.next_at > now);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::conduct::{Pace, PaceGroup};

    const SECOND: Duration = Duration::from_secs(1);

    fn pacer(usual: u64, groups: &[(&[&str], u64)]) -> Pacer {
        let pace = |seconds| Pace { arp: SECOND * seconds as u32, neighbour: Duration::ZERO };
        let group = |(interfaces, seconds): &(&[&str], u64)| PaceGroup {
            interfaces: interfaces.iter().map(|it| (*it).to_owned()).collect(),
            pace: pace(*seconds),
        };
        let paces = Paces { usual: pace(usual), groups: groups.iter().map(group).collect() };
        let mut pacer = Pacer::default();
        pacer.replace(Instant::now(), paces);
        pacer
    }

    fn announcement(interface: &str, last: u8) -> Announcement {
        Announcement { interface: interface.to_owned(), address: [10, 0, 0, last].into() }
    }

    /// A burst on an interface; what went out at once.
    fn burst(pacer: &mut Pacer, now: Instant, on: &str, addresses: &[u8], rounds: u32) -> Vec<u8> {
        let mut sent = Vec::new();
        for round in 0..rounds {
            for last in addresses {
                if pacer.offer(now, on, (on, [10, 0, 0, *last].into()), round) {
                    sent.push(*last);
                }
            }
        }
        sent
    }

    /// Last bytes of what goes out, a second after the other, until nothing waits.
    fn drain(pacer: &mut Pacer, mut now: Instant) -> Vec<u8> {
        let mut sent = Vec::new();
        while let Some(deadline) = pacer.deadline() {
            assert!(deadline > now, "two at once");
            now = deadline;
            for it in pacer.due(now, |_| true) {
                let IpAddr::V4(address) = it.address else { unreachable!() };
                sent.push(address.octets()[3]);
            }
        }
        sent
    }

    #[test]
    fn without_a_delay_nothing_waits() {
        let (mut pacer, now) = (pacer(0, &[]), Instant::now());
        assert_eq!(burst(&mut pacer, now, "eth0", &[1, 2], 2), [1, 2, 1, 2]);
        assert_eq!(pacer.deadline(), None);
    }

    #[test]
    fn each_address_goes_out_once_before_any_goes_out_twice() {
        let (mut pacer, now) = (pacer(1, &[]), Instant::now());
        assert_eq!(burst(&mut pacer, now, "eth0", &[1, 2], 3), [1]);
        // Another router on the same interface.
        assert_eq!(burst(&mut pacer, now, "eth0", &[3], 2), [0; 0]);
        assert_eq!(drain(&mut pacer, now), [2, 3, 1, 2, 3, 1, 2]);
    }

    #[test]
    fn interfaces_wait_for_themselves_and_groups_for_all_of_theirs() {
        let (mut alone, now) = (pacer(1, &[]), Instant::now());
        assert_eq!(burst(&mut alone, now, "eth0", &[1], 2), [1]);
        assert_eq!(burst(&mut alone, now, "eth1", &[2], 2), [2]);
        let mut grouped = pacer(0, &[(&["eth0", "eth1"], 1)]);
        assert_eq!(burst(&mut grouped, now, "eth0", &[1], 2), [1]);
        assert_eq!(burst(&mut grouped, now, "eth1", &[2], 2), [0; 0]);
        assert_eq!(burst(&mut grouped, now, "eth2", &[3], 2), [3, 3]);
        assert_eq!(drain(&mut grouped, now), [2, 1, 2]);
    }

    #[test]
    fn a_second_burst_replaces_what_is_left_of_the_first() {
        let (mut pacer, now) = (pacer(1, &[]), Instant::now());
        burst(&mut pacer, now, "eth0", &[1, 2], 5);
        assert_eq!(burst(&mut pacer, now, "eth0", &[1, 2], 1), [0; 0]);
        assert_eq!(drain(&mut pacer, now), [1, 2]);
    }

    #[test]
    fn what_is_no_longer_held_takes_nobodys_turn() {
        let (mut pacer, now) = (pacer(1, &[]), Instant::now());
        burst(&mut pacer, now, "eth0", &[1, 2, 3], 1);
        let out = pacer.due(now + SECOND, |it| it.address != IpAddr::from([10, 0, 0, 2]));
        assert_eq!(out, [announcement("eth0", 3)]);
        assert_eq!(pacer.deadline(), None);
    }

    #[test]
    fn a_delay_that_a_reload_takes_away_holds_nothing_up() {
        let (mut pacer, now) = (pacer(1, &[]), Instant::now());
        burst(&mut pacer, now, "eth0", &[1, 2, 3], 1);
        pacer.replace(now, Paces::default());
        assert_eq!(pacer.due(now, |_| true).len(), 2);
        assert_eq!(pacer.deadline(), None);
    }
}
