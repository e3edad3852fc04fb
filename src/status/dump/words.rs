//! How keepalived writes the things that several dumps have.

use std::time::{Duration, SystemTime};

use crate::status::snapshot::RouterView;
use crate::vrrp::machine::State;

/// The state as keepalived counts it: who waits for a script's first result is in fault.
pub(in crate::status) fn state(router: &RouterView) -> State {
    match router.state {
        State::Initialize => State::Fault,
        state => state,
    }
}

/// The state that would be, were it not for such a wait.
pub(in crate::status) fn wanted(router: &RouterView) -> State {
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
pub(in crate::status) fn number(state: State) -> u8 {
    match state {
        State::Initialize => 0,
        State::Backup => 1,
        State::Active => 2,
        State::Fault => 3,
    }
}

/// Each word in quotes: `'/bin/check' 'a b'`.
pub(in crate::status) fn command(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| format!("'{word}'")).collect();
    words.join(" ")
}

/// Seconds since 1970 with six places.
pub(super) fn time(at: SystemTime) -> String {
    // A clock that stands before 1970 gives zeros.
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}
