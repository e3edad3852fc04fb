//! The rules that [`super`] lists, checked after everything that happens.

use std::time::Duration;

use evenkeel::vrrp::machine::State;

use super::play::World;
use super::{CONVERGENCE, NODES};

impl World {
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.check_holders()?;
        self.check_groups()?;
        for network in 0..self.networks {
            self.check_rivals(network)?;
        }
        match self.calm_since {
            Some(since) if self.now >= since + CONVERGENCE => self.check_election(),
            _ => Ok(()),
        }
    }

    fn active(&self, network: usize) -> Vec<usize> {
        (0..NODES).filter(|index| self.hosts[*index].is_active(network)).collect()
    }

    /// Rule 1.
    fn check_holders(&self) -> Result<(), String> {
        for (index, host) in self.hosts.iter().enumerate() {
            for (network, config) in host.configs.iter().enumerate() {
                let held = host.held.iter().filter(|(on, _)| *on == network).count();
                let active = host.is_active(network);
                if !active && held > 0 && !host.orphaned {
                    return Err(format!("node {index} holds {:?} without being active", host.held));
                }
                if active && held != config.addresses.len() {
                    return Err(format!("node {index} is active and holds {:?}", host.held));
                }
            }
        }
        Ok(())
    }

    /// Rule 2.
    fn check_groups(&mut self) -> Result<(), String> {
        let patient = self.calm_since.is_none_or(|since| self.now < since + CONVERGENCE);
        for (index, host) in self.hosts.iter_mut().enumerate() {
            let Some(first) = host.state(0) else { continue };
            let mut others = (1..self.networks).filter_map(|network| host.state(network));
            let other = others.find(|it| *it != first);
            // One that was added listens first.
            host.joining &= other.is_some();
            if let Some(other) = other.filter(|_| !(host.joining && patient)) {
                let (first, other) = (first.word(), other.word());
                return Err(format!("node {index}'s group is divided: {first} and {other}"));
            }
        }
        Ok(())
    }

    /// Rule 3.
    fn check_rivals(&mut self, network: usize) -> Result<(), String> {
        let active = self.active(network);
        let lossless = self.loss == 0;
        for a in 0..NODES {
            for b in 0..a {
                let awake = |index: usize| self.hosts[index].asleep_until <= self.now;
                let rivals = active.contains(&a) && active.contains(&b) && awake(a) && awake(b);
                let hear = self.hears(network, a, b) && self.hears(network, b, a) && lossless;
                if !(rivals && hear) {
                    self.rivals_since[network][a][b] = None;
                    continue;
                }
                let since = *self.rivals_since[network][a][b].get_or_insert(self.now);
                // What was on its way when delays were long may still come.
                let bound = Duration::from_millis(1_000 + 900 + 10);
                if self.now - since > bound {
                    return Err(format!(
                        "nodes {b} and {a} are both active though they could know"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Rules 4 and 5.
    fn check_election(&mut self) -> Result<(), String> {
        if self.scenario.contradictory {
            return Ok(());
        }
        let active = self.active(0);
        let elected = match active.as_slice() {
            [] => return Err("nobody is active".into()),
            [one] => *one,
            more => return Err(format!("nodes {more:?} are all active")),
        };
        if *self.elected.get_or_insert(elected) != elected {
            return Err(format!("node {elected} has replaced the elected one"));
        }
        let priority = |index: usize| {
            let daemon = self.hosts[index].daemon.as_ref()?;
            let takes_part = daemon.machines[0].state() != State::Initialize;
            takes_part.then(|| daemon.machines[0].priority())
        };
        let best = (0..NODES).filter_map(|index| Some((priority(index)?, index))).max();
        if let Some((highest, best)) = best
            && self.scenario.all_preempt
            && priority(elected).is_some_and(|elected| elected < highest)
        {
            return Err(format!("node {elected} is active though node {best} has {highest}"));
        }
        Ok(())
    }
}
