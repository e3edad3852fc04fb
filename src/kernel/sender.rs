//! Who sent a signal: what tokio's signals don't tell.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// By a signal's number: the process that last sent it, 0 for the kernel or nobody.
static LAST: [AtomicI32; 32] = [const { AtomicI32::new(0) }; 32];

/// Takes note of the senders of these signals from now on, beside whatever else is done with them.
///
/// # Errors
/// A signal that can't be caught.
pub fn note(signals: impl IntoIterator<Item = i32>) -> io::Result<()> {
    for signal in signals {
        let Some(last) = usize::try_from(signal).ok().and_then(|at| LAST.get(at)) else { continue };
        let action = |info: &libc::siginfo_t| {
            // Only where a process sent it are these bytes a pid.
            let by_process =
                matches!(info.si_code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL);
            // SAFETY: with these codes the kernel has filled in the sender's pid.
            let pid = if by_process { unsafe { info.si_pid() } } else { 0 };
            last.store(pid, Relaxed);
        };
        // SAFETY: the action only stores to an atomic, which is allowed in a signal handler.
        unsafe { signal_hook_registry::register_sigaction(signal, action) }?;
    }
    Ok(())
}

/// Who sent the last one of this signal, if a process did.
pub fn last(signal: i32) -> Option<i32> {
    let last = LAST.get(usize::try_from(signal).ok()?)?.load(Relaxed);
    (last != 0).then_some(last)
}
