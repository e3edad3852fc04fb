//! What is known of interfaces, as plain data for whoever looks.

use super::Network;
use crate::kernel::netlink::Link;
use crate::plan::wire::Family;
use crate::status::snapshot::InterfaceView;

impl Network {
    /// All interfaces, by their numbers.
    pub(in crate::runtime::vrrp) fn views(&self) -> Vec<InterfaceView> {
        let mut links: Vec<&Link> = self.links.values().collect();
        links.sort_by_key(|link| link.index);
        links.into_iter().map(|link| self.view(link)).collect()
    }

    fn view(&self, link: &Link) -> InterfaceView {
        let has = |flag: libc::c_int| link.flags & flag as u32 != 0;
        let (down_delay, up_delay, waiting) = self.delays.of(&link.name);
        InterfaceView {
            down_delay,
            up_delay,
            waiting,
            name: link.name.clone(),
            index: link.index,
            up: self.is_up(&link.name),
            asked: self.beats.asks_for(&link.name),
            ipv4: self.first(link.index, Family::V4),
            ipv6: self.first(link.index, Family::V6),
            mac: link.mac,
            broadcast_mac: link.broadcast,
            raised: has(libc::IFF_UP),
            running: has(libc::IFF_RUNNING),
            loopback: has(libc::IFF_LOOPBACK),
            broadcast: has(libc::IFF_BROADCAST),
            multicast: has(libc::IFF_MULTICAST),
            point_to_point: has(libc::IFF_POINTOPOINT),
            arp: !has(libc::IFF_NOARP),
            mtu: link.mtu,
            hardware: link.hardware,
            private: link.is_macvlan,
            base: link.base,
            may_change: false,
        }
    }
}
