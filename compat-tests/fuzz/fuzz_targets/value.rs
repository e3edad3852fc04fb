//! Numbers, times, sizes, addresses: any text is read or refused.
#![no_main]

use evenkeel::text::value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = value::whole(text);
    let _ = value::decimal_seconds(text);
    let _ = value::time_with_units(text);
    let _ = value::size_with_units(text, true);
    let _ = value::address_with_prefix(text);
});
