//! One session's search for a peer: what it has tried, and where its key has led it so far.

/// What a session brings to every pick, and what the picks remember of it.
#[derive(Debug, Default)]
pub struct Search {
    tried: Tried,
    pub(super) key: Option<Key>,
}

impl Search {
    /// Of a session of an upstream without `hash`.
    pub fn new() -> Self {
        Self::default()
    }

    /// `hash KEY`. An empty key counts as none, as in nginx.
    pub fn by_key(bytes: Vec<u8>) -> Self {
        let key = (!bytes.is_empty()).then(|| Key::new(bytes));
        Self { tried: Tried::default(), key }
    }

    /// This peer failed the session, which won't be sent there again.
    pub fn exclude(&mut self, peer: usize) {
        self.tried.insert(peer);
    }

    pub(super) fn has_tried(&self, peer: usize) -> bool {
        self.tried.contains(peer)
    }

    pub(super) fn tried(&self) -> impl Iterator<Item = usize> {
        let words = self.tried.0.iter().copied().enumerate().filter(|(_, word)| *word != 0);
        words.flat_map(|(at, word)| {
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| at * 64 + bit)
        })
    }

    pub(super) fn is_first(&self) -> bool {
        self.tried.0.is_empty()
    }
}

/// A bit per peer; nothing until one has failed.
#[derive(Debug, Default)]
struct Tried(Vec<u64>);

impl Tried {
    fn insert(&mut self, peer: usize) {
        if self.0.len() <= peer / 64 {
            self.0.resize(peer / 64 + 1, 0);
        }
        self.0[peer / 64] |= 1 << (peer % 64);
    }

    fn contains(&self, peer: usize) -> bool {
        self.0.get(peer / 64).is_some_and(|word| word & (1 << (peer % 64)) != 0)
    }
}

/// The key of `hash`, with the state of its walk over the peers.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) bytes: Vec<u8>,
    /// Sum of the hashes so far (plain), or the place in the ring.
    pub(super) at: Option<u64>,
    /// Hashes taken.
    pub(super) hashes: u32,
    /// Peers it led to that weren't usable.
    pub(super) misses: u32,
}

/// So many misses and nginx turns to round robin (watched).
const PATIENCE: u32 = 20;

impl Key {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: None, hashes: 0, misses: 0 }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.misses > PATIENCE
    }
}
