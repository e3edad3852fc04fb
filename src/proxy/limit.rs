//! The counts of `limit_conn`: connections by key, in zones of a fixed size that all workers share.
//!
//! Source: nginx documentation, `ngx_stream_limit_conn_module`. How many keys a zone of a size
//! holds was watched (nginx 1.22): it is divided into pages of 4 KiB, two of which are its own, and
//! a page holds states of one size, the first of which is its own too.

use std::collections::HashMap;

use bstr::BString;

/// Of a page of shared memory.
const PAGE: usize = 4096;
/// What a state takes besides its key.
const STATE: usize = 35;
/// States are 64, 128, 256 or 512 bytes long.
const SMALLEST_STATE: usize = 64;
const SIZES: usize = 4;
/// Longer keys aren't counted.
pub const LONGEST_KEY: usize = 255;

/// One `limit_conn_zone`.
#[derive(Debug)]
pub struct Zone {
    counts: HashMap<BString, u32>,
    room: Room,
}

/// Why a connection isn't counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many of its key as allowed.
    TooMany,
    /// The zone has no room for another key.
    NoRoom,
}

impl Zone {
    /// `size` in bytes.
    pub fn new(size: u64) -> Self {
        Self { counts: HashMap::new(), room: Room::new(size) }
    }

    /// Counts a connection, up to `most` of a key.
    pub fn take(&mut self, key: &[u8], most: u32) -> Result<(), Refusal> {
        if let Some(count) = self.counts.get_mut(key) {
            if *count >= most {
                return Err(Refusal::TooMany);
            }
            *count += 1;
            return Ok(());
        }
        if !self.room.take(key.len()) {
            return Err(Refusal::NoRoom);
        }
        self.counts.insert(key.into(), 1);
        Ok(())
    }

    /// One of the counted connections is over.
    pub fn give_back(&mut self, key: &[u8]) {
        let Some(count) = self.counts.get_mut(key) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(key);
            self.room.give_back(key.len());
        }
    }
}

/// Free pages, and free states in pages of each size.
#[derive(Debug)]
struct Room {
    pages: usize,
    states: [usize; SIZES],
}

impl Room {
    fn new(size: u64) -> Self {
        let pages = usize::try_from(size).unwrap_or(usize::MAX) / PAGE;
        let mut room = Self { pages: pages.saturating_sub(2), states: [0; SIZES] };
        room.take(0);
        room
    }

    fn take(&mut self, key: usize) -> bool {
        let (at, per_page) = Self::kind(key);
        if self.states[at] == 0 {
            if self.pages == 0 {
                return false;
            }
            self.pages -= 1;
            self.states[at] = per_page;
        }
        self.states[at] -= 1;
        true
    }

    fn give_back(&mut self, key: usize) {
        let (at, per_page) = Self::kind(key);
        self.states[at] += 1;
        // Which page a state was in isn't kept; as many as are free make a page.
        if self.states[at] > per_page {
            self.states[at] -= per_page;
            self.pages += 1;
        }
    }

    /// Index of the state's size, and how many fit into a page.
    fn kind(key: usize) -> (usize, usize) {
        let size = (key + STATE).next_power_of_two().max(SMALLEST_STATE);
        let at = (size / SMALLEST_STATE).trailing_zeros() as usize;
        (at.min(SIZES - 1), PAGE / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_counted_up_to_its_limit() {
        let mut zone = Zone::new(1 << 20);
        assert_eq!(zone.take(b"a", 2), Ok(()));
        assert_eq!(zone.take(b"a", 2), Ok(()));
        assert_eq!(zone.take(b"a", 2), Err(Refusal::TooMany));
        assert_eq!(zone.take(b"b", 1), Ok(()));
        zone.give_back(b"a");
        assert_eq!(zone.take(b"a", 2), Ok(()));
        zone.give_back(b"never");
    }

    /// So many connections with keys of their own nginx 1.22 let in.
    #[test]
    fn a_zone_holds_as_many_keys_as_nginxs() {
        for (size, key, most) in [
            (32 << 10, 9, 383),
            (32 << 10, 27, 383),
            (32 << 10, 31, 160),
            (32 << 10, 89, 160),
            (40 << 10, 20, 511),
            (64 << 10, 9, 895),
        ] {
            let mut zone = Zone::new(size);
            let name = |n: usize| format!("{n:0>key$}").into_bytes();
            let taken = (0..).take_while(|n| zone.take(&name(*n), 1).is_ok()).count();
            assert_eq!(taken, most, "{size} {key}");
            assert_eq!(zone.take(&name(most), 1), Err(Refusal::NoRoom));
            (0..most).for_each(|n| zone.give_back(&name(n)));
            let taken = (0..).take_while(|n| zone.take(&name(*n), 1).is_ok()).count();
            assert_eq!(taken, most, "{size} {key}, once more");
        }
    }
}
