//! What is said of interfaces at the start and at a reload.

use std::collections::BTreeSet;

use super::Network;
use crate::kernel::netlink::Link;
use crate::plan::device::Firewall;
use crate::plan::vrrp::VirtualRouter;
use crate::plan::wire::Family;

impl Network {
    /// Says which addresses of its own each router's interface has.
    pub(in crate::runtime::vrrp) fn introduce(&self, routers: &[VirtualRouter]) {
        self.introduce_links(routers.iter().map(|it| it.interface.as_str()));
    }

    /// The same of the interfaces that they make.
    pub(in crate::runtime::vrrp) fn introduce_devices(&self, routers: &[VirtualRouter]) {
        let made = routers.iter().filter_map(|it| self.links.get(&it.device.as_ref()?.name));
        made.for_each(|link| self.introduce_link(link));
    }

    fn introduce_links<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let names: BTreeSet<&str> = names.collect();
        let mut links: Vec<&Link> = names.iter().filter_map(|it| self.links.get(*it)).collect();
        links.sort_by_key(|link| link.index);
        let mut said = BTreeSet::new();
        for link in links {
            // Below a macvlan that somebody else has made, too.
            let base = link.base.filter(|_| link.is_macvlan);
            let base = base.and_then(|base| self.links.get(self.name_of(base)?));
            for link in [Some(link), base].into_iter().flatten() {
                if said.insert(link.index) {
                    self.introduce_link(link);
                }
            }
        }
    }

    fn introduce_link(&self, link: &Link) {
        let families = [Family::V4, Family::V6].into_iter();
        for address in families.filter_map(|family| self.first(link.index, family)) {
            tracing::debug!("Assigned address {address} for interface {}", link.name);
        }
    }

    /// Says so where there is a firewall that nobody asked for.
    pub(in crate::runtime::vrrp) fn mention_firewall(firewall: Option<&Firewall>) {
        if firewall.is_some_and(|it| it.implied) {
            tracing::info!(
                "use_vmac or no_accept/strict specified, but no firewall configured - using nftables"
            );
        }
    }

    /// Says which interfaces aren't there yet, but for those that are going to be made.
    pub(in crate::runtime::vrrp) fn miss_interfaces(&self, routers: &[VirtualRouter]) {
        let made: BTreeSet<&str> =
            routers.iter().flat_map(VirtualRouter::devices).map(|it| it.name.as_str()).collect();
        let mut said = BTreeSet::new();
        for router in routers {
            let tracked = router.tracking.interfaces.iter().map(|line| line.what.as_str());
            let names = std::iter::once(router.interface.as_str()).chain(router.other_interfaces());
            for name in names.chain(tracked) {
                if !made.contains(name) && !self.links.contains_key(name) && said.insert(name) {
                    tracing::info!(
                        "Configuration specifies interface {name} which doesn't currently exist - \
                         will use if created"
                    );
                }
            }
        }
    }
}
