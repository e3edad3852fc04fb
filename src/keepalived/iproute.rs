//! The names that iproute2 gives to numbers: routing tables, scopes, protocols, realms, type of
//! service, interface groups. keepalived.conf may use them wherever `ip` does.

use std::collections::HashMap;
use std::path::Path;

use crate::host::Host;
use crate::text::Word;

/// What distributions ship in, and what administrators change; what is read later wins.
const FOLDERS: [&str; 2] = ["/usr/share/iproute2", "/etc/iproute2"];

/// Names and numbers of this host; where it has no iproute2, the usual ones.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub tables: Table,
    pub scopes: Table,
    pub protocols: Table,
    pub realms: Table,
    pub services: Table,
    pub groups: Table,
}

/// One file of names.
#[derive(Clone, Debug, Default)]
pub struct Table(HashMap<String, u32>);

impl Names {
    pub fn read(host: &dyn Host) -> Self {
        let read = |file: &str, usual: &[(&str, u32)]| {
            let mut table = Table::default();
            table.0.extend(usual.iter().map(|(name, number)| ((*name).to_owned(), *number)));
            for folder in FOLDERS {
                let path = Path::new(folder).join(file);
                let more = host.glob(&format!("{folder}/{file}.d/*.conf"));
                for path in std::iter::once(path).chain(more) {
                    if let Ok(bytes) = host.read(&path) {
                        table.learn(&String::from_utf8_lossy(&bytes));
                    }
                }
            }
            table
        };
        Names {
            tables: read("rt_tables", &[("default", 253), ("main", 254), ("local", 255)]),
            scopes: read(
                "rt_scopes",
                &[
                    ("global", 0),
                    ("universe", 0),
                    ("site", 200),
                    ("link", 253),
                    ("host", 254),
                    ("nowhere", 255),
                ],
            ),
            protocols: read(
                "rt_protos",
                &[("redirect", 1), ("kernel", 2), ("boot", 3), ("static", 4), ("keepalived", 18)],
            ),
            realms: read("rt_realms", &[("cosmos", 0)]),
            services: read("rt_dsfield", &[]),
            groups: read("group", &[("default", 0)]),
        }
    }
}

impl Table {
    /// Lines of `NUMBER NAME`, with comments behind `#`.
    fn learn(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            if let (Some(number), Some(name)) = (words.next().and_then(whole), words.next()) {
                self.0.insert(name.to_owned(), number);
            }
        }
    }

    /// A number, or the number of a name.
    pub fn find(&self, word: &Word, highest: u32) -> Option<u32> {
        let text = word.as_str()?;
        let number = whole(text).or_else(|| self.0.get(text).copied())?;
        (number <= highest).then_some(number)
    }
}

/// As strtoul(3) with base 0 reads it: decimal, `0x` or octal.
pub fn whole(text: &str) -> Option<u32> {
    u32::try_from(wide(text)?).ok()
}

/// The same, 64 bits wide.
pub fn wide(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.is_empty() || digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_behind_numbers() {
        let mut table = Table::default();
        table.learn("# comment\n255\tlocal\n0x10 sixteen # here\nnonsense\n7\n");
        let word = |text: &str| Word::new(text, Default::default());
        assert_eq!(table.find(&word("local"), 255), Some(255));
        assert_eq!(table.find(&word("sixteen"), 255), Some(16));
        assert_eq!(table.find(&word("0x11"), 255), Some(17));
        assert_eq!(table.find(&word("256"), 255), None);
        assert_eq!(table.find(&word("nonsense"), 255), None);
        assert_eq!(
            (whole("010"), whole("+1"), whole(""), whole("-1")),
            (Some(8), None, None, None)
        );
    }
}
