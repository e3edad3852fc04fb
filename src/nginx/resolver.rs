//! `resolver` as typed, and what it becomes in the Plan.

use std::net::SocketAddr;
use std::time::Duration;

use crate::plan::stream::Resolver;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// `resolver ADDRESS… [valid=TIME] [ipv4=on|off] [ipv6=on|off] [status_zone=ZONE]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverConfig {
    pub servers: Vec<SocketAddr>,
    pub valid: Option<Duration>,
    pub ipv4: bool,
    pub ipv6: bool,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self { servers: Vec::new(), valid: None, ipv4: true, ipv6: true }
    }
}

impl ResolverConfig {
    pub(super) fn lower(&self, timeout: Option<Duration>) -> Box<Resolver> {
        Box::new(Resolver {
            servers: self.servers.clone(),
            valid: self.valid,
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }
}
