//! Doors: opening, closing, and accepting at them.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::{Engine, Token};
use crate::kernel::tcp;
use crate::plan::process::LogLevel;
use crate::plan::stream::Transport;
use crate::proxy::message::{Client, Errno};
use crate::runtime::stream::conversation::Line;
use crate::runtime::stream::service::{Door, Generation};

/// Most connections accepted from one door before sessions get their turn.
const ACCEPTS: usize = 64;
/// How often a door that is about to go is asked for more; a flood must not keep it open.
const LAST_ROUNDS: usize = 64;
/// How long accepting rests when descriptors or memory run out, as in nginx.
const REST: Duration = Duration::from_millis(500);

impl Engine {
    pub(super) fn open_doors(&mut self) -> io::Result<()> {
        self.open = true;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        for (index, door) in self.generation.doors.iter().enumerate() {
            if door.transport == Transport::Udp {
                continue;
            }
            self.epoll.add(&door.socket, EpollEvent::new(flags, Token::Door(index).into()))?;
        }
        Ok(())
    }

    /// Accepts nothing for a while. The queues keep the connections; those that exist go on.
    fn rest(&mut self, now: Instant) {
        self.resting_until = Some(now + REST);
        self.forget_doors();
    }

    /// The rest is over.
    pub(super) fn heed_doors(&mut self) {
        if let Err(error) = self.open_doors() {
            let text = format_args!("epoll_ctl() failed {}", Errno(&error));
            self.generation.log.write(LogLevel::Alert, None, text);
            self.forget_doors();
            self.resting_until = Some(Instant::now() + REST);
        }
    }

    /// Others hold these sockets too, so that closing them would not end their registrations.
    fn forget_doors(&mut self) {
        for door in self.generation.doors.iter().filter(|door| door.transport == Transport::Tcp) {
            let _ = self.epoll.delete(&door.socket);
        }
    }

    /// Serves a new generation: its doors replace the old ones, whose queues are emptied first
    /// where the door is gone for good. Sessions stay as they are.
    pub(in crate::runtime::stream) fn switch(
        &mut self,
        now: Instant,
        generation: Arc<Generation>,
    ) -> io::Result<()> {
        let stays = |door: &Door| generation.doors.iter().any(|new| new.is(door));
        self.shut_doors(now, stays);
        if let Some(timeout) = self.generation.process.shutdown_timeout {
            self.cutoffs.push((now + timeout, generation.number));
        }
        self.generation = generation;
        self.open_halls()?;
        self.open_doors()
    }

    /// Accepts no more; the worker is done when its last session is. `closed` is the running
    /// generation, or a later one, without its doors.
    pub(in crate::runtime::stream) fn quit(&mut self, now: Instant, closed: Arc<Generation>) {
        self.shut_doors(now, |_| false);
        if let Some(timeout) = self.generation.process.shutdown_timeout {
            self.cutoffs.push((now + timeout, u32::MAX));
        }
        self.generation = closed;
    }

    pub(super) fn shut_doors(&mut self, now: Instant, stays: impl Fn(&Door) -> bool) {
        if !self.open {
            return;
        }
        self.open = false;
        self.forget_doors();
        self.shut_halls(now, &stays);
        let generation = Arc::clone(&self.generation);
        let tcp = |(_, door): &(usize, &Door)| door.transport == Transport::Tcp;
        for (index, door) in generation.doors.iter().enumerate().filter(tcp) {
            for _ in 0..LAST_ROUNDS {
                let resting = self.resting_until.is_some();
                if stays(door) || resting || self.accept_from(now, index, ACCEPTS) {
                    break;
                }
            }
        }
    }

    /// Somebody is at a door. Mostly it is one: asking for a second would cost each connection a
    /// system call for nothing. Where they come faster than turns, more are taken at a time.
    pub(super) fn accept(&mut self, now: Instant, index: usize) {
        if self.generation.doors[index].transport == Transport::Udp {
            self.receive(now, index);
            return;
        }
        if !self.open || self.resting_until.is_some() {
            return;
        }
        if self.knocked + 1 < self.turns {
            self.greed = 1;
        } else if self.knocked < self.turns {
            self.greed = (2 * self.greed).min(ACCEPTS);
        }
        self.knocked = self.turns;
        if self.accept_from(now, index, self.greed) {
            self.greed = 1;
        }
    }

    /// Accepts some; returns whether the queue is empty, or can't be read now.
    fn accept_from(&mut self, now: Instant, index: usize, most: usize) -> bool {
        let generation = Arc::clone(&self.generation);
        let Some(door) = generation.doors.get(index) else { return true };
        for _ in 0..most {
            match tcp::accept(door.socket.as_fd()) {
                Ok((socket, address)) => {
                    let from = address.map_or(Client::Unix, Client::Tcp);
                    let entrance = door.entrance(&socket);
                    if let Some(key) = self.enter(now, Line::Own(socket), from, entrance) {
                        self.arrive(now, key);
                    }
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return true,
                    Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
                    code => {
                        let exhausted = matches!(code, Some(libc::EMFILE | libc::ENFILE));
                        let level = if exhausted { LogLevel::Crit } else { LogLevel::Alert };
                        let text = format_args!("accept4() failed {}", Errno(&error));
                        generation.log.write(level, None, text);
                        self.counters.accept_failures.fetch_add(1, Relaxed);
                        self.rest(now);
                        return true;
                    }
                },
            }
        }
        false
    }

    /// How many descriptors sessions may have: nginx counts the listening sockets and its own
    /// channel too.
    pub(super) fn limit(&self) -> usize {
        let others = self.generation.doors.len() + 1;
        self.generation.process.worker_connections.saturating_sub(others)
    }
}
