//! Reads a line of words that mean something by their order: `192.0.2.0/24 via 192.0.2.1 dev eth0`.

use std::net::IpAddr;

use super::super::iproute::Names;
use super::{missing_parameter, read};
use crate::plan::route::Prefix;
use crate::text::{Diagnostic, Diagnostics, Node, Word};

/// The line isn't used; what is wrong with it was said.
pub(super) struct Dropped;

pub(super) struct Cursor<'a> {
    pub(super) names: &'a Names,
    line: &'a Node,
    /// Of the next word; 0 is the line's first.
    at: usize,
    diagnostics: &'a mut Diagnostics,
    /// What the line is, in complaints: `route` or `rule`.
    what: &'static str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(
        names: &'a Names,
        line: &'a Node,
        diagnostics: &'a mut Diagnostics,
        what: &'static str,
    ) -> Self {
        Cursor { names, line, at: 0, diagnostics, what }
    }

    pub(super) fn next(&mut self) -> Option<&'a Word> {
        let word = self.peek();
        self.at += 1;
        word
    }

    pub(super) fn peek(&self) -> Option<&'a Word> {
        match self.at {
            0 => Some(&self.line.name),
            at => self.line.args.get(at - 1),
        }
    }

    /// Takes the next word if it is this one.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.is(text));
        self.at += usize::from(is);
        is
    }

    /// The word behind an option; keepalived doesn't start where there is none.
    pub(super) fn value(&mut self, option: &Word) -> Result<&'a Word, Dropped> {
        let position = self.at + 1;
        match self.next() {
            Some(word) => Ok(word),
            None => {
                self.diagnostics.push(missing_parameter(&self.line.name, option, position));
                Err(Dropped)
            }
        }
    }

    /// A whole number behind an option. `name`: what keepalived calls it.
    pub(super) fn number(&mut self, option: &Word, name: &str, most: u32) -> Result<u32, Dropped> {
        let word = self.value(option)?;
        self.whole(word, name, most)
    }

    pub(super) fn whole(&mut self, word: &Word, name: &str, most: u32) -> Result<u32, Dropped> {
        read::number(word, 0..=u64::from(most)).map(|number| number as u32).map_err(|reason| {
            let message = format!("Invalid {name} {} specified for {}", word.lossy(), self.what);
            let diagnostic = Diagnostic::error("keepalived/route", message);
            self.diagnostics.push(diagnostic.label(word.span, reason));
            Dropped
        })
    }

    /// `ADDRESS[/LENGTH]`; a length that can't be is the longest, with a complaint. `None`: it is
    /// nothing like that.
    pub(super) fn prefix(&mut self, word: &Word) -> Option<Prefix> {
        let text = word.as_str()?;
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let Some(length) = length else { return Some(Prefix { address, length: longest }) };
        let number = read::number(&Word::new(length, word.span), 0..=u64::from(longest));
        let length = number.map(|length| length as u8).unwrap_or_else(|reason| {
            let message =
                format!("Invalid address prefix len {length} for address {text} - using {longest}");
            let diagnostic = Diagnostic::error("keepalived/route", message);
            self.diagnostics.push(diagnostic.label(word.span, reason));
            longest
        });
        Some(Prefix { address, length })
    }

    pub(super) fn complain(&mut self, word: &Word, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error("keepalived/route", message.into()).at(word.span));
    }

    pub(super) fn advise(&mut self, word: &Word, message: String, help: &str) {
        let diagnostic = Diagnostic::error("keepalived/route", message).at(word.span);
        self.diagnostics.push(diagnostic.help(help));
    }

    /// Complains, and the line isn't used.
    pub(super) fn drop<T>(
        &mut self,
        word: &Word,
        message: impl Into<String>,
    ) -> Result<T, Dropped> {
        self.complain(word, message);
        Err(Dropped)
    }

    pub(super) fn note(&mut self, word: &Word, message: String) {
        let severity = crate::text::Severity::Note;
        self.diagnostics.push(Diagnostic::new(severity, "keepalived/route", message).at(word.span));
    }

    /// The whole line.
    pub(super) fn line(&self) -> &'a Node {
        self.line
    }

    /// `FROM/TO` or `TO`, names or numbers up to 255.
    pub(super) fn realms(&mut self, option: &Word) -> Result<u32, Dropped> {
        let word = self.value(option)?;
        let find = |text: &str| self.names.realms.find(&Word::new(text, word.span), 255);
        let text = word.lossy();
        let realms = match text.split_once('/') {
            Some((from, to)) => find(from).zip(find(to)).map(|(from, to)| from << 16 | to),
            None => find(&text),
        };
        let message = format!("Invalid realms {text} for {}", self.what);
        realms.map_or_else(|| self.drop(word, message), Ok)
    }

    pub(super) fn tos(&mut self, option: &Word) -> Result<u8, Dropped> {
        let word = self.value(option)?;
        match self.names.services.find(word, 255) {
            Some(tos) => Ok(tos as u8),
            None => self.drop(word, format!("TOS value {} is invalid", word.lossy())),
        }
    }

    pub(super) fn protocol(&mut self, option: &Word) -> Result<u8, Dropped> {
        let word = self.value(option)?;
        match self.names.protocols.find(word, 255) {
            Some(protocol) => Ok(protocol as u8),
            None => {
                let (text, what) = (word.lossy(), self.what);
                self.drop(word, format!("Protocol {text} not found or invalid for {what}"))
            }
        }
    }

    pub(super) fn table(&mut self, option: &Word) -> Result<u32, Dropped> {
        let word = self.value(option)?;
        match self.names.tables.find(word, u32::MAX) {
            Some(table) => Ok(table),
            None => {
                let (text, what) = (word.lossy(), self.what);
                self.drop(word, format!("Routing table {text} not found for {what}"))
            }
        }
    }
}
