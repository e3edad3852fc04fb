//! The vrrp role: joins the pure machines to the network, the scripts and the supervisor.
//!
//! One thread, one loop, one deadline: the least of all machines'. Nothing that may wait is on it;
//! scripts and notifications are with the [`probe`](super::probe), dump files with the [`scribe`],
//! D-Bus with the [`bus`], SNMP with [`snmp`].
//! Read [`role`](self) (the loop)
//! next, then [`life`] (routers come and go), [`deeds`] (what they want done), [`network`] and
//! [`scripts`].

mod agenda;
mod announcing;
mod bearing;
mod bus;
mod deaf;
mod deeds;
mod devices;
mod directory;
mod groups;
mod herald;
mod inbox;
mod life;
mod moves;
mod network;
mod objects;
mod passing;
mod role;
mod router;
mod scribe;
mod scripts;
mod settings;
mod snmp;
mod startup;
mod statics;
mod tracking;

use std::process::ExitCode;

use super::handoff::{Control, Instruction, Report, Succession};
use crate::kernel::memory::give_back_memory;
use crate::plan::VrrpPlan;
use role::Role;

/// keepalived's: what scripts create is for their owner only.
pub(super) const UMASK: u32 = 0o177;

/// Runs the role until the supervisor (or its end, or a signal) says so; addresses are off then.
pub fn run(control: Control) -> ExitCode {
    let succession = match control.wait::<Succession<VrrpPlan>>() {
        Ok(Some(Instruction::Start(assignment))) => assignment.plan,
        // Told to end, or left alone, before it began.
        Ok(_) => return ExitCode::SUCCESS,
        Err(error) => return fail(&control, format!("no plan: {error}")),
    };
    let umask = succession.plan.process.umask.unwrap_or(UMASK);
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
    if let Some(name) = &succession.plan.process.names.vrrp {
        crate::kernel::process::set_name(name);
    }
    // Without tokio's timers: the role has one alarm of its own, and looks at nothing else.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&control, format!("no runtime: {error}")),
    };
    runtime.block_on(async {
        match Role::start(control.clone(), succession) {
            Ok(role) => {
                give_back_memory();
                role.run().await;
                ExitCode::SUCCESS
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let hint = "adverts need CAP_NET_RAW and addresses CAP_NET_ADMIN: start it as root";
                fail(&control, format!("cannot start: {error}; {hint}"))
            }
            Err(error) => fail(&control, format!("cannot start: {error}")),
        }
    })
}

fn fail(control: &Control, message: String) -> ExitCode {
    tracing::error!("VRRP: {message}");
    // If nobody listens, the exit code has to do.
    let _ = control.report(&Report::Failed { message });
    ExitCode::FAILURE
}
