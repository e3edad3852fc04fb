//! The life of one proxied connection, and the choice of its peer, as pure machines.
//!
//! A connection walks through two phases: [`session::Dialing`] asks the [`balancer`] for peers until
//! one answers, then [`session::Relay`] counts what flows and says when which side is closed.
//! [`message`] words what the log says about it, and [`variable`] fills
//! in texts with variables, with the [`table`]s that a config makes of them. Before that come
//! [`preface`] (what a connection begins with), [`network`] (who may connect) and [`limit`] (how
//! often); [`pace`] is for rates, [`shelf`] for what is remembered,
//! [`ocsp`] for what is asked about certificates. Sockets, buffers and timers are the runtime's.
//! Read [`session`] next.

pub mod access_line;
pub mod balancer;
pub mod flow;
pub mod limit;
pub mod message;
pub mod network;
pub mod ocsp;
pub mod pace;
pub mod preface;
pub mod resolver;
pub mod session;
pub mod shelf;
pub mod table;
pub mod variable;
