//! Adverts in a capture file, as far as a case tells them apart.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// One advert on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    /// Since the Unix epoch.
    pub(crate) at: Duration,
    /// Who sent it and which virtual router it is for.
    pub(crate) stream: Stream,
    /// `priority N`, and what else a case may change.
    pub(crate) says: String,
    pub(crate) interval: Duration,
    pub(crate) is_goodbye: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    /// With the destination, if that isn't VRRP's own group.
    pub(crate) source: String,
    pub(crate) vrid: u8,
}

/// The complete VRRP packets of a file that is still written (pcap-savefile(5)).
pub(crate) fn adverts(file: &Path) -> Vec<Sighting> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut found = Vec::new();
    while rest.len() >= 16 {
        let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().unwrap());
        let (seconds, micros, length) = (word(0), word(4), word(8) as usize);
        let Some(frame) = rest.get(16..16 + length) else { break };
        let at = Duration::from_secs(seconds.into()) + Duration::from_micros(micros.into());
        found.extend(advert(at, frame));
        rest = &rest[16 + length..];
    }
    found
}

fn advert(at: Duration, frame: &[u8]) -> Option<Sighting> {
    let packet = frame.get(14..)?;
    let (source, destination, pdu) = match frame.get(12..14)? {
        [8, 0] if packet.get(9) == Some(&112) => {
            let address = |at: usize| Some(packet.get(at..at + 4)?.iter().map(u8::to_string));
            let text = |at| Some(address(at)?.collect::<Vec<_>>().join("."));
            let header = usize::from(packet[0] & 15) * 4;
            (text(12)?, text(16)?, packet.get(header..)?)
        }
        [0x86, 0xdd] if packet.get(6) == Some(&112) => {
            let address = |at: usize| <[u8; 16]>::try_from(packet.get(at..at + 16)?).ok();
            let text = |at| Some(std::net::Ipv6Addr::from(address(at)?).to_string());
            (text(8)?, text(24)?, packet.get(40..)?)
        }
        _ => return None,
    };
    let version = pdu.first()? >> 4;
    let (vrid, priority, count) = (*pdu.get(1)?, *pdu.get(2)?, *pdu.get(3)?);
    let (auth, interval) = match version {
        2 => (*pdu.get(4)?, Duration::from_secs((*pdu.get(5)?).into())),
        _ => {
            let centiseconds = u16::from_be_bytes([pdu.get(4)? & 15, *pdu.get(5)?]);
            (0, Duration::from_millis(u64::from(centiseconds) * 10))
        }
    };
    let addresses = if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") };
    let mut says =
        format!("priority {priority}, version {version}, every {interval:?}, {addresses}");
    if auth != 0 {
        says.push_str(&format!(", auth type {auth}"));
    }
    let source = match destination.as_str() {
        "224.0.0.18" | "ff02::12" => source,
        _ => format!("{source} to {destination}"),
    };
    Some(Sighting {
        at,
        stream: Stream { source, vrid },
        says,
        interval,
        is_goodbye: priority == 0,
    })
}

/// What each stream said last, and whether it goes on: from phase to phase.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    last: BTreeMap<Stream, String>,
}

impl Streams {
    /// The changes of a phase that ends now, in the order of their first appearance; the streams
    /// after it.
    ///
    /// An advert counts if it differs from the one before it in its stream, and a stream's end if
    /// it said no goodbye.
    pub(crate) fn follow(&self, phase: &[Sighting], end: Duration) -> (Vec<String>, Streams) {
        let mut streams = self.clone();
        let mut lines = Vec::new();
        for it in phase {
            let before = streams.last.insert(it.stream.clone(), it.says.clone());
            if before.as_ref() != Some(&it.says) {
                let Stream { source, vrid } = &it.stream;
                lines.push(format!("{source} vrid {vrid}: {}", it.says));
            }
        }
        let known: Vec<Stream> = streams.last.keys().cloned().collect();
        for stream in known {
            let last = phase.iter().rev().find(|it| it.stream == stream);
            let goes_on = |it: &&Sighting| {
                !it.is_goodbye && end.saturating_sub(it.at) < it.interval * 2 + SLACK
            };
            if last.filter(goes_on).is_none() {
                streams.last.remove(&stream);
                if last.is_none_or(|it| !it.is_goodbye) {
                    lines.push(format!("{} vrid {}: silent", stream.source, stream.vrid));
                }
            }
        }
        (lines, streams)
    }
}

/// How late an advert may be on a busy machine.
const SLACK: Duration = Duration::from_millis(150);
