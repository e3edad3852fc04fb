//! VRRP as pure state machines (RFC 3768, 5798, 9568, and what keepalived adds).
//!
//! [`machine`] is one virtual router on this node, [`group`] several that change state together,
//! [`script`] one tracked script, [`process`] one tracked process, [`file`] the value of a tracked
//! file, [`track`] what all of them make of a router's priority, [`packet`] what goes over the wire,
//! [`pace`] when what is announced may go out.
//! A shell hands the machines events with the time and does what their actions say; none of them
//! has a clock, a socket or a thread. Read [`machine`] next.

pub mod file;
pub mod group;
pub mod machine;
pub mod pace;
pub mod packet;
pub mod process;
pub mod script;
pub mod track;
