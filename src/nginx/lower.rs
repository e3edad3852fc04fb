//! The typed config → the Plan: names become indices, what isn't given becomes nginx's default.
//! Defaults are those of nginx's documentation.

mod door;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::access_log::Formats;
use super::config::{Handler, NginxConfig, Settings, Stream};
use super::listening::Shared;
use super::template::Names;
use crate::plan::placement::Affinity;
use crate::plan::process::{ErrorLog, LogLevel, LogTarget, StreamProcess};
use crate::plan::stream::{
    Admission, Content, Datagrams, Listener, NextUpstream, Outward, Server, ServerId, ServerNames,
    StreamPlan, UpstreamId,
};
use crate::plan::table::Text;
use crate::plan::template::{Template, VariableId};
use crate::text::{Diagnostic, Diagnostics};

const DEFAULT_PID: &str = "/run/nginx.pid";
const DEFAULT_CONNECTIONS: usize = 512;
const DEFAULT_BACKLOG: u32 = 511;
const DEFAULT_BUFFER: usize = 16 * 1024;

/// The stream role's plan; `None` where the config had an error.
pub fn lower(config: &NginxConfig) -> (Option<StreamPlan>, Diagnostics) {
    let mut out = Diagnostics::default();
    if config.refused {
        return (None, out);
    }
    let mut plan = StreamPlan {
        process: process(config),
        listeners: Vec::new(),
        servers: Vec::new(),
        upstreams: Vec::new(),
        zones: Vec::new(),
        log_formats: Vec::new(),
        variables: Vec::new(),
    };
    if let Some(stream) = &config.stream {
        let mut names = Names::new(config);
        lower_stream(stream, config, &mut names, &mut plan);
        plan.variables = names.into_variables();
    }
    let (connections, sockets) = (plan.process.worker_connections, plan.sockets().count());
    if connections <= sockets {
        let message = format!(
            "{connections} worker_connections are not enough for {sockets} listening sockets"
        );
        out.push(Diagnostic::error("nginx/worker-connections", message));
        return (None, out);
    }
    out.extend(unequal_masks(config, plan.process.workers));
    (Some(plan), out)
}

/// nginx's complaint about `worker_cpu_affinity`.
fn unequal_masks(config: &NginxConfig, workers: usize) -> Option<Diagnostic> {
    let Some(Affinity::Masks(masks)) = &config.main.placement.affinity else { return None };
    let workers = match workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    (masks.len() != 1 && masks.len() != workers).then(|| {
        let message = "the number of \"worker_processes\" is not equal to the number of \
                       \"worker_cpu_affinity\" masks, using last mask for remaining worker processes";
        Diagnostic::warning("nginx/affinity", message)
    })
}

fn process(config: &NginxConfig) -> StreamProcess {
    let main = &config.main;
    let connections = config.events.as_ref().and_then(|events| events.worker_connections);
    let mut error_logs = main.error_logs.clone();
    if let (true, Some(path)) = (error_logs.is_empty(), &config.error_log) {
        let target = match path.to_str() {
            Some("stderr") => LogTarget::Stderr,
            _ => LogTarget::File(config.prefix.join(path)),
        };
        error_logs.push(ErrorLog { target, level: LogLevel::default() });
    }
    StreamProcess {
        workers: match main.master_process {
            Some(false) => 1,
            _ => main.worker_processes.unwrap_or(1),
        },
        worker_connections: connections.unwrap_or(DEFAULT_CONNECTIONS),
        user: main.user.clone(),
        pid: main.pid.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_PID)),
        daemon: main.daemon.unwrap_or(true),
        master_process: main.master_process.unwrap_or(true),
        shutdown_timeout: main.worker_shutdown_timeout,
        rlimit_nofile: main.worker_rlimit_nofile,
        environment: main.environment.clone(),
        placement: main.placement.clone(),
        error_logs,
    }
}

fn lower_stream(stream: &Stream, config: &NginxConfig, names: &mut Names, plan: &mut StreamPlan) {
    let folder = &config.folder;
    let mut formats = Formats::default();
    let upstreams = stream.upstreams.iter();
    plan.upstreams = upstreams.map(|upstream| upstream.lower(stream, names)).collect();
    plan.zones = door::zones(&stream.limit_zones, names);
    let mut implicit = HashMap::new();
    for server in &stream.servers {
        let content = match (server.handler, &server.pass, &server.answer) {
            (Some(Handler::Pass), Some(pass), _) if pass.variable => {
                Content::Proxy(names.template(pass.text.as_bytes()))
            }
            (Some(Handler::Pass), Some(pass), _) => {
                Content::Upstream(match stream.upstream_named(&pass.text) {
                    Some(index) => UpstreamId(index),
                    None => *implicit.entry(pass.text.to_ascii_lowercase()).or_insert_with(|| {
                        plan.upstreams.push(pass.upstream());
                        UpstreamId(plan.upstreams.len() - 1)
                    }),
                })
            }
            (Some(Handler::Return), _, Some(text)) => Content::Return(names.template(text)),
            (Some(Handler::HandOver), ..) => {
                Content::Pass(names.template(server.hand_over.as_ref().map_or(&[], |text| text)))
            }
            // No config gets here with such a server; its number has to be kept.
            _ => Content::Return(Template::default()),
        };
        let sets = server.sets.iter();
        let sets = sets.map(|(name, text)| (names.variable(name), names.template(text))).collect();
        let settings = server.settings.over(&stream.settings);
        let admission = door::admission(&settings.doors, &stream.limit_zones);
        let outward = door::outward(&settings.doors, names);
        let access_logs = formats.logs(&settings, config, names);
        let open_log_files = settings.access.open_files.flatten();
        let lowered = lower_server(settings, content, sets, server.open);
        let name = super::server_name::first(server, &config.hostname);
        let mut lowered =
            Server { name, admission, outward, access_logs, open_log_files, ..lowered };
        super::tls::lower(server, &mut lowered, names, &stream.settings, folder);
        plan.servers.push(lowered);
    }
    for shared in &stream.addresses.list {
        let names = super::server_name::lower(stream, shared, &config.hostname, names);
        plan.listeners.push(listener(stream, shared, names));
    }
    let bound: Vec<bool> = stream.addresses.list.iter().map(|shared| shared.bound).collect();
    door::share(&mut plan.listeners, &bound);
    plan.log_formats = formats.formats;
}

fn lower_server(
    settings: Settings,
    content: Content,
    sets: Vec<(VariableId, Template)>,
    span: crate::text::Span,
) -> Server {
    Server {
        resolver: match (&content, &settings.resolver) {
            (Content::Proxy(_), Some(resolver)) => Some(resolver.lower(settings.resolver_timeout)),
            _ => None,
        },
        content,
        name: Text::default(),
        sets,
        tls: None,
        peer_tls: None,
        preread: settings.preread.lower(),
        admission: Admission::default(),
        outward: Outward::default(),
        connect_timeout: settings.connect_timeout.unwrap_or(Duration::from_secs(60)),
        timeout: settings.timeout.unwrap_or(Duration::from_secs(600)),
        datagrams: Datagrams {
            requests: settings.requests.unwrap_or(0),
            responses: settings.responses,
        },
        buffer_size: settings.buffer_size.unwrap_or(DEFAULT_BUFFER),
        next_upstream: NextUpstream {
            enabled: settings.next_upstream.unwrap_or(true),
            tries: settings.next_upstream_tries.unwrap_or(0),
            timeout: settings.next_upstream_timeout.unwrap_or_default(),
        },
        half_close: settings.half_close.unwrap_or(false),
        tcp_nodelay: settings.tcp_nodelay.unwrap_or(true),
        socket_keepalive: settings.socket_keepalive.unwrap_or(false),
        access_logs: Vec::new(),
        open_log_files: None,
        error_logs: settings.error_logs,
        span,
    }
}

/// One address with all that was said of it.
fn listener(stream: &Stream, shared: &Shared, names: Option<Box<ServerNames>>) -> Listener {
    let (server, at) = shared.options;
    let listen = &stream.servers[server].listens[at];
    Listener {
        address: shared.address.clone(),
        transport: shared.transport,
        server: ServerId(shared.default),
        names,
        backlog: listen.backlog.unwrap_or(DEFAULT_BACKLOG),
        ipv6_only: listen.ipv6_only.unwrap_or(true),
        reuse_port: listen.reuse_port,
        keepalive: listen.keepalive,
        receive_buffer: listen.receive_buffer,
        send_buffer: listen.send_buffer,
        proxy_protocol: shared.proxy_protocol,
        options: listen.options.clone(),
        shares: None,
        ssl: shared.ssl,
        span: listen.span,
    }
}
