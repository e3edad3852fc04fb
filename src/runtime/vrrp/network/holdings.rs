//! What this role holds, and how much of it the supervisor has yet to hear: whoever cleans up
//! behind a dead role must know of every address, and must not be told of all at every change.

use std::collections::HashSet;

use crate::runtime::handoff::{Held, Report};

#[derive(Debug, Default)]
pub(in crate::runtime::vrrp) struct Holdings {
    held: HashSet<Held>,
    /// No longer held, and not reported yet.
    let_go: HashSet<Held>,
    /// A report was lost: everything has to be said again.
    unclear: bool,
}

impl Holdings {
    /// Those that were not held before; to be reported before they are put on.
    pub(in crate::runtime::vrrp) fn claim(
        &mut self,
        wanted: impl Iterator<Item = Held>,
    ) -> Vec<Held> {
        let new: Vec<Held> = wanted.filter(|it| self.held.insert(*it)).collect();
        for it in &new {
            self.let_go.remove(it);
        }
        new
    }

    /// Was it held?
    pub(in crate::runtime::vrrp) fn let_go(&mut self, it: &Held) -> bool {
        let held = self.held.remove(it);
        if held {
            self.let_go.insert(*it);
        }
        held
    }

    /// Lets all go that are on this interface, and returns them.
    pub(in crate::runtime::vrrp) fn let_go_of_interface(&mut self, index: u32) -> Vec<Held> {
        let left: Vec<Held> = self.held.iter().filter(|it| it.index == index).copied().collect();
        for it in &left {
            self.let_go(it);
        }
        left
    }

    /// Whatever is on interfaces is left there from now on.
    pub(in crate::runtime::vrrp) fn forget(&mut self) {
        self.held.clear();
        self.let_go.clear();
        self.unclear = true;
    }

    pub(in crate::runtime::vrrp) fn contains(&self, it: &Held) -> bool {
        self.held.contains(it)
    }

    pub(in crate::runtime::vrrp) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// A report didn't get through.
    pub(in crate::runtime::vrrp) fn report_lost(&mut self) {
        self.unclear = true;
    }

    /// What is to be reported; it counts as heard unless [`report_lost`](Self::report_lost) is
    /// called.
    pub(in crate::runtime::vrrp) fn report(&mut self) -> Option<Report> {
        let let_go = std::mem::take(&mut self.let_go);
        if std::mem::take(&mut self.unclear) {
            return Some(Report::Holding(self.held.iter().copied().collect()));
        }
        (!let_go.is_empty()).then(|| Report::Released(let_go.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn held(last: u8) -> Held {
        Held { index: 2, address: IpAddr::from([192, 0, 2, last]), prefix: 32 }
    }

    #[test]
    fn only_differences_are_reported_until_one_is_lost() {
        let mut holdings = Holdings::default();
        assert_eq!(holdings.claim([held(1), held(2)].into_iter()), [held(1), held(2)]);
        assert_eq!(holdings.claim([held(2)].into_iter()), []);
        assert_eq!(holdings.report(), None);
        assert!(holdings.let_go(&held(1)) && !holdings.let_go(&held(1)));
        assert_eq!(holdings.report(), Some(Report::Released(vec![held(1)])));
        // Taken again before it was said: never said.
        holdings.let_go(&held(2));
        holdings.claim([held(2)].into_iter());
        assert_eq!(holdings.report(), None);
        holdings.report_lost();
        assert_eq!(holdings.report(), Some(Report::Holding(vec![held(2)])));
        assert_eq!(holdings.report(), None);
    }
}
