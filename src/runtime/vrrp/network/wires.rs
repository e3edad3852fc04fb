//! Sockets for adverts, one pair for each group or own address on an interface.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::kernel::netlink::Link;
use crate::kernel::process;
use crate::kernel::raw::{Letter, Packet, Receiver, Sender};
use crate::plan::wire::Family;
use crate::vrrp::packet::Outgoing;

/// A socket for adverts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::runtime::vrrp) struct Ear {
    pub(in crate::runtime::vrrp) interface: String,
    /// The group, or the own address, that it hears.
    pub(in crate::runtime::vrrp) address: IpAddr,
    /// IP protocol number.
    pub(in crate::runtime::vrrp) protocol: u8,
}

/// The open ones.
#[derive(Debug, Default)]
pub(super) struct Wires {
    open: BTreeMap<Rc<Ear>, Wire>,
    /// Those that couldn't be opened, and how often.
    failed: BTreeMap<Ear, u32>,
    try_at: Option<Instant>,
    /// At which of them the next look for packets begins: a flood on one keeps none unheard.
    turn: usize,
}

/// Adverts to one group, or to one of our addresses, on one interface.
#[derive(Debug)]
struct Wire {
    index: u32,
    /// Bytes of its receive buffer that were asked for.
    room: u32,
    receiver: Receiver,
    sender: Sender,
}

/// How often a socket is tried again that couldn't be opened.
const AGAIN: Duration = Duration::from_secs(1);

/// Descriptors for everything else: scripts, dumps, devices.
const OTHERS: u64 = 256;

impl Wires {
    pub(super) fn is_open(&self, ear: &Ear) -> bool {
        self.open.contains_key(ear)
    }

    /// When to try again what couldn't be opened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.try_at
    }

    /// Opens what is wanted (with the size of its receive buffer in bytes; 0: the kernel's usual one)
    /// and isn't open, and closes what isn't wanted, or is on an interface
    /// that has been replaced by another one.
    pub(super) fn keep(&mut self, wanted: BTreeMap<Ear, u32>, links: &BTreeMap<String, Link>) {
        self.open.retain(|ear, wire| {
            let index = links.get(&ear.interface).map(|link| link.index);
            index == Some(wire.index) && wanted.contains_key(ear)
        });
        // Each takes two. Where that isn't allowed, those that can't be opened are said by name.
        let _ = process::need_descriptors(2 * wanted.len() as u64 + OTHERS);
        self.failed.retain(|ear, _| wanted.contains_key(ear));
        self.try_at = None;
        for (ear, room) in wanted {
            let Some(link) = links.get(&ear.interface) else { continue };
            self.open(link.index, ear.clone());
            if let Some(wire) = self.open.get_mut(&ear)
                && std::mem::replace(&mut wire.room, room) != room
                && let Err(error) = wire.receiver.set_buffer(room as usize)
            {
                tracing::warn!("receive buffer of {room} bytes: {error}");
            }
        }
    }

    /// The interface of this number has gone.
    pub(super) fn close_on(&mut self, index: u32) {
        self.open.retain(|_, wire| wire.index != index);
    }

    /// Another interface has this name now.
    pub(super) fn close_named(&mut self, name: &str) {
        self.open.retain(|ear, _| ear.interface != name);
    }

    fn open(&mut self, index: u32, key: Ear) {
        let Ear { interface, address, protocol } = &key;
        let (address, protocol) = (*address, *protocol);
        if self.open.contains_key(&key) {
            return;
        }
        let receiver = match address.is_multicast() {
            true => Receiver::join(protocol, interface, index, address),
            false => Receiver::bind(protocol, interface, index, address),
        };
        let wire = receiver.and_then(|receiver| {
            Ok(Wire { index, room: 0, receiver, sender: Sender::open(interface, index, address)? })
        });
        match wire {
            Ok(wire) => {
                let cast = if address.is_multicast() { "multicast" } else { "unicast" };
                let family = match Family::of(address) {
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                };
                tracing::debug!(
                    "VRRP sockpool: [ifindex(  {index}), family({family}), proto({protocol}), {cast}, \
                     address({address})]"
                );
                if let Some(failures) = self.failed.remove(&key) {
                    tracing::info!(
                        "there is a socket for {address} on {interface} now, after {failures} failures"
                    );
                }
                self.open.insert(Rc::new(key), wire);
            }
            Err(error) => {
                if !self.failed.contains_key(&key) {
                    tracing::error!("no socket for {address} on {interface}: {error}");
                }
                *self.failed.entry(key).or_default() += 1;
                self.try_at = Some(Instant::now() + AGAIN);
            }
        }
    }

    /// The next packet, or what an interface has to say.
    pub(super) fn poll(&mut self, context: &mut Context) -> Poll<(Rc<Ear>, io::Result<Packet>)> {
        let turn = self.turn % self.open.len().max(1);
        self.turn = turn + 1;
        let mut look =
            |(ear, wire): (&Rc<Ear>, &mut Wire)| match wire.receiver.poll_receive(context) {
                Poll::Ready(packet) => Some((ear.clone(), packet)),
                Poll::Pending => None,
            };
        let found = self.open.iter_mut().skip(turn).find_map(&mut look);
        match found.or_else(|| self.open.iter_mut().take(turn).find_map(&mut look)) {
            Some(found) => Poll::Ready(found),
            None => Poll::Pending,
        }
    }

    /// A packet that is there already.
    pub(super) fn waiting_packet(&mut self) -> Option<(Rc<Ear>, Packet)> {
        self.open
            .iter_mut()
            .find_map(|(ear, wire)| Some((ear.clone(), wire.receiver.take_waiting()?)))
    }

    pub(super) fn send(&mut self, interface: &str, packet: &Outgoing) -> io::Result<()> {
        let Outgoing { source, destination, protocol, ttl, identification, ref payload } = *packet;
        // To the group, or from where the peers' adverts come in.
        let mut ear = Ear { interface: interface.to_owned(), address: destination, protocol };
        let wire = self.open.get(&ear).or_else(|| {
            ear.address = source;
            self.open.get(&ear)
        });
        let wire = wire.ok_or(io::ErrorKind::NotConnected)?;
        wire.sender.send(Letter { source, destination, protocol, ttl, identification, payload })
    }
}
