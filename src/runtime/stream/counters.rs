//! What the stream role counts, over all its workers.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::proxy::session::Status;

/// Counts since the role began.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections of both kinds, which number the log's lines.
    pub(super) connections: AtomicU64,
    /// Sessions begun.
    pub accepted: AtomicU64,
    /// Sessions over, by how they went.
    pub served: AtomicU64,
    pub without_peer: AtomicU64,
    pub broken_off: AtomicU64,
    /// Clients that weren't let in: a bad header, a rule, a limit.
    pub refused: AtomicU64,
    /// Attempts at a peer that failed.
    pub dial_failures: AtomicU64,
    /// Times that accepting had to rest: descriptors or memory had run out.
    pub accept_failures: AtomicU64,
    /// Lines of access logs that were not written.
    pub access_log_failures: AtomicU64,
    /// Clients closed at once for want of `worker_connections`.
    pub turned_away: AtomicU64,
    /// Datagrams that found no room on their way out, or were more than a rate allows.
    pub datagrams_dropped: AtomicU64,
    /// Names that were asked for, by sessions and for upstreams, and those that weren't resolved.
    pub names_asked: AtomicU64,
    pub names_failed: AtomicU64,
    /// What came from name servers' addresses and answered nothing that was asked.
    pub dns_ignored: AtomicU64,
    /// Workers begun anew after a defect.
    pub worker_restarts: AtomicU64,
}

impl Counters {
    pub(super) fn closed(&self, status: Status) {
        let counter = match status {
            Status::Ok => &self.served,
            Status::BadRequest | Status::Forbidden | Status::Unavailable => &self.refused,
            Status::BadGateway => &self.without_peer,
            Status::Internal => &self.broken_off,
        };
        counter.fetch_add(1, Relaxed);
    }
}
