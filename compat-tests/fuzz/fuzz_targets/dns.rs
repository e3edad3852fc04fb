#![no_main]
//! A reply of a name server, to every question that a resolver may have open; and what an upstream
//! makes of it.

use std::time::{Duration, Instant};

use evenkeel::plan::stream::Resolver as Settings;
use evenkeel::proxy::resolver::{Action, Resolver};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let settings = Settings {
        servers: vec![([127, 0, 0, 1], 53).into(), ([127, 0, 0, 2], 53).into()],
        valid: None,
        ipv4: true,
        ipv6: true,
        timeout: Duration::from_secs(1),
    };
    let now = Instant::now();
    // The number is in the input's first bytes, where a reply has it.
    let id = match bytes {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    };
    let mut resolver = Resolver::new(settings, Box::new(move || id));
    let mut out = Vec::new();
    resolver.ask(now, 1, "a.test", &mut out);
    resolver.ask_service(now, 2, ("x", "a.test"), &mut out);
    for (server, tcp) in [(0, false), (1, false), (0, true), (1, true), (0, false)] {
        resolver.receive(now, (server, tcp), bytes, &mut out);
    }
    resolver.expire(now + Duration::from_secs(2), &mut out);
    resolver.expire(now + Duration::from_secs(4), &mut out);
    // Whoever asked has an answer, once.
    for ticket in [1, 2] {
        let of = |action: &&Action| match action {
            Action::Answer { ticket: of, .. } | Action::Service { ticket: of, .. } => *of == ticket,
            _ => false,
        };
        assert_eq!(out.iter().filter(of).count(), 1);
    }
    assert!(resolver.is_idle());
});
