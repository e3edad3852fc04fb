//! `encap` of a route or nexthop: the header that the kernel puts in front of packets.

use super::super::iproute::wide;
use super::cursor::{Cursor, Dropped};
use super::read;
use crate::plan::route::{Encapsulation, Tunnel};
use crate::text::Word;

/// 20 bits (RFC 3032 section 2.1).
const HIGHEST_LABEL: u32 = (1 << 20) - 1;

/// What follows `encap`. `Ok(None)`: nothing that is known; the route does without.
pub(super) fn read(cursor: &mut Cursor, option: &Word) -> Result<Option<Encapsulation>, Dropped> {
    let kind = cursor.value(option)?;
    match kind.text.as_slice() {
        b"ip" => Ok(Some(Encapsulation::Ip(tunnel(cursor, false)?))),
        b"ip6" => Ok(Some(Encapsulation::Ip6(tunnel(cursor, true)?))),
        b"mpls" => mpls(cursor, kind),
        b"ila" => ila(cursor, kind),
        _ => {
            // As measured: a word behind an unknown kind goes with it.
            cursor.next();
            cursor.complain(kind, format!("Unknown encap type - {}", kind.lossy()));
            Ok(None)
        }
    }
}

fn tunnel(cursor: &mut Cursor, ipv6: bool) -> Result<Tunnel, Dropped> {
    let mut tunnel = Tunnel::default();
    while let Some(word) = cursor.peek() {
        match word.text.as_slice() {
            b"id" => {
                cursor.next();
                let value = cursor.value(word)?;
                match value.as_str().and_then(wide) {
                    Some(id) => tunnel.id = Some(id),
                    None => {
                        return cursor.drop(value, format!("encap id {} invalid", value.lossy()));
                    }
                }
            }
            b"dst" | b"src" => {
                cursor.next();
                let value = cursor.value(word)?;
                let address = read::address(value).filter(|it| it.is_ipv6() == ipv6);
                let Some(address) = address else {
                    let message = format!("Invalid encap {} {}", word.lossy(), value.lossy());
                    return cursor.drop(value, message);
                };
                let to = word.is("dst");
                *(if to { &mut tunnel.destination } else { &mut tunnel.source }) = Some(address);
            }
            b"tos" | b"tc" | b"dsfield" => {
                cursor.next();
                tunnel.tos = Some(cursor.tos(word)?);
            }
            b"ttl" | b"hoplimit" => {
                cursor.next();
                tunnel.ttl = Some(cursor.number(word, "encap ttl", 255)? as u8);
            }
            b"flags" => {
                cursor.next();
                tunnel.flags = Some(cursor.number(word, "encap flags", 0xffff)? as u16);
            }
            _ => break,
        }
    }
    Ok(tunnel)
}

fn mpls(cursor: &mut Cursor, kind: &Word) -> Result<Option<Encapsulation>, Dropped> {
    let value = cursor.value(kind)?;
    let label = |text: &str| text.parse().ok().filter(|label| *label <= HIGHEST_LABEL);
    let labels: Option<Vec<u32>> = value.lossy().split('/').map(label).collect();
    let Some(labels) = labels else {
        let message = format!("invalid mpls address {} for encapsulation", value.lossy());
        return cursor.drop(value, message);
    };
    let mut ttl = None;
    if let Some(word) = cursor.peek().filter(|word| word.is("ttl")) {
        cursor.next();
        ttl = Some(cursor.number(word, "encap ttl", 255)? as u8);
    }
    Ok(Some(Encapsulation::Mpls { labels, ttl }))
}

/// Four groups of 16 bits, as in the lower half of an IPv6 address.
fn ila(cursor: &mut Cursor, kind: &Word) -> Result<Option<Encapsulation>, Dropped> {
    let value = cursor.value(kind)?;
    let text = value.lossy();
    let groups: Vec<_> = text.split(':').map(|group| u16::from_str_radix(group, 16)).collect();
    let locator = groups
        .iter()
        .try_fold(0_u64, |sum, group| Some(sum << 16 | u64::from(*group.as_ref().ok()?)));
    match locator.filter(|_| groups.len() == 4) {
        Some(locator) => Ok(Some(Encapsulation::Ila(locator))),
        None => cursor.drop(value, format!("invalid locator {text} for ila encapsulation")),
    }
}
