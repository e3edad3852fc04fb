//! How routers behave.

/// Of one instance.
#[derive(Clone, Debug, Default)]
pub struct Conduct {}

/// Of all that don't say.
#[derive(Clone, Debug, Default)]
pub struct GlobalConduct {}
