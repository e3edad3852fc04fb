//! What is done to the host's network.

/// By one instance, besides its virtual addresses.
#[derive(Clone, Debug, Default)]
pub struct Network {}

/// What `global_defs` says of it.
#[derive(Clone, Debug, Default)]
pub struct GlobalNetwork {}

/// `static_*` and `track_group`
#[derive(Clone, Debug, Default)]
pub struct Statics {}
