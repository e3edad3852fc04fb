//! keepalived, Debian's or ours, on a host of the bed.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use super::{Bed, Host, wait_until};

/// Whose program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Debian,
    Evenkeel,
}

/// A running daemon; killed with all its processes when dropped.
pub(crate) struct Daemon {
    child: Child,
    maker: Maker,
    config: PathBuf,
    log: PathBuf,
    vrrp_pid: PathBuf,
}

impl Daemon {
    /// Starts it in the foreground with this config. Several may follow each other on a host.
    pub(crate) fn start(bed: &Bed, host: &Host, maker: Maker, config: &str) -> Daemon {
        Self::launch(bed, host, maker, config, None, None)
    }

    /// The same, in the first network namespace, where the kernel tells of processes. The config
    /// has to name an interface of the test's own.
    pub(crate) fn start_outside(bed: &Bed, maker: Maker, config: &str) -> Daemon {
        let base = format!("outside-{maker:?}");
        let file = bed.path(&format!("{base}.conf"));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program(bed, maker, false));
        command.stdin(std::process::Stdio::null());
        Self::spawn(bed, command, &base, maker, &file)
    }

    /// The same, with a `/tmp` of its own.
    pub(crate) fn start_with_tmp(
        bed: &Bed,
        host: &Host,
        maker: Maker,
        config: &str,
        tmp: &Path,
    ) -> Daemon {
        Self::launch(bed, host, maker, config, Some(tmp), None)
    }

    /// The same, with the system bus whose socket is in the folder `bus`.
    pub(crate) fn start_on_bus(
        bed: &Bed,
        host: &Host,
        maker: Maker,
        config: &str,
        tmp: &Path,
        bus: &Path,
    ) -> Daemon {
        Self::launch(bed, host, maker, config, Some(tmp), Some(bus))
    }

    /// The same, with this folder as its `/etc/keepalived`, where its `keepalived.conf` is already.
    pub(crate) fn start_with_etc(bed: &Bed, host: &Host, maker: Maker, etc: &Path) -> Daemon {
        let command = host.command_with_etc(program(bed, maker, false), etc);
        let inside = Path::new("/etc/keepalived/keepalived.conf");
        let mut daemon = Self::spawn(bed, command, host.name, maker, inside);
        daemon.config = etc.join("keepalived.conf");
        daemon
    }

    /// The same, with options, after `prepare` has been run in a mount namespace of its own: shell
    /// lines whose `$1` is the bed's folder, which is to be seen by the daemon. Its pid files are in
    /// the folder `pids` in there.
    pub(crate) fn start_prepared(
        bed: &Bed,
        host: &Host,
        maker: Maker,
        config: &str,
        prepare: &str,
        options: &[&str],
        pids: &str,
    ) -> Daemon {
        let base = format!("{}-{maker:?}", host.name);
        let file = bed.path(&format!("{base}.conf"));
        std::fs::write(&file, config).unwrap();
        let mut command = host.command("unshare");
        let script = format!("set -e; {prepare}\nshift; exec \"$@\"");
        command.args(["-m", "sh", "-c", &script, "sh"]).arg(bed.folder.path());
        command.arg(program(bed, maker, true)).args(options);
        let mut daemon = Self::spawn_with(bed, command, &base, maker, &file, Path::new(pids));
        daemon.vrrp_pid = daemon.inside(&format!("{pids}-vrrp.pid"));
        daemon
    }

    /// A file as the daemon sees it.
    pub(crate) fn inside(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.pid()).into()
    }

    fn launch(
        bed: &Bed,
        host: &Host,
        maker: Maker,
        config: &str,
        tmp: Option<&Path>,
        bus: Option<&Path>,
    ) -> Daemon {
        let base = format!("{}-{maker:?}", host.name);
        let file = bed.path(&format!("{base}.conf"));
        std::fs::write(&file, config).unwrap();
        let program = program(bed, maker, tmp.is_some());
        let command = match tmp {
            None => host.command(program),
            Some(tmp) => {
                // The bed's own folder is in the `/tmp` that is covered: it goes along.
                let folder = bed.folder.path();
                let inside = tmp.join(folder.file_name().unwrap());
                std::fs::create_dir(&inside).unwrap();
                let script = "{ [ -z \"$4\" ] || mount --bind \"$4\" /run/dbus; } \
                              && mount --bind \"$1\" \"$2\" && mount --rbind \"$3\" /tmp && shift 4 \
                              && exec \"$@\"";
                let mut command = host.command("unshare");
                command.args(["-m", "sh", "-c", script, "sh"]).arg(folder).arg(inside).arg(tmp);
                command.arg(bus.unwrap_or(Path::new(""))).arg(program);
                command
            }
        };
        Self::spawn(bed, command, &base, maker, &file)
    }

    /// `command` is the program as it is to be called, `base` what its files are called.
    fn spawn(bed: &Bed, command: Command, base: &str, maker: Maker, config: &Path) -> Daemon {
        Self::spawn_with(bed, command, base, maker, config, &bed.path(base))
    }

    fn spawn_with(
        bed: &Bed,
        mut command: Command,
        base: &str,
        maker: Maker,
        config: &Path,
        pids: &Path,
    ) -> Daemon {
        let log = bed.path(&format!("{base}.log"));
        let output = std::fs::File::options().append(true).create(true).open(&log).unwrap();
        let pid = |which: &str| PathBuf::from(format!("{}-{which}.pid", pids.display()));
        command.args(["-n", "-l", "-D", "-P", "-f"]).arg(config);
        for (option, which) in [("-p", "parent"), ("-r", "vrrp"), ("-c", "checkers")] {
            command.arg(option).arg(pid(which));
        }
        command.stdout(output.try_clone().unwrap()).stderr(output).process_group(0);
        let child = command.spawn().unwrap();
        Daemon { child, maker, config: config.to_owned(), log, vrrp_pid: pid("vrrp") }
    }

    /// Another config, to be taken at the next HUP.
    pub(crate) fn reconfigure(&self, config: &str) {
        std::fs::write(&self.config, config).unwrap();
    }

    /// No config at all.
    pub(crate) fn lose_config(&self) {
        std::fs::remove_file(&self.config).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process that speaks VRRP.
    pub(crate) fn vrrp_pid(&self) -> u32 {
        let read = || std::fs::read_to_string(&self.vrrp_pid).ok()?.trim().parse().ok();
        let mut pid = None;
        wait_until("the vrrp process's pid file", Duration::from_secs(5), || {
            pid = read();
            pid.is_some()
        });
        pid.unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        kill(signal, self.pid() as i32);
    }

    /// TERM, and its exit status.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        let mut status = None;
        wait_until("it ends after TERM", Duration::from_secs(10), || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub(crate) fn log(&self) -> String {
        let lost = |error| panic!("{}: {error}", self.log.display());
        let bytes = std::fs::read(&self.log).unwrap_or_else(lost);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string());
            eprintln!("--- log of {:?} ({})\n{log}", self.maker, self.log.display());
            let ended = self.child.try_wait();
            eprintln!("--- {ended:?}; its processes\n{}", whereabouts(self.child.id()));
        }
        kill("KILL", -(self.child.id() as i32));
        let _ = self.child.wait();
    }
}

/// What the processes of a group do: name, state, and where in the kernel they wait.
fn whereabouts(group: u32) -> String {
    let mut out = String::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
        let Some(stat) = read("stat") else { continue };
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = rest.split(' ').collect();
        if fields.get(2).is_none_or(|it| *it != group.to_string()) {
            continue;
        }
        let command = read("cmdline").unwrap_or_default().replace('\0', " ");
        let stack = read("stack").unwrap_or_default().replace('\n', " ");
        out.push_str(&format!("{name}) {}: {command}\n  in {stack}\n", fields[0]));
    }
    out
}

pub(crate) fn kill(signal: &str, pid: i32) {
    let pid = pid.to_string();
    let _ = Command::new("kill").args(["-s", signal, "--", &pid]).output();
}

/// Ours goes by a link of keepalived's name.
/// The daemon by its name. `copied`: not a link to the program, which may be in the `/tmp` that is
/// going to be covered.
fn program(bed: &Bed, maker: Maker, copied: bool) -> PathBuf {
    match maker {
        Maker::Debian => "/usr/sbin/keepalived".into(),
        Maker::Evenkeel if copied => {
            let folder = bed.path("copied");
            std::fs::create_dir_all(&folder).unwrap();
            let copy = folder.join("keepalived");
            if !copy.exists() {
                // By another process: a descriptor of ours that could be written through would be in
                // every child that another thread starts meanwhile, and "Text file busy" in this one.
                let ours = env!("CARGO_BIN_EXE_evenkeel");
                assert!(Command::new("cp").arg(ours).arg(&copy).status().unwrap().success());
            }
            copy
        }
        Maker::Evenkeel => {
            let link = bed.path("keepalived");
            if !link.exists() {
                std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_evenkeel"), &link).unwrap();
            }
            link
        }
    }
}

/// It ended by itself, with 0.
pub(crate) fn is_clean(status: ExitStatus) -> bool {
    status.success() && status.signal().is_none()
}
