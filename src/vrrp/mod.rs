//! VRRP as pure state machines (RFC 3768, 5798, 9568, and what keepalived adds).
//!
//! [`machine`] is one virtual router on this node. A shell hands it events with the time and does
//! what its actions say. Read [`machine`] next.

pub mod machine;
