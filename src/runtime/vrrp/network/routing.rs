//! The routes and rules of this node: put in place, taken away, missed.

use std::collections::HashMap;
use std::io;

use super::{Incident, Network};
use crate::kernel::netlink::packet::route::RouteMessage;
use crate::kernel::netlink::packet::rule::RuleMessage;
use crate::plan::route::{Belongings, Route, Rule};
use crate::plan::vrrp::VirtualRouter;
use crate::runtime::handoff::Possession;
use crate::runtime::placing;
use crate::runtime::placing::route::RouteKey;
use crate::runtime::placing::rule::RuleKey;

/// What is known of losses.
#[derive(Debug, Default)]
pub(super) struct Routing {
    watched: bool,
    /// Taken away by us as often: the kernel will tell, and it means nothing.
    routes_removed: HashMap<RouteKey, u32>,
    rules_removed: HashMap<RuleKey, u32>,
}

/// Does somebody want to know of lost routes or rules?
pub(super) fn is_watched(router: &VirtualRouter) -> bool {
    let Belongings { routes, rules, .. } = &*router.belongings;
    routes.iter().any(|it| !it.untracked) || rules.iter().any(|it| !it.untracked)
}

impl Network {
    /// From now on losses are told.
    pub(in crate::runtime::vrrp) fn watch_routes(&mut self) {
        if !std::mem::replace(&mut self.routing.watched, true)
            && let Err(error) = self.monitor.watch_routes()
        {
            tracing::error!("lost routes and rules won't be noticed: {error}");
        }
    }

    pub(in crate::runtime::vrrp) fn add_route(&mut self, route: &Route) -> io::Result<()> {
        placing::add_route(&mut self.netlink, route).map(drop)
    }

    pub(in crate::runtime::vrrp) fn remove_route(&mut self, route: &Route) -> io::Result<()> {
        self.possessions.let_go(&Possession::Route(route.clone()));
        if placing::remove_route(&mut self.netlink, route)? && self.routing.watched {
            *self.routing.routes_removed.entry(RouteKey::of(route)).or_default() += 1;
        }
        Ok(())
    }

    pub(in crate::runtime::vrrp) fn add_rule(&mut self, rule: &Rule) -> io::Result<()> {
        placing::add_rule(&mut self.netlink, rule).map(drop)
    }

    pub(in crate::runtime::vrrp) fn remove_rule(&mut self, rule: &Rule) -> io::Result<()> {
        self.possessions.let_go(&Possession::Rule(rule.clone()));
        if placing::remove_rule(&mut self.netlink, rule)? && self.routing.watched {
            *self.routing.rules_removed.entry(RuleKey::of(rule)).or_default() += 1;
        }
        Ok(())
    }

    pub(super) fn absorb_route_gone(&mut self, gone: &RouteMessage) -> Option<Incident> {
        let key = RouteKey::of_message(gone)?;
        if expected(&mut self.routing.routes_removed, &key) {
            return None;
        }
        let is_it = |it: &Possession| match it {
            Possession::Route(route) => !route.untracked && RouteKey::of(route) == key,
            _ => false,
        };
        self.possessions.let_go_where(is_it).pop().map(lost)
    }

    pub(super) fn absorb_rule_gone(&mut self, gone: &RuleMessage) -> Option<Incident> {
        let key = RuleKey::of_message(gone)?;
        if expected(&mut self.routing.rules_removed, &key) {
            return None;
        }
        let is_it = |it: &Possession| match it {
            Possession::Rule(rule) => !rule.untracked && RuleKey::of(rule) == key,
            _ => false,
        };
        self.possessions.let_go_where(is_it).pop().map(lost)
    }

    /// After news were lost: what isn't there any more.
    pub(super) fn missing_possessions(&mut self) -> Vec<Incident> {
        self.routing.routes_removed.clear();
        self.routing.rules_removed.clear();
        let (mut routes, mut rules) = (Vec::new(), Vec::new());
        for ipv6 in [false, true] {
            let (Ok(more), Ok(more_rules)) = (self.netlink.routes(ipv6), self.netlink.rules(ipv6))
            else {
                return Vec::new();
            };
            routes.extend(more.iter().filter_map(RouteKey::of_message));
            rules.extend(more_rules.iter().filter_map(RuleKey::of_message));
        }
        let missing = self.possessions.let_go_where(|it| match it {
            Possession::Route(it) => !it.untracked && !routes.contains(&RouteKey::of(it)),
            Possession::Rule(it) => !it.untracked && !rules.contains(&RuleKey::of(it)),
            _ => false,
        });
        missing.into_iter().map(lost).collect()
    }
}

/// Was it our doing?
fn expected<K: Eq + std::hash::Hash>(removed: &mut HashMap<K, u32>, key: &K) -> bool {
    let Some(count) = removed.get_mut(key) else { return false };
    *count -= 1;
    if *count == 0 {
        removed.remove(key);
    }
    true
}

fn lost(it: Possession) -> Incident {
    Incident::PossessionLost(Box::new(it))
}
