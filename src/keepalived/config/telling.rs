//! Whom it is told.

/// By one instance or group, besides its notify scripts.
#[derive(Clone, Debug, Default)]
pub struct Telling {}

/// What `global_defs` says of it.
#[derive(Clone, Debug, Default)]
pub struct GlobalTelling {}
