//! Network interfaces.

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL};

use super::Netlink;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// Hardware address, where it is one of 6 bytes.
    pub mac: Option<[u8; 6]>,
    /// Administratively up and with a carrier (IFF_UP and IFF_RUNNING).
    pub up: bool,
    /// As in netdevice(7).
    pub flags: u32,
    /// Addresses are resolved by ARP here (no IFF_NOARP, no IFF_LOOPBACK).
    pub arp: bool,
    /// In bytes.
    pub mtu: u32,
    pub is_macvlan: bool,
    /// The number of the interface below it.
    pub base: Option<u32>,
}

impl Netlink {
    /// All interfaces of this network namespace.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut links = Vec::new();
        self.request(request, NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewLink(message) = answer {
                links.extend(link(&message));
            }
        })?;
        Ok(links)
    }

    /// Makes a virtual interface with a hardware address of its own on top of another one. It is
    /// private: what several of them on one interface send, the others don't hear.
    pub fn add_macvlan(&mut self, name: &str, base: u32, mac: [u8; 6]) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Link(base),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)])),
            ]),
        ];
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        self.request(RouteNetlinkMessage::NewLink(message), flags, |_| ())
    }

    /// Administratively up.
    pub fn raise_link(&mut self, index: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK, |_| ())
    }

    /// `false`: it was gone already.
    pub fn remove_link(&mut self, index: u32) -> io::Result<bool> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        match self.request(RouteNetlinkMessage::DelLink(message), NLM_F_ACK, |_| ()) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let flags = message.header.flags;
    let mut link = Link {
        is_macvlan: false,
        base: None,
        index: message.header.index,
        name: String::new(),
        mac: None,
        up: flags.contains(LinkFlags::Up | LinkFlags::Running),
        flags: flags.bits(),
        arp: !flags.intersects(LinkFlags::Noarp | LinkFlags::Loopback),
        mtu: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Link(base) => link.base = Some(*base),
            LinkAttribute::LinkInfo(infos) => {
                link.is_macvlan = infos.contains(&LinkInfo::Kind(InfoKind::MacVlan));
            }
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok(),
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}
