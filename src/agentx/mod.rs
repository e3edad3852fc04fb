//! AgentX (RFC 2741): how a daemon lends its objects to the host's SNMP agent.
//!
//! Everything in here is pure: [`pdu`] turns bytes into [`Pdu`]s and back, [`session`] is one
//! subagent's talk with its master as a state machine, [`tree`] answers what the master asks from
//! a list of objects and values. What those objects are is said by
//! `status::mib`, who connects by `runtime`. Read [`session`] next.

mod oid;
pub mod pdu;
pub mod session;
pub mod tree;
mod value;

pub use oid::Oid;
pub use pdu::Pdu;
pub use value::{Value, VarBind};
