//! Links that are asked for, since their drivers don't tell (keepalived.conf(5),
//! "linkbeat_interfaces").

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Incident, Network};
use crate::kernel::link_beat::{By, LinkBeat};
use crate::kernel::netlink::Link;
use crate::plan::track::{LinkQuery, Linkbeat};

/// From one question to the next (measured).
const INTERVAL: Duration = Duration::from_secs(1);

/// What was answered last.
#[derive(Debug, Default)]
pub(in crate::runtime::vrrp) struct Beats {
    asker: Option<LinkBeat>,
    beats: BTreeMap<String, Beat>,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Beat {
    wanted: Option<LinkQuery>,
    /// How it can be asked.
    by: By,
    up: bool,
}

impl Beats {
    /// What holds for the interface now.
    pub(super) fn is_up(&self, link: &Link) -> bool {
        self.beats.get(&link.name).map_or(link.up, |beat| beat.up)
    }

    pub(super) fn asks_for(&self, interface: &str) -> bool {
        self.beats.contains_key(interface)
    }

    pub(in crate::runtime::vrrp) fn deadline(&self) -> Option<Instant> {
        self.next.filter(|_| !self.beats.is_empty())
    }
}

impl Network {
    /// From now on asks for these.
    pub(in crate::runtime::vrrp) fn ask_for(&mut self, now: Instant, linkbeats: &[Linkbeat]) {
        let beats = &mut self.beats;
        beats.next = Some(now + INTERVAL);
        if beats.asker.is_none() && !linkbeats.is_empty() {
            match LinkBeat::open() {
                Ok(asker) => beats.asker = Some(asker),
                Err(error) => tracing::error!("links can't be asked for: {error}"),
            }
        }
        let Some(asker) = &beats.asker else { return };
        let mut before = std::mem::take(&mut beats.beats);
        for Linkbeat { interface, by: wanted } in linkbeats {
            if !self.concerned.contains(interface) {
                tracing::info!("Turning off linkbeat for {interface} since not used for tracking");
                continue;
            }
            let beat = match before.remove(interface).filter(|beat| beat.wanted == *wanted) {
                Some(beat) => beat,
                None => begin(asker, interface, *wanted),
            };
            beats.beats.insert(interface.clone(), beat);
        }
    }

    /// Asks those that are due; whose answer is another one now.
    pub(in crate::runtime::vrrp) fn ask(&mut self, now: Instant) -> Vec<Incident> {
        let Beats { asker: Some(asker), beats, next } = &mut self.beats else { return Vec::new() };
        *next = Some(now + INTERVAL);
        let mut incidents = Vec::new();
        for (interface, beat) in beats {
            let up = asker.has_link(interface, beat.by).unwrap_or(false);
            if std::mem::replace(&mut beat.up, up) != up {
                let state = if up { "up" } else { "down" };
                tracing::info!("Linkbeat reports {interface} {state}");
                incidents.push(Incident::Interface(interface.clone()));
            }
        }
        incidents
    }
}

/// By what was asked for, or else by what works.
fn begin(asker: &LinkBeat, interface: &str, wanted: Option<LinkQuery>) -> Beat {
    let order = match wanted {
        None | Some(LinkQuery::Mii) => [By::Mii, By::Ethtool],
        Some(LinkQuery::Ethtool) => [By::Ethtool, By::Mii],
        Some(LinkQuery::Ioctl) => [By::Flags, By::Flags],
    };
    let works = |by: &By| asker.has_link(interface, *by).is_ok();
    let by = order.into_iter().find(works).unwrap_or(By::Flags);
    if wanted.is_some() && by != order[0] {
        let (wanted, used) = (name(order[0]), name(by));
        tracing::info!(
            "({interface}): Configured linkbeat type {wanted} not supported, using {used}"
        );
    }
    Beat { wanted, by, up: asker.has_link(interface, by).unwrap_or(false) }
}

fn name(by: By) -> &'static str {
    match by {
        By::Mii => "MII",
        By::Ethtool => "ETHTOOL",
        By::Flags => "IOCTL",
    }
}
