//! PDUs into bytes.

use super::{
    Body, INTERNET, NETWORK_BYTE_ORDER, NON_DEFAULT_CONTEXT, Pdu, Range, VERSION, kind, tag,
};
use crate::agentx::{Oid, Value, VarBind};

impl Pdu {
    /// In network byte order.
    pub fn write(&self) -> Vec<u8> {
        let context = if self.context.is_some() { NON_DEFAULT_CONTEXT } else { 0 };
        let mut out = vec![VERSION, self.body.kind(), NETWORK_BYTE_ORDER | context, 0];
        for number in [self.session, self.transaction, self.packet, 0] {
            put(&mut out, number);
        }
        let header = out.len();
        if let Some(context) = &self.context {
            octets(&mut out, context);
        }
        self.body.write(&mut out);
        let length = (out.len() - header) as u32;
        out[header - 4..header].copy_from_slice(&length.to_be_bytes());
        out
    }
}

impl Body {
    fn kind(&self) -> u8 {
        match self {
            Body::Open { .. } => kind::OPEN,
            Body::Close(_) => kind::CLOSE,
            Body::Register { .. } => kind::REGISTER,
            Body::Unregister { .. } => kind::UNREGISTER,
            Body::Get(_) => kind::GET,
            Body::GetNext(_) => kind::GET_NEXT,
            Body::GetBulk { .. } => kind::GET_BULK,
            Body::TestSet(_) => kind::TEST_SET,
            Body::CommitSet => kind::COMMIT_SET,
            Body::UndoSet => kind::UNDO_SET,
            Body::CleanupSet => kind::CLEANUP_SET,
            Body::Notify(_) => kind::NOTIFY,
            Body::Ping => kind::PING,
            Body::Response { .. } => kind::RESPONSE,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Body::Open { timeout, id, description } => {
                out.extend([*timeout, 0, 0, 0]);
                oid(out, id, false);
                octets(out, description);
            }
            Body::Close(reason) => out.extend([*reason as u8, 0, 0, 0]),
            Body::Register { timeout, priority, subtree } => {
                out.extend([*timeout, *priority, 0, 0]);
                oid(out, subtree, false);
            }
            Body::Unregister { priority, subtree } => {
                out.extend([0, *priority, 0, 0]);
                oid(out, subtree, false);
            }
            Body::Get(list) | Body::GetNext(list) => ranges(out, list),
            Body::GetBulk { non_repeaters, max_repetitions, ranges: list } => {
                out.extend(non_repeaters.to_be_bytes());
                out.extend(max_repetitions.to_be_bytes());
                ranges(out, list);
            }
            Body::TestSet(list) | Body::Notify(list) => binds(out, list),
            Body::CommitSet | Body::UndoSet | Body::CleanupSet | Body::Ping => {}
            Body::Response { uptime, error, index, binds: list } => {
                put(out, *uptime);
                out.extend(error.to_be_bytes());
                out.extend(index.to_be_bytes());
                binds(out, list);
            }
        }
    }
}

fn put(out: &mut Vec<u8>, number: u32) {
    out.extend(number.to_be_bytes());
}

fn octets(out: &mut Vec<u8>, octets: &[u8]) {
    put(out, octets.len() as u32);
    out.extend(octets);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn oid(out: &mut Vec<u8>, oid: &Oid, include: bool) {
    let numbers = oid.numbers();
    let short = numbers.strip_prefix(&INTERNET).and_then(|rest| {
        let (first, rest) = rest.split_first()?;
        let prefix = u8::try_from(*first).ok().filter(|prefix| *prefix > 0)?;
        Some((prefix, rest))
    });
    let (prefix, rest) = short.unwrap_or((0, numbers));
    out.extend([rest.len() as u8, prefix, include.into(), 0]);
    rest.iter().for_each(|number| put(out, *number));
}

fn ranges(out: &mut Vec<u8>, ranges: &[Range]) {
    for range in ranges {
        oid(out, &range.start, range.include);
        oid(out, &range.end, false);
    }
}

fn binds(out: &mut Vec<u8>, binds: &[VarBind]) {
    for VarBind { name, value } in binds {
        out.extend(value.tag().to_be_bytes());
        out.extend([0, 0]);
        oid(out, name, false);
        match value {
            Value::Integer(number) => put(out, number.cast_unsigned()),
            Value::Octets(bytes) | Value::Opaque(bytes) => octets(out, bytes),
            Value::Oid(value) => oid(out, value, false),
            Value::Address(address) => octets(out, &address.octets()),
            Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
                put(out, *number);
            }
            Value::Counter64(number) => out.extend(number.to_be_bytes()),
            Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {}
        }
    }
}

impl Value {
    fn tag(&self) -> u16 {
        match self {
            Value::Integer(_) => tag::INTEGER,
            Value::Octets(_) => tag::OCTETS,
            Value::Null => tag::NULL,
            Value::Oid(_) => tag::OID,
            Value::Address(_) => tag::ADDRESS,
            Value::Counter32(_) => tag::COUNTER32,
            Value::Gauge32(_) => tag::GAUGE32,
            Value::TimeTicks(_) => tag::TIME_TICKS,
            Value::Opaque(_) => tag::OPAQUE,
            Value::Counter64(_) => tag::COUNTER64,
            Value::NoSuchObject => tag::NO_SUCH_OBJECT,
            Value::NoSuchInstance => tag::NO_SUCH_INSTANCE,
            Value::EndOfMibView => tag::END_OF_MIB_VIEW,
        }
    }
}
