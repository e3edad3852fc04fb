//! From what was seen to figures, and from figures to a verdict. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::record::{Event, Observation, Seen};
use super::scenario::{self, Holder, Scenario};
use super::topology::Web;

/// Figures of one scenario, from its act to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Measure {
    /// The longest time between two answers.
    pub gap: Duration,
    /// How long nobody in reach held the address, all in all.
    pub nobody: Duration,
    /// How long two or more in reach held it, all in all.
    pub overlap: Duration,
    /// Answers by web server.
    pub answers: Vec<usize>,
    pub failed: usize,
}

/// Measures `from..to`; `seen` is everything seen so far, in any order.
pub(super) fn measure(
    seen: &[Observation],
    (from, to): (Instant, Instant),
    nodes: usize,
    webs: usize,
) -> Measure {
    let mut seen: Vec<&Observation> = seen.iter().filter(|one| one.at <= to).collect();
    seen.sort_by_key(|one| one.at);
    let mut measure = Measure { answers: vec![0; webs], ..Measure::default() };
    let mut holding = vec![false; nodes];
    let mut reachable = vec![true; nodes];
    let mut since = from;
    let mut last_answer = None;
    for one in seen {
        let now = one.at.max(from);
        match &one.seen {
            Seen::Holds { .. } | Seen::Reachable { .. } => {
                measure.count(&holding, &reachable, now.saturating_duration_since(since));
                since = now;
            }
            Seen::Asked { .. } | Seen::Broken(_) => {}
        }
        match &one.seen {
            Seen::Holds { node, held } => holding[*node] = *held,
            Seen::Reachable { node, reachable: is } => reachable[*node] = *is,
            Seen::Asked { answer: None } if one.at >= from => measure.failed += 1,
            Seen::Asked { answer: Some(served) } => {
                if one.at >= from {
                    let before = last_answer.unwrap_or(from);
                    measure.gap = measure.gap.max(one.at.saturating_duration_since(before));
                    measure.answers[served.web] += 1;
                }
                last_answer = Some(one.at);
            }
            _ => {}
        }
    }
    measure.count(&holding, &reachable, to.saturating_duration_since(since));
    let silent = to.saturating_duration_since(last_answer.unwrap_or(from));
    measure.gap = measure.gap.max(silent);
    measure
}

impl Measure {
    fn count(&mut self, holding: &[bool], reachable: &[bool], time: Duration) {
        match holding.iter().zip(reachable).filter(|(held, reached)| **held && **reached).count() {
            0 => self.nobody += time,
            1 => {}
            _ => self.overlap += time,
        }
    }

    /// The web servers' answers are in proportion to their weights, give or take a few.
    fn is_even(&self, webs: &[Web]) -> bool {
        let total: usize = self.answers.iter().sum();
        let weights: f64 = webs.iter().map(|web| f64::from(web.weight)).sum();
        let slack = (total as f64 * 0.05).max(4.0);
        self.answers.iter().zip(webs).all(|(answers, web)| {
            let share = total as f64 * f64::from(web.weight) / weights.max(1.0);
            (*answers as f64 - share).abs() <= slack
        })
    }
}

/// What a scenario came to.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub name: String,
    pub timeline: Vec<Moment>,
    /// Balancers in reach that held the address in the end.
    pub holders: Vec<String>,
    pub gap_ms: u64,
    pub nobody_ms: u64,
    pub overlap_ms: u64,
    pub answers: BTreeMap<String, usize>,
    pub failed: usize,
    pub passed: bool,
    /// What wasn't as expected.
    pub problems: Vec<String>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Moment {
    pub at_ms: u64,
    #[serde(flatten)]
    pub event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Who held the address around a scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    pub home: Option<usize>,
    pub before: Option<usize>,
    pub after: Vec<usize>,
    pub cut_off: Vec<usize>,
}

/// Holds the figures against what was expected: problems, and things worth a word.
pub(super) fn judge(
    scenario: &Scenario,
    measure: &Measure,
    holders: &Holders,
    nodes: &[String],
    webs: &[Web],
) -> (Vec<String>, Vec<String>) {
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    let expect = &scenario.expect;
    let names = |list: &[usize]| match list {
        [] => "nobody".to_owned(),
        list => list.iter().map(|node| nodes[*node].as_str()).collect::<Vec<_>>().join(" and "),
    };
    if !scenario::fits(expect.holder, &holders.after, holders.before, holders.home) {
        let wanted = match (expect.holder, holders.before, holders.home) {
            (Holder::Same, Some(before), _) => format!("still {}", nodes[before]),
            (Holder::Other, Some(before), _) => format!("one other than {}", nodes[before]),
            (Holder::Home, _, Some(home)) => format!("{} again", nodes[home]),
            (Holder::All, ..) => "anyone".to_owned(),
            _ => "one".to_owned(),
        };
        problems.push(format!("expected {wanted} to hold it, but {} does", names(&holders.after)));
    }
    if measure.gap > expect.gap {
        let (gap, bound) = (seconds(measure.gap), seconds(expect.gap));
        problems.push(format!("the client was {gap} without an answer, allowed is {bound}"));
    }
    if expect.holder == Holder::All {
        notes.push(if holders.after.len() > 1 {
            "known trouble: both hold the address; Evenkeel doesn't prevent that yet".to_owned()
        } else {
            "better than known: one holder".to_owned()
        });
    } else if measure.overlap > expect.overlap {
        let (overlap, bound) = (seconds(measure.overlap), seconds(expect.overlap));
        problems.push(format!("two held the address for {overlap}, allowed is {bound}"));
    }
    if !measure.is_even(webs) {
        problems.push("the web servers' shares are not as their weights say".to_owned());
    }
    if !holders.cut_off.is_empty() {
        notes.push(format!("{}, out of reach, still has the address", names(&holders.cut_off)));
    }
    (problems, notes)
}

/// For people: `3.41 s`.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::record::Served;

    fn at(start: Instant, millis: u64, seen: Seen) -> Observation {
        Observation { at: start + Duration::from_millis(millis), seen }
    }

    fn answer(web: usize) -> Seen {
        Seen::Asked { answer: Some(Served { web, via: Some(0) }) }
    }

    #[test]
    fn gaps_and_holders_are_measured() {
        let start = Instant::now();
        let seen = [
            at(start, 0, Seen::Holds { node: 0, held: true }),
            at(start, 990, answer(0)),
            at(start, 1500, Seen::Asked { answer: None }),
            at(start, 2000, Seen::Holds { node: 1, held: true }),
            at(start, 2300, Seen::Holds { node: 0, held: false }),
            at(start, 2400, answer(1)),
            at(start, 2500, Seen::Holds { node: 1, held: false }),
        ];
        let window = (start + Duration::from_millis(1000), start + Duration::from_millis(2600));
        let measure = measure(&seen, window, 2, 2);
        assert_eq!(measure.gap, Duration::from_millis(1410));
        assert_eq!(measure.overlap, Duration::from_millis(300));
        assert_eq!(measure.nobody, Duration::from_millis(100));
        assert_eq!((measure.answers, measure.failed), (vec![0, 1], 1));
    }

    #[test]
    fn an_address_out_of_reach_is_no_overlap() {
        let start = Instant::now();
        let seen = [
            at(start, 0, Seen::Holds { node: 0, held: true }),
            at(start, 10, Seen::Reachable { node: 0, reachable: false }),
            at(start, 20, Seen::Holds { node: 1, held: true }),
        ];
        let measure = measure(&seen, (start, start + Duration::from_millis(50)), 2, 1);
        assert_eq!(measure.overlap, Duration::ZERO);
        assert_eq!(measure.nobody, Duration::from_millis(10));
        assert_eq!(measure.gap, Duration::from_millis(50));
    }
}
