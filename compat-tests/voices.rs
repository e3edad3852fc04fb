//! One diagnostic in the three voices and as JSON, and text that would upset a terminal.

use evenkeel::text::{Diagnostic, FileId, SourceMap, Span, render};

fn sources(text: &[u8]) -> SourceMap {
    let mut sources = SourceMap::default();
    sources.add("/etc/keepalived/keepalived.conf", text.to_vec());
    sources
}

fn span_of(text: &[u8], word: &[u8]) -> Span {
    let at = text.windows(word.len()).position(|window| window == word).unwrap();
    Span::new(FileId(0), at, at + word.len())
}

#[test]
fn each_voice_says_it_its_way() {
    let text = b"vrrp_instance VI_1 {\n    virtual_ipadress {\n";
    let diagnostic =
        Diagnostic::error("keepalived/unknown-keyword", "Unknown keyword 'virtual_ipadress'")
            .at(span_of(text, b"virtual_ipadress"))
            .help("did you mean `virtual_ipaddress`?");
    let sources = sources(text);
    assert_eq!(
        render::keepalived(&sources, &diagnostic),
        ["(/etc/keepalived/keepalived.conf: Line 2) Unknown keyword 'virtual_ipadress'"]
    );
    assert_eq!(
        render::nginx(&sources, &diagnostic),
        "nginx: [emerg] Unknown keyword 'virtual_ipadress' in /etc/keepalived/keepalived.conf:2"
    );
    let own = render::evenkeel(&sources, &diagnostic, false);
    assert_eq!(
        own,
        "error[keepalived/unknown-keyword]: Unknown keyword 'virtual_ipadress'
 --> /etc/keepalived/keepalived.conf:2:5
  |
2 |     virtual_ipadress {
  |     ^^^^^^^^^^^^^^^^
  |
  = help: did you mean `virtual_ipaddress`?
"
    );
    assert!(!own.contains('\u{1b}'));
    assert!(render::evenkeel(&sources, &diagnostic, true).contains('\u{1b}'));
    let json = render::json(&sources, &diagnostic);
    assert_eq!(json["labels"][0]["line"], 2);
    assert_eq!(json["labels"][0]["column"], 5);
    assert_eq!(json["severity"], "error");
}

#[test]
fn a_value_from_a_variable_shows_both_places() {
    let text = b"$PRIO=300\nvrrp_instance A {\n  priority $PRIO\n}\n";
    let mut sources = sources(text);
    let origin = sources.add_expansion("$PRIO", span_of(text, b"$PRIO=300"));
    let used = Span { origin, ..Span::new(FileId(0), 39, 44) };
    let diagnostic = Diagnostic::error("keepalived/range", "priority 300 out of range").at(used);
    let own = render::evenkeel(&sources, &diagnostic, false);
    assert!(own.contains("keepalived.conf:3:12"), "{own}");
    assert!(own.contains("`$PRIO` is defined here"), "{own}");
}

/// Any bytes, any span: something printable comes out, and no control character gets through.
#[test]
fn strange_bytes_do_not_reach_the_terminal() {
    let long = [b"x".repeat(5000), b"\x1b[31m\xff\xfe\0".to_vec(), b"y".repeat(5000)].concat();
    let texts: [&[u8]; 6] =
        [b"", b"\n", b"a\r\nb\r\n", b"\x1b]0;title\x07 \xff", "é\tü".as_bytes(), &long];
    for text in texts {
        let sources = sources(text);
        let ends = [0, 1, 2, 5000, 5003, 5008, 10_008, 20_000];
        for (start, end) in ends.into_iter().flat_map(|a| ends.into_iter().map(move |b| (a, b))) {
            let diagnostic =
                Diagnostic::error("x", "m").label(Span::new(FileId(0), start, end), "here");
            let own = render::evenkeel(&sources, &diagnostic, false);
            assert!(own.contains("error[x]: m"));
            assert!(own.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{own:?}");
            assert!(own.len() < 2000, "a long line is cut");
        }
    }
}
