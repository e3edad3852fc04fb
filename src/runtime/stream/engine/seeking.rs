//! `proxy_pass` with variables: which upstream, or which address, a session means.

use std::sync::Arc;
use std::time::Instant;

use super::{Engine, Key};
use crate::plan::endpoint::Endpoint;
use crate::plan::process::LogLevel;
use crate::proxy::message::Traffic;
use crate::proxy::session::Status;
use crate::runtime::stream::service::Pool;

impl Engine {
    /// Where no peer can be found, the session ends with status 500, as in nginx (1.22, watched).
    pub(super) fn seek_by_name(&mut self, now: Instant, key: Key, target: &[u8]) {
        let Some(session) = self.sessions.at(key) else { return };
        let target = String::from_utf8_lossy(target);
        if let Some(pool) = session.entrance.upstreams.get(&target.to_ascii_lowercase()) {
            let pool = Arc::clone(pool);
            return self.seek(now, key, pool);
        }
        let complaint = match Endpoint::peer(&target) {
            Err(what) => format!("{what} in upstream \"{target}\""),
            Ok(endpoint) => match (endpoint.address(), endpoint) {
                (Some(address), _) => match Pool::of_address(&target, address) {
                    Ok(pool) => return self.seek(now, key, pool),
                    Err(error) => format!("{error} in upstream \"{target}\""),
                },
                (None, Endpoint::Name { name, ports: Some(_) }) => {
                    format!("no resolver defined to resolve {name}")
                }
                _ => format!("no port in upstream \"{target}\""),
            },
        };
        let (from, server) = (session.from, &session.entrance.name);
        let traffic = Traffic::default();
        let text = format!("{complaint}, client: {from}, server: {server}, {traffic}");
        self.say(key, LogLevel::Error, None, &text);
        self.close(key, Status::Internal);
    }
}
