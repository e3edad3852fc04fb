//! Elements of nftables' sets, put in and taken out by nfnetlink: at once, in one message, where a
//! call of the program nft would take as long as several adverts may be apart.
//!
//! Numbers are those of linux/netfilter/nfnetlink.h and nf_tables.h.

use std::io;

use rtnetlink::sys::{Socket, SocketAddr};

const NETLINK_NETFILTER: isize = 12;
/// NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END
const BATCH: [u16; 2] = [0x10, 0x11];
/// NFNL_SUBSYS_NFTABLES
const SUBSYSTEM: u16 = 10;
/// NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM
const NEW: u16 = 12;
const DELETE: u16 = 14;
/// NFTA_SET_ELEM_LIST_*
const TABLE: u16 = 1;
const SET: u16 = 2;
const ELEMENTS: u16 = 3;
/// NFTA_LIST_ELEM, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
const FIRST: u16 = 1;
const NESTED: u16 = 1 << 15;
const NLMSG_ERROR: u16 = 2;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const CREATE: u16 = 0x400;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// Of `ip6`, else of `ip`.
    pub ipv6: bool,
    pub name: &'a str,
}

/// A socket for requests.
#[derive(Debug)]
pub struct Nftables {
    socket: Socket,
    sequence: u32,
}

impl Nftables {
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // The kernel has answered when a request has been sent.
        socket.set_non_blocking(true)?;
        Ok(Nftables { socket, sequence: 0 })
    }

    /// Puts elements, given by their keys' bytes, into a set, all or none. Those that are there
    /// already are no error.
    pub fn insert(&mut self, table: Table, set: &str, keys: &[Vec<u8>]) -> io::Result<()> {
        self.request(NEW, CREATE, table, set, keys)
    }

    /// Takes elements out. Those that aren't there are no error, nor is a set that isn't.
    pub fn remove(&mut self, table: Table, set: &str, keys: &[Vec<u8>]) -> io::Result<()> {
        for key in keys {
            match self.request(DELETE, 0, table, set, std::slice::from_ref(key)) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn request(
        &mut self,
        kind: u16,
        flags: u16,
        table: Table,
        set: &str,
        keys: &[Vec<u8>],
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = batch(self.sequence, kind, flags, table, set, keys);
        self.socket.send(&bytes, 0)?;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            if let Some(result) = answer(&datagram, self.sequence) {
                return result;
            }
        }
    }
}

/// The request between the messages that open and close it: elements change only in such batches.
fn batch(
    sequence: u32,
    kind: u16,
    flags: u16,
    table: Table,
    set: &str,
    keys: &[Vec<u8>],
) -> Vec<u8> {
    let family = if table.ipv6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
    let elements: Vec<u8> = keys
        .iter()
        .flat_map(|key| {
            let value = attribute(FIRST, key);
            attribute(FIRST | NESTED, &attribute(FIRST | NESTED, &value))
        })
        .collect();
    let mut body = text(TABLE, table.name);
    body.extend(text(SET, set));
    body.extend(attribute(ELEMENTS | NESTED, &elements));
    let [begin, end] = BATCH;
    let mut bytes = message(begin, REQUEST, sequence, 0, SUBSYSTEM, &[]);
    let flags = REQUEST | ACKNOWLEDGE | flags;
    bytes.extend(message(SUBSYSTEM << 8 | kind, flags, sequence, family, 0, &body));
    bytes.extend(message(end, REQUEST, sequence, 0, SUBSYSTEM, &[]));
    bytes
}

/// nlmsghdr, nfgenmsg, attributes.
fn message(
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    resource: u16,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((20 + body.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// nlattr, padded to four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = 4 + value.len();
    let mut bytes = Vec::with_capacity(length.next_multiple_of(4));
    bytes.extend((length as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length.next_multiple_of(4), 0);
    bytes
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// What a datagram says of the request of this number; `None`: nothing.
fn answer(datagram: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let word = |at: usize| Some(u32::from_ne_bytes(datagram.get(at..at + 4)?.try_into().ok()?));
    let kind = u16::from_ne_bytes(datagram.get(4..6)?.try_into().ok()?);
    if kind != NLMSG_ERROR || word(8)? != sequence {
        return None;
    }
    Some(match word(16)? as i32 {
        0 => Ok(()),
        number => Err(io::Error::from_raw_os_error(number.saturating_neg())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As strace(1) shows what nft sends for `add element ip t s { 10.0.0.1 }`, but for the order
    /// of things that may stand in any.
    #[test]
    fn a_batch_has_its_lengths_and_pads() {
        let table = Table { ipv6: false, name: "kee" };
        let bytes = batch(7, NEW, CREATE, table, "vips", &[vec![10, 0, 0, 1]]);
        let mut rest = bytes.as_slice();
        let mut kinds = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
            assert_eq!(length % 4, 0);
            kinds.push(u16::from_ne_bytes(rest[4..6].try_into().unwrap()));
            rest = &rest[length..];
        }
        assert_eq!(kinds, [0x10, 0x0a0c, 0x11]);
        let body = &bytes[40..bytes.len() - 20];
        let expected = [
            &[8, 0, 1, 0][..],
            b"kee\0",
            &[9, 0, 2, 0],
            b"vips\0\0\0\0",
            &[20, 0, 3, 0x80, 16, 0, 1, 0x80, 12, 0, 1, 0x80, 8, 0, 1, 0, 10, 0, 0, 1],
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn answers_are_read_and_rubbish_is_none() {
        let mut bytes = message(NLMSG_ERROR, 0, 7, 0, 0, &[]);
        bytes[16..20].copy_from_slice(&(-libc::ENOENT).to_ne_bytes());
        let error = answer(&bytes, 7).unwrap().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(answer(&bytes, 8).is_none());
        bytes[16..20].fill(0);
        assert!(answer(&bytes, 7).unwrap().is_ok());
        for length in 0..20 {
            assert!(answer(&bytes[..length], 7).is_none());
        }
    }
}
