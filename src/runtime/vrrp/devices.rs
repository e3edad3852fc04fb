//! Virtual MAC interfaces and the firewall around them: made at the start and after a reload, made
//! anew when somebody takes them away, removed in the end.

use std::io;

use super::role::Role;
use crate::plan::VrrpPlan;
use crate::plan::device::Device;
use crate::runtime::handoff::Possession;
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
    /// What nft was told last.
    script: Option<String>,
    plan: VrrpPlan,
}

impl Role {
    /// Makes the interfaces of the plan that aren't there.
    pub(super) fn make_devices(&mut self, plan: &VrrpPlan) {
        self.devices.wanted.clear();
        for router in &plan.routers {
            for device in router.devices() {
                // Its own addresses' family, and the other's where one is held on it as well.
                let both = router.all_addresses().any(|it| {
                    let on = it.interface.as_deref().unwrap_or(router.address_interface());
                    on == device.name && it.address.is_ipv6()
                });
                self.devices.wanted.push((
                    router.name.clone(),
                    device.clone(),
                    both || device.ipv6,
                ));
            }
        }
        self.devices.plan = VrrpPlan {
            routers: plan.routers.clone(),
            firewall: plan.firewall.clone(),
            ..VrrpPlan::default()
        };
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
            self.take_away(it);
        }
        if !gone.is_empty() {
            self.network.look_again();
            self.guard();
        }
    }

    /// An interface has gone or come, or has another address: it, or the one below, may be ours.
    /// Was one made anew?
    pub(super) fn look_after_devices(&mut self, interface: &str) -> bool {
        let above = |(_, it, _): &&(String, Device, bool)| it.ipv6 && it.base == interface;
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

    /// Is it there now?
    fn make(&mut self, router: &str, device: &Device, ipv6: bool) -> bool {
        let name = &device.name;
        let Some(base) = self.network.index(&device.base) else {
            tracing::info!("({router}) {} isn't there, so {name} isn't made", device.base);
            return false;
        };
        let found = self.network.is_device(name, base, device.mac.0);
        self.possess(std::iter::once(Possession::Device(name.clone())));
        if found {
            tracing::info!("({router}) Found matching interface {name}");
        } else if let Err(error) = self.network.make_device(name, base, device.mac.0) {
            tracing::error!("({router}): Unable to create VMAC interface {name}: {error}");
            self.network.possessions.let_go(&Possession::Device(name.clone()));
            return false;
        }
        for (family, setting, value) in OWN_SETTINGS {
            set(family, name, setting, value);
        }
        // No addresses but ours: neither by router advertisements nor by the hardware address.
        set("ipv6", name, "addr_gen_mode", "1");
        set("ipv6", name, "disable_ipv6", if ipv6 { "0" } else { "1" });
        let raised = self.network.raise(name);
        if let Err(error) = raised {
            tracing::error!("({router}) {name} stays down: {error}");
        }
        if device.ipv6
            && let Err(error) = self.network.share_link_local(base, name)
        {
            tracing::debug!("({router}) {name} has no link-local address: {error}");
        }
        if !found {
            tracing::info!("({router}): Success creating VMAC interface {name}");
        }
        self.network.look_again();
        true
    }

    /// Brings the firewall in line with addresses and interfaces.
    fn guard(&mut self) {
        let wanted = firewall::script(&self.devices.plan);
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
        if let Some(script) = &script {
            self.possess(names.into_iter().map(Possession::Table));
            match firewall::run(script) {
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

fn set(family: &str, interface: &str, name: &str, value: &str) {
    let path = setting::path(family, interface, name);
    if let Err(error) = setting::write(&path, value) {
        tracing::warn!("{path} can't be set to {value}: {error}");
    }
}
