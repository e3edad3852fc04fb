//! Values of objects.

use std::net::Ipv4Addr;

use super::Oid;

/// RFC 2741, section 5.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Integer(i32),
    Octets(Vec<u8>),
    Null,
    Oid(Oid),
    Address(Ipv4Addr),
    Counter32(u32),
    Gauge32(u32),
    /// Hundredths of a second.
    TimeTicks(u32),
    Opaque(Vec<u8>),
    Counter64(u64),
    /// There is nothing of this kind.
    NoSuchObject,
    /// Of this kind there is something, but not this one.
    NoSuchInstance,
    /// A walk is over.
    EndOfMibView,
}

impl Value {
    pub fn text(text: &str) -> Value {
        Value::Octets(text.as_bytes().to_vec())
    }
}

/// An object and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    pub name: Oid,
    pub value: Value,
}
