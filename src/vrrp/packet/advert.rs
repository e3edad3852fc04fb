//! One VRRP advertisement.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::{PROTOCOL, checksum};
use crate::plan::vrrp::Version;
use crate::plan::wire::Family;

pub(super) const HEADER: usize = 8;
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
    /// In the order of the config; at most 255, all of one family.
    pub addresses: Vec<IpAddr>,
    pub auth: AuthType,
    /// Version 2 over IPv4: the authentication data field, zeros without a password. Over IPv6
    /// keepalived doesn't send it.
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

    /// How long a PDU is that begins like this one, in bytes. `None`: not even a header.
    pub fn length_of(pdu: &[u8], family: Family) -> Option<usize> {
        let [first, _, _, count, ..] = *pdu else { return None };
        let auth_length = if first >> 4 == 2 { auth_length(Version::V2, family) } else { 0 };
        Some(HEADER + usize::from(count) * address_length(family) + auth_length)
            .filter(|_| pdu.len() >= HEADER)
    }

    /// Reads a PDU (what stands behind the IP header). The checksum is not looked at.
    pub fn parse(pdu: &[u8], family: Family) -> Result<Advert, Malformed> {
        let length = pdu.len();
        let Some(expected) = Advert::length_of(pdu, family) else {
            return Err(Malformed::NoHeader { length });
        };
        let [first, vrid, priority, count, a, b, ..] = *pdu else {
            return Err(Malformed::NoHeader { length });
        };
        if length != expected {
            return Err(Malformed::Length { length, expected });
        }
        let addresses_end = HEADER + usize::from(count) * address_length(family);
        let addresses = read_addresses(&pdu[HEADER..addresses_end], family);
        if first & 0x0f != TYPE_ADVERTISEMENT && matches!(first >> 4, 2 | 3) {
            return Err(Malformed::Type(first & 0x0f));
        }
        match first >> 4 {
            2 => {
                let mut auth_data = [0; AUTH_DATA];
                for (to, from) in auth_data.iter_mut().zip(&pdu[addresses_end..]) {
                    *to = *from;
                }
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

    /// The PDU with its checksum, as RFC 3768 and RFC 5798 have it.
    pub fn encode(&self, source: IpAddr, destination: IpAddr) -> Vec<u8> {
        self.encode_covering(Some((source, destination)), Family::of(source))
    }

    /// The PDU with a checksum that covers the pseudo header of these addresses, or none. Version 2
    /// over IPv4 never covers one.
    pub fn encode_covering(&self, pseudo: Option<(IpAddr, IpAddr)>, family: Family) -> Vec<u8> {
        let addresses = &self.addresses[..self.addresses.len().min(255)];
        let room = HEADER + addresses.len() * address_length(family) + AUTH_DATA;
        let mut pdu = Vec::with_capacity(room);
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
            match address {
                IpAddr::V4(address) => pdu.extend(address.octets()),
                IpAddr::V6(address) => pdu.extend(address.octets()),
            }
        }
        // There also without a password, and covered by the checksum (RFC 3768, 5.3.8 and 5.3.10).
        pdu.extend(&self.auth_data[..auth_length(self.version, family)]);
        let sum = sum_of(self.version, &pdu, pseudo, family);
        pdu[6..8].copy_from_slice(&sum.to_be_bytes());
        pdu
    }
}

fn address_length(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

fn auth_length(version: Version, family: Family) -> usize {
    match (version, family) {
        (Version::V2, Family::V4) => AUTH_DATA,
        _ => 0,
    }
}

fn read_addresses(bytes: &[u8], family: Family) -> Vec<IpAddr> {
    let whole = bytes.chunks_exact(address_length(family));
    let address = |octets: &[u8]| -> Option<IpAddr> {
        Some(match family {
            Family::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into(),
            Family::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
        })
    };
    whole.filter_map(address).collect()
}

/// Is the checksum in `pdu` right, with the pseudo header of these addresses or without one?
pub(super) fn checksum_holds(
    version: Version,
    pdu: &[u8],
    pseudo: Option<(IpAddr, IpAddr)>,
    family: Family,
) -> bool {
    sum_of(version, pdu, pseudo, family) == 0
}

fn sum_of(version: Version, pdu: &[u8], pseudo: Option<(IpAddr, IpAddr)>, family: Family) -> u16 {
    let [high, low] = (pdu.len() as u16).to_be_bytes();
    let pseudo = pseudo.filter(|_| (version, family) != (Version::V2, Family::V4));
    // RFC 5798, 5.2.8; the same sum whether lengths have two bytes (IPv4) or four.
    let rest = [0, PROTOCOL, high, low];
    match pseudo {
        None => checksum(&[pdu]),
        Some((IpAddr::V4(source), IpAddr::V4(destination))) => {
            checksum(&[&source.octets(), &destination.octets(), &rest, pdu])
        }
        Some((source, destination)) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_compatible().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            checksum(&[&octets(source), &octets(destination), &rest, pdu])
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
