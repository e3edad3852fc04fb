//! `geo`. Messages, and what overlaps what, were watched on nginx 1.22.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::variables::defined_name;
use crate::nginx::NginxConfig;
use crate::nginx::definition::{Definition, Geo};
use crate::plan::table::{self, Text};
use crate::text::value::{ipv4_of, whole};
use crate::text::{Diagnostic, Diagnostics, Node, Word};

pub(super) fn set(config: &mut NginxConfig, node: &Node, out: &mut Diagnostics) {
    let (source, name) = match &node.args[..] {
        [name] => (None, name),
        [source, name] => (Some(source), name),
        _ => return,
    };
    let source = match source {
        None => None,
        Some(source) => match super::variables::name_of(source, out) {
            Some(name) => Some(name),
            None => return,
        },
    };
    let Some(name) = defined_name(name, out) else { return };
    let mut reader = Reader::default();
    for line in super::variables::lines(node) {
        if let Err(complaint) = reader.line(line, out) {
            return out.push(complaint);
        }
    }
    config.definitions.insert(name, Definition::Geo(Geo { source, table: reader.finish() }));
}

/// A network: its first address and how many bits count.
type Network<A> = (A, u8);

#[derive(Default)]
struct Reader {
    values: Vec<Text>,
    places: HashMap<Text, u32>,
    kind: Kind,
    ranges: Ranges,
    ipv4: HashMap<Network<u32>, u32>,
    ipv6: HashMap<Network<u128>, u32>,
    /// Of ranges.
    default: Option<u32>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    /// Nothing has come yet.
    #[default]
    Open,
    Networks,
    Ranges,
}

impl Reader {
    fn line(&mut self, line: &Node, out: &mut Diagnostics) -> Result<(), Diagnostic> {
        let key = &line.name;
        let [value] = &line.args[..] else {
            if key.is("ranges") && line.args.is_empty() {
                if self.kind == Kind::Networks {
                    let message = "the \"ranges\" directive must be the first directive inside \
                                   \"geo\" block";
                    return Err(Diagnostic::error("nginx/misplaced", message).at(key.span));
                }
                self.kind = Kind::Ranges;
                return Ok(());
            }
            let message = "invalid number of the geo parameters";
            return Err(Diagnostic::error("nginx/arity", message).at(key.span));
        };
        match self.kind {
            Kind::Ranges => self.range(key, value, out),
            Kind::Open | Kind::Networks => {
                self.kind = Kind::Networks;
                self.network(key, value, out)
            }
        }
    }

    fn place(&mut self, value: &Word) -> u32 {
        let value = Text(value.text.clone());
        let next = self.values.len() as u32;
        *self.places.entry(value).or_insert_with_key(|value| {
            self.values.push(value.clone());
            next
        })
    }

    fn network(
        &mut self,
        key: &Word,
        value: &Word,
        out: &mut Diagnostics,
    ) -> Result<(), Diagnostic> {
        if key.is("default") {
            let place = self.place(value);
            for old in [self.ipv6.insert((0, 0), place), self.ipv4.insert((0, 0), place)] {
                self.duplicate("network", key, value, old, out);
            }
            return Ok(());
        }
        let deletes = key.is("delete");
        let word = if deletes { value } else { key };
        let Some((network, exact)) = network(&word.text) else {
            let message = format!("invalid network \"{}\"", word.lossy());
            return Err(Diagnostic::error("nginx/bad-address", message).at(word.span));
        };
        if !exact {
            let message = format!("low address bits of {} are meaningless", word.lossy());
            out.push(Diagnostic::warning("nginx/low-bits", message).at(word.span));
        }
        if deletes {
            let gone = match network {
                Either::V4(network) => self.ipv4.remove(&network),
                Either::V6(network) => self.ipv6.remove(&network),
            };
            if gone.is_none() {
                let message = format!("no network \"{}\" to delete", word.lossy());
                out.push(Diagnostic::warning("nginx/nothing-to-delete", message).at(word.span));
            }
            return Ok(());
        }
        let place = self.place(value);
        let old = match network {
            Either::V4(network) => self.ipv4.insert(network, place),
            Either::V6(network) => self.ipv6.insert(network, place),
        };
        self.duplicate("network", key, value, old, out);
        Ok(())
    }

    fn range(&mut self, key: &Word, value: &Word, out: &mut Diagnostics) -> Result<(), Diagnostic> {
        if key.is("default") {
            let place = self.place(value);
            if let Some(old) = self.default.replace(place) {
                let old = &self.values[old as usize].0;
                let value = value.lossy();
                let message =
                    format!("duplicate default geo range value: \"{value}\", old value: \"{old}\"");
                out.push(Diagnostic::warning("nginx/duplicate", message).at(key.span));
            }
            return Ok(());
        }
        let deletes = key.is("delete");
        let word = if deletes { value } else { key };
        let Some((first, last)) = range(&word.text) else {
            let message = format!("invalid range \"{}\"", word.lossy());
            return Err(Diagnostic::error("nginx/bad-address", message).at(word.span));
        };
        if deletes {
            if !self.ranges.delete(first, last) {
                let message = format!("no address range \"{}\" to delete", word.lossy());
                out.push(Diagnostic::warning("nginx/nothing-to-delete", message).at(word.span));
            }
            return Ok(());
        }
        let place = self.place(value);
        match self.ranges.add(first, last, place) {
            Ok(replaced) => {
                for old in replaced {
                    self.duplicate("range", key, value, Some(old), out);
                }
                Ok(())
            }
            Err(Clash::With(first, last)) => {
                let (first, last) = (Ipv4Addr::from(first), Ipv4Addr::from(last));
                let message = format!("range \"{}\" overlaps \"{first}-{last}\"", word.lossy());
                Err(Diagnostic::error("nginx/overlap", message).at(word.span))
            }
            Err(Clash::TooMuch) => {
                let message = "these ranges are more than evenkeel takes";
                Err(Diagnostic::error(super::slot::UNSUPPORTED, message).at(word.span))
            }
        }
    }

    fn duplicate(
        &self,
        what: &str,
        key: &Word,
        value: &Word,
        old: Option<u32>,
        out: &mut Diagnostics,
    ) {
        let Some(old) = old else { return };
        let (key_text, value, old) = (key.lossy(), value.lossy(), &self.values[old as usize].0);
        let message =
            format!("duplicate {what} \"{key_text}\", value: \"{value}\", old value: \"{old}\"");
        out.push(Diagnostic::warning("nginx/duplicate", message).at(key.span));
    }

    fn finish(self) -> table::Geo {
        let (ipv4, ipv6) = if self.kind == Kind::Ranges {
            let whole = self.default.map(|place| (0, u32::MAX.into(), place));
            let pieces = self.ranges.pieces.iter();
            let pieces =
                pieces.map(|(first, (last, place))| ((*first).into(), (*last).into(), *place));
            let everything = self.default.map(|place| (0, u128::MAX, place));
            (
                steps(whole.into_iter().chain(pieces).collect(), u32::MAX.into()),
                steps(everything.into_iter().collect(), u128::MAX),
            )
        } else {
            (
                steps(spans(&self.ipv4, 32), u32::MAX.into()),
                steps(spans(&self.ipv6, 128), u128::MAX),
            )
        };
        table::Geo {
            source: None,
            values: self.values,
            ipv4: ipv4.into_iter().map(|(from, it)| (Ipv4Addr::from(from as u32), it)).collect(),
            ipv6: ipv6.into_iter().map(|(from, it)| (Ipv6Addr::from(from), it)).collect(),
        }
    }
}

/// First and last address of every network, with its value.
fn spans<A: Copy + Into<u128>>(
    networks: &HashMap<Network<A>, u32>,
    width: u8,
) -> Vec<(u128, u128, u32)> {
    let span = |(network, value): (&Network<A>, &u32)| {
        let (first, bits) = (network.0.into(), network.1);
        let others = match u128::MAX.checked_shl(u32::from(width - bits)) {
            Some(mask) => !mask,
            None => u128::MAX,
        };
        (first, first | others, *value)
    };
    networks.iter().map(span).collect()
}

/// Spans of which each lies in another or apart from it → the addresses at which values change. The
/// innermost span's value holds.
fn steps(mut spans: Vec<(u128, u128, u32)>, end: u128) -> Vec<(u128, Option<u32>)> {
    spans.sort_by_key(|(first, last, _)| (*first, std::cmp::Reverse(*last)));
    let mut steps: Vec<(u128, Option<u32>)> = vec![(0, None)];
    let mut from = |at: u128, value: Option<u32>| {
        if steps.last().is_some_and(|(last, _)| *last == at) {
            steps.pop();
        }
        if steps.last().is_none_or(|(_, last)| *last != value) {
            steps.push((at, value));
        }
    };
    let mut open: Vec<(u128, u32)> = Vec::new();
    let close = |open: &mut Vec<(u128, u32)>,
                 before: Option<u128>,
                 from: &mut dyn FnMut(u128, Option<u32>)| {
        while let Some((last, _)) = open.last().copied() {
            if before.is_some_and(|before| last >= before) || last == end {
                break;
            }
            open.pop();
            from(last + 1, open.last().map(|(_, value)| *value));
        }
    };
    for (first, last, value) in spans {
        close(&mut open, Some(first), &mut from);
        open.push((last, value));
        from(first, Some(value));
    }
    close(&mut open, None, &mut from);
    steps
}

enum Either {
    V4(Network<u32>),
    V6(Network<u128>),
}

/// `10.0.0.0/8`, and whether no bit behind the prefix is set.
fn network(text: &[u8]) -> Option<(Either, bool)> {
    if text == b"255.255.255.255" {
        return Some((Either::V4((u32::MAX, 32)), true));
    }
    let (address, bits) = match text.iter().position(|byte| *byte == b'/') {
        None => (text, None),
        Some(slash) => {
            let bits = whole(std::str::from_utf8(&text[slash + 1..]).ok()?)?;
            (&text[..slash], Some(bits))
        }
    };
    if let Some(address) = ipv4_of(address) {
        let bits = u8::try_from(bits.unwrap_or(32)).ok().filter(|bits| *bits <= 32)?;
        let address = u32::from(address);
        let kept = address & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        return Some((Either::V4((kept, bits)), kept == address));
    }
    let address: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    let bits = u8::try_from(bits.unwrap_or(128)).ok().filter(|bits| *bits <= 128)?;
    let address = u128::from(address);
    let kept = address & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    Some((Either::V6((kept, bits)), kept == address))
}

/// `10.0.0.0-10.0.0.255`
fn range(text: &[u8]) -> Option<(u32, u32)> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let (first, last) = (ipv4_of(&text[..dash])?, ipv4_of(&text[dash + 1..])?);
    (first <= last).then(|| (first.into(), last.into()))
}

/// Ranges as nginx keeps them: cut where the upper half of the address changes, and within such a
/// piece a later range may lie in an earlier one, which it splits.
#[derive(Default)]
struct Ranges {
    /// By first address: the last one, and the value.
    pieces: BTreeMap<u32, (u32, u32)>,
    work: usize,
}

enum Clash {
    With(u32, u32),
    TooMuch,
}

impl Ranges {
    /// So many pieces are looked at in all. Ranges that cover every address once are 65,536.
    const MOST_WORK: usize = 1 << 24;

    /// Returns the values that were replaced, one for each piece.
    fn add(&mut self, first: u32, last: u32, value: u32) -> Result<Vec<u32>, Clash> {
        let mut replaced = Vec::new();
        for (first, last) in cut(first, last) {
            self.work += 1;
            if self.work > Self::MOST_WORK {
                return Err(Clash::TooMuch);
            }
            let before = self.pieces.range(..=last).next_back();
            let Some((&start, &(end, old))) = before.filter(|(_, (end, _))| *end >= first) else {
                self.pieces.insert(first, (last, value));
                continue;
            };
            if first < start || last > end {
                return Err(Clash::With(start, end));
            }
            if (first, last) == (start, end) {
                replaced.push(old);
            }
            if start < first {
                self.pieces.insert(start, (first - 1, old));
            }
            if last < end {
                self.pieces.insert(last + 1, (end, old));
            }
            self.pieces.insert(first, (last, value));
        }
        Ok(replaced)
    }

    /// Whether all of it was there, in pieces of just this size.
    fn delete(&mut self, first: u32, last: u32) -> bool {
        let mut all = true;
        for (first, last) in cut(first, last) {
            self.work += 1;
            let there = self.pieces.get(&first).is_some_and(|(end, _)| *end == last);
            all &= there;
            if there {
                self.pieces.remove(&first);
            } else if self.work > Self::MOST_WORK {
                break;
            }
        }
        all
    }
}

/// At every multiple of 65,536.
fn cut(first: u32, last: u32) -> impl Iterator<Item = (u32, u32)> {
    (first >> 16..=last >> 16)
        .map(move |half| (first.max(half << 16), last.min(half << 16 | 0xffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_span_holds() {
        let spans =
            vec![(0, 255, 9), (10, 99, 1), (20, 29, 2), (20, 24, 3), (30, 30, 1), (200, 255, 4)];
        let expected = [
            (0, Some(9)),
            (10, Some(1)),
            (20, Some(3)),
            (25, Some(2)),
            (30, Some(1)),
            (100, Some(9)),
            (200, Some(4)),
        ];
        assert_eq!(steps(spans, 255), expected);
        assert_eq!(steps(vec![(5, 6, 0)], 255), [(0, None), (5, Some(0)), (7, None)]);
        assert_eq!(steps(vec![], 255), [(0, None)]);
        assert_eq!(steps(vec![(0, 255, 0), (255, 255, 1)], 255), [(0, Some(0)), (255, Some(1))]);
    }

    /// As nginx 1.22 answered.
    #[test]
    fn ranges_split_and_clash_as_in_nginx() {
        let at = |text: &str| range(text.as_bytes()).unwrap();
        let mut ranges = Ranges::default();
        let mut add = |text: &str, value| {
            let (first, last) = at(text);
            match ranges.add(first, last, value) {
                Ok(replaced) => format!("{replaced:?}"),
                Err(Clash::With(first, last)) => {
                    format!("{}-{}", Ipv4Addr::from(first), Ipv4Addr::from(last))
                }
                Err(Clash::TooMuch) => "too much".to_owned(),
            }
        };
        assert_eq!(add("10.0.0.0-10.0.0.100", 0), "[]");
        assert_eq!(add("10.0.0.50-10.0.0.60", 1), "[]");
        assert_eq!(add("10.0.0.55-10.0.0.56", 2), "[]");
        assert_eq!(add("10.0.0.0-10.0.0.100", 3), "10.0.0.61-10.0.0.100");
        assert_eq!(add("10.0.0.61-10.0.0.100", 3), "[0]");
        assert_eq!(add("20.0.0.0-20.2.0.0", 1), "[]");
        assert_eq!(add("20.0.0.0-20.2.0.0", 2), "[1, 1, 1]");
        assert_eq!(add("20.1.0.0-20.3.0.0", 3), "20.2.0.0-20.2.0.0");
        assert_eq!(add("30.0.0.0-30.0.255.255", 3), "[]");
        assert_eq!(add("29.0.0.0-30.0.0.0", 3), "[]");
        assert!(range(b"1.0.0.0-255.255.255.255").is_none() && range(b"1.0.0.1-1.0.0.0").is_none());
    }
}
