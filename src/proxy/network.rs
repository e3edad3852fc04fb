//! Lists of networks, as `allow`, `deny` and `set_real_ip_from` have them, made fast: a list of any
//! length costs one binary search per connection.
//!
//! The first network that holds an address decides (nginx documentation, `ngx_stream_access_module`).
//! Whatever the order, each address has one answer, and neighbours with the same answer form
//! ranges: those are worked out once.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::plan::stream::Network;
use crate::proxy::message::Client;

/// Networks with an answer for each, in the order in which they count.
#[derive(Debug)]
pub struct Networks {
    ipv4: Ranges,
    ipv6: Ranges,
    unix: Option<bool>,
}

/// Where each range begins, sorted, and the answer that holds in it up to the next one.
#[derive(Debug, Default)]
struct Ranges(Vec<(u128, Option<bool>)>);

impl Networks {
    pub fn new<'a>(list: impl IntoIterator<Item = (&'a Network, bool)>) -> Self {
        let (mut ipv4, mut ipv6, mut unix) = (Vec::new(), Vec::new(), None);
        for (network, answer) in list {
            match network {
                Network::All => {
                    ipv4.push((0, u128::from(u32::MAX), answer));
                    ipv6.push((0, u128::MAX, answer));
                    unix = unix.or(Some(answer));
                }
                Network::Unix => unix = unix.or(Some(answer)),
                Network::Ip { address: IpAddr::V4(address), prefix } => {
                    let low = u32::MAX.checked_shr(u32::from(*prefix)).unwrap_or(0);
                    let bits = u32::from(*address);
                    ipv4.push((u128::from(bits & !low), u128::from(bits | low), answer));
                }
                Network::Ip { address: IpAddr::V6(address), prefix } => {
                    let low = u128::MAX.checked_shr(u32::from(*prefix)).unwrap_or(0);
                    let bits = u128::from(*address);
                    ipv6.push((bits & !low, bits | low, answer));
                }
            }
        }
        Self { ipv4: Ranges::of(&ipv4), ipv6: Ranges::of(&ipv6), unix }
    }

    /// The answer for a client; `None`: no network holds it.
    pub fn answer(&self, client: Client) -> Option<bool> {
        match client {
            Client::Unix => self.unix,
            Client::Tcp(address) => match address.ip() {
                IpAddr::V4(address) => self.ipv4.answer(u128::from(u32::from(address))),
                IpAddr::V6(address) => match address.to_ipv4_mapped() {
                    // An IPv4 client of an IPv6 socket is one for the first kind of networks, or
                    // where there are none, for the second (watched: nginx 1.22).
                    Some(address) if !self.ipv4.0.is_empty() => {
                        self.ipv4.answer(u128::from(u32::from(address)))
                    }
                    _ => self.ipv6.answer(u128::from(address)),
                },
            },
        }
    }

    /// Whether a network holds a client. An IPv4 client of an IPv6 socket is only in those of IPv4.
    pub fn hold(&self, client: Client) -> bool {
        let mapped = |address: SocketAddr| match address.ip() {
            IpAddr::V6(address) => address.to_ipv4_mapped().is_some(),
            IpAddr::V4(_) => false,
        };
        match client {
            Client::Tcp(address) if mapped(address) && self.ipv4.0.is_empty() => false,
            client => self.answer(client).is_some(),
        }
    }
}

impl Ranges {
    /// Of networks with their first and last address.
    fn of(networks: &[(u128, u128, bool)]) -> Self {
        // What begins and what ends at each address; the ends come before the beginnings.
        let mut events: Vec<(u128, bool, usize)> = Vec::with_capacity(2 * networks.len());
        for (at, (first, last, _)) in networks.iter().enumerate() {
            events.push((*first, true, at));
            if let Some(behind) = last.checked_add(1) {
                events.push((behind, false, at));
            }
        }
        events.sort_unstable();
        let mut ranges: Vec<(u128, Option<bool>)> = Vec::new();
        let mut open = BTreeSet::new();
        let mut events = events.into_iter().peekable();
        while let Some((address, begins, at)) = events.next() {
            if begins {
                open.insert(at);
            } else {
                open.remove(&at);
            }
            if events.peek().is_some_and(|(next, ..)| *next == address) {
                continue;
            }
            let answer = open.first().map(|at| networks[*at].2);
            if ranges.last().and_then(|(_, last)| *last) != answer {
                ranges.push((address, answer));
            }
        }
        Self(ranges)
    }

    fn answer(&self, address: u128) -> Option<bool> {
        let behind = self.0.partition_point(|(first, _)| *first <= address);
        behind.checked_sub(1).and_then(|at| self.0[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        match text {
            "all" => Network::All,
            "unix:" => Network::Unix,
            text => {
                let (address, prefix) = text.split_once('/').unwrap();
                Network::Ip { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
            }
        }
    }

    fn networks(text: &str) -> Networks {
        let list: Vec<_> = text
            .split_whitespace()
            .map(|word| (network(&word[1..]), word.starts_with('+')))
            .collect();
        Networks::new(list.iter().map(|(network, answer)| (network, *answer)))
    }

    fn ask(networks: &Networks, address: &str) -> Option<bool> {
        let address = address.parse().unwrap();
        networks.answer(Client::Tcp(SocketAddr::new(address, 1)))
    }

    #[test]
    fn the_first_network_decides() {
        let list = networks("-192.168.1.1/32 +192.168.1.0/24 +10.1.1.0/16 +2001:db8::/32 -all");
        for (address, allowed) in [
            ("192.168.1.1", false),
            ("192.168.1.0", true),
            ("192.168.1.2", true),
            ("192.168.1.255", true),
            ("192.168.2.0", false),
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("::ffff:10.1.0.1", true),
            ("2001:db8:ffff::", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(ask(&list, address), Some(allowed), "{address}");
        }
        assert_eq!(list.answer(Client::Unix), Some(false));
        let list = networks("+0.0.0.0/0");
        assert_eq!(ask(&list, "255.255.255.255"), Some(true));
        assert_eq!(ask(&list, "::1"), None);
        assert_eq!(list.answer(Client::Unix), None);
        assert_eq!(networks("+unix: -all").answer(Client::Unix), Some(true));
        assert_eq!(ask(&networks(""), "1.2.3.4"), None);
        // IPv4 clients of IPv6 sockets.
        let mapped = "::ffff:127.0.0.1";
        assert_eq!(ask(&networks("-::/0"), mapped), Some(false));
        assert_eq!(ask(&networks("-::/0 +10.0.0.0/8"), mapped), None);
        assert_eq!(ask(&networks("+::/0 -127.0.0.0/8"), mapped), Some(false));
        let client = Client::Tcp(SocketAddr::new(mapped.parse().unwrap(), 1));
        assert!(networks("+127.0.0.0/8").hold(client));
        assert!(!networks("+::/0").hold(client));
    }

    /// Against the definition, over networks that overlap in every way.
    #[test]
    fn ranges_answer_as_the_list_does() {
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u32
        };
        for _ in 0..200 {
            let list: Vec<(u128, u128, bool)> = (0..random() % 12)
                .map(|_| {
                    let low = (1_u32 << (random() % 9)) - 1;
                    let bits = random() % 256;
                    (u128::from(bits & !low), u128::from(bits | low), random() % 2 == 0)
                })
                .collect();
            let ranges = Ranges::of(&list);
            for address in 0..260 {
                let first = list.iter().find(|(from, to, _)| (*from..=*to).contains(&address));
                assert_eq!(ranges.answer(address), first.map(|it| it.2), "{address} in {list:?}");
            }
        }
    }
}
