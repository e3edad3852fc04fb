//! The stand-in for `systemctl` on a node: the units that an article's script or an administrator
//! would start and stop there.
//!
//! It starts them as the distributions' units do (nginx goes into the background by itself, the
//! others stay in the foreground) and knows a unit's main process by its pid file.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::kernel::process;

struct Unit {
    name: &'static str,
    /// Of its program `/usr/sbin/NAME`.
    arguments: &'static [&'static str],
    pid_file: &'static str,
    stop: Signal,
    /// What its processes write outside their own logs.
    log: &'static str,
}

const UNITS: [Unit; 3] = [
    Unit {
        name: "nginx",
        arguments: &[],
        pid_file: "/run/nginx.pid",
        stop: Signal::SIGQUIT,
        log: "/var/log/nginx/console.log",
    },
    Unit {
        name: "keepalived",
        arguments: &["--dont-fork", "--log-console", "--log-detail"],
        pid_file: "/run/keepalived.pid",
        stop: Signal::SIGTERM,
        log: "/var/log/keepalived.log",
    },
    Unit {
        name: "evenkeel",
        arguments: &["run"],
        pid_file: "/run/evenkeel/evenkeel.pid",
        stop: Signal::SIGTERM,
        log: "/var/log/evenkeel.log",
    },
];

/// Where the units' output goes, by unit.
pub(super) fn logs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = UNITS.iter().map(|unit| (unit.name, unit.log));
    own.chain([("nginx", "/var/log/nginx/error.log")])
}

/// How long a unit may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// `systemctl start|stop|restart|reload|is-active UNIT...`, with systemd's exit codes.
pub(super) fn main(args: &[String]) -> ExitCode {
    let mut words = args.iter().filter(|word| !word.starts_with('-'));
    let verb = words.next().map_or("", String::as_str);
    let mut code = 0;
    for name in words {
        let plain = name.strip_suffix(".service").unwrap_or(name);
        let Some(unit) = UNITS.iter().find(|unit| unit.name == plain) else {
            eprintln!("Unit {name} not found.");
            return ExitCode::from(5);
        };
        let done = match verb {
            "start" => unit.start(),
            "stop" => unit.stop(),
            "restart" => unit.stop().and_then(|()| unit.start()),
            "reload" => unit.reload(),
            "is-active" | "status" => {
                let active = unit.main_process().is_some();
                println!("{}", if active { "active" } else { "inactive" });
                if !active {
                    code = 3;
                }
                Ok(())
            }
            _ => {
                eprintln!("systemctl (stand-in of the rehearsal) doesn't know \"{verb}\"");
                return ExitCode::FAILURE;
            }
        };
        if let Err(error) = done {
            eprintln!("Job for {plain}.service failed: {error}");
            code = 1;
        }
    }
    ExitCode::from(code)
}

impl Unit {
    /// The process that the pid file names, if it lives and is one of the unit's.
    fn main_process(&self) -> Option<i32> {
        let pid = std::fs::read_to_string(self.pid_file).ok()?.trim().parse().ok()?;
        process::lives(pid, self.name).then_some(pid)
    }

    fn start(&self) -> io::Result<()> {
        if self.main_process().is_some() {
            return Ok(());
        }
        let log = File::options().create(true).append(true).open(self.log)?;
        let command = |args: &[&str]| -> io::Result<Command> {
            let mut command = Command::new(format!("/usr/sbin/{}", self.name));
            command.args(args).stdin(Stdio::null()).process_group(0);
            command.stdout(log.try_clone()?).stderr(log.try_clone()?);
            Ok(command)
        };
        if self.name == "nginx" {
            self.finish(&mut command(&["-t", "-q"])?)?;
            self.finish(&mut command(self.arguments)?)?;
            return self.wait("its pid file never named a running process", || {
                Ok(self.main_process().is_some())
            });
        }
        let mut child = command(self.arguments)?.spawn()?;
        self.wait("its pid file never named a running process", || match child.try_wait()? {
            Some(status) => Err(io::Error::other(format!("it ended at once, {status}"))),
            None => Ok(self.main_process().is_some()),
        })
    }

    /// Runs a command that should end by itself.
    fn finish(&self, command: &mut Command) -> io::Result<()> {
        let mut child = command.spawn()?;
        let done = self.wait("it didn't go into the background", || match child.try_wait()? {
            Some(status) if status.success() => Ok(true),
            Some(status) => Err(io::Error::other(format!("it ended with {status}"))),
            None => Ok(false),
        });
        if done.is_err() {
            let _ = child.kill();
        }
        done
    }

    fn stop(&self) -> io::Result<()> {
        let Some(pid) = self.main_process() else { return Ok(()) };
        process::signal(pid, self.stop as i32)?;
        let gone = || Ok(self.main_process() != Some(pid));
        self.wait("it didn't end", gone).or_else(|_| {
            process::signal(pid, Signal::SIGKILL as i32)?;
            self.wait("it couldn't be killed", gone)
        })
    }

    fn reload(&self) -> io::Result<()> {
        let pid = self.main_process().ok_or_else(|| io::Error::other("it isn't running"))?;
        process::signal(pid, Signal::SIGHUP as i32)
    }

    fn wait(&self, trouble: &str, mut done: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done()? {
            if Instant::now() > deadline {
                return Err(io::Error::other(trouble));
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}
