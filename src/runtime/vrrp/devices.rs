//! Virtual MAC interfaces and the firewall around them: made at the start and after a reload, made
//! anew when somebody takes them away, removed in the end.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use super::role::Role;
use crate::kernel::nftables::{Nftables, Table};
use crate::plan::VrrpPlan;
use crate::plan::device::Device;
use crate::plan::vrrp::VirtualAddress;
use crate::runtime::handoff::Possession;
use crate::runtime::placing::firewall::Guarded;
use crate::runtime::placing::{firewall, setting};

/// What an interface of our own is set to, and that needn't be undone: it goes as a whole.
const OWN_SETTINGS: [(&str, &str, &str); 4] = [
    ("ipv4", "arp_ignore", "1"),
    ("ipv4", "accept_local", "1"),
    ("ipv4", "promote_secondaries", "1"),
    ("ipv4", "rp_filter", "0"),
];

/// What is wanted, with the name of the router that it is for.
#[derive(Debug, Default)]
pub(super) struct Devices {
    wanted: Vec<(String, Device, bool)>,
    /// By the plan before.
    before: Vec<(String, Device, bool)>,
    /// What nft was told last, but for addresses.
    script: Option<String>,
    /// The kernel is told of addresses; opened when it is needed.
    nftables: Option<Nftables>,
    /// Packets to and from these are dropped now.
    guarded: BTreeSet<Guarded>,
    plan: VrrpPlan,
}

impl Role {
    /// Makes the interfaces of the plan that aren't there.
    pub(super) fn make_devices(&mut self, plan: &VrrpPlan) {
        self.devices.before = std::mem::take(&mut self.devices.wanted);
        for router in &plan.routers {
            for device in router.devices() {
                let ipv6 = router.device_concerns(device, true);
                self.devices.wanted.push((router.name.clone(), device.clone(), ipv6));
            }
        }
        // Only what the firewall is about: thousands of routers need not be kept twice.
        self.devices.plan = VrrpPlan { firewall: plan.firewall.clone(), ..VrrpPlan::default() };
        if plan.firewall.is_some() {
            self.devices.plan.routers.clone_from(&plan.routers);
        }
        // All of them first: one's hardware address may be another one's now.
        self.clear_addresses();
        for (router, device, _) in self.devices.wanted.clone() {
            self.clear_the_way(&router, &device);
        }
        for (router, device, ipv6) in self.devices.wanted.clone() {
            self.make(&router, &device, ipv6);
        }
        self.guard();
    }

    /// Removes those that the plan hasn't any more.
    pub(super) fn remove_devices(&mut self) {
        let wanted = |name: &String| self.devices.wanted.iter().any(|(_, it, _)| it.name == *name);
        let gone: Vec<Possession> = self
            .network
            .possessions
            .iter()
            .filter(|it| matches!(it, Possession::Device(name) if !wanted(name)))
            .cloned()
            .collect();
        for it in &gone {
            self.remove_possession(it);
        }
        if !gone.is_empty() {
            self.network.look_again();
            self.guard();
        }
    }

    /// With a word where it was an interface.
    pub(super) fn remove_possession(&mut self, it: &Possession) {
        let made = self.devices.wanted.iter().chain(&self.devices.before);
        let router = match it {
            Possession::Device(name) => {
                made.clone().find(|(_, it, _)| it.name == *name).map(|(router, ..)| router.clone())
            }
            _ => None,
        };
        self.take_away(it);
        if let (Possession::Device(name), Some(router)) = (it, router)
            && nix::net::if_::if_nametoindex(name.as_str()).is_err()
        {
            tracing::info!("({router}) Success removing VMAC interface {name}");
        }
    }

    /// An interface has gone or come, or has another address: it, or the one below, may be ours.
    /// Was one made anew?
    pub(super) fn look_after_devices(&mut self, interface: &str) -> bool {
        let above = |(_, it, _): &&(String, Device, bool)| {
            it.ipv6 && it.is_macvlan() && it.base == interface
        };
        for (_, device, _) in self.devices.wanted.iter().filter(above) {
            if let (Some(base), true) =
                (self.network.index(&device.base), self.network.exists(&device.name))
            {
                // It may not have one either, yet.
                let _ = self.network.share_link_local(base, &device.name);
            }
        }
        let lost = |(_, it, _): &&(String, Device, bool)| {
            (it.name == interface || it.base == interface) && !self.network.exists(&it.name)
        };
        let lost: Vec<_> = self.devices.wanted.iter().filter(lost).cloned().collect();
        let mut made = false;
        for (router, device, ipv6) in lost {
            made |= self.network.exists(&device.base) && self.make(&router, &device, ipv6);
        }
        if made {
            self.guard();
        }
        made
    }

    /// One that isn't wanted any more goes before one with its hardware address comes.
    fn clear_addresses(&mut self) {
        let wanted = |is: &dyn Fn(&Device) -> bool| self.devices.wanted.iter().any(|it| is(&it.1));
        let in_the_way = |old: &Device| {
            old.is_macvlan()
                && !wanted(&|it| it.name == old.name)
                && wanted(&|it| it.is_macvlan() && it.mac == old.mac && it.base == old.base)
        };
        let before = self.devices.before.iter().filter(|(_, it, _)| in_the_way(it));
        let gone: Vec<_> = before.map(|(_, it, _)| Possession::Device(it.name.clone())).collect();
        for it in gone.iter().filter(|it| self.network.possessions.contains(it)).collect::<Vec<_>>()
        {
            self.remove_possession(it);
        }
    }

    /// One of this name for another VRID, or above another interface, goes.
    fn clear_the_way(&mut self, router: &str, device: &Device) {
        let Device { name, base, .. } = device;
        let base = self.network.index(base);
        if base.is_some_and(|base| !self.network.is_device(device, base))
            && self.network.is_virtual(name)
        {
            tracing::info!(
                "({router}) VMAC {name} already exists but is incompatible. It will be \
                 deleted/updated"
            );
            self.take_away(&Possession::Device(name.clone()));
        }
    }

    /// Is it there now?
    fn make(&mut self, router: &str, device: &Device, ipv6: bool) -> bool {
        let name = &device.name;
        let Some(base) = self.network.index(&device.base) else {
            return false;
        };
        let kind = if device.is_macvlan() { "VMAC" } else { "ipvlan" };
        let own = device.ipvlan.as_ref().map(|ipvlan| ipvlan.address);
        if own == Some(None) && !device.ipv6 {
            // Adverts would have no source: the instance stays in fault.
            return false;
        }
        let found = self.network.is_device(device, base);
        self.possess(std::iter::once(Possession::Device(name.clone())));
        if found {
            tracing::info!("({router}) Found matching interface {name}");
        } else if let Err(error) = self.network.make_device(device, base) {
            // The one below may be about to go.
            if error.raw_os_error() != Some(libc::ENODEV) {
                tracing::error!("({router}): Unable to create {kind} interface {name}: {error}");
            }
            self.network.possessions.let_go(&Possession::Device(name.clone()));
            return false;
        }
        if device.is_macvlan() {
            for (family, setting, value) in OWN_SETTINGS.into_iter().filter(|_| !device.ipv6) {
                set(family, name, setting, value);
            }
            // No addresses but ours: neither by router advertisements nor by the hardware address.
            set("ipv6", name, "addr_gen_mode", "1");
            set("ipv6", name, "disable_ipv6", if ipv6 { "0" } else { "1" });
        }
        let raised = self.network.raise(name);
        if let Err(error) = raised {
            tracing::error!("({router}) {name} stays down: {error}");
        }
        if let Err(error) = self.network.address_device(device) {
            tracing::error!("({router}) {name} has no address of its own: {error}");
        }
        if device.ipv6
            && device.is_macvlan()
            && let Err(error) = self.network.share_link_local(base, name)
        {
            tracing::debug!("({router}) {name} has no link-local address: {error}");
        }
        if !found {
            tracing::info!("({router}): Success creating {kind} interface {name}");
        }
        self.network.look_again();
        true
    }

    /// Brings the firewall in line with addresses and interfaces.
    fn guard(&mut self) {
        let wanted = firewall::script(&self.devices.plan, &BTreeSet::new());
        let names = wanted.as_ref().map_or(Vec::new(), |(names, _)| names.clone());
        let gone: Vec<Possession> = self
            .network
            .possessions
            .iter()
            .filter(|it| matches!(it, Possession::Table(name) if !names.contains(name)))
            .cloned()
            .collect();
        for it in &gone {
            self.take_away(it);
        }
        let script = wanted.map(|(_, script)| script);
        if script == self.devices.script {
            return;
        }
        if let Some((names, script)) = firewall::script(&self.devices.plan, &self.devices.guarded) {
            self.possess(names.into_iter().map(Possession::Table));
            match firewall::run(&script) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => tracing::error!(
                    "the program nft isn't there: no_accept is without effect, and switches may \
                     learn the wrong port for virtual MAC interfaces; install nftables"
                ),
                Err(error) => tracing::error!("nft: {error}"),
            }
        }
        self.devices.script = script;
    }
}

impl Role {
    /// From now on packets to and from these are dropped, or are no longer.
    pub(super) fn guard_addresses(
        &mut self,
        now: Instant,
        at: usize,
        interface: &str,
        addresses: &[VirtualAddress],
        dropped: bool,
    ) {
        for address in addresses {
            let place = self.network.place(interface, address);
            let changed: Vec<Guarded> = match (place, dropped) {
                (Some(place), true) => {
                    let it = Guarded::new(place.address, place.index);
                    self.devices.guarded.insert(it).then_some(it).into_iter().collect()
                }
                (None, true) => Vec::new(),
                (place, false) => {
                    // Its interface may have been replaced by another one since.
                    let is_it = |it: &Guarded| {
                        it.address == address.address
                            && it.interface.is_none_or(|index| {
                                place.is_some_and(|it| it.index == index)
                                    || !self.network.has_index(index)
                            })
                    };
                    let gone: Vec<Guarded> =
                        self.devices.guarded.iter().filter(|it| is_it(it)).copied().collect();
                    gone.iter().for_each(|it| _ = self.devices.guarded.remove(it));
                    gone
                }
            };
            for it in changed {
                if let Err(error) = self.devices.change(it, dropped) {
                    let what = if dropped { "dropping packets to" } else { "accepting packets to" };
                    self.complain(now, at, &format!("{what} {}", it.address), Err(error));
                }
            }
        }
    }
}

impl Devices {
    fn change(&mut self, it: Guarded, dropped: bool) -> io::Result<()> {
        let Some(firewall) = self.plan.firewall.as_ref() else { return Ok(()) };
        let nftables = match &mut self.nftables {
            Some(nftables) => nftables,
            none => none.insert(Nftables::open()?),
        };
        let table = Table { ipv6: it.address.is_ipv6(), name: &firewall.table };
        match dropped {
            true => nftables.insert(table, it.set(), &[it.key()]),
            false => nftables.remove(table, it.set(), &[it.key()]),
        }
    }
}

fn set(family: &str, interface: &str, name: &str, value: &str) {
    let path = setting::path(family, interface, name);
    if let Err(error) = setting::write(&path, value) {
        tracing::warn!("{path} can't be set to {value}: {error}");
    }
}
