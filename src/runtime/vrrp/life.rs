//! Routers begin, change with the config, and end.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::deeds::Places;
use super::directory::Directory;
use super::network::Network;
use super::objects;
use super::role::{AT_ONCE, Role};
use super::router::Router;
use crate::kernel::memory::give_back_memory;
use crate::plan::VrrpPlan;
use crate::plan::vrrp::VirtualRouter;
use crate::runtime::handoff::{Held, Report};
use crate::vrrp::machine::Event;

impl Role {
    /// Takes in one router; [`launch`](Self::launch) starts it.
    pub(super) fn admit(&mut self, now: Instant, config: VirtualRouter) -> usize {
        self.routers.push(Router::new(config, now));
        let at = self.routers.len() - 1;
        self.introduce(now, at);
        if let Some(until) = self.listen_until.filter(|until| now < *until) {
            self.tell(now, at, Event::ListenUntil(until));
        }
        at
    }

    /// Takes off what a predecessor left and no router of this plan has any more.
    pub(super) fn disown(&mut self, now: Instant, left: &[Held]) {
        let places = self.routers.iter().flat_map(|router| places(&self.network, router));
        let ours: HashSet<Held> = places.chain(self.statics.places(&self.network)).collect();
        for it in left {
            if ours.contains(it) {
                continue;
            }
            if let Err(error) = self.network.take_off(it)
                && self.valve.pass(now).is_some()
            {
                let name = self.network.name(it.index);
                tracing::error!("{} stays on {name}: {error}", it.address);
            }
        }
        self.report_held();
    }

    /// By the new plan: routers that are still the same go on, only differences are acted on.
    pub(super) fn reload(&mut self, now: Instant, plan: VrrpPlan) {
        // What is due comes first, while groups are what they were: a member that overslept takes
        // the others along.
        for _ in 0..=self.routers.len() / AT_ONCE {
            if !self.fire() {
                break;
            }
        }
        self.router_id.clone_from(&plan.router_id);
        self.network.adopt(&plan.sockets);
        self.pacer.replace(now, plan.paces.clone());
        self.telling.clone_from(&plan.telling);
        self.process.clone_from(&plan.process);
        self.herald.reload(&plan, &self.probe);
        self.network.size_buffers(&plan.process.buffers);
        self.bearing.adopt(&plan.process.scheduling);
        self.bus.adopt(plan.telling.dbus.as_ref());
        self.subagent.adopt(&plan.telling.snmp);
        let old = self.routers.iter().map(|router| router.machine.router());
        // Old and new sockets are there while routers change over.
        self.network.serve(old.chain(&plan.routers));
        self.scripts.replace(now, &plan, &self.probe);
        Network::mention_firewall(plan.firewall.as_ref());
        self.network.miss_interfaces(&plan.routers);
        self.network.introduce(&plan.routers);
        let (before, removed) = self.part_with(now, &plan.routers);
        self.replace_settings(&plan);
        self.make_devices(&plan);
        self.network.introduce_devices(&plan.routers);
        self.expect(&plan.routers, &before);
        // On interfaces that have just been made, too.
        let old = self.routers.iter().map(|router| router.machine.router());
        self.network.serve(old.chain(&plan.routers));
        self.network.ask_for(now, &plan.tracked.linkbeats);
        self.network.delays.replace(&plan.tracked.delays);
        objects::init_files(&plan, false);
        self.objects.replace(now, &plan, &self.probe);
        self.replace_statics(plan.statics);
        let names: Vec<String> = plan.routers.iter().map(|it| it.name.clone()).collect();
        let mut beginners = Vec::new();
        for router in &mut self.routers {
            // Who does what now isn't settled until all have changed.
            router.group = None;
        }
        self.explain_faults(&plan.routers);
        for (new, before) in plan.routers.into_iter().zip(before) {
            match before {
                Some(at) => self.reconfigure(now, at, new),
                None => {
                    let at = self.admit(now, new);
                    self.inherit(at, &removed);
                    beginners.push((at, Event::Start));
                }
            }
        }
        self.group(plan.groups, &names);
        self.show(true);
        self.launch(now, beginners);
        self.settle();
        self.remove_devices();
        self.network.serve(self.routers.iter().map(|router| router.machine.router()));
        self.directory = Directory::of(&self.routers);
        self.routers.shrink_to_fit();
        self.write_states();
        self.report_held();
        self.report(&Report::Ready);
        give_back_memory();
    }

    /// Ends the routers that the new plan hasn't any more. Returns for each of the new ones the place
    /// of the one that it goes on as, and those that have ended.
    fn part_with(
        &mut self,
        now: Instant,
        new: &[VirtualRouter],
    ) -> (Vec<Option<usize>>, Vec<Router>) {
        let successors = self.successors(new);
        self.expect(new, &successors);
        for at in 0..self.routers.len() {
            if !successors.contains(&Some(at)) {
                self.routers[at].removed = true;
                self.tell(now, at, Event::Shutdown);
            }
        }
        // Announcements name routers by the places that change now.
        self.announce_all();
        let mut stay = 0..;
        let place = |router: &Router| if router.removed { None } else { stay.next() };
        let places: Vec<Option<usize>> = self.routers.iter().map(place).collect();
        let removed = self.routers.extract_if(.., |router| router.removed).collect();
        self.agenda.replace(self.routers.iter().map(|router| router.machine.deadline()));
        (successors.iter().map(|before| before.and_then(|at| places[at])).collect(), removed)
    }

    /// One that stands where another one has left has heard what that had heard.
    fn inherit(&mut self, at: usize, removed: &[Router]) {
        let new = self.routers[at].machine.router();
        let wire = |it: &VirtualRouter| (it.vrid, it.interface.clone(), it.family());
        let before = removed.iter().find(|it| wire(it.machine.router()) == wire(new));
        if let Some(before) = before {
            self.routers[at].machine.inherit(&before.machine);
        }
    }

    /// For each router of the new plan the place of the one that it goes on as. Names don't matter,
    /// to keepalived neither: an instance that is renamed stays what it is.
    fn successors(&self, new: &[VirtualRouter]) -> Vec<Option<usize>> {
        let mut by_wire: HashMap<(&str, u8), Vec<usize>> = HashMap::new();
        for (at, router) in self.routers.iter().enumerate() {
            let old = router.machine.router();
            by_wire.entry((&old.interface, old.vrid)).or_default().push(at);
        }
        let mut successors = Vec::new();
        for new in new {
            let candidates = by_wire.entry((&new.interface, new.vrid)).or_default();
            let is_still = |at: &usize| self.routers[*at].machine.is_still(new);
            let found = candidates.iter().position(is_still);
            successors.push(found.map(|at| candidates.remove(at)));
        }
        successors
    }

    pub(super) fn reconfigure(&mut self, now: Instant, at: usize, new: VirtualRouter) {
        let before = Places::of(self.routers[at].machine.router());
        let verdict = self.verdict(&new);
        let interface = self.interface_event(&new);
        self.explain_scripts(&new);
        self.routers[at].verdict = Some(verdict);
        // What is done now still concerns the old places.
        self.tell_on(now, at, Event::Reconfigure(Box::new(new), verdict), Some(&before));
        self.tell(now, at, interface);
    }

    /// Leaves in an orderly way.
    pub(super) fn end(mut self) {
        tracing::info!("Stopping");
        let now = Instant::now();
        self.herald.dismiss(&self.probe);
        if self.leave_addresses {
            // Nobody holds them any more: not to be taken off by us, nor by the supervisor.
            self.network.holdings.forget();
            self.addresses_stay = true;
        }
        for at in 0..self.routers.len() {
            self.tell(now, at, Event::Shutdown);
        }
        self.stop_groups();
        self.take_statics_away();
        // Belt and braces: whatever a machine may have forgotten.
        for held in self.network.holdings.iter().copied().collect::<Vec<_>>() {
            let Err(error) = self.network.take_off(&held) else { continue };
            tracing::error!("{} stays on {}: {error}", held.address, self.network.name(held.index));
        }
        self.leave_host();
        self.report_held();
        self.bus.finish();
        self.subagent.finish();
        self.probe.finish();
        self.bearing.sum_up();
        tracing::info!("Stopped");
    }
}

/// Was the predecessor active for this router? It takes addresses off before it says so: what
/// counts is what is there.
pub(super) fn inherits(
    network: &Network,
    still_there: &HashSet<Held>,
    router: &VirtualRouter,
) -> bool {
    let all = |address| {
        let place = network.place(router.address_interface(), address);
        place.is_some_and(|place| still_there.contains(&place))
    };
    !router.addresses.is_empty() && router.addresses.iter().all(all)
}

fn places<'a>(network: &'a Network, router: &'a Router) -> impl Iterator<Item = Held> + 'a {
    let router = router.machine.router();
    let interface = router.address_interface();
    router.all_addresses().filter_map(move |address| network.place(interface, address))
}
