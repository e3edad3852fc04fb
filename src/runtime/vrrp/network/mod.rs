//! The network as the vrrp role sees it: interfaces, sockets on them, virtual addresses.
//!
//! This file has what is known of interfaces; `wires` the sockets for adverts, `holding` the virtual
//! addresses of this node, `follow` what the kernel tells. Read `wires` next.

mod addresses;
mod follow;
mod holding;
mod holdings;
mod wires;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll};

use self::addresses::Addresses;
use self::holdings::Holdings;
use self::wires::Wires;
use crate::kernel::arp::ArpSender;
use crate::kernel::netlink::{Change, Link, Monitor, Netlink};
use crate::kernel::raw::Packet;
use crate::plan::vrrp::VirtualRouter;
use crate::plan::vrrp_process::Buffers;
use crate::runtime::handoff::Held;

pub(super) use self::wires::Ear;

/// What a router has to know of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) up: bool,
    /// The first IPv4 address that isn't a virtual one; or the one for unicast, if it is there.
    pub(super) primary: Option<Ipv4Addr>,
}

/// What came from the kernel.
#[derive(Debug)]
pub(super) enum Arrival {
    Changes(io::Result<Vec<Change>>),
    Packet(Ear, io::Result<Packet>),
}

/// What happened to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// Up or down, or another primary address: look at it again.
    Interface(String),
    /// A virtual address that we hold was taken off.
    AddressLost(Held),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Network {
    netlink: Netlink,
    monitor: Monitor,
    arp: ArpSender,
    /// By name.
    links: BTreeMap<String, Link>,
    addresses: Addresses,
    wires: Wires,
    /// Interfaces of routers and of their addresses; of others nobody wants to read.
    concerned: HashSet<String>,
    /// Every address of every router: never taken for an interface's own.
    virtual_addresses: HashSet<IpAddr>,
    pub(super) holdings: Holdings,
    /// All addresses' coming and going is logged.
    watched: bool,
}

impl Network {
    /// Must be called inside a tokio runtime.
    pub(super) fn open() -> io::Result<Self> {
        // Subscribed first: what changes between the two is seen at least once.
        let monitor = Monitor::open()?;
        let mut network = Network {
            netlink: Netlink::open()?,
            monitor,
            arp: ArpSender::open()?,
            links: BTreeMap::new(),
            addresses: Addresses::default(),
            wires: Wires::default(),
            concerned: HashSet::new(),
            virtual_addresses: HashSet::new(),
            holdings: Holdings::default(),
            watched: false,
        };
        network.look()?;
        Ok(network)
    }

    /// What the config says of netlink's buffers, or enough for a burst of thousands of addresses;
    /// without the privilege the kernel's default has to do.
    pub(super) fn size_buffers(&self, buffers: &Buffers) {
        const ENOUGH: u32 = 4 << 20;
        let monitor = match buffers.monitor {
            None => self.monitor.size_buffer(ENOUGH, true).or(Ok(())),
            Some(bytes) => self.monitor.size_buffer(bytes, buffers.force_monitor),
        };
        let command = match buffers.command {
            None => Ok(()),
            Some(bytes) => self.netlink.size_buffer(bytes, buffers.force_command),
        };
        for (what, result) in [("monitor", monitor), ("cmd", command)] {
            if let Err(error) = result {
                tracing::warn!("vrrp_netlink_{what}_rcv_bufs: {error}");
            }
        }
    }

    /// `-a`: whatever address comes or goes is said, ours aside.
    pub(super) fn watch(&mut self) {
        self.watched = true;
        let names = self.links.values().map(|link| (link.index, link.name.as_str()));
        for (index, name) in names {
            for address in self.addresses.on(index) {
                tracing::info!("Netlink reflector reports IP {address} added to {name}");
            }
        }
    }

    /// Asks the kernel for everything.
    fn look(&mut self) -> io::Result<()> {
        let links = self.netlink.links()?;
        self.links = links.into_iter().map(|link| (link.name.clone(), link)).collect();
        self.addresses.replace(self.netlink.addresses()?);
        Ok(())
    }

    /// From now on these are the routers, each with an open socket where its interface has one.
    pub(super) fn serve<'a>(&mut self, routers: impl Iterator<Item = &'a VirtualRouter> + Clone) {
        self.virtual_addresses =
            routers.clone().flat_map(|router| &router.addresses).map(|it| it.address).collect();
        let interfaces = |router: &'a VirtualRouter| {
            let others = router.addresses.iter().filter_map(|it| it.interface.as_ref());
            std::iter::once(&router.interface).chain(others).cloned()
        };
        self.concerned = routers.clone().flat_map(interfaces).collect();
        let wanted = routers.filter_map(|router| self.ear(router)).collect();
        self.wires.keep(wanted, &self.links);
    }

    /// Where a router hears adverts. By unicast it has to have the address first.
    pub(super) fn ear(&self, router: &VirtualRouter) -> Option<Ear> {
        let address = match router.unicast {
            Some(_) => self.interface(router)?.primary?,
            None => router.group,
        };
        Some((router.interface.clone(), address))
    }

    /// The interface as a router sees it. `None`: there is no such interface.
    pub(super) fn interface(&self, router: &VirtualRouter) -> Option<Interface> {
        let link = self.links.get(&router.interface)?;
        if let (Some(_), Some(source)) = (&router.unicast, router.source) {
            let primary = self.addresses.has(IpAddr::V4(source)).then_some(source);
            return Some(Interface { up: link.up, primary });
        }
        let primary = self.addresses.on(link.index).find_map(|it| match it {
            IpAddr::V4(address) if !self.virtual_addresses.contains(&it) => Some(address),
            _ => None,
        });
        Some(Interface { up: link.up, primary })
    }

    /// The next news or packet.
    pub(super) fn poll(&mut self, context: &mut Context) -> Poll<Arrival> {
        if let Poll::Ready(changes) = self.monitor.poll_next(context) {
            return Poll::Ready(Arrival::Changes(changes));
        }
        self.wires.poll(context).map(|(ear, packet)| Arrival::Packet(ear, packet))
    }

    /// A packet that is there already.
    pub(super) fn waiting_packet(&mut self) -> Option<(Ear, Packet)> {
        self.wires.waiting_packet()
    }

    fn name_of(&self, index: u32) -> Option<&str> {
        self.links.values().find(|link| link.index == index).map(|link| link.name.as_str())
    }

    pub(super) fn send(
        &mut self,
        interface: &str,
        source: IpAddr,
        destination: IpAddr,
        ttl: u8,
        pdu: &[u8],
    ) -> io::Result<()> {
        self.wires.send(interface, source, destination, ttl, pdu)
    }

    pub(super) fn announce(&self, interface: &str, address: IpAddr) -> io::Result<()> {
        let link = self.links.get(interface).ok_or(io::ErrorKind::NotConnected)?;
        match (address, link.mac) {
            (IpAddr::V4(address), Some(mac)) if link.arp => {
                self.arp.announce(link.index, mac, address)
            }
            (IpAddr::V4(_), _) => Ok(()),
            (IpAddr::V6(_), _) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
