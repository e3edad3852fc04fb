//! PID 1 of a node: reaps whatever is left to it, and does what the stage orders.
//!
//! One thread, two descriptors: the socket to the stage (its standard input), over which orders
//! and answers go as JSON lines, and a signalfd that says when a child ended. When the stage goes
//! away PID 1 ends, and the kernel ends everything on the node.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::killall::{self, Choice};
use crate::kernel::{namespace, process};

/// What the stage wants of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Run a command to its end.
    Run(Vec<String>),
    /// `kill -9` of processes by name.
    Kill { names: Vec<String>, choice: Choice },
    /// The last lines of a file.
    Tail { path: String, lines: usize },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The exit status (128 + signal if killed), and what the command wrote.
    Ended {
        status: i32,
        output: String,
    },
    /// So many processes were killed.
    Killed(usize),
    Text(String),
    Failed(String),
}

pub(super) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evenkeel: PID 1 of a node: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    process::set_name("node-init");
    namespace::mount_proc()?;
    // Not every container lets a new sysfs be mounted, and little looks there.
    let _ = namespace::mount_sys();
    let mut ended = SigSet::empty();
    ended.add(Signal::SIGCHLD);
    ended.thread_block()?;
    let ended = SignalFd::with_flags(&ended, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let stage = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut init = Init { orders: BufReader::new(stage.try_clone()?), stage, ran: HashMap::new() };
    loop {
        let mut ready = [
            PollFd::new(init.stage.as_fd(), PollFlags::POLLIN),
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            done => done?,
        };
        let ordered = ready[0].revents().is_some_and(|events| !events.is_empty());
        while ended.read_signal()?.is_some() {}
        init.reap()?;
        if ordered && !init.obey()? {
            return Ok(());
        }
    }
}

struct Init {
    stage: UnixStream,
    orders: BufReader<UnixStream>,
    /// Commands that run for the stage, with the files that they write to.
    ran: HashMap<Pid, File>,
}

impl Init {
    /// Reads one order. `false`: the stage is gone. The stage sends the next order only after
    /// the answer, so that nothing waits in the buffer unseen.
    fn obey(&mut self) -> io::Result<bool> {
        let mut line = String::new();
        if self.orders.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let answer = match serde_json::from_str(&line) {
            Ok(Order::Run(words)) => self.start(&words).err().map(failed),
            Ok(Order::Kill { names, choice }) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Some(Answer::Killed(killall::send(&names, Some(Signal::SIGKILL), choice)))
            }
            Ok(Order::Tail { path, lines }) => Some(Answer::Text(tail(&path, lines))),
            Err(error) => Some(Answer::Failed(error.to_string())),
        };
        if let Some(answer) = answer {
            self.answer(&answer)?;
        }
        Ok(true)
    }

    fn start(&mut self, words: &[String]) -> io::Result<()> {
        let Some((program, args)) = words.split_first() else {
            return Err(io::Error::other("no command"));
        };
        let path = format!("/run/.lab-{}", self.ran.len());
        let output =
            File::options().create(true).truncate(true).read(true).write(true).open(path)?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .process_group(0)
            .spawn()?;
        self.ran.insert(Pid::from_raw(child.id().cast_signed()), output);
        Ok(())
    }

    /// Children of its own and orphans alike: a dead process that nobody reaps would still be
    /// found by `killall -0`.
    fn reap(&mut self) -> io::Result<()> {
        loop {
            let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, status)) => (pid, status),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(()),
                Ok(_) | Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(mut file) = self.ran.remove(&pid) {
                let mut output = Vec::new();
                file.rewind()?;
                file.read_to_end(&mut output)?;
                let output = String::from_utf8_lossy(&output).into_owned();
                self.answer(&Answer::Ended { status, output })?;
            }
        }
    }

    fn answer(&mut self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        self.stage.write_all(&line)
    }
}

fn failed(error: io::Error) -> Answer {
    Answer::Failed(error.to_string())
}

fn tail(path: &str, lines: usize) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
