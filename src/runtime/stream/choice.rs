//! Several servers behind one address, and which of them a client asks for.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::service::Entrance;
use crate::plan::stream::{Listener, Server, ServerId, Transport};
use crate::proxy::table::pattern::Groups;
use crate::proxy::table::server_names::ServerNames;

/// Belongs to the entrance of an address's default server, where every session begins.
#[derive(Debug)]
pub(super) struct Choice {
    names: ServerNames,
    front: ServerId,
    others: HashMap<ServerId, Arc<Entrance>>,
}

/// Whom a name leads to.
pub(super) enum Chosen<'c> {
    /// The default server, by a name of its own.
    Front,
    Other(&'c Arc<Entrance>),
}

impl Choice {
    /// `None` where there is nothing to choose by: names are in TLS greetings only. `entrance` makes
    /// that of another server of the same address.
    pub(super) fn build(
        listener: &Listener,
        servers: &[Server],
        mut entrance: impl FnMut(ServerId) -> io::Result<Arc<Entrance>>,
    ) -> io::Result<Option<Self>> {
        let front = listener.server;
        let greeted = listener.ssl || servers[front.0].preread.is_some();
        let Some(names) = listener.names.as_ref().filter(|_| greeted) else { return Ok(None) };
        if listener.transport == Transport::Udp {
            return Ok(None);
        }
        let texts = [&names.exact, &names.suffixes, &names.prefixes];
        let texts = texts.into_iter().flatten().map(|(_, server)| *server);
        let mut others = HashMap::new();
        for server in texts.chain(names.patterns.iter().map(|(_, server)| *server)) {
            if server != front && !others.contains_key(&server) {
                others.insert(server, entrance(server)?);
            }
        }
        let names = ServerNames::new(names).map_err(io::Error::other)?;
        Ok(Some(Self { names, front, others }))
    }

    /// `None`: nobody has this name, and the session stays where it is.
    pub(super) fn find(&self, name: &[u8]) -> Option<(Chosen<'_>, Option<Groups>)> {
        let (server, groups) = self.names.find(name)?;
        let chosen = match server == self.front {
            true => Chosen::Front,
            false => Chosen::Other(self.others.get(&server)?),
        };
        Some((chosen, groups))
    }
}
