//! The processes themselves.

/// What `global_defs` says of them.
#[derive(Clone, Debug, Default)]
pub struct Process {}
