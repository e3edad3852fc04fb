//! What is remembered for a while, within a bound: TLS sessions, what responders have said.
//!
//! The oldest goes first, when its time is over or room is needed; being asked for makes nothing
//! younger, as in nginx's caches of these.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What an entry takes besides its key and value, in bytes.
const ENTRY: usize = 128;

#[derive(Debug)]
pub struct Shelf<V> {
    entries: HashMap<Box<[u8]>, Entry<V>>,
    /// Oldest first. Those whose number isn't their entry's are gone already.
    order: VecDeque<(Box<[u8]>, u64)>,
    next: u64,
    taken: usize,
    room: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    number: u64,
    until: Instant,
    cost: usize,
}

impl<V> Shelf<V> {
    /// `room` in bytes.
    pub fn new(room: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), next: 0, taken: 0, room }
    }

    pub fn find(&self, now: Instant, key: &[u8]) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| &entry.value)
    }

    /// Keeps a value of `size` bytes instead of what the key had. One that alone is too large
    /// isn't kept.
    pub fn put(&mut self, now: Instant, key: &[u8], value: V, size: usize, life: Duration) {
        self.forget(key);
        let cost = size + 2 * key.len() + ENTRY;
        let Some(until) = now.checked_add(life).filter(|_| cost <= self.room) else { return };
        while self.taken + cost > self.room || self.oldest_is_over(now) {
            let Some((key, number)) = self.order.pop_front() else { break };
            if self.entries.get(&key).is_some_and(|entry| entry.number == number) {
                self.forget(&key);
            }
        }
        let number = self.next;
        self.next += 1;
        self.taken += cost;
        self.order.push_back((key.into(), number));
        self.entries.insert(key.into(), Entry { value, number, until, cost });
        if self.order.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            let is_live = |(key, number): &(Box<[u8]>, u64)| {
                entries.get(key).is_some_and(|entry| entry.number == *number)
            };
            self.order.retain(is_live);
        }
    }

    pub fn forget(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.taken -= entry.cost;
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn oldest_is_over(&self, now: Instant) -> bool {
        self.order.front().is_some_and(|(key, number)| {
            let entry = self.entries.get(key).filter(|entry| entry.number == *number);
            entry.is_none_or(|entry| entry.until <= now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_oldest_goes_when_room_is_needed() {
        let now = Instant::now();
        let mut shelf = Shelf::new(3 * (100 + 2 + ENTRY));
        for key in [b"a", b"b", b"c"] {
            shelf.put(now, key, key[0], 100, MINUTE);
        }
        assert_eq!(shelf.find(now, b"a"), Some(&b'a'));
        shelf.put(now, b"d", b'd', 100, MINUTE);
        assert_eq!((shelf.find(now, b"a"), shelf.find(now, b"b")), (None, Some(&b'b')));
        shelf.put(now, b"large", 0, 10_000, MINUTE);
        assert_eq!((shelf.find(now, b"large"), shelf.len()), (None, 3));
    }

    #[test]
    fn what_is_over_is_neither_found_nor_kept() {
        let now = Instant::now();
        let mut shelf = Shelf::new(1 << 20);
        shelf.put(now, b"a", 1, 1, MINUTE);
        shelf.put(now, b"a", 2, 1, 2 * MINUTE);
        assert_eq!(shelf.find(now + MINUTE, b"a"), Some(&2));
        assert_eq!(shelf.find(now + 2 * MINUTE, b"a"), None);
        shelf.put(now + 2 * MINUTE, b"b", 3, 1, MINUTE);
        assert_eq!(shelf.len(), 1);
    }

    #[test]
    fn what_was_forgotten_takes_no_memory() {
        let now = Instant::now();
        let mut shelf = Shelf::new(1 << 20);
        shelf.put(now, b"stays", 0, 1, MINUTE);
        for _ in 0..10_000 {
            shelf.put(now, b"comes and goes", 1, 1, MINUTE);
            shelf.forget(b"comes and goes");
        }
        assert!(shelf.order.len() < 64 && shelf.len() == 1);
        let one = 1 + 2 * b"stays".len() + ENTRY;
        assert_eq!(shelf.taken, one);
    }
}
