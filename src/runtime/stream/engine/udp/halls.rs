//! The listeners for datagrams that this worker has.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::super::{Engine, Token};
use crate::kernel::udp::{Batch, Ends};
use crate::plan::stream::{Address, Transport};
use crate::proxy::flow::Flows;
use crate::runtime::stream::service::Door;
use crate::runtime::stream::session::Key;

/// All of a worker's halls, and what is on its way through them.
#[derive(Debug, Default)]
pub(in crate::runtime::stream) struct Halls {
    list: Vec<Option<Hall>>,
    /// Of each door of the generation: the place of its hall here.
    of_doors: Vec<Option<usize>>,
    /// From clients.
    pub(super) inbox: Batch,
    /// To the clients of one hall.
    pub(super) outbox: Batch,
    pub(super) outbox_of: usize,
}

/// A listener's socket, and the flows that come through it. It stays over reloads.
#[derive(Debug)]
pub(in crate::runtime::stream) struct Hall {
    address: Address,
    pub(super) socket: Arc<OwnedFd>,
    /// Which session takes the next datagram of a flow.
    pub(super) flows: Flows<Ends, Key>,
    /// Sessions that answer through it; the flows of some of them are others' by now.
    pub(super) sessions: usize,
    /// It is a door of this generation.
    open: bool,
}

impl Halls {
    /// The hall behind a door, with its place.
    pub(super) fn behind(&mut self, door: usize) -> Option<(usize, &mut Hall)> {
        let at = (*self.of_doors.get(door)?)?;
        self.at(at).map(|hall| (at, hall))
    }

    pub(super) fn at(&mut self, at: usize) -> Option<&mut Hall> {
        self.list.get_mut(at)?.as_mut()
    }

    /// One session less; a hall that is shut goes with its last one.
    pub(super) fn leave(&mut self, at: usize) {
        let Some(hall) = self.at(at) else { return };
        hall.sessions -= 1;
        if hall.sessions == 0 && !hall.open {
            self.list[at] = None;
        }
    }

    fn open(&mut self, door: &Door) -> usize {
        let known =
            |hall: &Option<Hall>| hall.as_ref().is_some_and(|hall| hall.address == door.address);
        let at = self.list.iter().position(known);
        let at = at.or_else(|| self.list.iter().position(Option::is_none)).unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() - 1
        });
        let (flows, sessions) = match self.list[at].take() {
            Some(hall) => (hall.flows, hall.sessions),
            None => (Flows::default(), 0),
        };
        let (address, socket) = (door.address.clone(), Arc::clone(&door.socket));
        self.list[at] = Some(Hall { address, socket, flows, sessions, open: true });
        at
    }
}

impl Engine {
    /// Takes the doors of this generation that are for datagrams and this worker's.
    pub(in crate::runtime::stream::engine) fn open_halls(&mut self) -> io::Result<()> {
        self.halls.of_doors.clear();
        for (index, door) in self.generation.doors.iter().enumerate() {
            let ours = door.transport == Transport::Udp && door.worker == Some(self.index);
            let hall = ours.then(|| self.halls.open(door));
            self.halls.of_doors.push(hall);
            if ours {
                let event = EpollEvent::new(EpollFlags::EPOLLIN, Token::Door(index).into());
                self.epoll.add(&door.socket, event)?;
            }
        }
        Ok(())
    }

    /// Reads no more from them. What is there already, and belongs to nobody who `stays`, is read
    /// before.
    pub(in crate::runtime::stream::engine) fn shut_halls(
        &mut self,
        now: std::time::Instant,
        stays: impl Fn(&Door) -> bool,
    ) {
        let generation = Arc::clone(&self.generation);
        for (index, door) in generation.doors.iter().enumerate() {
            if self.halls.behind(index).is_none() {
                continue;
            }
            let _ = self.epoll.delete(&door.socket);
            if stays(door) {
                continue;
            }
            for _ in 0..LAST_ROUNDS {
                if self.receive(now, index) {
                    break;
                }
            }
            self.deliver(now);
            self.retire(index);
        }
    }

    /// A door that is gone for good: its sessions wait for answers, and nothing else.
    fn retire(&mut self, door: usize) {
        let Some((at, hall)) = self.halls.behind(door) else { return };
        hall.open = false;
        hall.flows = Flows::default();
        if hall.sessions == 0 {
            self.halls.list[at] = None;
            return;
        }
        for key in self.sessions.keys() {
            let Some(session) = self.sessions.at(key) else { continue };
            if let Some(conversation) = session.client.conversation()
                && conversation.hall == at
            {
                conversation.flow.close();
            }
        }
    }
}

/// How often a socket that is about to go is asked for more; a flood must not keep it open.
const LAST_ROUNDS: usize = 64;
