//! Evenkeel against the real programs, against recorded fixtures, and against itself.
//!
//! One binary, a module per subject; `cargo nextest run` gives each test a process of its own.
//! Tests that need root or one of Debian's packages say so at their head; `make test` installs
//! what is missing.

mod bed;
mod checks;
mod cli;
mod config_keepalived;
mod config_nginx;
mod dbus;
mod dumps;
mod exporter;
mod lab;
mod layers;
mod life;
mod node;
mod peers;
mod proxy;
mod readme;
mod replay;
mod scenarios;
mod snmp;
mod status;
mod stream;
mod tables;
mod telling;
mod voices;
mod wire;
mod world;
