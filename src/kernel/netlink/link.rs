//! Network interfaces.

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, IpVlanFlags, IpVlanMode, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage, MacVlanMode,
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
    pub is_ipvlan: bool,
    /// The number of the interface below it.
    pub base: Option<u32>,
    /// ARPHRD_*.
    pub hardware: u16,
    /// Where packets for all go.
    pub broadcast: Option<[u8; 6]>,
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

    /// Makes a virtual interface with the hardware address of the one below it (mode L2).
    pub fn add_ipvlan(&mut self, name: &str, base: u32, flags: IpVlanFlags) -> io::Result<()> {
        let flags_of_request = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        let request = RouteNetlinkMessage::NewLink(ipvlan(name, base, flags));
        self.request(request, flags_of_request, |_| ())
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

fn ipvlan(name: &str, base: u32, flags: IpVlanFlags) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    let data = vec![InfoIpVlan::Mode(IpVlanMode::L2), InfoIpVlan::Flags(flags)];
    message.attributes = vec![
        LinkAttribute::Link(base),
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::IpVlan),
            LinkInfo::Data(InfoData::IpVlan(data)),
        ]),
    ];
    message
}

pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let flags = message.header.flags;
    let mut link = Link {
        is_macvlan: false,
        is_ipvlan: false,
        base: None,
        flags: flags.bits(),
        hardware: message.header.link_layer_type.into(),
        broadcast: None,
        index: message.header.index,
        name: String::new(),
        mac: None,
        up: flags.contains(LinkFlags::Up | LinkFlags::Running),
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
                link.is_ipvlan = infos.contains(&LinkInfo::Kind(InfoKind::IpVlan));
            }
            LinkAttribute::Broadcast(mac) => link.broadcast = mac.as_slice().try_into().ok(),
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok(),
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::Emitable;

    use super::*;

    /// The bytes of strace(1) on keepalived 2.2.7, `use_ipvlan nice 10.1.1.5 vepa` on interface 3.
    #[test]
    fn an_ipvlan_interface_is_asked_for_as_keepalived_does() {
        let message = ipvlan("nice", 3, IpVlanFlags::Vepa);
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let expected = [
            &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..],
            &[8, 0, 5, 0, 3, 0, 0, 0],
            &[9, 0, 3, 0, b'n', b'i', b'c', b'e', 0, 0, 0, 0],
            &[36, 0, 18, 0, 11, 0, 1, 0, b'i', b'p', b'v', b'l', b'a', b'n', 0, 0],
            &[20, 0, 2, 0, 6, 0, 1, 0, 0, 0, 0, 0, 6, 0, 2, 0, 2, 0, 0, 0],
        ];
        assert_eq!(bytes, expected.concat());
    }
}
