//! What is tracked besides scripts.

/// By one instance or group.
#[derive(Clone, Debug, Default)]
pub struct Tracking {}

/// What can be.
#[derive(Clone, Debug, Default)]
pub struct Objects {}
