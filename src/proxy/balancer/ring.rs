//! `hash KEY consistent`: a ring of points, compatible with Cache::Memcached::Fast and its
//! `ketama_points` of 160, as nginx's documentation has it.
//!
//! A server has 160 points per unit of weight, each the CRC-32 of its host, a zero byte, its port
//! and the point before (four bytes, the lowest first). A key's server is that of the first point
//! at or after its CRC-32. A name's addresses are one server; round robin chooses among them.

use std::collections::HashMap;
use std::time::Instant;

use super::hash::crc32;
use super::peer::Peers;
use super::ranks::Ranks;
use super::round_robin;
use super::search::Search;

const POINTS: u32 = 160;

#[derive(Debug)]
pub(super) struct Ring {
    /// In order; the number is the server's.
    points: Vec<(u32, u32)>,
    /// The peers of each server.
    servers: Vec<Vec<u32>>,
}

impl Ring {
    pub(super) fn new(peers: &Peers) -> Self {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut servers: Vec<Vec<u32>> = Vec::new();
        let mut weights: Vec<u32> = Vec::new();
        let mut points = Vec::new();
        for (index, state) in peers.primary() {
            let place = *places.entry(&state.peer.name).or_insert_with(|| {
                servers.push(Vec::new());
                weights.push(0);
                servers.len() - 1
            });
            servers[place].push(index as u32);
            weights[place] = weights[place].max(state.peer.weight);
        }
        for (name, place) in places {
            let place = place as u32;
            points.extend(points_of(name, weights[place as usize]).map(|point| (point, place)));
        }
        points.sort_unstable();
        // Where two servers meet in a point, the first one has it.
        points.dedup_by_key(|(point, _)| *point);
        Self { points, servers }
    }
}

/// The points of a server as its config names it.
fn points_of(name: &str, weight: u32) -> impl Iterator<Item = u32> {
    let unix = name.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("unix:"));
    let (host, port) = match name.rsplit_once(':') {
        _ if unix => (&name[5..], ""),
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (name, ""),
    };
    let base = crc32(crc32(crc32(0, host.as_bytes()), b"\0"), port.as_bytes());
    let mut point = 0_u32;
    (0..weight.saturating_mul(POINTS)).map(move |_| {
        point = crc32(base, &point.to_le_bytes());
        point
    })
}

/// `None`: the key has led nowhere, and round robin decides.
pub(super) fn pick(
    ring: &Ring,
    peers: &mut Peers,
    mut ranks: Option<&mut Ranks>,
    now: Instant,
    search: &mut Search,
) -> Option<usize> {
    let mut key = search.key.take()?;
    let mut found = None;
    while !key.is_lost() && found.is_none() && !ring.points.is_empty() {
        let at = key.at.unwrap_or_else(|| {
            let crc = crc32(0, &key.bytes);
            ring.points.partition_point(|(point, _)| *point < crc) as u64
        });
        let (_, server) = ring.points[(at % ring.points.len() as u64) as usize];
        let among = || ring.servers[server as usize].iter().map(|peer| *peer as usize);
        let aside = ranks.as_mut().map(|ranks| ranks.step_aside(peers, among()));
        found = round_robin::pick_of(peers, among(), now, search);
        if let (Some(ranks), Some(aside)) = (&mut ranks, aside) {
            ranks.come_back(peers, aside);
        }
        key.at = Some(at + u64::from(found.is_none()));
        key.misses += u32::from(found.is_none());
    }
    search.key = Some(key);
    found
}
