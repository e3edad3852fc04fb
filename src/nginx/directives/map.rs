//! `map`. Messages and what counts as a conflict were watched on nginx 1.22.

use std::collections::HashMap;

use bstr::BString;

use super::pattern;
use super::variables::defined_name;
use crate::nginx::NginxConfig;
use crate::nginx::definition::{Definition, Map};
use crate::nginx::variable;
use crate::text::{Diagnostic, Diagnostics, Node, Span, Word};

pub(super) fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let [source, name] = &node.args[..] else { return };
    if let Err(complaint) = variable::well_formed(source) {
        return out.push(complaint);
    }
    let Some(name) = defined_name(name, out) else { return };
    let mut reader = Reader { config, map: Map::default(), taken: HashMap::new() };
    reader.map.source = source.text.clone();
    for line in super::variables::lines(node) {
        if let Err(complaint) = reader.line(line, out) {
            out.extend(complaint);
            return;
        }
    }
    let map = reader.map;
    config.definitions.insert(name, Definition::Map(map));
}

struct Reader<'a> {
    config: &'a mut NginxConfig,
    map: Map,
    /// Keys, with their masks, and where they stand.
    taken: HashMap<BString, Span>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Node, out: &mut Diagnostics) -> Result<(), Option<Diagnostic>> {
        let key = &line.name;
        let [value] = &line.args[..] else {
            match key.text.as_slice() {
                b"hostnames" if line.args.is_empty() => self.map.hostnames = true,
                b"volatile" if line.args.is_empty() => self.map.volatile = true,
                _ => {
                    let message = "invalid number of the map parameters";
                    return Err(Some(Diagnostic::error("nginx/arity", message).at(key.span)));
                }
            }
            return Ok(());
        };
        variable::well_formed(value).map_err(Some)?;
        let value = value.text.clone();
        if key.is("default") {
            if self.map.default.is_some() {
                let message = "duplicate default map parameter";
                return Err(Some(Diagnostic::error("nginx/duplicate", message).at(key.span)));
            }
            self.map.default = Some(value);
            return Ok(());
        }
        if let Some(text) = key.text.strip_prefix(b"~") {
            let pattern = pattern::read(self.config, key, text, out).ok_or(None)?;
            self.map.patterns.push((pattern, value));
            return Ok(());
        }
        // `\default` is a key, and no default.
        let text = key.text.strip_prefix(b"\\").unwrap_or(&key.text);
        self.key(key, text, value).map_err(Some)
    }

    fn key(&mut self, word: &Word, text: &[u8], value: BString) -> Result<(), Diagnostic> {
        let name = BString::from(text.to_ascii_lowercase());
        if !self.map.hostnames {
            self.take(&name, &name, word)?;
            self.map.exact.push((name, value));
            return Ok(());
        }
        let stars = name.iter().filter(|byte| **byte == b'*').count();
        let body = name.strip_prefix(b"*.").or_else(|| name.strip_suffix(b".*"));
        let right = match stars {
            0 => true,
            1 => body.is_some_and(|body| !body.is_empty()),
            _ => false,
        };
        if !right || name.windows(2).any(|pair| pair == b"..") {
            let text = String::from_utf8_lossy(text);
            let message = format!("invalid hostname or wildcard \"{text}\"");
            return Err(Diagnostic::error("nginx/invalid-value", message).at(word.span));
        }
        if let Some(rest) = name.strip_prefix(b"*.") {
            self.take(&name, &name, word)?;
            self.map.suffixes.push((rest.into(), value));
        } else if let Some(rest) = name.strip_suffix(b".*") {
            self.take(&name, &name, word)?;
            self.map.prefixes.push((rest.into(), value));
        } else if let Some(rest) = name.strip_prefix(b".") {
            // The name itself and all below it; `.` alone only stands for what is below nothing.
            if !rest.is_empty() {
                self.take(&rest.into(), &name, word)?;
                self.map.exact.push((rest.into(), value.clone()));
            }
            let below = [b"*.", rest].concat().into();
            self.take(&below, &name, word)?;
            self.map.suffixes.push((rest.into(), value));
        } else {
            self.take(&name, &name, word)?;
            self.map.exact.push((name, value));
        }
        Ok(())
    }

    fn take(&mut self, key: &BString, shown: &BString, word: &Word) -> Result<(), Diagnostic> {
        match self.taken.insert(key.clone(), word.span) {
            None => Ok(()),
            Some(first) => {
                let message = format!("conflicting parameter \"{shown}\"");
                let diagnostic = Diagnostic::error("nginx/duplicate", message).at(word.span);
                Err(diagnostic.label(first, "the first one"))
            }
        }
    }
}
