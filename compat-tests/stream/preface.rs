//! A PROXY protocol header in words, as a peer reads it.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::words::quote;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// `PROXY TCP4 …` as it is, or version 2 as `v2 PROXY TCP4 FROM:PORT TO:PORT, TLV 0x01 "…"`.
pub(super) fn read(stream: &mut impl Read) -> io::Result<String> {
    let mut head = vec![0; 6];
    stream.read_exact(&mut head)?;
    if head != SIGNATURE[..6] {
        while !head.ends_with(b"\n") && head.len() < 107 {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        return Ok(quote(&head));
    }
    let mut rest = [0; 10];
    stream.read_exact(&mut rest)?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([rest[8], rest[9]]))];
    stream.read_exact(&mut body)?;
    let command = match rest[6] {
        0x20 => "LOCAL".to_owned(),
        0x21 => "PROXY".to_owned(),
        other => format!("{other:#04x}"),
    };
    let (family, sizes) = match rest[7] {
        0x11 => ("TCP4", Some(4)),
        0x12 => ("UDP4", Some(4)),
        0x21 => ("TCP6", Some(16)),
        0x22 => ("UDP6", Some(16)),
        0x00 => ("UNSPEC", None),
        0x31 => ("UNIX", None),
        _ => ("unknown", None),
    };
    let mut text = format!("v2 {command} {family}");
    if let Some(size) = sizes.filter(|size| body.len() >= 2 * size + 4) {
        let port = |at| u16::from_be_bytes([body[at], body[at + 1]]);
        let (from, to) = (ip(&body[..size]), ip(&body[size..2 * size]));
        text += &format!(" {from}:{} {to}:{}", port(2 * size), port(2 * size + 2));
        body.drain(..2 * size + 4);
    }
    let mut tlvs = &body[..];
    while let [kind, high, low, behind @ ..] = tlvs {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        text += &format!(", TLV {kind:#04x} {}", quote(&behind[..length]));
        tlvs = &behind[length..];
    }
    Ok(text)
}

fn ip(bytes: &[u8]) -> IpAddr {
    match <[u8; 4]>::try_from(bytes) {
        Ok(bytes) => Ipv4Addr::from(bytes).into(),
        Err(_) => <[u8; 16]>::try_from(bytes)
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |it| Ipv6Addr::from(it).into()),
    }
}
