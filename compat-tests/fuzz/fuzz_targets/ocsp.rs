//! OCSP responders' answers, and the URLs that certificates name: whatever comes in whatever
//! pieces ends, means the same as in one piece, and is bounded.
#![no_main]

use evenkeel::plan::ocsp::Url;
use evenkeel::proxy::ocsp::{Answer, Heard};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(url) = Url::parse(text)
    {
        assert!(url.path.starts_with('/') && !url.host.is_empty());
        let _ = url.address();
    }
    let whole = hear(bytes.chunks(bytes.len().max(1)));
    assert_ne!(whole, Heard::More);
    let one_by_one = hear(bytes.chunks(1));
    assert_ne!(one_by_one, Heard::More);
    if let (Heard::Answer(whole), Heard::Answer(pieces)) = (&whole, &one_by_one) {
        assert_eq!(whole, pieces);
    }
});

fn hear<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut answer = Answer::default();
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        match answer.hear(piece) {
            Heard::More => {}
            heard => return heard,
        }
    }
    answer.hear(b"")
}
