//! What goes over the wire: VRRP version 2 (RFC 3768, with RFC 2338's authentication field) and
//! version 3 (RFC 5798) over IPv4.
//!
//! [`Advert`] is the packet, whatever its version. [`examine`] decides whether a packet that came
//! in counts, in the order in which keepalived 2.2.7 was seen to look at it. Read [`advert`] next.

mod advert;
mod examine;

pub use advert::{Advert, AuthType, Malformed};
pub use examine::{Expected, Reject, examine, speaker};
pub(crate) use examine::{auth_data, auth_type, ipv4};

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;

/// The one TTL that a multicast advert may have: it shows that no router forwarded it (RFC 3768,
/// 5.2.3).
pub const TTL: u8 = 255;

/// The Internet checksum (RFC 1071) over the parts in order; every part but the last has an even
/// length. Zero over data that contains its own correct checksum.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
