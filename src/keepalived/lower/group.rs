//! Sync groups: which instances change state together.

use std::collections::{HashMap, HashSet};

use super::super::config::SyncGroup;
use super::Lowering;
use super::conduct::OWNER;
use crate::plan::group::{self, RouterId};
use crate::plan::vrrp::{InitialState, VirtualRouter};
use crate::text::{Diagnostic, Span};

/// A group, and the names of the instances that are in it.
pub(super) type Members<'a> = (&'a SyncGroup, Vec<&'a str>);

impl<'a> Lowering<'a> {
    /// The groups that have members.
    pub(super) fn groups(&mut self) -> Vec<Members<'a>> {
        let config = self.config;
        let instances: HashSet<&str> =
            config.instances.iter().map(|it| it.name.value.as_str()).collect();
        let mut taken = HashSet::new();
        let mut groups = Vec::new();
        for group in &config.groups {
            let name = &group.name.value;
            let mut members = Vec::new();
            for member in &group.members {
                let value = member.value.as_str();
                if !instances.contains(value) {
                    let message = format!(
                        "Virtual router {value} specified in sync group {name} doesn't exist - \
                         ignoring"
                    );
                    self.complain_of_group(message, member.span);
                } else if !taken.insert(value) {
                    let message = format!(
                        "Virtual router {value} cannot exist in more than one sync group; \
                         ignoring {name}"
                    );
                    self.complain_of_group(message, member.span);
                } else {
                    members.push(value);
                }
            }
            let complaint = match members.len() {
                0 if group.members.is_empty() => {
                    Some(format!("Sync group {name} has no virtual router(s). removing"))
                }
                0 => Some(format!(
                    "Sync group {name}, no matching virtual router found in group declaration - \
                     removing"
                )),
                1 => Some(format!(
                    "Sync group {name} has only 1 virtual router(s) - this probably isn't what \
                     you want"
                )),
                _ => None,
            };
            if let Some(message) = complaint {
                self.complain_of_group(message, group.name.span);
            }
            if !members.is_empty() {
                groups.push((group, members));
            }
        }
        groups
    }

    fn complain_of_group(&mut self, message: String, span: Span) {
        self.diagnostics.push(Diagnostic::error("keepalived/group", message).at(span));
    }

    /// Puts the routers into their groups. A group of which one can't be run isn't run: the others
    /// would do what it can't.
    pub(super) fn band(
        &mut self,
        groups: &[Members<'a>],
        routers: &mut Vec<VirtualRouter>,
    ) -> Vec<group::SyncGroup> {
        let running: HashSet<String> = routers.iter().map(|it| it.name.clone()).collect();
        let mut left_out = HashSet::new();
        for (group, members) in groups {
            let Some(missing) = members.iter().find(|it| !running.contains(**it)) else { continue };
            for member in members.iter().filter(|it| running.contains(**it)) {
                let message = format!(
                    "({member}) is not run: {missing}, which is in its sync group {}, isn't",
                    group.name.value
                );
                self.complain_of_group(message, group.name.span);
                left_out.insert((*member).to_owned());
            }
        }
        routers.retain(|it| !left_out.contains(&it.name));
        let places: HashMap<String, usize> =
            routers.iter().enumerate().map(|(at, it)| (it.name.clone(), at)).collect();
        let mut banded = Vec::new();
        for (group, members) in groups {
            let Some(members) =
                members.iter().map(|it| places.get(*it).copied()).collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            self.owners(group, &members, routers);
            let telling = self.own_telling(&group.telling);
            for at in &members {
                // As the real one's dump shows.
                routers[*at].telling.priority_changes |= telling.priority_changes;
            }
            banded.push(group::SyncGroup {
                name: group.name.value.clone(),
                members: members.into_iter().map(RouterId).collect(),
                notify: self.notify(&group.notify),
                own_weights: group.tracking.own_weights,
                telling,
                span: group.name.span,
            });
        }
        banded
    }

    /// Only a group of owners begins as master; keepalived lets the owners of a mixed one begin as
    /// backup.
    fn owners(&mut self, group: &SyncGroup, members: &[usize], routers: &mut [VirtualRouter]) {
        let owns = |at: &usize| routers[*at].priority == OWNER;
        let begins = |at: &usize| owns(at) && routers[*at].initial == InitialState::Master;
        let (some, all) = (members.iter().any(owns), members.iter().all(owns));
        let all_begin = members.iter().all(begins);
        if some && !all {
            let message = format!(
                "Sync group {} has some member(s) as address owner and some not as address owner. \
                 This won't work.",
                group.name.value
            );
            // keepalived only says so when it starts, and calls the config good.
            let diagnostic = Diagnostic::warning("keepalived/group", message);
            self.diagnostics.push(diagnostic.at(group.name.span));
        }
        for at in members.iter().filter(|_| !all_begin) {
            routers[*at].initial = InitialState::Backup;
        }
    }
}
