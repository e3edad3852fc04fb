//! Upstreams as a whole: what can only be checked at the end of `stream {}`, and the Plan's side of
//! them.

use std::collections::hash_map::Entry;

use bstr::ByteSlice;

use super::config::{Method, Pass, Stream, Upstream, UpstreamServer, Zone};
use super::resolver::ResolverConfig;
use super::template::Names;
use crate::plan;
use crate::plan::endpoint::Endpoint;
use crate::plan::stream::{Address, Balance, Name, Peer};
use crate::text::{Diagnostic, Diagnostics, SourceMap, Span};

impl ResolverConfig {
    /// More name servers; port 53 where none is given.
    pub(super) fn add(&mut self, found: Vec<Address>) {
        self.servers.extend(found.into_iter().filter_map(|address| match address {
            Address::Tcp(mut address) => {
                if address.port() == 0 {
                    address.set_port(53);
                }
                Some(address)
            }
            Address::Unix(_) => None,
        }));
    }
}

impl Stream {
    /// Shared memory is declared, or used again. An error is nginx's complaint.
    pub(super) fn declare_zone(
        &mut self,
        name: &[u8],
        span: Span,
        size: usize,
        user: &'static str,
    ) -> Result<(), String> {
        match self.zones.entry(name.into()) {
            Entry::Vacant(place) => {
                place.insert(Zone { size, user, span });
            }
            Entry::Occupied(mut known) => {
                let (known, name) = (known.get_mut(), name.as_bstr());
                if known.user != user {
                    let message = "is already declared for a different use";
                    return Err(format!("the shared memory zone \"{name}\" {message}"));
                }
                if size != 0 && known.size != 0 && size != known.size {
                    return Err(format!(
                        "the size {size} of shared memory zone \"{name}\" conflicts with already \
                         declared size {}",
                        known.size
                    ));
                }
                known.size = known.size.max(size);
            }
        }
        Ok(())
    }
}

/// What nginx finds wrong with upstreams once it has read everything.
pub(super) fn check(stream: &Stream, sources: &SourceMap, out: &mut Diagnostics) {
    for upstream in &stream.upstreams {
        if !upstream.servers.iter().any(UpstreamServer::resolves_late) {
            continue;
        }
        let path = sources.path(upstream.open.file).display();
        let place = format!("{path}:{}", sources.place(upstream.open).line);
        let name = &upstream.name;
        let message = if upstream.zone.is_none() {
            format!(
                "resolving names at run time requires upstream \"{name}\" in {place} to be in \
                 shared memory"
            )
        } else if upstream.resolver.is_none() && stream.settings.resolver.is_none() {
            let what = "no resolver defined to resolve names at run time in upstream";
            format!("{what} \"{name}\" in {place}")
        } else {
            continue;
        };
        let help = "add `zone NAME SIZE;` and `resolver ADDRESS;`";
        out.push(Diagnostic::error("nginx/no-resolver", message).help(help));
    }
    let mut empty: Vec<_> = stream.zones.iter().filter(|(_, zone)| zone.size == 0).collect();
    empty.sort_by_key(|(_, zone)| (zone.span.file, zone.span.start));
    if let Some((name, _)) = empty.first() {
        let message = format!("zero size shared memory zone \"{name}\"");
        let help = "give its size once: zone NAME SIZE";
        out.push(Diagnostic::error("nginx/invalid-value", message).help(help));
    }
}

impl UpstreamServer {
    /// It is a name that is asked for at run time.
    pub(super) fn resolves_late(&self) -> bool {
        self.resolve && matches!(self.endpoint, Endpoint::Name { .. })
    }

    fn peer(&self, address: &Address) -> Peer {
        Peer {
            name: self.text.clone(),
            address: address.clone(),
            weight: self.weight,
            max_fails: self.max_fails,
            fail_timeout: self.fail_timeout,
            max_conns: self.max_conns,
            backup: self.backup,
            down: self.down,
            span: self.span,
        }
    }
}

impl Upstream {
    pub(super) fn lower(&self, stream: &Stream, names: &mut Names) -> plan::stream::Upstream {
        let mut peers = Vec::new();
        let mut late = Vec::new();
        for server in &self.servers {
            match &server.endpoint {
                Endpoint::Name { name, ports } if server.resolve => late.push(Name {
                    host: name.clone(),
                    port: ports.as_ref().map_or(0, |ports| *ports.start()),
                    service: server.service.clone(),
                    before: peers.len(),
                    peer: server.peer(&Address::Tcp(([0, 0, 0, 0], 0).into())),
                }),
                _ => peers.extend(server.addresses.iter().map(|address| server.peer(address))),
            }
        }
        let resolver = self.resolver.as_ref().or(stream.settings.resolver.as_ref());
        let timeout = self.resolver_timeout.or(stream.settings.resolver_timeout);
        plan::stream::Upstream {
            name: self.name.clone(),
            balance: self.method.as_ref().map_or(Balance::RoundRobin, |method| method.lower(names)),
            peers,
            resolver: resolver.filter(|_| !late.is_empty()).map(|it| it.lower(timeout)),
            names: late,
            zone: self.zone.clone(),
            span: self.span,
        }
    }
}

impl Method {
    fn lower(&self, names: &mut Names) -> Balance {
        match self {
            Method::LeastConn => Balance::LeastConn,
            Method::LeastTime { until, inflight } => {
                Balance::LeastTime { until: *until, inflight: *inflight }
            }
            Method::Hash { key, consistent } => {
                Balance::Hash { key: names.template(key), consistent: *consistent }
            }
            Method::Random { two } => Balance::Random { two: *two },
        }
    }
}

impl Pass {
    /// What a literal address makes: one peer per address.
    pub(super) fn upstream(&self) -> plan::stream::Upstream {
        plan::stream::Upstream::of_addresses(&self.text, &self.addresses, self.span)
    }
}
