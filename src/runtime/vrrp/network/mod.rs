//! The network as the vrrp role sees it: interfaces, sockets on them, virtual addresses.
//!
//! This file has what is known of interfaces; `wires` the sockets for adverts, `holding` the virtual
//! addresses of this node, `routing` its routes and rules, `follow` what the kernel tells, `beats`
//! what is asked for instead, `delays` what counts only later, `introducing` what is said of
//! interfaces at the start. Read `wires` next.

mod addresses;
mod beats;
mod delays;
mod follow;
mod holding;
mod holdings;
mod introducing;
mod routing;
mod view;
mod wires;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use self::addresses::Addresses;
use self::beats::Beats;
use self::delays::Delays;
use self::holdings::Holdings;
use self::routing::Routing;
use self::wires::Wires;
use crate::kernel::arp::ArpSender;
use crate::kernel::neighbour::NeighbourSender;
use crate::kernel::netlink::{Change, Link, Monitor, Netlink};
use crate::kernel::raw::Packet;
use crate::kernel::sysctl;
use crate::plan::vrrp::{Authentication, VirtualRouter};
use crate::plan::vrrp_process;
use crate::plan::wire::{Buffers, Family, Sockets};
use crate::runtime::handoff::{Held, Possession};
use crate::vrrp::packet::{AUTHENTICATION_HEADER, Outgoing, PROTOCOL, advert_length};

pub(super) use self::wires::Ear;

/// What a router has to know of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) up: bool,
    /// The first address that isn't a virtual one (over IPv6, the first such link-local one); or the
    /// one for unicast, if it is there.
    pub(super) primary: Option<IpAddr>,
}

/// What came from the kernel.
#[derive(Debug)]
pub(super) enum Arrival {
    Changes(io::Result<Vec<Change>>),
    Packet(Rc<Ear>, io::Result<Packet>),
}

/// What happened to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// Up or down, or another primary address: look at it again.
    Interface(String),
    /// A virtual address that we hold was taken off.
    AddressLost(Held),
    /// A route or rule that we hold was taken away.
    PossessionLost(Box<Possession>),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Network {
    netlink: Netlink,
    monitor: Monitor,
    arp: ArpSender,
    neighbours: NeighbourSender,
    /// By name.
    links: BTreeMap<String, Link>,
    addresses: Addresses,
    wires: Wires,
    /// Interfaces of routers and of their addresses; of others nobody wants to read.
    concerned: HashSet<String>,
    /// Every address of every router: never taken for an interface's own.
    /// In order, so that looking one up is quick.
    virtual_addresses: Box<[IpAddr]>,
    pub(super) sockets: Sockets,
    /// All addresses' coming and going is logged.
    watched: bool,
    /// The same of those that are always there.
    pub(super) static_addresses: HashSet<IpAddr>,
    pub(super) holdings: Holdings<Held>,
    pub(super) possessions: Holdings<Possession>,
    routing: Routing,
    /// Of interfaces whose links are asked for.
    pub(super) beats: Beats,
    pub(super) delays: Delays,
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
            neighbours: NeighbourSender::open()?,
            links: BTreeMap::new(),
            addresses: Addresses::default(),
            wires: Wires::default(),
            concerned: HashSet::new(),
            virtual_addresses: Box::default(),
            static_addresses: HashSet::new(),
            holdings: Holdings::default(),
            sockets: Sockets::default(),
            watched: false,
            possessions: Holdings::default(),
            routing: Routing::default(),
            beats: Beats::default(),
            delays: Delays::default(),
        };
        network.look()?;
        Ok(network)
    }

    /// What the config says of netlink's buffers, or enough for a burst of thousands of addresses;
    /// without the privilege the kernel's default has to do.
    pub(super) fn size_buffers(&self, buffers: &vrrp_process::Buffers) {
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

    /// From now on this holds for all sockets; to be told before [`serve`](Self::serve).
    pub(super) fn adopt(&mut self, sockets: &Sockets) {
        self.sockets = sockets.clone();
        if sockets.no_local_igmp
            && let Err(error) = sysctl::report_no_local_groups()
        {
            tracing::warn!("disable_local_igmp: {error}");
        }
    }

    /// From now on these are the routers, each with an open socket where its interface has one.
    pub(super) fn serve<'a>(&mut self, routers: impl Iterator<Item = &'a VirtualRouter> + Clone) {
        let addresses = routers.clone().flat_map(VirtualRouter::all_addresses);
        let mut addresses: Vec<IpAddr> = addresses.map(|it| it.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        self.virtual_addresses = addresses.into_boxed_slice();
        let interfaces = |router: &'a VirtualRouter| {
            let others = router.other_interfaces();
            let tracked = router.tracking.interfaces.iter().map(|line| line.what.as_str());
            std::iter::once(router.interface.as_str())
                .chain(others)
                .chain(tracked)
                .map(str::to_owned)
        };
        if routers.clone().any(routing::is_watched) {
            self.watch_routes();
        }
        self.concerned = routers.clone().flat_map(interfaces).collect();
        let mut wanted = BTreeMap::new();
        for router in routers {
            let Some(ear) = self.ear(router) else { continue };
            *wanted.entry(ear).or_default() += self.room_for(router);
        }
        self.wires.keep(wanted, &self.links);
    }

    /// What a router adds to the receive buffer of its socket, in bytes; measured as keepalived's.
    fn room_for(&self, router: &VirtualRouter) -> u32 {
        let mtu = || self.links.get(&router.interface).map_or(0, |link| link.mtu);
        match (router.wire.receive_buffer, self.sockets.buffers) {
            (Some(bytes), _) | (None, Some(Buffers::Bytes(bytes))) => bytes,
            (None, Some(Buffers::Mtu(times))) => mtu().saturating_mul(times),
            (None, Some(Buffers::Advert(times))) => advert_length(router).saturating_mul(times),
            (None, None) => 0,
        }
    }

    /// The first address on an interface that adverts of this family can come from, and that isn't
    /// a virtual one.
    pub(super) fn first(&self, index: u32, family: Family) -> Option<IpAddr> {
        let speaks = |it: &IpAddr| match (it, family) {
            (IpAddr::V4(_), Family::V4) => true,
            (IpAddr::V6(address), Family::V6) => address.is_unicast_link_local(),
            _ => false,
        };
        let mut own = self.addresses.on(index).filter(speaks);
        own.find(|it| !self.is_ours(*it))
    }

    /// Where a router hears adverts.
    pub(super) fn ear(&self, router: &VirtualRouter) -> Option<Ear> {
        let (address, protocol) = self.hearing(router)?;
        Some(Ear { interface: router.advert_interface().to_owned(), address, protocol })
    }

    /// To which address adverts for a router come, by which protocol. By unicast it has to have the
    /// address first.
    pub(super) fn hearing(&self, router: &VirtualRouter) -> Option<(IpAddr, u8)> {
        let address = match router.unicast {
            Some(_) => self.interface(router)?.primary?,
            None => router.group,
        };
        let protocol = match router.authentication {
            Some(Authentication::Header(_)) => AUTHENTICATION_HEADER,
            _ => PROTOCOL,
        };
        Some((address, protocol))
    }

    /// The interface as a router sees it. `None`: there is no such interface.
    pub(super) fn interface(&self, router: &VirtualRouter) -> Option<Interface> {
        let link = self.links.get(&router.interface)?;
        let own = router.tracking.dont_track_primary || self.counts_as_up(link);
        let up = own && router.other_interfaces().all(|name| self.is_up(name));
        if let (Some(_), Some(source)) = (&router.unicast, router.source) {
            let primary = self.addresses.has(source).then_some(source);
            return Some(Interface { up, primary });
        }
        // An ipvlan interface doesn't share the addresses of the one below it.
        let own = router.device.as_ref().filter(|device| !device.is_macvlan());
        let own = own.and_then(|device| self.links.get(&device.name));
        let primary = self.first(own.unwrap_or(link).index, router.family());
        Some(Interface { up, primary })
    }

    /// Can adverts be sent from where they are to come from? (Over IPv6 the address may still be
    /// checked for duplicates.)
    pub(super) fn is_ready(&self, router: &VirtualRouter) -> bool {
        let Some(link) = self.links.get(router.advert_interface()) else { return true };
        let source = router.source.or_else(|| self.first(link.index, router.family()));
        source.is_none_or(|source| !self.addresses.is_tentative(link.index, source))
    }

    /// Would an advert for this router be heard? Not without a socket; where its interface isn't
    /// there, that is said elsewhere.
    pub(super) fn hears(&self, router: &VirtualRouter) -> bool {
        !self.links.contains_key(router.advert_interface())
            || self.ear(router).is_none_or(|ear| self.wires.is_open(&ear))
    }

    /// When to try again to open sockets: [`serve`](Self::serve).
    pub(super) fn sockets_deadline(&self) -> Option<Instant> {
        self.wires.deadline()
    }

    /// Is there such an interface, and is it up?
    pub(super) fn is_up(&self, interface: &str) -> bool {
        self.links.get(interface).is_some_and(|link| self.counts_as_up(link))
    }

    fn counts_as_up(&self, link: &Link) -> bool {
        match self.beats.asks_for(&link.name) {
            true => self.beats.is_up(link),
            false => self.delays.is_up(link),
        }
    }

    /// Does this host have the address?
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.addresses.has(address)
    }

    /// The next news or packet.
    pub(super) fn poll(&mut self, context: &mut Context) -> Poll<Arrival> {
        if let Poll::Ready(changes) = self.monitor.poll_next(context) {
            return Poll::Ready(Arrival::Changes(changes));
        }
        self.wires.poll(context).map(|(ear, packet)| Arrival::Packet(ear, packet))
    }

    /// A packet that is there already.
    pub(super) fn waiting_packet(&mut self) -> Option<(Rc<Ear>, Packet)> {
        self.wires.waiting_packet()
    }

    /// Is it put there by this role, on whatever interface?
    fn is_ours(&self, address: IpAddr) -> bool {
        self.virtual_addresses.binary_search(&address).is_ok()
            || self.static_addresses.contains(&address)
    }

    fn name_of(&self, index: u32) -> Option<&str> {
        self.links.values().find(|link| link.index == index).map(|link| link.name.as_str())
    }

    pub(super) fn send(&mut self, interface: &str, packet: &Outgoing) -> io::Result<()> {
        self.wires.send(interface, packet)
    }

    pub(super) fn announce(&self, interface: &str, address: IpAddr) -> io::Result<()> {
        let link = self.links.get(interface).ok_or(io::ErrorKind::NotConnected)?;
        match (address, link.mac) {
            (IpAddr::V4(address), Some(mac)) if link.arp => {
                self.arp.announce(link.index, mac, address)
            }
            (IpAddr::V6(address), Some(mac)) if link.arp => {
                let forwards = sysctl::forwards_ipv6(&link.name);
                self.neighbours.announce(link.index, mac, address, forwards)
            }
            _ => Ok(()),
        }
    }
}
