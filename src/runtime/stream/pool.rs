//! An upstream with the state of its balancer, which all workers share.
//!
//! Where servers have `resolve`, addresses come and go: then a pool is the upstream as the config has
//! it, and [`Pool::current`] the one that sessions from now on get, made anew by [`Pool::renew`]
//! whenever they change. Sessions keep the pool that they began with; what is known of a peer goes
//! over from one to the next.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use socket2::SockAddr;

use crate::plan::stream::{Address, Balance, Peer, Second, Timed, Upstream};
use crate::proxy::balancer::{Balancer, Lease};
use crate::proxy::resolver::roster::Roster;
use crate::text::Span;

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) upstream: Upstream,
    /// Of the peers, in their order, as the kernel wants them.
    pub(super) addresses: Vec<SockAddr>,
    /// The same as logs and `$upstream_addr` have them.
    pub(super) shown: Vec<Box<str>>,
    measures: Option<Timed>,
    balancer: Mutex<Balancer>,
    /// Where servers have `resolve`.
    pub(super) late: Option<Arc<Late>>,
    /// Whose peers these are, or were at some time.
    home: Weak<Late>,
}

/// Peers that come and go.
#[derive(Debug)]
pub(super) struct Late {
    roster: Mutex<Roster>,
    current: Mutex<Arc<Pool>>,
}

impl Late {
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        // Whole after any panic: what is done to it is done in one step.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> MutexGuard<'_, Arc<Pool>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// An upstream that is configured as before keeps its state whole; of a changed one, the peers
    /// that stayed keep theirs. `old` are the pools before a reload.
    ///
    /// # Errors
    /// A path that the kernel can't connect to.
    pub(super) fn build(upstream: Upstream, old: &[Arc<Pool>]) -> io::Result<Arc<Self>> {
        let known = old.iter().find(|pool| pool.upstream.name == upstream.name);
        if let Some(known) = known.filter(|known| known.upstream == upstream) {
            return Ok(Arc::clone(known));
        }
        let before = known.map(|known| known.current());
        let mut late = None;
        if let Some(mut roster) = Roster::new(&upstream, Instant::now()) {
            if let Some(late) = known.and_then(|known| known.late.as_ref()) {
                roster.inherit(&late.roster());
            }
            let mut current = Self::with(&upstream, roster.peers(), before.as_deref())?;
            late = Some(Arc::new_cyclic(|home| {
                current.home = Weak::clone(home);
                Late { roster: Mutex::new(roster), current: Mutex::new(Arc::new(current)) }
            }));
        }
        let pool = Self::new(upstream, before.as_deref())?;
        Ok(Arc::new(Self { late, ..pool }))
    }

    /// What a variable names by its address, or by a name with these addresses.
    ///
    /// # Errors
    /// As [`Pool::build`].
    pub(super) fn of_addresses(name: &str, addresses: Vec<Address>) -> io::Result<Arc<Self>> {
        let upstream = Upstream::of_addresses(name, &addresses, Span::default());
        Ok(Arc::new(Self::new(upstream, None)?))
    }

    /// The same upstream with these peers instead.
    fn with(upstream: &Upstream, peers: Vec<Peer>, before: Option<&Self>) -> io::Result<Self> {
        let upstream = Upstream { peers, names: Vec::new(), resolver: None, ..upstream.clone() };
        Self::new(upstream, before)
    }

    fn new(upstream: Upstream, before: Option<&Self>) -> io::Result<Self> {
        let mut balancer = Balancer::new(&upstream, seed());
        if let Some(before) = before {
            balancer.inherit(&before.balancer());
        }
        let addresses = upstream.peers.iter().map(|peer| match &peer.address {
            Address::Tcp(address) => Ok(SockAddr::from(*address)),
            Address::Unix(path) => SockAddr::unix(path),
        });
        let addresses = addresses.collect::<io::Result<_>>()?;
        let shown = upstream.peers.iter().map(|peer| peer.address.to_string().into()).collect();
        let measures = balancer.measures();
        let (balancer, late, home) = (Mutex::new(balancer), None, Weak::new());
        Ok(Self { upstream, addresses, shown, measures, balancer, late, home })
    }

    /// With its peers as of now.
    pub(super) fn current(self: &Arc<Self>) -> Arc<Self> {
        match &self.late {
            None => Arc::clone(self),
            Some(late) => Arc::clone(&late.current()),
        }
    }

    /// The roster has changed: sessions from now on get peers that are on it. Those that have one
    /// keep it.
    pub(super) fn renew(&self) -> io::Result<()> {
        let Some(late) = &self.late else { return Ok(()) };
        let peers = late.roster().peers();
        let before = Arc::clone(&late.current());
        let current = Self {
            home: Arc::downgrade(late),
            ..Self::with(&self.upstream, peers, Some(&before))?
        };
        *late.current() = Arc::new(current);
        Ok(())
    }

    /// A peer of this pool has failed: so has it in the one that came after, if there is one.
    pub(super) fn pass_on(&self, now: Instant, peer: usize) {
        let Some(late) = self.home.upgrade() else { return };
        let current = Arc::clone(&late.current());
        if !std::ptr::eq(&*current, self) {
            current.balancer().hear_of_failure(now, &self.upstream.peers[peer]);
        }
    }

    /// Sessions fill in its key, or tell how long its peers take.
    pub(super) fn needs_records(&self) -> bool {
        match &self.upstream.balance {
            Balance::Hash { .. } | Balance::LeastTime { .. } => true,
            Balance::Random { two } => matches!(two, Some(Second::LeastTime(_))),
            Balance::RoundRobin | Balance::LeastConn => false,
        }
    }

    /// For `least_time`.
    pub(super) fn measured(&self, lease: &mut Lease, until: Timed, took: Duration) {
        if self.measures == Some(until) {
            self.balancer().measured(lease, took);
        }
    }

    pub(super) fn balancer(&self) -> MutexGuard<'_, Balancer> {
        // Its state is plain numbers: whole after any panic.
        self.balancer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For chance: different in each process and for each upstream.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
