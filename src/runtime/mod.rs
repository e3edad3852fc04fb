//! The processes: shells that join the pure machines to the kernel layer.
//!
//! [`handoff`] is what supervisor and roles say to each other. Read it next.

pub mod handoff;
