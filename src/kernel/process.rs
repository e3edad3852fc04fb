//! Processes: executing this program again under another name, names that `ps` and `killall` see,
//! the background, users, signals.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork};

use super::channel::Channel;

/// This very program, whatever its path is by now.
pub const SELF: &str = "/proc/self/exe";

/// What to execute.
#[derive(Debug)]
pub struct Program<'a> {
    /// What `ps` shows as the command.
    pub name: &'a OsStr,
    pub arguments: &'a [OsString],
    /// All else that it gets; `None`: what this process has.
    pub base: Option<&'a [(OsString, OsString)]>,
    /// Set for the new process.
    pub environment: &'a [(&'a str, String)],
    /// Not passed on to the new process.
    pub without: &'a [&'a str],
    /// It gets `/dev/null` as its standard error: whoever reads ours waits for its end.
    pub mute: bool,
    /// Stays open in the new process; its number is in the variable named.
    pub control: (&'a str, &'a Channel),
}

/// Executes this program again as a child, with all signals blocked until it listens to them
/// ([`unblock_signals`]): one that came earlier would end it. The caller waits for it with [`reap`].
///
/// No other thread may start processes meanwhile: they could inherit `control`.
pub fn spawn(program: &Program) -> io::Result<i32> {
    use std::os::fd::AsRawFd;
    let (variable, channel) = program.control;
    channel.keep_over_exec()?;
    let mut command = Command::new(SELF);
    command.arg0(program.name).args(program.arguments);
    if let Some(base) = program.base {
        command.env_clear().envs(base.iter().map(|(name, value)| (name, value)));
    }
    command.env(variable, channel.as_raw_fd().to_string());
    if program.mute {
        command.stderr(Stdio::null());
    }
    for variable in program.without {
        command.env_remove(variable);
    }
    for (variable, value) in program.environment {
        command.env(variable, value);
    }
    let deafen = || Ok(pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?);
    // SAFETY: between fork and exec there is one system call, on memory of its own.
    unsafe { command.pre_exec(deafen) };
    Ok(command.spawn()?.id() as i32)
}

/// Lets a command run as this user, with these supplementary groups.
pub fn run_as(command: &mut Command, uid: u32, gid: u32, groups: &[u32]) {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    let act = move || {
        nix::unistd::setgroups(&groups)?;
        nix::unistd::setgid(Gid::from_raw(gid))?;
        nix::unistd::setuid(Uid::from_raw(uid))?;
        Ok(())
    };
    // SAFETY: between fork and exec there are only three system calls, on memory that was
    // allocated before.
    unsafe { command.pre_exec(act) };
}

/// Lets the child that `command` will start get SIGTERM when the thread that starts it ends, by
/// whatever cause (prctl(2), PR_SET_PDEATHSIG). What that child starts is not concerned.
pub fn die_with_this_thread(command: &mut Command) {
    let parent = nix::unistd::getpid();
    let bind = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
        // It may have ended already.
        match nix::unistd::getppid() == parent {
            true => Ok(()),
            false => Err(Errno::ESRCH.into()),
        }
    };
    // SAFETY: the closure runs between fork and exec and makes two system calls, neither of which
    // allocates, locks, or touches memory that another thread may have been changing.
    unsafe { command.pre_exec(bind) };
}

/// A child that has ended, or (for PID 1) an orphan of somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub pid: i32,
    pub status: ExitStatus,
}

/// All children that have ended since the last call.
pub fn reap() -> Vec<Ended> {
    let mut ended = Vec::new();
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one int. (nix's wrapper refuses the status of a process that a
        // real-time signal has ended, after having reaped it: nobody would hear of that death.)
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            0 => return ended,
            -1 if Errno::last() == Errno::EINTR => {}
            -1 => return ended,
            pid => ended.push(Ended { pid, status: ExitStatus::from_raw(status) }),
        }
    }
}

/// Is it a child of this process that hasn't ended? One that has is reaped.
pub fn is_child(pid: i32) -> bool {
    matches!(waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
}

/// Has this process one thread only?
pub fn is_alone() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Goes on in a child process with `run`, which returns whether all went well. The child has what
/// this process has in memory, its open files among them, and all signals are blocked in it, as
/// after [`spawn`]. Must be called before there is a second thread.
pub fn fork_off(run: impl FnOnce() -> bool) -> io::Result<i32> {
    // What waits to be written would be written twice.
    io::stdout().flush()?;
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    // SAFETY: there is no other thread, so the child may do anything.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            // Nothing of what belongs to the parent may be unwound through.
            let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            // SAFETY: ends this process without running the destructors and exit handlers of what
            // belongs to the parent.
            unsafe { libc::_exit(i32::from(!well.unwrap_or(false))) }
        }
        result => {
            pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
            match result? {
                ForkResult::Parent { child } => Ok(child.as_raw()),
                ForkResult::Child => unreachable!("it has just ended"),
            }
        }
    }
}

/// Nobody hears this process's standard error any more.
pub fn mute() {
    if let Ok(null) = null_device() {
        // It can't fail: both descriptors are open.
        let _ = nix::unistd::dup2_stderr(null.as_fd());
    }
}

/// The name in `/proc/PID/comm` of this thread and those it starts later; 15 bytes.
pub fn set_name(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    // It fails only for pointers that can't be read.
    let _ = nix::sys::prctl::set_name(&name);
}

/// The command that `ps` shows for this process.
///
/// The kernel shows the bytes where arguments and environment were put at the start; they are
/// overwritten, so the environment is copied elsewhere first. Must be called before there is a
/// second thread, and arguments must have been read before. Where the kernel doesn't say where the
/// bytes are, nothing happens.
pub fn set_title(title: &[u8]) {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return };
    // The command in parentheses may hold spaces. Fields are counted from the third one.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return };
    let fields: Vec<usize> =
        fields.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    // proc_pid_stat(5): (48) arg_start, (49) arg_end, (50) env_start, (51) env_end.
    let &[arg_start, arg_end, env_start, env_end] =
        &fields[fields.len().min(45)..fields.len().min(49)]
    else {
        return;
    };
    if arg_start == 0 || arg_end <= arg_start || env_start != arg_end || env_end < env_start {
        return;
    }
    for (name, value) in std::env::vars_os() {
        // SAFETY: there is no other thread yet. libc keeps what it is given in memory of its own,
        // so that nothing points into the bytes below afterwards.
        unsafe { std::env::set_var(name, value) };
    }
    // The kernel shows what stands before the first zero, past the arguments' old end too if there
    // is no zero at it; with a shorter title it shows zeros behind it, as it does for nginx.
    let room = env_end - arg_start;
    let length = title.len().min(room - 1);
    let to = std::ptr::with_exposed_provenance_mut::<u8>(arg_start);
    // SAFETY: the kernel has just said that these bytes, on the stack above every frame, hold the
    // arguments and environment. Nothing refers to them: arguments have been read, the environment
    // has been copied, and libc's own pointer to the program's name is used for messages only and
    // stays terminated by the zeros.
    unsafe {
        std::ptr::copy_nonoverlapping(title.as_ptr(), to, length);
        std::ptr::write_bytes(to.add(length), 0, room - length);
    }
}

/// Takes a variable out of the environment, so that scripts and children don't see it.
///
/// Must be called before there is a second thread.
pub fn forget_variable(name: &str) {
    // SAFETY: there is no other thread yet.
    unsafe { std::env::remove_var(name) };
}

/// The background process's promise to the one that people started.
#[derive(Debug)]
pub struct Launch {
    pipe: Option<OwnedFd>,
    keeps_stderr: bool,
}

impl Launch {
    /// For a process that stays in the foreground.
    pub fn foreground() -> Self {
        Launch { pipe: None, keeps_stderr: true }
    }

    /// Standard error stays open in the background.
    pub fn keeps_stderr(&self) -> bool {
        self.keeps_stderr
    }

    /// Whoever started this process doesn't wait for its end.
    pub fn is_in_background(&self) -> bool {
        self.pipe.is_some()
    }

    /// Lets the process that people started end with `code`.
    pub fn finish(self, code: u8) {
        let Some(pipe) = self.pipe else { return };
        if !self.keeps_stderr
            && let Ok(null) = null_device()
        {
            // What was to be said to people at the start has been said.
            let _ = nix::unistd::dup2_stderr(null.as_fd());
        }
        // If it has gone meanwhile, nobody is interested any more.
        let _ = std::fs::File::from(pipe).write_all(&[code]);
    }
}

/// Goes to the background: a new session, no terminal, standard input and output at `/dev/null`
/// (standard error too, once [`Launch::finish`] was called, unless it is to be kept).
///
/// Returns in the child only. The process that people started waits until the child says how it
/// went, and ends with that code; or with 1 if the child ends without a word. Must be called before
/// there is a second thread.
pub fn daemonise(keeps_stderr: bool) -> io::Result<Launch> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: there is no other thread, so the child may do anything.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => {
            drop(write);
            let mut code = [1];
            let _ = std::fs::File::from(read).read_exact(&mut code);
            // SAFETY: ends this process without running the destructors and exit handlers of what
            // now belongs to the child.
            unsafe { libc::_exit(i32::from(code[0])) }
        }
        ForkResult::Child => {
            drop(read);
            nix::unistd::setsid()?;
            let null = null_device()?;
            nix::unistd::dup2_stdin(null.as_fd())?;
            nix::unistd::dup2_stdout(null.as_fd())?;
            Ok(Launch { pipe: Some(write), keeps_stderr })
        }
    }
}

fn null_device() -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")
}

/// Gives up root for `user`, with that user's groups. Must be called before there is a second
/// thread of this process that should keep its rights: all threads change.
pub fn become_user(name: &str, uid: u32, gid: u32) -> io::Result<()> {
    let current = nix::unistd::geteuid();
    if current.as_raw() == uid && nix::unistd::getegid().as_raw() == gid {
        return Ok(());
    }
    let name = CString::new(OsStr::new(name).as_bytes())?;
    nix::unistd::setgid(Gid::from_raw(gid))?;
    nix::unistd::initgroups(&name, Gid::from_raw(gid))?;
    nix::unistd::setuid(Uid::from_raw(uid))?;
    Ok(())
}

/// As [`become_user`], but CAP_NET_RAW stays: `IP_TRANSPARENT` needs it. Threads that are started
/// from here on have it too.
pub fn become_user_with_raw_sockets(name: &str, uid: u32, gid: u32) -> io::Result<()> {
    /// linux/capability.h
    const VERSION_3: u32 = 0x2008_0522;
    const NET_RAW: u32 = 1 << 13;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    nix::sys::prctl::set_keepcaps(true)?;
    become_user(name, uid, gid)?;
    nix::sys::prctl::set_keepcaps(false)?;
    let header = Header { version: VERSION_3, pid: 0 };
    let kept = Data { effective: NET_RAW, permitted: NET_RAW, inheritable: 0 };
    let data = [kept, Data::default()];
    // SAFETY: capset(2) reads a header and, in this version, two blocks of data, all of which live
    // through the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

/// Sends a signal, a real-time one too; signal 0 only asks whether the process is there.
pub fn signal(pid: i32, number: i32) -> io::Result<()> {
    // SAFETY: kill(2) takes two numbers and touches no memory of ours. (nix's knows no real-time
    // signals.)
    Errno::result(unsafe { libc::kill(pid, number) })?;
    Ok(())
}

/// Is there a process of this pid whose `/proc/PID/comm` is `name`? A zombie isn't.
pub fn lives(pid: i32, name: &str) -> bool {
    super::proc::process(pid)
        .is_some_and(|process| !process.is_dead() && process.comm == name.as_bytes())
}

/// Ends this process without a word when what it prints to has been closed (`| head`), as other
/// commands do. Not for daemons.
pub fn end_with_closed_output() {
    use nix::sys::signal::{SigHandler, signal};
    // SAFETY: SIG_DFL installs no handler, so nothing can run in one.
    let done = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    // It fails only for signals that don't exist.
    debug_assert!(done.is_ok());
}

/// Signals that ask a daemon for something wait from now on: until it listens to them they would end
/// it. Those that are to end it still do.
pub fn hold_requests() {
    let requests = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGWINCH];
    let requests: SigSet = requests.into_iter().collect();
    let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&requests), None);
}

/// Lets all signals through that whoever started this process may have blocked, and those that
/// waited.
pub fn unblock_signals() {
    let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Lets this process and its children leave core files of any size.
pub fn allow_core_dumps() -> io::Result<()> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)?;
    Ok(())
}

/// Core files of this process have at most so many bytes; a process that has given up root leaves
/// one, too.
pub fn limit_core_dumps(bytes: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_CORE, bytes, bytes)?;
    Ok(())
}

/// A process that has changed its user may leave a core file, too.
pub fn be_dumpable() -> io::Result<()> {
    Ok(nix::sys::prctl::set_dumpable(true)?)
}

/// The soft limit of open descriptors up to `number` (or the hard limit); root raises the hard
/// limit where needed.
pub fn allow_descriptors(number: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, number, number.max(hard))
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, number.min(hard), hard))?;
    Ok(())
}

/// The same, unless there are enough already.
pub fn need_descriptors(number: u64) -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < number { allow_descriptors(number) } else { Ok(()) }
}
