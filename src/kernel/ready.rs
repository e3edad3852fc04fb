//! Descriptors that tokio waits on.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the current tokio runtime, to wait until it can be read.
///
/// # Panics
/// Outside a tokio runtime with its I/O driver on.
pub fn when_readable<T: AsRawFd + Into<OwnedFd>>(owner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: a type that can turn into an `OwnedFd` owns one open descriptor; `AsyncFd` owns the
    // value from here on and lends it out only by shared reference as far as this crate uses it,
    // so that the descriptor stays the same until the registration ends.
    let registered = unsafe { AsyncFd::register_with_interest(owner, Interest::READABLE) };
    registered.map_err(io::Error::from)
}
