//! The tree against the tables, in the order in which nginx would run it.
//!
//! nginx stops at its first error; this goes on, so that all are reported, but in an order that
//! keeps nginx's error the first one.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::config::{self, NginxConfig, Question, Scope, Server, Upstream};
use super::directives::slot::UNSUPPORTED;
use super::parse::{Parsed, same_line};
use super::{directives, foreign, inherit, tls, variable};
use crate::directive::check::{Lookup, lookup};
use crate::directive::{Body, Directive, Repeat, Support};
use crate::host::Host;
use crate::plan::stream::Network;
use crate::text::{Diagnostic, Diagnostics, Node, Severity, SourceMap, Span, render};

/// More errors than this are not reported: it isn't nginx's config then.
const MOST_ERRORS: usize = 200;

pub(super) struct Walk<'a> {
    pub(super) config: &'a mut NginxConfig,
    pub(super) sources: &'a SourceMap,
    pub(super) host: &'a dyn Host,
    out: Diagnostics,
    /// How many of them are errors.
    errors: usize,
    terminators: Vec<Span>,
    problems: std::iter::Peekable<std::vec::IntoIter<(usize, Diagnostic)>>,
    /// How many nodes were visited.
    visited: usize,
    /// What Evenkeel refuses and nginx wouldn't: reported behind all that nginx reports.
    refusals: Diagnostics,
    /// The text ends inside a block, so no block was ever complete.
    truncated: bool,
}

impl<'a> Walk<'a> {
    /// Fills `config` from what was parsed; returns all complaints.
    pub(super) fn run(
        config: &'a mut NginxConfig,
        parsed: Parsed,
        sources: &'a SourceMap,
        host: &'a dyn Host,
    ) -> Diagnostics {
        let Parsed { nodes, terminators, problems } = parsed;
        let mut walk = Walk {
            config,
            sources,
            host,
            out: Diagnostics::default(),
            errors: 0,
            terminators,
            problems: problems.into_iter().peekable(),
            visited: 0,
            refusals: Diagnostics::default(),
            truncated: false,
        };
        walk.block(&nodes, "main");
        let codes = ["nginx/unreadable", render::NGINX_FOLDER];
        let unreadable = walk.out.iter().any(|diagnostic| codes.contains(&diagnostic.code));
        if walk.config.events.is_none() && !unreadable {
            let message = "no \"events\" section in configuration";
            let help = "add `events {}`, with nothing in it if need be";
            walk.out.push(Diagnostic::error("nginx/no-events", message).help(help));
        }
        inherit::undeclared_zones(&mut walk);
        foreign::warn(walk.config, &mut walk.refusals);
        let Walk { mut out, refusals, .. } = walk;
        out.extend(refusals);
        out
    }

    fn block(&mut self, nodes: &[Node], context: &'static str) {
        let mut seen = HashSet::new();
        for node in nodes {
            if self.errors > MOST_ERRORS {
                self.truncated = true;
                return;
            }
            self.directive(node, context, &mut seen);
        }
        self.lexical_problems();
    }

    /// Those that nginx would have come across by now.
    fn lexical_problems(&mut self) {
        while let Some((_, problem)) = self.problems.next_if(|(before, _)| *before <= self.visited)
        {
            self.truncated |= problem.code == "nginx/unexpected-end";
            self.push(problem);
        }
    }

    /// Goes past a node without a look inside; its `;` or `{`.
    pub(super) fn visit(&mut self) -> Span {
        self.lexical_problems();
        let terminator = self.terminators.get(self.visited).copied().unwrap_or_default();
        self.visited += 1;
        terminator
    }

    pub(super) fn skip(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.visit();
            self.skip(node.body.as_deref().unwrap_or_default());
        }
        self.lexical_problems();
    }

    /// Past a body of free lines, in which no block may stand.
    pub(super) fn lines(&mut self, nodes: &[Node]) {
        for node in nodes {
            let terminator = self.visit();
            if let Some(body) = &node.body {
                let unexpected = Diagnostic::error("nginx/unexpected", "unexpected \"{\"");
                let help = "put a pattern with braces in quotes";
                self.push(unexpected.at(terminator).help(help));
                self.skip(body);
            }
        }
        self.lexical_problems();
    }

    fn directive<'n>(
        &mut self,
        node: &'n Node,
        context: &'static str,
        seen: &mut HashSet<&'n [u8]>,
    ) {
        let terminator = self.visit();
        let name = node.name.lossy();
        let body = node.body.as_deref();
        let complaint = match lookup(directives::all(), context, &name) {
            Lookup::Unknown(_) if foreign::knows(&name) => {
                Err(not_allowed(&name).help("it belongs into http {} or mail {}"))
            }
            Lookup::Unknown(near) => Err(unknown(&name, near)),
            Lookup::Elsewhere(contexts) => {
                let help = format!("it belongs into {}", contexts.join(", "));
                Err(not_allowed(&name).help(help))
            }
            Lookup::Found(row) => match shape(row, node) {
                Some(complaint) => Err(complaint),
                None if row.repeat == Repeat::Refused && !seen.insert(&node.name.text) => {
                    let message = format!("\"{name}\" directive is duplicate");
                    Err(Diagnostic::error("nginx/duplicate", message))
                }
                None => Ok(row),
            },
        };
        match complaint {
            Ok(row) => {
                self.set(row, node, terminator);
                match (row.body, body) {
                    (Body::Block(inner), Some(nodes)) => {
                        let innermost = (row.contexts[0], inner);
                        self.enter(innermost, node, nodes, terminator);
                    }
                    (_, Some(nodes)) => self.lines(nodes),
                    (_, None) => {}
                }
            }
            Err(diagnostic) => {
                let diagnostic = diagnostic.at(node.name.span);
                self.report(diagnostic, node, terminator);
                self.skip(body.unwrap_or_default());
            }
        }
    }

    fn set(&mut self, row: &'static Directive<NginxConfig>, node: &Node, terminator: Span) {
        self.config.terminator = terminator;
        let mut found = Diagnostics::default();
        (row.set)(self.config, node, &mut found);
        match variable::mentions(node) {
            Ok(mentions) => {
                self.config.variables_used.extend(mentions.used);
                self.config.variables_defined.extend(mentions.defined);
            }
            Err(complaint) => found.push(complaint),
        }
        let mut answers = Diagnostics::default();
        for question in std::mem::take(&mut self.config.questions) {
            self.answer(question, &mut answers);
        }
        for diagnostic in answers.into_iter().chain(found) {
            self.report(diagnostic, node, terminator);
        }
        let is_block = matches!(row.body, Body::Block(_));
        if let (Support::Ignored(why), false) = (row.support, is_block) {
            let message = format!("\"{}\" has no effect", row.name);
            let note = Diagnostic::new(Severity::Note, "nginx/ignored", message);
            self.push(note.at(node.name.span).help(why));
        }
    }

    /// Points at the line that nginx would name: that of the directive's `;` or `{`.
    pub(super) fn report(&mut self, mut diagnostic: Diagnostic, node: &Node, terminator: Span) {
        if let Some(label) = diagnostic.labels.first() {
            let word = label.span;
            let inside = word.file == node.span.file
                && (node.span.start..=terminator.end.max(node.span.start)).contains(&word.start);
            let place = same_line(self.sources, word, terminator);
            if inside && !place.same_place(word) {
                let label = crate::text::Label { span: place, text: "ends here".to_owned() };
                diagnostic.labels.insert(0, label);
            }
        }
        self.push(diagnostic);
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity >= Severity::Error);
        if diagnostic.code == UNSUPPORTED {
            self.refusals.push(diagnostic);
        } else {
            self.out.push(diagnostic);
        }
    }

    fn enter(
        &mut self,
        (outer, inner): (&str, &'static str),
        node: &Node,
        nodes: &[Node],
        open: Span,
    ) {
        let scope = self.config.scope;
        match (outer, inner) {
            ("main", "http") => return self.foreign("http", node, nodes),
            ("main", "mail") => return self.foreign("mail", node, nodes),
            ("main", "events") => self.config.scope = Scope::Events,
            ("main", "stream") => self.config.scope = Scope::Stream,
            ("stream", "server") => self.config.scope = Scope::Server,
            ("stream", "upstream") => self.config.scope = Scope::Upstream,
            _ => {}
        }
        self.block(nodes, inner);
        self.config.scope = scope;
        if self.truncated {
            return;
        }
        let no_listen = |server: &mut Server| !server.has_listen;
        let no_peer = |upstream: &mut Upstream| !upstream.has_server;
        if inner == "stream" {
            let close = Span { start: node.span.end.saturating_sub(1), ..node.span };
            inherit::check(self, close);
        } else if inner == "server" && self.config.server().is_some_and(no_listen) {
            let message = "no \"listen\" is defined for server";
            self.push(Diagnostic::error("nginx/no-listen", message).at(open));
        } else if inner == "upstream" && self.config.upstream().is_some_and(no_peer) {
            let message = "no servers are inside upstream";
            let close = Span { start: node.span.end.saturating_sub(1), ..node.span };
            let diagnostic = Diagnostic::error("nginx/no-servers", message).at(close);
            self.push(diagnostic.label(node.name.span, "of this upstream"));
        }
    }

    fn answer(&mut self, question: Question, out: &mut Diagnostics) {
        match question {
            Question::User { name, group, span } => {
                // nginx takes the group of the same name where none is given.
                let group = group.unwrap_or_else(|| name.clone());
                self.config.main.user = self.host.user(&name, Some(&group));
                if self.config.main.user.is_some() {
                    return;
                }
                let message = match self.host.user(&name, None) {
                    None => format!("getpwnam(\"{name}\") failed"),
                    Some(_) => format!("getgrnam(\"{group}\") failed"),
                };
                out.push(Diagnostic::error("nginx/unknown-user", message).at(span));
            }
            Question::Trusted { name, span } => {
                let found = self.host.resolve(&name);
                if found.is_empty() {
                    let message = format!("host not found in set_real_ip_from \"{name}\"");
                    out.push(Diagnostic::error("nginx/unknown-host", message).at(span));
                }
                let networks = found.into_iter().map(Network::of);
                self.config.settings().doors.trusted.extend(networks);
            }
            Question::Passwords(file) => {
                let folder = self.config.folder.clone();
                let place = tls::load::Place { host: self.host, folder: &folder };
                let passwords = match place.passwords(&file.name) {
                    Ok(passwords) => passwords,
                    Err(message) => {
                        let diagnostic = Diagnostic::error("nginx/unreadable-file", message);
                        out.push(diagnostic.at(file.span));
                        return;
                    }
                };
                let settings = self.config.settings();
                let common = match file.towards_peers {
                    true => &mut settings.proxy_ssl.common,
                    false => &mut settings.ssl.common,
                };
                common.passwords = Some(passwords);
            }
            Question::Listen => self.answer_listen(out),
            Question::SyslogServer { name, port, text, span } => {
                match self.host.resolve(&name).first() {
                    Some(ip) => self.config.settle_syslog(SocketAddr::new(*ip, port)),
                    None => {
                        let message = format!("host not found in syslog server \"{text}\"");
                        out.push(Diagnostic::error("nginx/unknown-host", message).at(span));
                    }
                }
            }
            Question::Resolver { endpoint, text, span } => {
                let host = self.host;
                let found = config::addresses(&endpoint, |name| host.resolve(name));
                if found.is_empty() {
                    let message = format!("host not found in resolver \"{text}\"");
                    return out.push(Diagnostic::error("nginx/unknown-host", message).at(span));
                }
                let Some(resolver) = self.config.resolver().0 else { return };
                resolver.add(found);
            }
            Question::UpstreamServer => {
                let host = self.host;
                let Some(upstream) = self.config.upstream() else { return };
                let Some(server) = upstream.servers.last_mut() else { return };
                if server.resolves_late() {
                    return;
                }
                server.addresses = config::addresses(&server.endpoint, |name| host.resolve(name));
                if server.addresses.is_empty() {
                    let message = format!("host not found in upstream \"{}\"", server.text);
                    out.push(Diagnostic::error("nginx/unknown-host", message).at(server.span));
                }
            }
        }
    }

    fn answer_listen(&mut self, out: &mut Diagnostics) {
        let host = self.host;
        let Some(listen) = self.config.server().and_then(|server| server.listens.last_mut()) else {
            return;
        };
        listen.addresses = config::addresses(&listen.endpoint, |name| host.resolve(name));
        let listen = listen.clone();
        if listen.addresses.is_empty() {
            let text = &listen.text;
            let message = format!("host not found in \"{text}\" of the \"listen\" directive");
            out.push(Diagnostic::error("nginx/unknown-host", message).at(listen.span));
        }
        let stream = self.config.stream();
        let Some(server) = stream.servers.last() else { return };
        let at = (stream.servers.len() - 1, server.listens.len() - 1);
        for address in &listen.addresses {
            let Err(clash) = stream.addresses.add(at, &listen, address.clone()) else { continue };
            let diagnostic = match clash.is_error {
                true => Diagnostic::error("nginx/duplicate", clash.message),
                false => Diagnostic::warning("nginx/redefined", clash.message),
            };
            out.push(diagnostic.at(listen.span).label(clash.first, "the first one"));
            if clash.is_error {
                return;
            }
        }
    }
}

/// What is wrong with a directive's block or its number of arguments.
fn shape(row: &Directive<NginxConfig>, node: &Node) -> Option<Diagnostic> {
    let name = row.name;
    let takes_block = row.body != Body::None;
    let message = match node.body {
        Some(_) if !takes_block => format!("directive \"{name}\" is not terminated by \";\""),
        None if takes_block => format!("directive \"{name}\" has no opening \"{{\""),
        _ if !row.arity.takes(node.args.len()) => {
            let message = format!("invalid number of arguments in \"{name}\" directive");
            let help = format!("{name} {}", row.args);
            return Some(Diagnostic::error("nginx/arity", message).help(help));
        }
        _ => return None,
    };
    Some(Diagnostic::error("nginx/shape", message))
}

pub(super) fn not_allowed(name: &str) -> Diagnostic {
    let message = format!("\"{name}\" directive is not allowed here");
    Diagnostic::error("nginx/misplaced", message)
}

pub(super) fn unknown(name: &str, near: Option<&str>) -> Diagnostic {
    // nginx ends it there, too.
    let name = name.split('\0').next().unwrap_or_default();
    let message = format!("unknown directive \"{name}\"");
    let diagnostic = Diagnostic::error("nginx/unknown-directive", message);
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if name.starts_with('\u{feff}') => {
            diagnostic.help("the file begins with a byte order mark, which must go")
        }
        None if name.ends_with("_by_lua_block") || name.ends_with("_by_lua") => {
            diagnostic.help("Lua is not part of nginx, nor of Evenkeel")
        }
        None => diagnostic,
    }
}
