//! What the supervisor says, in the words of its face.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::face::{Face, Kind, RoleKind};
use super::signals::Signal;
use crate::plan::process::LogLevel;
use crate::runtime::log::word;

pub(super) fn starting(face: &Face) {
    if face.kind == Kind::Nginx {
        tracing::info!("start worker processes");
    }
}

pub(super) fn started(face: &Face) {
    match face.kind {
        Kind::Keepalived => tracing::info!("Startup complete"),
        Kind::Evenkeel => tracing::info!("ready"),
        Kind::Nginx => {}
    }
}

pub(super) fn role_started(face: &Face, role: RoleKind, pid: i32) {
    match face.kind {
        Kind::Nginx => tracing::info!("start worker process {pid}"),
        Kind::Keepalived => tracing::info!("Starting VRRP child process, pid={pid}"),
        Kind::Evenkeel => tracing::info!("{} role started, pid {pid}", role.word()),
    }
}

pub(super) fn role_ended(face: &Face, role: RoleKind, pid: i32, status: ExitStatus, ordered: bool) {
    match (face.kind, how(status)) {
        (Kind::Nginx, Ok(code)) => tracing::info!("worker process {pid} exited with code {code}"),
        (Kind::Nginx, Err(signal)) => {
            tracing::error!(level = "alert", "worker process {pid} exited on signal {signal}");
        }
        (Kind::Keepalived, Ok(_)) => {}
        (Kind::Keepalived, Err(signal)) => {
            tracing::info!("pid {pid} exited due to signal {signal}");
        }
        (Kind::Evenkeel, Ok(0)) if ordered => tracing::info!("{} role {pid} ended", role.word()),
        (Kind::Evenkeel, Ok(code)) => {
            tracing::warn!("{} role {pid} ended with code {code}", role.word());
        }
        (Kind::Evenkeel, Err(signal)) => {
            tracing::error!("{} role {pid} was killed by signal {signal}", role.word());
        }
    }
}

pub(super) fn role_failed(face: &Face, role: RoleKind, pid: i32, message: &str) {
    match face.kind {
        Kind::Keepalived => {
            tracing::error!("{message}");
            tracing::error!("pid {pid} exited with permanent error CONFIG. Terminating");
        }
        Kind::Nginx => tracing::error!(level = "emerg", "{message}"),
        Kind::Evenkeel => tracing::error!("{} role {pid} can't run: {message}", role.word()),
    }
}

pub(super) fn stays_stopped(role: RoleKind) {
    tracing::warn!(
        "somebody stopped the {} role: it stays stopped until the next reload or start",
        role.word()
    );
}

pub(super) fn respawn(face: &Face, role: RoleKind, pid: i32, wait: Duration) {
    match face.kind {
        Kind::Nginx => {}
        Kind::Keepalived => {
            tracing::info!("VRRP child process({pid}) died: Respawning");
            let seconds = wait.as_secs_f64();
            tracing::info!(
                "Restart of VRRP process delayed {seconds} seconds to limit respawn rate"
            );
        }
        Kind::Evenkeel if wait.is_zero() => tracing::info!("{} role is started again", role.word()),
        Kind::Evenkeel => {
            tracing::info!("{} role is started again in {} ms", role.word(), wait.as_millis());
        }
    }
}

/// `effect`: an unusual one.
pub(super) fn signal(face: &Face, signal: Signal, sender: Option<i32>, effect: Option<&str>) {
    let (number, name) = (signal.number(), signal.name());
    match face.kind {
        Kind::Nginx => {
            let usual = match signal {
                Signal::Hangup => ", reconfiguring",
                Signal::Terminate | Signal::Interrupt => ", exiting",
                Signal::Quit => ", shutting down",
                Signal::User1 => ", reopening logs",
                Signal::Window => ", stop accepting connections",
                Signal::User2 => ", changing binary",
                Signal::Child | Signal::Other(_) => ", ignored",
            };
            let effect = effect.unwrap_or(usual);
            let from = sender.map_or(String::new(), |pid| format!(" from {pid}"));
            tracing::info!("signal {number} ({name}) received{from}{effect}");
            if signal == Signal::User1 {
                tracing::info!("reopening logs");
            }
        }
        Kind::Keepalived => {
            tracing::trace!("signal {number} ({name}) received");
        }
        Kind::Evenkeel => match signal {
            Signal::Hangup | Signal::User1 | Signal::Quit => tracing::info!("{name}"),
            Signal::Terminate | Signal::Interrupt => tracing::info!("{name}"),
            Signal::User2 | Signal::Other(_) => {
                tracing::debug!("signal {number} ({name}) for the vrrp role");
            }
            Signal::Window | Signal::Child => tracing::debug!("signal {number} ignored"),
        },
    }
}

pub(super) fn reloading(face: &Face) {
    match face.kind {
        Kind::Nginx => tracing::info!("reconfiguring"),
        Kind::Keepalived => {
            // Its two processes say so.
            tracing::info!("Reloading ...");
            tracing::info!("Reloading");
        }
        Kind::Evenkeel => tracing::info!("reloading"),
    }
}

/// What was read is what runs already.
pub(super) fn unchanged(face: &Face) {
    if face.kind == Kind::Nginx {
        tracing::info!("nothing has changed in the configuration");
    }
}

/// Children have ended, the first of them this one.
pub(super) fn children_ended(face: &Face, first: i32) {
    if face.kind == Kind::Nginx {
        tracing::info!("signal {} (SIGCHLD) received from {first}", Signal::Child.number());
    }
}

pub(super) fn reloaded(face: &Face) {
    match face.kind {
        Kind::Nginx => {}
        Kind::Keepalived => tracing::info!("Reload complete"),
        Kind::Evenkeel => tracing::info!("reloaded"),
    }
}

pub(super) fn reload_failed(face: &Face) {
    match face.kind {
        // nginx says no more than its emergencies.
        Kind::Nginx => {}
        Kind::Keepalived | Kind::Evenkeel => {
            tracing::error!("Reload failed: everything runs on by the config before it");
        }
    }
}

pub(super) fn stopping(face: &Face) {
    match face.kind {
        Kind::Nginx => {}
        Kind::Keepalived => tracing::info!("Stopping"),
        Kind::Evenkeel => tracing::info!("stopping"),
    }
}

pub(super) fn ended(face: &Face) {
    match face.kind {
        Kind::Nginx => tracing::info!("exit"),
        Kind::Keepalived => tracing::info!("Stopped {}", crate::runtime::version::KEEPALIVED),
        Kind::Evenkeel => tracing::info!("stopped"),
    }
}

/// Lines that were worded elsewhere.
pub(super) fn all(messages: &[(LogLevel, String)]) {
    for (level, message) in messages {
        let level = word(*level);
        match level {
            "debug" | "info" => tracing::debug!(level, "{message}"),
            "notice" => tracing::info!(level, "{message}"),
            "warn" => tracing::warn!(level, "{message}"),
            _ => tracing::error!(level, "{message}"),
        }
    }
}

/// By signal or with a code.
fn how(status: ExitStatus) -> Result<i32, i32> {
    match status.signal() {
        Some(signal) => Err(signal),
        None => Ok(status.code().unwrap_or_default()),
    }
}
