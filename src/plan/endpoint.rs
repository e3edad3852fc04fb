//! Addresses as `listen`, `proxy_pass` and `server` write them, with nginx's complaints about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::stream::Address;

/// The kernel's limit for the path of a Unix socket, without the closing zero.
const LONGEST_UNIX_PATH: usize = 107;

/// An address as typed; names aren't resolved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Unix(PathBuf),
    /// `*:PORT` or only `PORT`
    Any {
        ports: Option<RangeInclusive<u16>>,
    },
    Ip {
        address: IpAddr,
        ports: Option<RangeInclusive<u16>>,
    },
    Name {
        name: String,
        ports: Option<RangeInclusive<u16>>,
    },
}

impl Endpoint {
    /// For `listen`: a port alone, `*` and ranges of ports are allowed.
    pub fn listen(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = unix_path(text) {
            return path;
        }
        if text.is_empty() {
            return Err("no host");
        }
        if let Some((host, ports)) = in_brackets(text)? {
            let ports = ports.map(port_range).transpose()?;
            return Ok(Endpoint::Ip { address: host, ports });
        }
        no_path(text)?;
        let (host, ports) = match text.split_once(':') {
            Some((host, ports)) => (host, Some(port_range(ports)?)),
            None if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('.') => {
                return Ok(Endpoint::Any { ports: Some(port_range(text)?) });
            }
            None => (text, None),
        };
        match host {
            "" => Err("no host"),
            "*" => Ok(Endpoint::Any { ports }),
            host => Ok(by_host(host, ports)),
        }
    }

    /// For peers: one port, or none (which only names of upstream blocks may lack).
    pub fn peer(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = unix_path(text) {
            return path;
        }
        if let Some((host, ports)) = in_brackets(text)? {
            let ports = ports.map(one_port).transpose()?;
            return Ok(Endpoint::Ip { address: host, ports });
        }
        no_path(text)?;
        let (host, ports) = match text.split_once(':') {
            Some((host, ports)) => (host, Some(one_port(ports)?)),
            None => (text, None),
        };
        if host.is_empty() { Err("no host") } else { Ok(by_host(host, ports)) }
    }

    pub fn has_port(&self) -> bool {
        match self {
            Endpoint::Unix(_) => true,
            Endpoint::Any { ports } | Endpoint::Ip { ports, .. } | Endpoint::Name { ports, .. } => {
                ports.is_some()
            }
        }
    }
}

fn unix_path(text: &str) -> Option<Result<Endpoint, &'static str>> {
    let path = match text.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("unix:") => &text[5..],
        _ => return None,
    };
    Some(match path.len() {
        0 => Err("no path in the unix domain socket"),
        length if length > LONGEST_UNIX_PATH => Err("too long path in the unix domain socket"),
        _ => Ok(Endpoint::Unix(PathBuf::from(path))),
    })
}

/// `[ADDRESS]` or `[ADDRESS]:PORTS`
fn in_brackets(text: &str) -> Result<Option<(IpAddr, Option<&str>)>, &'static str> {
    let Some(inside) = text.strip_prefix('[') else { return Ok(None) };
    let (address, rest) = inside.split_once(']').ok_or("invalid host")?;
    let ports = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return Err("invalid host"),
        ports => ports,
    };
    if address.is_empty() {
        return Err("no host");
    }
    let address: Ipv6Addr = address.parse().map_err(|_| "invalid IPv6 address")?;
    Ok(Some((IpAddr::V6(address), ports)))
}

fn no_path(text: &str) -> Result<(), &'static str> {
    if text.contains(['/', '?']) { Err("invalid host") } else { Ok(()) }
}

fn by_host(host: &str, ports: Option<RangeInclusive<u16>>) -> Endpoint {
    match host.parse::<Ipv4Addr>() {
        Ok(address) => Endpoint::Ip { address: IpAddr::V4(address), ports },
        Err(_) => Endpoint::Name { name: host.to_owned(), ports },
    }
}

fn port(text: &str) -> Result<u16, &'static str> {
    match crate::text::value::whole(text).map(u16::try_from) {
        Some(Ok(port)) if port > 0 => Ok(port),
        _ => Err("invalid port"),
    }
}

fn one_port(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    port(text).map(|port| port..=port)
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    let Some((first, last)) = text.split_once('-') else { return one_port(text) };
    let (first, last) = (port(first)?, port(last)?);
    if first > last { Err("invalid port range") } else { Ok(first..=last) }
}

impl Endpoint {
    pub fn is_name(&self) -> bool {
        matches!(self, Endpoint::Name { .. })
    }

    /// The one address that it names by itself.
    pub fn address(&self) -> Option<Address> {
        match self {
            Endpoint::Unix(path) => Some(Address::Unix(path.clone())),
            Endpoint::Ip { address, ports: Some(ports) } => {
                Some(Address::Tcp(SocketAddr::new(*address, *ports.start())))
            }
            _ => None,
        }
    }
}

/// `ADDRESS` or `ADDRESS:PORT` of this host, as `proxy_bind` has it; an IPv6 address needs brackets
/// only before a port.
pub fn local(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let (address, ports) = match in_brackets(text).ok()? {
        Some((address, ports)) => (address, ports),
        None => {
            let (address, port) = text.split_once(':')?;
            (IpAddr::V4(address.parse().ok()?), Some(port))
        }
    };
    Some(SocketAddr::new(address, ports.map_or(Some(0), |text| port(text).ok())?))
}
