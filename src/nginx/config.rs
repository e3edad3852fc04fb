//! nginx.conf as its author typed it: only what was given, nothing inherited, no defaults.
//!
//! Setters of the [`directives`](super::directives) fill it in; [`inherit`](super::inherit) checks
//! each `stream {}` as a whole when it ends, and [`lower`](super::lower) makes the Plan of it.

mod door;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use door::{Bind, Doors, Limit, LimitZone};

use super::access_log::{Access, TypedFormat, TypedLog, TypedTarget};
use super::resolver::ResolverConfig;
use super::variable;
use crate::plan::access_log::Buffer;
use crate::plan::endpoint::Endpoint;
use crate::plan::placement::Placement;
use crate::plan::process::{ErrorLog, LogTarget, Variable};
use crate::plan::stream::{Address, ListenOptions, Second, Timed};
use crate::plan::track::RunAs;
use crate::text::{FileId, Span};

/// What is in nginx.conf and all its includes.
#[derive(Clone, Debug, Default)]
pub struct NginxConfig {
    /// The folder of nginx.conf: relative names of certificates start here.
    pub folder: PathBuf,
    /// `-p`: relative paths of logs and the pid file start here.
    pub prefix: PathBuf,
    pub main: Main,
    pub events: Option<Events>,
    pub stream: Option<Stream>,
    /// Servers of `http {}` and `mail {}`, which aren't served.
    pub foreign: Vec<ForeignServer>,
    /// Where those blocks stand.
    pub foreign_blocks: Vec<(&'static str, Span)>,
    /// This host's, in lower case.
    pub hostname: String,
    /// `-e`
    pub error_log: Option<PathBuf>,
    /// What was read, in order.
    pub files: Vec<FileId>,
    /// There is an error: nothing can run with it.
    pub refused: bool,
    /// `log_format`, by name.
    pub log_formats: HashMap<bstr::BString, TypedFormat>,
    /// Of access logs with a buffer, by path: all of one path have the same.
    pub buffered_logs: HashMap<PathBuf, Buffer>,
    /// Variables, in the order in which they are first used.
    pub variables_used: Vec<variable::Use>,
    /// By `map`, `geo`, `split_clients`, `set`, and named groups of regular expressions.
    pub variables_defined: HashSet<String>,
    /// Of those, the ones that have a table, by name in lower case. The last one counts.
    pub definitions: HashMap<String, super::definition::Definition>,
    /// Which block a setter stores into.
    pub(super) scope: Scope,
    /// The `;` or `{` of the directive that is being read.
    pub(super) terminator: Span,
    /// What setters want to know of the host; answered after each directive, in nginx's order.
    pub(super) questions: Vec<Question>,
}

/// The block that is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    #[default]
    Main,
    Events,
    Stream,
    Server,
    Upstream,
}

/// The main context.
#[derive(Clone, Debug, Default)]
pub struct Main {
    pub daemon: Option<bool>,
    pub master_process: Option<bool>,
    pub pid: Option<PathBuf>,
    /// 0: `auto`.
    pub worker_processes: Option<usize>,
    pub user: Option<RunAs>,
    pub worker_shutdown_timeout: Option<Duration>,
    pub worker_rlimit_nofile: Option<u64>,
    pub environment: Vec<Variable>,
    pub placement: Placement,
    pub error_logs: Vec<ErrorLog>,
    /// `load_module`, by file name.
    pub modules: HashSet<String>,
    /// `thread_pool`, by name.
    pub thread_pools: HashSet<bstr::BString>,
    /// A block has begun, so `load_module` comes too late.
    pub blocks_begun: bool,
}

/// `events {}`
#[derive(Clone, Debug, Default)]
pub struct Events {
    pub worker_connections: Option<usize>,
}

/// `stream {}`
#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub settings: Settings,
    pub servers: Vec<Server>,
    pub upstreams: Vec<Upstream>,
    /// Index of an upstream by its name in lower case.
    pub upstream_names: HashMap<String, usize>,
    pub limit_zones: Vec<LimitZone>,
    /// Where its servers listen.
    pub addresses: super::listening::Addresses,
    /// Shared memory, by name.
    pub zones: HashMap<bstr::BString, Zone>,
    /// `proxy_pass HOST:PORT`, by host in lower case: no upstream may have such a name.
    pub passed_hosts: HashMap<String, (String, Span)>,
}

/// What `stream {}` and `server {}` both may set, and a server inherits.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub connect_timeout: Option<Duration>,
    pub timeout: Option<Duration>,
    pub buffer_size: Option<usize>,
    pub requests: Option<u64>,
    pub responses: Option<u64>,
    pub next_upstream: Option<bool>,
    pub next_upstream_tries: Option<u32>,
    pub next_upstream_timeout: Option<Duration>,
    pub half_close: Option<bool>,
    pub tcp_nodelay: Option<bool>,
    pub socket_keepalive: Option<bool>,
    pub doors: Doors,
    pub resolver: Option<ResolverConfig>,
    pub resolver_timeout: Option<Duration>,
    pub error_logs: Vec<ErrorLog>,
    pub preread: super::preread::Settings,
    pub ssl: super::tls::Server,
    pub proxy_ssl: super::tls::Client,
    pub access: Access,
}

/// `server {}`
#[derive(Clone, Debug)]
pub struct Server {
    /// Its `{`, where nginx reports what is wrong with the whole.
    pub open: Span,
    pub settings: Settings,
    pub listens: Vec<Listen>,
    /// `server_name`
    pub names: Vec<super::server_name::Name>,
    /// Found when `stream {}` ends: see [`super::tls::load`].
    pub tls: super::tls::Found,
    /// There was a `listen`, right or wrong.
    pub has_listen: bool,
    pub pass: Option<Pass>,
    /// `pass`, as typed.
    pub hand_over: Option<bstr::BString>,
    /// `return`, as typed.
    pub answer: Option<bstr::BString>,
    /// The last directive that handles connections: nginx goes by it.
    pub handler: Option<Handler>,
    /// `set`: name without its `$`, and text.
    pub sets: Vec<(String, bstr::BString)>,
    /// There was something that handles connections, right or wrong.
    pub has_handler: bool,
}

/// What handles a server's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    Pass,
    Return,
    /// `pass`
    HandOver,
}

/// One `listen`
#[derive(Clone, Debug)]
pub struct Listen {
    /// As typed.
    pub text: String,
    pub endpoint: Endpoint,
    /// Where it really listens, one per address and port.
    pub addresses: Vec<Address>,
    pub udp: bool,
    pub ssl: bool,
    pub default_server: bool,
    pub backlog: Option<u32>,
    pub ipv6_only: Option<bool>,
    pub reuse_port: bool,
    pub keepalive: bool,
    pub receive_buffer: Option<usize>,
    pub send_buffer: Option<usize>,
    pub proxy_protocol: bool,
    pub options: ListenOptions,
    /// `bind`, or a parameter that implies it: it never shares a socket.
    pub bound: bool,
    pub span: Span,
    pub terminator: Span,
}

/// `proxy_pass`
#[derive(Clone, Debug)]
pub struct Pass {
    pub text: String,
    /// It has variables.
    pub variable: bool,
    /// Of a literal address or name; empty for an upstream.
    pub addresses: Vec<Address>,
    pub span: Span,
    pub terminator: Span,
}

/// `upstream {}`
#[derive(Clone, Debug)]
pub struct Upstream {
    pub name: String,
    pub open: Span,
    pub span: Span,
    pub servers: Vec<UpstreamServer>,
    /// There was a `server`, right or wrong.
    pub has_server: bool,
    pub method: Option<Method>,
    /// `zone`, the last one.
    pub zone: Option<String>,
    pub resolver: Option<ResolverConfig>,
    pub resolver_timeout: Option<Duration>,
}

/// `server` in an upstream.
#[derive(Clone, Debug)]
pub struct UpstreamServer {
    /// As typed.
    pub text: String,
    pub endpoint: Endpoint,
    pub addresses: Vec<Address>,
    pub weight: u32,
    pub max_fails: u32,
    pub fail_timeout: Duration,
    pub max_conns: u32,
    pub backup: bool,
    pub down: bool,
    pub resolve: bool,
    /// `service=`
    pub service: Option<String>,
    pub span: Span,
}

/// How an upstream's peers are chosen, if not in turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    LeastConn,
    LeastTime { until: Timed, inflight: bool },
    Hash { key: bstr::BString, consistent: bool },
    Random { two: Option<Second> },
}

/// A piece of shared memory.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    /// Bytes; 0 where nobody has said it yet.
    pub size: usize,
    /// The directive that it is for.
    pub user: &'static str,
    pub span: Span,
}

/// A server of `http {}` or `mail {}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignServer {
    /// `http` or `mail`
    pub block: &'static str,
    pub names: Vec<String>,
    pub listens: Vec<String>,
}

/// What only the host knows.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// `user`
    User { name: String, group: Option<String>, span: Span },
    /// `set_real_ip_from` by name.
    Trusted { name: String, span: Span },
    /// The last `listen` of the last server.
    Listen,
    /// `ssl_password_file` and its like.
    Passwords(super::tls::PasswordFile),
    /// The last server of the last upstream.
    UpstreamServer,
    /// Of the last log that names `server=NAME` (`text`).
    SyslogServer { name: String, port: u16, text: String, span: Span },
    /// A name server of the `resolver` that was read last.
    Resolver { endpoint: Endpoint, text: String, span: Span },
}

impl NginxConfig {
    pub(super) fn stream(&mut self) -> &mut Stream {
        self.stream.get_or_insert_with(Stream::default)
    }

    pub(super) fn events(&mut self) -> &mut Events {
        self.events.get_or_insert_with(Events::default)
    }

    /// Of the server that is being read, or else of `stream {}`.
    pub(super) fn settings(&mut self) -> &mut Settings {
        let in_server = self.scope == Scope::Server;
        let stream = self.stream();
        match stream.servers.last_mut() {
            Some(server) if in_server => &mut server.settings,
            _ => &mut stream.settings,
        }
    }

    /// Puts the address of a name in its place: in the log that was read last.
    pub(super) fn settle_syslog(&mut self, address: std::net::SocketAddr) {
        let in_main = self.scope == Scope::Main;
        let error_log = match in_main {
            true => self.main.error_logs.last_mut(),
            false => self.settings().error_logs.last_mut(),
        };
        let error_log = error_log.and_then(|log| match &mut log.target {
            LogTarget::Syslog(syslog) => Some(syslog),
            _ => None,
        });
        if let Some(syslog) = error_log {
            syslog.settle(address);
        }
        if in_main {
            return;
        }
        if let Some(TypedLog { target: TypedTarget::Syslog(syslog), .. }) =
            self.settings().access.logs.last_mut()
        {
            syslog.settle(address);
        }
    }

    pub(super) fn server(&mut self) -> Option<&mut Server> {
        self.stream().servers.last_mut()
    }

    pub(super) fn upstream(&mut self) -> Option<&mut Upstream> {
        self.stream().upstreams.last_mut()
    }

    /// The `resolver` and `resolver_timeout` of the block that is being read.
    pub(super) fn resolver(&mut self) -> (&mut Option<ResolverConfig>, &mut Option<Duration>) {
        if self.scope == Scope::Upstream && self.upstream().is_some() {
            let at = self.stream().upstreams.len() - 1;
            let upstream = &mut self.stream().upstreams[at];
            return (&mut upstream.resolver, &mut upstream.resolver_timeout);
        }
        let settings = self.settings();
        (&mut settings.resolver, &mut settings.resolver_timeout)
    }

    /// A path of a log, a pid file: relative ones start at the prefix.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.prefix.join(text)
    }
}

impl Listen {
    pub(super) fn new(text: String, endpoint: Endpoint, span: Span, terminator: Span) -> Self {
        Listen {
            text,
            endpoint,
            addresses: Vec::new(),
            udp: false,
            ssl: false,
            default_server: false,
            backlog: None,
            ipv6_only: None,
            reuse_port: false,
            keepalive: false,
            receive_buffer: None,
            send_buffer: None,
            proxy_protocol: false,
            options: ListenOptions::default(),
            bound: false,
            span,
            terminator,
        }
    }
}

impl Server {
    pub(super) fn new(open: Span) -> Self {
        Server {
            open,
            settings: Settings::default(),
            listens: Vec::new(),
            names: Vec::new(),
            tls: super::tls::Found::default(),
            has_listen: false,
            pass: None,
            answer: None,
            hand_over: None,
            handler: None,
            sets: Vec::new(),
            has_handler: false,
        }
    }
}

/// Every address that an endpoint stands for, one per port. `addresses` are those of its name.
pub(super) fn addresses(
    endpoint: &Endpoint,
    resolve: impl Fn(&str) -> Vec<IpAddr>,
) -> Vec<Address> {
    use std::net::{Ipv4Addr, SocketAddr};

    let (hosts, ports) = match endpoint {
        Endpoint::Unix(path) => return vec![Address::Unix(path.clone())],
        Endpoint::Any { ports } => (vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)], ports),
        Endpoint::Ip { address, ports } => (vec![*address], ports),
        Endpoint::Name { name, ports } => (resolve(name), ports),
    };
    let ports = ports.clone().unwrap_or(0..=0);
    let of_host = |host: IpAddr| ports.clone().map(move |port| SocketAddr::new(host, port));
    hosts.into_iter().flat_map(of_host).map(Address::Tcp).collect()
}
