//! Routes and rules that move with the addresses.

use std::time::Instant;

use super::role::Role;
use super::router::Router;
use crate::plan::route::{Route, Rule};
use crate::runtime::handoff::{Difference, Possession, Report};
use crate::runtime::placing;
use crate::vrrp::machine::Event;

impl Role {
    /// Whoever cleans up behind us hears of it before it is done.
    pub(super) fn possess(&mut self, wanted: impl Iterator<Item = Possession>) {
        let new = self.network.possessions.claim(wanted);
        let report = Report::Possessing(Difference::More(new.clone()));
        if !new.is_empty() && self.control.report(&report).is_err() {
            self.network.possessions.report_lost();
            self.report_soon();
        }
    }

    pub(super) fn add_routes(&mut self, now: Instant, at: usize, routes: &[Route]) {
        self.possess(routes.iter().cloned().map(Possession::Route));
        for route in routes {
            let added = self.network.add_route(route);
            self.complain(now, at, &format!("adding route {route}"), added);
        }
    }

    /// The last one first.
    pub(super) fn remove_routes(&mut self, now: Instant, at: usize, routes: &[Route]) {
        for route in routes.iter().rev() {
            if self.passes_on(at, &Possession::Route(route.clone())) {
                continue;
            }
            let removed = self.network.remove_route(route);
            self.complain(now, at, &format!("removing route {route}"), removed);
        }
        self.report_soon();
    }

    pub(super) fn add_rules(&mut self, now: Instant, at: usize, rules: &[Rule]) {
        self.possess(rules.iter().cloned().map(Possession::Rule));
        for rule in rules {
            let added = self.network.add_rule(rule);
            self.complain(now, at, &format!("adding rule {rule}"), added);
        }
    }

    /// The last one first.
    pub(super) fn remove_rules(&mut self, now: Instant, at: usize, rules: &[Rule]) {
        for rule in rules.iter().rev() {
            if self.passes_on(at, &Possession::Rule(rule.clone())) {
                continue;
            }
            let removed = self.network.remove_rule(rule);
            self.complain(now, at, &format!("removing rule {rule}"), removed);
        }
        self.report_soon();
    }

    /// Takes away what a predecessor left and no router of this plan has any more.
    pub(super) fn disown_possessions(&mut self, left: &[Possession]) {
        for it in left {
            let ours = |router: &Router| {
                let belongings = &router.machine.router().belongings;
                match it {
                    Possession::Route(route) => belongings.routes.contains(route),
                    Possession::Rule(rule) => belongings.rules.contains(rule),
                    Possession::Device(_) | Possession::Setting { .. } | Possession::Table(_) => {
                        true
                    }
                }
            };
            if self.routers.iter().any(ours) || self.statics.has(it) {
                continue;
            }
            self.take_away(it);
        }
    }

    /// One of ours, with a word where it stays.
    pub(super) fn take_away(&mut self, it: &Possession) {
        let result = match it {
            Possession::Route(route) => self.network.remove_route(route),
            Possession::Rule(rule) => self.network.remove_rule(rule),
            other => self.network.take_away(other),
        };
        if let Err(error) = result {
            tracing::error!("{} stays: {error}", placing::name(it));
        }
        self.report_soon();
    }

    /// Somebody took a route or rule away that was ours.
    pub(super) fn miss(&mut self, now: Instant, lost: &Possession) {
        let holder = |router: &Router| {
            let belongings = &router.machine.router().belongings;
            match lost {
                Possession::Route(route) => belongings.routes.contains(route),
                Possession::Rule(rule) => belongings.rules.contains(rule),
                _ => false,
            }
        };
        match self.routers.iter().position(holder) {
            Some(at) => {
                let what = placing::name(lost);
                self.tell(now, at, Event::BelongingLost(what));
            }
            None => self.restore(now, lost),
        }
        self.report_soon();
    }

    /// What is still there of interfaces, settings and tables, the youngest first.
    pub(super) fn leave_host(&mut self) {
        let mut left: Vec<Possession> = self.network.possessions.iter().cloned().collect();
        left.sort_by_key(placing::age);
        for it in &left {
            self.remove_possession(it);
        }
    }
}
