//! Servers by name: what nginx says when a `stream {}` is complete, and the Plan's table.
//!
//! Source: nginx documentation, `server_name` and "Server names"; what counts as one name twice,
//! and when nginx looks, was watched (1.30).

use std::collections::HashSet;

use bstr::{BStr, BString, ByteSlice};

use super::config::{Server, Stream};
use super::definition::NamedPattern;
use super::listening::Shared;
use super::template::Names;
use crate::plan::stream::{ServerId, ServerNames, Transport};
use crate::plan::table::Text;
use crate::text::{Diagnostic, Diagnostics};

/// One name of a server, in lower case.
#[derive(Clone, Debug)]
pub enum Name {
    Text(BString),
    /// `~…`
    Pattern(NamedPattern),
    /// `$hostname`
    Hostname,
}

/// What a text stands for.
enum Kind<'n> {
    Exact(&'n [u8]),
    /// `*.…`
    Suffix(&'n [u8]),
    /// `….*`
    Prefix(&'n [u8]),
    /// `.…`: the name and all below it.
    Below(&'n [u8]),
}

impl<'n> Kind<'n> {
    /// `None`: a mask in a place where it means nothing.
    fn of(text: &'n [u8]) -> Option<Self> {
        let masks = text.iter().filter(|byte| **byte == b'*').count();
        if masks > 1 || text.find(b"..").is_some() {
            return None;
        }
        Some(match text {
            [b'.', name @ ..] => Kind::Below(name),
            name if masks == 0 => Kind::Exact(name),
            [b'*', b'.', name @ ..] => Kind::Suffix(name),
            [name @ .., b'.', b'*'] => Kind::Prefix(name),
            _ => return None,
        })
    }
}

/// The names of one address, by server.
#[derive(Debug, Default)]
struct Table<'n> {
    exact: Vec<(&'n [u8], usize)>,
    suffixes: Vec<(&'n [u8], usize)>,
    prefixes: Vec<(&'n [u8], usize)>,
    patterns: Vec<(&'n NamedPattern, usize)>,
}

/// All names of an address, with nginx's complaints. A name counts for the first server that has
/// it.
fn table<'n>(
    stream: &'n Stream,
    shared: &Shared,
    hostname: &'n [u8],
    out: &mut Diagnostics,
) -> Table<'n> {
    let mut table = Table::default();
    let (mut exact, mut suffixes, mut prefixes) = (HashSet::new(), HashSet::new(), HashSet::new());
    let address = &shared.address;
    let names =
        |server: usize| names_of(&stream.servers[server], hostname).map(move |name| (server, name));
    for (server, name) in shared.servers.iter().copied().flat_map(names) {
        let text = match name {
            Ok(text) => text,
            Err(pattern) => {
                table.patterns.push((pattern, server));
                continue;
            }
        };
        let Some(kind) = Kind::of(text) else {
            let text = BStr::new(text);
            let message = format!("invalid server name or wildcard \"{text}\" on {address}");
            let help = "a mask is a whole label: *.example.com, example.*, .example.com";
            out.push(Diagnostic::error("nginx/bad-server-name", message).help(help));
            continue;
        };
        let is_new = match kind {
            Kind::Exact(name) => exact.insert(name),
            Kind::Suffix(name) => suffixes.insert(name),
            Kind::Prefix(name) => prefixes.insert(name),
            Kind::Below(name) => {
                !exact.contains(name) && suffixes.insert(name) && exact.insert(name)
            }
        };
        if !is_new {
            let text = BStr::new(text);
            let message = format!("conflicting server name \"{text}\" on {address}, ignored");
            out.push(Diagnostic::warning("nginx/conflicting-name", message));
            continue;
        }
        match kind {
            Kind::Exact(name) => table.exact.push((name, server)),
            Kind::Suffix(name) => table.suffixes.push((name, server)),
            Kind::Prefix(name) => table.prefixes.push((name, server)),
            Kind::Below(name) => {
                table.exact.push((name, server));
                table.suffixes.push((name, server));
            }
        }
    }
    table
}

/// The texts and patterns of a server. One without `server_name` has the empty name.
fn names_of<'n>(
    server: &'n Server,
    hostname: &'n [u8],
) -> impl Iterator<Item = Result<&'n [u8], &'n NamedPattern>> {
    let nameless = server.names.is_empty().then_some(Ok(&b""[..]));
    let names = server.names.iter().map(move |name| match name {
        Name::Text(text) => Ok(text.as_slice()),
        Name::Hostname => Ok(hostname),
        Name::Pattern(pattern) => Err(pattern),
    });
    nameless.into_iter().chain(names)
}

/// What is wrong with the names of servers that share addresses.
pub(super) fn check(stream: &Stream, hostname: &str, out: &mut Diagnostics) {
    for shared in stream.addresses.list.iter().filter(|shared| shared.servers.len() > 1) {
        table(stream, shared, hostname.as_bytes(), out);
    }
}

/// `$server_name`
pub(super) fn first(server: &Server, hostname: &str) -> Text {
    match server.names.first() {
        None => Text::default(),
        Some(Name::Hostname) => hostname.into(),
        Some(Name::Text(text)) => text.strip_prefix(b".").unwrap_or(text).into(),
        Some(Name::Pattern(pattern)) => format!("~{}", pattern.text).into(),
    }
}

/// Where something depends on the name that a client asks for: another server, or what a regular
/// expression finds.
pub(super) fn lower(
    stream: &Stream,
    shared: &Shared,
    hostname: &str,
    names: &mut Names<'_>,
) -> Option<Box<ServerNames>> {
    if shared.transport == Transport::Udp {
        return None;
    }
    let table = table(stream, shared, hostname.as_bytes(), &mut Diagnostics::default());
    if shared.servers.len() == 1 && table.patterns.is_empty() {
        return None;
    }
    let texts = |texts: Vec<(&[u8], usize)>| -> Vec<(Text, ServerId)> {
        let named = texts.into_iter().filter(|(name, _)| !name.is_empty());
        named.map(|(name, server)| (Text::from(name), ServerId(server))).collect()
    };
    let patterns = table.patterns.into_iter();
    Some(Box::new(ServerNames {
        exact: texts(table.exact),
        suffixes: texts(table.suffixes),
        prefixes: texts(table.prefixes),
        patterns: patterns.map(|(it, server)| (it.lower(names), ServerId(server))).collect(),
    }))
}
