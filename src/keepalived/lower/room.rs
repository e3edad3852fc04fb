//! Addresses that an advert has no room for are held like the others, but not advertised.

use std::borrow::Cow;

use super::super::config::Instance;
use super::Lowering;
use crate::plan::wire::Family;

/// The number of addresses is one byte on the wire.
const MOST: usize = 255;
/// VRRP's own header, and AH's, for which keepalived always leaves room.
const HEADERS: usize = 8 + 24;

impl Lowering<'_> {
    /// The instance with no more addresses than an advert holds; the others are excluded ones.
    pub(super) fn within_an_advert<'i>(&mut self, instance: &'i Instance) -> Cow<'i, Instance> {
        let (ip, each) = match self.family(instance) {
            Family::V4 => (20, 4),
            Family::V6 => (40, 16),
        };
        let wanted = instance.addresses.len();
        // Every interface has room for this much (RFC 791): nobody needs to be asked.
        if ip + HEADERS + wanted * each <= 68 {
            return Cow::Borrowed(instance);
        }
        let interface = instance.interface.as_ref().map_or("", |at| at.value.as_str());
        let room = self.mtu(interface).saturating_sub(ip + HEADERS) / each;
        let most = room.min(MOST);
        if wanted <= most {
            return Cow::Borrowed(instance);
        }
        let message = format!(
            "({}) Number of VIPs ({wanted}) exceeds maximum/space available in packet (max {most} \
             addresses) - excess moved to eVIPs",
            instance.name.value
        );
        let mut instance = instance.clone();
        let excess = instance.addresses.split_off(most);
        self.complain(message, excess[0].span);
        instance.network.excluded.extend(excess);
        Cow::Owned(instance)
    }

    /// In bytes; Ethernet's for an interface that isn't there.
    fn mtu(&mut self, interface: &str) -> usize {
        if let Some(known) = self.mtus.get(interface) {
            return *known;
        }
        let mtu = self.host.mtu(interface).map_or(1500, |mtu| mtu as usize);
        self.mtus.insert(interface.to_owned(), mtu);
        mtu
    }
}
