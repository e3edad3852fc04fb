//! The network as the vrrp role sees it: interfaces, sockets on them, virtual addresses.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll};

use crate::kernel::arp::ArpSender;
use crate::kernel::netlink::{Address, Change, Link, Monitor, Netlink, NewAddress};
use crate::kernel::raw::{HeaderSender, Packet, Receiver};
use crate::plan::vrrp::{VirtualAddress, VirtualRouter};
use crate::runtime::handoff::Held;
use crate::vrrp::packet::PROTOCOL;

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

/// A socket for adverts: the name of its interface, and the group or own address it hears.
pub(super) type Ear = (String, Ipv4Addr);

/// What happened to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// Up or down, or another primary address: look at it again.
    Interface(String),
    /// A virtual address that we hold was taken off.
    AddressLost { interface: String, address: VirtualAddress },
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Network {
    netlink: Netlink,
    monitor: Monitor,
    arp: ArpSender,
    /// By name.
    links: BTreeMap<String, Link>,
    addresses: Vec<Address>,
    wires: BTreeMap<Ear, Wire>,
    /// At which of them the next look for packets begins: a flood on one keeps none unheard.
    turn: usize,
    /// Interfaces of routers and of their addresses; of others nobody wants to read.
    concerned: HashSet<String>,
    /// Every address of every router: never taken for an interface's own.
    virtual_addresses: HashSet<IpAddr>,
    held: Vec<Held>,
}

/// Adverts to one group, or to one of our addresses, on one interface.
#[derive(Debug)]
struct Wire {
    index: u32,
    receiver: Receiver,
    sender: HeaderSender,
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
            addresses: Vec::new(),
            wires: BTreeMap::new(),
            turn: 0,
            concerned: HashSet::new(),
            virtual_addresses: HashSet::new(),
            held: Vec::new(),
        };
        network.look()?;
        Ok(network)
    }

    /// Asks the kernel for everything.
    fn look(&mut self) -> io::Result<()> {
        let links = self.netlink.links()?;
        self.links = links.into_iter().map(|link| (link.name.clone(), link)).collect();
        self.addresses = self.netlink.addresses()?;
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
        let wanted: BTreeSet<Ear> = routers.filter_map(|router| self.ear(router)).collect();
        self.wires.retain(|(interface, address), wire| {
            let index = self.links.get(interface).map(|link| link.index);
            index == Some(wire.index) && wanted.contains(&(interface.clone(), *address))
        });
        for ear in wanted {
            self.open_wire(ear);
        }
    }

    /// Where a router hears adverts. By unicast it has to have the address first.
    pub(super) fn ear(&self, router: &VirtualRouter) -> Option<Ear> {
        let address = match router.unicast {
            Some(_) => self.interface(router)?.primary?,
            None => router.group,
        };
        Some((router.interface.clone(), address))
    }

    fn open_wire(&mut self, key: Ear) {
        let (interface, address) = (key.0.as_str(), key.1);
        let Some(index) = self.links.get(interface).map(|link| link.index) else { return };
        if self.wires.contains_key(&key) {
            return;
        }
        let receiver = match address.is_multicast() {
            true => Receiver::join(PROTOCOL, interface, index, address),
            false => Receiver::bind(PROTOCOL, interface, address),
        };
        let wire = receiver.and_then(|receiver| {
            Ok(Wire { index, receiver, sender: HeaderSender::open(interface)? })
        });
        match wire {
            Ok(wire) => {
                let cast = if address.is_multicast() { "multicast" } else { "unicast" };
                tracing::debug!(
                    "VRRP sockpool: [ifindex(  {index}), family(IPv4), proto(112), {cast}, \
                     address({address})]"
                );
                self.wires.insert(key, wire);
            }
            Err(error) => tracing::error!("no socket for {address} on {interface}: {error}"),
        }
    }

    /// The interface as a router sees it. `None`: there is no such interface.
    pub(super) fn interface(&self, router: &VirtualRouter) -> Option<Interface> {
        let link = self.links.get(&router.interface)?;
        if let (Some(_), Some(source)) = (&router.unicast, router.source) {
            let mut all = self.addresses.iter();
            let primary = all.any(|it| it.address == IpAddr::V4(source)).then_some(source);
            return Some(Interface { up: link.up, primary });
        }
        let own = |address: &&Address| {
            address.index == link.index && !self.virtual_addresses.contains(&address.address)
        };
        let mut candidates = self.addresses.iter().filter(own);
        let primary = candidates.find_map(|it| match it.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        Some(Interface { up: link.up, primary })
    }

    /// The next news or packet.
    pub(super) fn poll(&mut self, context: &mut Context) -> Poll<Arrival> {
        if let Poll::Ready(changes) = self.monitor.poll_next(context) {
            return Poll::Ready(Arrival::Changes(changes));
        }
        let turn = self.turn % self.wires.len().max(1);
        self.turn = turn + 1;
        let mut wires: Vec<_> = self.wires.iter_mut().collect();
        wires.rotate_left(turn);
        for (ear, wire) in wires {
            if let Poll::Ready(packet) = wire.receiver.poll_receive(context) {
                return Poll::Ready(Arrival::Packet(ear.clone(), packet));
            }
        }
        Poll::Pending
    }

    /// A packet that is there already.
    pub(super) fn waiting_packet(&mut self) -> Option<(Ear, Packet)> {
        self.wires
            .iter_mut()
            .find_map(|(ear, wire)| Some((ear.clone(), wire.receiver.take_waiting()?)))
    }

    /// Takes changes in; what routers have to be told, in order.
    pub(super) fn absorb(&mut self, changes: Vec<Change>) -> Vec<Incident> {
        let mut incidents = Vec::new();
        for change in changes {
            match change {
                Change::Link(link) => self.absorb_link(link, &mut incidents),
                Change::LinkGone(link) => {
                    self.links.remove(&link.name);
                    self.wires.retain(|_, wire| wire.index != link.index);
                    self.addresses.retain(|address| address.index != link.index);
                    self.held.retain(|held| held.interface != link.name);
                    if self.concerned.contains(&link.name) {
                        tracing::info!("Netlink reports {} deleted", link.name);
                    }
                    incidents.push(Incident::Interface(link.name));
                }
                Change::Address(address) => {
                    let same = |it: &Address| {
                        (it.index, it.address, it.prefix)
                            == (address.index, address.address, address.prefix)
                    };
                    match self.addresses.iter_mut().find(|it| same(it)) {
                        Some(known) => *known = address,
                        None => {
                            incidents.extend(self.own_address("Assigned", "for", &address));
                            self.addresses.push(address);
                        }
                    }
                }
                Change::AddressGone(gone) => self.absorb_address_gone(&gone, &mut incidents),
                Change::Lost => {
                    tracing::warn!("netlink changes were lost, looking at everything again");
                    if let Err(error) = self.look() {
                        tracing::error!("cannot look at the network: {error}");
                    }
                    let names = self.links.keys().cloned();
                    incidents.extend(names.map(Incident::Interface));
                    let lost = self.held.iter().filter(|held| !self.is_on(held));
                    let lost: Vec<Held> = lost.cloned().collect();
                    incidents.extend(lost.into_iter().map(|held| self.lose(held)));
                }
            }
        }
        incidents
    }

    fn absorb_link(&mut self, link: Link, incidents: &mut Vec<Incident>) {
        // Renamed: the old name is no more.
        let old_name = self.links.values().find(|it| it.index == link.index);
        let old_name = old_name.map(|it| it.name.clone()).filter(|name| *name != link.name);
        if let Some(name) = old_name {
            self.links.remove(&name);
            self.abandon(&name, link.index);
            incidents.push(Incident::Interface(name));
        }
        let before = self.links.insert(link.name.clone(), link.clone());
        if before.as_ref().is_some_and(|before| before.index != link.index) {
            self.wires.retain(|(interface, _), _| *interface != link.name);
        }
        if before.as_ref().is_none_or(|before| (before.up, before.index) != (link.up, link.index)) {
            if self.concerned.contains(&link.name) {
                let state = if link.up { "up" } else { "down" };
                tracing::info!("Netlink reports {} {state}", link.name);
            }
            incidents.push(Incident::Interface(link.name));
        }
    }

    /// Takes off what we hold on an interface that has another name by now: nobody would find it
    /// there later.
    fn abandon(&mut self, name: &str, index: u32) {
        let (left, held): (Vec<Held>, Vec<Held>) =
            self.held.drain(..).partition(|held| held.interface == name);
        self.held = held;
        for Held { address, .. } in left {
            if let Err(error) = self.netlink.remove_address(index, address.address, address.prefix)
            {
                tracing::error!("{} stays on what was {name}: {error}", address.address);
            }
        }
    }

    fn absorb_address_gone(&mut self, gone: &Address, incidents: &mut Vec<Incident>) {
        self.addresses.retain(|it| {
            (it.index, it.address, it.prefix) != (gone.index, gone.address, gone.prefix)
        });
        let Some(name) = self.name_of(gone.index).map(str::to_owned) else { return };
        let held = self.held.iter().find(|held| {
            held.interface == name
                && (held.address.address, held.address.prefix) == (gone.address, gone.prefix)
        });
        match held.cloned() {
            // The news may be older than our having put it on again.
            Some(held) => {
                let still_there = self.netlink.addresses().is_ok_and(|now| {
                    now.iter().any(|it| (it.index, it.address) == (gone.index, gone.address))
                });
                if !still_there {
                    incidents.push(self.lose(held));
                }
            }
            None => incidents.extend(self.own_address("Deassigned", "from", gone)),
        }
    }

    /// An interface's own address came or went.
    fn own_address(&self, what: &str, preposition: &str, address: &Address) -> Option<Incident> {
        if self.virtual_addresses.contains(&address.address) {
            return None;
        }
        let name = self.name_of(address.index)?.to_owned();
        if self.concerned.contains(&name) {
            tracing::debug!("{what} address {} {preposition} interface {name}", address.address);
        }
        Some(Incident::Interface(name))
    }

    fn lose(&mut self, held: Held) -> Incident {
        self.held.retain(|it| *it != held);
        Incident::AddressLost { interface: held.interface, address: held.address }
    }

    /// Is the address on its interface, as far as the kernel has told?
    pub(super) fn is_on(&self, held: &Held) -> bool {
        let Some(link) = self.links.get(&held.interface) else { return false };
        self.addresses.iter().any(|it| (it.index, it.address) == (link.index, held.address.address))
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
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        // To the group, or from where the peers' adverts come in.
        let ears = [destination, source].map(|address| (interface.to_owned(), address));
        let ear = ears.iter().find(|ear| self.wires.contains_key(ear));
        let wire =
            ear.and_then(|ear| self.wires.get_mut(ear)).ok_or(io::ErrorKind::NotConnected)?;
        wire.sender.send(PROTOCOL, source, destination, ttl, pdu)
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

    /// What we hold, or are about to.
    pub(super) fn held(&self) -> &[Held] {
        &self.held
    }

    /// Counts addresses as held, and returns those that weren't; to be called (and reported)
    /// before they are added, so that whoever cleans up behind us knows of them.
    pub(super) fn claim(&mut self, interface: &str, addresses: &[VirtualAddress]) -> Vec<Held> {
        let wanted = addresses.iter().map(|address| hold(interface, address));
        let new: Vec<Held> = wanted.filter(|it| !self.held.contains(it)).collect();
        self.held.extend_from_slice(&new);
        new
    }

    pub(super) fn add(&mut self, interface: &str, address: &VirtualAddress) -> io::Result<()> {
        let held = hold(interface, address);
        let link = self.links.get(&held.interface).ok_or(io::ErrorKind::NotConnected)?;
        let (index, ip, prefix) = (link.index, address.address, address.prefix);
        self.netlink.add_address(&NewAddress {
            index,
            address: ip,
            prefix,
            broadcast: address.broadcast,
            label: address.label.clone(),
            scope: address.scope.number(),
        })?;
        Ok(())
    }

    /// Takes an address off; whether it was there.
    pub(super) fn remove(&mut self, interface: &str, address: &VirtualAddress) -> io::Result<bool> {
        let held = hold(interface, address);
        self.held.retain(|it| *it != held);
        let Some(link) = self.links.get(&held.interface) else { return Ok(false) };
        self.netlink.remove_address(link.index, address.address, address.prefix)
    }
}

fn hold(interface: &str, address: &VirtualAddress) -> Held {
    let interface = address.interface.as_deref().unwrap_or(interface).to_owned();
    Held { interface, address: address.clone() }
}
