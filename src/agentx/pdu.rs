//! PDUs and their bytes (RFC 2741, sections 5 and 6).
//!
//! What a master sends is untrusted: [`Pdu::read`] takes any bytes, and says what is wrong with
//! them. What is written has network byte order.

mod read;
mod write;

pub use read::{Fault, HEADER, announced};

use super::{Oid, VarBind};

/// One message. Sets aren't taken apart: nothing here can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    pub session: u32,
    pub transaction: u32,
    pub packet: u32,
    /// `None`: the default context.
    pub context: Option<Vec<u8>>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Open {
        /// Seconds; 0: the master's own.
        timeout: u8,
        id: Oid,
        description: Vec<u8>,
    },
    Close(Reason),
    Register {
        timeout: u8,
        priority: u8,
        subtree: Oid,
    },
    Unregister {
        priority: u8,
        subtree: Oid,
    },
    Get(Vec<Range>),
    GetNext(Vec<Range>),
    GetBulk {
        non_repeaters: u16,
        max_repetitions: u16,
        ranges: Vec<Range>,
    },
    TestSet(Vec<VarBind>),
    CommitSet,
    UndoSet,
    CleanupSet,
    Notify(Vec<VarBind>),
    Ping,
    Response {
        /// The master's sysUpTime, in hundredths of a second.
        uptime: u32,
        /// [`NO_ERROR`], or what is wrong.
        error: u16,
        /// Which of the names it is about, from 1.
        index: u16,
        binds: Vec<VarBind>,
    },
}

/// RFC 2741, section 6.2.16, and RFC 3416's for sets.
pub const NO_ERROR: u16 = 0;
pub const TOO_BIG: u16 = 1;
pub const GENERAL_ERROR: u16 = 5;
pub const NOT_WRITABLE: u16 = 17;
/// This session isn't known: it has to be opened again.
pub const NOT_OPEN: u16 = 257;
/// Somebody else has the same subtree.
pub const DUPLICATE_REGISTRATION: u16 = 263;
pub const UNSUPPORTED_CONTEXT: u16 = 262;
pub const PARSE_ERROR: u16 = 266;

/// Why a session is closed (RFC 2741, section 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Other = 1,
    ParseError = 2,
    ProtocolError = 3,
    Timeouts = 4,
    Shutdown = 5,
    ByManager = 6,
}

/// A part of all names: from `start` to before `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: Oid,
    /// `start` itself counts.
    pub include: bool,
    /// Null: there is no end.
    pub end: Oid,
}

mod kind {
    pub(super) const OPEN: u8 = 1;
    pub(super) const CLOSE: u8 = 2;
    pub(super) const REGISTER: u8 = 3;
    pub(super) const UNREGISTER: u8 = 4;
    pub(super) const GET: u8 = 5;
    pub(super) const GET_NEXT: u8 = 6;
    pub(super) const GET_BULK: u8 = 7;
    pub(super) const TEST_SET: u8 = 8;
    pub(super) const COMMIT_SET: u8 = 9;
    pub(super) const UNDO_SET: u8 = 10;
    pub(super) const CLEANUP_SET: u8 = 11;
    pub(super) const NOTIFY: u8 = 12;
    pub(super) const PING: u8 = 13;
    pub(super) const RESPONSE: u8 = 18;
}

mod tag {
    pub(super) const INTEGER: u16 = 2;
    pub(super) const OCTETS: u16 = 4;
    pub(super) const NULL: u16 = 5;
    pub(super) const OID: u16 = 6;
    pub(super) const ADDRESS: u16 = 64;
    pub(super) const COUNTER32: u16 = 65;
    pub(super) const GAUGE32: u16 = 66;
    pub(super) const TIME_TICKS: u16 = 67;
    pub(super) const OPAQUE: u16 = 68;
    pub(super) const COUNTER64: u16 = 70;
    pub(super) const NO_SUCH_OBJECT: u16 = 128;
    pub(super) const NO_SUCH_INSTANCE: u16 = 129;
    pub(super) const END_OF_MIB_VIEW: u16 = 130;
}

const VERSION: u8 = 1;
const NON_DEFAULT_CONTEXT: u8 = 0x08;
const NETWORK_BYTE_ORDER: u8 = 0x10;
/// What 1.3.6.1.N may be shortened to.
const INTERNET: [u32; 4] = [1, 3, 6, 1];
/// Subidentifiers of an OID (RFC 2578, section 3.5).
const LONGEST_OID: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agentx::Value;

    fn pdu(body: Body) -> Pdu {
        Pdu { session: 7, transaction: 8, packet: 9, context: None, body }
    }

    fn every_value() -> Vec<VarBind> {
        let name = Oid::new(&[1, 3, 6, 1, 4, 1, 9586]);
        let values = [
            Value::Integer(-1),
            Value::text("abcde"),
            Value::Null,
            Value::Oid(Oid::new(&[1, 3, 6, 1, 300])),
            Value::Address([10, 9, 0, 1].into()),
            Value::Counter32(1),
            Value::Gauge32(2),
            Value::TimeTicks(3),
            Value::Opaque(vec![1]),
            Value::Counter64(1 << 40),
            Value::NoSuchObject,
            Value::NoSuchInstance,
            Value::EndOfMibView,
        ];
        values.map(|value| VarBind { name: name.clone(), value }).into()
    }

    fn bodies() -> Vec<Body> {
        let id = Oid::new(&[1, 3, 6, 1, 2, 1]);
        let range = Range { start: id.clone(), include: true, end: Oid::new(&[1, 4]) };
        vec![
            Body::Open { timeout: 3, id: id.clone(), description: b"evenkeel".to_vec() },
            Body::Close(Reason::Shutdown),
            Body::Register { timeout: 0, priority: 127, subtree: id.clone() },
            Body::Unregister { priority: 127, subtree: id.clone() },
            Body::Get(vec![range.clone()]),
            Body::GetNext(vec![range.clone(), Range { include: false, ..range.clone() }]),
            Body::GetBulk { non_repeaters: 1, max_repetitions: 5, ranges: vec![range] },
            Body::TestSet(every_value()),
            Body::CommitSet,
            Body::UndoSet,
            Body::CleanupSet,
            Body::Notify(every_value()),
            Body::Ping,
            Body::Response { uptime: 1, error: 2, index: 3, binds: every_value() },
        ]
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for body in bodies() {
            for context in [None, Some(b"other".to_vec())] {
                let has_context =
                    !matches!(body, Body::Open { .. } | Body::Close(_) | Body::Response { .. });
                let context = context.filter(|_| has_context);
                let pdu = Pdu { context, ..pdu(body.clone()) };
                let bytes = pdu.write();
                assert_eq!(announced(&bytes), Some(Ok(bytes.len())), "{pdu:?}");
                assert_eq!(Pdu::read(&bytes), Ok(pdu));
            }
        }
    }

    #[test]
    fn no_piece_of_one_is_taken_for_a_whole_one() {
        for body in bodies() {
            let bytes = pdu(body).write();
            for end in 0..bytes.len() {
                assert!(Pdu::read(&bytes[..end]).is_err());
                // The same with a length that says that it is whole.
                if let Some(length) = end.checked_sub(HEADER) {
                    let mut short = bytes[..end].to_vec();
                    short[16..20].copy_from_slice(&(length as u32).to_be_bytes());
                    let _ = Pdu::read(&short);
                }
            }
        }
    }

    /// Captured from net-snmp 5.9.3: snmpd asks in the byte order of the host that it runs on.
    #[test]
    fn both_byte_orders_are_read() {
        let bytes = [
            1,
            kind::GET,
            0,
            0,
            7,
            0,
            0,
            0,
            8,
            0,
            0,
            0,
            9,
            0,
            0,
            0,
            16,
            0,
            0,
            0, // header
            2,
            4,
            1,
            0,
            1,
            0,
            0,
            0,
            2,
            1,
            0,
            0, // .1.3.6.1.4.1.258
            0,
            0,
            0,
            0,
        ];
        let start = Oid::new(&[1, 3, 6, 1, 4, 1, 258]);
        let range = Range { start, include: true, end: Oid::default() };
        assert_eq!(Pdu::read(&bytes), Ok(pdu(Body::Get(vec![range]))));
    }

    /// A taste of what the fuzz target does for longer: bytes of good PDUs changed, cut and joined.
    #[test]
    fn what_is_read_of_damaged_bytes_is_written_and_read_as_the_same() {
        let good: Vec<Vec<u8>> = bodies().into_iter().map(|body| pdu(body).write()).collect();
        let mut state = 0x9e37_79b9_u32;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize % below
        };
        let mut read = 0;
        for _ in 0..50_000 {
            let mut bytes = good[random(good.len())].clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                bytes[at] = [0, 1, 4, 127, 128, 255, random(256) as u8][random(7)];
            }
            if random(4) == 0 {
                let more = &good[random(good.len())];
                bytes.extend_from_slice(&more[random(more.len())..]);
            }
            if random(2) == 0 && bytes.len() > HEADER {
                bytes.truncate(HEADER + random(bytes.len() - HEADER));
                let length = (bytes.len() - HEADER) as u32;
                bytes[16..20].copy_from_slice(&length.to_be_bytes());
            }
            if let Ok(pdu) = Pdu::read(&bytes) {
                read += 1;
                assert_eq!(Pdu::read(&pdu.write()), Ok(pdu));
            }
        }
        assert!(read > 1000, "{read}");
    }

    #[test]
    fn a_length_beyond_all_reason_is_refused_at_once() {
        let mut bytes = pdu(Body::Ping).write();
        bytes[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(announced(&bytes), Some(Err(Fault::Length)));
        assert_eq!(announced(&bytes[..10]), None);
    }
}
