//! Lines of `virtual_ipaddress`: an address and, as in ip-address(8), what to do with it.

use std::net::{IpAddr, Ipv4Addr};

use super::super::config::{Address, KeepalivedConfig};
use super::read;
use super::vrrp::NO_VMAC;
use crate::plan::vrrp::Scope;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) fn virtual_ipaddress(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(instance) = config.instances.last_mut() else { return };
    for line in node.body.iter().flatten() {
        let mut reader = Reader { line, at: 0, diagnostics };
        if let Some(address) = reader.address() {
            instance.claims(address.address);
            instance.addresses.push(address);
        }
        if let Some(word) = line.args.iter().find(|word| word.is("use_vmac")) {
            instance.refuse(word, NO_VMAC);
        }
    }
}

/// Complains about the lines of a block whose addresses aren't used.
pub(super) fn check(_: &mut KeepalivedConfig, node: &Node, diagnostics: &mut Diagnostics) {
    for line in node.body.iter().flatten() {
        Reader { line, at: 0, diagnostics }.address();
    }
}

struct Reader<'a> {
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
            span: self.line.span,
        };
        while let Some(word) = self.next() {
            match word.text.as_slice() {
                b"dev" => self.device(&mut read)?,
                b"label" => {
                    let label = self.value("label")?;
                    if label.text.len() > 15 {
                        let label = label.lossy();
                        let message = format!(
                            "Address label {label} is longer than maximum length 15 - removing address"
                        );
                        self.complain(&word, message);
                        return None;
                    }
                    read.label = Some(read::text(&label));
                }
                b"brd" | b"broadcast" => {
                    let value = self.value("brd")?;
                    read.broadcast = self.broadcast(&value, &read)?;
                }
                b"scope" => self.scope(&mut read)?,
                // Words that are known and not done.
                b"peer" | b"preferred_lft" | b"track_group" => {
                    self.unsupported(&word);
                    self.next();
                }
                b"home" | b"-nodad" | b"mngtmpaddr" | b"noprefixroute" | b"autojoin"
                | b"no_track" => self.unsupported(&word),
                b"use_vmac" => {}
                _ => {
                    let text = word.lossy();
                    let message =
                        format!("Unknown configuration entry '{text}' for ip address - ignoring");
                    let line: Option<IpAddr> = read::address(&word);
                    match line {
                        Some(_) => {
                            let diagnostic = Diagnostic::error("keepalived/address", message);
                            let help = "every address stands on a line of its own";
                            self.diagnostics.push(diagnostic.at(word.span).help(help));
                        }
                        None => self.complain(&word, message),
                    }
                }
            }
        }
        Some(read)
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
        let longest = if address.is_ipv4() { 32 } else { 128 };
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

    fn broadcast(&mut self, value: &Word, read: &Address) -> Option<Option<Ipv4Addr>> {
        let IpAddr::V4(address) = read.address else { return Some(None) };
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
        read.scope = match value.text.as_slice() {
            b"global" | b"universe" | b"0" => Scope::Global,
            b"site" | b"200" => Scope::Site,
            b"link" | b"253" => Scope::Link,
            b"host" | b"254" => Scope::Host,
            b"nowhere" | b"255" => Scope::Nowhere,
            _ => {
                let (scope, address) = (value.lossy(), self.line.name.lossy());
                let message = format!("Invalid scope '{scope}' specified for {address} - ignoring");
                self.complain(&value, message);
                return Some(());
            }
        };
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

    fn unsupported(&mut self, word: &Word) {
        let message = format!(
            "`{}` of an address is not supported yet: the address is added without it",
            word.lossy()
        );
        self.diagnostics.push(Diagnostic::warning("keepalived/unsupported", message).at(word.span));
    }
}
