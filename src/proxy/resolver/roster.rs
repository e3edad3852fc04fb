//! The peers of an upstream some of whose servers have `resolve`: who they are now, and when each
//! name is to be asked for again.
//!
//! As in nginx (1.30, watched): addresses of the config come first; a name's addresses that stay
//! keep their place, new ones go to the end. A name that isn't there loses its peers, one that
//! can't be asked about keeps them. It is asked for again a second after what is known of it has
//! run out, and after a failure when `resolver_timeout` has passed, a second at least.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Addresses, Answer, Failure, Places};
use crate::plan::stream::{Address, Name, Peer, Resolver, Upstream};

const AFTER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Roster {
    fixed: Vec<Peer>,
    names: Vec<Followed>,
    /// With the name that each is of.
    members: Vec<(usize, Peer)>,
    resolver: Resolver,
}

#[derive(Debug)]
struct Followed {
    name: Name,
    /// `None`: it is being asked for.
    next: Option<Instant>,
    /// Until when its addresses are known to be right.
    until: Option<Instant>,
}

/// What to ask the resolver for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// For the answer.
    pub index: usize,
    pub host: String,
    pub service: Option<String>,
}

/// What an answer has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The peers aren't the same as before.
    pub changed: bool,
    /// For the error log.
    pub complaints: Vec<String>,
}

impl Roster {
    /// `None`: no server of this upstream has `resolve`.
    pub fn new(upstream: &Upstream, now: Instant) -> Option<Self> {
        let resolver = upstream.resolver.as_deref().filter(|_| !upstream.names.is_empty())?.clone();
        let follow = |name: &Name| Followed { name: name.clone(), next: Some(now), until: None };
        Some(Self {
            fixed: upstream.peers.clone(),
            names: upstream.names.iter().map(follow).collect(),
            members: Vec::new(),
            resolver,
        })
    }

    /// Takes over what an earlier plan's upstream of the same name knew of the same names.
    pub fn inherit(&mut self, old: &Self) {
        for (index, followed) in self.names.iter_mut().enumerate() {
            let same = |other: &&Followed| followed.name.names_the_same(&other.name);
            let Some(place) = old.names.iter().position(|other| same(&other)) else { continue };
            let known = &old.names[place];
            let members = old.members.iter().filter(|(of, _)| *of == place);
            let members = members.map(|(_, peer)| (index, followed.name.with_address_of(peer)));
            self.members.extend(members);
            followed.until = known.until;
            followed.next = known.until.map(|until| until + AFTER).or(followed.next);
        }
    }

    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Everybody, as of now.
    pub fn peers(&self) -> Vec<Peer> {
        let members = self.members.iter().map(|(_, peer)| peer);
        self.fixed.iter().chain(members).cloned().collect()
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.names.iter().filter_map(|followed| followed.next).min()
    }

    /// The names whose time has come. Each has to be [answered](Self::learn).
    pub fn due(&mut self, now: Instant) -> Vec<Question> {
        let mut questions = Vec::new();
        for (index, followed) in self.names.iter_mut().enumerate() {
            if followed.next.is_some_and(|next| next <= now) {
                followed.next = None;
                let Name { host, service, .. } = &followed.name;
                let (host, service) = (host.clone(), service.clone());
                questions.push(Question { index, host, service });
            }
        }
        questions
    }

    /// The answer about a host.
    pub fn learn(&mut self, now: Instant, index: usize, answer: &Answer) -> News {
        let mut news = News::default();
        let Some(followed) = self.names.get(index) else { return news };
        let name = &followed.name;
        if let Err(failure) = &answer.what {
            news.complaints.push(format!("{} could not be resolved ({failure})", name.host));
        }
        let wanted = answer.what.as_ref().map_err(|failure| *failure);
        let wanted = wanted.map(|addresses: &Addresses| {
            addresses.iter().map(|ip| name.peer_at(SocketAddr::new(*ip, name.port))).collect()
        });
        news.changed = self.settle(now, index, wanted, answer.until);
        news
    }

    /// The answer about a service.
    pub fn learn_service(&mut self, now: Instant, index: usize, places: &Places) -> News {
        let mut news = News::default();
        let Some(followed) = self.names.get(index) else { return news };
        let name = &followed.name;
        let (host, service) = (&name.host, name.service.as_deref().unwrap_or_default());
        for (target, failure) in &places.missing {
            let text = format!("{target} could not be resolved ({failure})");
            news.complaints.push(format!("{text} while resolving service {service} of {host}"));
        }
        let failure = match &places.found.what {
            Ok(places) if places.is_empty() => Some(Failure::NotFound),
            Ok(_) => None,
            Err(failure) => Some(*failure),
        };
        if let Some(failure) = failure {
            let text = format!("service {service} of {host} could not be resolved ({failure})");
            news.complaints.push(text);
        }
        let wanted = places.found.what.as_ref().map_err(|failure| *failure);
        let wanted = wanted.map(|places| {
            let peer = |place: &super::Place| Peer {
                // What `hash … consistent` knows it by (watched).
                name: place.target.to_string(),
                backup: name.peer.backup || place.backup,
                weight: match name.peer.weight {
                    1 => u32::from(place.weight.max(1)),
                    weight => weight,
                },
                ..name.peer_at(SocketAddr::new(place.address, place.port))
            };
            places.iter().map(peer).collect()
        });
        news.changed = self.settle(now, index, wanted, places.found.until);
        news
    }

    fn settle(
        &mut self,
        now: Instant,
        index: usize,
        wanted: Result<Vec<Peer>, Failure>,
        until: Instant,
    ) -> bool {
        let followed = &mut self.names[index];
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(Failure::NotFound) => Vec::new(),
            Err(_) => {
                followed.next = Some(now + self.resolver.timeout.max(AFTER));
                return false;
            }
        };
        followed.until = Some(until);
        followed.next = Some(until.max(now) + AFTER);
        let before = self.members.len();
        self.members.retain(|(of, peer)| *of != index || wanted.contains(peer));
        let mut changed = self.members.len() != before;
        for peer in wanted {
            let known = self.members.iter().any(|(of, member)| *of == index && *member == peer);
            if !known {
                self.members.push((index, peer));
                changed = true;
            }
        }
        changed
    }
}

impl Name {
    /// Whether what is known of one holds for the other.
    fn names_the_same(&self, other: &Name) -> bool {
        let key = |name: &Name| (name.host.to_ascii_lowercase(), name.port, name.service.clone());
        key(self) == key(other) && (self.service.is_none() || self.peer == other.peer)
    }

    fn peer_at(&self, address: SocketAddr) -> Peer {
        Peer { address: Address::Tcp(address), ..self.peer.clone() }
    }

    /// A peer of the same name under an earlier plan.
    fn with_address_of(&self, old: &Peer) -> Peer {
        match self.service {
            Some(_) => old.clone(),
            None => Peer { address: old.address.clone(), ..self.peer.clone() },
        }
    }
}
