//! What goes over the wire.

/// Of one instance, besides what [`Instance`](super::Instance) has.
#[derive(Clone, Debug, Default)]
pub struct Wire {}

/// Of all that don't say.
#[derive(Clone, Debug, Default)]
pub struct GlobalWire {}
