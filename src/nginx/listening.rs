//! Addresses that clients connect to, and the servers behind each: several `listen` of one address
//! come together here, with nginx's complaints about those that don't fit.
//!
//! Source: nginx documentation, `listen`; what it says to which combinations was watched (1.30).

use std::collections::HashMap;

use super::config::Listen;
use crate::plan::stream::{Address, Transport};
use crate::text::Span;

/// Those of a `stream {}`.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    places: HashMap<(Transport, Address), usize>,
    /// In the order of the config.
    pub list: Vec<Shared>,
}

/// One address.
#[derive(Clone, Debug)]
pub struct Shared {
    pub transport: Transport,
    pub address: Address,
    /// Indices of the servers, in the order of the config.
    pub servers: Vec<usize>,
    /// The one among them that serves whoever asks for none of their names.
    pub default: usize,
    has_default: bool,
    /// Server and index of the `listen` whose socket options hold.
    pub options: (usize, usize),
    /// Whether that one has any.
    pub bound: bool,
    pub ssl: bool,
    pub proxy_protocol: bool,
    /// How many `listen` have neither, `ssl`, `proxy_protocol`, both.
    protocols: [usize; 4],
    first: Span,
}

/// Why a `listen` doesn't fit those before, in nginx's words, and where the first one is.
pub(super) struct Clash {
    pub(super) message: String,
    pub(super) first: Span,
    pub(super) is_error: bool,
}

impl Addresses {
    /// Adds an address of a server's `listen` (`at`: server and index).
    pub(super) fn add(
        &mut self,
        at: (usize, usize),
        listen: &Listen,
        address: Address,
    ) -> Result<(), Clash> {
        let transport = if listen.udp { Transport::Udp } else { Transport::Tcp };
        let key = (transport, address);
        let Some(place) = self.places.get(&key) else {
            self.list.push(Shared::new(at, listen, key.clone()));
            self.places.insert(key, self.list.len() - 1);
            return Ok(());
        };
        self.list[*place].add(at, listen)
    }
}

impl Shared {
    fn new(at: (usize, usize), listen: &Listen, key: (Transport, Address)) -> Self {
        let mut shared = Self {
            transport: key.0,
            address: key.1,
            servers: vec![at.0],
            default: at.0,
            has_default: listen.default_server,
            options: at,
            bound: listen.bound,
            ssl: false,
            proxy_protocol: false,
            protocols: [0; 4],
            first: listen.span,
        };
        shared.speak(listen);
        shared
    }

    fn add(&mut self, at: (usize, usize), listen: &Listen) -> Result<(), Clash> {
        let address = &self.address;
        let clash = |message: String| Clash { message, first: self.first, is_error: true };
        if self.servers.last() == Some(&at.0) {
            return Err(clash(format!("a duplicate listen {address}")));
        }
        if listen.bound && self.bound {
            return Err(clash(format!("duplicate listen options for {address}")));
        }
        if listen.default_server && self.has_default {
            return Err(clash(format!("a duplicate default server for {address}")));
        }
        self.servers.push(at.0);
        if listen.bound {
            (self.options, self.bound) = (at, true);
        }
        if listen.default_server {
            (self.default, self.has_default) = (at.0, true);
        }
        match self.speak(listen) {
            true => Ok(()),
            false => Err(Clash {
                message: format!("protocol options redefined for {}", self.address),
                first: self.first,
                is_error: false,
            }),
        }
    }

    /// What one `listen` says of its protocols holds for the address. Returns whether nginx minds:
    /// all have to say the same, but for one that may say more.
    fn speak(&mut self, listen: &Listen) -> bool {
        self.ssl |= listen.ssl;
        self.proxy_protocol |= listen.proxy_protocol;
        let kind = usize::from(listen.ssl) | usize::from(listen.proxy_protocol) << 1;
        self.protocols[kind] += 1;
        let said: Vec<usize> = (0..4).filter(|kind| self.protocols[*kind] > 0).collect();
        match said[..] {
            [_] => true,
            // The greater one holds more, or they have nothing in common.
            [less, more] => less & more == less && self.protocols[more] == 1,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::endpoint::Endpoint;

    /// What nginx 1.30 said to each sequence: plain, ssl, proxy_protocol, both.
    #[test]
    fn protocols_may_differ_once() {
        let quiet = "nn ns np nb sn ss sb pn pp pb bn bs bp bb nnn nns nnp nnb nsn npn nbn snn sss \
                     ssb sbs pnn bnn bss";
        let said = "sp ps nss nsp nsb nps npp npb nbs nbp nbb sns snp snb ssn ssp sbn sbp sbb pnp \
                    pns pnb ppn pps bnb bns bsn bsb bbn bbs bbp";
        for (sequences, minds) in [(quiet, false), (said, true)] {
            for sequence in sequences.split_whitespace() {
                let mut last = true;
                let mut shared: Option<Shared> = None;
                for (at, kind) in sequence.chars().enumerate() {
                    let any = Endpoint::Any { ports: None };
                    let (span, text) = (Span::default(), String::new());
                    let mut listen = Listen::new(text, any, span, span);
                    listen.ssl = "sb".contains(kind);
                    listen.proxy_protocol = "pb".contains(kind);
                    match &mut shared {
                        None => {
                            let key = (Transport::Tcp, Address::Tcp(([0, 0, 0, 0], 9000).into()));
                            shared = Some(Shared::new((at, 0), &listen, key));
                        }
                        Some(shared) => last = shared.add((at, 0), &listen).is_ok(),
                    }
                }
                assert_eq!(!last, minds, "{sequence}");
            }
        }
    }
}
