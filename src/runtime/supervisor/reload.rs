//! Reload: a new plan is read beside the loop, its sockets are opened, the roles take it over, and
//! what only the old plan needed goes. Whatever fails leaves the old plan running.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::kept::Kept;
use super::leftovers::Leftovers;
use super::reading::Reading;
use super::role::{Role, Running};
use super::{Event, Fresh, Kind, Loading, PATIENCE, Phase, RoleKind, Supervisor, wanted, words};
use crate::plan::track::RunAs;
use crate::plan::{Plan, StreamPlan};
use crate::runtime::handoff::Order;
use crate::runtime::log;

impl Supervisor {
    pub(super) fn reload(&mut self, events: &UnboundedSender<Event>) {
        if matches!(self.phase, Phase::Stopping { .. }) {
            return;
        }
        if self.loading != Loading::Idle {
            self.loading = Loading::Again;
            return;
        }
        self.loading = Loading::Busy;
        let reading = Reading::new(&self.process().reload, &self.face.reload_file);
        reading.announce();
        words::reloading(&self.face);
        self.systemd.reloading();
        let (load, events) = (Arc::clone(&self.load), events.clone());
        tokio::task::spawn_blocking(move || {
            // The loop that would hear it may have ended meanwhile.
            let _ = events.send(Event::Loaded(Box::new(reading.read(&load))));
        });
    }

    pub(super) fn loaded(&mut self, fresh: Fresh, events: &UnboundedSender<Event>) {
        let again = std::mem::replace(&mut self.loading, Loading::Idle) == Loading::Again;
        words::all(&fresh.messages);
        if matches!(self.phase, Phase::Stopping { .. }) {
            return;
        }
        match fresh.plan {
            Some(plan) => self.switch(plan, events),
            None => self.stay(),
        }
        if again {
            self.reload(events);
        }
    }

    /// Offers a new plan to the roles. Its sockets are opened before; sockets that it hasn't are
    /// closed once every role has taken it.
    fn switch(&mut self, plan: Plan, events: &UnboundedSender<Event>) {
        if let Err(lines) = self.listeners.open(wanted(&plan)) {
            for line in lines {
                tracing::error!(level = "emerg", "{line}");
            }
            return self.stay();
        }
        self.apply_log(&plan);
        if let Some(vrrp) = &plan.vrrp {
            self.schedule.adopt(&vrrp.process.reload);
        }
        let before = std::mem::replace(&mut self.plan, Kept::new(plan));
        self.give_new_logs(&before);
        self.hand_out(&before, events);
        // Two reloads in a row: the plan that certainly runs is the one before the first.
        self.previous.get_or_insert(before);
        self.settle();
    }

    /// A role can't run by the newest plan: all go back to the one before it.
    pub(super) fn step_back(&mut self, events: &UnboundedSender<Event>) {
        let Some(previous) = self.previous.take() else { return };
        self.apply_log(&previous);
        let refused = std::mem::replace(&mut self.plan, previous);
        self.hand_out(&refused, events);
        self.listeners.close_others(wanted(&self.plan), self.upgrade.shares_sockets());
        self.stay();
    }

    /// Brings every role from the plan `before` to the plan in force.
    fn hand_out(&mut self, before: &Kept, events: &UnboundedSender<Event>) {
        let Self { plan, listeners, roles: [vrrp, stream], .. } = self;
        match &plan.vrrp {
            // keepalived's instances say that they have been reloaded also when nothing changed.
            Some(_) => match plan.vrrp() {
                Ok(slice) => vrrp.reassign(&Leftovers::default().to_succession(slice), &[]),
                Err(error) => tracing::error!("the vrrp role's plan: {error}"),
            },
            None => vrrp.end(&Order::Stop, Some(PATIENCE)),
        }
        match &plan.stream {
            Some(slice) if before.stream.as_ref() != Some(slice) => {
                stream.reassign(slice, &listeners.descriptors(&slice.listeners));
            }
            Some(_) => words::unchanged(&self.face),
            None => stream.end(&Order::Quit, None),
        }
        for kind in RoleKind::ALL {
            let wanted = self.wants(kind);
            let role = self.role(kind);
            role.again = wanted && role.running().is_some_and(|running| running.ending.is_some());
            self.start_role(kind, events);
        }
        self.rewrite_pid_files();
    }

    /// Every role runs by the plan in force: what only the one before it needed goes.
    pub(super) fn settle(&mut self) {
        let all = self.roles.iter().filter_map(Role::running).all(Running::is_ready);
        if all && self.previous.take().is_some() {
            self.listeners.close_others(wanted(&self.plan), self.upgrade.shares_sockets());
            words::reloaded(&self.face);
            self.systemd.ready(&self.status());
        }
    }

    fn stay(&mut self) {
        words::reload_failed(&self.face);
        self.systemd.ready("The last reload failed: running by the config before it");
    }

    pub(super) fn reopen(&mut self) {
        if let Some(stream) = &self.plan.stream {
            let user = stream.process.user.as_ref();
            stream.log_files().for_each(|path| give_log_to_worker(path, user));
        }
        log::reopen();
        for role in &self.roles {
            if let Some(running) = role.running() {
                // Gone: its successor opens them anyway.
                let _ = running.leash.order(&Order::Reopen);
            }
        }
    }

    /// Workers that run already have given up the rights to make these.
    fn give_new_logs(&self, before: &Plan) {
        let Some(stream) = &self.plan.stream else { return };
        let known: HashSet<&Path> = before.stream.iter().flat_map(StreamPlan::log_files).collect();
        let new = stream.log_files().filter(|path| !known.contains(path));
        new.for_each(|path| give_log_to_worker(path, stream.process.user.as_ref()));
    }

    fn apply_log(&mut self, plan: &Plan) {
        if self.face.kind != Kind::Nginx {
            return;
        }
        let Some(stream) = &plan.stream else { return };
        if stream.process.error_logs.is_empty() {
            return;
        }
        let outputs = log::outputs(&stream.process.error_logs);
        let settings = log::Settings { outputs, ..self.face.log.clone() };
        match log::configure(&settings) {
            Ok(()) => {
                self.face.stream.log = settings.clone();
                self.face.log = settings;
            }
            Err(error) => tracing::error!(level = "emerg", "{error}"),
        }
    }
}

/// A worker that isn't root must be able to open its log anew: nginx gives it the file, too.
fn give_log_to_worker(path: &Path, user: Option<&RunAs>) {
    let Some(user) = user else { return };
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let given = opened.and_then(|file| std::os::unix::fs::fchown(file, Some(user.uid), None));
    if let Err(error) = given {
        let reason = log::reason(&error);
        tracing::error!(level = "emerg", "open() \"{}\" failed ({reason})", path.display());
    }
}
