//! Which router's timer is next: known without asking all of them.

use std::collections::BTreeSet;
use std::time::Instant;

/// The deadlines of routers by their place in the role's list.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    queue: BTreeSet<(Instant, usize)>,
    /// By place; what of it stands in the queue.
    known: Vec<Option<Instant>>,
}

impl Agenda {
    /// The deadline of the router at this place is now this one.
    pub(super) fn set(&mut self, at: usize, deadline: Option<Instant>) {
        if self.known.len() <= at {
            self.known.resize(at + 1, None);
        }
        let before = std::mem::replace(&mut self.known[at], deadline);
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.queue.remove(&(before, at));
        }
        if let Some(deadline) = deadline {
            self.queue.insert((deadline, at));
        }
    }

    /// Routers have other places now.
    pub(super) fn replace(&mut self, deadlines: impl Iterator<Item = Option<Instant>>) {
        *self = Agenda::default();
        for (at, deadline) in deadlines.enumerate() {
            self.set(at, deadline);
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// The router whose deadline has passed for the longest time.
    pub(super) fn due(&self, now: Instant) -> Option<usize> {
        self.queue.first().filter(|(deadline, _)| *deadline <= now).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_comes_first_and_changes_take_effect() {
        let begin = Instant::now();
        let second = |n| begin + Duration::from_secs(n);
        let mut agenda = Agenda::default();
        agenda.set(2, Some(second(3)));
        agenda.set(0, Some(second(5)));
        agenda.set(1, None);
        assert_eq!((agenda.next(), agenda.due(second(2))), (Some(second(3)), None));
        assert_eq!(agenda.due(second(4)), Some(2));
        agenda.set(2, Some(second(9)));
        assert_eq!((agenda.next(), agenda.due(second(5))), (Some(second(5)), Some(0)));
        agenda.set(0, None);
        assert_eq!(agenda.next(), Some(second(9)));
        agenda.replace([Some(second(7)), Some(second(6))].into_iter());
        assert_eq!((agenda.next(), agenda.due(second(8))), (Some(second(6)), Some(1)));
    }
}
