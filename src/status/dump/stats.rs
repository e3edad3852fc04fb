//! `keepalived.stats`: counters for people.

use std::fmt::Write;

use crate::status::snapshot::{RouterView, Snapshot};
use crate::vrrp::machine::Counter;

/// The whole file.
pub fn render(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for router in &snapshot.routers {
        // Writing to a String doesn't fail.
        let _ = write_router(&mut out, router);
    }
    out
}

fn write_router(out: &mut String, router: &RouterView) -> std::fmt::Result {
    let n = |counter| router.counter(counter);
    writeln!(out, "VRRP Instance: {}", router.config.name)?;
    writeln!(out, "  Advertisements:")?;
    writeln!(out, "    Received: {}", n(Counter::AdvertReceived))?;
    writeln!(out, "    Sent: {}", n(Counter::AdvertSent))?;
    writeln!(out, "  Became master: {}", n(Counter::BecomeMaster))?;
    writeln!(out, "  Released master: {}", n(Counter::ReleaseMaster))?;
    writeln!(out, "  Packet Errors:")?;
    writeln!(out, "    Length: {}", n(Counter::PacketLengthError))?;
    writeln!(out, "    TTL: {}", n(Counter::TtlError))?;
    writeln!(out, "    Invalid Type: {}", n(Counter::TypeError))?;
    writeln!(out, "    Advertisement Interval: {}", n(Counter::AdvertIntervalError))?;
    writeln!(out, "    Address List: {}", n(Counter::AddressListError))?;
    writeln!(out, "  Authentication Errors:")?;
    writeln!(out, "    Invalid Type: {}", n(Counter::InvalidAuthType))?;
    writeln!(out, "    Type Mismatch: {}", n(Counter::AuthTypeMismatch))?;
    writeln!(out, "    Failure: {}", n(Counter::AuthFailure))?;
    if router.config.wire.hmac.is_some() {
        writeln!(out, "  Authentication Extension Errors:")?;
        writeln!(out, "    Missing: {}", n(Counter::AuthExtMissing))?;
        writeln!(out, "    Malformed: {}", n(Counter::AuthExtMalformed))?;
        writeln!(out, "    Unknown key: {}", n(Counter::AuthExtUnknownKey))?;
        writeln!(out, "    Invalid HMAC: {}", n(Counter::AuthExtInvalidHmac))?;
        writeln!(out, "    Stale: {}", n(Counter::AuthExtStale))?;
        writeln!(out, "    Replay: {}", n(Counter::AuthExtReplay))?;
    }
    writeln!(out, "  Priority Zero:")?;
    writeln!(out, "    Received: {}", n(Counter::PriorityZeroReceived))?;
    writeln!(out, "    Sent: {}", n(Counter::PriorityZeroSent))
}
