//! Sockets for adverts, one pair for each group or own address on an interface.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll};

use crate::kernel::netlink::Link;
use crate::kernel::raw::{HeaderSender, Packet, Receiver};
use crate::vrrp::packet::PROTOCOL;

/// A socket for adverts: the name of its interface, and the group or own address it hears.
pub(in crate::runtime::vrrp) type Ear = (String, Ipv4Addr);

/// The open ones.
#[derive(Debug, Default)]
pub(super) struct Wires {
    open: BTreeMap<Ear, Wire>,
    /// At which of them the next look for packets begins: a flood on one keeps none unheard.
    turn: usize,
}

/// Adverts to one group, or to one of our addresses, on one interface.
#[derive(Debug)]
struct Wire {
    index: u32,
    receiver: Receiver,
    sender: HeaderSender,
}

impl Wires {
    /// Opens what is wanted and isn't open, and closes what isn't wanted, or is on an interface
    /// that has been replaced by another one.
    pub(super) fn keep(&mut self, wanted: BTreeSet<Ear>, links: &BTreeMap<String, Link>) {
        self.open.retain(|(interface, address), wire| {
            let index = links.get(interface).map(|link| link.index);
            index == Some(wire.index) && wanted.contains(&(interface.clone(), *address))
        });
        for ear in wanted {
            if let Some(link) = links.get(&ear.0) {
                self.open(link.index, ear);
            }
        }
    }

    /// The interface of this number has gone.
    pub(super) fn close_on(&mut self, index: u32) {
        self.open.retain(|_, wire| wire.index != index);
    }

    /// Another interface has this name now.
    pub(super) fn close_named(&mut self, name: &str) {
        self.open.retain(|(interface, _), _| interface != name);
    }

    fn open(&mut self, index: u32, key: Ear) {
        let (interface, address) = (key.0.as_str(), key.1);
        if self.open.contains_key(&key) {
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
                self.open.insert(key, wire);
            }
            Err(error) => tracing::error!("no socket for {address} on {interface}: {error}"),
        }
    }

    /// The next packet, or what an interface has to say.
    pub(super) fn poll(&mut self, context: &mut Context) -> Poll<(Ear, io::Result<Packet>)> {
        let turn = self.turn % self.open.len().max(1);
        self.turn = turn + 1;
        let mut wires: Vec<_> = self.open.iter_mut().collect();
        wires.rotate_left(turn);
        for (ear, wire) in wires {
            if let Poll::Ready(packet) = wire.receiver.poll_receive(context) {
                return Poll::Ready((ear.clone(), packet));
            }
        }
        Poll::Pending
    }

    /// A packet that is there already.
    pub(super) fn waiting_packet(&mut self) -> Option<(Ear, Packet)> {
        self.open
            .iter_mut()
            .find_map(|(ear, wire)| Some((ear.clone(), wire.receiver.take_waiting()?)))
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
        let ear = ears.iter().find(|ear| self.open.contains_key(ear));
        let wire = ear.and_then(|ear| self.open.get_mut(ear)).ok_or(io::ErrorKind::NotConnected)?;
        wire.sender.send(PROTOCOL, source, destination, ttl, pdu)
    }
}
