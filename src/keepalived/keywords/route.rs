//! Lines of `virtual_routes` and `static_routes`, as in ip-route(8) with keepalived's limits
//! (keepalived.conf(5), "Static routes/addresses/rules").
//!
//! Which mistakes cost the whole line and which only a word was measured on keepalived 2.2.7.

use std::net::IpAddr;

use super::super::config::network::StaticRoute;
use super::super::config::{At, KeepalivedConfig};
use super::super::iproute::{Names, whole};
use super::cursor::{Cursor, Dropped};
use super::{encapsulation, read};
use crate::plan::address::Scope;
use crate::plan::route::{
    MAIN_TABLE, Nexthop, PROTOCOL, Prefix, Route, RouteKind, RouteMetric, RoutePreference,
};
use crate::text::{Diagnostics, Node, Word};

/// RTAX_FEATURE_ECN
const ECN: u32 = 1;
/// keepalived takes no round trip for shorter.
const SHORTEST_TRIP: u32 = 200;

pub(super) fn virtual_routes(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    let Some(instance) = config.instances.last_mut() else { return };
    for line in node.body.iter().flatten() {
        let read = Reader::new(&config.names, line, diagnostics, false).route();
        instance.network.routes.extend(read.map(|read| read.route));
    }
}

pub(super) fn static_routes(
    config: &mut KeepalivedConfig,
    node: &Node,
    diagnostics: &mut Diagnostics,
) {
    for line in node.body.iter().flatten() {
        let read = Reader::new(&config.names, line, diagnostics, true).route();
        config.statics.routes.extend(read);
    }
}

/// Destinations, without a family of their own.
pub(super) const ANYWHERE: [&str; 3] = ["default", "any", "all"];

struct Reader<'a> {
    cursor: Cursor<'a>,
    is_static: bool,
    route: Route,
    destination: Option<Destination>,
    /// As it is written.
    shown: String,
    /// Of the first address, or as `inet` and `inet6` say.
    ipv6: Option<bool>,
    protocol_given: bool,
    group: Option<At<String>>,
}

enum Destination {
    Default,
    Prefix(Prefix),
}

impl<'a> Reader<'a> {
    fn new(
        names: &'a Names,
        line: &'a Node,
        diagnostics: &'a mut Diagnostics,
        is_static: bool,
    ) -> Self {
        let mut route = Route::new(Prefix::any(false));
        route.span.0 = line.span;
        Reader {
            cursor: Cursor::new(names, line, diagnostics, "route"),
            is_static,
            route,
            destination: None,
            shown: String::new(),
            ipv6: None,
            protocol_given: false,
            group: None,
        }
    }

    fn route(mut self) -> Option<StaticRoute> {
        self.words().ok()?;
        self.finish()
    }

    fn words(&mut self) -> Result<(), Dropped> {
        while let Some(word) = self.cursor.next() {
            match word.text.as_slice() {
                b"inet" => self.family(word, false)?,
                b"inet6" => self.family(word, true)?,
                b"src" => self.route.preferred_source = Some(self.address(word, "src")?),
                b"from" => self.from(word)?,
                b"via" | b"gw" => {
                    if word.is("gw") {
                        let message = "\"gw\" for routes is deprecated. Please use \"via\"";
                        self.cursor.complain(word, message);
                    }
                    self.route.gateway = Some(self.gateway(word)?);
                }
                b"or" => self.or(word)?,
                b"dev" | b"oif" => {
                    self.route.interface = Some(self.cursor.value(word)?.lossy().into_owned());
                }
                b"to" => {
                    let value = self.cursor.value(word)?;
                    self.destination(value)?;
                }
                b"table" => {
                    let table = self.cursor.table(word)?;
                    self.route.table = if table == 0 { MAIN_TABLE } else { table };
                }
                b"tos" | b"dsfield" => self.route.tos = self.cursor.tos(word)?,
                b"protocol" => {
                    self.route.protocol = self.cursor.protocol(word)?;
                    self.protocol_given = true;
                }
                b"scope" => self.scope(word)?,
                b"metric" | b"priority" | b"preference" => {
                    self.route.metric = Some(self.cursor.number(word, "metric", u32::MAX)?);
                }
                b"expires" => self.expires(word)?,
                b"realms" => self.route.realms = Some(self.cursor.realms(word)?),
                b"pref" => self.preference(word)?,
                b"onlink" => self.route.onlink = true,
                b"encap" => self.route.encapsulation = encapsulation::read(&mut self.cursor, word)?,
                b"ttl-propagate" => self.ttl_propagate(word)?,
                b"congctl" => {
                    if self.cursor.take("lock") {
                        self.route.locked.insert(RouteMetric::Congctl);
                    }
                    let name = self.cursor.value(word)?.lossy().into_owned();
                    self.route.congestion_control = Some(name);
                }
                b"features" => self.features(word)?,
                b"append" => self.route.append = true,
                b"prepend" => self.route.append = false,
                b"as" => {
                    self.cursor.take("to");
                    self.cursor.complain(word, "\"as to\" for MPLS only - ignoring");
                    self.cursor.value(word)?;
                }
                b"no_track" => self.route.untracked = true,
                b"track_group" if self.is_static => {
                    self.group = Some(read::text(self.cursor.value(word)?));
                }
                b"nexthop" => return self.nexthops(word),
                _ => match METRICS.iter().find(|it| word.is(it.word)) {
                    Some(metric) => self.metric(metric, word)?,
                    None => self.other(word)?,
                },
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Option<StaticRoute> {
        let line = self.cursor.line();
        self.route.destination = match self.destination {
            Some(Destination::Prefix(prefix)) => prefix,
            Some(Destination::Default) => Prefix::any(self.ipv6 == Some(true)),
            None => {
                self.cursor.complain(&line.name, "Route must have a destination");
                return None;
            }
        };
        if self.route.untracked {
            return Some(StaticRoute { route: self.route, group: self.group });
        }
        if self.route.interface.is_none() {
            self.route.untracked = true;
            let shown = &self.shown;
            let message = format!(
                "Warning - cannot track route {shown} with no interface specified, not tracking"
            );
            let help = "say `dev INTERFACE`, or `no_track` if its loss doesn't matter";
            self.cursor.advise(&line.name, message, help);
            if let Some(group) = self.group.take() {
                let message = "Static route cannot have track group if no oif specified";
                self.cursor.complain(&Word::new(group.value, group.span), message);
            }
        } else if self.protocol_given && self.route.protocol != PROTOCOL {
            self.route.protocol = PROTOCOL;
            let message = "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), \
                           resetting protocol";
            self.cursor.complain(&line.name, message);
        }
        Some(StaticRoute { route: self.route, group: self.group })
    }

    /// From here on all addresses are of this family.
    fn family(&mut self, word: &Word, ipv6: bool) -> Result<(), Dropped> {
        if *self.ipv6.get_or_insert(ipv6) != ipv6 {
            return self.cursor.drop(word, "Cannot mix IPv4 and IPv6 addresses for route");
        }
        Ok(())
    }

    fn address(&mut self, option: &Word, what: &str) -> Result<IpAddr, Dropped> {
        let word = self.cursor.value(option)?;
        let Some(address) = read::address(word) else {
            let message = format!("invalid route {what} address {}", word.lossy());
            return self.cursor.drop(word, message);
        };
        self.family(word, address.is_ipv6())?;
        Ok(address)
    }

    fn gateway(&mut self, option: &Word) -> Result<IpAddr, Dropped> {
        let _ = self.cursor.take("inet") || self.cursor.take("inet6");
        self.address(option, "via")
    }

    fn from(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        match self.cursor.prefix(word) {
            Some(prefix) if prefix.address.is_ipv6() => {
                self.family(word, true)?;
                self.route.source = Some(prefix);
                Ok(())
            }
            Some(prefix) => {
                let address = prefix.address;
                let message = format!("route from address only supported with IPv6 ({address})");
                self.cursor.drop(word, message)
            }
            None => self.cursor.drop(word, format!("invalid route from address {}", word.lossy())),
        }
    }

    /// The old way to name two gateways.
    fn or(&mut self, option: &Word) -> Result<(), Dropped> {
        let message = "\"or\" for routes is deprecated. Please use \"nexthop\"";
        self.cursor.complain(option, message);
        let second = self.gateway(option)?;
        let hop = |gateway| Nexthop { gateway: Some(gateway), weight: 1, ..Nexthop::default() };
        let first = self.route.gateway.take();
        self.route.nexthops.extend(first.into_iter().chain([second]).map(hop));
        Ok(())
    }

    fn destination(&mut self, word: &Word) -> Result<(), Dropped> {
        self.shown = word.lossy().into_owned();
        if ANYWHERE.iter().any(|it| word.is(it)) {
            self.destination = Some(Destination::Default);
            return Ok(());
        }
        let Some(prefix) = self.cursor.prefix(word) else {
            let message = format!("unknown route keyword {}", word.lossy());
            return self.cursor.drop(word, message);
        };
        self.family(word, prefix.address.is_ipv6())?;
        self.destination = Some(Destination::Prefix(prefix));
        Ok(())
    }

    /// A kind of route, or where it goes.
    fn other(&mut self, word: &Word) -> Result<(), Dropped> {
        if let Some((_, kind)) = RouteKind::WORDS.iter().find(|(name, _)| word.is(name)) {
            self.route.kind = *kind;
            return Ok(());
        }
        if word.is("default6") {
            self.shown = word.lossy().into_owned();
            self.family(word, true)?;
            self.destination = Some(Destination::Default);
            return Ok(());
        }
        self.destination(word)
    }

    fn scope(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        match self.cursor.names.scopes.find(word, 255) {
            Some(scope) => self.route.scope = Scope(scope as u8),
            None => {
                let message = format!("Scope {} not found or invalid for route", word.lossy());
                return self.cursor.drop(word, message);
            }
        }
        Ok(())
    }

    fn expires(&mut self, option: &Word) -> Result<(), Dropped> {
        if self.ipv6 != Some(true) {
            return self.cursor.drop(option, "expires is only valid for IPv6");
        }
        self.route.expires = Some(self.cursor.number(option, "expires time", u32::MAX)?);
        Ok(())
    }

    fn preference(&mut self, option: &Word) -> Result<(), Dropped> {
        if self.ipv6 != Some(true) {
            return self.cursor.drop(option, "pref is only valid for IPv6");
        }
        let word = self.cursor.value(option)?;
        self.route.preference = Some(match word.text.as_slice() {
            b"low" | b"3" => RoutePreference::Low,
            b"medium" | b"0" => RoutePreference::Medium,
            b"high" | b"1" => RoutePreference::High,
            _ => {
                let message = format!("Invalid pref value {} specified for route", word.lossy());
                return self.cursor.drop(word, message);
            }
        });
        Ok(())
    }

    fn ttl_propagate(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        match word.text.as_slice() {
            b"enabled" => self.route.ttl_propagate = Some(true),
            b"disabled" => self.route.ttl_propagate = Some(false),
            _ => {
                let message = format!("ttl-propagate value {} not recognised", word.lossy());
                self.cursor.complain(word, message);
            }
        }
        Ok(())
    }

    fn features(&mut self, option: &Word) -> Result<(), Dropped> {
        let word = self.cursor.value(option)?;
        match word.is("ecn") {
            true => {
                self.route.metrics.insert(RouteMetric::Features, ECN);
            }
            false => self.cursor.complain(word, format!("feature {} not supported", word.lossy())),
        }
        Ok(())
    }

    fn metric(&mut self, metric: &Metric, option: &Word) -> Result<(), Dropped> {
        if metric.lockable && self.cursor.take("lock") {
            self.route.locked.insert(metric.kind);
        }
        let word = self.cursor.value(option)?;
        let value = match metric.unit {
            Unit::Count(most) => self.cursor.whole(word, metric.name, most)?,
            Unit::Time(factor) => {
                let text = word.lossy();
                let (digits, unit) = match text.strip_suffix("ms") {
                    Some(digits) => (digits, 1),
                    None => text.strip_suffix('s').map_or((&*text, 1), |digits| (digits, 1000)),
                };
                let most = u32::MAX / factor / unit;
                let digits = Word::new(digits, word.span);
                let milliseconds = self.cursor.whole(&digits, metric.name, most)? * unit;
                if milliseconds < SHORTEST_TRIP {
                    let message =
                        format!("rtt value {text} below minimum {SHORTEST_TRIP}ms, resetting");
                    self.cursor.note(word, message);
                }
                milliseconds.max(SHORTEST_TRIP) * factor
            }
        };
        self.route.metrics.insert(metric.kind, value);
        Ok(())
    }

    /// All that follows the first `nexthop`.
    fn nexthops(&mut self, first: &'a Word) -> Result<(), Dropped> {
        let mut option = first;
        loop {
            let Some(hop) = self.nexthop(option)? else { return Ok(()) };
            self.route.nexthops.push(hop);
            let Some(word) = self.cursor.next() else { return Ok(()) };
            if !word.is("nexthop") {
                let message =
                    format!("Route has trailing nonsense after nexthops - {}", word.lossy());
                self.cursor.complain(word, message);
                return Ok(());
            }
            option = word;
        }
    }

    /// `None`: it isn't one, and neither are those behind it.
    fn nexthop(&mut self, option: &Word) -> Result<Option<Nexthop>, Dropped> {
        let mut hop = Nexthop { weight: 1, ..Nexthop::default() };
        while let Some(word) = self.cursor.peek() {
            match word.text.as_slice() {
                b"via" => {
                    self.cursor.next();
                    let _ = self.cursor.take("inet") || self.cursor.take("inet6");
                    let value = self.cursor.value(word)?;
                    let Some(gateway) = read::address(value) else {
                        let message = format!("invalid nexthop address {}", value.lossy());
                        self.cursor.complain(value, message);
                        return Ok(None);
                    };
                    if *self.ipv6.get_or_insert(gateway.is_ipv6()) != gateway.is_ipv6() {
                        self.cursor.complain(value, "IPv4/6 mismatch for nexthop");
                        return Ok(None);
                    }
                    hop.gateway = Some(gateway);
                }
                b"dev" | b"oif" => {
                    self.cursor.next();
                    hop.interface = Some(self.cursor.value(word)?.lossy().into_owned());
                }
                b"weight" => {
                    self.cursor.next();
                    let value = self.cursor.value(word)?;
                    match value.as_str().and_then(whole) {
                        Some(weight @ 1..=256) => hop.weight = weight as u16,
                        _ => {
                            let message =
                                format!("Invalid weight {} specified for route", value.lossy());
                            self.cursor.complain(value, message);
                            return Ok(None);
                        }
                    }
                }
                b"onlink" => {
                    self.cursor.next();
                    hop.onlink = true;
                }
                b"realms" => {
                    self.cursor.next();
                    hop.realms = Some(self.cursor.realms(word)?);
                }
                b"encap" => {
                    self.cursor.next();
                    hop.encapsulation = encapsulation::read(&mut self.cursor, word)?;
                }
                _ => break,
            }
        }
        if hop.gateway.is_none() && hop.interface.is_none() && self.cursor.peek().is_none() {
            self.cursor.complain(option, "Route nexthop has neither via nor dev");
            return Ok(None);
        }
        Ok(Some(hop))
    }
}

/// A metric that a number follows.
struct Metric {
    word: &'static str,
    kind: RouteMetric,
    /// What keepalived calls it in complaints.
    name: &'static str,
    lockable: bool,
    unit: Unit,
}

enum Unit {
    /// Up to so many.
    Count(u32),
    /// Milliseconds, or with a unit behind; the kernel counts in so many parts of one.
    Time(u32),
}

const fn metric(word: &'static str, kind: RouteMetric, name: &'static str, unit: Unit) -> Metric {
    Metric { word, kind, name, lockable: true, unit }
}

const fn fixed(word: &'static str, kind: RouteMetric, name: &'static str, most: u32) -> Metric {
    Metric { word, kind, name, lockable: false, unit: Unit::Count(most) }
}

const METRICS: [Metric; 14] = [
    metric("mtu", RouteMetric::Mtu, "MTU", Unit::Count(u32::MAX)),
    metric("hoplimit", RouteMetric::Hoplimit, "hoplimit", Unit::Count(255)),
    metric("advmss", RouteMetric::Advmss, "advmss", Unit::Count(u32::MAX)),
    metric("rtt", RouteMetric::Rtt, "rtt", Unit::Time(8)),
    metric("rttvar", RouteMetric::Rttvar, "rttvar", Unit::Time(4)),
    metric("reordering", RouteMetric::Reordering, "reordering", Unit::Count(u32::MAX)),
    metric("window", RouteMetric::Window, "window", Unit::Count(u32::MAX)),
    metric("cwnd", RouteMetric::Cwnd, "cwnd", Unit::Count(u32::MAX)),
    metric("ssthresh", RouteMetric::Ssthresh, "ssthresh", Unit::Count(u32::MAX)),
    metric("rto_min", RouteMetric::RtoMin, "rto_min", Unit::Time(1)),
    fixed("initcwnd", RouteMetric::Initcwnd, "initcwnd value", u32::MAX),
    fixed("initrwnd", RouteMetric::Initrwnd, "initrwnd value", u32::MAX),
    fixed("quickack", RouteMetric::Quickack, "quickack value", 1),
    fixed("fastopen_no_cookie", RouteMetric::FastopenNoCookie, "fastopen_no_cookie value", 1),
];
