//! The program that is played with: started, signalled, waited for.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::proxy::program::{RELOADED, Which};

/// How long anything may take that is sure to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A program in the foreground.
pub(super) struct Program {
    which: Which,
    child: Child,
    folder: PathBuf,
}

impl Program {
    /// Starts it with the files of `folder`, and waits until it is ready. If it ends instead: how.
    pub(super) fn start(
        which: Which,
        folder: &Path,
        arguments: &[String],
    ) -> Result<Result<Program, Output>, String> {
        let mut command = nginx(folder);
        command.args(["-p", &folder.display().to_string(), "-c", "nginx.conf", "-e", "error.log"]);
        command.args(arguments).stdout(Stdio::null()).stderr(capture(folder)?);
        let child = command.spawn().map_err(|error| error.to_string())?;
        let mut program = Program { which, child, folder: folder.to_owned() };
        let mut ended = None;
        until("it isn't ready", || {
            ended = program.child.try_wait().ok().flatten();
            ended.is_some()
                || pid_file(folder).is_some_and(|pid| pid == program.master())
                    && !program.workers().is_empty()
        })?;
        Ok(match ended {
            None => Ok(program),
            Some(status) => {
                let stderr = std::fs::read(folder.join(STDERR)).unwrap_or_default();
                Err(Output { status, stdout: Vec::new(), stderr })
            }
        })
    }

    pub(super) fn master(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn workers(&self) -> Vec<u32> {
        children(self.master())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), String> {
        send(self.master(), signal)
    }

    /// Lets it take its changed config, and waits until new connections go by it.
    pub(super) fn reload(&self) -> Result<(), String> {
        let log = || std::fs::read_to_string(self.folder.join("error.log")).unwrap_or_default();
        let reloads = || log().matches(RELOADED).count() + log().matches(UNCHANGED).count();
        let refusals = || log().matches("[emerg]").count();
        let (before, reloaded, refused) = (self.workers(), reloads(), refusals());
        self.signal(Signal::SIGHUP)?;
        let mut failed = false;
        let begun = Instant::now();
        until("the reload isn't over", || {
            failed = refusals() > refused;
            failed
                || match self.which {
                    // Its log may say nothing: it may be elsewhere.
                    Which::Evenkeel => {
                        reloads() > reloaded || begun.elapsed() > Duration::from_millis(700)
                    }
                    Which::Nginx => {
                        let accepts = |pid: &u32| {
                            let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
                            title.is_ok_and(|it| !it.is_empty() && !it.contains("shutting"))
                        };
                        let new = self.workers().iter().any(|pid| !before.contains(pid));
                        new && !before.iter().any(accepts)
                    }
                }
        })?;
        if failed { Err(format!("the reload failed:\n{}", log())) } else { Ok(()) }
    }

    /// Waits until it has ended by itself; its exit code.
    pub(super) fn wait(mut self) -> Result<String, String> {
        let mut ended = None;
        until("it doesn't end", || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some()
        })?;
        Ok(ended.map_or_else(String::new, |status| exit(&status)))
    }

    /// Stops it.
    pub(super) fn end(mut self) -> Result<(), String> {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::SIGTERM)?;
            self.wait()?;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What is said of a reload by which nothing changes.
const UNCHANGED: &str = "nothing has changed in the configuration";

const STDERR: &str = ".stderr";

fn capture(folder: &Path) -> Result<std::fs::File, String> {
    std::fs::File::create(folder.join(STDERR)).map_err(|error| error.to_string())
}

/// Runs a program to its end, in `folder`. What goes into the background doesn't count.
pub(super) fn run(mut command: Command, folder: &Path) -> Result<Output, String> {
    let out = folder.join(".stdout");
    let file = std::fs::File::create(&out).map_err(|error| error.to_string())?;
    // Files, not pipes, which a daemon would hold open.
    command.stdout(file).stderr(capture(folder)?);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut ended = None;
    let over = until("it doesn't end", || {
        ended = child.try_wait().ok().flatten();
        ended.is_some()
    });
    if over.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    over?;
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    let status = ended.ok_or("no status")?;
    Ok(Output { status, stdout: read(&out), stderr: read(&folder.join(STDERR)) })
}

/// The program under test by the name `nginx`, run in `folder`.
pub(super) fn nginx(folder: &Path) -> Command {
    within(Command::new(folder.join(NAMES).join("nginx")), folder)
}

/// `nginx` is the program under test for whatever this starts.
pub(super) fn within(mut command: Command, folder: &Path) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.join(NAMES).display()));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// A folder in which `nginx` is the program under test.
const NAMES: &str = ".bin";

pub(super) fn give_name(program: &Path, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir(folder.join(NAMES))?;
    std::os::unix::fs::symlink(program, folder.join(NAMES).join("nginx"))
}

pub(super) const EVENKEEL: &str = env!("CARGO_BIN_EXE_evenkeel");
const NGINX: &str = "/usr/sbin/nginx";
/// Where `fixtures/stream/newer-nginx` puts it; `NEWER_NGINX` names another.
const NEWER: &str = "/opt/nginx130/nginx";

/// A real nginx.
pub(super) struct Real {
    pub(super) program: PathBuf,
    /// `1.22.1`
    pub(super) version: String,
    /// The folder of its dynamic modules.
    pub(super) modules: PathBuf,
}

/// Debian's.
pub(super) fn real() -> &'static Real {
    static REAL: OnceLock<Real> = OnceLock::new();
    REAL.get_or_init(|| Real {
        program: NGINX.into(),
        version: version(Path::new(NGINX)).expect("a version of nginx"),
        modules: MODULES.into(),
    })
}

/// One that is newer than Debian's, if it is here: cases of newer features are recorded from it.
pub(super) fn newer() -> Option<&'static Real> {
    static NEWER_REAL: OnceLock<Option<Real>> = OnceLock::new();
    let look = || {
        let program = PathBuf::from(std::env::var("NEWER_NGINX").unwrap_or(NEWER.into()));
        let modules = program.with_file_name("root").join(MODULES.trim_start_matches('/'));
        Some(Real { version: version(&program)?, program, modules })
    };
    NEWER_REAL.get_or_init(look).as_ref()
}

/// Where a case's config loads modules from.
pub(super) const MODULES: &str = "/usr/lib/nginx/modules";

pub(super) fn exit(status: &std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, signal) => format!("killed by {}", signal.unwrap_or_default()),
    }
}

pub(super) fn send(pid: u32, signal: Signal) -> Result<(), String> {
    kill(Pid::from_raw(pid as i32), signal).map_err(|error| format!("kill({pid}): {error}"))
}

pub(super) fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Kilobytes of memory that are the process's own.
pub(super) fn memory(pid: u32) -> Result<u64, String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| "no RssAnon".to_owned())
}

/// The process that the pid file names, wherever a case has that.
pub(super) fn pid_file(folder: &Path) -> Option<u32> {
    let files = ["pid", "nginx.pid", "logs/nginx.pid"].map(|file| folder.join(file));
    files.iter().find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

/// Looks every few milliseconds.
pub(super) fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > end {
            return Err(format!("not within {PATIENCE:?}: {what}"));
        }
        std::thread::sleep(Duration::from_millis(4));
    }
    Ok(())
}

/// What `-v` tells: `1.22.1`.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("-v").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(text.split("nginx/").nth(1)?.split_whitespace().next()?.to_owned())
}
