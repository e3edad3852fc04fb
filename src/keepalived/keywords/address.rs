//! Lines of `virtual_ipaddress` and its like: an address and, as in ip-address(8), what to do with it.

use std::net::{IpAddr, Ipv4Addr};

use super::super::config::{Address, KeepalivedConfig};
use super::super::iproute::Names;
use super::read;
use crate::plan::address::{AddressFlag, FOREVER, Scope};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

/// IFNAMSIZ without the end.
const LONGEST_LABEL: usize = 15;

pub(super) fn virtual_ipaddress(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let addresses = read(&config.names, Kind::Virtual, node, diagnostics);
    let Some(instance) = config.instances.last_mut() else { return };
    for address in addresses {
        instance.claims(address.address);
        instance.addresses.push(address);
    }
}

pub(super) fn virtual_ipaddress_excluded(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let addresses = read(&config.names, Kind::Virtual, node, diagnostics);
    let Some(instance) = config.instances.last_mut() else { return };
    instance.network.excluded.extend(addresses);
}

pub(super) fn static_ipaddress(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let addresses = read(&config.names, Kind::Static, node, diagnostics);
    config.statics.addresses.extend(addresses);
}

/// Whose lines they are; each kind has a word that the other hasn't.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Virtual,
    Static,
}

fn read(names: &Names, kind: Kind, node: &Node, diagnostics: &mut Diagnostics) -> Vec<Address> {
    let mut addresses = Vec::new();
    for line in node.body.iter().flatten() {
        addresses.extend(Reader { names, kind, line, at: 0, diagnostics }.address());
    }
    addresses
}

struct Reader<'a> {
    names: &'a Names,
    kind: Kind,
    line: &'a Node,
    at: usize,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn address(&mut self) -> Option<Address> {
        let (address, prefix) = self.address_and_prefix()?;
        let mut read = Address {
            address,
            prefix,
            device: None,
            label: None,
            broadcast: None,
            scope: Scope::default(),
            peer: None,
            flags: Vec::new(),
            preferred: None,
            untracked: false,
            use_vmac: false,
            track_group: None,
            span: self.line.span,
        };
        while let Some(word) = self.next() {
            match word.text.as_slice() {
                b"dev" => self.device(&mut read)?,
                b"label" => self.label(&mut read)?,
                b"brd" | b"broadcast" => {
                    let value = self.value("brd")?;
                    read.broadcast = self.broadcast(&value, &read)?;
                }
                b"scope" => self.scope(&mut read)?,
                b"peer" => self.peer(&mut read)?,
                b"preferred_lft" => self.preferred(&mut read)?,
                b"no_track" => read.untracked = true,
                b"use_vmac" if self.kind == Kind::Virtual => read.use_vmac = true,
                b"track_group" if self.kind == Kind::Static => {
                    read.track_group = Some(read::text(&self.value("track_group")?));
                }
                text => match AddressFlag::WORDS.iter().find(|(name, _)| name.as_bytes() == text) {
                    Some((_, flag)) if read.flags.contains(flag) => {}
                    Some((_, flag)) => read.flags.push(*flag),
                    None => self.unknown(&word),
                },
            }
        }
        read.flags.sort();
        if read.address.is_ipv6() && read.scope != Scope::default() {
            let address = self.line.name.lossy();
            let message =
                format!("Cannot specify scope for IPv6 addresses ({address}) - ignoring scope");
            read.scope = Scope::default();
            self.complain(&self.line.name.clone(), message);
        }
        if read.peer.is_some() && self.line.name.text.contains(&b'/') {
            read.prefix = longest(&read.address);
            let message = "Cannot specify address prefix when specifying peer address - ignoring";
            self.complain(&self.line.name.clone(), message.to_owned());
        }
        Some(read)
    }

    fn unknown(&mut self, word: &Word) {
        let text = word.lossy();
        let message = format!("Unknown configuration entry '{text}' for ip address - ignoring");
        if read::address(word).is_some() {
            let diagnostic = Diagnostic::error("keepalived/address", message).at(word.span);
            self.diagnostics.push(diagnostic.help("every address stands on a line of its own"));
        } else {
            self.complain(word, message);
        }
    }

    fn address_and_prefix(&mut self) -> Option<(IpAddr, u8)> {
        let word = self.line.name.clone();
        let text = word.lossy();
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (&*text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            let message = format!("VRRP parsed invalid IP {text}. skipping IP...");
            self.complain(&word, message);
            return None;
        };
        let longest = longest(&address);
        // keepalived reads an empty prefix as /0, which nobody can mean.
        let Some(prefix) = prefix else {
            return Some((address, longest));
        };
        let length = Word::new(prefix, word.span);
        let length = read::number(&length, 0..=u64::from(longest)).unwrap_or_else(|reason| {
            let message =
                format!("Invalid address prefix len {prefix} for address {text} - using {longest}");
            let diagnostic = Diagnostic::error("keepalived/address", message);
            let help = "write the mask as a number of bits: 255.255.255.0 is /24";
            let diagnostic = diagnostic.label(word.span, reason);
            self.diagnostics.push(match prefix.contains('.') {
                true => diagnostic.help(help),
                false => diagnostic,
            });
            u64::from(longest)
        });
        Some((address, length as u8))
    }

    /// `None`, here and below: the address is skipped, which was said.
    fn device(&mut self, read: &mut Address) -> Option<()> {
        let device = self.value("dev")?;
        if read.device.is_some() {
            let address = self.line.name.lossy();
            let message = format!("Cannot specify ipaddress device more than once for {address}");
            self.complain(&device, message);
            return Some(());
        }
        read.device = Some(read::text(&device));
        Some(())
    }

    fn label(&mut self, read: &mut Address) -> Option<()> {
        let value = self.value("label")?;
        let label = value.lossy();
        if read.address.is_ipv6() {
            let address = self.line.name.lossy();
            let message =
                format!("Cannot specify label for IPv6 addresses ({address}) - ignoring label");
            self.complain(&value, message);
            return Some(());
        }
        if label.len() > LONGEST_LABEL {
            let message = format!(
                "Address label {label} is longer than maximum length {LONGEST_LABEL} - removing \
                 address"
            );
            self.complain(&value, message);
            return None;
        }
        read.label = Some(read::text(&value));
        Some(())
    }

    fn broadcast(&mut self, value: &Word, read: &Address) -> Option<Option<Ipv4Addr>> {
        let IpAddr::V4(address) = read.address else {
            let address = self.line.name.lossy();
            let message = format!(
                "VRRP is trying to assign a broadcast {} to the IPv6 address {address} !!?? WTF... \
                 skipping VIP...",
                value.lossy()
            );
            let diagnostic = Diagnostic::error("keepalived/address", message).at(value.span);
            self.diagnostics.push(diagnostic.help("IPv6 has no broadcast addresses"));
            return None;
        };
        if value.is("+") || value.is("-") {
            if read.prefix > 30 {
                let message =
                    format!("Address prefix length {} too long for broadcast", read.prefix);
                self.complain(value, message);
                return Some(None);
            }
            let host = u32::MAX >> read.prefix;
            let network = u32::from(address) & !host;
            let bits = if value.is("+") { network | host } else { network };
            return Some(Some(Ipv4Addr::from(bits)));
        }
        match read::address(value) {
            Some(IpAddr::V4(broadcast)) => Some(Some(broadcast)),
            _ => {
                let text = value.lossy();
                let message =
                    format!("VRRP is trying to assign invalid broadcast {text}. skipping VIP...");
                self.complain(value, message);
                None
            }
        }
    }

    fn scope(&mut self, read: &mut Address) -> Option<()> {
        let value = self.value("scope")?;
        match self.names.scopes.find(&value, u32::from(u8::MAX)) {
            Some(scope) => read.scope = Scope(scope as u8),
            None => {
                let (scope, address) = (value.lossy(), self.line.name.lossy());
                let message = format!("Invalid scope '{scope}' specified for {address} - ignoring");
                self.complain(&value, message);
            }
        }
        Some(())
    }

    fn peer(&mut self, read: &mut Address) -> Option<()> {
        let value = self.value("peer")?;
        match read::address(&value) {
            Some(peer) if peer.is_ipv4() == read.address.is_ipv4() => read.peer = Some(peer),
            Some(peer) => {
                let message = format!("Peer address {peer} does not match address family");
                self.complain(&value, message);
            }
            None => {
                let message = format!("Invalid peer address {}", value.lossy());
                let diagnostic = Diagnostic::error("keepalived/address", message).at(value.span);
                self.diagnostics.push(diagnostic.help("it has no `/MASK`"));
            }
        }
        Some(())
    }

    fn preferred(&mut self, read: &mut Address) -> Option<()> {
        let value = self.value("preferred_lft")?;
        if value.is("forever") {
            read.preferred = Some(FOREVER);
            return Some(());
        }
        match read::number(&value, 0..=u64::from(u32::MAX)) {
            Ok(seconds) => read.preferred = Some(seconds as u32),
            Err(reason) => {
                let message = format!("preferred_lft {} is invalid", value.lossy());
                let diagnostic = Diagnostic::error("keepalived/address", message);
                self.diagnostics.push(diagnostic.label(value.span, reason));
            }
        }
        Some(())
    }

    /// The word behind an option.
    fn value(&mut self, option: &str) -> Option<Word> {
        if let Some(word) = self.next() {
            return Some(word);
        }
        let message = format!("No {option} parameter specified for {}", self.line.name.lossy());
        let word = self.line.args.last().unwrap_or(&self.line.name).clone();
        self.complain(&word, message);
        None
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.line.args.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn complain(&mut self, word: &Word, message: String) {
        self.diagnostics.push(Diagnostic::error("keepalived/address", message).at(word.span));
    }
}

fn longest(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
