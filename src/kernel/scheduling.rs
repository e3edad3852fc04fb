//! How this thread gets the CPU and this process its memory: sched(7), mlockall(2), getrlimit(2).

use std::io;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Lets the calling thread run before all that isn't real-time, at this priority (1..=99,
/// SCHED_RR). Threads and processes that it starts later are ordinary ones.
pub fn run_in_real_time(priority: u8) -> io::Result<()> {
    schedule(libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, i32::from(priority))
}

/// The calling thread is an ordinary one again.
pub fn run_ordinarily() -> io::Result<()> {
    schedule(libc::SCHED_OTHER, 0)
}

fn schedule(policy: i32, priority: i32) -> io::Result<()> {
    // SAFETY: all zeros is a valid `sched_param`: it holds numbers only.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the pointer is to a live value, which the kernel only reads; 0 is the calling thread.
    Errno::result(unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) })?;
    Ok(())
}

/// The calling thread's nice value, -20..=19. What it starts later inherits it.
pub fn be_nice(nice: i8) -> io::Result<()> {
    // SAFETY: setpriority(2) takes numbers only; 0 is the calling thread.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, i32::from(nice)) })?;
    Ok(())
}

/// The CPUs that the calling thread may run on.
pub fn cpus() -> io::Result<CpuSet> {
    Ok(sched_getaffinity(Pid::from_raw(0))?)
}

/// Binds the calling thread to these CPUs.
pub fn run_on(cpus: &[u16]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(usize::from(*cpu))?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Binds the calling thread to the CPUs of [`cpus`] again.
pub fn run_on_set(set: &CpuSet) -> io::Result<()> {
    Ok(sched_setaffinity(Pid::from_raw(0), set)?)
}

/// Lets the calling thread run where the process's first thread may.
pub fn run_as_process() -> io::Result<()> {
    Ok(sched_setaffinity(Pid::from_raw(0), &sched_getaffinity(Pid::this())?)?)
}

/// Keeps in memory what is in memory, and what comes into it.
pub fn lock_memory() -> io::Result<()> {
    mlockall(MlockAllFlags::MCL_CURRENT)?;
    // Stacks and heaps that nobody has touched needn't be filled for that (MCL_ONFAULT).
    let on_fault = MlockAllFlags::from_bits_retain(4);
    Ok(mlockall(MlockAllFlags::MCL_FUTURE | on_fault)?)
}

pub fn unlock_memory() -> io::Result<()> {
    Ok(munlockall()?)
}

/// A real-time thread that uses the CPU for longer than `warn` without a wait gets SIGXCPU, once a
/// second; after `kill` the kernel ends the process, so that one that spins can't take the host
/// along.
pub fn limit_real_time(warn: Duration, kill: Duration) -> io::Result<()> {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let (_, hard) = getrlimit(Resource::RLIMIT_RTTIME)?;
    let kill = micros(kill).min(hard);
    Ok(setrlimit(Resource::RLIMIT_RTTIME, micros(warn).min(kill), kill)?)
}
