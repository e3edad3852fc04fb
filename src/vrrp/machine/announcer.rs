//! Gratuitous ARPs of an active router: bursts after promotion and contest, and refreshes.

use std::net::IpAddr;
use std::time::Instant;

use super::{Action, Actions, LogLevel};
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};

/// Bursts that may wait at once. Each lower-priority advert adds one, so that a flood of those
/// must not make the list grow.
const MOST_BURSTS: usize = 16;

/// When which addresses are announced. Empty while not active.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    /// Later bursts: when, and how many rounds.
    bursts: Vec<(Instant, u32)>,
    refresh_at: Option<Instant>,
    /// `garp_extra_if`
    extra_at: Option<Instant>,
}

impl Announcer {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let burst = self.bursts.iter().map(|(at, _)| *at).min();
        [burst, self.refresh_at, self.extra_at].into_iter().flatten().min()
    }

    /// This router has become active.
    pub(super) fn begin(&mut self, now: Instant, router: &VirtualRouter, out: &mut Actions) {
        let garp = &router.garp;
        burst(router, &held(router), garp.repeat, out);
        if !garp.delay.is_zero() {
            self.schedule(now + garp.delay, garp.repeat);
        }
        if !garp.refresh.is_zero() {
            self.refresh_at = Some(now + garp.refresh);
        }
        if !garp.extra.is_zero() && elsewhere(router).next().is_some() {
            self.extra_at = Some(now + garp.extra);
        }
    }

    /// A lower-priority router was active too: what the switches learned may be wrong.
    pub(super) fn contested(&mut self, now: Instant, router: &VirtualRouter, out: &mut Actions) {
        let garp = &router.garp;
        if garp.lower_priority_repeat == 0 {
            return;
        }
        burst(router, &held(router), garp.lower_priority_repeat, out);
        if !garp.lower_priority_delay.is_zero() {
            self.schedule(now + garp.lower_priority_delay, garp.lower_priority_repeat);
        }
    }

    /// Somebody asked for it: all are announced once.
    pub(super) fn asked(&self, router: &VirtualRouter, out: &mut Actions) {
        burst(router, &held(router), 1, out);
    }

    /// A reload added addresses: all are announced, as keepalived does.
    pub(super) fn added(&mut self, now: Instant, router: &VirtualRouter, out: &mut Actions) {
        burst(router, &held(router), router.garp.repeat, out);
        if !router.garp.delay.is_zero() {
            self.schedule(now + router.garp.delay, router.garp.repeat);
        }
    }

    /// The refresh setting may have changed.
    pub(super) fn reconfigured(&mut self, now: Instant, router: &VirtualRouter) {
        let refresh = router.garp.refresh;
        self.refresh_at = match self.refresh_at {
            _ if refresh.is_zero() => None,
            Some(at) => Some(at.min(now + refresh)),
            None => Some(now + refresh),
        };
        let extra = router.garp.extra;
        self.extra_at = match self.extra_at {
            _ if extra.is_zero() || elsewhere(router).next().is_none() => None,
            Some(at) => Some(at.min(now + extra)),
            None => Some(now + extra),
        };
    }

    /// Does what has come due.
    pub(super) fn catch_up(&mut self, now: Instant, router: &VirtualRouter, out: &mut Actions) {
        let due = self.bursts.iter().filter(|(at, _)| *at <= now).map(|(_, repeat)| *repeat);
        // Several that are due at once (the timer was late) are one.
        if let Some(repeat) = due.max() {
            self.bursts.retain(|(at, _)| *at > now);
            // What few routers wait for at a time adds up where thousands once did.
            self.bursts.shrink_to_fit();
            burst(router, &held(router), repeat, out);
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = Some(now + router.garp.refresh);
            burst(router, &held(router), router.garp.refresh_repeat, out);
        }
        if self.extra_at.is_some_and(|at| at <= now) {
            self.extra_at = Some(now + router.garp.extra);
            let elsewhere: Vec<_> = elsewhere(router).cloned().collect();
            burst(router, &elsewhere, 1, out);
        }
    }

    fn schedule(&mut self, at: Instant, repeat: u32) {
        if self.bursts.len() < MOST_BURSTS {
            // Usually it is the only one, and what thousands of routers have room for stays theirs.
            self.bursts.reserve_exact(1);
            self.bursts.push((at, repeat));
        }
    }
}

/// All addresses in turn, `repeat` times.
fn burst(router: &VirtualRouter, addresses: &[VirtualAddress], repeat: u32, out: &mut Actions) {
    for round in 0..repeat {
        for address in addresses {
            if round == 0 {
                let (name, ip) = (&router.name, address.address);
                let interface = address.interface.as_deref().unwrap_or(router.address_interface());
                out.push(Action::Log(
                    LogLevel::Debug,
                    format!("({name}) Sending/queueing {}s on {interface} for {ip}", many(ip)),
                ));
            }
            out.push(Action::Announce(address.clone(), round));
        }
    }
}

/// The addresses on other interfaces than the router's own, for `garp_extra_if`.
fn elsewhere(router: &VirtualRouter) -> impl Iterator<Item = &VirtualAddress> {
    let everywhere = router.garp.extra_everywhere;
    let is_elsewhere = move |it: &&VirtualAddress| {
        it.interface.as_ref().is_some_and(|interface| match everywhere {
            true => *interface != router.interface,
            false => router.belongings.devices.iter().any(|it| it.name == *interface),
        })
    };
    router.all_addresses().filter(is_elsewhere)
}

/// What a burst is called, without its plural's ending.
fn many(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "gratuitous ARP" } else { "Unsolicited Neighbour Advert" }
}

/// All that it announces: what isn't in the adverts, too.
fn held(router: &VirtualRouter) -> Vec<VirtualAddress> {
    router.all_addresses().cloned().collect()
}
