//! `cluster.toml`, from text to [`Cluster`].
//!
//! Reading happens in two steps: the file's shape ([`File`], with a span per value), then its
//! meaning (addresses inside the network, names unique, config files read). All problems are
//! reported at once. `fixtures/lab/README.md` documents the format.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::text::value::address_with_prefix;
use crate::text::{Diagnostic, Diagnostics, FileId, SourceMap, Span};

use super::scenario::{self, Expectation, Scenario};
use super::topology::{Balancer, Client, Cluster, Daemon, NodeFile, Web};

/// The shape of `cluster.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    about: String,
    network: Spanned<String>,
    virtual_address: Spanned<Ipv4Addr>,
    client: FileClient,
    balancer: Vec<FileBalancer>,
    web: Vec<FileWeb>,
    #[serde(default)]
    scenarios: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    expect: BTreeMap<Spanned<String>, FileExpectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileClient {
    address: Spanned<Ipv4Addr>,
    asks: Spanned<SocketAddrV4>,
    #[serde(default = "every")]
    every_ms: Spanned<u64>,
    #[serde(default = "timeout")]
    timeout_ms: Spanned<u64>,
}

fn every() -> Spanned<u64> {
    Spanned::new(0..0, 10)
}

fn timeout() -> Spanned<u64> {
    Spanned::new(0..0, 300)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBalancer {
    name: Spanned<String>,
    address: Spanned<Ipv4Addr>,
    interface: Spanned<String>,
    keepalived: Spanned<String>,
    nginx: Spanned<String>,
    #[serde(default)]
    daemon: Daemon,
    /// Path on the node → file beside the cluster file.
    #[serde(default)]
    files: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWeb {
    name: Spanned<String>,
    address: Spanned<Ipv4Addr>,
    #[serde(default = "http")]
    port: u16,
    #[serde(default = "one")]
    weight: u32,
}

fn http() -> u16 {
    80
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileExpectation {
    holder: Option<scenario::Holder>,
    gap_ms: Option<u64>,
    overlap_ms: Option<u64>,
    patience_ms: Option<u64>,
}

/// Reads `path` (a `cluster.toml`, or the folder of one) and all files it names. The diagnostics
/// hold at least one error if there is no cluster.
pub(super) fn read(path: &Path) -> (SourceMap, Diagnostics, Option<Cluster>) {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let path = if path.is_dir() { path.join("cluster.toml") } else { path.to_owned() };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            let help = "`rehearse` wants a folder with a cluster.toml, or such a file: \
                        fixtures/lab/article is one";
            diagnostics.push(Diagnostic::fatal("lab/unreadable", message).help(help));
            return (sources, diagnostics, None);
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let file = sources.add(&path, bytes);
    let shape: File = match toml::from_str(&text) {
        Ok(shape) => shape,
        Err(error) => {
            let mut diagnostic = Diagnostic::fatal("lab/syntax", error.message());
            if let Some(place) = error.span() {
                diagnostic = diagnostic.at(Span::new(file, place.start, place.end));
            }
            diagnostics.push(diagnostic);
            return (sources, diagnostics, None);
        }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut reader = Reader { file, folder, diagnostics: &mut diagnostics };
    let cluster = reader.cluster(shape);
    let cluster = diagnostics.is_empty().then_some(cluster);
    (sources, diagnostics, cluster)
}

/// Turns shape into meaning and collects what is wrong.
struct Reader<'a> {
    file: FileId,
    folder: &'a Path,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn cluster(&mut self, file: File) -> Cluster {
        let (network, prefix) = self.network(&file.network);
        let inside = |address: Ipv4Addr| {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            u32::from(address) & mask == u32::from(network) & mask
        };
        let hosts: Vec<(Option<&Spanned<String>>, &Spanned<Ipv4Addr>)> = file
            .balancer
            .iter()
            .map(|host| (Some(&host.name), &host.address))
            .chain(file.web.iter().map(|host| (Some(&host.name), &host.address)))
            .chain([(None, &file.client.address), (None, &file.virtual_address)])
            .collect();
        for (at, (name, address)) in hosts.iter().enumerate() {
            if prefix > 0 && !inside(*address.get_ref()) {
                let message = format!("{} is not in {}", address.get_ref(), file.network.get_ref());
                self.error("lab/address", message, address);
            }
            if hosts[..at].iter().any(|(_, other)| other.get_ref() == address.get_ref()) {
                let message = format!("{} is used twice", address.get_ref());
                self.error("lab/address", message, address);
            }
            let Some(name) = name else { continue };
            let usable = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if name.get_ref().is_empty() || !name.get_ref().chars().all(usable) {
                let message = format!("\"{}\" can't be a host's name", name.get_ref());
                self.error("lab/name", message, name);
            }
            let same = |other: &Option<&Spanned<String>>| {
                other.is_some_and(|other| other.get_ref() == name.get_ref())
            };
            if hosts[..at].iter().any(|(other, _)| same(other)) {
                self.error("lab/name", format!("two hosts are named {}", name.get_ref()), name);
            }
        }
        if file.balancer.len() < 2 {
            let message = "a cluster has at least two [[balancer]]s";
            self.diagnostics.push(Diagnostic::error("lab/balancers", message));
        }
        if file.web.is_empty() {
            let message = "the balancers need a [[web]] server behind them";
            self.diagnostics.push(Diagnostic::error("lab/webs", message));
        }
        let milliseconds = |value: &Spanned<u64>| Duration::from_millis(*value.get_ref());
        if *file.client.every_ms.get_ref() == 0 {
            self.error("lab/client", "every_ms must be at least 1", &file.client.every_ms);
        }
        Cluster {
            about: file.about,
            prefix,
            virtual_address: *file.virtual_address.get_ref(),
            client: Client {
                address: *file.client.address.get_ref(),
                asks: *file.client.asks.get_ref(),
                every: milliseconds(&file.client.every_ms),
                timeout: milliseconds(&file.client.timeout_ms),
            },
            scenarios: self.scenarios(file.scenarios, file.expect),
            balancers: file.balancer.into_iter().map(|host| self.balancer(host)).collect(),
            webs: file.web.into_iter().map(web).collect(),
        }
    }

    fn network(&mut self, network: &Spanned<String>) -> (Ipv4Addr, u8) {
        match address_with_prefix(network.get_ref()) {
            Some((IpAddr::V4(address), Some(prefix))) if (8..=30).contains(&prefix) => {
                (address, prefix)
            }
            _ => {
                let message = format!(
                    "\"{}\" is not an IPv4 network such as 192.168.80.0/24",
                    network.get_ref()
                );
                self.error("lab/network", message, network);
                (Ipv4Addr::UNSPECIFIED, 0)
            }
        }
    }

    fn balancer(&mut self, host: FileBalancer) -> Balancer {
        let name = host.interface.get_ref();
        if name.is_empty() || name.len() > 15 || name.contains(['/', ' ', ':']) || name == "lo" {
            let message = format!("\"{name}\" can't be an interface's name");
            self.error("lab/interface", message, &host.interface);
        }
        let mut files = Vec::new();
        let configs = [
            ("/etc/keepalived/keepalived.conf", &host.keepalived),
            ("/etc/nginx/nginx.conf", &host.nginx),
        ];
        for (path, source) in configs {
            files.extend(self.node_file(path, source));
        }
        for (path, source) in &host.files {
            if !Path::new(path.get_ref()).is_absolute() || path.get_ref().contains("..") {
                let message = format!("\"{}\" is not an absolute path", path.get_ref());
                self.error("lab/path", message, path);
                continue;
            }
            files.extend(self.node_file(path.get_ref(), source));
        }
        Balancer {
            name: host.name.into_inner(),
            address: host.address.into_inner(),
            interface: host.interface.into_inner(),
            daemon: host.daemon,
            keepalived: host.keepalived.into_inner(),
            nginx: host.nginx.into_inner(),
            files,
        }
    }

    fn node_file(&mut self, path: &str, source: &Spanned<String>) -> Option<NodeFile> {
        use std::os::unix::fs::PermissionsExt;
        let from = self.folder.join(source.get_ref());
        let read = std::fs::read(&from).and_then(|bytes| Ok((bytes, from.metadata()?)));
        match read {
            Ok((bytes, meta)) => Some(NodeFile {
                path: path.into(),
                bytes,
                executable: meta.permissions().mode() & 0o111 != 0,
            }),
            Err(error) => {
                let message = format!("cannot read {}: {error}", from.display());
                self.error("lab/unreadable", message, source);
                None
            }
        }
    }

    fn scenarios(
        &mut self,
        names: Option<Vec<Spanned<String>>>,
        expect: BTreeMap<Spanned<String>, FileExpectation>,
    ) -> Vec<Scenario> {
        for name in names.iter().flatten().chain(expect.keys()) {
            if scenario::named(name.get_ref()).is_none() {
                let known: Vec<&str> = scenario::all().map(|known| known.name).collect();
                let help = format!("scenarios are: {}", known.join(", "));
                let message = format!("there is no scenario \"{}\"", name.get_ref());
                let diagnostic = Diagnostic::error("lab/scenario", message).help(help);
                self.diagnostics.push(diagnostic.at(self.span(name)));
            }
        }
        let played = |known: &scenario::Known| match &names {
            Some(names) => names.iter().any(|name| name.get_ref() == known.name),
            None => known.by_default,
        };
        scenario::all()
            .map(|known| {
                let mut scenario = Scenario::from(known);
                scenario.played = played(known);
                let own = expect.iter().find(|(name, _)| name.get_ref() == known.name);
                if let Some((_, own)) = own {
                    own.apply(&mut scenario.expect);
                }
                scenario
            })
            .collect()
    }

    fn error<T>(&mut self, code: &'static str, message: impl Into<String>, at: &Spanned<T>) {
        let span = self.span(at);
        self.diagnostics.push(Diagnostic::error(code, message).at(span));
    }

    fn span<T>(&self, at: &Spanned<T>) -> Span {
        Span::new(self.file, at.span().start, at.span().end)
    }
}

impl FileExpectation {
    fn apply(&self, expectation: &mut Expectation) {
        let milliseconds = |value: Option<u64>, target: &mut Duration| {
            if let Some(value) = value {
                *target = Duration::from_millis(value);
            }
        };
        milliseconds(self.gap_ms, &mut expectation.gap);
        milliseconds(self.overlap_ms, &mut expectation.overlap);
        milliseconds(self.patience_ms, &mut expectation.patience);
        if let Some(holder) = self.holder {
            expectation.holder = holder;
        }
    }
}

fn web(web: FileWeb) -> Web {
    Web {
        name: web.name.into_inner(),
        address: web.address.into_inner(),
        port: web.port,
        weight: web.weight,
    }
}
