//! What can be seen of a running daemon, as plain data, and the texts that other people's tools
//! read.
//!
//! Roles fill a [`snapshot`]; everything after it is pure: [`dump`] has the files that keepalived
//! writes on a signal, by which exporters live, [`notice`] what scripts, FIFOs and mail say of a
//! change, [`mib`] what SNMP managers ask for. Nothing in here opens a file or asks the kernel.
//! Read [`snapshot`] next.

pub mod dump;
pub mod mib;
pub mod notice;
pub mod snapshot;
