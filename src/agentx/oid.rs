//! Object identifiers.

use std::fmt;

/// The name of an object: numbers from the root of all names down. Ordered as a walk goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Vec<u32>);

impl Oid {
    pub fn new(numbers: &[u32]) -> Oid {
        Oid(numbers.to_vec())
    }

    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// RFC 2741's "null object identifier".
    pub fn is_null(&self) -> bool {
        self.0.is_empty()
    }

    /// With more numbers behind it.
    #[must_use]
    pub fn join(&self, numbers: &[u32]) -> Oid {
        Oid([&self.0, numbers].concat())
    }

    pub fn starts_with(&self, prefix: &Oid) -> bool {
        self.0.starts_with(&prefix.0)
    }
}

/// `.1.3.6.1`, as snmpwalk's `-On` writes it.
impl fmt::Display for Oid {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|number| write!(out, ".{number}"))
    }
}
