//! The name in a TLS greeting, of any bytes, held against names of every kind: what is found for it
//! doesn't depend on case, nor on a port behind it.
#![no_main]

use std::sync::LazyLock;

use evenkeel::plan::pattern::Pattern;
use evenkeel::plan::stream::{self, ServerId};
use evenkeel::plan::table::Text;
use evenkeel::proxy::table::server_names::ServerNames;
use libfuzzer_sys::fuzz_target;

static NAMES: LazyLock<ServerNames> = LazyLock::new(|| {
    let names = |names: &[&str]| -> Vec<(Text, ServerId)> {
        let numbered = names.iter().enumerate();
        numbered.map(|(at, name)| (Text::from(*name), ServerId(at))).collect()
    };
    let pattern = |text: &str| {
        let text = text.to_owned();
        (Pattern { text, caseless: true, names: Vec::new() }, ServerId(9))
    };
    ServerNames::new(&stream::ServerNames {
        exact: names(&["a.example", "b", "a.b.c"]),
        suffixes: names(&["example", "b.c", "c"]),
        prefixes: names(&["a", "mail", "x.y"]),
        patterns: vec![pattern("^([a-z]+)[.](.*)$"), pattern("[0-9]")],
    })
    .expect("these patterns are right")
});

fuzz_target!(|data: &[u8]| {
    let found = NAMES.find(data).map(|(server, _)| server);
    let upper = NAMES.find(&data.to_ascii_uppercase()).map(|(server, _)| server);
    assert_eq!(found, upper);
    if found.is_some() && !data.contains(&b':') {
        let with_port = [data, b":443"].concat();
        assert_eq!(found, NAMES.find(&with_port).map(|(server, _)| server));
    }
});
