//! Files that tell scripts which process to signal.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::upgrade::old_pid_path;
use super::{Face, Kind, Refusal, RoleKind, Supervisor};
use crate::kernel::file::is_shortage;
use crate::kernel::process;
use crate::plan::Plan;
use crate::runtime::log;

/// A file that was written and has to go at the end.
#[derive(Debug)]
pub(super) struct PidFile {
    pub(super) path: PathBuf,
}

impl PidFile {
    pub(super) fn write(path: &Path, pid: i32) -> io::Result<PidFile> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let written = std::fs::write(path, format!("{pid}\n")).and_then(|()| {
            // Whatever the umask: scripts of all users look for it.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
        });
        if let Err(error) = written {
            if is_shortage(&error) {
                // An empty one would name nobody to whoever reads it.
                let _ = std::fs::remove_file(path);
            }
            return Err(error);
        }
        Ok(PidFile { path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Gone already: that was the aim.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The process that a file names, if it lives and has the name that such a file's owner has: after
/// a restart of the host (or container) the number may be anybody's.
pub(super) fn owner(path: &Path, name: &str) -> Option<i32> {
    let pid = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let other = pid != std::process::id() as i32;
    (other && process::lives(pid, name)).then_some(pid)
}

/// How often a file is tried again that there was no room for.
const AGAIN: Duration = Duration::from_secs(2);

/// Pid files that there was no room for.
#[derive(Debug, Default)]
pub(super) struct Missing {
    try_at: Option<Instant>,
    failures: u32,
    /// This is a further try.
    again: bool,
}

impl Missing {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.try_at
    }

    /// Takes note of a failure; is it news?
    fn note(&mut self, error: &io::Error) -> bool {
        if !is_shortage(error) {
            return true;
        }
        self.failures += 1;
        self.try_at = Some(Instant::now() + AGAIN);
        !self.again
    }
}

impl Supervisor {
    /// At the start, when a file that can't be written is a mistake in the command line; unless
    /// there is just no room for it: the daemon is worth more than that.
    pub(super) fn write_first_pid_file(&mut self) -> io::Result<()> {
        match self.write_pid_file() {
            Err(error) if self.face.kind != Kind::Nginx && self.missing.deadline().is_some() => {
                tracing::error!("{error}");
                Ok(())
            }
            written => written,
        }
    }

    /// Tries again what there was no room for.
    pub(super) fn write_missing_pid_files(&mut self) {
        if self.missing.deadline().is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.missing.try_at = None;
        self.missing.again = true;
        self.rewrite_pid_files();
        self.missing.again = false;
        if self.missing.try_at.is_none() {
            let failures = std::mem::take(&mut self.missing).failures;
            tracing::info!("Pid files are written again, after {failures} failures");
        }
    }

    fn write_pid_file(&mut self) -> std::io::Result<()> {
        let path = match self.face.kind {
            Kind::Nginx => {
                self.plan.stream.as_ref().map(|stream| &stream.process.pid).map(|path| {
                    // The plain name is the successor's then.
                    if self.upgrade.has_successor() { old_pid_path(path) } else { path.clone() }
                })
            }
            _ => self.face.pid_file.clone(),
        };
        let Some(path) = path else { return Ok(()) };
        if self.pid_file.as_ref().is_some_and(|file| file.path() == path) {
            return Ok(());
        }
        let file = PidFile::write(&path, std::process::id() as i32).map_err(|error| {
            self.missing.note(&error);
            let reason = log::reason(&error);
            std::io::Error::other(format!("open() \"{}\" failed ({reason})", path.display()))
        })?;
        self.pid_file = Some(file);
        Ok(())
    }

    fn role_pid_path(&self, kind: RoleKind) -> Option<PathBuf> {
        match (kind, self.face.kind, &self.plan.stream) {
            (RoleKind::Vrrp, ..) => self.face.vrrp_pid_file.clone(),
            (RoleKind::Stream, Kind::Evenkeel, Some(stream)) => Some(stream.process.pid.clone()),
            _ => None,
        }
    }

    pub(super) fn write_role_pid_file(&mut self, kind: RoleKind, pid: i32) {
        let Some(path) = self.role_pid_path(kind) else { return };
        match PidFile::write(&path, pid) {
            Ok(file) => self.role(kind).pid_file = Some(file),
            Err(error) if self.missing.note(&error) => {
                tracing::error!("{}: {error}", path.display());
            }
            Err(_) => {}
        }
    }

    /// The plan may have moved them.
    pub(super) fn rewrite_pid_files(&mut self) {
        if let Err(error) = self.write_pid_file()
            && !self.missing.again
        {
            tracing::error!(level = "emerg", "{error}");
        }
        for kind in RoleKind::ALL {
            let Some(pid) = self.role(kind).running().map(|running| running.pid) else { continue };
            let written = self.role(kind).pid_file.as_ref().map(PidFile::path);
            if written.map(Path::to_owned) != self.role_pid_path(kind) {
                self.role(kind).pid_file = None;
                self.write_role_pid_file(kind, pid);
            }
        }
    }
}

/// Two keepalived on one host would both hold the addresses, whoever of them is the real one.
pub(super) fn refuse_second(face: &Face, plan: &Plan) -> Result<(), Refusal> {
    let refuse = |file: &Path, name| match owner(file, name) {
        Some(pid) => Err(Refusal::Running { name, pid, file: file.to_owned() }),
        None => Ok(()),
    };
    if face.kind == Kind::Evenkeel {
        if let Some(file) = &face.pid_file {
            refuse(file, "evenkeel")?;
        }
        if let Some(stream) = &plan.stream {
            refuse(&stream.process.pid, "nginx")?;
        }
    }
    if face.kind == Kind::Keepalived || plan.vrrp.is_some() {
        let files = [&face.pid_file, &face.vrrp_pid_file];
        for file in files.into_iter().flatten() {
            refuse(file, "keepalived")?;
        }
    }
    Ok(())
}
