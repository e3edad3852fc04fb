//! Descriptors that tokio waits on.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What owns a descriptor, in the form that tokio wants it.
#[derive(Debug)]
pub(super) struct Descriptor<T>(pub(super) T);

impl<T: AsFd> AsRawFd for Descriptor<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<T: Into<OwnedFd>> From<Descriptor<T>> for OwnedFd {
    fn from(descriptor: Descriptor<T>) -> OwnedFd {
        descriptor.0.into()
    }
}

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
