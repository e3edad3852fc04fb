//! Takes virtual addresses off for a role that can't do it any more.

use std::io;

use super::handoff::Held;
use crate::kernel::netlink::Netlink;

/// Removes what a dead vrrp role held. Addresses that are gone already, with their interface too,
/// are fine. Returns those that could not be removed, each with the reason.
pub fn remove(held: &[Held]) -> io::Result<Vec<(Held, io::Error)>> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut netlink = Netlink::open()?;
    let links = netlink.links()?;
    let mut failed = Vec::new();
    for it in held {
        let Some(link) = links.iter().find(|link| link.name == it.interface) else { continue };
        let address = &it.address;
        match netlink.remove_address(link.index, address.address, address.prefix) {
            Ok(_) => {}
            Err(error) => failed.push((it.clone(), error)),
        }
    }
    Ok(failed)
}
