//! What is tracked, and what that makes of the routers.

use std::time::Instant;

use super::network::Network;
use super::objects::{News, Objects};
use super::role::Role;
use super::scripts::Scripts;
use crate::plan::track::{FileId, ProcessId, ScriptId};
use crate::plan::vrrp::VirtualRouter;
use crate::runtime::probe::Finding;
use crate::vrrp::file::{Change, change};
use crate::vrrp::machine::Event;
use crate::vrrp::track::{
    self, ScriptStatus, Standing, Verdict, Watched, file_adds, file_status, weigh,
};

/// Everything, at this moment.
struct Everything<'a> {
    scripts: &'a Scripts,
    objects: &'a Objects,
    network: &'a Network,
}

impl Watched for Everything<'_> {
    fn script(&self, script: ScriptId) -> ScriptStatus {
        self.scripts.status(script)
    }

    fn interface(&self, name: &str) -> bool {
        self.network.is_up(name)
    }

    fn file(&self, file: FileId) -> Option<i32> {
        self.objects.file(file)
    }

    fn process(&self, process: ProcessId) -> bool {
        self.objects.process(process)
    }
}

impl Role {
    /// What all that a router tracks makes of it now.
    pub(super) fn verdict(&self, router: &VirtualRouter) -> Verdict {
        let Role { scripts, objects, network, .. } = self;
        weigh(router, &Everything { scripts, objects, network })
    }

    /// What the probe has found out.
    pub(super) fn find(&mut self, now: Instant, finding: Finding) {
        match self.objects.hear(now, &finding) {
            Some(News::File { file, before, after }) => {
                for at in 0..self.routers.len() {
                    self.follow_file(now, at, file, before, after);
                }
            }
            Some(News::Process) => self.weigh(now),
            None if matches!(finding, Finding::File { .. } | Finding::Counted { .. }) => {}
            None => {
                // With thousands of scripts most results are what they were.
                if self.scripts.hear(now, finding, &self.probe) {
                    self.weigh(now);
                }
            }
        }
    }

    /// Tells every router what is to be made of it now.
    pub(super) fn weigh(&mut self, now: Instant) {
        for at in 0..self.routers.len() {
            self.weigh_one(now, at);
        }
    }

    fn weigh_one(&mut self, now: Instant, at: usize) {
        let verdict = self.verdict(self.routers[at].machine.router());
        if self.routers[at].verdict != Some(verdict) {
            self.routers[at].verdict = Some(verdict);
            self.tell(now, at, Event::Tracking(verdict));
        }
    }

    /// An interface is up or down: for this router, if it tracks that.
    pub(super) fn follow_interface(&mut self, now: Instant, at: usize, name: &str) {
        let mut lines = self.routers[at].machine.router().tracking.interfaces.iter();
        if lines.any(|line| line.what == name) {
            self.weigh_one(now, at);
        }
    }

    /// A file has another value: for this router, if it tracks the file.
    fn follow_file(
        &mut self,
        now: Instant,
        at: usize,
        file: FileId,
        before: Option<i32>,
        after: Option<i32>,
    ) {
        let router = self.routers[at].machine.router();
        let Some(line) = router.tracking.files.iter().find(|line| line.what == file) else {
            return;
        };
        let change = change(line, before, after);
        let name = self.objects.file_name(file);
        match change {
            Change::Weight => self.weigh_one(now, at),
            Change::None => {}
            Change::Fault => {
                tracing::info!("({}): tracked file {name} now FAULT state", router.name);
                let verdict = self.verdict(router);
                self.routers[at].verdict = Some(verdict);
                let priority = self.routers[at].machine.priority();
                self.tell(now, at, Event::Tracking(Verdict { priority, ..verdict }));
            }
            Change::Recovery(adds) => {
                tracing::info!("({}): tracked file {name} leaving FAULT state", router.name);
                let verdict = self.verdict(router);
                self.routers[at].verdict = Some(verdict);
                self.tell(now, at, Event::Recovered { verdict, adds: adds != 0 });
            }
        }
    }

    /// Says what of all that they track, besides scripts, keeps routers of a new plan from taking
    /// part.
    pub(super) fn explain_faults(&self, routers: &[VirtualRouter]) {
        let say = |router: &VirtualRouter, colon: &str, why: String| {
            tracing::info!("({}){colon} entering FAULT state ({why})", router.name);
        };
        for router in routers {
            for line in router.tracking.interfaces.iter().filter(|line| line.weight == 0) {
                if self.network.is_up(&line.what) == line.reverse {
                    say(router, ":", format!("interface {} down", line.what));
                }
            }
        }
        for router in routers {
            for line in &router.tracking.files {
                let value = self.objects.file(line.what);
                if let Some(value) = value.filter(|_| file_adds(line, value).is_none()) {
                    let status = file_status(line, value.into());
                    let file = self.objects.file_name(line.what);
                    say(router, ":", format!("tracked file {file} has status {status}"));
                }
            }
        }
        for router in routers {
            for line in router.tracking.processes.iter().filter(|line| line.weight == 0) {
                if self.objects.process(line.what) == line.reverse {
                    let process = self.objects.process_name(line.what);
                    say(router, "", format!("tracked process {process} quorum not achieved"));
                }
            }
        }
    }

    /// The same of scripts, which at the start have no results yet.
    pub(super) fn explain_scripts(&self, router: &VirtualRouter) {
        for line in &router.scripts {
            if track::script(line, self.scripts.status(line.script)).1 == Standing::Faulty {
                let (name, script) = (&router.name, self.scripts.name(line.script));
                tracing::info!("({name}): entering FAULT state due to script {script}");
            }
        }
    }

    /// `interface_up_down_delays`: a backup that has learned a shorter interval waits for less.
    pub(super) fn limit_delays(&mut self) {
        if !self.network.delays.any() {
            return;
        }
        self.network.delays.forget_limits();
        for router in &self.routers {
            let most = router.machine.patience_with_links();
            self.network.delays.bear(&router.machine.router().interface, most);
            for device in router.machine.router().devices() {
                self.network.delays.bear(&device.name, most);
            }
        }
    }

    /// `track_src_ip`: is the source address there? keepalived 2.2.7 takes the keyword and doesn't
    /// look; here it does what the manual says.
    pub(super) fn has_source(&self, router: &VirtualRouter) -> bool {
        let source = router.source.filter(|_| router.tracking.track_source);
        source.is_none_or(|source| self.network.has(source))
    }

    /// Tells a router that is about to begin of its interface and of what it tracks.
    pub(super) fn introduce(&mut self, now: Instant, at: usize) {
        let config = self.routers[at].machine.router().clone();
        let (interface, verdict) = (self.interface_event(&config), self.verdict(&config));
        self.routers[at].verdict = Some(verdict);
        let fit = matches!(interface, Event::Interface { up: true, .. });
        self.tell(now, at, interface);
        self.explain_scripts(&config);
        let faulty = verdict.standing == Standing::Faulty;
        self.tell(now, at, Event::Tracking(verdict));
        if faulty && fit {
            tracing::info!("({}) entering FAULT state", config.name);
        }
    }
}
