//! Virtual servers, their checks, and BFD.

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Checkers {}
