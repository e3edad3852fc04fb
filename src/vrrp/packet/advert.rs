//! One VRRP advertisement.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{PROTOCOL, checksum};
use crate::plan::vrrp::Version;

const HEADER: usize = 8;
const ADDRESS: usize = 4;
const AUTH_DATA: usize = 8;
const TYPE_ADVERTISEMENT: u8 = 1;

/// An advertisement. `Debug` doesn't show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Advert {
    pub version: Version,
    pub vrid: u8,
    /// 0: the sender stops being active. 255: it owns the addresses.
    pub priority: u8,
    /// Whole seconds up to 255 in version 2, hundredths up to 40.95 s in version 3.
    pub interval: Duration,
    /// In the order of the config; at most 255.
    pub addresses: Vec<Ipv4Addr>,
    pub auth: AuthType,
    /// Version 2: the authentication data field, zeros without a password.
    pub auth_data: [u8; AUTH_DATA],
}

/// The `Auth Type` field of version 2 (RFC 2338, 5.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    None,
    Pass,
    /// IP Authentication Header.
    Header,
    Unknown(u8),
}

impl AuthType {
    pub fn number(self) -> u8 {
        match self {
            AuthType::None => 0,
            AuthType::Pass => 1,
            AuthType::Header => 2,
            AuthType::Unknown(number) => number,
        }
    }

    fn from_number(number: u8) -> Self {
        match number {
            0 => AuthType::None,
            1 => AuthType::Pass,
            2 => AuthType::Header,
            other => AuthType::Unknown(other),
        }
    }
}

/// Why bytes are not an advert, found out from the bytes alone. Lengths are in bytes of the PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not even a header.
    NoHeader {
        length: usize,
    },
    /// The length isn't what version and address count make it.
    Length {
        length: usize,
        expected: usize,
    },
    Version(u8),
    Type(u8),
}

impl Advert {
    /// The VRID of a PDU, malformed or not: whose business it is.
    pub fn vrid_of(pdu: &[u8]) -> Option<u8> {
        if pdu.len() < HEADER { None } else { pdu.get(1).copied() }
    }

    /// Reads a PDU (what stands behind the IP header). The checksum is not looked at.
    pub fn parse(pdu: &[u8]) -> Result<Advert, Malformed> {
        let [first, vrid, priority, count, a, b, ..] = *pdu else {
            return Err(Malformed::NoHeader { length: pdu.len() });
        };
        if pdu.len() < HEADER {
            return Err(Malformed::NoHeader { length: pdu.len() });
        }
        let addresses_end = HEADER + usize::from(count) * ADDRESS;
        let auth_length = if first >> 4 == 2 { AUTH_DATA } else { 0 };
        let expected = addresses_end + auth_length;
        if pdu.len() != expected {
            return Err(Malformed::Length { length: pdu.len(), expected });
        }
        let addresses = pdu[HEADER..addresses_end]
            .chunks_exact(ADDRESS)
            .map(|octets| Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]))
            .collect();
        if first & 0x0f != TYPE_ADVERTISEMENT && matches!(first >> 4, 2 | 3) {
            return Err(Malformed::Type(first & 0x0f));
        }
        match first >> 4 {
            2 => {
                let mut auth_data = [0; AUTH_DATA];
                auth_data.copy_from_slice(&pdu[addresses_end..]);
                Ok(Advert {
                    version: Version::V2,
                    vrid,
                    priority,
                    interval: Duration::from_secs(b.into()),
                    addresses,
                    auth: AuthType::from_number(a),
                    auth_data,
                })
            }
            3 => Ok(Advert {
                version: Version::V3,
                vrid,
                priority,
                interval: Duration::from_millis(u64::from(u16::from_be_bytes([a & 0x0f, b])) * 10),
                addresses,
                auth: AuthType::None,
                auth_data: [0; AUTH_DATA],
            }),
            other => Err(Malformed::Version(other)),
        }
    }

    /// The PDU with its checksum. Version 3's covers the IP addresses of the packet as well.
    pub fn encode(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let addresses = &self.addresses[..self.addresses.len().min(255)];
        let mut pdu = Vec::with_capacity(HEADER + addresses.len() * ADDRESS + AUTH_DATA);
        let version = match self.version {
            Version::V2 => 2,
            Version::V3 => 3,
        };
        pdu.extend([version << 4 | TYPE_ADVERTISEMENT, self.vrid, self.priority]);
        pdu.push(addresses.len() as u8);
        match self.version {
            Version::V2 => {
                pdu.push(self.auth.number());
                pdu.push(self.interval.as_secs().min(255) as u8);
            }
            Version::V3 => {
                let hundredths = (self.interval.as_millis() / 10).min(0x0fff) as u16;
                pdu.extend(hundredths.to_be_bytes());
            }
        }
        pdu.extend([0, 0]);
        for address in addresses {
            pdu.extend(address.octets());
        }
        // There also without a password, and covered by the checksum (RFC 3768, 5.3.8 and 5.3.10).
        if self.version == Version::V2 {
            pdu.extend(self.auth_data);
        }
        let sum = sum_of(self.version, &pdu, source, destination);
        pdu[6..8].copy_from_slice(&sum.to_be_bytes());
        pdu
    }
}

/// Is the checksum in `pdu` right?
pub(super) fn checksum_holds(
    version: Version,
    pdu: &[u8],
    source: Ipv4Addr,
    destination: Ipv4Addr,
) -> bool {
    sum_of(version, pdu, source, destination) == 0
}

fn sum_of(version: Version, pdu: &[u8], source: Ipv4Addr, destination: Ipv4Addr) -> u16 {
    match version {
        Version::V2 => checksum(&[pdu]),
        Version::V3 => {
            let length = (pdu.len() as u16).to_be_bytes();
            let protocol = [0, PROTOCOL];
            checksum(&[&source.octets(), &destination.octets(), &protocol, &length, pdu])
        }
    }
}

impl std::fmt::Debug for Advert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Advert")
            .field("version", &self.version)
            .field("vrid", &self.vrid)
            .field("priority", &self.priority)
            .field("interval", &self.interval)
            .field("addresses", &self.addresses)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}
