//! The stream role as a process: what the supervisor and signals say, to [`Stream`].

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::Stream;
use crate::kernel::process;
use crate::plan::StreamPlan;
use crate::runtime::handoff::{Assignment, Control, Instruction, Report};

/// Runs the role to its end.
pub fn run(control: Control) -> ExitCode {
    match serve(&control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("stream role: {error}");
            // A supervisor that is gone can't be told.
            let _ = control.report(&Report::Failed { message: error.to_string() });
            ExitCode::FAILURE
        }
    }
}

fn serve(control: &Control) -> io::Result<()> {
    let Some(Instruction::Start(assignment)) = control.wait::<StreamPlan>()? else { return Ok(()) };
    let Assignment { plan, listeners } = assignment;
    let user = plan.process.user.clone();
    let leaves_cores = plan.process.placement.core_limit.is_some();
    // Log files are opened, and the limit of descriptors is raised, with the rights of now.
    let transparent = plan
        .servers
        .iter()
        .any(|server| server.outward.bind.as_ref().is_some_and(|bind| bind.transparent));
    let mut stream = Stream::prepare(plan, listeners)?;
    if let Some(user) = user.filter(|_| nix::unistd::geteuid().is_root()) {
        if transparent {
            process::become_user_with_raw_sockets(&user.name, user.uid, user.gid)?;
        } else {
            process::become_user(&user.name, user.uid, user.gid)?;
        }
        if leaves_cores {
            process::be_dumpable()?;
        }
    }
    // Threads have the rights of the one that starts them.
    stream.staff()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(follow(control, stream))
}

async fn follow(control: &Control, mut stream: Stream) -> io::Result<()> {
    let mut instructions = control.listen()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut reopen = signal(SignalKind::user_defined1())?;
    let mut reload = signal(SignalKind::hangup())?;
    stream.resolve_names();
    process::unblock_signals();
    tell(control, &Report::Ready);
    let mut led = true;
    loop {
        tokio::select! {
            () = stream.ended() => {
                stream.leave();
                return Ok(());
            }
            instruction = instructions.next(), if led => match instruction? {
                Some(Instruction::Start(assignment) | Instruction::Reload(assignment)) => {
                    let report = match stream.reload(assignment.plan, assignment.listeners) {
                        Ok(()) => Report::Ready,
                        Err(error) => Report::Failed { message: error.to_string() },
                    };
                    tell(control, &report);
                }
                Some(Instruction::Quit) => stream.quit(),
                Some(Instruction::Stop) => stream.stop(),
                Some(Instruction::Reopen) => stream.reopen(),
                None => {
                    tracing::error!("stream role: the supervisor has gone; finishing");
                    led = false;
                    stream.quit();
                }
            },
            _ = terminate.recv() => stream.stop(),
            _ = interrupt.recv() => stream.stop(),
            _ = quit.recv() => stream.quit(),
            _ = reopen.recv() => stream.reopen(),
            _ = reload.recv() => tell(control, &Report::WantReload),
        }
    }
}

/// A report that can't be delivered costs a line in the log, not the sessions.
fn tell(control: &Control, report: &Report) {
    if let Err(error) = control.report(report) {
        tracing::error!("stream role: {report:?} can't be reported: {error}");
    }
}
