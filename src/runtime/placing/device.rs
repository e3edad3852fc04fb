//! Virtual MAC interfaces.

use std::io;

use crate::kernel::netlink::Netlink;

/// `Ok`, too, if it isn't there.
pub(super) fn remove(netlink: &mut Netlink, name: &str) -> io::Result<()> {
    match super::index(name) {
        Some(index) => netlink.remove_link(index).map(drop),
        None => Ok(()),
    }
}
