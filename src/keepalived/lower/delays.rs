//! `interface_up_down_delays`: which hold, and for how long at most.

use std::time::Duration;

use super::Lowering;
use crate::plan::track::{LinkDelay, link_patience};
use crate::plan::vrrp::VirtualRouter;
use crate::text::Diagnostic;

impl Lowering<'_> {
    /// In the order of the config; of several for one interface the last. Only the interface that a
    /// router is on limits its delay, not those that it tracks (measured). Virtual MAC interfaces
    /// have those of the interface below.
    pub(super) fn link_delays(&mut self, routers: &[VirtualRouter]) -> Vec<LinkDelay> {
        let config = self.config;
        let mut delays: Vec<LinkDelay> = Vec::new();
        for (interface, down, up) in &config.tracked.delays {
            let name = &interface.value;
            if config.globals.dynamic_interfaces.is_none() && !self.host.interface_exists(name) {
                let message = format!("unknown interface {name} specified for up/down delay");
                self.complain(message, interface.span);
                continue;
            }
            let up = up.unwrap_or(*down);
            delays.retain(|it| it.interface != *name);
            delays.push(LinkDelay { interface: name.clone(), down: *down, up });
        }
        for router in routers {
            let (name, interval) = (&router.name, router.advert_interval);
            let adverts = router.conduct.down_timer_adverts;
            let limit = interval * u32::from(adverts.saturating_sub(1));
            let on_it = delays.iter_mut().find(|it| it.interface == router.interface);
            let Some(delay) = on_it.filter(|it| it.down >= limit || it.up >= limit) else {
                continue;
            };
            let most = link_patience(interval, adverts);
            let cut = |time: Duration| if time >= limit { most } else { time };
            (delay.down, delay.up) = (cut(delay.down), cut(delay.up));
            let message = format!(
                "{name}: interface {} debounce timer(s) not less that {} * advert_int - resetting",
                router.interface,
                adverts.saturating_sub(1)
            );
            let help = format!(
                "{} s is used: others would take over before this instance knows of its fault",
                most.as_secs_f64()
            );
            let diagnostic = Diagnostic::warning("keepalived/delay", message).at(router.span);
            self.diagnostics.push(diagnostic.help(help));
        }
        for device in routers.iter().flat_map(VirtualRouter::devices) {
            let below = delays.iter().find(|it| it.interface == device.base);
            if let Some(below) = below.cloned()
                && !delays.iter().any(|it| it.interface == device.name)
            {
                delays.push(LinkDelay { interface: device.name.clone(), ..below });
            }
        }
        delays
    }
}
