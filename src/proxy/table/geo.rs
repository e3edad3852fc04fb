//! `geo`: the value of an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::plan::table;
use crate::text::value::ipv4_of;

/// The addresses at which values change, in order: looking one up halves them until it is found.
#[derive(Clone, Debug)]
pub struct Geo {
    ipv4: Steps<Ipv4Addr>,
    ipv6: Steps<Ipv6Addr>,
}

#[derive(Clone, Debug)]
struct Steps<A> {
    from: Box<[A]>,
    values: Box<[Option<u32>]>,
}

impl<A: Copy + Ord> Steps<A> {
    fn new(steps: &[(A, Option<u32>)]) -> Self {
        let (from, values): (Vec<A>, Vec<_>) = steps.iter().copied().unzip();
        Self { from: from.into(), values: values.into() }
    }

    fn find(&self, address: A) -> Option<u32> {
        let behind = self.from.partition_point(|from| *from <= address);
        *self.values.get(behind.checked_sub(1)?)?
    }
}

impl Geo {
    pub fn new(geo: &table::Geo) -> Self {
        Self { ipv4: Steps::new(&geo.ipv4), ipv6: Steps::new(&geo.ipv6) }
    }

    /// The place of the value in the plan's list; `None`: there is none for this address.
    pub fn find(&self, address: IpAddr) -> Option<u32> {
        match address {
            IpAddr::V4(address) => self.ipv4.find(address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => self.ipv4.find(address),
                None => self.ipv6.find(address),
            },
        }
    }
}

/// The address that a text stands for. What is none counts as 255.255.255.255 (nginx's
/// documentation of geo).
pub fn address(text: &[u8]) -> IpAddr {
    let ipv6 = || std::str::from_utf8(text).ok()?.parse().ok().map(IpAddr::V6);
    let ipv4 = ipv4_of(text).map(IpAddr::V4);
    ipv4.or_else(ipv6).unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_nginx_reads_them() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(address(b"010.1.2.3"), ip("10.1.2.3"));
        assert_eq!(address(b"2001:DB8::1"), ip("2001:db8::1"));
        for none in
            ["", "junk", "10.1.2", "10.1.2.3 ", "10.1.2.3:80", "[::1]", "fe80::1%lo", "unix:"]
        {
            assert_eq!(address(none.as_bytes()), ip("255.255.255.255"), "{none}");
        }
    }

    #[test]
    fn a_value_holds_until_the_next_one() {
        let v4 = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let geo = Geo::new(&table::Geo {
            ipv4: vec![(v4("0.0.0.0"), None), (v4("10.0.0.0"), Some(1)), (v4("11.0.0.0"), None)],
            ipv6: vec![("::".parse().unwrap(), Some(2))],
            ..table::Geo::default()
        });
        let found = |text: &str| geo.find(text.parse().unwrap());
        assert_eq!(found("9.255.255.255"), None);
        assert_eq!(found("10.0.0.0"), Some(1));
        assert_eq!(found("10.255.255.255"), Some(1));
        assert_eq!(found("11.0.0.0"), None);
        assert_eq!(found("::ffff:10.1.1.1"), Some(1));
        assert_eq!(found("::1"), Some(2));
    }
}
