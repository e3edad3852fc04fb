//! Has an interface a link? Asked of its driver, for those that don't tell the kernel.
//!
//! By MII (the transceiver's basic status register), by ethtool (`ETHTOOL_GLINK`), or by the
//! interface's flags (netdevice(7)).

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// linux/sockios.h; not in libc.
const SIOCGMIIPHY: libc::c_ulong = 0x8947;
const SIOCGMIIREG: libc::c_ulong = 0x8948;
const SIOCETHTOOL: libc::c_ulong = 0x8946;
/// linux/ethtool.h
const ETHTOOL_GLINK: u32 = 0x0a;
/// linux/mii.h: basic mode status register, and its link bit.
const MII_BMSR: u16 = 1;
const BMSR_LSTATUS: u16 = 4;

/// How to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Mii,
    Ethtool,
    Flags,
}

/// A socket to ask by.
#[derive(Debug)]
pub struct LinkBeat(OwnedFd);

/// `struct ifreq`: a name, and 24 bytes that each request reads its own way.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: Data,
}

#[repr(C)]
union Data {
    flags: libc::c_short,
    /// phy id, register, value in, value out
    mii: [u16; 4],
    pointer: *mut EthtoolValue,
    all: [u8; 24],
}

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

impl LinkBeat {
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        Ok(LinkBeat(socket(AddressFamily::Inet, SockType::Datagram, flags, None)?))
    }

    /// Error: there is no such interface, or it can't be asked that way.
    pub fn has_link(&self, interface: &str, by: By) -> io::Result<bool> {
        let mut request = request(interface)?;
        match by {
            By::Flags => {
                self.ask(libc::SIOCGIFFLAGS, &mut request)?;
                // SAFETY: all bytes of the union are initialised, and any are a valid number.
                let flags = i32::from(unsafe { request.data.flags });
                let both = libc::IFF_UP | libc::IFF_RUNNING;
                Ok(flags & both == both)
            }
            By::Mii => {
                self.ask(SIOCGMIIPHY, &mut request)?;
                // SAFETY: as above.
                let mut mii = unsafe { request.data.mii };
                mii[1] = MII_BMSR;
                request.data.mii = mii;
                self.ask(SIOCGMIIREG, &mut request)?;
                // SAFETY: as above.
                Ok(unsafe { request.data.mii }[3] & BMSR_LSTATUS != 0)
            }
            By::Ethtool => {
                let mut value = EthtoolValue { command: ETHTOOL_GLINK, data: 0 };
                request.data = Data { all: [0; 24] };
                request.data.pointer = &raw mut value;
                self.ask(SIOCETHTOOL, &mut request)?;
                Ok(value.data != 0)
            }
        }
    }

    fn ask(&self, what: libc::c_ulong, request: &mut Request) -> io::Result<()> {
        // SAFETY: the request is a whole `struct ifreq` with a NUL-terminated name; where it holds
        // a pointer, that points to a value that outlives the call.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), what as _, &raw mut *request) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn request(interface: &str) -> io::Result<Request> {
    const { assert!(size_of::<Request>() == 40) };
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= name.len() || interface.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    name[..interface.len()].copy_from_slice(interface.as_bytes());
    Ok(Request { name, data: Data { all: [0; 24] } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_can_be_asked_by_two_of_the_ways() {
        let asker = LinkBeat::open().unwrap();
        let by_flags = asker.has_link("lo", By::Flags).unwrap();
        assert_eq!(asker.has_link("lo", By::Ethtool).unwrap(), by_flags);
        assert!(asker.has_link("lo", By::Mii).is_err());
        assert!(asker.has_link("no such one", By::Flags).is_err());
        assert!(asker.has_link("a name that is too long", By::Flags).is_err());
    }
}
