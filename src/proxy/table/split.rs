//! `split_clients`: which share a text belongs to.

use crate::plan::table;

/// The shares of one `split_clients`, as upper bounds of the hash.
#[derive(Clone, Debug)]
pub struct Split {
    /// Of each share the first hash that is no longer in it, and its place in the plan.
    bounds: Vec<(u32, usize)>,
    rest: Option<usize>,
}

impl Split {
    pub fn new(split: &table::Split) -> Self {
        let mut bounds = Vec::new();
        let mut end = 0u32;
        for (at, share) in split.shares.iter().enumerate() {
            let Some(hundredths) = share.hundredths else {
                // Whatever comes behind it has nothing left.
                return Self { bounds, rest: Some(at) };
            };
            let width = u64::from(hundredths) * u64::from(u32::MAX) / 10_000;
            end = end.saturating_add(u32::try_from(width).unwrap_or(u32::MAX));
            bounds.push((end, at));
        }
        Self { bounds, rest: None }
    }

    /// The share of `text`: its place in the plan. `None`: the shares don't make 100 %, and it is in
    /// what is missing.
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        let hash = murmur2(text);
        let first = self.bounds.partition_point(|(end, _)| *end <= hash);
        self.bounds.get(first).map(|(_, at)| *at).or(self.rest)
    }
}

/// MurmurHash2 of 32 bits, with the seed 0.
fn murmur2(text: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = text.len() as u32;
    let mut words = text.chunks_exact(4);
    for word in &mut words {
        let mut word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::table::Share;

    fn split(shares: &[Option<u32>]) -> Split {
        let shares = shares.iter().map(|it| Share { hundredths: *it, value: "".into() });
        Split::new(&table::Split { shares: shares.collect(), ..table::Split::default() })
    }

    /// The bounds that nginx's documentation gives for its example: 0.5 %, 2 %, the rest.
    #[test]
    fn bounds_are_those_of_the_documentation() {
        let split = split(&[Some(50), Some(200), None]);
        assert_eq!(split.bounds, [(21_474_836, 0), (107_374_181, 1)]);
        assert_eq!(split.rest, Some(2));
    }

    /// Every key in the share that nginx 1.22 put it in (fixtures/stream/split-clients.tsv).
    #[test]
    fn shares_are_those_of_nginx() {
        let table = include_str!("../../../fixtures/stream/split-clients.tsv");
        let mut lines = table.lines().filter(|line| !line.starts_with('#'));
        let shares: Vec<Option<u32>> =
            lines.next().unwrap().split(' ').map(|share| share.parse().ok()).collect();
        let split = split(&shares);
        let mut count = 0;
        for line in lines {
            let (share, key) = line.split_once('\t').unwrap();
            assert_eq!(split.find(key.as_bytes()), share.parse().ok(), "{key:?}");
            count += 1;
        }
        assert!(count > 500);
    }

    #[test]
    fn what_is_missing_to_100_has_no_value() {
        let half = split(&[Some(5_000)]);
        let without = (0..1000).filter(|n: &i32| half.find(n.to_string().as_bytes()).is_none());
        assert!((400..600).contains(&without.count()));
        assert_eq!(split(&[None, None]).find(b"x"), Some(0));
    }
}
