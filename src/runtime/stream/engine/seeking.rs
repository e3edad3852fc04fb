//! `proxy_pass` with variables: which upstream, or which address, a session means.

use std::time::Instant;

use super::{Engine, Key};
use crate::plan::endpoint::Endpoint;
use crate::runtime::stream::pool::Pool;

impl Engine {
    /// Where no peer can be found, the session ends with status 500, as in nginx (1.22, watched).
    pub(super) fn seek_by_name(&mut self, now: Instant, key: Key, target: &[u8]) {
        let Some(session) = self.sessions.at(key) else { return };
        let target = String::from_utf8_lossy(target);
        if let Some(pool) = session.entrance.upstreams.get(&target.to_ascii_lowercase()) {
            let pool = pool.current();
            return self.seek(now, key, pool);
        }
        let complaint = match Endpoint::peer(&target) {
            Err(what) => format!("{what} in upstream \"{target}\""),
            Ok(endpoint) => match (endpoint.address(), endpoint) {
                (Some(address), _) => match Pool::of_addresses(&target, vec![address]) {
                    Ok(pool) => return self.seek(now, key, pool),
                    Err(error) => format!("{error} in upstream \"{target}\""),
                },
                (None, Endpoint::Name { name, ports: Some(ports) }) => {
                    return self.name(now, key, &target, &name, *ports.start());
                }
                _ => format!("no port in upstream \"{target}\""),
            },
        };
        self.unnamed(key, &complaint);
    }
}
