//! Keeps roles running: starts them, notices that they have ended, and decides what follows.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::environment::environment;
use super::role::{Role, State};
use super::{Event, Kind, Phase, RoleKind, Supervisor, words};
use crate::kernel::process;
use crate::runtime::handoff::Order;

impl Supervisor {
    /// Starts a role by the plan in force, if the plan has it and it doesn't run.
    pub(super) fn start_role(&mut self, kind: RoleKind, events: &UnboundedSender<Event>) {
        if self.runs(kind) {
            return;
        }
        let Self { face, plan, listeners, roles, .. } = self;
        let index = RoleKind::ALL.iter().position(|other| *other == kind).unwrap_or_default();
        let role = &mut roles[index];
        let started = match (kind, &plan.vrrp, &plan.stream) {
            // What a predecessor left is still on the interfaces: kept alive by its successor.
            (RoleKind::Vrrp, Some(_), _) => plan.vrrp().and_then(|slice| {
                let mut succession = role.held.to_succession(slice);
                succession.first = !role.proven;
                role.start(face, None, &succession, &[], events)
            }),
            (RoleKind::Stream, _, Some(slice)) => {
                let sockets = listeners.descriptors(&slice.listeners);
                let base = (face.kind == Kind::Nginx).then(|| environment(&slice.process));
                role.start(face, base.as_deref(), slice, &sockets, events)
            }
            _ => return,
        };
        match started {
            Ok(pid) => {
                words::role_started(face, kind, pid);
                self.write_role_pid_file(kind, pid);
            }
            Err(error) => {
                tracing::error!(
                    level = "alert",
                    "the {} role can't be started: {error}",
                    kind.word()
                );
                let role = self.role(kind);
                role.state = State::Waiting(Instant::now() + role.back_off.after(Duration::ZERO));
                std::mem::take(&mut role.held).release();
            }
        }
    }

    /// Takes note of processes that have ended; [`look_after_roles`](Self::look_after_roles) draws
    /// the conclusions.
    pub(super) fn reap(&mut self, events: &UnboundedSender<Event>) {
        let now = Instant::now();
        let all = process::reap();
        if let Some(first) = all.first() {
            words::children_ended(&self.face, first.pid);
        }
        for ended in all {
            let roles = self.roles.iter_mut().filter_map(Role::running_mut);
            match roles.chain(&mut self.draining).find(|running| running.pid == ended.pid) {
                Some(running) => running.ended = Some((ended.status, now)),
                None => self.successor_ended(ended.pid, ended.status, events),
            }
        }
    }

    /// The stream role accepts no more and finishes its sessions; another one may begin meanwhile.
    pub(super) fn retire_stream(&mut self) {
        let role = self.role(RoleKind::Stream);
        role.end(&Order::Quit, None);
        match std::mem::replace(&mut role.state, State::Stopped) {
            State::Running(running) => self.draining.push(running),
            other => self.role(RoleKind::Stream).state = other,
        }
    }

    fn look_after_draining(&mut self, now: Instant) {
        for running in &mut self.draining {
            running.kill_if_due(RoleKind::Stream, now);
        }
        let face = &self.face;
        self.draining.retain(|running| match running.gone(now) {
            Some(status) => {
                words::role_ended(face, RoleKind::Stream, running.pid, status, true);
                false
            }
            None => true,
        });
    }

    /// What became due: the dead are replaced, the waiting started, the stubborn killed.
    pub(super) fn look_after_roles(&mut self, events: &UnboundedSender<Event>) {
        let now = Instant::now();
        for kind in RoleKind::ALL {
            let role = self.role(kind);
            let mut gone = None;
            match &mut role.state {
                State::Waiting(until) if *until <= now => self.start_role(kind, events),
                State::Running(running) => match running.gone(now) {
                    Some(status) => gone = Some(status),
                    None => running.kill_if_due(kind, now),
                },
                State::Waiting(_) | State::Stopped => {}
            }
            if let Some(status) = gone {
                self.role_ended(kind, status, events);
            }
        }
        self.look_after_draining(now);
        if let Phase::Starting { until, .. } = &self.phase
            && *until <= now
        {
            tracing::warn!("the start takes long; it goes on");
            self.launched(0);
        }
        self.stop_next();
    }

    fn role_ended(&mut self, kind: RoleKind, status: ExitStatus, events: &UnboundedSender<Event>) {
        let stopping = matches!(self.phase, Phase::Stopping { .. });
        let role = self.role(kind);
        let State::Running(running) = std::mem::replace(&mut role.state, State::Stopped) else {
            return;
        };
        role.pid_file = None;
        let left = std::mem::take(&mut role.held);
        let failure = role.failure.take();
        let proven = role.proven;
        let ordered = running.ending.is_some();
        words::role_ended(&self.face, kind, running.pid, status, ordered);
        // A successor that starts at once takes over what a crashed role has left: put back below.
        // In every other case it goes, here and only here.
        let wait = match !stopping && !ordered && failure.is_none() && !stopped_by_somebody(status)
        {
            true if self.wants(kind) && self.face.respawn => {
                Some(self.role(kind).back_off.after(running.since.elapsed()))
            }
            _ => None,
        };
        let inherited = wait.is_some_and(|wait| wait.is_zero());
        if inherited {
            self.role(kind).held = left;
        } else {
            left.release();
        }
        if stopping {
            return;
        }
        if let Some(failure) = failure {
            words::role_failed(&self.face, kind, running.pid, &failure);
            if !proven {
                let code = if self.face.kind == Kind::Keepalived { 2 } else { 1 };
                self.launched(code);
                self.stop(false, code);
                return;
            }
            self.step_back(events);
            if self.runs(kind) {
                return;
            }
        }
        let again = std::mem::take(&mut self.role(kind).again);
        let wanted = self.wants(kind);
        let stopped_by_hand =
            self.face.kind == Kind::Evenkeel && stopped_by_somebody(status) && !ordered;
        if again && wanted {
            self.start_role(kind, events);
        } else if ordered || !wanted || !self.face.respawn {
            // It ended as it should, or nobody is to follow it.
        } else if stopped_by_hand {
            words::stays_stopped(kind);
            if kind == RoleKind::Stream {
                // Clients are refused, as by nginx that was stopped, instead of waiting for nobody.
                self.close_listeners();
            }
            self.go_on();
        } else {
            let lived = running.since.elapsed();
            let wait = wait.unwrap_or_else(|| self.role(kind).back_off.after(lived));
            words::respawn(&self.face, kind, running.pid, wait);
            if wait.is_zero() {
                self.start_role(kind, events);
            } else {
                self.role(kind).state = State::Waiting(Instant::now() + wait);
            }
        }
    }
}

/// It ended because it was asked to: in an orderly way, or, before it could listen to signals, by
/// one of those that ask for that.
fn stopped_by_somebody(status: ExitStatus) -> bool {
    let asks = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];
    status.success() || status.signal().is_some_and(|signal| asks.contains(&signal))
}
