//! Interfaces whose coming and going counts only when it lasts (keepalived.conf(5),
//! `interface_up_down_delays`).
//!
//! As watched with 2.2.7, with two differences. What waits when the config is reloaded goes on
//! waiting; the real one forgets it, and takes an interface that went down for one that is up. An
//! interface without a second number waits as long for both, as the manual says; the real one then
//! doesn't wait until it is up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Incident, Network};
use crate::kernel::netlink::Link;
use crate::plan::track::LinkDelay;

/// By name.
#[derive(Debug, Default)]
pub(in crate::runtime::vrrp) struct Delays {
    delays: BTreeMap<String, Wait>,
    waiting: BTreeMap<String, Change>,
}

#[derive(Debug)]
struct Wait {
    down: Duration,
    up: Duration,
    /// A router on the interface that hears a master with a short interval can't wait for longer.
    most: Option<Duration>,
}

/// It is up, or down, and will count as that.
#[derive(Clone, Copy, Debug)]
struct Change {
    up: bool,
    at: Instant,
}

impl Delays {
    pub(in crate::runtime::vrrp) fn any(&self) -> bool {
        !self.delays.is_empty()
    }

    pub(in crate::runtime::vrrp) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|change| change.at).min()
    }

    /// What holds for the interface now.
    pub(super) fn is_up(&self, link: &Link) -> bool {
        self.waiting.get(&link.name).map_or(link.up, |change| !change.up)
    }

    /// How long changes of this interface wait, down and up; does one wait now?
    pub(super) fn of(&self, interface: &str) -> (Duration, Duration, bool) {
        let wait = self.delays.get(interface).map(|wait| (wait.down, wait.up));
        let (down, up) = wait.unwrap_or_default();
        (down, up, self.waiting.contains_key(interface))
    }

    /// From now on these hold. What waits already isn't touched.
    pub(in crate::runtime::vrrp) fn replace(&mut self, delays: &[LinkDelay]) {
        let wait = |it: &LinkDelay| Wait { down: it.down, up: it.up, most: None };
        self.delays = delays.iter().map(|it| (it.interface.clone(), wait(it))).collect();
    }

    /// Begins to tell what the routers can bear; [`bear`](Self::bear) follows for each of them.
    pub(in crate::runtime::vrrp) fn forget_limits(&mut self) {
        self.delays.values_mut().for_each(|wait| wait.most = None);
    }

    /// A router on this interface would be given up by others after a longer wait.
    pub(in crate::runtime::vrrp) fn bear(&mut self, interface: &str, most: Duration) {
        if let Some(wait) = self.delays.get_mut(interface) {
            wait.most = Some(wait.most.map_or(most, |before| before.min(most)));
        }
    }

    /// The interface has gone, or is another one.
    pub(super) fn forget(&mut self, interface: &str) {
        self.waiting.remove(interface);
    }

    /// The link has changed to what it is now. Whether that has to wait, or never was.
    pub(super) fn hold_back(&mut self, now: Instant, before: &Link, link: &Link) -> bool {
        if let Some(change) = self.waiting.get(&link.name) {
            if change.up != link.up {
                self.waiting.remove(&link.name);
            }
            return true;
        }
        let Some(wait) = self.delays.get(&link.name) else { return false };
        let wanted = if link.up { wait.up } else { wait.down };
        let delay = wait.most.map_or(wanted, |most| wanted.min(most));
        if delay.is_zero() {
            return false;
        }
        let (name, from, to) = (&link.name, before.flags, link.flags);
        let micros = delay.as_micros();
        tracing::info!("{name}: Adding flags change from {from:#x} to {to:#x} delay by {micros}");
        self.waiting.insert(link.name.clone(), Change { up: link.up, at: now + delay });
        true
    }
}

impl Network {
    /// Changes that have lasted.
    pub(in crate::runtime::vrrp) fn act_on_delayed(&mut self, now: Instant) -> Vec<Incident> {
        let due = self.delays.waiting.iter().filter(|(_, change)| change.at <= now);
        let due: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        let mut incidents = Vec::new();
        for name in due {
            let Some(Change { up, .. }) = self.delays.waiting.remove(&name) else { continue };
            if self.concerned.contains(&name) && !self.beats.asks_for(&name) {
                tracing::info!("Netlink reports {name} {}", if up { "up" } else { "down" });
            }
            incidents.push(Incident::Interface(name));
        }
        incidents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(up: bool) -> Link {
        Link {
            index: 2,
            name: "eth0".to_owned(),
            mac: None,
            up,
            flags: 0,
            arp: true,
            mtu: 1500,
            is_macvlan: false,
            is_ipvlan: false,
            base: None,
            hardware: 1,
            broadcast: None,
        }
    }

    #[test]
    fn what_does_not_last_never_was() {
        let mut delays = Delays::default();
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        let changes = |delays: &mut Delays, millis: u64, up: bool| {
            delays.hold_back(at(millis), &link(!up), &link(up))
        };
        assert!(!changes(&mut delays, 0, false), "nobody asked for it");
        let (down, up) = (Duration::from_millis(800), Duration::ZERO);
        delays.replace(&[LinkDelay { interface: "eth0".to_owned(), down, up }]);
        assert!(changes(&mut delays, 0, false) && delays.is_up(&link(false)));
        assert_eq!(delays.deadline(), Some(at(800)));
        assert!(changes(&mut delays, 100, true), "it isn't even news");
        assert_eq!(delays.deadline(), None);
        assert!(delays.is_up(&link(true)));
        // Told twice, it counts from the first time.
        assert!(changes(&mut delays, 200, false));
        assert!(changes(&mut delays, 300, false));
        assert_eq!(delays.deadline(), Some(at(1000)));
        // Without a delay, at once.
        delays.forget("eth0");
        assert!(!delays.is_up(&link(false)) && !changes(&mut delays, 1100, true));
        // Nobody waits longer than the others do.
        delays.bear("eth0", Duration::from_millis(50));
        delays.bear("eth0", Duration::from_millis(70));
        assert!(changes(&mut delays, 2000, false));
        assert_eq!(delays.deadline(), Some(at(2050)));
    }
}
