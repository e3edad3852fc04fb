//! Routes and routing rules, in rtnetlink's own messages: what is to be in them, the caller says.

use std::io;

use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL};

use super::Netlink;

/// Where a new route stands among those that match the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// First, as `ip route prepend`.
    First,
    /// Last, as `ip route append`.
    Last,
}

impl Netlink {
    /// `false`: the very same route was there already.
    pub fn add_route(&mut self, route: RouteMessage, place: Place) -> io::Result<bool> {
        let flags = match place {
            Place::First => NLM_F_CREATE,
            Place::Last => NLM_F_CREATE | NLM_F_APPEND,
        };
        let request = RouteNetlinkMessage::NewRoute(route);
        is_new(self.request(request, NLM_F_ACK | flags, |_| ()))
    }

    /// `false`: it was gone already.
    pub fn remove_route(&mut self, route: RouteMessage) -> io::Result<bool> {
        was_there(self.request(RouteNetlinkMessage::DelRoute(route), NLM_F_ACK, |_| ()))
    }

    /// `false`: the very same rule was there already.
    pub fn add_rule(&mut self, rule: RuleMessage) -> io::Result<bool> {
        let request = RouteNetlinkMessage::NewRule(rule);
        is_new(self.request(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, |_| ()))
    }

    /// `false`: it was gone already.
    pub fn remove_rule(&mut self, rule: RuleMessage) -> io::Result<bool> {
        was_there(self.request(RouteNetlinkMessage::DelRule(rule), NLM_F_ACK, |_| ()))
    }

    /// All routes of a family.
    pub fn routes(&mut self, ipv6: bool) -> io::Result<Vec<RouteMessage>> {
        let mut request = RouteMessage::default();
        request.header.address_family = family(ipv6);
        let mut routes = Vec::new();
        self.request(RouteNetlinkMessage::GetRoute(request), NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewRoute(route) = answer {
                routes.push(route);
            }
        })?;
        Ok(routes)
    }

    /// All rules of a family.
    pub fn rules(&mut self, ipv6: bool) -> io::Result<Vec<RuleMessage>> {
        let mut request = RuleMessage::default();
        request.header.family = family(ipv6);
        let mut rules = Vec::new();
        self.request(RouteNetlinkMessage::GetRule(request), NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewRule(rule) = answer {
                rules.push(rule);
            }
        })?;
        Ok(rules)
    }
}

fn family(ipv6: bool) -> AddressFamily {
    if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn is_new(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn was_there(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ESRCH | libc::ENOENT | libc::ENODEV | libc::ENETUNREACH)
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
