//! What OpenSSL was told for the servers of one generation.

use std::io;
use std::sync::Arc;

use super::{Acceptor, Connector};
use crate::plan::stream::{Address, Listener, ServerId, Transport};
use crate::plan::tls::{ClientTls, ServerTls};
use crate::runtime::stream::log::Log;

#[derive(Clone, Debug, Default)]
pub(in crate::runtime::stream) struct Contexts {
    acceptors: Vec<Known>,
    connectors: Vec<Arc<Connector>>,
}

#[derive(Clone, Debug)]
struct Known {
    server: ServerId,
    /// The first of the addresses that it serves.
    place: (Transport, Address),
    acceptor: Arc<Acceptor>,
}

impl Contexts {
    /// One for each server, as in nginx: what they remember is theirs, but for zones that several
    /// name. One that is configured as before a reload (`old`) goes on with what it remembers.
    pub(in crate::runtime::stream) fn acceptor(
        &mut self,
        tls: &ServerTls,
        server: ServerId,
        (listener, log): (&Listener, &Log),
        old: Option<&Self>,
    ) -> io::Result<Arc<Acceptor>> {
        let mut own = self.acceptors.iter().filter(|known| known.server == server);
        if let Some(own) = own.find(|known| *known.acceptor.plan == *tls) {
            return Ok(Arc::clone(&own.acceptor));
        }
        let place = (listener.transport, listener.address.clone());
        let taken = |known: &Known| {
            self.acceptors.iter().any(|own| Arc::ptr_eq(&own.acceptor, &known.acceptor))
        };
        let mut before = old.iter().flat_map(|old| &old.acceptors);
        let before = before
            .find(|known| known.place == place && *known.acceptor.plan == *tls && !taken(known));
        let acceptor = match before {
            Some(known) => {
                known.acceptor.refresh();
                Arc::clone(&known.acceptor)
            }
            None => {
                let others = self.acceptors.iter().chain(old.iter().flat_map(|old| &old.acceptors));
                let others = others.map(|known| &*known.acceptor);
                Arc::new(Acceptor::new(Box::new(tls.clone()), others, log)?)
            }
        };
        self.acceptors.push(Known { server, place, acceptor: Arc::clone(&acceptor) });
        Ok(acceptor)
    }

    /// Servers with the same settings share one, with the sessions that it remembers; so do those
    /// before a reload.
    pub(in crate::runtime::stream) fn connector(
        &mut self,
        tls: &ClientTls,
        old: Option<&Self>,
    ) -> io::Result<Arc<Connector>> {
        if let Some(own) = self.connectors.iter().find(|own| *own.plan == *tls) {
            return Ok(Arc::clone(own));
        }
        let mut before = old.iter().flat_map(|old| &old.connectors);
        let connector = match before.find(|known| *known.plan == *tls) {
            Some(known) => {
                known.refresh();
                Arc::clone(known)
            }
            None => Arc::new(Connector::new(Box::new(tls.clone()))?),
        };
        self.connectors.push(Arc::clone(&connector));
        Ok(connector)
    }
}
