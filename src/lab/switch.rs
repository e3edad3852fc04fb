//! The network that joins the hosts: a bridge in the stage's own network namespace, a cable (veth
//! pair) from it to each host.
//!
//! All by rtnetlink: no `ip` tool is needed. A [`Netlink`] speaks to the network namespace that
//! its thread was in when it was opened, wherever the thread goes later.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkBridgePort, LinkUnspec, LinkVeth, new_connection};
use tokio::runtime::{Builder, Runtime};

use super::{Doing, Failure, Outcome};

const BRIDGE: &str = "switch";

/// A blocking connection to the kernel's network configuration.
pub(super) struct Netlink {
    runtime: Runtime,
    handle: Handle,
}

/// The switch, as the stage holds it.
pub(super) struct Switch {
    netlink: Netlink,
}

/// One end of a cable: the host's.
#[derive(Debug)]
pub(super) struct Socket<'a> {
    /// The port's name at the switch.
    pub port: String,
    pub interface: &'a str,
    pub address: Ipv4Addr,
    pub prefix: u8,
}

impl Switch {
    pub(super) fn build() -> Outcome<Switch> {
        let netlink = Netlink::open()?;
        let add = netlink.handle.link().add(LinkBridge::new(BRIDGE).build()).execute();
        netlink.runtime.block_on(add).doing("cannot make a bridge")?;
        netlink.set_up(BRIDGE)?;
        netlink.set_up("lo")?;
        Ok(Switch { netlink })
    }

    /// The host's interface loses its carrier.
    pub(super) fn unplug(&self, port: &str) -> Outcome<()> {
        self.netlink.set(LinkUnspec::new_with_name(port).down().build())
    }

    pub(super) fn plug(&self, port: &str) -> Outcome<()> {
        self.netlink.set_up(port)
    }

    /// Whether multicast is sent out to `port`. VRRP's adverts are the only multicast that the
    /// balancers need from each other.
    pub(super) fn pass_multicast(&self, port: &str, pass: bool) -> Outcome<()> {
        let index = self.netlink.index(port)?;
        let change = LinkBridgePort::new(index).mcast_flood(pass).build();
        let change = self.netlink.handle.link().set_port(change).execute();
        self.netlink.runtime.block_on(change).doing("cannot change a port of the switch")
    }
}

/// Lays a cable from the switch (reached by `switch`) to the caller's network namespace, gives the
/// interface there its name and address, and brings both ends up.
pub(super) fn connect(switch: &Netlink, socket: &Socket<'_>) -> Outcome<()> {
    let here = File::open("/proc/thread-self/ns/net").doing("cannot open the network namespace")?;
    let far_end = LinkUnspec::new_with_name(socket.interface).setns_by_fd(here.as_raw_fd()).build();
    let cable = LinkVeth::new(&socket.port, socket.interface)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
        .build();
    let add = switch.handle.link().add(cable).execute();
    switch.runtime.block_on(add).doing(format_args!("cannot lay a cable to {}", socket.port))?;
    let bridge = switch.index(BRIDGE)?;
    switch.set(LinkUnspec::new_with_name(&socket.port).controller(bridge).up().build())?;

    let own = Netlink::open()?;
    own.set_up("lo")?;
    let index = own.index(socket.interface)?;
    let address = IpAddr::V4(socket.address);
    let add = own.handle.address().add(index, address, socket.prefix).execute();
    own.runtime.block_on(add).doing(format_args!("cannot add {address}"))?;
    own.set_up(socket.interface)
}

impl Netlink {
    pub(super) fn open() -> Outcome<Netlink> {
        let runtime = Builder::new_current_thread().enable_io().build().doing("tokio")?;
        let (connection, handle, _) = {
            let _inside = runtime.enter();
            new_connection().doing("cannot speak netlink")?
        };
        runtime.spawn(connection);
        Ok(Netlink { runtime, handle })
    }

    fn set_up(&self, name: &str) -> Outcome<()> {
        self.set(LinkUnspec::new_with_name(name).up().build())
    }

    fn set(&self, link: LinkMessage) -> Outcome<()> {
        let change = self.handle.link().set(link).execute();
        self.runtime.block_on(change).doing("cannot change an interface")
    }

    fn index(&self, name: &str) -> Outcome<u32> {
        let mut found = self.handle.link().get().match_name(name.to_owned()).execute();
        let link = self.runtime.block_on(found.try_next());
        let link = link.doing(format_args!("cannot find interface {name}"))?;
        link.map(|link| link.header.index).ok_or_else(|| Failure(format!("no interface {name}")))
    }
}
