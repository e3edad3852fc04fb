//! Virtual MAC and ipvlan interfaces: their names and hardware addresses, and which addresses go to them.

use super::super::config::network::Mac as Given;
use super::super::config::{Address, Instance};
use super::Lowering;
use crate::plan::address::VirtualAddress;
use crate::plan::device::{Device, Firewall, Ipvlan, Mac};
use crate::plan::vrrp::VirtualRouter;
use crate::text::Diagnostic;

/// keepalived's `vmac_prefix` and `nftables_priority`.
const PREFIX: &str = "vrrp";
pub(super) const PRIORITY: i32 = -1;
const TABLE: &str = "keepalived";
/// IFNAMSIZ without the end.
const LONGEST_NAME: usize = 15;

impl Lowering<'_> {
    /// `use_vmac` of the instance.
    fn vmac(&mut self, instance: &Instance, vrid: u8, base: &str) -> Option<Device> {
        let vmac = instance.network.vmac.as_ref()?;
        let name = &instance.name.value;
        let mut transmit_base = instance.network.transmit_base.is_some();
        if !transmit_base && !instance.unicast.peers.is_empty() {
            transmit_base = true;
            let message =
                format!("({name}) unicast with use_vmac requires vmac_xmit_base - setting");
            self.diagnostics.push(Diagnostic::error("keepalived/vmac", message).at(vmac.span));
        }
        if transmit_base && self.is_strict(instance) {
            transmit_base = false;
            self.contradiction(format!(
                "({name}) xmit_base is incompatible with strict mode - resetting"
            ));
        }
        let given = vmac.name.as_ref().filter(|given| {
            let foreign = self.host.other_interface_exists(&given.value);
            if foreign {
                let message = format!(
                    "({name}) interface {} already exists and is not a private macvlan; ignoring \
                     vmac if_name",
                    given.value
                );
                self.diagnostics.push(Diagnostic::error("keepalived/vmac", message).at(given.span));
            }
            !foreign
        });
        let given = given.map(|given| given.value.clone());
        let device = self.device(instance, vrid, base, given);
        Some(Device { transmit_base, ..device })
    }

    /// `use_ipvlan`, which counts where there is `use_vmac`, too.
    fn ipvlan(&mut self, instance: &Instance, vrid: u8, base: &str) -> Option<Device> {
        let ipvlan = instance.network.ipvlan.as_ref()?;
        let name = &instance.name.value;
        let ipv6 = is_ipv6(instance);
        if ipvlan.address.is_none() && !ipv6 {
            self.contradiction(format!(
                "({name}) IPv4 ipvlan requires a source ip address to be configured. setting \
                 instance to fault state"
            ));
        }
        let of_vmac = instance.network.vmac.as_ref().and_then(|vmac| vmac.name.as_ref());
        let given = ipvlan.name.as_ref().or(of_vmac).map(|name| name.value.clone());
        let device = self.device(instance, vrid, base, given);
        let ipvlan = Ipvlan { address: ipvlan.address, mode: ipvlan.mode };
        Some(Device { ipvlan: Some(ipvlan), ..device })
    }

    /// An instance's interface of the name given, or of one made of prefix and VRID.
    fn device(
        &mut self,
        instance: &Instance,
        vrid: u8,
        base: &str,
        given: Option<String>,
    ) -> Device {
        let ipv6 = is_ipv6(instance);
        let prefix = self.config.globals.network.vmac_prefix.as_deref().unwrap_or(PREFIX);
        let name = given.unwrap_or_else(|| self.device_name(prefix, vrid, ipv6));
        self.devices.insert(name.clone());
        Device {
            name,
            base: base.to_owned(),
            mac: mac(instance, vrid, ipv6),
            ipv6,
            transmit_base: false,
            ipvlan: None,
        }
    }

    /// A router with the interfaces that it makes, and its addresses on them.
    pub(super) fn with_devices(
        &mut self,
        instance: &Instance,
        mut router: VirtualRouter,
    ) -> VirtualRouter {
        let (vrid, base) = (router.vrid, router.interface.clone());
        router.device = match self.ipvlan(instance, vrid, &base) {
            None => self.vmac(instance, vrid, &base),
            ipvlan => ipvlan,
        };
        let ipvlan = router.device.as_ref().and_then(|device| device.ipvlan.as_ref());
        if let Some((address, _)) = ipvlan.and_then(|ipvlan| ipvlan.address) {
            router.source.get_or_insert(address);
        }
        let name = &router.name;
        let has_vmac = router.device.as_ref().is_some_and(Device::is_macvlan);
        if !has_vmac && instance.network.transmit_base.is_some() {
            self.contradiction(format!("({name}) vmac_xmit_base is only valid with a vmac"));
        }
        if router.device.is_some() && router.belongings.promote_secondaries {
            router.belongings.promote_secondaries = false;
            self.contradiction(format!(
                "({name}) promote_secondaries is automatically set for vmacs - ignoring"
            ));
        }
        let mut made = Vec::new();
        let wanting = |addresses: &[Address], it: &VirtualAddress| {
            addresses
                .iter()
                .any(|line| line.span == it.span.0 && line.address == it.address && line.use_vmac)
        };
        let (own, interface, vrid) = (router.device.clone(), router.interface.clone(), router.vrid);
        for (lines, addresses) in [
            (&instance.addresses, &mut router.addresses),
            (&instance.network.excluded, &mut router.belongings.excluded),
        ] {
            for address in addresses {
                let use_vmac = wanting(lines, address);
                self.place(
                    instance,
                    address,
                    use_vmac,
                    (vrid, &interface),
                    own.as_ref(),
                    &mut made,
                );
            }
        }
        router.belongings.devices = made;
        router
    }

    /// Where an address goes; the interface that has to be made for it goes to `made`.
    fn place(
        &mut self,
        instance: &Instance,
        address: &mut VirtualAddress,
        use_vmac: bool,
        (vrid, interface): (u8, &str),
        own: Option<&Device>,
        made: &mut Vec<Device>,
    ) {
        let ipv6 = address.address.is_ipv6();
        let elsewhere = address.interface.as_deref().is_some_and(|dev| dev != interface);
        let everywhere = instance.network.vmac_addresses.is_some();
        if let Some(own) = own
            && !elsewhere
        {
            // Measured: the hardware address is of one family, so the other one stays below.
            if use_vmac {
                let (name, ip, prefix) = (&instance.name.value, address.address, address.prefix);
                self.contradiction(format!(
                    "({name}) use_vmac specified for VIP/eVIP {ip}/{prefix} and vrrp instance"
                ));
            }
            let stays = own.ipv6 != ipv6 && !everywhere && !use_vmac;
            address.interface = stays.then(|| interface.to_owned());
            return;
        }
        if !(use_vmac || elsewhere && everywhere) {
            return;
        }
        let base = address.interface.clone().unwrap_or_else(|| interface.to_owned());
        let known = made.iter().find(|it: &&Device| it.base == base && it.ipv6 == ipv6);
        let name = known.map(|device| device.name.clone()).unwrap_or_else(|| {
            let globals = &self.config.globals.network;
            let prefix = globals.vmac_address_prefix.as_deref();
            let prefix = prefix.or(globals.vmac_prefix.as_deref()).unwrap_or(PREFIX);
            let name = self.device_name(prefix, vrid, ipv6);
            self.devices.insert(name.clone());
            let mac = mac(instance, vrid, ipv6);
            made.push(Device {
                name: name.clone(),
                base,
                mac,
                ipv6,
                transmit_base: false,
                ipvlan: None,
            });
            name
        });
        address.interface = Some(name);
    }

    /// keepalived names no line.
    fn contradiction(&mut self, message: String) {
        self.diagnostics.push(Diagnostic::error("keepalived/vmac", message));
    }

    /// `vrrp.51`; where that is taken, `vrrp6.51` for IPv6, or `vrrp1.51`.
    fn device_name(&self, prefix: &str, vrid: u8, ipv6: bool) -> String {
        let named = |mark: &str| {
            let end = format!("{mark}.{vrid}");
            let most = LONGEST_NAME - end.len();
            let prefix: String = prefix.chars().take(most).collect();
            prefix + &end
        };
        let marks = (1..).map(|number: u32| number.to_string());
        let six = ipv6.then(|| "6".to_owned());
        let mut names = std::iter::once(String::new()).chain(six).chain(marks).map(|it| named(&it));
        let is_free =
            |name: &String| !self.devices.contains(name) && !self.host.other_interface_exists(name);
        names.find(is_free).unwrap_or_default()
    }

    /// Needed where there are virtual MAC interfaces, or addresses that nobody may speak to.
    pub(super) fn firewall(&self, routers: &[VirtualRouter]) -> Option<Firewall> {
        let needed =
            |it: &VirtualRouter| it.belongings.drop_packets || it.devices().any(Device::is_macvlan);
        if !routers.iter().any(needed) {
            return None;
        }
        let globals = &self.config.globals.network;
        Some(Firewall {
            table: globals.firewall.clone().unwrap_or_else(|| TABLE.to_owned()),
            implied: globals.firewall.is_none(),
            priority: globals.firewall_priority.unwrap_or(PRIORITY),
            counters: globals.firewall_counters,
        })
    }
}

fn mac(instance: &Instance, vrid: u8, ipv6: bool) -> Mac {
    match instance.network.vmac.as_ref().and_then(|vmac| vmac.mac) {
        Some(Given::Whole(mac)) => Mac(mac),
        Some(Given::Beginning([a, b, c, d, e])) => Mac([a, b, c, d, e, vrid]),
        None => Mac::of_router(vrid, ipv6),
    }
}

fn is_ipv6(instance: &Instance) -> bool {
    instance.addresses.first().is_some_and(|address| address.address.is_ipv6())
}
