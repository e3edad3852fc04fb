//! DNS on the wire: questions written, answers read. The codec is hickory's.

use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use super::Failure;

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    A,
    Aaaa,
    Srv,
}

impl Kind {
    fn on_wire(self) -> RecordType {
        match self {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Srv => RecordType::SRV,
        }
    }
}

/// A name as questions and caches have it: lower case, no dot at its end. `None`: no name for DNS.
pub(super) fn canonical(name: &str) -> Option<Arc<str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    parse(name)?;
    Some(name.to_ascii_lowercase().into())
}

fn parse(name: &str) -> Option<Name> {
    if name.is_empty() || !name.is_ascii() {
        return None;
    }
    // Labels as they stand: a backslash is no escape in nginx.
    let labels = name.split('.').map(str::as_bytes);
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A question as nginx asks it: recursion desired, no extensions.
pub(super) fn question(id: u16, kind: Kind, name: &str) -> Option<Vec<u8>> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(parse(name)?, kind.on_wire()));
    message.to_vec().ok()
}

/// One `SRV` record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    pub(super) target: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Address(IpAddr),
    Srv(Srv),
    Alias(Arc<str>),
}

/// An answer of a name server, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub(super) id: u16,
    pub(super) truncated: bool,
    code: ResponseCode,
    /// What it says it answers; format errors may leave it out.
    question: Option<(Arc<str>, RecordType)>,
    records: Vec<(Arc<str>, u32, Content)>,
}

/// What a reply says about the name and kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Possibly nothing. With the lowest TTL on the way to it.
    Addresses(Vec<IpAddr>, u32),
    Services(Vec<Srv>, u32),
    /// Ask for this name.
    Elsewhere(Arc<str>),
    Failed(Failure),
}

/// Aliases that are followed within one reply.
const HOPS: usize = 32;

impl Reply {
    /// From untrusted bytes; `None`: it's no reply.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let message = Message::from_vec(bytes).ok()?;
        let about = &message.metadata;
        if about.message_type != MessageType::Response || about.op_code != OpCode::Query {
            return None;
        }
        let question = match &message.queries[..] {
            [] => None,
            [query] if query.query_class() == DNSClass::IN => {
                Some((text(query.name()), query.query_type()))
            }
            _ => return None,
        };
        let records = message.answers.iter().filter(|record| record.dns_class == DNSClass::IN);
        let records = records.filter_map(|record| {
            let content = match &record.data {
                RData::A(address) => Content::Address(address.0.into()),
                RData::AAAA(address) => Content::Address(address.0.into()),
                RData::CNAME(name) => Content::Alias(text(&name.0)),
                RData::SRV(srv) => Content::Srv(Srv {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    target: text(&srv.target),
                }),
                _ => return None,
            };
            Some((text(&record.name), record.ttl, content))
        });
        Some(Reply {
            id: about.id,
            truncated: about.truncation,
            code: about.response_code,
            question,
            records: records.collect(),
        })
    }

    /// Whether it can be the answer to this question.
    pub(super) fn answers(&self, kind: Kind, name: &str) -> bool {
        match &self.question {
            Some((asked, of)) => &**asked == name && *of == kind.on_wire(),
            None => self.code == ResponseCode::FormErr,
        }
    }

    /// A reply that says that the question was malformed: nginx logs it and goes on waiting.
    pub(super) fn is_format_error(&self) -> bool {
        self.code == ResponseCode::FormErr
    }

    /// Follows aliases as far as the reply goes. Records of names that aren't on that way count
    /// for nothing.
    pub(super) fn says(&self, kind: Kind, name: &str) -> Said {
        match self.code {
            ResponseCode::NoError => {}
            ResponseCode::FormErr => return Said::Failed(Failure::Format),
            ResponseCode::ServFail => return Said::Failed(Failure::Server),
            ResponseCode::NXDomain => return Said::Failed(Failure::NotFound),
            ResponseCode::NotImp => return Said::Failed(Failure::Unimplemented),
            ResponseCode::Refused => return Said::Failed(Failure::Refused),
            code => return Said::Failed(Failure::Other(code.into())),
        }
        let mut name: &str = name;
        let mut life = u32::MAX;
        for _ in 0..HOPS {
            let (mut addresses, mut services) = (Vec::new(), Vec::new());
            let mut alias = None;
            let mut shortest = life;
            for (owner, ttl, content) in &self.records {
                if **owner != *name {
                    continue;
                }
                match (content, kind) {
                    (Content::Address(address @ IpAddr::V4(_)), Kind::A)
                    | (Content::Address(address @ IpAddr::V6(_)), Kind::Aaaa) => {
                        addresses.push(*address);
                    }
                    (Content::Srv(srv), Kind::Srv) => services.push(srv.clone()),
                    (Content::Alias(to), _) => alias = Some(to),
                    _ => continue,
                }
                shortest = shortest.min(*ttl);
            }
            if !addresses.is_empty() {
                return Said::Addresses(addresses, shortest);
            }
            if !services.is_empty() {
                return Said::Services(services, shortest);
            }
            let Some(alias) = alias else { break };
            (name, life) = (alias, shortest);
        }
        match kind {
            _ if life != u32::MAX => Said::Elsewhere(name.into()),
            Kind::Srv => Said::Services(Vec::new(), 0),
            Kind::A | Kind::Aaaa => Said::Addresses(Vec::new(), 0),
        }
    }
}

fn text(name: &Name) -> Arc<str> {
    let mut text = String::with_capacity(name.len());
    for (at, label) in name.iter().enumerate() {
        if at > 0 {
            text.push('.');
        }
        // Bytes that aren't ASCII are no part of a name that was asked for.
        text.extend(label.iter().map(|byte| char::from(byte.to_ascii_lowercase())));
    }
    text.into()
}
