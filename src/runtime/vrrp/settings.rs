//! Values in /proc/sys that routers want, put back when nobody wants them any more.

use super::role::Role;
use crate::plan::VrrpPlan;
use crate::runtime::handoff::Possession;
use crate::runtime::placing::setting;

impl Role {
    /// Brings this host's settings to what the plan wants: others get back what they were.
    pub(super) fn replace_settings(&mut self, plan: &VrrpPlan) {
        let wanted = wanted(plan);
        // `all` is 0 by now: what it was isn't seen any more.
        let has_devices = plan.routers.iter().any(|it| it.devices().next().is_some());
        let mut gone = Vec::new();
        for it in self.network.possessions.iter() {
            if let Possession::Setting { path, .. } = it
                && !wanted.iter().any(|(wanted, _)| wanted == path)
                && !(has_devices && path.ends_with("/rp_filter"))
            {
                gone.push(it.clone());
            }
        }
        for it in &gone {
            self.take_away(it);
        }
        for (path, value) in wanted {
            // What it was before the first change is what counts.
            let Some(change) = setting::change(&path, &value) else { continue };
            let known = |it: &Possession| matches!(it, Possession::Setting { path: known, .. } if *known == path);
            if !self.network.possessions.iter().any(known) {
                self.possess(std::iter::once(change));
            }
            if let Err(error) = setting::write(&path, &value) {
                tracing::warn!("{path} can't be set to {value}: {error}");
            }
        }
    }
}

/// Paths and values.
fn wanted(plan: &VrrpPlan) -> Vec<(String, String)> {
    let mut wanted = Vec::new();
    let mut want = |interface: &str, name: &str, value: &str| {
        wanted.push((setting::path("ipv4", interface, name), value.to_owned()));
    };
    for router in &plan.routers {
        if router.belongings.promote_secondaries {
            want(&router.interface, "promote_secondaries", "1");
        }
        for device in router.devices().filter(|device| device.is_macvlan() && !device.ipv6) {
            // The interface below must not answer for the addresses above it.
            want(&device.base, "arp_ignore", "1");
            want(&device.base, "arp_filter", "1");
        }
    }
    if plan.routers.iter().flat_map(|it| it.devices()).any(|it| it.is_macvlan() && !it.ipv6) {
        wanted.extend(reverse_path());
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// The greater of `all` and an interface's own value holds, so that `all` would forbid what virtual
/// MAC interfaces need: the others get the value of their own instead (keepalived.conf(5),
/// `use_vmac`).
fn reverse_path() -> Vec<(String, String)> {
    let of = |interface: &str| setting::path("ipv4", interface, "rp_filter");
    let value = |path: &str| setting::read(path).ok()?.parse::<u8>().ok();
    let Some(all) = value(&of("all")).filter(|all| *all > 0) else { return Vec::new() };
    let mut wanted = Vec::new();
    for entry in std::fs::read_dir("/proc/sys/net/ipv4/conf").into_iter().flatten().flatten() {
        let interface = entry.file_name().to_string_lossy().into_owned();
        let path = of(&interface);
        if interface == "all" || interface == "lo" {
            continue;
        }
        if value(&path).is_some_and(|own| own < all) {
            wanted.push((path, all.to_string()));
        }
    }
    wanted.push((of("all"), "0".to_owned()));
    wanted
}
