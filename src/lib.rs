//! Evenkeel runs keepalived's VRRP and nginx's `stream` module in one daemon, from the config
//! files that people already have. Data flows one way:
//!
//! text → tokens → tree → typed config → [`plan::Plan`] → roles (processes) → packets, addresses,
//! sessions.
//!
//! The modules below stand in that order. A module imports only from the ones above it in this
//! list (`compat-tests/layers.rs` reads the `use crate::` lines and fails otherwise). Start reading
//! at [`plan`]: everything before it produces a Plan, everything after it runs one.

/// Layer 0. Bytes of config files, places in them, what is wrong with them.
pub mod text;

/// Layer 0. Linux: sockets, netlink, processes, namespaces. All `unsafe` code is in here.
#[allow(unsafe_code)]
pub mod kernel;

/// Layer 1. What will run: resolved, typed, serialisable.
pub mod plan;

/// Layer 1. How a keyword is declared, checked and shown: the single source for parser, manual
/// and support matrix.
pub mod directive;

/// Layer 1. What a config's meaning depends on besides its text: files, interfaces, users, names.
pub mod host;

/// Layer 1. OpenSSL contexts of what the Plan says, for whoever checks and whoever serves.
pub mod tls;

/// Layer 2. keepalived.conf: expansion, parsing, its keyword tables, lowering to a Plan.
pub mod keepalived;

/// Layer 2. nginx.conf: parsing, its directive tables, inheritance, lowering to a Plan.
pub mod nginx;

/// Layer 3. Files of both dialects → one Plan, or everything that is wrong with them.
pub mod load;

/// Layer 4. VRRP as pure state machines: no clock, no sockets, no async.
pub mod vrrp;

/// Layer 4. The life of one proxied connection, and the choice of its peer, as pure machines.
pub mod proxy;

/// Layer 4. AgentX, by which SNMP agents ask: its PDUs, one session as a pure machine, answers.
pub mod agentx;

/// Layer 5. What can be seen from outside: a moment as plain data, keepalived's dump files.
pub mod status;

/// Layer 6. The processes: shells that join the pure machines to the kernel layer.
pub mod runtime;

/// Layer 7. Rehearsal of a whole cluster in namespaces of this host.
pub mod lab;

/// Layer 8. Three faces: `evenkeel`, `keepalived`, `nginx`.
pub mod cli;
