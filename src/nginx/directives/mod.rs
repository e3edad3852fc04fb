//! nginx's directives, one table per module of nginx; the rows are the only place that knows them.
//!
//! A row's setter reads the arguments into the [`NginxConfig`] and says what is wrong with them, in
//! nginx's words. Rows that Evenkeel doesn't run are checked as far as nginx checks them, and then
//! refused or declared without effect. Read [`slot`] next, then the table that interests you.

use super::config::NginxConfig;
use crate::directive::{Arity, Body, Directive, Repeat, Setter, Support};
use crate::text::{Diagnostics, Node};

mod access;
mod core;
mod error_log;
mod events;
mod geo;
mod listen;
mod log;
mod main;
mod map;
mod module;
mod outward;
mod pattern;
mod placement;
mod proxy;
mod resolver;
mod server_name;
pub(super) mod slot;
mod split;
mod ssl;
mod syslog;
mod upstream;
mod variables;

type Row = Directive<NginxConfig>;

/// Every directive outside `http {}` and `mail {}`.
pub fn all() -> impl Iterator<Item = &'static Directive<NginxConfig>> + Clone {
    [
        main::ROWS,
        placement::ROWS,
        events::ROWS,
        core::ROWS,
        upstream::ROWS,
        proxy::ROWS,
        access::ROWS,
        variables::ROWS,
        log::ROWS,
        ssl::ROWS,
    ]
    .into_iter()
    .flatten()
}

const MAIN: &[&str] = &["main"];
const EVENTS: &[&str] = &["events"];
const STREAM: &[&str] = &["stream"];
const SERVER: &[&str] = &["server"];
const BOTH: &[&str] = &["stream", "server"];
const UPSTREAM: &[&str] = &["upstream"];

const ONE: Arity = Arity::ONE;
const TAKE12: Arity = Arity::OneOf(&[1, 2]);
const TAKE123: Arity = Arity::OneOf(&[1, 2, 3]);
const SOME: Arity = Arity::AtLeast(1);

/// A row with the commonest answers: no block, once per block, supported in full.
const fn row(
    name: &'static str,
    contexts: &'static [&'static str],
    arity: Arity,
    args: &'static str,
    summary: &'static str,
    set: Setter<NginxConfig>,
) -> Row {
    Directive {
        name,
        contexts,
        arity,
        args,
        body: Body::None,
        repeat: Repeat::Refused,
        inherited: contexts.len() > 1,
        default: None,
        since: None,
        summary,
        support: Support::Full,
        set,
    }
}

/// The setter of rows whose arguments nginx takes as they come.
fn any_value(_: &mut NginxConfig, _: &Node, _: &mut Diagnostics) {}
