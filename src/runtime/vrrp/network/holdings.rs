//! What this role holds, and how much of it the supervisor has yet to hear: whoever cleans up
//! behind a dead role must know of everything, and must not be told of all at every change.

use std::collections::HashSet;
use std::hash::Hash;

use crate::runtime::handoff::Difference;

#[derive(Debug)]
pub(in crate::runtime::vrrp) struct Holdings<T> {
    held: HashSet<T>,
    /// No longer held, and not reported yet.
    let_go: HashSet<T>,
    /// A report was lost: everything has to be said again.
    unclear: bool,
}

impl<T> Default for Holdings<T> {
    fn default() -> Self {
        Holdings { held: HashSet::new(), let_go: HashSet::new(), unclear: false }
    }
}

impl<T: Clone + Eq + Hash> Holdings<T> {
    /// Those that were not held before; to be reported before they are put on.
    pub(in crate::runtime::vrrp) fn claim(&mut self, wanted: impl Iterator<Item = T>) -> Vec<T> {
        let new: Vec<T> = wanted.filter(|it| self.held.insert(it.clone())).collect();
        for it in &new {
            self.let_go.remove(it);
        }
        new
    }

    /// Was it held?
    pub(in crate::runtime::vrrp) fn let_go(&mut self, it: &T) -> bool {
        let held = self.held.remove(it);
        if held {
            self.let_go.insert(it.clone());
        }
        held
    }

    /// Lets go what is like this, and returns it.
    pub(in crate::runtime::vrrp) fn let_go_where(&mut self, is: impl Fn(&T) -> bool) -> Vec<T> {
        let left: Vec<T> = self.held.iter().filter(|it| is(it)).cloned().collect();
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

    pub(in crate::runtime::vrrp) fn contains(&self, it: &T) -> bool {
        self.held.contains(it)
    }

    pub(in crate::runtime::vrrp) fn iter(&self) -> impl Iterator<Item = &T> {
        self.held.iter()
    }

    /// A report didn't get through.
    pub(in crate::runtime::vrrp) fn report_lost(&mut self) {
        self.unclear = true;
    }

    /// What is to be reported; it counts as heard unless [`report_lost`](Self::report_lost) is
    /// called.
    pub(in crate::runtime::vrrp) fn report(&mut self) -> Option<Difference<T>> {
        let let_go = std::mem::take(&mut self.let_go);
        if std::mem::take(&mut self.unclear) {
            return Some(Difference::All(self.held.iter().cloned().collect()));
        }
        (!let_go.is_empty()).then(|| Difference::Gone(let_go.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    use crate::runtime::handoff::Held;

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
        assert_eq!(holdings.report(), Some(Difference::Gone(vec![held(1)])));
        // Taken again before it was said: never said.
        holdings.let_go(&held(2));
        holdings.claim([held(2)].into_iter());
        assert_eq!(holdings.report(), None);
        holdings.report_lost();
        assert_eq!(holdings.report(), Some(Difference::All(vec![held(2)])));
        assert_eq!(holdings.report(), None);
    }
}
