//! Objects and their values at one moment, and what is answered from them (RFC 2741,
//! section 7.2.3).

use super::pdu::{Body, Range};
use super::{Oid, Value, VarBind};

/// Values that one answer may have: more is not asked for by anybody who means well.
const MOST: usize = 10_000;

/// Sorted by name.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Kinds of objects that there can be, values or not: columns and scalars.
    kinds: Vec<Oid>,
    values: Vec<(Oid, Value)>,
}

impl Tree {
    pub fn new(kinds: Vec<Oid>, mut values: Vec<(Oid, Value)>) -> Tree {
        values.sort_by(|one, other| one.0.cmp(&other.0));
        Tree { kinds, values }
    }

    /// What a Get, GetNext or GetBulk is answered; nothing for anything else.
    pub fn answer(&self, asked: &Body) -> Vec<VarBind> {
        match asked {
            Body::Get(ranges) => ranges.iter().map(|range| self.get(&range.start)).collect(),
            Body::GetNext(ranges) => ranges.iter().map(|range| self.next(range)).collect(),
            Body::GetBulk { non_repeaters, max_repetitions, ranges } => {
                let at = usize::from(*non_repeaters).min(ranges.len());
                let (once, often) = ranges.split_at(at);
                let mut binds: Vec<VarBind> = once.iter().map(|range| self.next(range)).collect();
                self.repeat(often.to_vec(), *max_repetitions, &mut binds);
                binds
            }
            _ => Vec::new(),
        }
    }

    fn repeat(&self, mut ranges: Vec<Range>, times: u16, binds: &mut Vec<VarBind>) {
        for _ in 0..times {
            let mut over = true;
            for range in &mut ranges {
                let bind = self.next(range);
                over &= bind.value == Value::EndOfMibView;
                range.start.clone_from(&bind.name);
                range.include = false;
                binds.push(bind);
            }
            if over || binds.len() >= MOST {
                break;
            }
        }
    }

    fn get(&self, name: &Oid) -> VarBind {
        let value = match self.values.binary_search_by(|(it, _)| it.cmp(name)) {
            Ok(at) => self.values[at].1.clone(),
            Err(_) if self.kinds.iter().any(|kind| name.starts_with(kind)) => Value::NoSuchInstance,
            Err(_) => Value::NoSuchObject,
        };
        VarBind { name: name.clone(), value }
    }

    fn next(&self, range: &Range) -> VarBind {
        let Range { start, include, end } = range;
        let before = |it: &Oid| if *include { it < start } else { it <= start };
        let at = self.values.partition_point(|(it, _)| before(it));
        match self.values.get(at) {
            Some((name, value)) if end.is_null() || name < end => {
                VarBind { name: name.clone(), value: value.clone() }
            }
            _ => VarBind { name: start.clone(), value: Value::EndOfMibView },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(numbers: &[u32]) -> Oid {
        Oid::new(numbers)
    }

    fn range(start: &[u32], include: bool, end: &[u32]) -> Range {
        Range { start: oid(start), include, end: oid(end) }
    }

    /// A column `.1.1` with rows 1, 2 and 10, and a scalar `.1.2`; a column `.1.3` without rows.
    fn tree() -> Tree {
        let values = [[1, 1, 10], [1, 1, 2], [1, 2, 0], [1, 1, 1]];
        let value = |it: [u32; 3]| (oid(&it), Value::Gauge32(it[2]));
        Tree::new(vec![oid(&[1, 1]), oid(&[1, 2]), oid(&[1, 3])], values.map(value).into())
    }

    fn names(binds: &[VarBind]) -> Vec<String> {
        let name = |it: &VarBind| match it.value {
            Value::EndOfMibView => format!("{} end", it.name),
            _ => it.name.to_string(),
        };
        binds.iter().map(name).collect()
    }

    #[test]
    fn what_is_not_there_is_told_apart_from_what_cannot_be() {
        let asked = [&[1, 1, 2], &[1, 1, 3][..], &[1, 3], &[1, 4, 1]];
        let ranges = asked.map(|it| range(it, true, &[])).into();
        let values: Vec<Value> =
            tree().answer(&Body::Get(ranges)).into_iter().map(|it| it.value).collect();
        let missing = [Value::NoSuchInstance, Value::NoSuchInstance, Value::NoSuchObject];
        assert_eq!(values[0], Value::Gauge32(2));
        assert_eq!(values[1..], missing);
    }

    #[test]
    fn a_walk_goes_by_number_and_stays_in_its_range() {
        let next = |it: Range| names(&tree().answer(&Body::GetNext(vec![it]))).remove(0);
        assert_eq!(next(range(&[1], false, &[])), ".1.1.1");
        assert_eq!(next(range(&[1, 1, 2], false, &[])), ".1.1.10");
        assert_eq!(next(range(&[1, 1, 2], true, &[])), ".1.1.2");
        assert_eq!(next(range(&[1, 1, 10], false, &[1, 2])), ".1.1.10 end");
        assert_eq!(next(range(&[1, 2, 0], false, &[])), ".1.2.0 end");
    }

    #[test]
    fn repetitions_end_with_the_tree() {
        let ranges =
            vec![range(&[1], false, &[]), range(&[1], false, &[]), range(&[1, 2], false, &[])];
        let asked = Body::GetBulk { non_repeaters: 1, max_repetitions: u16::MAX, ranges };
        let told = names(&tree().answer(&asked));
        let expected = [
            ".1.1.1",
            ".1.1.1",
            ".1.2.0",
            ".1.1.2",
            ".1.2.0 end",
            ".1.1.10",
            ".1.2.0 end",
            ".1.2.0",
            ".1.2.0 end",
            ".1.2.0 end",
            ".1.2.0 end",
        ];
        assert_eq!(told, expected);
    }
}
