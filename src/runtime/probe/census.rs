//! Tracked processes: how many of each run.
//!
//! The kernel's process connector tells who begins, ends or takes another name. In network
//! namespaces other than the host's first it doesn't answer; there all processes are looked at twice
//! a second, and the end of those that were found is heard at once from their pidfds. (keepalived
//! sees no process there at all.)

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::spawn_local;

use super::{CheckKey, Finding, Guard};
use crate::kernel::connector::Happening;
use crate::kernel::proc::{Process, ProcessEnd, pids, process, processes};
use crate::plan::track::TrackProcess;
use crate::vrrp::process::{Cause, matches};

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(500);
/// A process may still take another name or run another program so long after it was first seen;
/// later that is noticed by [`LOOK_AGAIN`] only.
const YOUNG: Duration = Duration::from_secs(3);
/// From one look at the names of all processes to the next.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How many run now.
pub fn count(plan: &TrackProcess) -> usize {
    let all = processes().unwrap_or_default();
    all.iter().filter(|process| is_one(plan, process)).count()
}

fn is_one(plan: &TrackProcess, process: &Process) -> bool {
    !process.is_dead() && matches(plan, &process.comm, || process.arguments())
}

/// A pid and when it started.
type Identity = (i32, u64);

fn identity(process: &Process) -> Identity {
    (process.pid, process.started)
}

/// The probe's side.
pub(super) struct Census {
    tracked: BTreeMap<CheckKey, Tracked>,
    /// Pidfds, where there is no connector.
    guards: HashMap<Identity, Guard>,
    gone: UnboundedSender<Identity>,
    going: UnboundedReceiver<Identity>,
    looks: Option<Looks>,
}

struct Tracked {
    plan: TrackProcess,
    members: BTreeSet<Identity>,
}

/// When all processes are looked at.
struct Looks {
    next: Instant,
    all_at: Instant,
    /// Since when each pid is known.
    seen: HashMap<i32, Instant>,
}

impl Census {
    pub(super) fn new() -> Self {
        let (gone, going) = unbounded_channel();
        let (tracked, guards) = (BTreeMap::new(), HashMap::new());
        Census { tracked, guards, gone, going, looks: None }
    }

    /// Tracks a process, or another one of this key.
    pub(super) fn track(&mut self, key: CheckKey, plan: TrackProcess) -> Vec<Finding> {
        self.tracked.insert(key, Tracked { plan, members: BTreeSet::new() });
        let all = processes().unwrap_or_default();
        let members = self.members(key, &all);
        self.set(key, members, Cause::Exec)
    }

    pub(super) fn forget(&mut self, key: CheckKey) {
        self.tracked.remove(&key);
        self.drop_guards();
    }

    pub(super) fn is_needed(&self) -> bool {
        !self.tracked.is_empty()
    }

    /// There is no connector: look.
    pub(super) fn rely_on_looks(&mut self) {
        if self.looks.is_none() {
            let now = Instant::now();
            let seen = HashMap::new();
            self.looks = Some(Looks { next: now + LOOK, all_at: now + LOOK_AGAIN, seen });
            self.drop_guards();
        }
    }

    /// When to look again.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.looks.as_ref().filter(|_| self.is_needed()).map(|looks| looks.next)
    }

    /// The next process whose pidfd tells its end.
    pub(super) async fn next_end(&mut self) -> i32 {
        match self.going.recv().await {
            Some((pid, _)) => pid,
            None => std::future::pending().await,
        }
    }

    /// What the connector tells.
    pub(super) fn follow(&mut self, happening: Happening) -> Vec<Finding> {
        if !self.is_needed() {
            return Vec::new();
        }
        match happening {
            Happening::Named(pid) => self.look_at(pid, Cause::Exec),
            Happening::Forked { parent, child } => {
                let of_parent = |tracked: &Tracked| has(&tracked.members, parent);
                if self.tracked.values().any(of_parent) {
                    self.look_at(child, Cause::Fork)
                } else {
                    Vec::new()
                }
            }
            Happening::Ended(pid) => self.end(pid),
            Happening::Lost => self.look_at_all(),
        }
    }

    /// It has ended.
    pub(super) fn end(&mut self, pid: i32) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (key, tracked) in &mut self.tracked {
            let before = tracked.members.len();
            tracked.members.retain(|member| member.0 != pid);
            if tracked.members.len() < before {
                findings.push(counted(*key, tracked, Cause::End));
            }
        }
        self.guards.retain(|member, _| member.0 != pid);
        findings
    }

    /// One process may be another one now.
    fn look_at(&mut self, pid: i32, cause: Cause) -> Vec<Finding> {
        let Some(process) = process(pid) else { return Vec::new() };
        let mut findings = Vec::new();
        for (key, tracked) in &mut self.tracked {
            let changed = if is_one(&tracked.plan, &process) {
                tracked.members.insert(identity(&process))
            } else {
                tracked.members.remove(&identity(&process))
            };
            if changed {
                findings.push(counted(*key, tracked, cause));
            }
        }
        findings
    }

    fn look_at_all(&mut self) -> Vec<Finding> {
        let all = processes().unwrap_or_default();
        let mut findings = Vec::new();
        for key in self.tracked.keys().copied().collect::<Vec<_>>() {
            let members = self.members(key, &all);
            findings.extend(self.set(key, members, Cause::Exec));
        }
        findings
    }

    fn members(&self, key: CheckKey, all: &[Process]) -> BTreeSet<Identity> {
        let plan = &self.tracked[&key].plan;
        all.iter().filter(|process| is_one(plan, process)).map(identity).collect()
    }

    /// These are the processes now; first those that ended are told, then the new ones.
    fn set(&mut self, key: CheckKey, members: BTreeSet<Identity>, cause: Cause) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Some(tracked) = self.tracked.get_mut(&key) else { return findings };
        let left = tracked.members.intersection(&members).count();
        let ended = left < tracked.members.len();
        let began = left < members.len();
        tracked.members.retain(|member| members.contains(member));
        if ended && !began {
            findings.push(counted(key, tracked, Cause::End));
        }
        tracked.members = members;
        if began {
            findings.push(counted(key, tracked, cause));
        }
        self.guard();
        findings
    }

    /// Looks at who may have come or changed since the last time.
    pub(super) fn look(&mut self, now: Instant) -> Vec<Finding> {
        let Some(looks) = &mut self.looks else { return Vec::new() };
        looks.next = now + LOOK;
        let there = pids().unwrap_or_default();
        let known: HashSet<i32> = there.iter().copied().collect();
        looks.seen.retain(|pid, _| known.contains(pid));
        let all = looks.all_at <= now;
        if all {
            looks.all_at = now + LOOK_AGAIN;
        }
        let mut young = Vec::new();
        for pid in there {
            let since = *looks.seen.entry(pid).or_insert(now);
            if all || now.saturating_duration_since(since) < YOUNG {
                young.push(pid);
            }
        }
        let gone = |member: &&Identity| !known.contains(&member.0);
        let members = self.tracked.values().flat_map(|tracked| &tracked.members);
        let gone: BTreeSet<i32> = members.filter(gone).map(|member| member.0).collect();
        let mut findings: Vec<Finding> = gone.into_iter().flat_map(|pid| self.end(pid)).collect();
        for process in young.into_iter().filter_map(process) {
            // Who has the same parent as its like was forked, not started.
            let forked = |tracked: &Tracked| has(&tracked.members, process.parent);
            let cause = match self.tracked.values().any(forked) {
                true => Cause::Fork,
                false => Cause::Exec,
            };
            findings.extend(self.look_at(process.pid, cause));
        }
        self.guard();
        findings
    }

    /// Where there is no connector, the end of each is heard from its pidfd.
    fn guard(&mut self) {
        if self.looks.is_none() {
            return;
        }
        let members = self.tracked.values().flat_map(|tracked| tracked.members.iter().copied());
        let members: BTreeSet<Identity> = members.collect();
        self.guards.retain(|member, _| members.contains(member));
        for member in members {
            if self.guards.contains_key(&member) {
                continue;
            }
            let Some(process) = process(member.0) else {
                let _ = self.gone.send(member);
                continue;
            };
            match ProcessEnd::watch(&process) {
                Ok(end) if identity(&process) == member => {
                    let gone = self.gone.clone();
                    let task = spawn_local(async move {
                        end.ended().await;
                        let _ = gone.send(member);
                    });
                    self.guards.insert(member, Guard(task.abort_handle()));
                }
                // Out of descriptors: the next look will tell.
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::debug!("process {}: no pidfd: {error}", member.0);
                }
                _ => drop(self.gone.send(member)),
            }
        }
    }

    fn drop_guards(&mut self) {
        let tracked = &self.tracked;
        let is_member =
            |member: &Identity| tracked.values().any(|tracked| tracked.members.contains(member));
        self.guards.retain(|member, _| is_member(member));
        self.guard();
    }
}

fn has(members: &BTreeSet<Identity>, pid: i32) -> bool {
    members.range((pid, 0)..=(pid, u64::MAX)).next().is_some()
}

fn counted(key: CheckKey, tracked: &Tracked, cause: Cause) -> Finding {
    Finding::Counted { check: key, count: tracked.members.len(), cause }
}
