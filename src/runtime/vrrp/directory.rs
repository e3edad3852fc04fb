//! Whose packet is it: routers by interface and VRID.

use std::collections::BTreeMap;

use super::router::Router;

/// Places in the role's list. Where there are several, what they listen to tells them apart.
#[derive(Debug, Default)]
pub(super) struct Directory(BTreeMap<String, BTreeMap<u8, Vec<usize>>>);

impl Directory {
    pub(super) fn of(routers: &[Router]) -> Directory {
        let mut directory = Directory::default();
        for (at, router) in routers.iter().enumerate() {
            let router = router.machine.router();
            let interface = directory.0.entry(router.advert_interface().to_owned()).or_default();
            interface.entry(router.vrid).or_default().push(at);
        }
        directory
    }

    pub(super) fn candidates(&self, interface: &str, vrid: u8) -> &[usize] {
        let found = self.0.get(interface).and_then(|interface| interface.get(&vrid));
        found.map_or(&[], Vec::as_slice)
    }
}
