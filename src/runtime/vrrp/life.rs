//! Routers begin, change with the config, and end.

use std::time::Instant;

use super::role::{Punctuality, Role};
use super::router::Router;
use crate::plan::VrrpPlan;
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::runtime::handoff::{Held, Report};
use crate::vrrp::machine::Event;

impl Role {
    /// Starts one router, by [`Event::Start`] or [`Event::Resume`].
    pub(super) fn begin(&mut self, now: Instant, config: VirtualRouter, first: Event) {
        let interface = self.interface_event(&config);
        let verdict = self.scripts.weigh(&config);
        self.routers.push(Router::new(config, now));
        let at = self.routers.len() - 1;
        self.routers[at].verdict = Some(verdict);
        self.tell(now, at, interface);
        self.tell(now, at, Event::Tracking(verdict));
        self.tell(now, at, first);
    }

    /// Takes off what a predecessor left and no router of this plan has any more.
    pub(super) fn disown(&mut self, now: Instant, left: &[Held]) {
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
    pub(super) fn reload(&mut self, now: Instant, plan: VrrpPlan) {
        self.router_id.clone_from(&plan.router_id);
        let gone = |router: &Router| !plan.routers.iter().any(|new| new.name == router.name());
        while let Some(at) = self.routers.iter().position(gone) {
            self.routers[at].removed = true;
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

    pub(super) fn reconfigure(&mut self, now: Instant, at: usize, new: VirtualRouter) {
        let interface_before = self.routers[at].machine.router().interface.clone();
        // Where unicast comes to it may be another address now.
        let moves = interface_before != new.interface
            || self.network.ear(self.routers[at].machine.router()) != self.network.ear(&new);
        let verdict = self.scripts.weigh(&new);
        let tracked = !new.scripts.is_empty();
        let interface = self.interface_event(&new);
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
    pub(super) fn end(mut self) {
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
}

/// Was the predecessor active for this router? It takes addresses off before it says so: what
/// counts is what is there.
pub(super) fn inherits(held: &[&Held], router: &VirtualRouter) -> bool {
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
