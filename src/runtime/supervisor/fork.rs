//! keepalived's child from the start: a copy of its parent, as the real one's is, that waits for its
//! orders. What the linker and the start-up made in memory is there once for both of them then; a
//! child that executes the program anew has a megabyte of it to itself.
//!
//! That works only before there is a second thread. Whoever follows a child that died executes the
//! program.

use std::io;
use std::process::ExitCode;

use super::face::{Kind, RoleKind};
use super::listeners::Listeners;
use super::systemd::{self, Systemd};
use super::{Supervisor, role};
use crate::kernel::channel::Channel;
use crate::kernel::process::{self, Launch};
use crate::runtime::handoff::Control;

/// A role's process that has no plan yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) pid: i32,
    pub(super) channel: Channel,
}

impl Waiting {
    /// It may have died meanwhile.
    pub(super) fn lives(&self) -> bool {
        process::is_child(self.pid)
    }
}

impl Supervisor {
    /// Starts the vrrp role's process, where it looks as this one does. `launch` is dropped in it.
    pub(super) fn fork_role(&mut self, launch: &mut Option<Launch>) -> io::Result<Option<Waiting>> {
        if self.face.kind != Kind::Keepalived || self.plan.vrrp.is_none() || !process::is_alone() {
            return Ok(None);
        }
        let (ours, theirs) = Channel::pair()?;
        let (mut ours, mut theirs) = (Some(ours), Some(theirs));
        let pid = process::fork_off(|| {
            // The supervisor's, and its alone: their ends mean something.
            ours = None;
            *launch = None;
            self.listeners = Listeners::default();
            self.systemd = Systemd::none();
            process::forget_variable(systemd::SOCKET);
            if self.face.mute {
                process::mute();
            }
            match theirs.take() {
                Some(channel) => {
                    let control = Control::over(channel);
                    role::run(RoleKind::Vrrp, control, &self.face.vrrp.log) == ExitCode::SUCCESS
                }
                None => false,
            }
        })?;
        drop(theirs);
        Ok(ours.map(|channel| Waiting { pid, channel }))
    }
}
