//! Values in /proc/sys that routers want, put back when nobody wants them any more.

use super::role::Role;
use crate::plan::VrrpPlan;
use crate::runtime::handoff::Possession;
use crate::runtime::placing::setting;

impl Role {
    /// Brings this host's settings to what the plan wants: others get back what they were.
    pub(super) fn replace_settings(&mut self, plan: &VrrpPlan) {
        let wanted = wanted(plan);
        let mut gone = Vec::new();
        for it in self.network.possessions.iter() {
            if let Possession::Setting { path, .. } = it
                && !wanted.iter().any(|(wanted, _)| wanted == path)
            {
                gone.push(it.clone());
            }
        }
        for it in &gone {
            self.take_away(it);
        }
        for (path, value) in wanted {
            // What it was before the first change is what counts.
            let Some(change) = setting::change(&path, value) else { continue };
            let known = |it: &Possession| matches!(it, Possession::Setting { path: known, .. } if *known == path);
            if !self.network.possessions.iter().any(known) {
                self.possess(std::iter::once(change));
            }
            if let Err(error) = setting::write(&path, value) {
                tracing::warn!("{path} can't be set to {value}: {error}");
            }
        }
    }
}

fn wanted(plan: &VrrpPlan) -> Vec<(String, &'static str)> {
    let mut wanted = Vec::new();
    for router in &plan.routers {
        if router.belongings.promote_secondaries {
            let path = setting::path("ipv4", &router.interface, "promote_secondaries");
            wanted.push((path, "1"));
        }
    }
    wanted
}
