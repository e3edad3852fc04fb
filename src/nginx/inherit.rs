//! `stream {}` as a whole, when its `}` has come: what nginx can only check then, in its order, and
//! what each server inherits.

use super::config::{self, Settings, Stream};
use super::parse::same_line;
use super::tls::load::{self, Place};
use super::walk::Walk;
use super::{upstream, variable};
use crate::plan::endpoint::Endpoint;
use crate::text::{Diagnostic, Diagnostics, Span};

/// Checks that every server has a handler, every upstream a peer, every `proxy_pass` a target.
pub(super) fn check(walk: &mut Walk<'_>, close: Span) {
    let mut out = Diagnostics::default();
    let (host, sources) = (walk.host, walk.sources);
    let Some(stream) = walk.config.stream.as_mut() else { return };
    for server in stream.servers.iter().filter(|server| !server.has_handler && server.has_listen) {
        let help = "add proxy_pass";
        let diagnostic = Diagnostic::error("nginx/no-handler", "no handler for server");
        out.push(diagnostic.at(server.open).help(help));
    }
    let folder = &walk.config.folder;
    let place = super::tls::load::Place { host, folder };
    tls_towards_peers(stream, &place, &mut out);
    for upstream in &stream.upstreams {
        if !upstream.servers.is_empty() && upstream.servers.iter().all(|server| server.backup) {
            let message = format!("no servers in upstream \"{}\"", upstream.name);
            let help = "at least one server must not be a backup";
            let diagnostic = Diagnostic::error("nginx/no-servers", message);
            out.push(diagnostic.at(upstream.open).help(help));
        }
    }
    for pass in stream.servers.iter_mut().filter_map(|server| server.pass.as_mut()) {
        if pass.variable {
            continue;
        }
        if stream.upstream_names.contains_key(&pass.text.to_ascii_lowercase()) {
            continue;
        }
        let Ok(endpoint) = Endpoint::peer(&pass.text) else { continue };
        let complaint = if endpoint.has_port() {
            pass.addresses = config::addresses(&endpoint, |name| host.resolve(name));
            let Endpoint::Name { name, .. } = &endpoint else { continue };
            pass.addresses.is_empty().then(|| format!("host not found in upstream \"{name}\""))
        } else {
            Some(format!("no port in upstream \"{}\"", pass.text))
        };
        if let Some(message) = complaint {
            let near = crate::directive::check::nearest(
                &pass.text,
                stream.upstreams.iter().map(|upstream| upstream.name.as_str()),
            );
            let place = same_line(sources, pass.span, pass.terminator);
            let diagnostic = Diagnostic::error("nginx/unknown-upstream", message).at(place);
            out.push(match near {
                Some(near) => diagnostic.help(format!("did you mean the upstream `{near}`?")),
                None => diagnostic,
            });
        }
    }
    tls_towards_clients(stream, &place, close, &mut out);
    let defined = &walk.config.variables_defined;
    let unknown =
        |used: &&variable::Use| !variable::is_built_in(&used.name) && !defined.contains(&used.name);
    if let Some(used) = walk.config.variables_used.iter().find(unknown) {
        let message = format!("unknown \"{}\" variable", used.name);
        out.push(Diagnostic::error("nginx/unknown-variable", message).at(used.span));
    }
    if let Some(stream) = &walk.config.stream {
        upstream::check(stream, sources, &mut out);
        super::server_name::check(stream, &walk.config.hostname, &mut out);
    }
    for diagnostic in out {
        walk.push(diagnostic);
    }
}

/// Zones that nobody has declared, which nginx finds only when it has read everything.
pub(super) fn undeclared_zones(walk: &mut Walk<'_>) {
    let Some(stream) = &walk.config.stream else { return };
    let settings = stream.servers.iter().map(|server| &server.settings);
    let limits = settings.chain([&stream.settings]).flat_map(|it| &it.doors.limits);
    let unknown =
        { limits }.find(|limit| stream.limit_zones.iter().all(|it| it.name != limit.zone));
    if let Some(zone) = unknown.map(|limit| limit.zone.clone()) {
        let message = format!("zero size shared memory zone \"{zone}\"");
        let help = format!("add `limit_conn_zone KEY zone={zone}:SIZE;`");
        walk.push(Diagnostic::error("nginx/unknown-zone", message).help(help));
    }
}

/// `proxy_ssl on`
fn tls_towards_peers(stream: &mut Stream, place: &Place<'_>, out: &mut Diagnostics) {
    let outer = &stream.settings.proxy_ssl;
    for server in &mut stream.servers {
        let typed = server.settings.proxy_ssl.over(outer);
        if !typed.enabled.unwrap_or(false) {
            continue;
        }
        match load::client(&typed, place) {
            Ok((plan, late)) => {
                server.tls.peers = Some(Box::new(plan));
                server.tls.late_of_peers = late;
            }
            Err(complaint) => out.push(Diagnostic::error("nginx/tls", complaint.message)),
        }
    }
}

/// `listen … ssl`, by any of the servers of an address. Only the default one of them has to have
/// a certificate, which serves those that have none; all, where it has none itself because it
/// rejects handshakes.
fn tls_towards_clients(stream: &mut Stream, place: &Place<'_>, close: Span, out: &mut Diagnostics) {
    let outer = &stream.settings.ssl;
    let bare = |server: &config::Server| {
        server.settings.ssl.over(outer).common.certificates.is_none_or(|it| it.is_empty())
    };
    let mut secure = vec![false; stream.servers.len()];
    let mut needed = vec![false; stream.servers.len()];
    for shared in stream.addresses.list.iter().filter(|shared| shared.ssl) {
        let all = bare(&stream.servers[shared.default]);
        for server in &shared.servers {
            secure[*server] = true;
            needed[*server] |= all || *server == shared.default;
        }
    }
    for (at, server) in stream.servers.iter_mut().enumerate() {
        let listen = server.listens.iter().rfind(|it| it.ssl).or(server.listens.last());
        let span = listen.map(|listen| listen.span).unwrap_or_default();
        let typed = server.settings.ssl.over(outer);
        // nginx 1.30 says so of every server that has a certificate, needed or not.
        if typed.ech.is_some() && (secure[at] || typed.common.certificates.is_some()) {
            let message = "\"ssl_ech_file\" is not supported on this platform, ignored";
            out.push(Diagnostic::warning("nginx/tls", message));
        }
        if !secure[at] {
            continue;
        }
        let mut warnings = Vec::new();
        let loaded = load::server(&typed, place, needed[at], &mut warnings);
        out.extend(warnings.into_iter().map(|text| Diagnostic::warning("nginx/tls", text)));
        match loaded {
            Ok((plan, late)) => {
                server.tls.clients = Some(Box::new(plan));
                server.tls.late_of_clients = late;
            }
            Err(complaint) => {
                let diagnostic = Diagnostic::error("nginx/tls", complaint.message);
                out.push(match complaint.about_listen {
                    true => diagnostic.at(span),
                    false if complaint.about_end => diagnostic.at(close),
                    false => diagnostic,
                });
            }
        }
    }
}

impl Stream {
    /// The upstream block that a `proxy_pass` means; names don't mind case.
    pub(super) fn upstream_named(&self, name: &str) -> Option<usize> {
        self.upstream_names.get(&name.to_ascii_lowercase()).copied()
    }
}

impl Settings {
    /// A server's settings with what it inherits.
    pub(super) fn over(&self, outer: &Settings) -> Settings {
        let error_logs =
            if self.error_logs.is_empty() { &outer.error_logs } else { &self.error_logs };
        Settings {
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
            timeout: self.timeout.or(outer.timeout),
            buffer_size: self.buffer_size.or(outer.buffer_size),
            requests: self.requests.or(outer.requests),
            responses: self.responses.or(outer.responses),
            next_upstream: self.next_upstream.or(outer.next_upstream),
            next_upstream_tries: self.next_upstream_tries.or(outer.next_upstream_tries),
            next_upstream_timeout: self.next_upstream_timeout.or(outer.next_upstream_timeout),
            half_close: self.half_close.or(outer.half_close),
            tcp_nodelay: self.tcp_nodelay.or(outer.tcp_nodelay),
            resolver: self.resolver.clone().or_else(|| outer.resolver.clone()),
            resolver_timeout: self.resolver_timeout.or(outer.resolver_timeout),
            socket_keepalive: self.socket_keepalive.or(outer.socket_keepalive),
            doors: self.doors.over(&outer.doors),
            error_logs: error_logs.clone(),
            preread: self.preread.over(&outer.preread),
            ssl: self.ssl.over(&outer.ssl),
            proxy_ssl: self.proxy_ssl.over(&outer.proxy_ssl),
            access: self.access.over(&outer.access),
        }
    }
}
