//! What can be done to a cluster, and what should come of it.
//!
//! A scenario is one act and one expectation. They build on each other in the order of the table:
//! what one breaks, the next one heals.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A scenario as one cluster plays it: the table's, with the cluster's own expectations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Scenario {
    pub name: String,
    pub act: Act,
    pub expect: Expectation,
    /// The scenario that undoes this one.
    pub healed_by: Option<String>,
    /// Is it on the cluster's list? Others are played only when asked for by name.
    pub played: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Act {
    /// `systemctl start nginx keepalived` (or `evenkeel`) on every balancer.
    StartAll,
    /// `kill -9` of all nginx processes of the holder.
    KillProxy,
    /// The same where something was broken last; what runs stays as it
    /// is (a check script may have stopped keepalived when nginx died).
    StartBoth,
    /// `systemctl stop keepalived` (or `evenkeel`) on the holder.
    StopDaemon,
    /// `kill -9` of the process that does VRRP on the holder; its parent lives.
    KillVrrpProcess,
    /// `kill -9` of all keepalived processes of the holder.
    KillDaemon,
    /// The cable of the holder is pulled out: its interface loses the carrier.
    Unplug,
    /// The cable is plugged in again.
    Plug,
    /// No balancer receives VRRP any more; everything else passes.
    FilterVrrp,
    /// VRRP passes again.
    UnfilterVrrp,
}

/// Who should hold the address in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Holder {
    /// Exactly one, whichever.
    One,
    /// The one that held it before.
    Same,
    /// Exactly one, another than before.
    Other,
    /// The one that held it first of all.
    Home,
    /// Known trouble that isn't prevented yet: all hold it. One holder is better and passes too.
    All,
}

/// What should come of an act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Expectation {
    pub holder: Holder,
    /// Longest time that the client may be without an answer.
    pub gap: Duration,
    /// Longest time that two hosts on the network may hold the address, all in all.
    pub overlap: Duration,
    /// How long to wait for the holder expected.
    pub patience: Duration,
}

/// A row of the table of scenarios.
#[derive(Debug)]
pub(super) struct Known {
    pub name: &'static str,
    pub act: Act,
    pub holder: Holder,
    /// Milliseconds.
    pub gap: u64,
    /// Milliseconds.
    pub overlap: u64,
    pub healed_by: Option<&'static str>,
    pub by_default: bool,
}

/// Gaps are bounds for `advert_int 1` with room for a slow machine: a backup waits 3.6 s for a
/// silent master, a check that runs once a second adds up to one more.
const TABLE: [Known; 13] = [
    known("start", Act::StartAll, Holder::One, 6_000),
    known("proxy killed", Act::KillProxy, Holder::Other, 6_000).healed_by("proxy back"),
    known("proxy back", Act::StartBoth, Holder::Home, 2_000),
    known("daemon stopped", Act::StopDaemon, Holder::Other, 2_000).healed_by("daemon started"),
    known("daemon started", Act::StartBoth, Holder::Home, 2_000),
    known("host cut off", Act::Unplug, Holder::Other, 6_000).healed_by("host back"),
    known("host back", Act::Plug, Holder::Home, 2_000),
    known("vrrp process killed", Act::KillVrrpProcess, Holder::One, 6_000)
        .healed_by("vrrp process back")
        .on_request(),
    known("vrrp process back", Act::StartBoth, Holder::Home, 2_000).on_request(),
    known("daemon killed", Act::KillDaemon, Holder::All, 6_000)
        .healed_by("daemon restarted")
        .on_request(),
    known("daemon restarted", Act::StartBoth, Holder::Home, 2_000).overlap(5_000).on_request(),
    known("vrrp filtered", Act::FilterVrrp, Holder::All, 6_000)
        .healed_by("filter removed")
        .on_request(),
    known("filter removed", Act::UnfilterVrrp, Holder::Home, 2_000).overlap(5_000).on_request(),
];

const fn known(name: &'static str, act: Act, holder: Holder, gap: u64) -> Known {
    Known { name, act, holder, gap, overlap: 500, healed_by: None, by_default: true }
}

impl Known {
    const fn healed_by(self, name: &'static str) -> Self {
        Known { healed_by: Some(name), ..self }
    }

    const fn overlap(self, overlap: u64) -> Self {
        Known { overlap, ..self }
    }

    /// Played only when asked for by name.
    const fn on_request(self) -> Self {
        Known { by_default: false, ..self }
    }
}

pub(super) fn all() -> impl Iterator<Item = &'static Known> {
    TABLE.iter()
}

pub(super) fn named(name: &str) -> Option<&'static Known> {
    all().find(|known| known.name == name)
}

impl From<&Known> for Scenario {
    fn from(known: &Known) -> Self {
        Scenario {
            name: known.name.into(),
            act: known.act,
            expect: Expectation {
                holder: known.holder,
                gap: Duration::from_millis(known.gap),
                overlap: Duration::from_millis(known.overlap),
                patience: Duration::from_secs(10),
            },
            healed_by: known.healed_by.map(str::to_owned),
            played: known.by_default,
        }
    }
}

/// Does `holders` fit, given who held the address `before` this act and who at `home`?
pub(super) fn fits(
    expected: Holder,
    holders: &[usize],
    before: Option<usize>,
    home: Option<usize>,
) -> bool {
    let one = match holders {
        [one] => Some(*one),
        _ => None,
    };
    match expected {
        Holder::One => one.is_some(),
        Holder::Same => one.is_some() && one == before,
        Holder::Other => one.is_some() && one != before,
        Holder::Home => one.is_some() && one == home,
        Holder::All => !holders.is_empty(),
    }
}

/// The scenarios to play, in order: the cluster's list, or `start` and those asked for, each with
/// what heals it.
pub(super) fn chosen(scenarios: &[Scenario], asked: &[String]) -> Vec<Scenario> {
    let wanted = |scenario: &Scenario| {
        let heals = |asked: &String| {
            scenarios.iter().any(|broken| {
                broken.name == *asked && broken.healed_by.as_ref() == Some(&scenario.name)
            })
        };
        let named = scenario.name == "start" || asked.contains(&scenario.name);
        if asked.is_empty() { scenario.played } else { named || asked.iter().any(heals) }
    };
    let mut chosen: Vec<Scenario> = scenarios.iter().filter(|one| wanted(one)).cloned().collect();
    if !chosen.iter().any(|scenario| scenario.name == "start") {
        chosen.splice(0..0, scenarios.iter().find(|one| one.name == "start").cloned());
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Vec<String> {
        let scenarios: Vec<Scenario> = all().map(Scenario::from).collect();
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        chosen(&scenarios, &asked).into_iter().map(|scenario| scenario.name).collect()
    }

    #[test]
    fn what_is_broken_on_request_is_healed() {
        assert_eq!(names(&["vrrp filtered"]), ["start", "vrrp filtered", "filter removed"]);
        assert_eq!(names(&["start"]), ["start"]);
        assert!(names(&[]).contains(&"proxy killed".to_owned()));
        assert!(!names(&[]).contains(&"vrrp filtered".to_owned()));
    }

    #[test]
    fn what_heals_stands_behind_what_breaks() {
        let at = |name: &str| all().position(|known| known.name == name).unwrap();
        for known in all() {
            if let Some(heals) = known.healed_by {
                assert!(at(heals) > at(known.name), "{}", known.name);
            }
        }
    }

    #[test]
    fn holders_fit() {
        let (before, home) = (Some(0), Some(1));
        assert!(fits(Holder::One, &[2], before, home));
        assert!(!fits(Holder::One, &[0, 1], before, home));
        assert!(fits(Holder::Same, &[0], before, home) && !fits(Holder::Same, &[1], before, home));
        assert!(
            fits(Holder::Other, &[1], before, home) && !fits(Holder::Other, &[0], before, home)
        );
        assert!(fits(Holder::Home, &[1], before, home) && !fits(Holder::Home, &[0], before, home));
        assert!(fits(Holder::All, &[0, 1], before, home) && !fits(Holder::All, &[], before, home));
    }
}
