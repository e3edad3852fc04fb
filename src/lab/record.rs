//! What was seen while a scenario ran, and the moments in it that people want to read about.
//!
//! Pure: observations come in with their time, [`Event`]s come out. [`super::verdict`] measures.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Something that a host's thread saw.
#[derive(Clone, Debug)]
pub(super) struct Observation {
    pub at: Instant,
    pub seen: Seen,
}

#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// A balancer's kernel has, or no longer has, the virtual address.
    Holds { node: usize, held: bool },
    /// A balancer's cable was plugged in or pulled out.
    Reachable { node: usize, reachable: bool },
    /// The client asked; `at` is when the answer was complete or the ask had failed.
    Asked { answer: Option<Served> },
    /// A thread of the rehearsal itself can't go on.
    Broken(String),
}

/// Who answered the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub web: usize,
    /// The balancer that the answer came through.
    pub via: Option<usize>,
}

/// A line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    Did {
        text: String,
    },
    Takes {
        node: usize,
    },
    LetsGo {
        node: usize,
    },
    /// The client asked at the time of this event, and has had no answer since.
    Unanswered,
    Answered {
        via: Option<usize>,
        after_ms: u64,
    },
    /// Answers come through another balancer, without a gap.
    Moved {
        via: usize,
    },
}

/// A client without an answer for this long is worth a line; a busy machine is late by less.
pub(super) const SILENCE: Duration = Duration::from_millis(250);

/// All that was seen in a rehearsal.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub observations: Vec<Observation>,
    holding: Vec<bool>,
    reachable: Vec<bool>,
    /// Time between two asks of the client.
    every: Duration,
    last_answer: Option<(Instant, Option<usize>)>,
    silent: bool,
}

impl Record {
    pub(super) fn new(nodes: usize, every: Duration) -> Record {
        let (holding, reachable) = (vec![false; nodes], vec![true; nodes]);
        Record { holding, reachable, every, ..Record::default() }
    }

    /// Balancers that hold the address and can be reached.
    pub(super) fn holders(&self) -> Vec<usize> {
        let nodes = 0..self.holding.len();
        nodes.filter(|node| self.holding[*node] && self.reachable[*node]).collect()
    }

    /// Balancers that hold the address though their cable is out.
    pub(super) fn holders_cut_off(&self) -> Vec<usize> {
        let nodes = 0..self.holding.len();
        nodes.filter(|node| self.holding[*node] && !self.reachable[*node]).collect()
    }

    pub(super) fn is_answered(&self, now: Instant) -> bool {
        self.last_answer.is_some_and(|(at, _)| now.saturating_duration_since(at) < SILENCE)
    }

    /// Takes note; what it means for the timeline, if anything.
    pub(super) fn take(&mut self, seen: Observation) -> Vec<(Instant, Event)> {
        let at = seen.at;
        let events = match &seen.seen {
            Seen::Holds { node, held } => {
                // A lifetime that is renewed is announced too.
                if self.holding[*node] == *held {
                    return Vec::new();
                }
                self.holding[*node] = *held;
                let node = *node;
                vec![(at, if *held { Event::Takes { node } } else { Event::LetsGo { node } })]
            }
            Seen::Reachable { node, reachable } => {
                self.reachable[*node] = *reachable;
                Vec::new()
            }
            Seen::Asked { answer: Some(served) } => self.answered(at, *served),
            Seen::Asked { answer: None } | Seen::Broken(_) => Vec::new(),
        };
        self.observations.push(seen);
        events
    }

    fn answered(&mut self, at: Instant, served: Served) -> Vec<(Instant, Event)> {
        // Asks overlap, so answers may be told out of order.
        if self.last_answer.is_some_and(|(before, _)| before > at) {
            return Vec::new();
        }
        let via = served.via;
        let Some((before, via_before)) = self.last_answer.replace((at, via)) else {
            return vec![(at, Event::Answered { via, after_ms: 0 })];
        };
        let gap = at - before;
        let told = std::mem::take(&mut self.silent);
        match via {
            via if gap >= SILENCE => {
                let again = (at, Event::Answered { via, after_ms: gap.as_millis() as u64 });
                if told {
                    vec![again]
                } else {
                    vec![(before + self.every, Event::Unanswered), again]
                }
            }
            Some(now) if via_before != via => vec![(at, Event::Moved { via: now })],
            _ => Vec::new(),
        }
    }

    /// Notices that the client gets no answers any more.
    pub(super) fn tick(&mut self, now: Instant) -> Option<(Instant, Event)> {
        let (at, _) = self.last_answer?;
        if self.silent || now.saturating_duration_since(at) < SILENCE {
            return None;
        }
        self.silent = true;
        Some((at + self.every, Event::Unanswered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(record: &mut Record, at: Instant, via: usize) -> Vec<Event> {
        let seen = Seen::Asked { answer: Some(Served { web: 0, via: Some(via) }) };
        record.take(Observation { at, seen }).into_iter().map(|(_, event)| event).collect()
    }

    #[test]
    fn a_silent_client_is_told_once() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut record = Record::new(2, Duration::from_millis(10));
        assert_eq!(record.tick(at(500)), None);
        let first = Event::Answered { via: Some(0), after_ms: 0 };
        assert_eq!(answer(&mut record, at(500), 0), [first]);
        assert_eq!(answer(&mut record, at(510), 0), []);
        assert_eq!(record.tick(at(700)), None);
        assert_eq!(record.tick(at(800)), Some((at(520), Event::Unanswered)));
        assert_eq!(record.tick(at(850)), None);
        let again = Event::Answered { via: Some(1), after_ms: 490 };
        assert_eq!(answer(&mut record, at(1000), 1), [again]);
        assert_eq!(answer(&mut record, at(1010), 0), [Event::Moved { via: 0 }]);
        // A silence that nobody looked at while it lasted is told too.
        let again = Event::Answered { via: Some(0), after_ms: 300 };
        assert_eq!(answer(&mut record, at(1310), 0), [Event::Unanswered, again]);
    }

    #[test]
    fn a_renewed_address_is_no_news() {
        let at = Instant::now();
        let mut record = Record::new(2, Duration::from_millis(10));
        let holds = |held| Observation { at, seen: Seen::Holds { node: 1, held } };
        assert_eq!(record.take(holds(true)), [(at, Event::Takes { node: 1 })]);
        assert_eq!(record.take(holds(true)), []);
        let seen = Seen::Reachable { node: 1, reachable: false };
        record.take(Observation { at, seen });
        assert_eq!((record.holders(), record.holders_cut_off()), (vec![], vec![1]));
    }
}
