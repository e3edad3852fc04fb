//! What goes over the wire: VRRP version 2 (RFC 3768, with RFC 2338's authentication) and version
//! 3 (RFC 5798), over IPv4 and IPv6.
//!
//! [`Advert`] is the packet, whatever its version. On its way out a [`Ledger`] makes it
//! [`Outgoing`] packets, one for each destination; [`examine`] decides whether a packet that came
//! in counts, in the order in which keepalived 2.2.7 was seen to look at it, and [`Reject`] says
//! why not. `authentication_header` (`auth_type AH`) and `trailer` (`auth_hmac`) are what may stand
//! before and behind an advert. Read [`advert`] next.

mod advert;
mod authentication_header;
mod digest;
mod examine;
mod ledger;
mod outgoing;
mod reject;
mod trailer;

pub use advert::{Advert, AuthType, Malformed};
pub use authentication_header::AUTHENTICATION_HEADER;
pub use examine::{Expected, Heard, examine, speaker};
pub(crate) use examine::{auth_data, auth_type};
pub use ledger::Ledger;
pub use outgoing::Outgoing;
pub use reject::{Reject, too_short};
pub use trailer::{Stamp, TrailerFault};

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;

/// The one TTL that a multicast advert may have: it shows that no router forwarded it (RFC 3768,
/// 5.2.3).
pub const TTL: u8 = 255;

/// Whose VRID a packet's payload is for, by its protocol.
///
/// Error: keepalived's line about a payload that is too short to say.
pub fn vrid_of(
    protocol: u8,
    payload: &[u8],
    family: crate::plan::wire::Family,
) -> Result<u8, String> {
    let short = |what| Err(too_short(payload.len(), family, what));
    if payload.len() < advert::HEADER {
        return short("");
    }
    if protocol != AUTHENTICATION_HEADER {
        return Ok(payload[1]);
    }
    match payload.get(authentication_header::LENGTH..) {
        Some(pdu) if pdu.len() >= advert::HEADER => Ok(pdu[1]),
        _ => short(" with AH"),
    }
}

/// How many bytes an advert has behind the Ethernet header, or over IPv6 behind the IP header, as
/// keepalived counts them.
pub fn advert_length(router: &crate::plan::vrrp::VirtualRouter) -> u32 {
    use crate::plan::vrrp::{Authentication, Version};
    use crate::plan::wire::Family;

    let family = router.family();
    let ours = router.addresses.iter().filter(|it| Family::of(it.address) == family).count() as u32;
    let header = match router.authentication {
        Some(Authentication::Header(_)) => authentication_header::LENGTH as u32,
        _ => 0,
    };
    match (family, router.version) {
        (Family::V4, Version::V2) => 20 + header + 8 + ours * 4 + 8,
        (Family::V4, Version::V3) => 20 + 8 + ours * 4,
        (Family::V6, _) => 8 + ours * 16,
    }
}

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
