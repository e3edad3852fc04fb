//! Another executable without a lost connection, as nginx(8) and its manual ("Upgrading Executable
//! on the Fly") have it: USR2 starts what lies at the program's path by now, with the same
//! arguments, the listening sockets and their numbers in the environment variable [`SOCKETS`]. The
//! pid file goes to the new process, `.oldbin` keeps the old one's number. Both then accept; people
//! end the old one (WINCH, QUIT) or the new one (QUIT, and HUP to the old one).
//!
//! nginx does the same with the same variable, so either may follow the other.

use std::env::{split_paths, var_os};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use nix::unistd::getppid;
use tokio::sync::mpsc::UnboundedSender;

use super::environment::environment;
use super::pid_file::PidFile;
use super::signals::Signal;
use super::{Event, Phase, RoleKind, Supervisor, words};
use crate::kernel::inherited;
use crate::plan::process::LogLevel;
use crate::runtime::log::reason;

/// The environment variable with the numbers of the listening sockets: `5;6;`.
pub const SOCKETS: &str = "NGINX";

/// How this program was called.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub name: OsString,
    pub arguments: Vec<OsString>,
}

/// Listening sockets that another master has handed to this process.
#[derive(Debug, Default)]
pub struct Inherited {
    pub(super) sockets: Vec<OwnedFd>,
}

impl Inherited {
    /// What the environment has; `None`: nothing, this process was started by people. Whatever is
    /// wrong with it is told to `say`, in nginx's words, and left out.
    pub fn from_environment(mut say: impl FnMut(LogLevel, String)) -> Option<Inherited> {
        let text = var_os(SOCKETS)?;
        let text = String::from_utf8_lossy(text.as_bytes());
        say(LogLevel::Notice, format!("using inherited sockets from \"{text}\""));
        let (numbers, rest) = numbers(&text);
        if let Some(rest) = rest {
            let what =
                format!("invalid socket number \"{rest}\" in {SOCKETS} environment variable");
            if rest.contains([';', ':']) {
                say(LogLevel::Emerg, format!("{what}, ignoring the rest of the variable"));
            }
            say(LogLevel::Emerg, format!("{what}, ignoring"));
        }
        let mut sockets = Vec::new();
        for number in numbers {
            match inherited::take(number) {
                Ok(socket) => sockets.push(socket),
                Err(error) => say(
                    LogLevel::Crit,
                    format!(
                        "getsockname() of the inherited socket #{number} failed ({})",
                        reason(&error)
                    ),
                ),
            }
        }
        Some(Inherited { sockets })
    }
}

/// The numbers in front, and what can't be read behind them.
fn numbers(text: &str) -> (Vec<i32>, Option<&str>) {
    let mut numbers = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find([';', ':']) {
        match rest[..end].parse() {
            Ok(number) if rest.as_bytes()[0].is_ascii_digit() => numbers.push(number),
            _ => break,
        }
        rest = &rest[end + 1..];
    }
    (numbers, (!rest.is_empty()).then_some(rest))
}

/// The process before this one, and the one after it.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// Who started this process.
    parent: i32,
    /// It has its sockets from there.
    inherited: bool,
    /// The process of the new executable.
    successor: Option<i32>,
}

impl Upgrade {
    pub(super) fn new(inherited: bool) -> Upgrade {
        Upgrade { parent: getppid().as_raw(), inherited, successor: None }
    }

    /// In the background the process that people started is the parent, until the start is over.
    pub(super) fn note_parent(&mut self) {
        self.parent = getppid().as_raw();
    }

    /// Who started this process is still there.
    fn has_parent(&self) -> bool {
        getppid().as_raw() == self.parent
    }

    pub(super) fn has_successor(&self) -> bool {
        self.successor.is_some()
    }

    /// Another master listens on the same sockets.
    pub(super) fn shares_sockets(&self) -> bool {
        self.has_successor() || self.inherited && self.has_parent()
    }

    /// USR2 would be ignored. nginx has the same rule, by which it doesn't change what whoever
    /// started it in the foreground waits for.
    pub(super) fn is_fixed(&self) -> bool {
        self.has_successor() || self.has_parent()
    }

    pub(super) fn was_inherited(&self) -> bool {
        self.inherited
    }
}

/// Where the old process's number is while there are two.
pub(super) fn old_pid_path(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".oldbin");
    path.into()
}

impl Supervisor {
    /// USR2
    pub(super) fn change_executable(&mut self) {
        if self.upgrade.is_fixed() {
            return tracing::error!(
                level = "crit",
                "the changing binary signal is ignored: you should shutdown or terminate before \
                 either old or new binary's process"
            );
        }
        let (Some(called), Some(stream)) = (self.face.invocation.clone(), &self.plan.stream) else {
            return;
        };
        tracing::info!("changing binary");
        let (path, environment) = (stream.process.pid.clone(), environment(&stream.process));
        let (old, program) = (old_pid_path(&path), called.name.to_string_lossy());
        if let Err(error) = std::fs::rename(&path, &old) {
            return tracing::error!(
                level = "alert",
                "rename() {} to {} failed before executing new binary process \"{program}\" ({})",
                path.display(),
                old.display(),
                reason(&error)
            );
        }
        if let Some(file) = &mut self.pid_file {
            file.moved_to(old);
        }
        let sockets = self.listeners.all();
        let numbers = sockets.iter().map(|socket| format!("{};", socket.as_raw_fd()));
        let numbers = (OsString::from(SOCKETS), numbers.collect::<String>().into());
        let environment: Vec<_> = environment.into_iter().chain([numbers]).collect();
        let found = search(&called.name);
        let started =
            inherited::execute(&found, &called.name, &called.arguments, &environment, &sockets);
        match started {
            Ok(pid) => {
                tracing::info!("start new binary process {pid}");
                self.upgrade.successor = Some(pid);
            }
            Err(error) => {
                tracing::error!(
                    level = "alert",
                    "execve() failed while executing new binary process \"{program}\" ({})",
                    reason(&error)
                );
                self.take_pid_file_back();
            }
        }
    }

    /// A child has ended that is no role; the new executable's?
    pub(super) fn successor_ended(
        &mut self,
        pid: i32,
        status: ExitStatus,
        events: &UnboundedSender<Event>,
    ) {
        if self.upgrade.successor != Some(pid) {
            return;
        }
        self.upgrade.successor = None;
        match status.signal() {
            Some(signal) => tracing::error!(
                level = "alert",
                "new binary process {pid} exited on signal {signal}"
            ),
            None => tracing::info!(
                "new binary process {pid} exited with code {}",
                status.code().unwrap_or_default()
            ),
        }
        self.take_pid_file_back();
        // Somebody has to accept, and our workers had made room for the others.
        self.come_back(events);
    }

    /// HUP while there are two, or a successor that is gone: workers that were told to go are
    /// followed by others, by the plan in force.
    pub(super) fn come_back(&mut self, events: &UnboundedSender<Event>) {
        if matches!(self.phase, Phase::Stopping { .. }) || self.runs(RoleKind::Stream) {
            return;
        }
        words::starting(&self.face);
        self.start_role(RoleKind::Stream, events);
    }

    fn take_pid_file_back(&mut self) {
        let Some(path) = self.plan.stream.as_ref().map(|stream| stream.process.pid.clone()) else {
            return;
        };
        let old = old_pid_path(&path);
        match std::fs::rename(&old, &path) {
            Ok(()) => {
                if let Some(file) = &mut self.pid_file {
                    file.moved_to(path);
                }
            }
            Err(error) => tracing::error!(
                level = "alert",
                "rename() {} back to {} failed after the new binary process \"{}\" exited ({})",
                old.display(),
                path.display(),
                self.face.invocation.as_ref().map_or("".into(), |it| it.name.to_string_lossy()),
                reason(&error)
            ),
        }
    }

    /// What to say of a signal that doesn't do now what it mostly does.
    pub(super) fn effect(&self, signal: Signal) -> Option<&'static str> {
        match signal {
            Signal::User2 if self.upgrade.is_fixed() => Some(", ignoring"),
            Signal::Window if !self.in_background => Some(""),
            _ => None,
        }
    }
}

/// A name without a folder is looked for as a shell does. (nginx looks for it in the current folder
/// only.)
fn search(name: &OsStr) -> PathBuf {
    let there = PathBuf::from(name);
    if name.as_bytes().contains(&b'/') || there.exists() {
        return there;
    }
    let path = var_os("PATH").unwrap_or_default();
    let found = split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or(there)
}

impl PidFile {
    fn moved_to(&mut self, path: PathBuf) {
        self.path = path;
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn numbers_as_nginx_reads_them() {
        assert_eq!(numbers("5;6;7;"), (vec![5, 6, 7], None));
        assert_eq!(numbers("5:6;"), (vec![5, 6], None));
        assert_eq!(numbers(""), (vec![], None));
        assert_eq!(numbers("5;bogus;"), (vec![5], Some("bogus;")));
        assert_eq!(numbers("55;56"), (vec![55], Some("56")));
        assert_eq!(numbers("+5;"), (vec![], Some("+5;")));
        assert_eq!(numbers(";"), (vec![], Some(";")));
    }
}
