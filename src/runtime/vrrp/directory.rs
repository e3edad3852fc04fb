//! Whose packet is it: routers by interface and VRID.

use std::collections::BTreeMap;

use super::router::Router;

/// Places in the role's list, in order. Where there are several, what they listen to tells them
/// apart.
#[derive(Debug, Default)]
pub(super) struct Directory(BTreeMap<String, Vec<(u8, usize)>>);

impl Directory {
    pub(super) fn of(routers: &[Router]) -> Directory {
        let mut directory = Directory::default();
        for (at, router) in routers.iter().enumerate() {
            let router = router.machine.router();
            let interface = directory.0.entry(router.advert_interface().to_owned()).or_default();
            interface.push((router.vrid, at));
        }
        for interface in directory.0.values_mut() {
            interface.sort_unstable();
            interface.shrink_to_fit();
        }
        directory
    }

    pub(super) fn candidates(&self, interface: &str, vrid: u8) -> impl Iterator<Item = usize> {
        let all = self.0.get(interface).map_or(&[][..], Vec::as_slice);
        let begin = all.partition_point(|(it, _)| *it < vrid);
        all[begin..].iter().take_while(move |(it, _)| *it == vrid).map(|(_, at)| *at)
    }
}
