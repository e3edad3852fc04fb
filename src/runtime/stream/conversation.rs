//! The client's side of a session: a descriptor of its own, or for UDP a share of the listener's.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use socket2::SockRef;

use crate::kernel::udp::Ends;
use crate::proxy::flow::Flow;

/// How the client is reached.
#[derive(Debug)]
pub(super) enum Line {
    /// A connection.
    Own(OwnedFd),
    /// Datagrams through the listener's socket.
    Shared(Box<Conversation>),
}

/// Datagrams that belong together.
#[derive(Debug)]
pub(super) struct Conversation {
    /// The place of the hall in its worker.
    pub(super) hall: usize,
    pub(super) socket: Arc<OwnedFd>,
    pub(super) ends: Ends,
    pub(super) flow: Flow,
    /// What the client has sent before there was a peer.
    pub(super) waiting: VecDeque<Box<[u8]>>,
}

/// More than this isn't kept while there is no peer yet.
pub(super) const MOST_WAITING: usize = 64;

impl Line {
    pub(super) fn conversation(&mut self) -> Option<&mut Conversation> {
        match self {
            Line::Own(_) => None,
            Line::Shared(conversation) => Some(conversation),
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Line::Shared(_))
    }
}

impl Deref for Line {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        match self {
            Line::Own(socket) => socket,
            Line::Shared(conversation) => &conversation.socket,
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl Conversation {
    /// The address that the client has asked.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        let bound = SockRef::from(&*self.socket).local_addr().ok()?.as_socket()?;
        let address = self.ends.local.map_or(bound.ip(), |local| local.address);
        Some(SocketAddr::new(address, bound.port()))
    }
}
