//! How keepalived writes the things that several dumps have.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use crate::plan::vrrp::{Scope, VirtualAddress};
use crate::status::snapshot::RouterView;
use crate::vrrp::machine::State;

/// The state as keepalived counts it: who waits for a script's first result is in fault.
pub(super) fn state(router: &RouterView) -> State {
    match router.state {
        State::Initialize => State::Fault,
        state => state,
    }
}

/// The state that would be, were it not for such a wait.
pub(super) fn wanted(router: &RouterView) -> State {
    match router.state {
        State::Initialize => State::Backup,
        state => state,
    }
}

/// As some lines have it.
pub(super) fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// keepalived's number of a state.
pub(super) fn number(state: State) -> u8 {
    match state {
        State::Initialize => 0,
        State::Backup => 1,
        State::Active => 2,
        State::Fault => 3,
    }
}

/// Each word in quotes: `'/bin/check' 'a b'`.
pub(super) fn command(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| format!("'{word}'")).collect();
    words.join(" ")
}

/// `192.0.2.1/24 brd 192.0.2.255 dev eth0 scope global label eth0:1 set`, one per address.
pub(super) fn addresses(router: &RouterView) -> Vec<String> {
    let pairs = router.config.addresses.iter().zip(&router.held);
    pairs.map(|(it, held)| address(it, router, *held)).collect()
}

/// The same of `virtual_ipaddress_excluded`.
pub(super) fn excluded(router: &RouterView) -> Vec<String> {
    let pairs = router.config.belongings.excluded.iter().zip(&router.held_excluded);
    pairs.map(|(it, held)| address(it, router, *held)).collect()
}

fn address(it: &VirtualAddress, router: &RouterView, held: bool) -> String {
    let mut out = it.address.to_string();
    let whole = if it.address.is_ipv4() { 32 } else { 128 };
    // Writing to a String doesn't fail.
    if it.prefix != whole {
        let _ = write!(out, "/{}", it.prefix);
    }
    if let Some(broadcast) = it.broadcast {
        let _ = write!(out, " brd {broadcast}");
    }
    let interface = it.interface.as_deref().unwrap_or(&router.config.interface);
    let _ = write!(out, " dev {interface} scope {}", scope(it.scope));
    if let Some(label) = &it.label {
        let _ = write!(out, " label {label}");
    }
    if it.address.is_ipv6() {
        // keepalived's default: a bare address isn't used for what this host itself says.
        out.push_str(if it.prefix == whole { " deprecated" } else { " preferred_lft forever" });
    }
    if held {
        out.push_str(" set");
        if router.config.belongings.drop_packets {
            out.push_str(" nftable_set");
        }
    }
    out
}

fn scope(scope: Scope) -> String {
    let named = Scope::NAMES.iter().find(|(_, named)| *named == scope);
    named.map_or_else(|| scope.0.to_string(), |(name, _)| (*name).to_owned())
}

/// Seconds since 1970 with six places.
pub(super) fn time(at: SystemTime) -> String {
    // A clock that stands before 1970 gives zeros.
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}
