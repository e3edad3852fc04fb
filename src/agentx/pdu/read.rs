//! Bytes into PDUs.

use std::fmt;

use super::{
    Body, INTERNET, LONGEST_OID, NETWORK_BYTE_ORDER, NON_DEFAULT_CONTEXT, Pdu, Range, Reason,
    VERSION, kind, tag,
};
use crate::agentx::{Oid, Value, VarBind};

/// Bytes of the header, which every PDU begins with.
pub const HEADER: usize = 20;
/// A master that asks for more at once than this is not believed.
const LONGEST: usize = 1 << 20;

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early, or there is something behind it.
    Length,
    Version(u8),
    /// A type that no master sends.
    Kind(u8),
    /// A name longer than names may be.
    Oid,
    /// A type of a value that isn't one.
    Value(u16),
    Reason(u8),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Fault::Length => write!(out, "a length that cannot be"),
            Fault::Version(number) => write!(out, "version {number} instead of {VERSION}"),
            Fault::Kind(number) => write!(out, "type {number}, which isn't for a subagent"),
            Fault::Oid => write!(out, "a name of more than {LONGEST_OID} numbers"),
            Fault::Value(number) => write!(out, "a value of type {number}"),
            Fault::Reason(number) => write!(out, "a reason {number} to close"),
        }
    }
}

/// How long the PDU is that these bytes begin, header included; `None`: not enough of them.
pub fn announced(bytes: &[u8]) -> Option<Result<usize, Fault>> {
    let header = bytes.first_chunk::<HEADER>()?;
    let [.., a, b, c, d] = *header;
    let number = if is_network(header) { u32::from_be_bytes } else { u32::from_le_bytes };
    let length = number([a, b, c, d]) as usize;
    Some(if length > LONGEST || !length.is_multiple_of(4) {
        Err(Fault::Length)
    } else {
        Ok(HEADER + length)
    })
}

fn is_network(header: &[u8; HEADER]) -> bool {
    header[2] & NETWORK_BYTE_ORDER != 0
}

impl Pdu {
    /// Exactly one PDU.
    pub fn read(bytes: &[u8]) -> Result<Pdu, Fault> {
        let length = announced(bytes).unwrap_or(Err(Fault::Length))?;
        let (Some(header), true) = (bytes.first_chunk::<HEADER>(), bytes.len() == length) else {
            return Err(Fault::Length);
        };
        let [version, kind, flags, ..] = *header;
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let mut reader = Reader { rest: &bytes[4..16], network: is_network(header) };
        let (session, transaction, packet) = (reader.u32()?, reader.u32()?, reader.u32()?);
        reader.rest = &bytes[HEADER..];
        let context = if flags & NON_DEFAULT_CONTEXT != 0 { Some(reader.octets()?) } else { None };
        let body = reader.body(kind)?;
        if !reader.rest.is_empty() {
            return Err(Fault::Length);
        }
        Ok(Pdu { session, transaction, packet, context, body })
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    network: bool,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Fault::Length)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        let bytes = self.take()?;
        Ok(if self.network { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        let bytes = self.take()?;
        Ok(if self.network { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        let bytes = self.take()?;
        Ok(if self.network { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    fn octets(&mut self) -> Result<Vec<u8>, Fault> {
        let length = self.u32()? as usize;
        let padded = length.checked_next_multiple_of(4).ok_or(Fault::Length)?;
        let (taken, rest) = self.rest.split_at_checked(padded).ok_or(Fault::Length)?;
        self.rest = rest;
        Ok(taken[..length].to_vec())
    }

    /// The name, and whether it is included.
    fn oid(&mut self) -> Result<(Oid, bool), Fault> {
        let [count, prefix, include, _] = self.take()?;
        let mut numbers = Vec::with_capacity(usize::from(count) + 5);
        if prefix != 0 {
            numbers.extend(INTERNET);
            numbers.push(prefix.into());
        }
        for _ in 0..count {
            numbers.push(self.u32()?);
        }
        if numbers.len() > LONGEST_OID {
            return Err(Fault::Oid);
        }
        Ok((Oid::new(&numbers), include != 0))
    }

    fn ranges(&mut self) -> Result<Vec<Range>, Fault> {
        let mut ranges = Vec::new();
        while !self.rest.is_empty() {
            let (start, include) = self.oid()?;
            let (end, _) = self.oid()?;
            ranges.push(Range { start, include, end });
        }
        Ok(ranges)
    }

    fn binds(&mut self) -> Result<Vec<VarBind>, Fault> {
        let mut binds = Vec::new();
        while !self.rest.is_empty() {
            let (tag, _) = (self.u16()?, self.u16()?);
            let (name, _) = self.oid()?;
            binds.push(VarBind { name, value: self.value(tag)? });
        }
        Ok(binds)
    }

    fn value(&mut self, tag: u16) -> Result<Value, Fault> {
        Ok(match tag {
            tag::INTEGER => Value::Integer(self.u32()?.cast_signed()),
            tag::OCTETS => Value::Octets(self.octets()?),
            tag::NULL => Value::Null,
            tag::OID => Value::Oid(self.oid()?.0),
            // In the order of an address, whatever that of numbers is.
            tag::ADDRESS => {
                let octets = self.octets()?;
                let address: [u8; 4] = octets.try_into().map_err(|_| Fault::Length)?;
                Value::Address(address.into())
            }
            tag::COUNTER32 => Value::Counter32(self.u32()?),
            tag::GAUGE32 => Value::Gauge32(self.u32()?),
            tag::TIME_TICKS => Value::TimeTicks(self.u32()?),
            tag::OPAQUE => Value::Opaque(self.octets()?),
            tag::COUNTER64 => Value::Counter64(self.u64()?),
            tag::NO_SUCH_OBJECT => Value::NoSuchObject,
            tag::NO_SUCH_INSTANCE => Value::NoSuchInstance,
            tag::END_OF_MIB_VIEW => Value::EndOfMibView,
            other => return Err(Fault::Value(other)),
        })
    }

    fn body(&mut self, kind: u8) -> Result<Body, Fault> {
        Ok(match kind {
            kind::OPEN => {
                let [timeout, ..] = self.take::<4>()?;
                Body::Open { timeout, id: self.oid()?.0, description: self.octets()? }
            }
            kind::CLOSE => {
                let [reason, ..] = self.take::<4>()?;
                Body::Close(Reason::of(reason)?)
            }
            kind::REGISTER => {
                let [timeout, priority, range, _] = self.take()?;
                let subtree = self.oid()?.0;
                if range != 0 {
                    self.u32()?;
                }
                Body::Register { timeout, priority, subtree }
            }
            kind::UNREGISTER => {
                let [_, priority, range, _] = self.take()?;
                let subtree = self.oid()?.0;
                if range != 0 {
                    self.u32()?;
                }
                Body::Unregister { priority, subtree }
            }
            kind::GET => Body::Get(self.ranges()?),
            kind::GET_NEXT => Body::GetNext(self.ranges()?),
            kind::GET_BULK => Body::GetBulk {
                non_repeaters: self.u16()?,
                max_repetitions: self.u16()?,
                ranges: self.ranges()?,
            },
            kind::TEST_SET => Body::TestSet(self.binds()?),
            kind::COMMIT_SET => Body::CommitSet,
            kind::UNDO_SET => Body::UndoSet,
            kind::CLEANUP_SET => Body::CleanupSet,
            kind::NOTIFY => Body::Notify(self.binds()?),
            kind::PING => Body::Ping,
            kind::RESPONSE => Body::Response {
                uptime: self.u32()?,
                error: self.u16()?,
                index: self.u16()?,
                binds: self.binds()?,
            },
            other => return Err(Fault::Kind(other)),
        })
    }
}

impl Reason {
    fn of(number: u8) -> Result<Reason, Fault> {
        Ok(match number {
            1 => Reason::Other,
            2 => Reason::ParseError,
            3 => Reason::ProtocolError,
            4 => Reason::Timeouts,
            5 => Reason::Shutdown,
            6 => Reason::ByManager,
            other => return Err(Fault::Reason(other)),
        })
    }
}
